//! One entry of the journal: which record it is about, and how far it has come.
//! The operations on the whole are `journal`'s.

use std::time::Duration;

use crate::challenge::{Challenge, TxtValue};
use crate::name::DnsName;

use super::account::Account;
use crate::time::Timestamp;

/// An entry whose remove was never asked for is left over when it is this old: no client takes that long.
pub const LEFT_OVER_AFTER: Duration = Duration::from_secs(3600);
/// A remove that neither ended nor failed in this time was killed.
const REMOVE_LOST_AFTER: Duration = Duration::from_secs(600);
/// After so many tries only `sweep` tries again: a remove that never works must not eat the daily quota.
const MOST_TRIES: u32 = 10;

/// The name of an entry, for as long as it is open.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct EntryId(String);

impl EntryId {
    /// Makes a name that no other entry has.
    pub(super) fn random() -> Self {
        Self(format!("{:016x}", rand::random::<u64>()))
    }
}

/// A record that is, or may be, at IPv64 because of us.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Entry {
    /// The name of the entry.
    pub id: EntryId,
    /// Whose record it is.
    pub account: Account,
    /// Which ACME client asked, in the words of its hook: `certbot`.
    pub client: String,
    /// The name of the challenge, before any CNAME is followed.
    pub name: DnsName,
    /// The content of the record.
    #[serde(deserialize_with = "read_value")]
    pub value: TxtValue,
    /// The account domain that holds the record.
    pub domain: DnsName,
    /// The record's name below the domain; empty for the domain itself.
    pub prefix: String,
    /// The name of the record, at the end of all CNAMEs.
    pub record: DnsName,
    /// When the entry was made, which is just before the first request.
    pub added_at: Timestamp,
    /// How far it has come.
    pub progress: Progress,
    /// For which client of the broker it was added; nobody in particular where a hook on this machine has added it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Whether an earlier call had asked for it too, as apex and wildcard may have one value: then it may be at IPv64
    /// whatever becomes of this call.
    #[serde(default)]
    pub was_open: bool,
}

/// How far a record has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// A request to add it may have left.
    Intended,
    /// IPv64 has stored it.
    Confirmed,
    /// Every authoritative server had it.
    Ready {
        /// When the client was told so.
        at: Timestamp,
    },
    /// A remove was asked for.
    RemoveAsked {
        /// When the last try began or failed.
        at: Timestamp,
        /// How many tries there were.
        tries: u32,
        /// Whether the last try is known to have failed; otherwise it is under way, or was killed.
        failed: bool,
    },
}

/// A value that was reported as ready at a name, or removed from it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RecordMark {
    /// The name of the record: what a CA's resolver caches is the answer at the end of all CNAMEs.
    pub record: DnsName,
    /// The value.
    #[serde(deserialize_with = "read_value")]
    pub value: TxtValue,
    /// When that was.
    pub at: Timestamp,
}

impl Entry {
    /// Makes an entry for a record of an account that `client` (`certbot`) asks for: where it belongs is the account's domain
    /// and the name of the record, at the end of all CNAMEs. It is for [`super::Journal::intend`], which says since when.
    #[must_use]
    pub fn new(account: &Account, client: &str, challenge: &Challenge, (domain, record): (&DnsName, &DnsName)) -> Self {
        Self {
            id: EntryId::random(),
            account: account.clone(),
            client: client.to_owned(),
            name: challenge.name.clone(),
            value: challenge.value.clone(),
            domain: domain.clone(),
            prefix: record.prefix_below(domain).unwrap_or_default().to_owned(),
            record: record.clone(),
            added_at: Timestamp::default(),
            progress: Progress::Intended,
            owner: None,
            was_open: false,
        }
    }

    /// Returns what the client asked for.
    #[must_use]
    pub fn challenge(&self) -> Challenge {
        Challenge { name: self.name.clone(), value: self.value.clone() }
    }

    /// Returns how often a remove was tried.
    #[must_use]
    pub const fn tries(&self) -> u32 {
        match self.progress {
            Progress::RemoveAsked { tries, .. } => tries,
            _ => 0,
        }
    }

    /// Returns how many calls the record still takes: its removal, and the addition as long as that may be to come.
    pub(super) fn calls_owed(&self) -> usize {
        1 + usize::from(self.progress == Progress::Intended)
    }

    /// Returns whether a remove was asked for.
    #[must_use]
    pub const fn is_being_removed(&self) -> bool {
        matches!(self.progress, Progress::RemoveAsked { .. })
    }

    /// Returns whether a remove has failed so often that only `sweep` tries again.
    #[must_use]
    pub const fn is_given_up(&self) -> bool {
        self.tries() >= MOST_TRIES
    }

    pub(super) const fn begin_remove(&mut self, now: Timestamp) {
        self.progress = Progress::RemoveAsked { at: now, tries: self.tries().saturating_add(1), failed: false };
    }

    pub(super) fn each_time(&mut self, change: &mut dyn FnMut(&mut Timestamp)) {
        change(&mut self.added_at);
        if let Progress::Ready { at } | Progress::RemoveAsked { at, .. } = &mut self.progress {
            change(at);
        }
    }

    /// Returns whether a remove has failed so short a time ago that it is not worth another call. The pauses grow from five
    /// seconds to a quarter of an hour.
    #[must_use]
    pub fn rests(&self, now: Timestamp) -> bool {
        const LONGEST: Duration = Duration::from_secs(15 * 60);
        let Progress::RemoveAsked { at, tries, failed: true } = self.progress else { return false };
        now.since(at) < Duration::from_secs(5 << tries.saturating_sub(1).min(8)).min(LONGEST)
    }

    /// Whether nobody has asked for the remove in the time that a client may take.
    pub(super) fn is_abandoned(&self, now: Timestamp) -> bool {
        !self.is_being_removed() && now.since(self.added_at) >= LEFT_OVER_AFTER
    }

    /// Whether a remove has failed, or was killed.
    pub(super) fn has_failed(&self, now: Timestamp) -> bool {
        match self.progress {
            Progress::RemoveAsked { at, failed, .. } => failed || now.since(at) >= REMOVE_LOST_AFTER,
            _ => false,
        }
    }

    /// Whether the next call, which runs for so long, tries the remove again.
    pub(super) fn is_finishable(&self, running_for: Duration, now: Timestamp) -> bool {
        let is_of_earlier_call = |at: Timestamp| now.since(at) >= running_for.min(REMOVE_LOST_AFTER);
        match self.progress {
            Progress::RemoveAsked { at, .. } => !self.is_given_up() && is_of_earlier_call(at) && self.has_failed(now),
            _ => false,
        }
    }
}

fn read_value<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<TxtValue, D::Error> {
    let text = <String as serde::Deserialize>::deserialize(deserializer)?;
    TxtValue::parse(&text).map_err(serde::de::Error::custom)
}
