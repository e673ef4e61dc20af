//! Where a value comes from: a flag, the environment, or the default. Knows nothing of what the values mean.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use super::SettingsError;
use super::table::Setting;

/// Variables with our prefix that are no settings: the key, its file form and second spelling; the configuration file;
/// and the one that `hooks/add` and `hooks/remove` read to find the binary.
const OTHER_VARIABLES: [&str; 4] = ["IPV64_API_KEY", "IPV64_API_TOKEN", "IPV64_CONFIG", "IPV64_ACME"];
/// The most edits at which a name is still suggested.
const NEAR: usize = 4;

/// The environment, read once at the start of the process.
#[derive(Debug, Clone, Default)]
pub struct Environment(BTreeMap<String, OsString>);

impl Environment {
    /// Takes the variables; those whose names are not UTF-8 are none of ours.
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self(variables.into_iter().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect())
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
        let known = || known.iter().map(String::as_str).chain(OTHER_VARIABLES);
        let ours = self.0.keys().filter(|name| name.starts_with("IPV64_") && !known().any(|known| known == *name));
        ours.map(|name| {
            let nearest = known().min_by_key(|known| strsim::levenshtein(known, name));
            let nearest = nearest.filter(|known| strsim::levenshtein(known, name) <= NEAR);
            (name.clone(), nearest.map(str::to_owned))
        })
        .collect()
    }
}

/// Where a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A flag.
    Flag(Setting),
    /// A variable.
    Environment(Setting),
    /// Built in.
    Default(Setting),
}

impl Origin {
    /// Returns the setting.
    #[must_use]
    pub fn setting(self) -> Setting {
        match self {
            Self::Flag(setting) | Self::Environment(setting) | Self::Default(setting) => setting,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(setting) => write!(f, "the flag --{}", setting.flag()),
            Self::Environment(setting) => write!(f, "the variable {}", setting.environment()),
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
}

impl Sources<'_> {
    /// Returns the value in force and where it stands.
    #[must_use]
    pub fn find(&self, setting: Setting) -> Option<(String, Origin)> {
        let flag = self.flags.iter().rev().find(|(flag, _)| *flag == setting);
        flag.map(|(_, value)| (value.clone(), Origin::Flag(setting)))
            .or_else(|| Some((self.environment.get(&setting.environment())?, Origin::Environment(setting))))
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
        parse(text.trim()).map(Some).map_err(|problem| SettingsError { origin, problem })
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
    pub(super) fn default_state_dir(&self) -> Option<PathBuf> {
        const NAME: &str = "ipv64-acme";
        if let Some(directories) = self.variable("STATE_DIRECTORY") {
            // systemd.exec(5): several directories are separated by colons.
            return directories.split(':').next().map(PathBuf::from);
        }
        if is_root() {
            return Some(PathBuf::from("/var/lib").join(NAME));
        }
        let user = self.variable("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let home = || Some(PathBuf::from(self.variable("HOME")?).join(".local/state"));
        user.or_else(home).filter(|path| path.is_absolute()).map(|path| path.join(NAME))
    }
}

/// Whether this process may do everything: its own entry in /proc belongs to its effective user. Elsewhere than on Linux
/// the answer is no, and the user's directories are used.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
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
        let with_flag = Sources { flags: &flags, environment: &environment };
        assert_eq!(with_flag.find(Setting::Confirmations).unwrap().0, "5");
        let without = Sources { flags: &[], environment: &environment };
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
            ("PATH", "/"),
        ]);
        assert_eq!(
            environment.unknown(),
            [
                ("IPV64_PROPAGATION_TIMEOT".to_owned(), Some("IPV64_PROPAGATION_TIMEOUT".to_owned())),
                ("IPV64_XYZ_XYZ_XYZ".to_owned(), None),
            ]
        );
    }

    #[test]
    fn state_goes_where_systemd_says() {
        let environment = environment(&[("STATE_DIRECTORY", "/run/a:/run/b")]);
        let sources = Sources { flags: &[], environment: &environment };
        assert_eq!(sources.default_state_dir(), Some(PathBuf::from("/run/a")));
    }
}
