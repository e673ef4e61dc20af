//! Where `init` looks, and where it writes: the machine, the configuration file, the key file that a flag names; and what
//! comes before them when a hook reads.

use std::path::{Path, PathBuf};

use crate::commands::Invocation;
use crate::error::{Context as _, Error, Kind, Result};
use crate::excerpt::visible_path;
use crate::report::Report;
use crate::settings::file::FILE_NAME;
use crate::settings::key::Credential;
use crate::settings::{Environment, Origin, Setting, Sources};
use crate::setup::Machine;

/// Where clients are looked for.
pub(super) fn machine(environment: &Environment) -> Machine {
    Machine {
        root: PathBuf::from("/"),
        home: environment.get("HOME").map(PathBuf::from),
        here: std::env::current_dir().ok(),
        search_path: environment.get("PATH").unwrap_or_default(),
        plugin_path: environment.get("CERTBOT_PLUGIN_PATH").unwrap_or_default(),
    }
}

/// Whether a unit finds the configuration without being told where it is.
pub(super) fn is_usual(environment: &Environment, config: &Path) -> bool {
    environment.own_config_dir().is_some_and(|folder| folder.join(FILE_NAME) == config)
}

/// Where the configuration is written: where the user says, else the system's place for root, else the user's.
pub(super) fn place(call: &Invocation<'_>) -> Result<PathBuf> {
    let named = call.cli.config.clone().or_else(|| call.environment.get("IPV64_CONFIG").map(PathBuf::from));
    let usual = || call.environment.own_config_dir().map(|folder| folder.join(FILE_NAME));
    let no_place = || {
        Error::new(Kind::NoPlace, "there is no place for the configuration: HOME is not set")
            .advise("set HOME, or name a file with --config: the key is stored beside it")
    };
    absolute(&named.or_else(usual).ok_or_else(no_place)?)
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("cannot find `{}`", visible_path(path)))
}

/// The file that a flag names, of the key or token, or of certificates: it stays where it is.
pub(super) fn given_file(setting: Setting, sources: &Sources<'_>) -> Result<Option<PathBuf>> {
    match sources.find(setting) {
        Some((path, Origin::Flag(_))) => absolute(Path::new(&path)).map(Some),
        _ => Ok(None),
    }
}

/// Another key or token, or another configuration file, that comes before what was stored now; or a place that no hook reads.
pub(super) fn tell_what_hides_it(
    (wanted, file): (&Credential, &Path),
    sources: &Sources<'_>,
    config: &Path,
    report: Report,
) {
    if let Some(variable) = wanted.variable_before(file, sources) {
        report.warning(&format!("the variable {variable} is set and comes before the stored {}", wanted.name));
    }
    let named = sources.variable("IPV64_CONFIG").and_then(|path| std::path::absolute(path).ok());
    let mut places = sources.environment.config_dirs().into_iter().map(|folder| folder.join(FILE_NAME));
    let config = (config, visible_path(config));
    match named.or_else(|| places.find(|path| path.exists())) {
        Some(path) if path == config.0 => {}
        Some(path) => report.warning(&format!(
            "`{}` is read before `{}`; name the latter with IPV64_CONFIG",
            visible_path(&path),
            config.1
        )),
        None => report.warning(&format!(
            "`{}` is read only where it is named: give the hooks --config, or IPV64_CONFIG in their environment",
            config.1
        )),
    }
}
