//! The files that `init` writes: the key or token, the configuration that points at it, units. Each is replaced as a whole, so that a
//! crash or a full disk leaves the old one; and each can be shown before it is written, the key masked.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use toml_edit::DocumentMut;

use super::unwritable;
use crate::error::Result;
use crate::excerpt::{visible, visible_path};
use crate::secret::{MASK, Secret};
use crate::settings::Setting;
use crate::settings::file::FILE_NAME;

/// The key is for its owner alone.
const KEY_MODE: u32 = 0o600;
/// Anybody may read the others: there is no secret in them.
const TEXT_MODE: u32 = 0o644;
/// Anybody may look into the folder; the key file has a mode of its own.
const FOLDER_MODE: u32 = 0o755;
/// The first lines of a new configuration file.
const HEAD: &str = "# Settings of ipv64-acme. `ipv64-acme config` shows those in force.\n";

/// A file that is going to be written.
#[derive(Debug)]
pub struct Planned {
    /// Where.
    pub path: PathBuf,
    mode: u32,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Key(Secret),
    Text(String),
}

impl Planned {
    /// Plans a text that anybody may read.
    #[must_use]
    pub fn text(path: PathBuf, text: String) -> Self {
        Self { path, mode: TEXT_MODE, content: Content::Text(text) }
    }

    /// Plans a key or token in a file beside the configuration. A configuration of another name than the usual gets a file of its
    /// own: it may be for another account.
    #[must_use]
    pub fn key(config: &Path, file: &str, key: &Secret) -> Self {
        let other = config.file_name().filter(|name| *name != FILE_NAME);
        let name = other.map_or_else(|| file.into(), |name| [name, OsStr::new(file)].join(OsStr::new(".")));
        let path = config.with_file_name(name);
        Self { path, mode: KEY_MODE, content: Content::Key(key.clone()) }
    }

    /// Returns path, mode and content as lines to be shown; a key is masked.
    #[must_use]
    pub fn shown(&self) -> Vec<String> {
        let text = match &self.content {
            Content::Key(_) => MASK,
            Content::Text(text) => text,
        };
        let head = format!("{} (mode {:03o}):", visible_path(&self.path), self.mode);
        std::iter::once(head)
            .chain(text.lines().map(|line| format!("  {}", visible(line)).trim_end().to_owned()))
            .collect()
    }

    /// Returns whether this very text is there already.
    #[must_use]
    pub fn is_there(&self) -> bool {
        matches!(&self.content, Content::Text(text) if fs::read_to_string(&self.path).is_ok_and(|there| there == *text))
    }

    /// Returns whether something else is there, which somebody may have written.
    #[must_use]
    pub fn would_replace(&self) -> bool {
        self.path.symlink_metadata().is_ok() && !self.is_there()
    }

    /// Writes the file next to its place, with the final mode from the first octet on, and moves it there. A folder that is
    /// missing is made.
    ///
    /// # Errors
    /// If a file or folder cannot be written; what was there before is still there then.
    pub fn write(&self) -> Result<()> {
        let folder = self.path.parent().unwrap_or_else(|| Path::new("/"));
        let made = DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder);
        made.map_err(|error| unwritable(folder, &error))?;
        let written = NamedTempFile::new_in(folder).and_then(|mut file| {
            match &self.content {
                Content::Key(key) => writeln!(file, "{}", key.expose())?,
                Content::Text(text) => file.write_all(text.as_bytes())?,
            }
            // Until here it was for its owner alone; the umask of the caller does not decide who may read.
            file.as_file().set_permissions(fs::Permissions::from_mode(self.mode))?;
            file.as_file().sync_all()?;
            Ok(file.persist(&self.path)?)
        });
        written.map(drop).map_err(|error| unwritable(&self.path, &error))
    }
}

/// Plans the configuration file with some settings; nothing if it has them already. Everything else in it stays, and so do
/// its mode and a link to it.
///
/// # Errors
/// If what is there cannot be read, or a value cannot be written down.
pub fn with_settings(config: &Path, settings: &[(Setting, &OsStr)]) -> Result<Option<Planned>> {
    let config = fs::canonicalize(config).unwrap_or_else(|_| config.to_owned());
    let unwritable = |error: io::Error| unwritable(&config, &error);
    let (head, before) = match fs::read_to_string(&config) {
        Ok(text) => ("", text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (HEAD, String::new()),
        Err(error) => return Err(unwritable(error)),
    };
    let mut document: DocumentMut = before.parse().map_err(|_| unwritable(io::ErrorKind::InvalidData.into()))?;
    let mut has_all = true;
    for (setting, value) in settings {
        // What is no text cannot be written there, and control characters only with escapes that nobody would read.
        let value = value.to_str().filter(|value| !value.contains(char::is_control));
        let value = value.ok_or_else(|| unwritable(io::ErrorKind::InvalidFilename.into()))?;
        let key = setting.key();
        if document.get(&key).and_then(|item| item.as_str()) != Some(value) {
            document[&key] = toml_edit::value(value);
            has_all = false;
        }
    }
    if has_all {
        return Ok(None);
    }
    let mode = fs::metadata(&config).map_or(TEXT_MODE, |before| before.permissions().mode() & 0o777);
    Ok(Some(Planned { mode, ..Planned::text(config, format!("{head}{document}")) }))
}

#[cfg(test)]
mod tests;
