//! The key file and the configuration file that points at it. Each is replaced as a whole, so that a crash or a full disk
//! leaves the old one; the configuration comes last.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::SetupError;
use crate::secret::Secret;
use crate::settings::table::Setting;

/// The name of the key file beside the configuration file.
pub const KEY_FILE: &str = "api-key";
/// The key is for its owner alone.
const KEY_MODE: u32 = 0o600;
/// Anybody may read the configuration: there is no secret in it.
const CONFIG_MODE: u32 = 0o644;
/// Anybody may look into the folder; the key file has a mode of its own.
const FOLDER_MODE: u32 = 0o755;
/// The first lines of a new configuration file.
const HEAD: &str = "# Settings of ipv64-acme. `ipv64-acme config` shows those in force.\n";

/// Stores a key beside the configuration file, and returns where.
///
/// # Errors
/// [`SetupError::Unwritable`]; a key that was there before is still there then.
pub fn key(config: &Path, key: &Secret) -> Result<PathBuf, SetupError> {
    let folder = config.parent().unwrap_or_else(|| Path::new("/"));
    let made = DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder);
    made.map_err(|source| SetupError::Unwritable { path: folder.to_owned(), source })?;
    let path = folder.join(KEY_FILE);
    replace(&path, &format!("{}\n", key.expose()), KEY_MODE)?;
    Ok(path)
}

/// Lets the configuration file point at a key file. Everything else in it stays, and so do its mode and a link to it.
///
/// # Errors
/// [`SetupError::Unwritable`]; the file is as before then.
pub fn point_at(config: &Path, key_file: &Path) -> Result<(), SetupError> {
    let config = &fs::canonicalize(config).unwrap_or_else(|_| config.to_owned());
    let unwritable = |source| SetupError::Unwritable { path: config.to_owned(), source };
    let before = match fs::read_to_string(config) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => HEAD.to_owned(),
        Err(error) => return Err(unwritable(error)),
    };
    // What is no text cannot stand there, and control characters only with escapes that nobody would read.
    let path = key_file.to_str().filter(|path| !path.contains(char::is_control));
    let path = path.ok_or_else(|| unwritable(io::ErrorKind::InvalidFilename.into()))?;
    let after = with_line(&before, &Setting::ApiKeyFile.key(), path);
    if after == before {
        return Ok(());
    }
    if let Some(folder) = config.parent() {
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder).map_err(unwritable)?;
    }
    let mode = fs::metadata(config).map_or(CONFIG_MODE, |before| before.permissions().mode() & 0o777);
    replace(config, &after, mode)
}

/// Returns the text with one setting changed where it stands, or else added at the end: all settings stand at the top level.
fn with_line(text: &str, key: &str, value: &str) -> String {
    // A path is a TOML basic string with its backslashes and quotes escaped (TOML 1.0, "String").
    let line = format!("{key} = \"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
    // A quoted name is the same name (TOML 1.0, "Keys").
    let sets = |line: &str| line.split_once('=').is_some_and(|(name, _)| name.trim().trim_matches(['"', '\'']) == key);
    let mut lines: Vec<&str> = text.lines().collect();
    match lines.iter().position(|line| sets(line)) {
        Some(place) => lines[place] = &line,
        None => lines.push(&line),
    }
    lines.join("\n") + "\n"
}

/// Writes a file next to the place, with the final mode from the first octet on, and moves it there.
fn replace(path: &Path, text: &str, mode: u32) -> Result<(), SetupError> {
    let unwritable = |source| SetupError::Unwritable { path: path.to_owned(), source };
    let temporary = path.with_extension(format!("new-{}", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&temporary)
        .and_then(|mut file| {
            // The umask of the caller does not decide who may read.
            file.set_permissions(fs::Permissions::from_mode(mode))?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&temporary, path));
    written.map_err(|source| {
        fs::remove_file(&temporary).ok();
        unwritable(source)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::ConfigFile;

    fn secret() -> Secret {
        Secret::parse("canary-key").unwrap()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_key_is_its_owners_alone_and_the_configuration_points_at_it() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("a/b/config.toml");
        let path = key(&config, &secret()).unwrap();
        point_at(&config, &path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "canary-key\n");
        assert_eq!((mode(&path), mode(&config)), (0o600, 0o644));
        let read = ConfigFile::read(&config).unwrap();
        assert_eq!(read.get(Setting::ApiKeyFile), path.to_str());
        assert_eq!(fs::read_dir(config.parent().unwrap()).unwrap().count(), 2, "nothing else is left there");
    }

    #[test]
    fn a_second_time_changes_one_line_and_nothing_else() {
        let text = "# mine\napi_key_file = '/old'   # the old one\nconfirmations = 4\n";
        let changed = with_line(text, "api_key_file", "/a \"b\\c");
        assert_eq!(changed, "# mine\napi_key_file = \"/a \\\"b\\\\c\"\nconfirmations = 4\n");
        assert_eq!(with_line(&changed, "api_key_file", "/a \"b\\c"), changed);
        assert_eq!(with_line("'api_key_file' = 'a'\n", "api_key_file", "/k"), "api_key_file = \"/k\"\n");
        assert_eq!(
            with_line("# api_key_file = 1\n", "api_key_file", "/k"),
            "# api_key_file = 1\napi_key_file = \"/k\"\n"
        );
    }

    #[test]
    fn a_configuration_that_was_there_keeps_its_mode_and_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let (link, real) = (folder.path().join("config.toml"), folder.path().join("real.toml"));
        fs::write(&real, "confirmations = 4\n").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink("real.toml", &link).unwrap();
        point_at(&link, Path::new("/k")).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "confirmations = 4\napi_key_file = \"/k\"\n");
        assert_eq!(mode(&real), 0o600);
    }

    #[test]
    fn a_path_that_no_line_can_hold_is_refused_before_anything_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config.toml");
        assert!(point_at(&config, Path::new("/a\nb")).is_err());
        assert!(!config.exists());
    }

    #[test]
    fn what_cannot_be_replaced_stays_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config.toml");
        fs::create_dir_all(folder.path().join(KEY_FILE).join("in-the-way")).unwrap();
        assert!(key(&config, &secret()).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
