//! Whether somebody else could change what is in the directory or in a file of it, and so choose what we delete.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use super::error::StateError;
use crate::excerpt::visible_path;

/// Write bits of group and others.
const WRITABLE_BY_OTHERS: u32 = 0o022;
/// The bits that decide whether everybody may rename what lies in a folder: write for others, and sticky.
const STICKY_AND_WORLD: u32 = 0o1002;
const WORLD_WITHOUT_STICKY: u32 = 0o002;
const ROOT: u32 = 0;
/// What the kernel shows for owners that have no number in this user namespace: in a container, those of system folders.
const OVERFLOW_USER: u32 = 65534;

/// Refuses a directory that others own, may write to, or can put another in place of.
pub(super) fn check_directory(path: &Path, metadata: &Metadata) -> Result<(), StateError> {
    let (mode, owner, user) = (metadata.mode() & 0o777, metadata.uid(), geteuid().as_raw());
    let shown = visible_path(path);
    let (reason, remedy) = if mode & WRITABLE_BY_OTHERS != 0 {
        (format!("has mode {mode:03o}: others may write to it"), format!("`chmod 700 {shown}`"))
    } else if owner != user {
        (
            format!("belongs to user {owner}, but this process runs as user {user}"),
            format!("`chown -R {user} {shown}`, or set IPV64_STATE_DIR to a folder of this user's own"),
        )
    } else if let Some(parent) = parent_of_others(path, user) {
        (
            format!("lies in `{}`, where others can put another in its place", visible_path(&parent)),
            "set IPV64_STATE_DIR to a folder below folders that only root and this user can change".to_owned(),
        )
    } else {
        return Ok(());
    };
    Err(StateError::Unsafe { what: format!("the state directory `{shown}` {reason}"), remedy })
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

/// Returns whether there is something, and refuses what is no regular file, and what others have made or may write to: they
/// would choose what is deleted. Nobody but the owner can put anything between this look and the use of the file, as
/// [`check_directory`] has made sure.
pub(super) fn exists_as_file(path: &Path) -> Result<bool, StateError> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(StateError::File("read", path.to_owned(), error)),
    };
    let (mode, owner, user) = (metadata.mode() & 0o777, metadata.uid(), geteuid().as_raw());
    let shown = visible_path(path);
    let (what, remedy) = if !metadata.is_file() {
        (format!("`{shown}` is not a regular file"), format!("find out who put `{shown}` there, then remove it"))
    } else if owner != user || mode & WRITABLE_BY_OTHERS != 0 {
        (
            format!("`{shown}` belongs to user {owner} and has mode {mode:03o}: others may write to it"),
            format!("if you trust what it says, `chown {user} {shown} && chmod 600 {shown}`, else remove it"),
        )
    } else {
        return Ok(true);
    };
    Err(StateError::Unsafe { what, remedy })
}
