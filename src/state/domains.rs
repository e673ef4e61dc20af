//! The domains of each account, remembered so that a challenge costs two calls and not three.
//! Which of them holds a name is decided in `account`, outside this room.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::name::DnsName;

use super::account::Account;
use super::clock::{Clock, UnixTime};
use super::store::{Document, Store};

/// After this long the API is asked again.
const VALID: Duration = Duration::from_secs(86_400);
/// A list from further in the future than clocks drift is as good as none.
const DRIFT: Duration = Duration::from_secs(60);
/// Accounts in the file; the oldest list makes room.
const MOST_ACCOUNTS: usize = 16;

/// The file `domains.json`.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
struct Lists {
    accounts: BTreeMap<Account, List>,
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct List {
    names: Vec<DnsName>,
    fetched_at: UnixTime,
}

impl Document for Lists {
    const FILE: &'static str = "domains.json";
}

/// The domains of one account, as the API gave them within the last day.
#[derive(Clone)]
pub struct DomainCache {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    account: Account,
}

impl DomainCache {
    pub(super) fn new(store: Arc<Store>, clock: Arc<dyn Clock>, account: Account) -> Self {
        Self { store, clock, account }
    }

    /// Returns the domains; nothing if there is no list, or one older than a day.
    #[must_use]
    pub fn names(&self) -> Option<Vec<DnsName>> {
        self.store.update(|lists: &mut Lists| {
            let now = self.clock.unix();
            let list = lists.accounts.get(&self.account)?;
            let valid = now.since(list.fetched_at) < VALID && list.fetched_at.since(now) <= DRIFT;
            valid.then(|| list.names.clone())
        })
    }

    /// Keeps a list that the API has just given.
    pub fn remember(&self, names: &[DnsName]) {
        self.store.update(|lists: &mut Lists| {
            lists.accounts.insert(self.account.clone(), List { names: names.to_vec(), fetched_at: self.clock.unix() });
            while lists.accounts.len() > MOST_ACCOUNTS {
                let others = lists.accounts.iter().filter(|(account, _)| **account != self.account);
                let oldest = others.min_by_key(|(_, list)| list.fetched_at).map(|(account, _)| account.clone());
                oldest.and_then(|account| lists.accounts.remove(&account));
            }
        });
    }

    /// Forgets the list: the API refused a domain of it, or one was added or deleted.
    pub fn invalidate(&self) {
        self.store.update(|lists: &mut Lists| lists.accounts.remove(&self.account));
    }
}
