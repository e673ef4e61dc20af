//! Sets a machine up: asks for the key without showing it, stores it, finds the ACME clients.
//! Whether the key is good is asked by [`crate::commands`], which calls in here.
//!
//! - [`prompt`]: a line from the terminal, without echo
//! - [`store`]: the key file and the configuration file that points at it
//! - [`clients`]: which clients are installed, and what each is called with

pub mod clients;
pub mod prompt;
pub mod store;

use std::path::PathBuf;

use crate::error::{Explain, Kind};
use crate::excerpt::visible_path;
use crate::secret::SecretError;

/// Why a machine could not be set up. Nothing was stored, except where the error says so.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// There is no terminal to ask on.
    #[error("there is nobody to ask for the API key: this is not a terminal")]
    NobodyToAsk,
    /// A signal came, or the input ended.
    #[error("interrupted: nothing was stored")]
    Interrupted,
    /// What was typed or piped in is no key.
    #[error("this is not an API key: {0}")]
    NotAKey(SecretError),
    /// Nobody knows where to store the files.
    #[error("there is no place for the configuration: HOME is not set")]
    NoPlace,
    /// The terminal or stdin cannot be read.
    #[error("cannot read the API key")]
    Unreadable(#[source] std::io::Error),
    /// A file cannot be written.
    #[error("cannot write `{}`", visible_path(path))]
    Unwritable {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

impl Explain for SetupError {
    fn kind(&self) -> Kind {
        match self {
            Self::NobodyToAsk => Kind::NobodyToAsk,
            Self::Interrupted => Kind::Interrupted,
            Self::NotAKey(_) => Kind::KeyMalformed,
            Self::NoPlace => Kind::NoPlace,
            Self::Unreadable(_) => Kind::KeyUnreadable,
            Self::Unwritable { .. } => Kind::Unwritable,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NobodyToAsk => {
                "pipe the key in with `ipv64-acme init --stdin`, or name its file with --api-key-file".to_owned()
            }
            Self::Interrupted => return None,
            Self::NotAKey(_) => {
                "copy the key again from your account page at IPv64.net: one line, nothing else".to_owned()
            }
            Self::NoPlace => "set HOME, or name a file with --config: the key is stored beside it".to_owned(),
            Self::Unreadable(_) => "pipe the key in with `ipv64-acme init --stdin`".to_owned(),
            Self::Unwritable { .. } => {
                "check owner and mode of that folder, or name another place with --config".to_owned()
            }
        })
    }
}
