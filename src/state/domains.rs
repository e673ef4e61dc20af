//! The domains of an account, remembered so that a challenge costs two calls and not three.
//! Which of them holds a name is decided in `account`, outside this room.

use std::time::Duration;

use crate::name::DnsName;
use crate::time::Timestamp;

/// After this long the API is asked again.
const VALID: Duration = Duration::from_secs(86_400);
/// A domain that was not in the list is not asked for again for so long: else each call of an order would ask.
const MISSING: Duration = Duration::from_secs(600);
/// So long a broker takes a list for complete. Its clients ask again and again for a name that no domain covers, and each time
/// would cost a call.
const COMPLETE: Duration = Duration::from_secs(3600);
/// One process asks for all that need the list at the same time. After this long it is thought to have been killed:
/// it may have to wait for its turn, which takes a whole request window (10.3 s), and then for the answer.
const ASKING: Duration = Duration::from_secs(12);

/// The domains of one account, as the API gave them within the last day.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct DomainCache {
    #[serde(skip_serializing_if = "Option::is_none")]
    list: Option<List>,
    /// Since when somebody is asking the API.
    #[serde(skip_serializing_if = "Option::is_none")]
    asked_at: Option<Timestamp>,
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct List {
    names: Vec<DnsName>,
    fetched_at: Timestamp,
    /// Domains that somebody needed and that were not in this list.
    missing: Vec<DnsName>,
}

impl DomainCache {
    /// Returns the domains; nothing if there is no list, or one older than a day.
    #[must_use]
    pub fn names(&self, now: Timestamp) -> Option<Vec<DnsName>> {
        let valid = self.list.as_ref().filter(|list| now.since(list.fetched_at) < VALID);
        valid.map(|list| list.names.clone())
    }

    /// Returns whether the list is so young that a broker takes it for complete.
    #[must_use]
    pub fn is_complete(&self, now: Timestamp) -> bool {
        self.list.as_ref().is_some_and(|list| now.since(list.fetched_at) < COMPLETE)
    }

    /// Returns whether a domain was needed a short time ago and was not in the list.
    #[must_use]
    pub fn is_missing(&self, name: &DnsName, now: Timestamp) -> bool {
        let recent = self.list.as_ref().filter(|list| now.since(list.fetched_at) < MISSING);
        recent.is_some_and(|list| list.missing.contains(name))
    }

    /// Returns whether the caller is the one to ask the API, and then to [`DomainCache::remember`] or
    /// [`DomainCache::give_up`]: of twenty hooks that start together one asks, and the others look again a little later.
    #[must_use]
    pub fn claim(&mut self, now: Timestamp) -> bool {
        let is_asked = self.asked_at.is_some_and(|since| now.since(since) < ASKING);
        if !is_asked {
            self.asked_at = Some(now);
        }
        !is_asked
    }

    /// Lets others ask: the API did not give a list.
    pub fn give_up(&mut self) {
        self.asked_at = None;
    }

    /// Keeps a list that the API has just given, and which domain was needed and is not in it.
    pub fn remember(&mut self, names: &[DnsName], missing: &[&DnsName], now: Timestamp) {
        let missing = missing.iter().map(|name| (*name).clone()).collect();
        *self = Self { list: Some(List { names: names.to_vec(), fetched_at: now, missing }), asked_at: None };
    }

    /// Forgets the list: the API refused a domain of it, or one was added or deleted.
    pub fn forget(&mut self) {
        self.list = None;
    }

    pub(super) fn each_time(&mut self, change: &mut dyn FnMut(&mut Timestamp)) {
        self.list.iter_mut().for_each(|list| change(&mut list.fetched_at));
        self.asked_at.iter_mut().for_each(change);
    }
}

#[cfg(test)]
mod tests;
