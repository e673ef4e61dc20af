//! Where a value comes from: a flag, the environment, the configuration file, or the default.
//! What the values mean is left to [`super::parse`].

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::SettingsError;
use super::file::ConfigFile;
use super::table::Setting;
use crate::excerpt::visible_path;

/// Variables with our prefix that are no settings: the key, its file form and second spelling; the configuration file;
/// and the one that `hooks/add` and `hooks/remove` read to find the binary.
const OTHER_VARIABLES: [&str; 4] = ["IPV64_API_KEY", "IPV64_API_TOKEN", "IPV64_CONFIG", "IPV64_ACME"];
/// What these variables begin with.
const PREFIX: &str = "IPV64_";
/// The part of a name that may be misspelt for another one to be suggested.
const NEAR_DIVISOR: usize = 3;
/// The longest value that is looked at, in bytes: what a path can have (PATH_MAX), and more than a list of resolvers needs.
const LONGEST_VALUE: usize = 4096;
/// How names end that are meant for the key itself.
const KEY_ENDINGS: [&str; 2] = ["TOKEN", "KEY"];
/// The name of our directories.
const DIRECTORY: &str = "ipv64-acme";
/// Where the system keeps its configuration (Filesystem Hierarchy Standard 3.0 section 3.7).
const SYSTEM_CONFIG: &str = "/etc";

/// The environment, read once at the start of the process.
#[derive(Debug, Clone, Default)]
pub struct Environment(BTreeMap<String, OsString>);

impl Environment {
    /// Takes the variables; those whose names are not UTF-8 are none of ours.
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let named = variables.into_iter().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        // Not collected: that would sort them first, with code of its own.
        let mut known = BTreeMap::new();
        known.extend(named);
        Self(known)
    }

    /// Returns a variable as text; bytes that are not UTF-8 become replacement characters, which no value accepts.
    /// An empty variable counts as unset.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).filter(|value| !value.is_empty()).map(|value| value.to_string_lossy().into_owned())
    }

    /// Returns our variables that do not exist, each with the nearest one that does.
    #[must_use]
    pub fn unknown(&self) -> Vec<(String, Option<String>)> {
        let known: Vec<String> = Setting::ALL.iter().map(|setting| setting.environment()).collect();
        let known = || known.iter().map(String::as_str).chain(OTHER_VARIABLES).filter_map(|it| it.strip_prefix(PREFIX));
        let ours = self.0.keys().filter_map(|name| name.strip_prefix(PREFIX));
        let suggest = |name: &str| {
            let for_key = KEY_ENDINGS.iter().any(|ending| name.ends_with(ending)).then_some("API_KEY");
            nearest(name, known()).or(for_key).map(|nearest| format!("{PREFIX}{nearest}"))
        };
        let unknown = ours.filter(|name| !known().any(|known| known == *name));
        unknown.map(|name| (format!("{PREFIX}{name}"), suggest(name))).collect()
    }

    /// Returns the directories of configuration in the order in which they are looked at: the system's, then the user's.
    #[must_use]
    pub fn config_dirs(&self) -> Vec<PathBuf> {
        let user = self.user_dir("XDG_CONFIG_HOME", ".config");
        Some(PathBuf::from(SYSTEM_CONFIG)).into_iter().chain(user).map(|path| path.join(DIRECTORY)).collect()
    }

    /// Returns the directory where configuration is written: the system's for root, else the user's; nothing if the user
    /// has none.
    #[must_use]
    pub fn own_config_dir(&self) -> Option<PathBuf> {
        let mut places = self.config_dirs().into_iter();
        let system = places.next();
        if is_root() { system } else { places.next() }
    }

    /// A directory of the XDG Base Directory Specification: relative paths do not count.
    fn user_dir(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        let path = |variable| self.get(variable).filter(|text| is_whole(text)).map(PathBuf::from);
        let user = path(variable).filter(|path| path.is_absolute());
        let home = || Some(path("HOME")?.join(below_home));
        user.or_else(home).filter(|path| path.is_absolute())
    }
}

/// Returns whether a text is all that stood in the environment: with bytes replaced, a path would name another file.
pub(super) fn is_whole(text: &str) -> bool {
    !text.contains(char::REPLACEMENT_CHARACTER)
}

/// Returns the known name that is most like a misspelt one, if any is like it.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |known: &&str| strsim::levenshtein(known, name);
    known.min_by_key(distance).filter(|known| distance(known) <= (name.len() / NEAR_DIVISOR).max(1))
}

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A flag.
    Flag(Setting),
    /// A variable.
    Environment(Setting),
    /// The configuration file with this path.
    File(Setting, PathBuf),
    /// Built in.
    Default(Setting),
}

impl Origin {
    /// Returns the setting.
    #[must_use]
    pub fn setting(&self) -> Setting {
        match self {
            Self::Flag(setting) | Self::Environment(setting) | Self::File(setting, _) | Self::Default(setting) => {
                *setting
            }
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(setting) => write!(f, "the flag --{}", setting.flag()),
            Self::Environment(setting) => write!(f, "the variable {}", setting.environment()),
            Self::File(setting, path) => write!(f, "`{}` in `{}`", setting.key(), visible_path(path)),
            Self::Default(setting) => write!(f, "the default of {}", setting.environment()),
        }
    }
}

/// All places of values.
#[derive(Debug, Clone)]
pub struct Sources<'a> {
    /// The flags that were given.
    pub flags: &'a [(Setting, String)],
    /// The environment.
    pub environment: &'a Environment,
    /// The configuration file, if there is one.
    pub file: Option<&'a ConfigFile>,
}

impl Sources<'_> {
    /// Returns the value in force and where it stands.
    #[must_use]
    pub fn find(&self, setting: Setting) -> Option<(String, Origin)> {
        let flag = self.flags.iter().find(|(flag, _)| *flag == setting);
        flag.map(|(_, value)| (value.clone(), Origin::Flag(setting)))
            .or_else(|| Some((self.environment.get(&setting.environment())?, Origin::Environment(setting))))
            .or_else(|| {
                let file = self.file?;
                Some((file.get(setting)?.to_owned(), Origin::File(setting, file.path().to_owned())))
            })
            .or_else(|| Some((setting.default_text()?.to_owned(), Origin::Default(setting))))
    }

    /// Returns a variable that is not one of ours.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<String> {
        self.environment.get(name)
    }

    /// Reads a setting that has a default.
    pub(super) fn read<T>(
        &self,
        setting: Setting,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, SettingsError> {
        let missing = || SettingsError { origin: Origin::Default(setting), problem: "there is none".to_owned() };
        self.read_optional(setting, parse)?.ok_or_else(missing)
    }

    /// Reads a setting that may be missing.
    pub(super) fn read_optional<T>(
        &self,
        setting: Setting,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, SettingsError> {
        let Some((text, origin)) = self.find(setting) else { return Ok(None) };
        let parsed = match text.len() {
            ..=LONGEST_VALUE => parse(text.trim()),
            length => Err(format!("{length} bytes are more than any value needs")),
        };
        parsed.map(Some).map_err(|problem| SettingsError { origin, problem })
    }

    /// Reads a setting with values separated by commas or blanks.
    pub(super) fn read_list<T>(
        &self,
        setting: Setting,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, SettingsError> {
        let items = |text: &str| {
            text.split([',', ' ', '\t', '\n'])
                .filter(|item| !item.is_empty())
                .map(&parse)
                .collect::<Result<Vec<T>, _>>()
        };
        Ok(self.read_optional(setting, items)?.unwrap_or_default())
    }

    /// Returns where state is kept if no setting says so: systemd's directory, else the system's for root, else the user's.
    #[must_use]
    pub fn default_state_dir(&self) -> Option<PathBuf> {
        let of_user = || self.environment.user_dir("XDG_STATE_HOME", ".local/state").map(|path| path.join(DIRECTORY));
        let usual = || if is_root() { Some(Path::new("/var/lib").join(DIRECTORY)) } else { of_user() };
        self.systemd_state_dir().or_else(usual)
    }

    /// Returns the directory that systemd has made for the unit, the first of `$STATE_DIRECTORY`.
    #[must_use]
    pub fn systemd_state_dir(&self) -> Option<PathBuf> {
        let directories = self.variable("STATE_DIRECTORY").filter(|text| is_whole(text))?;
        // systemd.exec(5): they are absolute, and several are separated by colons.
        directories.split(':').next().map(PathBuf::from).filter(|path| path.is_absolute())
    }
}

/// Whether this process may do everything.
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::new(variables.iter().map(|(name, value)| ((*name).into(), (*value).into())))
    }

    #[test]
    fn flag_then_environment_then_default() {
        let environment = environment(&[("IPV64_CONFIRMATIONS", "4"), ("IPV64_HTTP_TIMEOUT", "")]);
        let flags = [(Setting::Confirmations, "5".to_owned())];
        let with_flag = Sources { flags: &flags, environment: &environment, file: None };
        assert_eq!(with_flag.find(Setting::Confirmations).unwrap().0, "5");
        let without = Sources { flags: &[], environment: &environment, file: None };
        assert_eq!(without.find(Setting::Confirmations).unwrap().0, "4");
        assert_eq!(without.find(Setting::HttpTimeout).unwrap().0, "30", "an empty variable counts as unset");
    }

    #[test]
    fn a_misspelt_variable_is_named_with_the_nearest() {
        let environment = environment(&[
            ("IPV64_PROPAGATION_TIMEOT", "1"),
            ("IPV64_XYZ_XYZ_XYZ", "1"),
            ("IPV64_ACME", "1"),
            ("IPV64_API_KEY", "1"),
            ("IPV64_TOKEN", "1"),
            ("IPV64_MY_KEY", "1"),
            ("IPV64_FOO", "1"),
            ("PATH", "/"),
        ]);
        assert_eq!(
            environment.unknown(),
            [
                ("IPV64_FOO".to_owned(), None),
                ("IPV64_MY_KEY".to_owned(), Some("IPV64_API_KEY".to_owned())),
                ("IPV64_PROPAGATION_TIMEOT".to_owned(), Some("IPV64_PROPAGATION_TIMEOUT".to_owned())),
                ("IPV64_TOKEN".to_owned(), Some("IPV64_API_KEY".to_owned())),
                ("IPV64_XYZ_XYZ_XYZ".to_owned(), None),
            ]
        );
    }

    #[test]
    fn a_value_that_is_not_what_was_set_names_no_place() {
        use std::os::unix::ffi::OsStringExt as _;
        let bytes = || OsString::from_vec(b"/\xff".to_vec());
        let environment = Environment::new([("HOME".into(), bytes()), ("IPV64_STATE_DIR".into(), bytes())]);
        let sources = Sources { flags: &[], environment: &environment, file: None };
        assert_eq!(environment.user_dir("XDG_STATE_HOME", "below"), None);
        let error = sources.read_optional(Setting::StateDir, super::super::parse::absolute_path).unwrap_err();
        assert!(error.to_string().ends_with("is not UTF-8"), "{error}");
        let long = environment_of_length(LONGEST_VALUE + 1);
        let sources = Sources { flags: &[], environment: &long, file: None };
        let error = sources.read_optional(Setting::StateDir, super::super::parse::absolute_path).unwrap_err();
        assert!(error.to_string().ends_with("4097 bytes are more than any value needs"), "{error}");
    }

    fn environment_of_length(length: usize) -> Environment {
        environment(&[("IPV64_STATE_DIR", &"/".repeat(length))])
    }

    #[test]
    fn state_goes_where_systemd_says() {
        let environment = environment(&[("STATE_DIRECTORY", "/run/a:/run/b")]);
        let sources = Sources { flags: &[], environment: &environment, file: None };
        assert_eq!(sources.default_state_dir(), Some(PathBuf::from("/run/a")));
    }

    #[test]
    fn state_never_goes_where_the_hook_happens_to_run() {
        let environment = environment(&[("STATE_DIRECTORY", "relative"), ("XDG_STATE_HOME", "x"), ("HOME", ".")]);
        let sources = Sources { flags: &[], environment: &environment, file: None };
        assert!(sources.default_state_dir().is_none_or(|path| path.is_absolute()));
    }
}
