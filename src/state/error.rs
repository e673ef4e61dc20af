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
    #[error("cannot use the state directory `{}`", visible_path(.0))]
    Directory(PathBuf, #[source] io::Error),
    /// Somebody else can change what is in the directory or in a file, and could so choose what we delete.
    #[error("{what}")]
    Unsafe {
        /// What it is, and why somebody else can change it.
        what: String,
        /// How to make it safe.
        remedy: String,
    },
    /// One file cannot be used; first what was tried: `read`, `write`, `lock` or `set aside`.
    #[error("cannot {action} `{path}`", action = .0, path = visible_path(.1))]
    File(&'static str, PathBuf, #[source] io::Error),
    /// Another process held the lock for as long as we were ready to wait, in seconds.
    #[error("`{path}` was locked by another process for {seconds} s", path = visible_path(.0), seconds = .1)]
    LockBusy(PathBuf, u64),
    /// The file system has no locks. Files are used, without protection against a second process.
    #[error("the file system of `{}` has no file locks", visible_path(.0))]
    NoLocks(PathBuf),
    /// A file could not be understood and was renamed; we start afresh without it.
    #[error("`{}` {why}: set aside as `{}`", visible_path(.path), visible_path(.aside))]
    SetAside {
        /// The file.
        path: PathBuf,
        /// Its new name.
        aside: PathBuf,
        /// What is wrong with it: `is damaged`.
        why: String,
    },
}

impl Explain for StateError {
    fn kind(&self) -> Kind {
        match self {
            Self::NoPlace | Self::Directory(..) | Self::File(..) => Kind::StateUnusable,
            Self::Unsafe { .. } => Kind::StateUnsafe,
            Self::LockBusy(..) | Self::NoLocks(_) => Kind::StateNotLocked,
            Self::SetAside { .. } => Kind::StateSetAside,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoPlace | Self::Directory(..) => {
                "set IPV64_STATE_DIR to a folder that this user can write; until then a record that a killed hook \
                 leaves behind is not remembered, and parallel hooks do not share one request limit"
            }
            Self::Unsafe { remedy, .. } => return Some(format!("this run continues without it; {remedy}")),
            Self::File(..) => {
                "this run continues without it; make room or correct the mode, and look for records left over with \
                 `ipv64-acme sweep --all`"
            }
            Self::LockBusy(..) => {
                "check whether an `ipv64-acme` process is stopped; a hook continues without the lock, the broker waits for it"
            }
            Self::NoLocks(_) => "set IPV64_STATE_DIR to a folder on a local disk",
            Self::SetAside { .. } => "records that only that file knew of are listed by `ipv64-acme sweep --all`",
        };
        Some(hint.to_owned())
    }

    fn details(&self) -> Vec<String> {
        std::error::Error::source(self).map(ToString::to_string).into_iter().collect()
    }
}
