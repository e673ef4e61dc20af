//! What outlives a process: the journal of records, the request window, the domain list, learned times.
//! HTTP and DNS are unknown here; nothing here prints.
//!
//! # On disk
//! One directory (mode 0700) with a few small files (mode 0600), each replaced as a whole:
//!
//! | file | holds | survives a power cut |
//! |---|---|---|
//! | `journal.json` | records that are, or may be, at IPv64 because of us; values that were ready a moment ago | yes: synced before the request leaves |
//! | `window.json` | per account: requests sent, processes waiting, calls counted today | need not |
//! | `domains.json` | per account: its domains, when they were asked for, and who is asking | need not |
//! | `learned.json` | per name server address: the last twenty propagation times, and whether it agreed with itself | need not |
//! | `lock` | nothing; locked during each read and replace | |
//!
//! Every file reads `{"version": 1, "content": …}`. Times are milliseconds since 1970. An account is a fingerprint
//! of its key, never the key.
//!
//! A file of its own per concern, since only the journal is worth an fsync. A lock on a separate file, since a
//! rename would leave the lock on a file that nobody opens again. JSON, since a person may have to read it when all
//! else fails.
//!
//! # When the disk fails
//! A challenge must not fail because of a file: every operation works, in memory if need be, and the reasons are
//! kept for [`State::take_warnings`].

mod account;
mod directory;
mod domains;
mod entry;
mod error;
mod journal;
mod learned;
mod queue;
mod quota;
mod random;
mod rate;
mod store;
mod window;

#[cfg(test)]
mod interleavings;
#[cfg(test)]
mod processes;

use std::path::Path;
use std::sync::Arc;

pub use account::Account;
pub use directory::StateDir;
pub use domains::{DomainCache, DomainList};
pub use entry::{Entry, EntryId, NewEntry, Progress, ReadyMark};
pub use error::StateError;
pub use journal::{Journal, LEFT_OVER_AFTER};
pub use learned::{Learned, UsualTime, Visibility};
pub use queue::Priority;
pub use quota::Quota;
pub use rate::{Rate, RateError};
pub use window::{OnWait, RequestWindow, Slot, WindowError};

use crate::time::{Clock, SystemClock, Timestamp};
use store::Store;

/// The way to everything that outlives the process. Clones share one store.
#[derive(Clone)]
pub struct State {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    opened_at: Timestamp,
}

impl State {
    /// Uses a directory, and makes it where it is missing. If it cannot be used, everything is kept in memory and
    /// [`State::take_warnings`] says why.
    #[must_use]
    pub fn open(path: &Path) -> Self {
        Self::new(Store::open(path))
    }

    /// Keeps everything in memory, for one process.
    #[cfg(test)]
    pub(crate) fn in_memory() -> Self {
        Self::new(Store::in_memory())
    }

    /// Keeps everything in memory, since no place for a directory is known: that is worth a warning.
    #[must_use]
    pub fn without_place() -> Self {
        Self::new(Store::without_place())
    }

    fn new(store: Store) -> Self {
        Self { store: Arc::new(store), clock: Arc::new(SystemClock), opened_at: SystemClock::now() }
    }

    /// Sets the clock, for example one whose sleep a signal ends. To be called before all else.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { opened_at: clock.now(), clock, ..self }
    }

    /// Returns the directory in use; nothing if all is kept in memory.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        self.store.directory().map(StateDir::path)
    }

    /// Returns what went wrong since the last call, oldest first. None of it has stopped anything.
    #[must_use]
    pub fn take_warnings(&self) -> Vec<StateError> {
        self.store.take_warnings()
    }

    /// Returns how long ago a moment was; zero for one in the future, where the clock was set back.
    #[must_use]
    pub fn age(&self, moment: Timestamp) -> std::time::Duration {
        self.clock.now().since(moment)
    }

    /// Returns the journal of records, of all accounts.
    #[must_use]
    pub fn journal(&self) -> Journal {
        Journal::new(Arc::clone(&self.store), Arc::clone(&self.clock), self.opened_at)
    }

    /// Returns the request window of an account.
    #[must_use]
    pub fn window(&self, account: Account, rate: Rate) -> RequestWindow {
        RequestWindow::new(Arc::clone(&self.store), Arc::clone(&self.clock), account, rate)
    }

    /// Returns the remembered domains of an account.
    #[must_use]
    pub fn domains(&self, account: Account) -> DomainCache {
        DomainCache::new(Arc::clone(&self.store), Arc::clone(&self.clock), account)
    }

    /// Returns the learned propagation times.
    #[must_use]
    pub fn learned(&self) -> Learned {
        Learned::new(Arc::clone(&self.store), Arc::clone(&self.clock))
    }
}
