//! The state directory itself: its lock, and how one of its files is read and replaced.
//! What the files mean is known by `store` and the files above it.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::error::StateError;
use crate::excerpt::visible_path;
use crate::ownership::{Exposure, Readers, exposure_of, exposure_of_folder};
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

impl StateDir {
    /// Opens the directory, and makes it where it is missing (mode 0700).
    ///
    /// # Errors
    /// [`StateError`] if the directory cannot be made or written, belongs to another user, or may be written or replaced
    /// by others.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let failed = |error| StateError::Directory(path.to_owned(), error);
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
        if let Some(Exposure { problem, remedy }) = exposure_of_folder(path, &metadata) {
            return Err(StateError::Unsafe { what: format!("the state directory {problem}"), remedy });
        }
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

    /// Waits for the lock, at most [`LOCK_PATIENCE`]. `flock(2)` belongs to the open file: it is free again when that is
    /// dropped, or the process dies.
    ///
    /// Hold it for one read and replace, never across a request or a wait: a slow name server would make every
    /// other hook run into its client's timeout.
    pub(super) fn lock(&self) -> Result<File, StateError> {
        self.lock_within(LOCK_PATIENCE)
    }

    /// The same, waiting for so long at most.
    pub(super) fn lock_within(&self, patience: Duration) -> Result<File, StateError> {
        let file = self.open_lock()?;
        match lock_within(&file, patience) {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(StateError::LockBusy(self.file(LOCK), LOCK_PATIENCE.as_secs())),
            Err(TryLockError::Error(error)) if means_no_locks(&error) => Err(StateError::NoLocks(self.path.clone())),
            Err(TryLockError::Error(error)) => Err(self.failed("lock", LOCK, error)),
        }
    }

    /// Reads a file; nothing if there is none. Content that is no UTF-8, or too long, reads as damaged: an empty
    /// text, which no format of ours is.
    pub(super) fn read(&self, name: &str) -> Result<Option<String>, StateError> {
        let path = self.file(name);
        if !exists_as_file(&path)? {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes));
        let length = read.map_err(|error| self.failed("read", name, error))?;
        let text = String::from_utf8(bytes).ok().filter(|_| length as u64 <= MAX_FILE);
        Ok(Some(text.unwrap_or_default()))
    }

    /// Replaces a file in one step: a reader sees the old content or the new one. Needs the lock. Where it is `synced`, the
    /// content is on the disk, under its name, when the call returns.
    pub(super) fn replace(&self, name: &str, content: &str, synced: bool) -> Result<(), StateError> {
        exists_as_file(&self.file(name))?;
        self.try_replace(name, content, synced).map_err(|error| self.failed("write", name, error))
    }

    fn try_replace(&self, name: &str, content: &str, synced: bool) -> io::Result<()> {
        let draft = format!("{name}.new");
        // The draft of a process that was killed, if there is one; ours alone to remove, as we hold the lock.
        fs::remove_file(self.file(&draft)).ok();
        let mut file = tempfile::Builder::new().prefix(&draft).rand_bytes(0).tempfile_in(&self.path)?;
        file.as_file().set_permissions(Permissions::from_mode(FILE_MODE))?;
        file.write_all(content.as_bytes())?;
        if synced {
            file.as_file().sync_all()?;
        }
        file.persist(self.file(name)).map_err(|error| error.error)?;
        if synced { File::open(&self.path)?.sync_all() } else { Ok(()) }
    }

    /// Renames a file out of the way that `is damaged`, or whatever `why` says, and returns the warning that says so. Needs
    /// the lock.
    pub(super) fn set_aside(&self, name: &str, why: String) -> Result<StateError, StateError> {
        let (path, aside) = (self.file(name), self.file(&format!("{name}.unusable-{}", SystemClock::now().as_secs())));
        fs::rename(&path, &aside).map_err(|error| self.failed("set aside", name, error))?;
        Ok(StateError::SetAside { path, aside, why })
    }

    /// Returns the path of one of the files.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn open_lock(&self) -> Result<File, StateError> {
        let is_there = exists_as_file(&self.file(LOCK))?;
        let open = || {
            let mut options = OpenOptions::new();
            let file = options.write(true).create(true).truncate(false).mode(FILE_MODE).open(self.file(LOCK))?;
            // Against the umask; what was there before may be another name of a file that is not ours to change.
            if !is_there {
                file.set_permissions(Permissions::from_mode(FILE_MODE))?;
            }
            Ok(file)
        };
        open().map_err(|error| self.failed("lock", LOCK, error))
    }

    fn failed(&self, action: &'static str, name: &str, error: io::Error) -> StateError {
        StateError::File(action, self.file(name), error)
    }
}

/// Waits for the lock of a file or folder, for so long at most. It is free again when the file is dropped, or the process dies.
///
/// # Errors
/// [`TryLockError::WouldBlock`] if another process has kept it, else what the system says.
pub fn lock_within(file: &File, patience: Duration) -> Result<(), TryLockError> {
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if started.elapsed() < patience => std::thread::sleep(LOCK_PAUSE),
            tried => return tried,
        }
    }
}

fn create(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(path)?;
    fs::set_permissions(path, Permissions::from_mode(DIRECTORY_MODE))
}

/// Returns whether there is something, and refuses what is no regular file, and what others have made or may write to: they
/// would choose what is deleted. Nobody but the owner can put anything between this look and the use of the file, as
/// [`StateDir::open`] has made sure.
fn exists_as_file(path: &Path) -> Result<bool, StateError> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(StateError::File("read", path.to_owned(), error)),
    };
    if !metadata.is_file() {
        let shown = visible_path(path);
        let remedy = format!("find out who put `{shown}` there, then remove it");
        return Err(StateError::Unsafe { what: format!("`{shown}` is not a regular file"), remedy });
    }
    match exposure_of(path, &metadata, Readers::Anybody) {
        Some(Exposure { problem, remedy }) => Err(StateError::Unsafe { what: problem, remedy }),
        None => Ok(true),
    }
}

/// Whether an error says that the file system has no locks: flock(2) does so on NFS whose lock service does not run.
fn means_no_locks(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported || Errno::from_io_error(error) == Some(Errno::NOLCK)
}

#[cfg(test)]
mod tests;
