//! Whether somebody else could change a file or put another in its place: owner and mode of the file, of every folder above
//! it and of every link on the way. The one door to configuration, key, CA and state files: who writes those is obeyed.

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Mode, OFlags, StatVfsMountFlags, statvfs};
use rustix::io::Errno;
use rustix::process::geteuid;

use crate::excerpt::visible_path;

/// Write bits of group and others, and of others alone.
const OTHERS_MAY_WRITE: u32 = 0o022;
const WORLD_MAY_WRITE: u32 = 0o002;
/// Read bits of group and others, and of others alone.
const OTHERS_MAY_READ: u32 = 0o044;
const WORLD_MAY_READ: u32 = 0o004;
/// In a folder with this bit, only their owners may rename or remove files.
const STICKY: u32 = 0o1000;
const ROOT: u32 = 0;
/// What Linux shows for owners without a number in this user namespace: in a container, those of folders of the host.
const OVERFLOW_USER: u32 = 65534;
/// As many links the kernel follows in one path (path_resolution(7)).
const MOST_LINKS: u32 = 40;

/// Who else may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Anybody.
    Anybody,
    /// The owner and the group: a service that may read what root has written.
    Group,
    /// Nobody but the owner.
    Owner,
}

impl Readers {
    /// The mode that a file should have, if one with this mode has other readers.
    fn mode_without(self, mode: u32) -> Option<u32> {
        match self {
            Self::Owner if mode & OTHERS_MAY_READ != 0 => Some(600),
            Self::Group if mode & WORLD_MAY_READ != 0 => Some(640),
            _ => None,
        }
    }
}

/// What lets somebody else change or read a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposure {
    /// The path and what is wrong with it, to be continued from "the configuration file".
    pub problem: String,
    /// The command that mends it, or another way out.
    pub remedy: String,
}

/// Why a file is not read.
#[derive(Debug)]
pub enum Unusable {
    /// It is not there, is no regular file, or may not be opened.
    Unreadable(io::Error),
    /// Somebody else can change it, or read what is secret.
    Exposed(Exposure),
}

impl From<io::Error> for Unusable {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}

/// Opens a regular file that nobody but root and this user can change, nor put another in place of.
///
/// # Errors
/// [`Unusable`]; what is not there is unreadable, whoever owns the folders above.
pub fn open(path: &Path, readers: Readers) -> Result<File, Unusable> {
    let (real, exposure) = resolve(path, OTHERS_MAY_WRITE);
    let real = real?;
    // Asked before the file is opened: from here on nobody else can change what the path leads to.
    if let Some(exposure) = exposure {
        return Err(Unusable::Exposed(exposure));
    }
    let file = open_regular(&real)?;
    match exposure_of(path, &file.metadata()?, readers) {
        Some(exposure) => Err(Unusable::Exposed(exposure)),
        None => Ok(file),
    }
}

/// Returns whether a file was handed in by an engine: nobody can change it here, its owner and mode cannot be otherwise, and
/// nobody else is there. Secrets of containers are 0444 by default and have any owner.
#[must_use]
pub fn is_handed_in(real: &Path) -> bool {
    let is_read_only = || statvfs(real).is_ok_and(|mount| mount.f_flag.contains(StatVfsMountFlags::RDONLY));
    // A service that may write nothing (systemd's `ProtectSystem=`) sees its own system read-only, where others can write.
    let is_elsewhere = || device(real).is_some_and(|its| device(Path::new("/")).is_some_and(|root| its != root));
    real.starts_with("/run/secrets") || (is_read_only() && is_elsewhere())
}

fn device(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|metadata| metadata.dev())
}

/// Opens a regular file, whoever owns it. A pipe would wait for its writer, and a device may do anything.
///
/// # Errors
/// If it is not there, is something else, or may not be opened.
pub fn open_regular(path: &Path) -> io::Result<File> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

/// Reads a file to its end.
///
/// # Errors
/// [`io::ErrorKind::FileTooLarge`] for one of more than `longest` bytes.
pub fn read_whole(file: File, longest: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(longest + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > longest {
        let problem = format!("it is longer than {longest} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, problem));
    }
    Ok(bytes)
}

/// Reads a text to its end.
///
/// # Errors
/// As [`read_whole`]; [`io::ErrorKind::InvalidData`] where it is not UTF-8.
pub fn read_text(file: File, longest: u64) -> io::Result<String> {
    let invalid = |_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text");
    String::from_utf8(read_whole(file, longest)?).map_err(invalid)
}

/// Returns who else could change what is, or will be, in a file at a path by putting something else in its place.
#[must_use]
pub fn exposure_of_place(path: &Path) -> Option<Exposure> {
    resolve(path, OTHERS_MAY_WRITE).1
}

/// Returns who else could change what is in a folder that is there.
#[must_use]
pub fn exposure_of_folder(path: &Path, metadata: &Metadata) -> Option<Exposure> {
    // With private groups, the folders above are often open to the group.
    exposure_of(path, metadata, Readers::Anybody).or_else(|| resolve(path, WORLD_MAY_WRITE).1)
}

/// Returns who else may change, or read, a file or folder itself.
#[must_use]
pub fn exposure_of(path: &Path, metadata: &Metadata, readers: Readers) -> Option<Exposure> {
    let (mode, owner, user) = (metadata.mode() & 0o777, metadata.uid(), geteuid().as_raw());
    let shown = visible_path(path);
    let (problem, remedy) = if !is_trusted(owner) {
        let chown = if metadata.is_dir() { "chown -R" } else { "chown" };
        (
            format!("`{shown}` has mode {mode:03o} and belongs to user {owner}, but this process runs as user {user}"),
            format!("run `{chown} {user} {shown}` if you trust its content, {}", or_as(owner)),
        )
    } else if let Some(private) = readers.mode_without(mode) {
        (format!("`{shown}` can be read by others (mode {mode:03o})"), format!("run `chmod {private} {shown}`"))
    } else if mode & OTHERS_MAY_WRITE != 0 {
        (format!("`{shown}` has mode {mode:03o}: others may write to it"), format!("run `chmod go-w {shown}`"))
    } else {
        return None;
    };
    Some(Exposure { problem, remedy })
}

/// Follows a path from `/` on as the kernel does, and returns where it leads and the first folder or link on the way by
/// which others can make it lead elsewhere. The last folder may not have the write bits `of_last`; those above it only not be
/// open to all: members of a group could put something there, but nothing that belongs to us.
fn resolve(path: &Path, of_last: u32) -> (io::Result<PathBuf>, Option<Exposure>) {
    let mut exposure = None;
    (follow(path, of_last, &mut exposure), exposure)
}

fn follow(path: &Path, of_last: u32, exposure: &mut Option<Exposure>) -> io::Result<PathBuf> {
    let mut ahead = parts(&std::path::absolute(path)?);
    let (mut real, mut links) = (PathBuf::from("/"), 0);
    while let Some(part) = ahead.pop() {
        // What was followed so far holds no link, so its last name can be taken off for the folder above.
        if part == ".." {
            real.pop();
        } else {
            real.push(part);
        }
        let metadata = fs::symlink_metadata(&real)?;
        let is_link = metadata.is_symlink();
        // The mode of a link means nothing.
        let forbidden = if is_link {
            0
        } else if ahead.len() == 1 {
            of_last
        } else {
            WORLD_MAY_WRITE
        };
        if is_link {
            links += 1;
            if links > MOST_LINKS {
                return Err(Errno::LOOP.into());
            }
            ahead.extend(parts(&fs::read_link(&real)?));
        }
        if exposure.is_none() && !ahead.is_empty() {
            *exposure = exposure_on_the_way(path, &real, &metadata, forbidden);
        }
        if is_link {
            real.pop();
        }
    }
    Ok(real)
}

/// The names of a path, the first one last. The root is one of them: appended to a path, it takes its place.
fn parts(path: &Path) -> Vec<OsString> {
    let parts = path.components().rev().filter(|part| *part != Component::CurDir);
    parts.map(|part| part.as_os_str().to_owned()).collect()
}

fn exposure_on_the_way(path: &Path, at: &Path, metadata: &Metadata, forbidden: u32) -> Option<Exposure> {
    let (mode, owner, user) = (metadata.mode() & 0o7777, metadata.uid(), geteuid().as_raw());
    let (shown, at) = (visible_path(path), visible_path(at));
    let (problem, chown) = if metadata.is_symlink() {
        (format!("`{shown}` is behind the link `{at}` of user {owner}, who can make it lead elsewhere"), "chown -h")
    } else {
        let place = format!("`{shown}` lies in `{at}` of user {owner} with mode {mode:03o}");
        (format!("{place}, where others can put another in its place"), "chown")
    };
    let remedy = if !is_trusted(owner) && owner != OVERFLOW_USER {
        let elsewhere = format!("move it below folders that only root and user {user} can change");
        format!("{elsewhere}, run `{chown} {user} {at}`, {}", or_as(owner))
    } else if mode & forbidden != 0 && mode & STICKY == 0 {
        format!("run `chmod go-w {at}`")
    } else {
        return None;
    };
    Some(Exposure { problem, remedy })
}

/// The ways out where an owner is a stranger only to this process.
fn or_as(owner: u32) -> String {
    format!("or run this program as user {owner}; in a container, `chown` what is mounted where it comes from")
}

/// Whether a user may do everything here anyway: root, ourselves, and who owns `/`, which is the number that root has in a
/// user namespace without one for it.
fn is_trusted(owner: u32) -> bool {
    owner == ROOT || owner == geteuid().as_raw() || fs::metadata("/").is_ok_and(|root| root.uid() == owner)
}

#[cfg(test)]
mod tests;
