//! Writes the files of clients: a new one, or other tokens in one. Each is replaced as a whole, so that a broker that reads it
//! meets the old one or the new one. Whoever changes one takes the lock of their folder first.

use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::NamedTempFile;
use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, Value, value};

use super::client_file::{AcmeDnsAccount, ClientFile, EXTENSION};
use super::grant::NotReady;
use super::token::TokenHash;
use crate::error::{Error, Kind, Result};
use crate::excerpt::visible_path;
use crate::ownership;
use crate::state::lock_within;

/// The owner and the group may read a client file: the broker may have a user of its own.
const FILE_MODE: u32 = 0o640;
/// The same for the folder of clients.
const CLIENTS_MODE: u32 = 0o750;
/// Anybody may look into the folder above; what is secret in it has a mode of its own.
const FOLDER_MODE: u32 = 0o755;
/// How long to wait for the lock: it is held for milliseconds.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
/// The first lines of a new file.
const HEAD: &str =
    "# A client of the broker, written by `ipv64-acme client add`. It may do what is named here, and nothing else.\n";

/// Returns where the file of a client is, or would be.
#[must_use]
pub fn path(folder: &Path, client: &str) -> PathBuf {
    folder.join(format!("{client}.{EXTENSION}"))
}

/// Keeps other commands from changing a client, until what is returned is dropped. Nothing where the folder is not there, or on
/// a file system without locks.
///
/// # Errors
/// [`Kind::Unwritable`] if another command does not end.
pub fn lock(folder: &Path) -> Result<Option<File>> {
    let Ok(lock) = File::open(folder) else { return Ok(None) };
    match lock_within(&lock, LOCK_PATIENCE) {
        Err(TryLockError::WouldBlock) => {
            let seconds = LOCK_PATIENCE.as_secs();
            let problem = format!("`{}` was locked by another process for {seconds} s", visible_path(folder));
            Err(Error::new(Kind::Unwritable, problem)
                .advise("look for an `ipv64-acme client` command that hangs, and end it"))
        }
        Err(TryLockError::Error(_)) => Ok(None),
        Ok(()) => Ok(Some(lock)),
    }
}

/// Writes the file of a new client.
///
/// # Errors
/// [`Kind::ClientExists`] if there is one, [`Kind::ClientExposed`] where others could replace it, [`Kind::Unwritable`].
pub fn add(folder: &Path, file: &ClientFile) -> Result<PathBuf> {
    let client = &file.grant.client;
    let path = path(folder, client);
    if let Some(exposure) = ownership::exposure_of_place(&path) {
        let problem = format!("the client file {}", exposure.problem);
        return Err(Error::new(Kind::ClientExposed, problem).advise(exposure.remedy));
    }
    let written = prepared(&path, &text(file)).and_then(|file| Ok(file.persist_noclobber(&path)?));
    match written {
        Ok(_) => Ok(path),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let problem =
                format!("there is a client `{client}` already, nothing was changed: `{}`", visible_path(&path));
            Err(Error::new(Kind::ClientExists, problem).advise(format!(
                "edit that file to change what it may do; for a new token run `ipv64-acme client rotate {client}`"
            )))
        }
        Err(error) => Err(unwritable(&path, &error)),
    }
}

/// Adds the hash of a new token before those of a client, and returns how many there are then.
///
/// # Errors
/// If the file cannot be used or written; it is as before then.
pub fn add_token(path: &Path, token: TokenHash) -> Result<usize> {
    change_tokens(path, |tokens| tokens.insert(0, token.to_string()))
}

/// Drops all tokens of a client but the newest one, and returns how many there were.
///
/// # Errors
/// If the file cannot be used or written; it is as before then.
pub fn drop_old_tokens(path: &Path) -> Result<usize> {
    let before = ClientFile::read(path)?.tokens.len();
    if before > 1 {
        change_tokens(path, |tokens| {
            while tokens.len() > 1 {
                tokens.remove(1);
            }
        })?;
    }
    Ok(before)
}

fn change_tokens(path: &Path, change: impl FnOnce(&mut Array)) -> Result<usize> {
    let before = ClientFile::text(path)?;
    ClientFile::parse(path, &before)?;
    let broken = |_| unwritable(path, &ErrorKind::InvalidData.into());
    let mut document: DocumentMut = before.parse().map_err(broken)?;
    let tokens = document.entry("tokens").or_insert_with(|| value(Array::new()));
    let tokens = tokens.as_array_mut().ok_or_else(|| unwritable(path, &ErrorKind::InvalidData.into()))?;
    change(tokens);
    let length = tokens.len();
    let written = prepared(path, &document.to_string()).and_then(|file| Ok(file.persist(path)?));
    written.map_err(|error| unwritable(path, &error))?;
    Ok(length)
}

/// The text of a new file. What is not said is left out.
fn text(file: &ClientFile) -> String {
    let grant = &file.grant;
    let mut document = DocumentMut::new();
    document.decor_mut().set_prefix(HEAD);
    document["tokens"] = list(&file.tokens);
    document["allow"] = list(&grant.allow);
    if !grant.alias.is_empty() {
        document["alias"] = list(&grant.alias);
    }
    if !grant.from.is_empty() {
        document["from"] = list(&grant.from);
    }
    if let Some(calls) = grant.calls_per_day {
        document["calls_per_day"] = value(i64::from(calls));
    }
    if grant.not_ready == NotReady::Fail {
        document["not_ready"] = value("fail");
    }
    if let Some(uid) = file.uid {
        document["uid"] = value(i64::from(uid));
    }
    if !file.acme_dns.is_empty() {
        document["acme_dns"] = Item::ArrayOfTables(file.acme_dns.iter().map(account).collect::<ArrayOfTables>());
    }
    document.to_string()
}

fn account(account: &AcmeDnsAccount) -> Table {
    let mut table = Table::new();
    table["username"] = value(&account.username);
    table["key"] = value(account.key.to_string());
    table["subdomain"] = value(&account.subdomain);
    table["record"] = value(account.record.as_str());
    table
}

fn list(items: &[impl ToString]) -> Item {
    value(items.iter().map(ToString::to_string).collect::<Value>())
}

/// Makes the folder of clients and the one above it where they are not there, with their modes whatever the umask is.
///
/// # Errors
/// [`Kind::Unwritable`]
pub fn make_folder(folder: &Path) -> Result<()> {
    let above = folder.parent().unwrap_or_else(|| Path::new("/"));
    for (folder, mode) in [(above, FOLDER_MODE), (folder, CLIENTS_MODE)] {
        if !folder.is_dir() {
            let made = DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder);
            let made = made.and_then(|()| fs::set_permissions(folder, Permissions::from_mode(mode)));
            made.map_err(|error| unwritable(folder, &error))?;
        }
    }
    Ok(())
}

/// Writes a file next to the place, with its final mode and the group of the folder.
fn prepared(path: &Path, text: &str) -> io::Result<NamedTempFile> {
    let folder = path.parent().unwrap_or_else(|| Path::new("/"));
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    // Only root, or a member of that group, may: else the broker says that it cannot read the file.
    fchown(file.as_file(), None, Some(File::open(folder)?.metadata()?.gid())).ok();
    file.as_file().set_permissions(Permissions::from_mode(FILE_MODE))?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// The error for a file or folder that cannot be written.
#[must_use]
pub fn unwritable(path: &Path, error: &io::Error) -> Error {
    let hint = match error.kind() {
        ErrorKind::PermissionDenied => {
            "run it as root, for example with sudo, or name another folder with --config-dir"
        }
        _ => "check that folder, or name another one with --config-dir",
    };
    Error::new(Kind::Unwritable, format!("cannot write `{}`: {error}", visible_path(path))).advise(hint)
}

#[cfg(test)]
mod tests;
