//! Sets a machine up: asks for the key without showing it, stores it, finds the ACME clients and what they already have.
//! Whether the key is good is asked by [`crate::commands`], which calls in here.
//!
//! - [`prompt`]: a line from the terminal, without echo
//! - [`store`]: the files that are written
//! - [`timer`]: the units that remove what was left over
//! - [`clients`]: which clients are installed, and what each is called with; [`certbot`] by its plugin
//! - [`existing`]: what the clients already have

pub mod certbot;
pub mod clients;
pub mod existing;
pub mod prompt;
pub mod store;
pub mod timer;

use std::path::{Path, PathBuf};

use crate::error::{Error, Kind};
use crate::excerpt::visible_path;

/// Where clients are looked for.
#[derive(Debug, Clone, Default)]
pub struct Machine {
    /// `/`, or the folder that stands for it in tests.
    pub root: PathBuf,
    /// The home folder of the user.
    pub home: Option<PathBuf>,
    /// The present folder.
    pub here: Option<PathBuf>,
    /// The variable `PATH`.
    pub search_path: String,
    /// The variable `CERTBOT_PLUGIN_PATH`.
    pub plugin_path: String,
}

/// A path as a word of the shell, and of Apache's configuration.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if path.chars().all(plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

/// The error after a signal, and at the end of input.
#[must_use]
pub fn interrupted() -> Error {
    Error::new(Kind::Interrupted, "interrupted: nothing was stored")
}

/// The error for a terminal or stdin that cannot be read.
#[must_use]
pub fn unreadable(error: &std::io::Error) -> Error {
    Error::new(Kind::KeyUnreadable, format!("cannot read what was typed: {error}"))
        .advise("pipe it in with `ipv64-acme init --stdin`")
}

/// The error for a file or folder that cannot be written.
fn unwritable(path: &Path, error: &std::io::Error) -> Error {
    Error::new(Kind::Unwritable, format!("cannot write `{}`: {error}", visible_path(path)))
        .advise("check owner and mode of that folder, or name another place with --config")
}
