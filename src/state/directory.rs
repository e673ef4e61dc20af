//! The state directory itself: its lock, and how one of its files is read and replaced.
//! What the files mean is known by `store` and the files above it.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::error::StateError;
use super::safety::{check_directory, exists_as_file};
use crate::time::SystemClock;

/// acmetool runs hooks with umask 0 and dehydrated with 077 (observed), so modes are never left to the umask.
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// The file that is locked. It is never replaced: a rename would leave the lock on a file nobody opens again.
const LOCK: &str = "lock";
/// How long to wait for the lock. It is held for milliseconds, so a longer wait means a stopped process.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
const LOCK_PAUSE: Duration = Duration::from_millis(2);
/// Files of earlier versions, whose content is no longer worth reading: the calls of a day, and what can be asked for again.
const DROPPED: [&str; 3] = ["window", "domains", "learned"];
/// No file of ours comes near this size; what does is not ours.
const MAX_FILE: u64 = 16 << 20;

/// A directory that only this user can change, with a lock.
#[derive(Debug, Clone)]
pub struct StateDir {
    path: PathBuf,
}

/// How well a replaced file must survive a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// On the disk, under its name, before the call returns.
    Synced,
    /// Whatever the file system makes of it: losing it costs a few API calls.
    Unsynced,
}

/// Why a file makes no sense.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unreadable {
    Damaged,
    /// It is of another format.
    Version(u64),
}

/// The lock; free again when it is dropped or the process dies.
#[derive(Debug)]
pub(super) struct Locked {
    /// `flock(2)` belongs to the open file, so the file is the lock.
    _file: File,
}

impl StateDir {
    /// Opens the directory, and makes it where it is missing (mode 0700).
    ///
    /// # Errors
    /// [`StateError`] if the directory cannot be made or written, belongs to another user, or may be written or replaced
    /// by others.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let failed = |source| StateError::Directory { path: path.to_owned(), source };
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create(path).and_then(|()| fs::metadata(path)).map_err(failed)?
            }
            Err(error) => return Err(failed(error)),
        };
        if !metadata.is_dir() {
            return Err(failed(io::ErrorKind::NotADirectory.into()));
        }
        check_directory(path, &metadata)?;
        // A file without a name: whether one can be made has to be known, and a killed process must not leave it behind.
        tempfile::tempfile_in(path).map_err(failed)?;
        for name in DROPPED {
            fs::remove_file(path.join(format!("{name}.json"))).ok();
            fs::remove_file(path.join(format!("{name}.json.new"))).ok();
        }
        let directory = Self { path: path.to_owned() };
        directory.open_lock()?;
        Ok(directory)
    }

    /// Returns where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for the lock, at most [`LOCK_PATIENCE`].
    ///
    /// Hold it for one read and replace, never across a request or a wait: a slow name server would make every
    /// other hook run into its client's timeout.
    pub(super) fn lock(&self) -> Result<Locked, StateError> {
        let file = self.open_lock()?;
        let started = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Locked { _file: file }),
                Err(TryLockError::WouldBlock) if started.elapsed() < LOCK_PATIENCE => std::thread::sleep(LOCK_PAUSE),
                Err(TryLockError::WouldBlock) => {
                    return Err(StateError::LockBusy { path: self.file(LOCK), waited: LOCK_PATIENCE.as_secs() });
                }
                Err(TryLockError::Error(error)) if means_no_locks(&error) => {
                    return Err(StateError::NoLocks(self.path.clone()));
                }
                Err(TryLockError::Error(source)) => return Err(self.failed("lock", LOCK, source)),
            }
        }
    }

    /// Reads a file; nothing if there is none. Content that is no UTF-8, or too long, reads as damaged: an empty
    /// text, which no format of ours is.
    pub(super) fn read(&self, name: &str) -> Result<Option<String>, StateError> {
        let path = self.file(name);
        if !exists_as_file(&path)? {
            return Ok(None);
        }
        let file = File::open(&path).map_err(|source| self.failed("read", name, source))?;
        let mut bytes = Vec::new();
        file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|source| self.failed("read", name, source))?;
        if bytes.len() as u64 > MAX_FILE {
            bytes.clear();
        }
        Ok(Some(String::from_utf8(bytes).unwrap_or_default()))
    }

    /// Replaces a file in one step: a reader sees the old content or the new one. Needs the lock.
    pub(super) fn replace(&self, name: &str, content: &str, durability: Durability) -> Result<(), StateError> {
        exists_as_file(&self.file(name))?;
        self.try_replace(name, content, durability).map_err(|source| self.failed("write", name, source))
    }

    fn try_replace(&self, name: &str, content: &str, durability: Durability) -> io::Result<()> {
        let draft = format!("{name}.new");
        // The draft of a process that was killed, if there is one; ours alone to remove, as we hold the lock.
        fs::remove_file(self.file(&draft)).ok();
        let mut file = tempfile::Builder::new().prefix(&draft).rand_bytes(0).tempfile_in(&self.path)?;
        file.as_file().set_permissions(Permissions::from_mode(FILE_MODE))?;
        file.write_all(content.as_bytes())?;
        if durability == Durability::Synced {
            file.as_file().sync_all()?;
        }
        file.persist(self.file(name)).map_err(|error| error.error)?;
        if durability == Durability::Synced { File::open(&self.path)?.sync_all() } else { Ok(()) }
    }

    /// Renames a file out of the way, to `NAME.WORD-SECONDS`, and returns the warning that says so. Needs the lock.
    pub(super) fn set_aside(&self, name: &str, reason: Unreadable) -> Result<StateError, StateError> {
        let (word, why) = match reason {
            Unreadable::Damaged => ("damaged", "is damaged".to_owned()),
            Unreadable::Version(version) => ("unknown", format!("has format version {version}, unknown here")),
        };
        let (path, aside) = (self.file(name), self.file(&format!("{name}.{word}-{}", SystemClock::now().as_secs())));
        fs::rename(&path, &aside).map_err(|source| self.failed("set aside", name, source))?;
        Ok(StateError::SetAside { path, aside, why })
    }

    /// Returns the path of one of the files.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn open_lock(&self) -> Result<File, StateError> {
        let path = self.file(LOCK);
        let there = exists_as_file(&path)?;
        let mut options = OpenOptions::new();
        let opened = options.write(true).create(true).truncate(false).mode(FILE_MODE).open(&path);
        let file = opened.map_err(|source| self.failed("lock", LOCK, source))?;
        if !there {
            let set = file.set_permissions(Permissions::from_mode(FILE_MODE));
            set.map_err(|source| self.failed("lock", LOCK, source))?;
        }
        Ok(file)
    }

    fn failed(&self, action: &'static str, name: &str, source: io::Error) -> StateError {
        StateError::File { action, path: self.file(name), source }
    }
}

fn create(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(path)?;
    fs::set_permissions(path, Permissions::from_mode(DIRECTORY_MODE))
}

/// Whether an error says that the file system has no locks: flock(2) does so on NFS whose lock service does not run.
fn means_no_locks(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported || Errno::from_io_error(error) == Some(Errno::NOLCK)
}

#[cfg(test)]
mod tests;
