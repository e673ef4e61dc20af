//! The API key, or on a machine that asks a broker the token for that: the places it is looked for, in order, and why a place
//! was no good. The secret itself leaves here only as a [`Secret`].

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::Setting;
use super::parse::UNIX;
use super::source::{Origin, Sources};
use crate::broker::protocol::TOKEN_PREFIX;
use crate::error::{Error, Kind, Result};
use crate::excerpt::visible_path;
use crate::ownership::{self, Exposure, Readers, Unusable};
use crate::secret::{LONGEST_KEY, MASK, Secret};

/// The variable with the folder of systemd's credentials.
pub const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
/// acme.sh's variable for the key.
const ACME_SH: &str = "IPv64_Token";
/// The shortest text that is taken for a key where a path should be.
const SHORTEST_KEY: usize = 20;

/// What a machine has to show, and where it may be.
pub struct Credential {
    /// Its name in messages.
    pub name: &'static str,
    /// Where people find it.
    source: &'static str,
    /// The variables that may hold it.
    variables: &'static [&'static str],
    /// The setting that names its file.
    pub setting: Setting,
    /// The name of the systemd credential (systemd.exec(5), `LoadCredential=`).
    pub systemd: &'static str,
    /// The name of the file that `init` writes beside the configuration.
    pub file: &'static str,
    /// Whether that file is found without a setting that names it.
    is_usual: bool,
    /// What to do where no place has it.
    advice: &'static str,
}

/// The key of the account. Its variables are ours, the one of acme.sh, and a common spelling.
const KEY: Credential = Credential {
    name: "API key",
    source: "from your account page at IPv64.net",
    variables: &["IPV64_API_KEY", "IPV64_API_TOKEN", ACME_SH],
    setting: Setting::ApiKeyFile,
    systemd: "ipv64-api-key",
    file: "api-key",
    is_usual: true,
    advice: "run `ipv64-acme init`, or save the key from your account page at IPv64.net in a file with mode 600 and set \
             IPV64_API_KEY_FILE to its path",
};

/// The token for a broker.
const TOKEN: Credential = Credential {
    name: "broker token",
    source: "that `client add` has shown on the broker",
    variables: &[],
    setting: Setting::BrokerTokenFile,
    systemd: "ipv64-broker-token",
    file: "broker-token",
    is_usual: false,
    advice: "save the token that `client add` has shown on the broker in a file with mode 600 and set \
             IPV64_BROKER_TOKEN_FILE to its path",
};

/// Returns what this machine has to show: the token where a broker is set, else the key.
#[must_use]
pub fn wanted(sources: &Sources<'_>) -> &'static Credential {
    if sources.find(Setting::Broker).is_some() { &TOKEN } else { &KEY }
}

/// Finds the key: the file of the flag, the variables, the file of the variable, the systemd credential, the file of the
/// configuration, and the usual place beside it. A unit with a user of its own has a credential where the configuration names a file of root's.
/// Where a broker is set it is the token for that, in the same places but for the variables and the usual one.
///
/// # Errors
/// If no place has one, or if the first place that has one is no good: a key that was given and cannot be used must not be
/// replaced by another one silently. Nor may a broker be set beside a key.
pub fn find(sources: &Sources<'_>) -> Result<Secret> {
    check_one(sources)?;
    let wanted = wanted(sources);
    let Some(place) = wanted.place(sources) else {
        // On a Unix socket the broker knows a user by its number.
        let is_needed = !sources.find(Setting::Broker).is_some_and(|(text, _)| text.trim().starts_with(UNIX));
        return if is_needed { Err(wanted.missing()) } else { Ok(Secret::from_answer(String::new())) };
    };
    match place {
        Place::Variable(name, text) => wanted.parse(name, text.as_bytes()),
        Place::File(path, _) | Place::Usual(path) | Place::Credential(path) => wanted.read(&path, sources),
    }
}

/// Makes sure that there is not both a broker and a key, so that nobody has to guess which of them a hook uses. A key that lies
/// at the usual place was not given to this call.
///
/// # Errors
/// [`Kind::InvalidSetting`]
pub fn check_one(sources: &Sources<'_>) -> Result<()> {
    let Some((_, broker)) = sources.find(Setting::Broker) else { return Ok(()) };
    let Some(key) = KEY.place(sources).filter(|place| !matches!(place, Place::Usual(_))) else { return Ok(()) };
    let problem = format!("{broker} names a broker, and an API key is given too: {}", key.describe());
    let kept = match key {
        Place::Variable(ACME_SH, _) => " (acme.sh keeps it in its account.conf, as SAVED_IPv64_Token)",
        _ => "",
    };
    let hint =
        format!("a machine that asks a broker needs no key: remove the key{kept}, or remove the broker to use the key");
    Err(Error::new(Kind::InvalidSetting, problem).advise(hint))
}

/// Returns every secret that this machine was given, good or not for what it was given for: none of them may be printed.
pub fn all(sources: &Sources<'_>) -> Vec<Secret> {
    let read = |credential: &Credential| match credential.place(sources)? {
        Place::Variable(name, text) => credential.parse(name, text.as_bytes()).ok(),
        Place::File(path, _) | Place::Usual(path) | Place::Credential(path) => credential.read(&path, sources).ok(),
    };
    [&KEY, &TOKEN].into_iter().filter_map(read).collect()
}

/// Makes sure that this machine has no key of the account, wherever it may be: one that is going to ask a broker needs none.
///
/// # Errors
/// [`Kind::InvalidSetting`], with the way from the key to the broker.
pub fn check_none(sources: &Sources<'_>) -> Result<()> {
    let Some(place) = KEY.place(sources) else { return Ok(()) };
    let problem = format!("this machine has the API key already: {}", place.describe());
    let hint = "to ask a broker in its place, run `ipv64-acme sweep --yes`, remove the key, and `api_key_file` from the \
                configuration if it is there, then run this again";
    Err(Error::new(Kind::InvalidSetting, problem).advise(hint))
}

/// Returns in words what this machine shows, the key or a token, and where it comes from, if any place has it; whether it
/// is good is not looked at.
#[must_use]
pub fn describe_place(sources: &Sources<'_>) -> (&'static str, Option<String>) {
    let wanted = wanted(sources);
    (wanted.name, wanted.place(sources).map(|place| place.describe()))
}

impl Place {
    fn describe(&self) -> String {
        match self {
            Self::Variable(name, _) => format!("the variable {name}"),
            Self::File(path, origin) => format!("the file `{}`, named by {origin}", shown(path)),
            Self::Usual(path) => format!("the file `{}`, the usual place", visible_path(path)),
            Self::Credential(path) => format!("the systemd credential `{}`", visible_path(path)),
        }
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

impl Credential {
    /// Returns the question for somebody at a terminal.
    #[must_use]
    pub fn question(&self) -> String {
        format!("{} ({}; it is not shown): ", self.name, self.source)
    }

    /// Returns the variable that a hook follows in place of a stored file.
    #[must_use]
    pub fn variable_before(&self, stored: &Path, sources: &Sources<'_>) -> Option<String> {
        match self.place(sources)? {
            Place::Variable(name, _) => Some(name.to_owned()),
            Place::File(path, Origin::Environment(setting)) if path != stored => Some(setting.environment()),
            _ => None,
        }
    }

    fn place(&self, sources: &Sources<'_>) -> Option<Place> {
        let file = sources.find(self.setting).map(|(path, origin)| (PathBuf::from(path.trim()), origin));
        let origin = file.as_ref().map(|(_, origin)| origin);
        let (by_flag, by_file) = (matches!(origin, Some(Origin::Flag(_))), matches!(origin, Some(Origin::File(..))));
        let named = file.map(|(path, origin)| Place::File(path, origin));
        if by_flag {
            return named;
        }
        let variable = self.variables.iter().find_map(|name| Some(Place::Variable(name, sources.variable(name)?)));
        let credential = || {
            let path = PathBuf::from(sources.variable(CREDENTIALS)?).join(self.systemd);
            path.exists().then_some(Place::Credential(path))
        };
        let usual = || {
            let beside = sources.file.as_ref().and_then(|file| Some(file.path().parent()?.to_owned()));
            let path = beside.or_else(|| sources.environment.own_config_dir())?.join(self.file);
            (self.is_usual && path.exists()).then_some(Place::Usual(path))
        };
        let found = variable.or_else(|| if by_file { credential().or(named) } else { named.or_else(credential) });
        found.or_else(usual)
    }

    /// Takes what was typed; `place` names where.
    ///
    /// # Errors
    /// [`Kind::KeyMalformed`]
    pub fn parse(&self, place: &str, content: &[u8]) -> Result<Secret> {
        let Self { name, source, .. } = self;
        Secret::decode(content).map_err(|error| {
            Error::new(Kind::KeyMalformed, format!("{place} does not contain the {name}: {error}"))
                .advise(format!("copy the {name} again, {source}: one line, nothing else"))
        })
    }

    fn missing(&self) -> Error {
        let (setting, systemd) = (self.setting, self.systemd);
        let mut places = vec![format!("--{}", setting.flag())];
        places.extend(self.variables.iter().map(ToString::to_string));
        let (variable, key) = (setting.environment(), setting.key());
        places.extend([variable, format!("systemd credential {systemd}"), format!("{key} in config.toml")]);
        places.extend(self.is_usual.then(|| format!("{} next to it", self.file)));
        Error::new(Kind::KeyMissing, format!("no {} given", self.name))
            .advise(self.advice)
            .observed(vec![format!("looked at: {}", places.join(", "))])
    }

    /// Reads it from a file.
    ///
    /// # Errors
    /// If it is not in there, or others can read or replace the file.
    pub fn read(&self, path: &Path, sources: &Sources<'_>) -> Result<Secret> {
        let (shown, name, variable) = (visible_path(path), self.name, self.setting.environment());
        if is_key_itself(path) {
            let problem = format!("what should be the path of the {name} file looks like the {name} itself");
            let or = self.variables.first().map_or_else(String::new, |own| format!(", or set {own} to the key"));
            let hint = format!("save it in a file with mode 600, and set {variable} to the path of that file{or}");
            return Err(Error::new(Kind::KeyUnreadable, problem).advise(hint));
        }
        let unreadable = |error: std::io::Error| {
            Error::new(Kind::KeyUnreadable, format!("cannot read the {name} from `{shown}`: {error}"))
                .advise(format!("check that `{shown}` exists and belongs to the user that runs this program"))
        };
        let file =
            open(path, Readers::Owner, sources.variable(CREDENTIALS).as_deref()).map_err(|error| match error {
                Unusable::Unreadable(error) => unreadable(error),
                Unusable::Exposed(Exposure { problem, remedy }) => {
                    Error::new(Kind::KeyExposed, format!("the {name} file {problem}")).advise(remedy)
                }
            })?;
        let mut content = Vec::new();
        file.take(LONGEST_KEY + 1).read_to_end(&mut content).map_err(unreadable)?;
        self.parse(&format!("the file `{shown}`"), &content)
    }
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

/// Returns the path of a key file as it may be shown: masked where somebody took the key for its path.
#[must_use]
pub fn shown(path: &Path) -> String {
    if is_key_itself(path) { MASK.to_owned() } else { visible_path(path) }
}

/// Whether what should be a path looks like a key, of 32 letters and digits (observed), or like a token. A relative path may have got a
/// directory before it.
fn is_key_itself(path: &Path) -> bool {
    looks_like_key(path.file_name().unwrap_or_default().as_encoded_bytes()) && !path.exists()
}

/// Returns whether a word looks like a key: long, letters and digits; or like the token for a broker.
#[must_use]
pub fn looks_like_key(word: &[u8]) -> bool {
    is_token(word)
        || word.len() >= SHORTEST_KEY
            && word.iter().all(u8::is_ascii_alphanumeric)
            && word.iter().any(u8::is_ascii_digit)
}

/// Returns whether a word looks like the token for a broker.
#[must_use]
pub fn is_token(word: &[u8]) -> bool {
    word.starts_with(TOKEN_PREFIX.as_bytes())
}

#[cfg(test)]
mod tests;
