//! The API key: the places it is looked for, in order, and why a place was no good. The key itself leaves here only as
//! a [`Secret`].

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::Setting;
use super::source::{Origin, Sources};
use crate::error::{Error, Kind, Result};
use crate::excerpt::visible_path;
use crate::ownership::{self, Exposure, Readers, Unusable};
use crate::secret::{LONGEST_KEY, MASK, Secret};

/// The variables that may hold the key: ours, the one of acme.sh, and a common spelling.
const VARIABLES: [&str; 3] = ["IPV64_API_KEY", "IPV64_API_TOKEN", "IPv64_Token"];
/// The name of the key file in the folder of the configuration.
pub const KEY_FILE: &str = "api-key";
/// The name of the systemd credential (systemd.exec(5), `LoadCredential=`).
const CREDENTIAL: &str = "ipv64-api-key";
/// The variable with the folder of systemd's credentials.
pub const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
/// The shortest text that is taken for a key where a path should be.
const SHORTEST_KEY: usize = 20;

/// Finds the key: the file of the flag, the variables, the file of the variable, the systemd credential, the file of the
/// configuration, and the usual place beside it. A unit with a user of its own has a credential where the configuration names a file of root's.
///
/// # Errors
/// If no place has one, or if the first place that has one is no good: a key that was given and cannot be used must not be
/// replaced by another one silently.
pub fn find(sources: &Sources<'_>) -> Result<Secret> {
    match place(sources).ok_or_else(missing)? {
        Place::Variable(name, text) => parse(name, text.as_bytes()),
        Place::File(path, _) | Place::Usual(path) | Place::Credential(path) => from_file(&path, sources),
    }
}

/// Takes what a variable or a file holds as the key; `place` names it.
///
/// # Errors
/// [`Kind::KeyMalformed`]
pub fn parse(place: &str, content: &[u8]) -> Result<Secret> {
    Secret::decode(content).map_err(|error| {
        Error::new(Kind::KeyMalformed, format!("{place} does not contain an API key: {error}"))
            .advise("copy the key again from your account page at IPv64.net: one line, nothing else")
    })
}

fn missing() -> Error {
    let places = VARIABLES.join(", ");
    Error::new(Kind::KeyMissing, "no API key given")
        .advise(
            "run `ipv64-acme init`, or save the key from your account page at IPv64.net in a file with mode 600 and set \
             IPV64_API_KEY_FILE to its path",
        )
        .observed(vec![format!(
            "looked at: --api-key-file, {places}, IPV64_API_KEY_FILE, systemd credential {CREDENTIAL}, api_key_file in \
             config.toml, {KEY_FILE} next to it"
        )])
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
        let path = PathBuf::from(sources.variable(CREDENTIALS)?).join(CREDENTIAL);
        path.exists().then_some(Place::Credential(path))
    };
    let usual = || {
        let beside = sources.file.as_ref().and_then(|file| Some(file.path().parent()?.to_owned()));
        let path = beside.or_else(|| sources.environment.own_config_dir())?.join(KEY_FILE);
        path.exists().then_some(Place::Usual(path))
    };
    let found = variable.or_else(|| if by_file { credential().or(named) } else { named.or_else(credential) });
    found.or_else(usual)
}

/// Opens a file with a secret, unless others than `readers` can read it. `credentials` is systemd's `$CREDENTIALS_DIRECTORY`,
/// whose files show access lists as group bits.
///
/// # Errors
/// As [`ownership::open`].
pub fn open(path: &Path, readers: Readers, credentials: Option<&str>) -> Result<File, Unusable> {
    let real = fs::canonicalize(path)?;
    if ownership::is_handed_in(&real) {
        return Ok(ownership::open_regular(&real)?);
    }
    let credentials = credentials.and_then(|folder| fs::canonicalize(folder).ok());
    let is_credential = credentials.is_some_and(|folder| real.starts_with(folder));
    ownership::open(path, if is_credential { Readers::Anybody } else { readers })
}

/// Reads the key from a file.
///
/// # Errors
/// If there is no key in it, or others can read or replace it.
pub fn from_file(path: &Path, sources: &Sources<'_>) -> Result<Secret> {
    let shown = visible_path(path);
    if is_key_itself(path) {
        let problem = "what should be the path of the API key file looks like the key itself";
        let hint =
            "save the key in a file with mode 600 and give the path of that file, or set IPV64_API_KEY to the key";
        return Err(Error::new(Kind::KeyUnreadable, problem).advise(hint));
    }
    let unreadable = |error: std::io::Error| {
        Error::new(Kind::KeyUnreadable, format!("cannot read the API key from `{shown}`: {error}"))
            .advise(format!("check that `{shown}` exists and belongs to the user that runs this program"))
    };
    let file = open(path, Readers::Owner, sources.variable(CREDENTIALS).as_deref()).map_err(|error| match error {
        Unusable::Unreadable(error) => unreadable(error),
        Unusable::Exposed(Exposure { problem, remedy }) => {
            Error::new(Kind::KeyExposed, format!("the API key file {problem}")).advise(remedy)
        }
    })?;
    let mut content = Vec::new();
    file.take(LONGEST_KEY + 1).read_to_end(&mut content).map_err(unreadable)?;
    parse(&format!("the file `{shown}`"), &content)
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

#[cfg(test)]
mod tests;
