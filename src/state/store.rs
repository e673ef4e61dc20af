//! Documents: values with a format version, one per file, read and changed under the lock.
//! Where the disk fails, memory takes over; what the documents say is the business of the rooms above.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::de::DeserializeOwned;

use super::directory::{Durability, Locked, StateDir};
use super::error::StateError;

/// What one file holds.
pub(super) trait Document: Default + serde::Serialize + DeserializeOwned {
    /// The name of the file.
    const FILE: &'static str;
    /// Raised when an older program could no longer read the file rightly; new optional fields do not raise it.
    const VERSION: u64 = 1;
    /// How well a change must survive a power cut unless the caller asks for more.
    const DURABILITY: Durability = Durability::Casual;
}

/// The documents of one state directory, or of no directory at all.
#[derive(Debug)]
pub(super) struct Store {
    directory: Option<StateDir>,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Documents whose file could not be used, as text. Once here, a document stays here: the file may since have
    /// been changed by others, and two truths cannot be merged.
    memory: BTreeMap<&'static str, String>,
    warnings: Vec<StateError>,
    locks_missing: bool,
}

/// What may be done to the files during one update.
enum Access {
    /// All, and nobody else does anything meanwhile.
    Locked(#[expect(dead_code, reason = "holds the lock until it is dropped")] Locked),
    /// All; the file system has no locks.
    Unlocked,
    /// Look only: the lock is stuck.
    ReadOnly,
    /// There are no files.
    Memory,
}

#[derive(serde::Deserialize)]
struct Head {
    version: u64,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Envelope<T> {
    version: u64,
    content: T,
}

impl Store {
    /// Uses the directory if it can be used; otherwise keeps the reason as the first warning.
    pub(super) fn open(path: &Path) -> Self {
        match StateDir::open(path) {
            Ok(directory) => Self { directory: Some(directory), inner: Mutex::default() },
            Err(error) => {
                let store = Self::in_memory();
                store.inner().warnings.push(error);
                store
            }
        }
    }

    /// Keeps everything in memory.
    pub(super) fn in_memory() -> Self {
        Self { directory: None, inner: Mutex::default() }
    }

    pub(super) fn directory(&self) -> Option<&StateDir> {
        self.directory.as_ref()
    }

    pub(super) fn take_warnings(&self) -> Vec<StateError> {
        std::mem::take(&mut self.inner().warnings)
    }

    /// Reads a document, lets `change` change it, and writes it back if it did. One at a time over all threads
    /// and processes. Never fails: where the file cannot be used, memory takes over and a warning is kept.
    pub(super) fn update<T: Document, R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        self.update_with(T::DURABILITY, change)
    }

    /// The same, for a change that has to survive more than usual.
    pub(super) fn update_with<T: Document, R>(&self, durability: Durability, change: impl FnOnce(&mut T) -> R) -> R {
        let mut inner = self.inner();
        let access = self.access(&mut inner);
        let (before, mut document) = self.load::<T>(&mut inner, &access).unwrap_or_default();
        let result = change(&mut document);
        if let Ok(after) = serde_json::to_string(&Envelope { version: T::VERSION, content: &document })
            && after != before
        {
            self.save::<T>(&mut inner, &access, (after, durability));
        }
        result
    }

    fn access(&self, inner: &mut Inner) -> Access {
        let Some(directory) = self.directory.as_ref() else { return Access::Memory };
        if inner.locks_missing {
            return Access::Unlocked;
        }
        match directory.lock() {
            Ok(lock) => Access::Locked(lock),
            Err(error) => {
                inner.locks_missing = matches!(error, StateError::NoLocks(_));
                inner.warnings.push(error);
                if inner.locks_missing { Access::Unlocked } else { Access::ReadOnly }
            }
        }
    }

    /// Returns a document and its text, after setting aside a file that makes no sense.
    fn load<T: Document>(&self, inner: &mut Inner, access: &Access) -> Option<(String, T)> {
        if let Some(text) = inner.memory.get(T::FILE) {
            return parse(text).ok().map(|document| (text.clone(), document));
        }
        let directory = self.directory.as_ref().filter(|_| !matches!(access, Access::Memory))?;
        let problem = match directory.read(T::FILE) {
            Ok(None) => return None,
            Ok(Some(text)) => match parse(&text) {
                Ok(document) => return Some((text, document)),
                Err(Problem::Damaged) => directory
                    .set_aside(T::FILE, "damaged")
                    .map(|aside| StateError::Damaged { path: directory.file(T::FILE), aside }),
                Err(Problem::Version(version)) => directory
                    .set_aside(T::FILE, "unknown")
                    .map(|aside| StateError::UnknownVersion { path: directory.file(T::FILE), aside, version }),
            },
            Err(error) => Err(error),
        };
        let warning = problem.unwrap_or_else(|error| {
            // What could neither be read nor moved must not be overwritten either.
            inner.memory.insert(T::FILE, String::new());
            error
        });
        inner.warnings.push(warning);
        None
    }

    fn save<T: Document>(&self, inner: &mut Inner, access: &Access, (text, durability): (String, Durability)) {
        let to_disk = matches!(access, Access::Locked(_) | Access::Unlocked) && !inner.memory.contains_key(T::FILE);
        if let Some(directory) = self.directory.as_ref().filter(|_| to_disk) {
            match directory.replace(T::FILE, &text, durability) {
                Ok(()) => return,
                Err(error) => inner.warnings.push(error),
            }
        }
        inner.memory.insert(T::FILE, text);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere left the maps whole: every change to them is one insert.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a text is not the document that was expected.
enum Problem {
    Damaged,
    Version(u64),
}

fn parse<T: Document>(text: &str) -> Result<T, Problem> {
    let head: Head = serde_json::from_str(text).map_err(|_| Problem::Damaged)?;
    if head.version != T::VERSION {
        return Err(Problem::Version(head.version));
    }
    serde_json::from_str::<Envelope<T>>(text).map(|envelope| envelope.content).map_err(|_| Problem::Damaged)
}
