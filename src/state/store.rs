//! Documents: values with a format version, one per file, read and changed under the lock.
//! Where the disk fails, memory takes over; what the documents say is the business of the other files.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::directory::{Durability, Locked, StateDir, Unreadable};
use super::error::StateError;
use crate::time::{Clock, ClockReading, Timestamp};

/// Raised when an older program could no longer read a file rightly; new optional fields do not raise it.
const VERSION: u64 = 1;

/// What one file holds.
pub(super) trait Document: Default + serde::Serialize + DeserializeOwned {
    /// The name of the file.
    const FILE: &'static str;
    /// Whether a change must survive a power cut.
    const DURABILITY: Durability;

    /// Lets `change` change every time in the document.
    fn each_time(&mut self, change: &mut dyn FnMut(&mut Timestamp));
}

/// The documents of one state directory, or of no directory at all.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) directory: Option<StateDir>,
    pub(super) inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
pub(super) struct Inner {
    /// Documents whose file could not be used, as text. Once here, a document stays here: the file may since have
    /// been changed by others, and two truths cannot be merged.
    memory: BTreeMap<&'static str, String>,
    warnings: Vec<StateError>,
    /// What is wrong with the directory as a whole was said once; saying it for each file helps nobody.
    disk_complained: bool,
    /// Whether files are written without the lock, once it could not be had: asking again would mean waiting again.
    without_lock: Option<bool>,
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Envelope<T> {
    version: u64,
    /// When the file was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clock: Option<ClockReading>,
    content: T,
}

impl<T: Document> Envelope<T> {
    /// Lets no time be of the future, and none grow older by a jump of the wall clock: each moves along with it.
    fn follow(&mut self, now: &ClockReading) {
        let jump = self.clock.as_ref().and_then(|written| now.jump_since(written)).unwrap_or_default();
        self.content.each_time(&mut |time| *time = time.moved_by(jump).min(now.wall));
    }

    /// Nothing for a document that cannot be written down, of which there are none.
    fn text(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }
}

impl Store {
    /// Uses the directory if it can be used, and memory if not; the reason is then the first warning. Without a directory that
    /// is the reason.
    pub(super) fn open(path: Option<&Path>) -> Self {
        let opened = path.ok_or(StateError::NoPlace).and_then(StateDir::open);
        let (directory, warnings) = match opened {
            Ok(directory) => (Some(directory), Vec::new()),
            Err(error) => (None, vec![error]),
        };
        Self { directory, inner: Mutex::new(Inner { warnings, ..Inner::default() }) }
    }

    pub(super) fn directory(&self) -> Option<&StateDir> {
        self.directory.as_ref()
    }

    pub(super) fn take_warnings(&self) -> Vec<StateError> {
        std::mem::take(&mut self.inner().warnings)
    }

    /// Reads a document, lets `change` change it, and writes it back if it did. One at a time over all threads and
    /// processes; the time is read while nobody else can change anything. Never fails: where the file cannot be used, memory
    /// takes over and a warning is kept.
    pub(super) fn update<T: Document, R>(&self, clock: &dyn Clock, change: impl FnOnce(&mut T, Timestamp) -> R) -> R {
        let mut inner = self.inner();
        let (directory, _lock) = self.lock(&mut inner);
        let mut envelope = self.load::<T>(&mut inner).unwrap_or_default();
        envelope.version = VERSION;
        let before = envelope.text();
        let now = ClockReading::take(clock);
        envelope.follow(&now);
        let result = change(&mut envelope.content, now.wall);
        if envelope.text() != before {
            envelope.clock = Some(now);
            inner.save::<T>(directory, envelope.text().unwrap_or_default());
        }
        result
    }

    /// Takes the lock of the directory, if there is one to be had, and returns where may be written.
    fn lock(&self, inner: &mut Inner) -> (Option<&StateDir>, Option<Locked>) {
        let directory = self.directory.as_ref();
        if let Some(may_write) = inner.without_lock {
            return (directory.filter(|_| may_write), None);
        }
        match directory.map(StateDir::lock) {
            None => (None, None),
            Some(Ok(lock)) => (directory, Some(lock)),
            Some(Err(error)) => {
                // Without locks two processes may lose a change of each other; without files they surely would.
                let may_write = matches!(error, StateError::NoLocks(_));
                inner.without_lock = Some(may_write);
                inner.warnings.push(error);
                (directory.filter(|_| may_write), None)
            }
        }
    }

    /// Returns a document, after setting aside a file that makes no sense; nothing if there is none.
    fn load<T: Document>(&self, inner: &mut Inner) -> Option<Envelope<T>> {
        if let Some(text) = inner.memory.get(T::FILE) {
            return parse(text).ok();
        }
        let directory = self.directory.as_ref()?;
        let set_aside = match directory.read(T::FILE).transpose()?.map(|text| parse(&text)) {
            Ok(Ok(envelope)) => return Some(envelope),
            Ok(Err(reason)) => directory.set_aside(T::FILE, reason),
            Err(error) => Err(error),
        };
        let warning = set_aside.unwrap_or_else(|error| {
            // What could neither be read nor moved must not be overwritten either.
            inner.memory.insert(T::FILE, String::new());
            error
        });
        inner.warnings.push(warning);
        None
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere left the maps whole: every change to them is one insert.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Replaces the file of a document, or keeps the text in memory if there is none or that fails.
    fn save<T: Document>(&mut self, directory: Option<&StateDir>, text: String) {
        let directory = directory.filter(|_| !self.memory.contains_key(T::FILE));
        match directory.map(|directory| directory.replace(T::FILE, &text, T::DURABILITY)) {
            Some(Ok(())) => return,
            Some(Err(error)) if !self.disk_complained => {
                self.disk_complained = true;
                self.warnings.push(error);
            }
            _ => {}
        }
        self.memory.insert(T::FILE, text);
    }
}

/// Reads a document; else says what is wrong with it.
fn parse<T: Document>(text: &str) -> Result<Envelope<T>, Unreadable> {
    let value: Value = serde_json::from_str(text).map_err(|_| Unreadable::Damaged)?;
    match value.get("version").and_then(Value::as_u64) {
        Some(VERSION) => serde_json::from_value(value).map_err(|_| Unreadable::Damaged),
        Some(other) => Err(Unreadable::Version(other)),
        None => Err(Unreadable::Damaged),
    }
}

#[cfg(test)]
mod tests;
