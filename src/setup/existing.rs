//! What the ACME clients of this machine already have: certificates that certbot and lego renew, the hook of dehydrated, the key
//! that acme.sh has saved. Their files are read as text up to a limit and never run; what cannot be read is passed over.

use std::fs;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Machine;
use crate::excerpt::excerpt;
use crate::ownership::{self, Readers, Unusable};
use crate::secret::Secret;

/// The longest file in octets that is read; those of real machines have a few thousand.
const LONGEST: u64 = 64 * 1024;
/// So many files of a folder are looked at.
const MOST_FILES: usize = 200;
/// So many names are shown.
const MOST_SHOWN: usize = 5;
/// How much of a text a message shows, in characters.
const SHOWN: usize = 80;

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
    if let Some((path, _)) = saved_key(machine) {
        found.push(Existing { client: "acme.sh", what: "has saved an API key".to_owned(), path });
    }
    found
}

/// Finds the key that acme.sh has saved for its own file for IPv64, in a file that nobody else can change. Others may be able
/// to read it: acme.sh closes the folder around it instead.
#[must_use]
pub fn saved_key(machine: &Machine) -> Option<(PathBuf, Secret)> {
    let path = machine.home.as_ref()?.join(".acme.sh/account.conf");
    let open = |path: &Path| match ownership::open(path, Readers::Anybody) {
        Ok(file) => Ok(file),
        Err(Unusable::Unreadable(error)) => Err(error),
        Err(Unusable::Exposed(exposure)) => Err(io::Error::other(exposure.problem)),
    };
    let key = key_of_acme_sh(&read(&path, open).ok()?)?;
    Some((path, key))
}

fn certbot(folder: PathBuf) -> Vec<Existing> {
    let (mut renewed, mut passed_over) = (Vec::new(), 0);
    for name in names(&folder, ".conf") {
        let text = read(&folder.join(format!("{name}.conf")), ownership::open_regular).ok();
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
    let what = match read(&path, ownership::open_regular) {
        Ok(text) => format!("calls the hook `{}`", excerpt(assigned(&text, "HOOK")?, SHOWN)),
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => format!("has a file that was passed over: {error}"),
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

fn read(path: &Path, open: impl FnOnce(&Path) -> io::Result<fs::File>) -> io::Result<String> {
    let mut bytes = Vec::new();
    open(path)?.take(LONGEST + 1).read_to_end(&mut bytes)?;
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
