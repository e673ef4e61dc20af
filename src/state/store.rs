//! The two files as values: each change is made under the lock, at the time that is read meanwhile, and written back.
//! Where the disk fails, memory takes over until it works again; what can be changed is known by [`Journal`] and [`AccountUsage`].

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::account::Account;
use super::directory::StateDir;
use super::document::{Document, Envelope};
use super::error::StateError;
use super::journal::Journal;
use super::usage::{AccountUsage, Usage};
use crate::time::{Clock, ClockReading, Timestamp};

/// How long the disk is left alone after it has failed: a broker runs for months, and disks get room again.
const DISK_PAUSE: Duration = Duration::from_secs(5);

/// Everything that outlives the process, for one account. Clones share it.
#[derive(Clone)]
pub struct State {
    pub(super) shared: Arc<Shared>,
    pub(super) account: Account,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) opened: Instant,
}

/// The state directory, if it can be used, for all threads of the process.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) directory: Option<StateDir>,
    files: Mutex<Files>,
    reports: Arc<Mutex<Reports>>,
}

/// What is told of the files while one of them may be locked by another process.
#[derive(Default)]
struct Reports {
    warnings: Vec<StateError>,
    /// Not everything is on the disk.
    is_in_memory: bool,
}

#[derive(Default)]
struct Files {
    /// Documents whose file could not be used.
    memory: BTreeMap<&'static str, Kept>,
    reports: Arc<Mutex<Reports>>,
    /// What is wrong with the directory as a whole was said once; saying it for each file helps nobody.
    disk_complained: bool,
    /// The lock could not be had: asking again at once would mean waiting again.
    is_lockless: bool,
    /// The lock is waited for as long as it takes.
    is_patient: bool,
    /// Files are read, but changes stay in memory.
    is_read_only: bool,
    /// When the disk is tried again.
    retry_at: Option<Instant>,
}

/// A document in memory, as text.
#[derive(Default)]
struct Kept {
    text: String,
    /// What the file had when memory took over; nothing if that is not known.
    base: String,
}

impl State {
    /// Uses a directory, and makes it where it is missing. If it cannot be used, or none is known, everything is kept in
    /// memory and [`State::take_warnings`] says why.
    #[must_use]
    pub fn open(directory: Option<&Path>, account: Account, clock: Arc<dyn Clock>) -> Self {
        let directory = directory.ok_or(StateError::NoPlace).and_then(StateDir::open);
        let reports = Arc::<Mutex<Reports>>::default();
        let files = Files { reports: Arc::clone(&reports), ..Files::default() };
        let directory = directory.map_err(|error| files.report(error)).ok();
        let shared = Arc::new(Shared { directory, files: Mutex::new(files), reports });
        Self { shared, account, opened: clock.instant(), clock }
    }

    /// Lets a lock that another process has be waited for as long as it takes. A hook goes on without it, since its client
    /// waits; a process that lives for months would know nothing of its records after its end.
    pub fn be_patient(&self) {
        self.shared.files.lock().unwrap_or_else(PoisonError::into_inner).is_patient = true;
    }

    /// Returns the account that this is for.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Returns the directory in use; nothing if all is kept in memory.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        self.shared.directory.as_ref().map(StateDir::path)
    }

    /// Returns whether journal and usage are on the disk, and not only in the memory of this process; waits for nobody.
    #[must_use]
    pub fn is_on_disk(&self) -> bool {
        self.shared.directory.is_some() && !lock(&self.shared.reports).is_in_memory
    }

    /// Returns what went wrong since the last call, oldest first. None of it has stopped anything. Waits for nobody.
    #[must_use]
    pub fn take_warnings(&self) -> Vec<StateError> {
        std::mem::take(&mut lock(&self.shared.reports).warnings)
    }

    /// Returns how long ago a moment was; zero for one in the future, where the clock was set back.
    #[must_use]
    pub fn age(&self, moment: Timestamp) -> Duration {
        self.clock.now().since(moment)
    }

    /// Returns how long it is until a moment; zero for one in the past.
    #[must_use]
    pub fn until(&self, moment: Timestamp) -> Duration {
        moment.since(self.clock.now())
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
        self.update(change)
    }

    /// Reads what the account has used of its limits, and lets `change` change it; likewise, but a power cut may lose it.
    pub fn usage<R>(&self, change: impl FnOnce(&mut AccountUsage, Timestamp) -> R) -> R {
        self.update(|usage: &mut Usage, now| change(usage.of(&self.account, now), now))
    }

    /// One at a time over all threads and processes; writes nothing where nothing was changed. Never fails: where the file
    /// cannot be used, memory takes over and a warning is kept.
    pub(super) fn update<T: Document, R>(&self, change: impl FnOnce(&mut T, Timestamp) -> R) -> R {
        let directory = self.shared.directory.as_ref();
        // A panic elsewhere left the maps whole: every change to them is one insert.
        let mut files = self.shared.files.lock().unwrap_or_else(PoisonError::into_inner);
        let instant = self.clock.instant();
        let _lock = directory.and_then(|directory| files.lock(directory, instant));
        directory.into_iter().for_each(|directory| files.return_to::<T>(directory, instant));
        let mut envelope = files.load::<T>(directory).unwrap_or_default();
        let before = envelope.text();
        let now = ClockReading::take(&*self.clock);
        envelope.follow(&now);
        let result = change(&mut envelope.content, now.wall);
        if envelope.text() != before {
            envelope.clock = Some(now);
            files.save::<T>(directory, envelope.text(), before);
        }
        files.take_stock(instant);
        result
    }
}

impl Files {
    /// Notes whether anything is in memory only, and when it is to be brought to the disk.
    fn take_stock(&mut self, now: Instant) {
        let is_whole = self.memory.is_empty() && !self.is_lockless;
        self.retry_at = if is_whole { None } else { self.retry_at.or(Some(now + DISK_PAUSE)) };
        lock(&self.reports).is_in_memory = !self.memory.is_empty() || self.is_read_only;
    }

    fn is_due(&self, now: Instant) -> bool {
        self.retry_at.is_some_and(|at| at <= now)
    }

    fn lock(&mut self, directory: &StateDir, now: Instant) -> Option<File> {
        if self.is_lockless && !self.is_due(now) {
            return None;
        }
        let mut is_told = self.is_lockless;
        loop {
            let is_waited_for = self.is_patient || !self.is_lockless;
            match if is_waited_for { directory.lock() } else { directory.lock_within(Duration::ZERO) } {
                Ok(lock) => {
                    (self.is_lockless, self.is_read_only) = (false, false);
                    return Some(lock);
                }
                Err(error @ StateError::LockBusy(..)) if self.is_patient => {
                    if !std::mem::replace(&mut is_told, true) {
                        self.report(error);
                    }
                }
                Err(error) => {
                    (self.is_lockless, self.retry_at) = (true, Some(now + DISK_PAUSE));
                    // Without locks two processes may lose a change of each other; without files they surely would.
                    self.is_read_only = !matches!(error, StateError::NoLocks(_));
                    if !is_told {
                        self.report(error);
                    }
                    return None;
                }
            }
        }
    }

    /// Brings a document back to the disk, together with what others have changed there meanwhile. Needs the lock.
    fn return_to<T: Document>(&mut self, directory: &StateDir, now: Instant) {
        let is_due = self.is_due(now) && !self.is_read_only;
        let Some(Kept { text, base }) = self.memory.get(T::FILE).filter(|_| is_due) else { return };
        let read = |text: &str| Envelope::<T>::parse(text).unwrap_or_default();
        let (mut ours, base) = (read(text), read(base));
        let returned = directory.read(T::FILE).and_then(|found| {
            let theirs = match found.map(|found| Envelope::<T>::parse(&found)) {
                Some(Ok(theirs)) => theirs,
                Some(Err(why)) => {
                    self.report(directory.set_aside(T::FILE, why)?);
                    Envelope::default()
                }
                None => Envelope::default(),
            };
            ours.content = T::merge(&base.content, ours.content, theirs.content);
            directory.replace(T::FILE, &ours.text(), T::SYNCED)
        });
        if returned.is_ok() {
            self.memory.remove(T::FILE);
            self.disk_complained = false;
        } else {
            self.retry_at = Some(now + DISK_PAUSE);
        }
    }

    fn report(&self, error: StateError) {
        lock(&self.reports).warnings.push(error);
    }

    /// Returns a document, after setting aside a file that makes no sense; nothing if there is none.
    fn load<T: Document>(&mut self, directory: Option<&StateDir>) -> Option<Envelope<T>> {
        if let Some(kept) = self.memory.get(T::FILE) {
            return Envelope::parse(&kept.text).ok();
        }
        let directory = directory?;
        let set_aside = match directory.read(T::FILE).transpose()?.map(|text| Envelope::parse(&text)) {
            Ok(Ok(envelope)) => return Some(envelope),
            Ok(Err(why)) => directory.set_aside(T::FILE, why),
            Err(error) => Err(error),
        };
        let warning = set_aside.unwrap_or_else(|error| {
            // What could neither be read nor moved must not be overwritten either.
            self.memory.insert(T::FILE, Kept::default());
            error
        });
        self.report(warning);
        None
    }

    /// Replaces the file of a document, or keeps the text in memory if there is none or that fails.
    fn save<T: Document>(&mut self, directory: Option<&StateDir>, text: String, before: String) {
        let directory = directory.filter(|_| !self.is_read_only && !self.memory.contains_key(T::FILE));
        match directory.map(|directory| directory.replace(T::FILE, &text, T::SYNCED)) {
            Some(Ok(())) => return,
            Some(Err(error)) if !self.disk_complained => {
                self.disk_complained = true;
                self.report(error);
            }
            _ => {}
        }
        self.memory.entry(T::FILE).or_insert(Kept { text: String::new(), base: before }).text = text;
    }
}

fn lock(reports: &Mutex<Reports>) -> MutexGuard<'_, Reports> {
    reports.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
