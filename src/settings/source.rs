//! Where a value comes from: a flag, the environment, the configuration file, or the default.
//! What the values mean is left to [`super::parse`].

use std::fmt;
use std::path::{Path, PathBuf};

use super::Setting;
use super::environment::{DIRECTORY, Environment, is_root, is_whole};
use super::file::ConfigFile;
use crate::error::{Error, Kind, Result};
use crate::excerpt::visible_path;

/// The longest value that is looked at, in bytes: what a path can have (PATH_MAX), and more than a list of resolvers needs.
const LONGEST_VALUE: usize = 4096;

/// Where a value is.
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
    pub file: Option<ConfigFile>,
}

impl<'a> Sources<'a> {
    /// Reads the configuration file that `config` (the flag) or `IPV64_CONFIG` names, or the first in the usual places.
    ///
    /// # Errors
    /// As [`ConfigFile::find`].
    pub fn read(flags: &'a [(Setting, String)], config: Option<&Path>, environment: &'a Environment) -> Result<Self> {
        Ok(Self { flags, environment, file: ConfigFile::find(config, environment)? })
    }

    /// Returns the value in force and where it is.
    #[must_use]
    pub fn find(&self, setting: Setting) -> Option<(String, Origin)> {
        let flag = self.flags.iter().find(|(flag, _)| *flag == setting);
        flag.map(|(_, value)| (value.clone(), Origin::Flag(setting)))
            .or_else(|| Some((self.environment.get(&setting.environment())?, Origin::Environment(setting))))
            .or_else(|| {
                let file = self.file.as_ref()?;
                Some((file.get(setting)?.to_owned(), Origin::File(setting, file.path().to_owned())))
            })
            .or_else(|| Some((setting.default_text()?.to_owned(), Origin::Default(setting))))
    }

    /// Returns a variable that is not one of ours.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<String> {
        self.environment.get(name)
    }

    /// Reads the value of a setting; where there is none, an empty text.
    pub(super) fn value<T>(&self, setting: Setting, parse: impl Fn(&str) -> Result<T, String>) -> Result<T> {
        let (text, origin) = self.find(setting).unwrap_or_else(|| (String::new(), Origin::Default(setting)));
        let parsed = match text.len() {
            ..=LONGEST_VALUE => parse(text.trim()),
            length => Err(format!("{length} bytes are more than any value needs")),
        };
        parsed.map_err(|problem| {
            Error::new(Kind::InvalidSetting, format!("{origin} cannot be used: {problem}")).advise(format!(
                "{}: {}",
                setting.environment(),
                setting.meaning()
            ))
        })
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

#[cfg(test)]
mod tests;
