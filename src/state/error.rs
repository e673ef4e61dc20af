//! What can go wrong with the state directory, and what the user can do about it.
//! None of it stops a challenge: the caller gets these as warnings, see [`super::State::take_warnings`].

use std::io;
use std::path::PathBuf;

use crate::error::{Explain, Kind};
use crate::excerpt::visible_path;

/// Why the state directory, or one file in it, is not used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// No directory was named, and the user has no home.
    #[error("there is no place for the state directory: neither IPV64_STATE_DIR nor HOME is set")]
    NoPlace,
    /// The directory is not there and cannot be made, or no file can be made in it.
    #[error("cannot use the state directory `{}`", visible_path(.path))]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The directory belongs to another user, who could then choose what we delete.
    #[error("the state directory `{}` belongs to user {owner}, but this process runs as user {user}", visible_path(.path))]
    ForeignOwner {
        /// The directory.
        path: PathBuf,
        /// Numeric user id of its owner.
        owner: u32,
        /// Numeric user id of this process.
        user: u32,
    },
    /// Group or others may write to the directory.
    #[error("the state directory `{}` has mode {mode:03o}: others may write to it", visible_path(.path))]
    WritableByOthers {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The directory lies in a folder where others may rename it, and put one of their choice in its place.
    #[error("the state directory `{}` lies in `{}`, where others can put another in its place", visible_path(.path), visible_path(.parent))]
    Replaceable {
        /// The directory.
        path: PathBuf,
        /// The folder that belongs to others, or that everybody may write to.
        parent: PathBuf,
    },
    /// A symbolic link, folder or device stands where a file of ours should be.
    #[error("`{}` is not a regular file", visible_path(.0))]
    NotAFile(PathBuf),
    /// A file belongs to another user, or may be written by others, who could then choose what we delete.
    #[error("`{}` belongs to user {owner} and has mode {mode:03o}: others may write to it", visible_path(.path))]
    ForeignFile {
        /// The file.
        path: PathBuf,
        /// Numeric user id of its owner.
        owner: u32,
        /// Its permission bits.
        mode: u32,
    },
    /// One file cannot be read or replaced.
    #[error("cannot {action} `{}`", visible_path(.path))]
    File {
        /// `read`, `write`, `lock` or `set aside`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process held the lock for as long as we were ready to wait.
    #[error("`{}` was locked by another process for {waited} s", visible_path(.path))]
    LockBusy {
        /// The lock file.
        path: PathBuf,
        /// How long, in seconds.
        waited: u64,
    },
    /// The file system has no locks. Files are used, without protection against a second process.
    #[error("the file system of `{}` has no file locks", visible_path(.0))]
    NoLocks(PathBuf),
    /// A file could not be understood and was renamed; we start afresh without it.
    #[error("`{}` is damaged: set aside as `{}`", visible_path(.path), visible_path(.aside))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Its new name.
        aside: PathBuf,
    },
    /// A file was written by a later version of this program and was renamed; we start afresh without it.
    #[error("`{}` has format version {version}, unknown here: set aside as `{}`", visible_path(.path), visible_path(.aside))]
    UnknownVersion {
        /// The file.
        path: PathBuf,
        /// Its new name.
        aside: PathBuf,
        /// The version in the file.
        version: u64,
    },
}

impl Explain for StateError {
    fn kind(&self) -> Kind {
        match self {
            Self::NoPlace | Self::Directory { .. } | Self::File { .. } => Kind::StateUnusable,
            Self::ForeignOwner { .. }
            | Self::WritableByOthers { .. }
            | Self::Replaceable { .. }
            | Self::NotAFile(_)
            | Self::ForeignFile { .. } => Kind::StateUnsafe,
            Self::LockBusy { .. } | Self::NoLocks(_) => Kind::StateNotLocked,
            Self::Damaged { .. } | Self::UnknownVersion { .. } => Kind::StateSetAside,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoPlace | Self::Directory { .. } => {
                "set IPV64_STATE_DIR to a folder that this user can write; until then a record that a killed hook \
                 leaves behind is not remembered, and parallel hooks do not share one request limit"
                    .to_owned()
            }
            Self::ForeignOwner { path, user, .. } => {
                format!(
                    "this run goes on without it; `chown -R {user} {}`, or set IPV64_STATE_DIR to a folder of this user's own",
                    visible_path(path)
                )
            }
            Self::WritableByOthers { path, .. } => {
                format!("this run goes on without it; `chmod 700 {}`", visible_path(path))
            }
            Self::Replaceable { .. } => {
                "this run goes on without it; set IPV64_STATE_DIR to a folder below folders that only root and this user \
                 can change"
                    .to_owned()
            }
            Self::NotAFile(path) => format!("find out who put `{}` there, then remove it", visible_path(path)),
            Self::ForeignFile { path, .. } => format!(
                "this run goes on without it; if you trust what it says, `chown {user} {path} && chmod 600 {path}`, else \
                 remove it",
                user = rustix::process::geteuid().as_raw(),
                path = visible_path(path)
            ),
            Self::File { .. } => "this run goes on without it; make room or put the mode right, and look for records \
                                  left over with `ipv64-acme sweep --all`"
                .to_owned(),
            Self::LockBusy { .. } => {
                "this run goes on without it; see whether an `ipv64-acme` process is stopped".to_owned()
            }
            Self::NoLocks(_) => "set IPV64_STATE_DIR to a folder on a local disk".to_owned(),
            Self::Damaged { .. } | Self::UnknownVersion { .. } => {
                "records that only that file knew of are listed by `ipv64-acme sweep --all`".to_owned()
            }
        })
    }

    fn details(&self) -> Vec<String> {
        std::error::Error::source(self).map(ToString::to_string).into_iter().collect()
    }
}
