//! The key file and the configuration file that points at it. Each is replaced as a whole, so that a crash or a full disk
//! leaves the old one; the configuration comes last.

use std::fs::{self, DirBuilder};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use toml_edit::DocumentMut;

use super::unwritable;
use crate::error::Result;
use crate::secret::Secret;
use crate::settings::Setting;
use crate::settings::key::KEY_FILE;

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
/// If a file or folder cannot be written; a key that was there before is still there then.
pub fn key(config: &Path, key: &Secret) -> Result<PathBuf> {
    let folder = config.parent().unwrap_or_else(|| Path::new("/"));
    let made = DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder);
    made.map_err(|error| unwritable(folder, &error))?;
    let path = folder.join(KEY_FILE);
    replace(&path, &format!("{}\n", key.expose()), KEY_MODE)?;
    Ok(path)
}

/// Lets the configuration file point at a key file. Everything else in it stays, and so do its mode and a link to it.
///
/// # Errors
/// If a file or folder cannot be written; the file is as before then.
pub fn point_at(config: &Path, key_file: &Path) -> Result<()> {
    let config = &fs::canonicalize(config).unwrap_or_else(|_| config.to_owned());
    let unwritable = |error: io::Error| unwritable(config, &error);
    let before = match fs::read_to_string(config) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => HEAD.to_owned(),
        Err(error) => return Err(unwritable(error)),
    };
    // What is no text cannot be written there, and control characters only with escapes that nobody would read.
    let path = key_file.to_str().filter(|path| !path.contains(char::is_control));
    let path = path.ok_or_else(|| unwritable(io::ErrorKind::InvalidFilename.into()))?;
    let mut document: DocumentMut = before.parse().map_err(|_| unwritable(io::ErrorKind::InvalidData.into()))?;
    let key = Setting::ApiKeyFile.key();
    if document.get(&key).and_then(|item| item.as_str()) == Some(path) {
        return Ok(());
    }
    document[&key] = toml_edit::value(path);
    if let Some(folder) = config.parent() {
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder).map_err(unwritable)?;
    }
    let mode = fs::metadata(config).map_or(CONFIG_MODE, |before| before.permissions().mode() & 0o777);
    replace(config, &document.to_string(), mode)
}

/// Writes a file next to the place, with the final mode from the first octet on, and moves it there.
fn replace(path: &Path, text: &str, mode: u32) -> Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new("/"));
    let written = NamedTempFile::new_in(folder).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        // Until here it was for its owner alone; the umask of the caller does not decide who may read.
        file.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
        file.as_file().sync_all()?;
        Ok(file.persist(path)?)
    });
    written.map(drop).map_err(|error| unwritable(path, &error))
}

#[cfg(test)]
mod tests;
