//! Which ACME clients are installed, and the exact lines with which each calls us. What is known of a client is in its
//! [`Convention`]; the pages below `docs/clients/` say more.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::hook::Convention;

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
    /// The lines to run or to write.
    pub lines: Vec<String>,
    /// What else has to be known.
    pub note: Option<&'static str>,
}

/// Finds the clients in the folders of `search_path` (the variable `PATH`) and in the usual places; `exe` is this program.
#[must_use]
pub fn find(search_path: &str, home: Option<&Path>, exe: &Path) -> Vec<Installed> {
    let folders: Vec<PathBuf> = std::env::split_paths(search_path)
        .chain(SYSTEM_FOLDERS.map(PathBuf::from))
        .filter(|it| it.is_absolute())
        .collect();
    let found = Convention::ALL.iter().filter_map(|known| Some((known, place(known, &folders, home)?)));
    found.map(|(known, path)| installed(known, path, exe)).collect()
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
        path,
        note: Some(known.note).filter(|note| !note.is_empty()),
    }
}

/// A path as a word of the shell, and of Apache's configuration.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if path.chars().all(plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_found_in_the_path_and_get_their_line() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["certbot", "uacme"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let found = find(folder.path().to_str().unwrap(), None, Path::new("/opt/a/ipv64-acme"));
        let of = |name| found.iter().find(|it| it.name == name).map(|it| (it.path.clone(), it.lines[0].clone()));
        let (path, line) = of("uacme").unwrap();
        assert_eq!(path, folder.path().join("uacme"));
        assert_eq!(line, "uacme -h /opt/a/ipv64-acme issue DOMAIN '*.DOMAIN'");
        let (_, line) = of("certbot").unwrap();
        assert!(line.contains("--manual-auth-hook \"/opt/a/ipv64-acme auth\""), "{line}");
    }

    #[test]
    fn acme_sh_is_found_below_the_home_folder() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".acme.sh")).unwrap();
        std::fs::write(home.path().join(".acme.sh/acme.sh"), "").unwrap();
        let found = find("", Some(home.path()), Path::new("/x"));
        assert!(found.iter().any(|it| it.name == "acme.sh" && it.path.starts_with(home.path())), "{found:?}");
    }

    #[test]
    fn what_a_package_brought_for_acme_sh_is_copied_from_there() {
        let folder = tempfile::tempdir().unwrap();
        let prefix = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir_all(prefix.join(".acme.sh")).unwrap();
        fs::write(prefix.join(".acme.sh/acme.sh"), "").unwrap();
        let lines = || {
            let found = find("", Some(&prefix), &prefix.join("bin/ipv64-acme"));
            found.into_iter().find(|it| it.name == "acme.sh").unwrap().lines
        };
        assert!(lines()[0].contains("acme.sh --issue"), "{:?}", lines());
        fs::create_dir_all(prefix.join("share/ipv64-acme")).unwrap();
        let at = prefix.display();
        assert_eq!(lines()[0], format!("cp {at}/share/ipv64-acme/dns_ipv64_acme.sh {at}/.acme.sh/dnsapi/"));
    }

    #[test]
    fn unusual_paths_are_quoted() {
        assert_eq!(quoted("/a/b-c.d"), "/a/b-c.d");
        assert_eq!(quoted("/a b/it's"), "'/a b/it'\\''s'");
    }
}
