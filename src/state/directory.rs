//! The state directory itself: who may use it, its lock, and how one of its files is read and replaced.
//! What the files mean is known by `store` and the rooms above it.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::clock::{Clock, SystemClock};
use super::error::StateError;
use super::random;

/// acmetool runs hooks with umask 0 and dehydrated with 077 (observed), so modes are never left to the umask.
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// Write bits of group and others.
const WRITABLE_BY_OTHERS: u32 = 0o022;
/// The file that is locked. It is never replaced: a rename would leave the lock on a file nobody opens again.
const LOCK: &str = "lock";
/// How long to wait for the lock. It is held for milliseconds, so a longer wait means a stopped process.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
const LOCK_FIRST_PAUSE: Duration = Duration::from_millis(1);
const LOCK_LONGEST_PAUSE: Duration = Duration::from_millis(20);
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
    /// On the disk before the call returns, under its name.
    Lasting,
    /// Old or new content after a power cut, never half of it.
    Ordered,
    /// Whatever the file system makes of it: losing it costs a few API calls.
    Casual,
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
    /// [`StateError`] if the directory cannot be made or written, belongs to another user, or may be written by
    /// others.
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
        let mode = metadata.mode() & 0o777;
        if mode & WRITABLE_BY_OTHERS != 0 {
            return Err(StateError::WritableByOthers { path: path.to_owned(), mode });
        }
        let user = probe(path).map_err(failed)?;
        if metadata.uid() != user {
            return Err(StateError::ForeignOwner { path: path.to_owned(), owner: metadata.uid(), user });
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
        let mut pause = LOCK_FIRST_PAUSE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Locked { _file: file }),
                Err(TryLockError::WouldBlock) if started.elapsed() < LOCK_PATIENCE => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(StateError::LockBusy { path: self.file(LOCK), waited: LOCK_PATIENCE.as_secs() });
                }
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                    return Err(StateError::NoLocks(self.path.clone()));
                }
                Err(TryLockError::Error(source)) => return Err(self.failed("lock", LOCK, source)),
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(LOCK_LONGEST_PAUSE);
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
        let draft = self.file(&format!("{name}.new"));
        // The draft of a process that was killed; ours alone to remove, as we hold the lock.
        ignore_missing(fs::remove_file(&draft))?;
        let written = create_file(&draft).and_then(|mut file| {
            file.write_all(content.as_bytes())?;
            if durability == Durability::Casual { Ok(()) } else { file.sync_all() }
        });
        if let Err(error) = written.and_then(|()| fs::rename(&draft, self.file(name))) {
            ignore_missing(fs::remove_file(&draft))?;
            return Err(error);
        }
        if durability == Durability::Lasting { File::open(&self.path)?.sync_all() } else { Ok(()) }
    }

    /// Renames a file out of the way, to `NAME.WORD-SECONDS`, and returns its new path. Needs the lock.
    pub(super) fn set_aside(&self, name: &str, word: &str) -> Result<PathBuf, StateError> {
        let aside = self.file(&format!("{name}.{word}-{}", SystemClock.unix().as_secs()));
        fs::rename(self.file(name), &aside).map_err(|source| self.failed("set aside", name, source))?;
        Ok(aside)
    }

    /// Returns the path of one of the files.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn open_lock(&self) -> Result<File, StateError> {
        let path = self.file(LOCK);
        let there = exists_as_file(&path)?;
        let opened = if there { OpenOptions::new().write(true).open(&path) } else { create_file(&path) };
        match opened {
            // Another process made it between our two looks.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => OpenOptions::new().write(true).open(&path),
            other => other,
        }
        .map_err(|source| self.failed("lock", LOCK, source))
    }

    fn failed(&self, action: &'static str, name: &str, source: io::Error) -> StateError {
        StateError::File { action, path: self.file(name), source }
    }
}

fn create(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(path)?;
    fs::set_permissions(path, Permissions::from_mode(DIRECTORY_MODE))
}

/// Makes and removes a file, and returns the user it belonged to: us. The standard library cannot tell a process
/// its user id, and whether files can be made has to be known anyway.
fn probe(path: &Path) -> io::Result<u32> {
    let probe = path.join(format!("probe.{}", random::id()));
    let user = create_file(&probe)?.metadata().map(|metadata| metadata.uid());
    fs::remove_file(&probe)?;
    user
}

/// Makes a new file with mode 0600 under any umask. Fails where anything has that name, a symbolic link included.
fn create_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)?;
    file.set_permissions(Permissions::from_mode(FILE_MODE))?;
    Ok(file)
}

/// Returns whether there is something, and refuses what is no regular file. Nobody but the owner can put
/// anything between this look and the use of the file, as [`StateDir::open`] has made sure.
fn exists_as_file(path: &Path) -> Result<bool, StateError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(true),
        Ok(_) => Err(StateError::NotAFile(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(StateError::File { action: "read", path: path.to_owned(), source }),
    }
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
