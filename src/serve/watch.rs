//! Tells whether a folder or file has changed since the last look, by what the file system says of it.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What tells that a file was changed, replaced, or given to somebody else: its inode and the time of its last change.
pub type Stamp = (u64, u64, i64, i64, u64);

/// Returns the stamp of a file; nothing if it is not there.
#[must_use]
pub fn stamp(path: &Path) -> Option<Stamp> {
    fs::metadata(path).ok().map(|metadata| of(&metadata))
}

fn of(metadata: &Metadata) -> Stamp {
    (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec(), metadata.size())
}

/// A folder whose files are looked at again and again.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    seen: Vec<(PathBuf, Option<Stamp>)>,
}

impl Folder {
    /// Takes note of a folder as it is.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        let seen = Self::list(&path);
        Self { path, seen }
    }

    /// Returns where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns whether anything in it has changed since the last call.
    pub fn has_changed(&mut self) -> bool {
        let now = Self::list(&self.path);
        let has_changed = now != self.seen;
        self.seen = now;
        has_changed
    }

    fn list(path: &Path) -> Vec<(PathBuf, Option<Stamp>)> {
        let entries = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut seen: Vec<_> = entries.map(|path| (path.clone(), stamp(&path))).collect();
        // The mode and the owner of the folder count too.
        seen.push((path.to_owned(), stamp(path)));
        seen.sort();
        seen
    }
}
