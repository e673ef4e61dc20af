//! Which ACME clients are installed, and the exact lines with which each calls us. What is known of a client is in its
//! [`Convention`]; the pages below `docs/clients/` say more.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Machine, certbot, quoted};
use crate::hook::Convention;
use crate::name::DnsName;

/// Where programs are looked for that are not in `PATH`, since a user's `PATH` lacks the system's folders.
const SYSTEM_FOLDERS: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/snap/bin", "/opt/bin"];

/// A client that was found, or that is shown as an example.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Installed {
    /// Its name.
    pub name: &'static str,
    /// Where it was found.
    pub path: PathBuf,
    /// The lines to run or to write: the best way.
    pub lines: Vec<String>,
    /// Those of the way for a machine where the best one cannot be taken; mostly empty.
    pub otherwise: Vec<String>,
    /// What else has to be known.
    pub note: Option<&'static str>,
}

/// Finds the clients in the folders of `PATH` and in the usual places. `exe` is this program; a domain takes the place of
/// `DOMAIN` in the lines.
#[must_use]
pub fn find(machine: &Machine, exe: &Path, domain: Option<&DnsName>) -> Vec<Installed> {
    let folders: Vec<PathBuf> = std::env::split_paths(&machine.search_path)
        .chain(SYSTEM_FOLDERS.map(PathBuf::from))
        .filter(|it| it.is_absolute())
        .collect();
    let found = Convention::ALL.iter().filter_map(|known| {
        let client = installed(known, place(known, &folders, machine.home.as_deref())?, exe);
        Some(if known.name == "certbot" { with_plugin(client, machine) } else { client })
    });
    let name = domain.map_or("DOMAIN", DnsName::as_str);
    found.map(|client| client.for_domain(name)).collect()
}

/// The plugin first: it stops certbot before the CA when something goes wrong, which hooks cannot.
fn with_plugin(client: Installed, machine: &Machine) -> Installed {
    let (lines, note) = certbot::plugin(machine, &client.path);
    match lines.len() {
        0 => Installed { note, ..client },
        // The plugin is there already: no other way is needed.
        1 => Installed { lines, note, ..client },
        _ => Installed { otherwise: client.lines, lines, note, ..client },
    }
}

impl Installed {
    fn for_domain(mut self, name: &str) -> Self {
        for line in self.lines.iter_mut().chain(&mut self.otherwise) {
            *line = line.replace("DOMAIN", name);
        }
        self
    }
}

fn place(known: &Convention, folders: &[PathBuf], home: Option<&Path>) -> Option<PathBuf> {
    let programs = known.programs.iter().flat_map(|program| folders.iter().map(move |folder| folder.join(program)));
    let paths = known.paths.iter().filter_map(|path| match path.strip_prefix("~/") {
        Some(below) => Some(home?.join(below)),
        None => Some(PathBuf::from(path)),
    });
    programs.chain(paths).find(|path| path.is_file())
}

fn installed(known: &Convention, path: PathBuf, exe: &Path) -> Installed {
    let word = |path: &Path| quoted(&path.to_string_lossy());
    let share = exe.parent().and_then(Path::parent).map(|prefix| prefix.join("share/ipv64-acme"));
    let share = share.filter(|folder| folder.is_dir());
    let here = fs::canonicalize(&path).ok().and_then(|path| path.parent().map(word)).unwrap_or_default();
    let lines = known.lines.iter().filter(|line| share.is_some() || !line.contains("{share}"));
    let share = share.as_deref().map(word).unwrap_or_default();
    let filled = |line: &&str| line.replace("{exe}", &word(exe)).replace("{share}", &share).replace("{here}", &here);
    Installed {
        name: known.name,
        lines: lines.map(filled).collect(),
        otherwise: Vec::new(),
        path,
        note: Some(known.note).filter(|note| !note.is_empty()),
    }
}

#[cfg(test)]
mod tests;
