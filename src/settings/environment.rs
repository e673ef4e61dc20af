//! The environment, read once at the start of the process, and the directories that it names.
//! What the values mean is left to [`super::parse`].

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Setting;

/// Variables with our prefix that are no settings: the key, its file form and second spelling; the configuration file;
/// the one that `hooks/add` and `hooks/remove` read to find the binary; and those that the command of `on_failure` gets.
const OTHER_VARIABLES: [&str; 11] = [
    "IPV64_API_KEY",
    "IPV64_API_TOKEN",
    "IPV64_CONFIG",
    "IPV64_ACME",
    "IPV64_ACME_CLIENT",
    "IPV64_ACME_ACTION",
    "IPV64_ACME_NAMES",
    "IPV64_ACME_KIND",
    "IPV64_ACME_MESSAGE",
    "IPV64_ACME_EXIT",
    "IPV64_ACME_SECONDS",
];
/// What these variables begin with.
const PREFIX: &str = "IPV64_";
/// The part of a name that may be misspelt for another one to be suggested.
const NEAR_DIVISOR: usize = 3;
/// How names end that are meant for the key itself.
const KEY_ENDINGS: [&str; 2] = ["TOKEN", "KEY"];
/// The name of our directories.
pub(super) const DIRECTORY: &str = "ipv64-acme";
/// Where the system keeps its configuration (Filesystem Hierarchy Standard 3.0 section 3.7).
const SYSTEM_CONFIG: &str = "/etc";

/// The environment, read once at the start of the process.
#[derive(Debug, Clone, Default)]
pub struct Environment(BTreeMap<String, OsString>);

impl Environment {
    /// Takes the variables; names that are not UTF-8 cannot be ours.
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self(variables.into_iter().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect())
    }

    /// Returns a variable as text; bytes that are not UTF-8 become replacement characters, which no value accepts.
    /// An empty variable counts as unset.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).filter(|value| !value.is_empty()).map(|value| value.to_string_lossy().into_owned())
    }

    /// Returns the names of all variables.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Returns our variables that do not exist, each with the nearest one that does.
    #[must_use]
    pub fn unknown(&self) -> Vec<(String, Option<String>)> {
        let known: Vec<String> = Setting::ALL.iter().map(|setting| setting.environment()).collect();
        let known = || known.iter().map(String::as_str).chain(OTHER_VARIABLES).filter_map(|it| it.strip_prefix(PREFIX));
        let ours = self.0.keys().filter_map(|name| name.strip_prefix(PREFIX));
        let suggest = |name: &str| {
            let for_key = KEY_ENDINGS.iter().any(|ending| name.ends_with(ending)).then_some("API_KEY");
            let for_broker = name.contains("BROKER").then_some("BROKER_TOKEN_FILE").filter(|_| for_key.is_some());
            for_broker.or_else(|| nearest(name, known())).or(for_key).map(|nearest| format!("{PREFIX}{nearest}"))
        };
        let unknown = ours.filter(|name| !known().any(|known| known == *name));
        unknown.map(|name| (format!("{PREFIX}{name}"), suggest(name))).collect()
    }

    /// Returns the directories of configuration in the order in which they are looked at: a user's own come first, but for
    /// root, who writes the system's.
    #[must_use]
    pub fn config_dirs(&self) -> Vec<PathBuf> {
        self.config_dirs_of(is_root())
    }

    fn config_dirs_of(&self, is_root: bool) -> Vec<PathBuf> {
        let (system, user) = (PathBuf::from(SYSTEM_CONFIG), self.user_dir("XDG_CONFIG_HOME", ".config"));
        let places = if is_root { [Some(system), user] } else { [user, Some(system)] };
        places.into_iter().flatten().map(|path| path.join(DIRECTORY)).collect()
    }

    /// Returns the directory where configuration is written: the system's for root, else the user's; nothing if the user
    /// has none.
    #[must_use]
    pub fn own_config_dir(&self) -> Option<PathBuf> {
        let system = Path::new(SYSTEM_CONFIG).join(DIRECTORY);
        self.config_dirs().into_iter().next().filter(|place| is_root() || *place != system)
    }

    /// A directory of the XDG Base Directory Specification: relative paths do not count.
    pub(super) fn user_dir(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
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
#[must_use]
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |known: &&str| strsim::levenshtein(known, name);
    known.min_by_key(distance).filter(|known| distance(known) <= (name.len() / NEAR_DIVISOR).max(1))
}

/// Whether this process may do everything.
pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_own_configuration_comes_first_unless_it_is_roots() {
        let environment = Environment::new([("HOME".into(), "/home/a".into())]);
        let (system, own) = (PathBuf::from("/etc/ipv64-acme"), PathBuf::from("/home/a/.config/ipv64-acme"));
        assert_eq!(environment.config_dirs_of(true), [system.clone(), own.clone()]);
        assert_eq!(environment.config_dirs_of(false), [own, system.clone()]);
        assert_eq!(Environment::default().config_dirs_of(false), [system]);
    }

    #[test]
    fn a_misspelt_variable_is_named_with_the_nearest() {
        let variables = [
            ("IPV64_PROPAGATION_TIMEOT", "1"),
            ("IPV64_XYZ_XYZ_XYZ", "1"),
            ("IPV64_ACME", "1"),
            ("IPV64_API_KEY", "1"),
            ("IPV64_TOKEN", "1"),
            ("IPV64_MY_KEY", "1"),
            ("IPV64_BROKER_TOKEN", "1"),
            ("IPV64_FOO", "1"),
            ("PATH", "/"),
        ];
        let environment = Environment::new(variables.map(|(name, value): (&str, &str)| (name.into(), value.into())));
        assert_eq!(
            environment.unknown(),
            [
                ("IPV64_BROKER_TOKEN".to_owned(), Some("IPV64_BROKER_TOKEN_FILE".to_owned())),
                ("IPV64_FOO".to_owned(), None),
                ("IPV64_MY_KEY".to_owned(), Some("IPV64_API_KEY".to_owned())),
                ("IPV64_PROPAGATION_TIMEOT".to_owned(), Some("IPV64_PROPAGATION_TIMEOUT".to_owned())),
                ("IPV64_TOKEN".to_owned(), Some("IPV64_API_KEY".to_owned())),
                ("IPV64_XYZ_XYZ_XYZ".to_owned(), None),
            ]
        );
    }
}
