//! For the tests of this room: a state in memory or in a directory, and each step of the journal as a call of its own.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::challenge::{Challenge, TxtValue};
use crate::name::DnsName;
use crate::secret::Secret;
use crate::state::store::Shared;
use crate::state::*;
use crate::time::{BootTime, Clock, ManualClock, SystemClock, Timestamp};

/// 2026-11-23 13:00 UTC.
pub(in crate::state) const NOW: Timestamp = Timestamp::from_millis(1_795_438_800_000);

pub(in crate::state) fn account() -> Account {
    account_of("key")
}

pub(in crate::state) fn account_of(key: &str) -> Account {
    Account::of(&Secret::parse(key).unwrap())
}

pub(in crate::state) fn record(name: &str, value: &str) -> Entry {
    let (domain, name) = (DnsName::parse("example.org").unwrap(), DnsName::parse(name).unwrap());
    let challenge = Challenge { name: name.clone(), value: TxtValue::parse(value).unwrap() };
    Entry::new(&account(), "test", &challenge, (&domain, &name))
}

/// A state in memory, with a clock to be set.
pub(in crate::state) fn in_memory() -> (State, Arc<ManualClock>) {
    let clock = ManualClock::at(NOW);
    (State::in_memory(account(), clock.clone()), clock)
}

/// A state in a directory, as another process opens it.
pub(in crate::state) fn open(directory: &Path) -> State {
    open_at(directory, Arc::new(SystemClock))
}

pub(in crate::state) fn open_at(directory: &Path, clock: Arc<dyn Clock>) -> State {
    State::open(Some(directory), account(), clock)
}

/// A clock as in a sandbox: nobody tells when the machine was started.
pub(in crate::state) struct WallClock(pub(in crate::state) Arc<ManualClock>);

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn since_boot(&self) -> Option<BootTime> {
        None
    }

    fn instant(&self) -> Instant {
        self.0.instant()
    }
}

impl State {
    /// Keeps everything in memory, for one process.
    pub(crate) fn in_memory(account: Account, clock: Arc<dyn Clock>) -> Self {
        Self { shared: Arc::new(Shared::default()), account, opened: clock.instant(), clock }
    }

    /// The same files for another account.
    pub(in crate::state) fn of(&self, account: Account) -> Self {
        Self { account, ..self.clone() }
    }

    /// The same files with another clock.
    pub(in crate::state) fn with_clock(&self, clock: Arc<dyn Clock>) -> Self {
        Self { opened: clock.instant(), clock, ..self.clone() }
    }

    pub(in crate::state) fn intend(&self, records: &[Entry]) -> Vec<EntryId> {
        self.journal(|journal, now| {
            let intend = |mut record: Entry| {
                journal.intend(&mut record, now);
                record.id
            };
            records.iter().cloned().map(intend).collect()
        })
    }

    pub(in crate::state) fn confirm(&self, ids: &[EntryId]) {
        self.journal(|journal, _| journal.confirm(ids));
    }

    pub(in crate::state) fn ready(&self, ids: &[EntryId]) {
        self.journal(|journal, now| journal.ready(ids, now));
    }

    pub(in crate::state) fn ready_marks(&self, record: &DnsName) -> Vec<RecordMark> {
        self.journal(|journal, now| journal.ready_marks(record, now))
    }

    pub(in crate::state) fn remove_asked(&self, ids: &[EntryId]) {
        self.journal(|journal, now| journal.remove_asked(ids, now));
    }

    pub(in crate::state) fn remove_failed(&self, ids: &[EntryId]) {
        self.journal(|journal, now| journal.remove_failed(ids, now));
    }

    pub(in crate::state) fn close(&self, ids: &[EntryId]) {
        self.journal(|journal, _| journal.close(ids));
    }

    pub(in crate::state) fn withdraw(&self, ids: &[EntryId]) -> Vec<EntryId> {
        self.journal(|journal, _| journal.withdraw(ids))
    }

    pub(in crate::state) fn entries(&self) -> Vec<Entry> {
        self.journal(|journal, _| journal.entries().to_vec())
    }

    pub(in crate::state) fn leftovers(&self, older_than: Option<Duration>) -> Vec<Entry> {
        self.journal(|journal, now| journal.leftovers(older_than, now))
    }

    /// What this call takes of the removals that failed.
    pub(in crate::state) fn take_finishable(&self) -> Option<EntryId> {
        let running_for = self.running_for();
        let entry = self.journal(|journal, now| journal.take_finishable(self.account(), running_for, now));
        entry.map(|entry| entry.id)
    }

    pub(in crate::state) fn take_left_over(&self, spared: &[&DnsName]) -> Option<EntryId> {
        self.journal(|journal, now| journal.take_left_over(self.account(), spared, now)).map(|entry| entry.id)
    }
}
