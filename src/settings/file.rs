//! The configuration file: TOML with the names of the settings, and nothing else. What the values mean is left to
//! [`super::parse`]; the API key is never here, only the name of the file that holds it.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::Setting;
use super::environment::{Environment, nearest};
use crate::error::{Error, Kind, Result};
use crate::excerpt::{visible, visible_path};
use crate::ownership::{self, Exposure, Readers, Unusable};

/// The name of the file in the directories of configuration.
pub const FILE_NAME: &str = "config.toml";
/// The longest file that is read, in bytes.
const LONGEST: u64 = 64 * 1024;
/// Names under which people put the key itself.
const KEY_NAMES: [&str; 3] = ["api_key", "api_token", "token"];

/// A configuration file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFile {
    path: PathBuf,
    values: BTreeMap<String, String>,
}

impl ConfigFile {
    /// Reads the file that the flag or `IPV64_CONFIG` names, else the first one in the directories of configuration that
    /// exists and may be read; nothing if there is none.
    ///
    /// # Errors
    /// A file that is named has to exist and to be readable; every file that can be read has to be one that nobody but root
    /// and this user can change, since who can set `api_url` gets the key, and to hold nothing but settings.
    pub fn find(flag: Option<&Path>, environment: &Environment) -> Result<Option<Self>> {
        let named = flag.map(Path::to_owned).or_else(|| environment.get("IPV64_CONFIG").map(PathBuf::from));
        if let Some(path) = named {
            return Self::read(&path).map(Some);
        }
        // Nobody asked for these places: a user that a service runs as may not look into another one's home.
        let is_passed_over = |path: &PathBuf| {
            use ErrorKind::{NotADirectory, NotFound, PermissionDenied};
            let opened = ownership::open_regular(path);
            opened.is_err_and(|e| matches!(e.kind(), NotFound | NotADirectory | PermissionDenied))
        };
        let mut places = environment.config_dirs().into_iter().map(|directory| directory.join(FILE_NAME));
        places.find(|path| !is_passed_over(path)).map(|path| Self::read(&path)).transpose()
    }

    /// Reads one file. Relative paths in it start at its directory, since a hook runs in any directory.
    ///
    /// # Errors
    /// As [`ConfigFile::find`].
    pub fn read(path: &Path) -> Result<Self> {
        const HINT: &str = "check that it is a file which the user that runs this program may read, or name another one \
                            with --config or IPV64_CONFIG";
        Self::parse(path, &read_text(path, HINT)?)
    }

    /// Reads the text of a file that is, or would be, at a path.
    ///
    /// # Errors
    /// As [`ConfigFile::find`].
    pub fn parse(path: &Path, text: &str) -> Result<Self> {
        let find = |name: &str| Setting::ALL.into_iter().find(|setting| setting.key() == name);
        let values = values(path, text, |name| find(name).map_or_else(|| Err(unknown(path, name)), |_| Ok(())))?;
        let in_every_folder = |(name, value): (String, String)| {
            let is_relative = find(&name).is_some_and(Setting::is_path) && !value.is_empty();
            let base = path.parent().filter(|_| is_relative);
            let value = base.map_or_else(|| value.clone(), |base| absolute(&base.join(&value)));
            (name, value)
        };
        Ok(Self { path: path.to_owned(), values: values.into_iter().map(in_every_folder).collect() })
    }

    /// Returns the file in the usual places that is not read because this one comes first.
    #[must_use]
    pub fn hides(&self, environment: &Environment) -> Option<PathBuf> {
        let places = environment.config_dirs().into_iter().map(|directory| directory.join(FILE_NAME));
        behind(&self.path, places).find(|place| place.is_file())
    }

    /// Returns where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the value of a setting as it would be in the environment; an empty one counts as unset.
    #[must_use]
    pub fn get(&self, setting: Setting) -> Option<&str> {
        self.values.get(&setting.key()).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// The places that come after a path; none if it is not among them, since a file that is named hides nothing by chance.
fn behind(path: &Path, places: impl Iterator<Item = PathBuf>) -> impl Iterator<Item = PathBuf> {
    let mut places = places.peekable();
    places.by_ref().find(|place| place == path);
    places
}

/// Returns a path that is the same in every directory; the directory of the file may have been given relative to the
/// present one.
fn absolute(path: &Path) -> String {
    std::path::absolute(path).as_deref().unwrap_or(path).to_string_lossy().into_owned()
}

/// Reads a file that nobody but root and this user can change; `hint` says what to do if it is not there.
///
/// # Errors
/// [`Kind::ConfigUnreadable`], [`Kind::ConfigExposed`], [`Kind::ConfigMalformed`] for a very long one.
pub fn read_text(path: &Path, hint: &str) -> Result<String> {
    let shown = visible_path(path);
    let unreadable = |error: io::Error| {
        Error::new(Kind::ConfigUnreadable, format!("cannot read the configuration file `{shown}`: {error}"))
            .advise(hint)
    };
    let file = ownership::open(path, Readers::Anybody).map_err(|error| match error {
        Unusable::Unreadable(error) => unreadable(error),
        Unusable::Exposed(exposure) => exposed(exposure),
    })?;
    ownership::read_text(file, LONGEST).map_err(|error| match error.kind() {
        ErrorKind::FileTooLarge | ErrorKind::InvalidData => malformed(path, &error.to_string()),
        _ => unreadable(error),
    })
}

/// Reads the lines of a file, each a name that `check` accepts and a value, in the form in which the environment has it.
///
/// # Errors
/// [`Kind::ConfigMalformed`] where it is not TOML, or a value is a table or a date; that of `check`.
pub fn values(path: &Path, text: &str, check: impl Fn(&str) -> Result<()>) -> Result<BTreeMap<String, String>> {
    let malformed = |reason: String| malformed(path, &visible(&reason));
    let table = DeTable::parse(text).map_err(|error| {
        malformed(format!("{}{}", error.message(), place(text, error.span().map_or(0, |span| span.start))))
    })?;
    let mut values = BTreeMap::new();
    for (name, value) in table.get_ref() {
        let name = name.get_ref().to_string();
        let value = text_of(value.get_ref()).ok_or_else(|| {
            let kind = value.get_ref().type_str();
            malformed(format!("the {kind} of `{name}` cannot be used{}", place(text, value.span().start)))
        })?;
        check(&name)?;
        values.insert(name, value);
    }
    Ok(values)
}

/// The error for a file that somebody else can change.
#[must_use]
pub fn exposed(exposure: Exposure) -> Error {
    Error::new(Kind::ConfigExposed, format!("the configuration file {}", exposure.problem)).advise(exposure.remedy)
}

/// The error for a file that is not TOML, or in which a value is a table or a date.
fn malformed(path: &Path, reason: &str) -> Error {
    let problem = format!("the configuration file `{}` cannot be understood: {reason}", visible_path(path));
    let hint = "each line is NAME = VALUE, with texts in quotes: propagation_timeout = \"5m\"";
    Error::new(Kind::ConfigMalformed, problem).advise(hint)
}

/// The error for a key that is no setting, with the setting that may be meant.
fn unknown(path: &Path, name: &str) -> Error {
    let known = Setting::ALL.map(Setting::key);
    let bare = name.to_ascii_lowercase().replace('-', "_");
    let bare = bare.strip_prefix("ipv64_").unwrap_or(&bare);
    let hint = if bare == "broker_token" {
        "did you mean `broker_token_file`? The token itself belongs in a file of its own, with mode 600".to_owned()
    } else if KEY_NAMES.contains(&bare) {
        "did you mean `api_key_file`? The key itself belongs in a file of its own, with mode 600".to_owned()
    } else if let Some(nearest) = nearest(bare, known.iter().map(String::as_str)) {
        format!("did you mean `{nearest}`?")
    } else {
        format!("settings are {}", known.join(", "))
    };
    let problem = format!("`{}` in `{}` is not a setting", visible(name), visible_path(path));
    Error::new(Kind::ConfigUnknownKey, problem).advise(hint)
}

/// Returns a value in the form in which the environment has it: numbers and booleans as they are written, lists with commas;
/// nothing for tables, dates and numbers beyond 64 bits.
fn text_of(value: &DeValue<'_>) -> Option<String> {
    Some(match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok()?.to_string(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Array(items) => {
            items.iter().map(|item| text_of(item.get_ref())).collect::<Option<Vec<_>>>()?.join(",")
        }
        DeValue::Datetime(_) | DeValue::Table(_) => return None,
    })
}

/// Says where in the text something is, counted in lines and characters.
fn place(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!(" at line {} column {column}", before.matches('\n').count() + 1)
}

#[cfg(test)]
mod tests;
