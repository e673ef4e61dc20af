//! The domains of each account, remembered so that a challenge costs two calls and not three.
//! Which of them holds a name is decided in `account`, outside this room.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::name::DnsName;

use super::account::Account;
use super::store::{Document, Store};
use crate::time::{Clock, Timestamp};

/// After this long the API is asked again.
const VALID: Duration = Duration::from_secs(86_400);
/// For so long a domain that was looked for in vain is not looked for again: else each call of an order would ask.
const MISSING: Duration = Duration::from_secs(600);
/// A list from further in the future than clocks drift is as good as none.
const DRIFT: Duration = Duration::from_secs(60);
/// One process asks for all that need the list at the same time. After this long it is thought to have been killed:
/// it may have to wait for its turn, which takes a whole request window (10.3 s), and then for the answer.
const ASKING: Duration = Duration::from_secs(12);
/// Accounts in the file; the oldest list makes room.
const MOST_ACCOUNTS: usize = 16;

/// The file `domains.json`.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
struct Lists {
    accounts: BTreeMap<Account, List>,
    /// Who is asking the API just now, and since when.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    asking: BTreeMap<Account, Timestamp>,
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct List {
    names: Vec<DnsName>,
    fetched_at: Timestamp,
    /// What was looked for in this list in vain.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    missing: Vec<DnsName>,
}

impl Document for Lists {
    const FILE: &'static str = "domains.json";
}

/// What a process that needs the list has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DomainList {
    /// Nothing: here it is.
    Known(Vec<DnsName>),
    /// Ask the API, then [`DomainCache::remember`] or [`DomainCache::give_up`].
    Ask,
    /// Look again a little later: another process is asking.
    BeingAsked,
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
        self.store.update(|lists: &mut Lists| lists.valid(&self.account, self.clock.now()))
    }

    /// Returns whether a domain was looked for in the list a short time ago, and was not there.
    #[must_use]
    pub fn is_missing(&self, name: &DnsName) -> bool {
        self.store.update(|lists: &mut Lists| {
            let now = self.clock.now();
            let list = lists.accounts.get(&self.account).filter(|list| list.missing.contains(name));
            list.is_some_and(|list| list.fetched_at <= now && now.since(list.fetched_at) < MISSING)
        })
    }

    /// Keeps that a domain is not in the list that the API has just given.
    pub fn note_missing(&self, name: &DnsName) {
        self.store.update(|lists: &mut Lists| {
            if let Some(list) = lists.accounts.get_mut(&self.account) {
                list.missing.push(name.clone());
            }
        });
    }

    /// Returns the domains, or who asks the API for them: of twenty hooks that start together, one.
    #[must_use]
    pub fn names_or_turn(&self) -> DomainList {
        self.store.update(|lists: &mut Lists| {
            let now = self.clock.now();
            if let Some(names) = lists.valid(&self.account, now) {
                return DomainList::Known(names);
            }
            lists.asking.retain(|_, since| *since <= now && now.since(*since) < ASKING);
            if lists.asking.contains_key(&self.account) {
                return DomainList::BeingAsked;
            }
            lists.asking.insert(self.account.clone(), now);
            DomainList::Ask
        })
    }

    /// Lets others ask: the API did not give a list.
    pub fn give_up(&self) {
        self.store.update(|lists: &mut Lists| lists.asking.remove(&self.account));
    }

    /// Keeps a list that the API has just given.
    pub fn remember(&self, names: &[DnsName]) {
        self.store.update(|lists: &mut Lists| {
            lists.asking.remove(&self.account);
            let list = List { names: names.to_vec(), fetched_at: self.clock.now(), missing: Vec::new() };
            lists.accounts.insert(self.account.clone(), list);
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

impl Lists {
    fn valid(&self, account: &Account, now: Timestamp) -> Option<Vec<DnsName>> {
        let list = self.accounts.get(account)?;
        let valid = now.since(list.fetched_at) < VALID && list.fetched_at.since(now) <= DRIFT;
        valid.then(|| list.names.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;
    use crate::secret::Secret;
    use crate::time::ManualClock;

    const NOW: Timestamp = Timestamp::from_millis(1_795_438_800_000);

    fn account(key: &str) -> Account {
        Account::of(&Secret::parse(key).unwrap())
    }

    fn names(texts: &[&str]) -> Vec<DnsName> {
        texts.iter().map(|text| DnsName::parse(text).unwrap()).collect()
    }

    #[test]
    fn a_list_is_valid_for_a_day_and_for_its_account() {
        let clock = ManualClock::at(NOW);
        let state = State::in_memory().with_clock(clock.clone());
        let cache = state.domains(account("key"));
        assert_eq!(cache.names(), None);
        cache.remember(&names(&["a.ipv64.net", "b.example"]));
        assert_eq!(state.domains(account("other")).names(), None);
        clock.advance(VALID - Duration::from_secs(1));
        assert_eq!(cache.names(), Some(names(&["a.ipv64.net", "b.example"])));
        clock.advance(Duration::from_secs(1));
        assert_eq!(cache.names(), None);
    }

    #[test]
    fn what_was_missing_is_looked_for_again_after_a_while_and_in_a_new_list() {
        let clock = ManualClock::at(NOW);
        let cache = State::in_memory().with_clock(clock.clone()).domains(account("key"));
        let [cut, other] = ["sub.b.example", "other.b.example"].map(|text| DnsName::parse(text).unwrap());
        for later in [MISSING, Duration::ZERO] {
            cache.remember(&names(&["b.example"]));
            assert!(!cache.is_missing(&cut));
            cache.note_missing(&cut);
            assert_eq!((cache.is_missing(&cut), cache.is_missing(&other)), (true, false));
            clock.advance(later);
            assert_eq!(cache.is_missing(&cut), later.is_zero());
        }
    }

    #[test]
    fn one_process_asks_for_all_that_start_together() {
        let clock = ManualClock::at(NOW);
        let state = State::in_memory().with_clock(clock.clone());
        let (first, second) = (state.domains(account("key")), state.domains(account("key")));
        assert_eq!(first.names_or_turn(), DomainList::Ask);
        assert_eq!(second.names_or_turn(), DomainList::BeingAsked);
        assert_eq!(state.domains(account("other")).names_or_turn(), DomainList::Ask);
        first.remember(&names(&["a.ipv64.net"]));
        assert_eq!(second.names_or_turn(), DomainList::Known(names(&["a.ipv64.net"])));
    }

    #[test]
    fn who_waits_for_a_turn_to_ask_is_not_taken_for_killed() {
        let clock = ManualClock::at(NOW);
        let cache = State::in_memory().with_clock(clock.clone()).domains(account("key"));
        assert_eq!(cache.names_or_turn(), DomainList::Ask);
        clock.advance(super::super::rate::Rate::default().hold());
        assert_eq!(cache.names_or_turn(), DomainList::BeingAsked);
    }

    #[test]
    fn nobody_waits_for_a_process_that_failed_was_killed_or_comes_from_the_future() {
        let clock = ManualClock::at(NOW);
        let cache = State::in_memory().with_clock(clock.clone()).domains(account("key"));
        assert_eq!(cache.names_or_turn(), DomainList::Ask);
        cache.give_up();
        assert_eq!(cache.names_or_turn(), DomainList::Ask);
        clock.advance(ASKING);
        assert_eq!(cache.names_or_turn(), DomainList::Ask);
        clock.jump_to(NOW);
        assert_eq!(cache.names_or_turn(), DomainList::Ask);
    }

    #[test]
    fn an_account_without_domains_is_something_else_than_no_list() {
        let cache = State::in_memory().domains(account("key"));
        cache.remember(&[]);
        assert_eq!(cache.names(), Some(Vec::new()));
        cache.invalidate();
        assert_eq!(cache.names(), None);
    }

    #[test]
    fn a_list_of_the_future_is_not_valid_for_ever() {
        let clock = ManualClock::at(NOW);
        let cache = State::in_memory().with_clock(clock.clone()).domains(account("key"));
        cache.remember(&names(&["a.ipv64.net"]));
        clock.jump_to(Timestamp::from_millis(NOW.as_millis() - 30_000));
        assert!(cache.names().is_some(), "clocks drift");
        clock.jump_to(Timestamp::from_millis(NOW.as_millis() - 61_000));
        assert_eq!(cache.names(), None);
    }

    #[test]
    fn the_oldest_list_makes_room() {
        let clock = ManualClock::at(NOW);
        let state = State::in_memory().with_clock(clock.clone());
        for number in 0..=MOST_ACCOUNTS {
            state.domains(account(&format!("key{number}"))).remember(&[]);
            clock.advance(Duration::from_secs(1));
        }
        let kept =
            (0..=MOST_ACCOUNTS).filter(|number| state.domains(account(&format!("key{number}"))).names().is_some());
        assert_eq!(kept.collect::<Vec<_>>(), (1..=MOST_ACCOUNTS).collect::<Vec<_>>());
    }
}
