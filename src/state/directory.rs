//! The state directory itself: who may use it, its lock, and how one of its files is read and replaced.
//! What the files mean is known by `store` and the rooms above it.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::error::StateError;
use super::random;
use crate::time::SystemClock;

/// acmetool runs hooks with umask 0 and dehydrated with 077 (observed), so modes are never left to the umask.
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// Write bits of group and others.
const WRITABLE_BY_OTHERS: u32 = 0o022;
/// The bits that decide whether everybody may rename what lies in a folder: write for others, and sticky.
const STICKY_AND_WORLD: u32 = 0o1002;
const WORLD_WITHOUT_STICKY: u32 = 0o002;
const ROOT: u32 = 0;
/// The kernel's stand-in for owners who have no number in this user namespace: in a container, those of the system's folders.
const OVERFLOW_USER: u32 = 65534;
/// The file that is locked. It is never replaced: a rename would leave the lock on a file nobody opens again.
const LOCK: &str = "lock";
/// How long to wait for the lock. It is held for milliseconds, so a longer wait means a stopped process.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
const LOCK_FIRST_PAUSE: Duration = Duration::from_millis(1);
const LOCK_LONGEST_PAUSE: Duration = Duration::from_millis(20);
/// How the name of a file begins that is made to see whether one can be made.
const PROBE: &str = "probe.";
/// A probe takes no longer than this, by far.
const PROBED: Duration = Duration::from_secs(60);
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
        let mode = metadata.mode() & 0o777;
        if mode & WRITABLE_BY_OTHERS != 0 {
            return Err(StateError::WritableByOthers { path: path.to_owned(), mode });
        }
        let user = probe(path).map_err(failed)?;
        if metadata.uid() != user {
            return Err(StateError::ForeignOwner { path: path.to_owned(), owner: metadata.uid(), user });
        }
        if let Some(parent) = parent_of_others(path, user) {
            return Err(StateError::Replaceable { path: path.to_owned(), parent });
        }
        clear_probes(path);
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
                Err(TryLockError::Error(error)) if means_no_locks(&error) => {
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
        let aside = self.file(&format!("{name}.{word}-{}", SystemClock::now().as_secs()));
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

/// Whether an error says that the file system has no locks: flock(2) does so on NFS whose lock service does not run.
fn means_no_locks(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported || Errno::from_io_error(error) == Some(Errno::NOLCK)
}

/// Makes and removes a file, and returns the user it belonged to: us. The standard library cannot tell a process
/// its user id, and whether files can be made has to be known anyway.
fn probe(path: &Path) -> io::Result<u32> {
    let probe = path.join(format!("{PROBE}{}", random::id()));
    let user = create_file(&probe)?.metadata().map(|metadata| metadata.uid());
    fs::remove_file(&probe)?;
    user
}

/// Removes what processes have left that were killed while they probed: nobody else would, and the directory would grow.
fn clear_probes(path: &Path) {
    let is_left = |entry: &fs::DirEntry| {
        let age = || entry.metadata().and_then(|metadata| metadata.modified()).ok()?.elapsed().ok();
        entry.file_name().as_encoded_bytes().starts_with(PROBE.as_bytes()) && age().is_some_and(|age| age > PROBED)
    };
    for entry in fs::read_dir(path).into_iter().flatten().flatten().filter(is_left) {
        fs::remove_file(entry.path()).ok();
    }
}

/// Returns a folder above the directory in which others can put something else in its place, as it is named or as it
/// really lies. Folders of a group are not among them: with private groups, home directories are often made so.
fn parent_of_others(path: &Path, user: u32) -> Option<PathBuf> {
    let real = fs::canonicalize(path).unwrap_or_default();
    let is_others = |folder: &&Path| {
        fs::metadata(folder).is_ok_and(|it| {
            it.mode() & STICKY_AND_WORLD == WORLD_WITHOUT_STICKY || ![ROOT, user, OVERFLOW_USER].contains(&it.uid())
        })
    };
    path.ancestors().skip(1).chain(real.ancestors().skip(1)).find(is_others).map(Path::to_owned)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Explain;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn is_made_with_its_parents_for_this_user_alone() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("a/b");
        StateDir::open(&path).unwrap();
        assert_eq!((mode(&path), mode(&path.join(LOCK))), (0o700, 0o600));
        StateDir::open(&path).unwrap();
        let left: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [LOCK]);
    }

    #[test]
    fn what_a_killed_process_has_left_of_its_probe_goes_and_that_of_a_running_one_stays() {
        let temp = tempfile::tempdir().unwrap();
        let [old, new, other] = ["probe.old", "probe.new", "other"].map(|name| temp.path().join(name));
        for path in [&old, &new, &other] {
            fs::write(path, "").unwrap();
        }
        let long_ago = std::time::SystemTime::now() - 2 * PROBED;
        for path in [&old, &other] {
            File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
        }
        StateDir::open(temp.path()).unwrap();
        assert!(!old.exists() && new.exists() && other.exists());
    }

    #[test]
    fn one_that_others_may_read_is_used_and_one_that_they_may_write_is_not() {
        let temp = tempfile::tempdir().unwrap();
        fs::set_permissions(temp.path(), Permissions::from_mode(0o755)).unwrap();
        assert!(StateDir::open(temp.path()).is_ok(), "systemd makes StateDirectory= with mode 0755");
        for mode in [0o770, 0o707, 0o777] {
            fs::set_permissions(temp.path(), Permissions::from_mode(mode)).unwrap();
            let error = StateDir::open(temp.path()).unwrap_err();
            assert!(error.to_string().ends_with(&format!("has mode {mode:03o}: others may write to it")), "{error}");
            assert_eq!(
                error.hint().unwrap(),
                format!("this run goes on without it; `chmod 700 {}`", temp.path().display())
            );
        }
    }

    #[test]
    fn one_that_others_can_replace_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let (parent, elsewhere) = (temp.path().join("parent"), temp.path().join("elsewhere"));
        StateDir::open(&parent.join("state")).unwrap();
        fs::create_dir(&elsewhere).unwrap();
        let link = elsewhere.join("link");
        std::os::unix::fs::symlink(parent.join("state"), &link).unwrap();
        for (folder, mode, accepted) in
            [(&parent, 0o775, true), (&parent, 0o1777, true), (&parent, 0o777, false), (&elsewhere, 0o757, false)]
        {
            fs::set_permissions(folder, Permissions::from_mode(mode)).unwrap();
            let opened = StateDir::open(&link);
            assert_eq!(opened.is_ok(), accepted, "{mode:o}: {opened:?}");
            if let Err(error) = opened {
                assert!(
                    error.to_string().ends_with(&format!(
                        "lies in `{}`, where others can put another in its place",
                        folder.display()
                    )),
                    "{error}"
                );
                assert_eq!(error.kind(), "state_unsafe");
            }
            fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
        }
    }

    #[test]
    fn one_that_cannot_be_made_is_an_error_with_a_way_out() {
        // Root ignores modes, so a directory without write permission would prove nothing.
        let file = tempfile::NamedTempFile::new().unwrap();
        for path in [file.path().to_owned(), file.path().join("below/a/file")] {
            let error = StateDir::open(&path).unwrap_err();
            assert_eq!(error.to_string(), format!("cannot use the state directory `{}`", path.display()));
            assert_eq!(error.kind(), "state_unusable");
            assert!(error.hint().unwrap().starts_with("set IPV64_STATE_DIR"), "{error:?}");
            assert_eq!(error.details().len(), 1);
        }
    }

    #[test]
    fn a_symbolic_link_in_place_of_a_file_is_neither_read_nor_written() {
        let temp = tempfile::tempdir().unwrap();
        let target = temp.path().join("target");
        fs::write(&target, "precious").unwrap();
        let path = temp.path().join("state");
        let directory = StateDir::open(&path).unwrap();
        std::os::unix::fs::symlink(&target, path.join("f.json")).unwrap();
        std::os::unix::fs::symlink(&target, path.join("g.json.new")).unwrap();
        assert!(matches!(directory.read("f.json"), Err(StateError::NotAFile(_))));
        assert!(matches!(directory.replace("f.json", "x", Durability::Casual), Err(StateError::NotAFile(_))));
        directory.replace("g.json", "x", Durability::Lasting).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
        fs::remove_file(path.join(LOCK)).unwrap();
        std::os::unix::fs::symlink(&target, path.join(LOCK)).unwrap();
        assert!(matches!(StateDir::open(&path), Err(StateError::NotAFile(_))));
    }

    #[test]
    fn a_directory_behind_a_symbolic_link_is_used() {
        // systemd's DynamicUser= makes /var/lib/NAME a link to private/NAME.
        let temp = tempfile::tempdir().unwrap();
        let link = temp.path().join("link");
        std::os::unix::fs::symlink(temp.path().join("real"), &link).unwrap();
        StateDir::open(&temp.path().join("real")).unwrap();
        assert!(StateDir::open(&link).is_ok());
    }

    #[test]
    fn the_draft_of_a_killed_process_is_in_nobodys_way() {
        let temp = tempfile::tempdir().unwrap();
        let directory = StateDir::open(temp.path()).unwrap();
        fs::write(temp.path().join("f.json.new"), "half of").unwrap();
        directory.replace("f.json", "whole", Durability::Ordered).unwrap();
        assert_eq!(directory.read("f.json").unwrap().unwrap(), "whole");
        assert!(!temp.path().join("f.json.new").exists());
        assert_eq!(mode(&temp.path().join("f.json")), 0o600);
    }

    #[test]
    fn only_one_holds_the_lock_even_in_one_process() {
        let temp = tempfile::tempdir().unwrap();
        let directory = StateDir::open(temp.path()).unwrap();
        let lock = directory.lock().unwrap();
        let other = directory.clone();
        let waiter = std::thread::spawn(move || other.lock().map(|_| Instant::now()));
        std::thread::sleep(Duration::from_millis(50));
        let freed = Instant::now();
        drop(lock);
        assert!(waiter.join().unwrap().unwrap() >= freed);
    }

    #[test]
    fn a_file_system_without_locks_is_told_from_a_lock_that_cannot_be_had() {
        for (error, expected) in
            [(Errno::NOLCK, true), (Errno::NOSYS, true), (Errno::OPNOTSUPP, true), (Errno::IO, false)]
        {
            assert_eq!(means_no_locks(&error.into()), expected, "{error}");
        }
    }

    #[test]
    fn control_characters_of_a_path_do_not_reach_the_terminal() {
        let error = StateDir::open(Path::new("/dev/null/\u{1b}[31m")).unwrap_err();
        assert!(error.to_string().contains("\\u{1b}[31m"), "{error}");
    }
}
