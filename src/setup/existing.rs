//! What the ACME clients of this machine already have: certificates that certbot and lego renew, the hook of dehydrated, the key
//! that acme.sh has saved. Their files are read as text up to a limit and never run; what cannot be read is passed over.

use std::fs;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Machine;
use crate::excerpt::excerpt;
use crate::ownership::{self, Exposure, Readers, Unusable};
use crate::secret::Secret;

/// The longest file in octets that is read; those of real machines have a few thousand.
const LONGEST: u64 = 64 * 1024;
/// So many files of a folder are looked at.
const MOST_FILES: usize = 200;
/// So many names are shown.
const MOST_SHOWN: usize = 5;
/// How much of a text a message shows, in characters.
const SHOWN: usize = 80;
/// What is said of a file that is not read.
const PASSED_OVER: &str = "has a file that was passed over: ";

/// What was found of a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Existing {
    /// The client.
    pub client: &'static str,
    /// What it has, to be continued from its name.
    pub what: String,
    /// Where that stands.
    pub path: PathBuf,
}

/// Looks for what the clients have.
#[must_use]
pub fn look(machine: &Machine) -> Vec<Existing> {
    let mut found = certbot(machine.root.join("etc/letsencrypt/renewal"));
    let homes = [&machine.here, &machine.home].into_iter().flatten().map(|folder| folder.join(".lego"));
    let mut folders: Vec<_> = homes.chain([machine.root.join("etc/lego")]).collect();
    folders.dedup();
    found.extend(folders.into_iter().filter_map(lego));
    let configurations = ["etc/dehydrated/config", "usr/local/etc/dehydrated/config"];
    found.extend(configurations.into_iter().filter_map(|below| dehydrated(machine.root.join(below))));
    match saved_key(machine) {
        Ok(Some(saved)) => {
            found.push(Existing { client: "acme.sh", what: "has saved an API key".to_owned(), path: saved.path });
        }
        Ok(None) => {}
        Err(passed_over) => found.push(passed_over),
    }
    found
}

/// A key that acme.sh has saved for its own file for IPv64.
#[derive(Debug)]
pub struct SavedKey {
    /// Where it is.
    pub path: PathBuf,
    /// The key.
    pub key: Secret,
    /// That others can read it there, if they can.
    pub exposure: Option<Exposure>,
}

/// Finds the key that acme.sh has saved. Others may be able to read its file, but a key that they can change is not taken.
///
/// # Errors
/// What is to be told of a file that was passed over.
pub fn saved_key(machine: &Machine) -> Result<Option<SavedKey>, Existing> {
    let Some(path) = machine.home.as_ref().map(|home| home.join(".acme.sh/account.conf")) else { return Ok(None) };
    let passed_over =
        |why: String| Existing { client: "acme.sh", what: format!("{PASSED_OVER}{why}"), path: path.clone() };
    let file = match ownership::open(&path, Readers::Anybody) {
        Ok(file) => file,
        Err(Unusable::Unreadable(error)) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(Unusable::Unreadable(error)) => return Err(passed_over(error.to_string())),
        Err(Unusable::Exposed(exposure)) => return Err(passed_over(exposure.problem)),
    };
    let exposure = file.metadata().ok().and_then(|it| ownership::exposure_of(&path, &it, Readers::Owner));
    let text = text_of(file).map_err(|error| passed_over(error.to_string()))?;
    Ok(key_of_acme_sh(&text).map(|key| SavedKey { path: path.clone(), key, exposure }))
}

fn certbot(folder: PathBuf) -> Vec<Existing> {
    let (mut renewed, mut passed_over) = (Vec::new(), 0);
    for name in names(&folder, ".conf") {
        let text = read(&folder.join(format!("{name}.conf"))).ok();
        match text.as_deref().and_then(authenticator) {
            Some(by) if by == "manual" || by.starts_with("dns-") => {
                renewed.push(format!("{name} ({})", excerpt(by, SHOWN)));
            }
            Some(_) => {}
            None => passed_over += 1,
        }
    }
    let existing = |what| Existing { client: "certbot", what, path: folder.clone() };
    let mut found = Vec::new();
    if !renewed.is_empty() {
        found.push(existing(format!("renews {}", listed(&renewed))));
    }
    if passed_over > 0 {
        found.push(existing(format!("has files that cannot be read, and were passed over: {passed_over}")));
    }
    found
}

fn lego(folder: PathBuf) -> Option<Existing> {
    let names: Vec<_> = names(&folder.join("certificates"), ".crt")
        .into_iter()
        .filter(|name| !name.ends_with(".issuer"))
        // It cannot have a `*` in the name of a file.
        .map(|name| name.strip_prefix("_.").map_or_else(|| name.clone(), |rest| format!("*.{rest}")))
        .collect();
    let what = || format!("has certificates for {}", listed(&names));
    (!names.is_empty()).then(|| Existing { client: "lego", what: what(), path: folder })
}

fn dehydrated(path: PathBuf) -> Option<Existing> {
    let what = match read(&path) {
        Ok(text) => format!("calls the hook `{}`", excerpt(assigned(&text, "HOOK")?, SHOWN)),
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => format!("{PASSED_OVER}{error}"),
    };
    Some(Existing { client: "dehydrated", what, path })
}

/// The names of the files of a folder with this ending, without it, sorted; none where the folder cannot be read.
fn names(folder: &Path, ending: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().take(MOST_FILES).flatten();
    let bare = |name: String| name.strip_suffix(ending).map(str::to_owned);
    let mut names: Vec<_> = entries.filter_map(|entry| bare(entry.file_name().into_string().ok()?)).collect();
    names.sort_unstable();
    names
}

fn listed(names: &[String]) -> String {
    let shown: Vec<_> = names.iter().take(MOST_SHOWN).map(|name| excerpt(name, SHOWN)).collect();
    let more = names.len().saturating_sub(MOST_SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    shown.join(", ") + &more
}

fn read(path: &Path) -> io::Result<String> {
    text_of(ownership::open_regular(path)?)
}

fn text_of(file: fs::File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST {
        return Err(ErrorKind::FileTooLarge.into());
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Returns by which plugin certbot renews, from the text of a renewal file: `authenticator` in the section `[renewalparams]`.
fn authenticator(text: &str) -> Option<&str> {
    let lines = text.lines().map(str::trim).skip_while(|line| *line != "[renewalparams]").skip(1);
    let mut own = lines.take_while(|line| !line.starts_with('['));
    own.find_map(|line| line.strip_prefix("authenticator")?.trim_start().strip_prefix('=')).map(str::trim)
}

/// Returns the key that acme.sh has saved, from the text of its `account.conf`.
fn key_of_acme_sh(text: &str) -> Option<Secret> {
    // What a shell would expand, or what acme.sh has encoded, is no key.
    let plain = |key: &Secret| key.expose().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    Secret::parse(assigned(text, "SAVED_IPv64_Token")?).ok().filter(plain)
}

/// Returns what a shell's file assigns to a variable at last, without quotes. Nothing in it is expanded.
fn assigned<'a>(text: &'a str, variable: &str) -> Option<&'a str> {
    let value =
        text.lines().filter_map(|line| line.trim_start().strip_prefix(variable)?.strip_prefix('=')).next_back()?;
    let value = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => value[1..].split(quote).next(),
        _ => value.split(|c: char| c.is_whitespace() || c == '#').next(),
    };
    value.filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests;
