//! The way to both files: each change is made while nobody else makes any, at the time that is read meanwhile.
//! What can be changed is known by [`Journal`] and [`AccountUsage`].

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::account::Account;
use super::directory::StateDir;
use super::error::StateError;
use super::journal::Journal;
use super::store::Store;
use super::usage::{AccountUsage, Usage};
use crate::time::{Clock, Timestamp};

/// Everything that outlives the process, for one account. Clones share it.
#[derive(Clone)]
pub struct State {
    pub(super) store: Arc<Store>,
    pub(super) account: Account,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) opened: Instant,
}

impl State {
    /// Uses a directory, and makes it where it is missing. If it cannot be used, or none is known, everything is kept in
    /// memory and [`State::take_warnings`] says why.
    #[must_use]
    pub fn open(directory: Option<&Path>, account: Account, clock: Arc<dyn Clock>) -> Self {
        Self::new(Store::open(directory), account, clock)
    }

    pub(super) fn new(store: Store, account: Account, clock: Arc<dyn Clock>) -> Self {
        Self { store: Arc::new(store), account, opened: clock.instant(), clock }
    }

    /// Returns the account that this is for.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.account
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
    pub fn age(&self, moment: Timestamp) -> Duration {
        self.clock.now().since(moment)
    }

    /// Returns how long this process has had its state open.
    #[must_use]
    pub fn running_for(&self) -> Duration {
        self.clock.instant().saturating_duration_since(self.opened)
    }

    /// Reads the journal of records, of all accounts, lets `change` change it, and has it on the disk before it returns.
    /// Keep requests and waits out of `change`, for every other hook waits for its end; and calls of this handle, for they
    /// would wait for it too.
    pub fn journal<R>(&self, change: impl FnOnce(&mut Journal, Timestamp) -> R) -> R {
        self.store.update(&*self.clock, change)
    }

    /// Reads what the account has used of its limits, and lets `change` change it; likewise, but a power cut may lose it.
    pub fn usage<R>(&self, change: impl FnOnce(&mut AccountUsage, Timestamp) -> R) -> R {
        self.store.update(&*self.clock, |usage: &mut Usage, now| change(usage.of(&self.account, now), now))
    }
}
