//! The API key: the places it is looked for, in order, and why a place was no good. The key itself leaves here only as
//! a [`Secret`].

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::Setting;
use super::file::open_regular;
use super::source::{Origin, Sources};
use crate::error::{Explain, Kind};
use crate::excerpt::visible_path;
use crate::secret::{LONGEST_KEY, MASK, Secret, SecretError};

/// The variables that may hold the key: ours, the one of acme.sh, and a common spelling.
const VARIABLES: [&str; 3] = ["IPV64_API_KEY", "IPV64_API_TOKEN", "IPv64_Token"];
/// The name of the key file in the folder of the configuration.
pub const KEY_FILE: &str = "api-key";
/// The name of the systemd credential (systemd.exec(5), `LoadCredential=`).
const CREDENTIAL: &str = "ipv64-api-key";
/// The shortest text that is taken for a key where a path should be.
const SHORTEST_KEY: usize = 20;
/// The mode bits that let somebody else than the owner read.
const OTHERS_MAY_READ: u32 = 0o044;

/// Finds the key: the file of the flag, the variables, the file of the variable, the systemd credential, the file of the
/// configuration, and the usual place beside it. A unit with a user of its own has a credential where the configuration names a file of root's.
///
/// # Errors
/// [`KeyError`] if no place has one, or if the first place that has one is no good: a key that was given and cannot be
/// used must not be replaced by another one silently.
pub fn find(sources: &Sources<'_>) -> Result<Secret, KeyError> {
    match place(sources).ok_or(KeyError::Missing)? {
        Place::Variable(name, text) => {
            Secret::parse(&text).map_err(|error| KeyError::Malformed { place: name.to_owned(), error })
        }
        Place::File(path, _) | Place::Usual(path) => from_file(&path, Owner::User),
        Place::Credential(path) => from_file(&path, Owner::Systemd),
    }
}

/// Reads the key from a file that a person named.
///
/// # Errors
/// [`KeyError`]
pub fn read(path: &Path) -> Result<Secret, KeyError> {
    from_file(path, Owner::User)
}

/// Returns in words where the key in force comes from, if any place has one; whether it is good is not looked at.
#[must_use]
pub fn describe_place(sources: &Sources<'_>) -> Option<String> {
    Some(match place(sources)? {
        Place::Variable(name, _) => format!("the variable {name}"),
        Place::File(path, origin) => format!("the file `{}`, named by {origin}", shown(&path)),
        Place::Usual(path) => format!("the file `{}`, the usual place", visible_path(&path)),
        Place::Credential(path) => format!("the systemd credential `{}`", visible_path(&path)),
    })
}

/// Returns the variable that holds the key in force, if it is a variable that does.
#[must_use]
pub fn variable_in_force(sources: &Sources<'_>) -> Option<&'static str> {
    match place(sources) {
        Some(Place::Variable(name, _)) => Some(name),
        _ => None,
    }
}

/// The first place that has a key.
enum Place {
    Variable(&'static str, String),
    File(PathBuf, Origin),
    Credential(PathBuf),
    /// Beside the configuration file that is read, else where it would be.
    Usual(PathBuf),
}

fn place(sources: &Sources<'_>) -> Option<Place> {
    let file = sources.find(Setting::ApiKeyFile).map(|(path, origin)| (PathBuf::from(path.trim()), origin));
    let origin = file.as_ref().map(|(_, origin)| origin);
    let (by_flag, by_file) = (matches!(origin, Some(Origin::Flag(_))), matches!(origin, Some(Origin::File(..))));
    let named = file.map(|(path, origin)| Place::File(path, origin));
    if by_flag {
        return named;
    }
    let variable = VARIABLES.iter().find_map(|name| Some(Place::Variable(name, sources.variable(name)?)));
    let credential = || {
        let path = PathBuf::from(sources.variable("CREDENTIALS_DIRECTORY")?).join(CREDENTIAL);
        path.exists().then_some(Place::Credential(path))
    };
    let usual = || {
        let beside = sources.file.and_then(|file| Some(file.path().parent()?.to_owned()));
        let path = beside.or_else(|| sources.environment.own_config_dir())?.join(KEY_FILE);
        path.exists().then_some(Place::Usual(path))
    };
    let found = variable.or_else(|| if by_file { credential().or(named) } else { named.or_else(credential) });
    found.or_else(usual)
}

/// Who set the mode of a key file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// A person: mistakes are told.
    User,
    /// systemd, whose access lists show as group bits.
    Systemd,
}

fn from_file(path: &Path, owner: Owner) -> Result<Secret, KeyError> {
    let unreadable = |error: std::io::Error| KeyError::Unreadable { path: path.to_owned(), reason: error.to_string() };
    if is_key_itself(path) {
        return Err(KeyError::NotAPath);
    }
    let (file, mode) = open_regular(path).map_err(unreadable)?;
    if owner == Owner::User && mode & OTHERS_MAY_READ != 0 {
        return Err(KeyError::Exposed { path: path.to_owned(), mode });
    }
    let mut text = String::new();
    file.take(LONGEST_KEY + 1).read_to_string(&mut text).map_err(unreadable)?;
    Secret::parse(&text)
        .map_err(|error| KeyError::Malformed { place: format!("the file `{}`", visible_path(path)), error })
}

/// Returns the path of a key file as it may be shown: masked where somebody took the key for its path.
#[must_use]
pub fn shown(path: &Path) -> String {
    if is_key_itself(path) { MASK.to_owned() } else { visible_path(path) }
}

/// Whether what should be a path looks like a key, of 32 letters and digits (observed). A relative path may have got a
/// directory before it.
fn is_key_itself(path: &Path) -> bool {
    looks_like_key(path.file_name().unwrap_or_default().as_encoded_bytes()) && !path.exists()
}

/// Returns whether a word looks like a key: long, letters and digits.
#[must_use]
pub fn looks_like_key(word: &[u8]) -> bool {
    word.len() >= SHORTEST_KEY && word.iter().all(u8::is_ascii_alphanumeric) && word.iter().any(u8::is_ascii_digit)
}

/// Why there is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No place has one.
    #[error("no API key given")]
    Missing,
    /// A file that was named cannot be read.
    #[error("cannot read the API key from `{}`: {reason}", visible_path(path))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The path looks like the key itself.
    #[error("what should be the path of the API key file looks like the key itself")]
    NotAPath,
    /// Others can read the file.
    #[error("the API key file `{}` can be read by others (mode {mode:03o})", visible_path(path))]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// What is there is no key.
    #[error("{place} does not hold an API key: {error}")]
    Malformed {
        /// The variable or file.
        place: String,
        /// The broken rule.
        error: SecretError,
    },
}

impl Explain for KeyError {
    fn kind(&self) -> Kind {
        match self {
            Self::Missing => Kind::KeyMissing,
            Self::Unreadable { .. } | Self::NotAPath => Kind::KeyUnreadable,
            Self::Exposed { .. } => Kind::KeyExposed,
            Self::Malformed { .. } => Kind::KeyMalformed,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Missing => "run `ipv64-acme init`, or save the key from your account page at IPv64.net in a file \
                 with mode 600 and set IPV64_API_KEY_FILE to its path"
                .to_owned(),
            Self::Unreadable { path, .. } => {
                format!("check that `{}` exists and belongs to the user that runs this program", visible_path(path))
            }
            Self::NotAPath => "save the key in a file with mode 600 and give the path of that file, or set \
                 IPV64_API_KEY to the key"
                .to_owned(),
            Self::Exposed { path, .. } => format!("run `chmod 600 {}`", visible_path(path)),
            Self::Malformed { .. } => {
                "copy the key again from your account page at IPv64.net: one line, nothing else".to_owned()
            }
        })
    }

    fn details(&self) -> Vec<String> {
        match self {
            Self::Missing => {
                let places = VARIABLES.join(", ");
                vec![format!(
                    "looked at: --api-key-file, {places}, IPV64_API_KEY_FILE, systemd credential {CREDENTIAL}, \
                     api_key_file in config.toml, {KEY_FILE} beside it"
                )]
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
