//! Sets a machine up: asks for the key without showing it, stores it, finds the ACME clients.
//! Whether the key is good is asked by [`crate::commands`], which calls in here.
//!
//! - [`prompt`]: a line from the terminal, without echo
//! - [`store`]: the key file and the configuration file that points at it
//! - [`clients`]: which clients are installed, and what each is called with

pub mod clients;
pub mod prompt;
pub mod store;

use std::path::Path;

use crate::error::{Error, Kind};
use crate::excerpt::visible_path;

/// The error after a signal, and at the end of input.
#[must_use]
pub fn interrupted() -> Error {
    Error::new(Kind::Interrupted, "interrupted: nothing was stored")
}

/// The error for a terminal or stdin that cannot be read.
#[must_use]
pub fn unreadable(error: &std::io::Error) -> Error {
    Error::new(Kind::KeyUnreadable, format!("cannot read the API key: {error}"))
        .advise("pipe the key in with `ipv64-acme init --stdin`")
}

/// The error for a file or folder that cannot be written.
fn unwritable(path: &Path, error: &std::io::Error) -> Error {
    Error::new(Kind::Unwritable, format!("cannot write `{}`: {error}", visible_path(path)))
        .advise("check owner and mode of that folder, or name another place with --config")
}
