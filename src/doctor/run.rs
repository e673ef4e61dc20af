//! How a machine starts an ACME client without anybody there: as which user, with which environment. What is in a unit or a crontab
//! is read in [`super::units`] and [`super::crontabs`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::ownership;

/// No file of settings of a client is longer, in octets.
const LONGEST_FILE: u64 = 256 * 1024;

/// One way in which a client is started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Run {
    /// The unit or the file that says so.
    pub place: String,
    /// The user, by name or number.
    pub user: String,
    /// Whether the user's home folder and name are in the environment.
    pub is_login: bool,
    /// What is started.
    pub command: String,
    /// Its environment, without what comes from the user.
    pub environment: BTreeMap<String, String>,
    /// The file from which systemd hands the API key over.
    pub credential: Option<PathBuf>,
    /// Settings of a unit that may hide files from the client, and that nobody can see from outside.
    pub sandbox: Vec<String>,
}

impl Run {
    /// Returns the words of the command, as a shell would make them.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        words(&self.command)
    }

    /// Returns what follows a flag in the command, as a word of its own or behind `=`.
    #[must_use]
    pub fn flag(&self, flag: &str) -> Option<String> {
        let words = self.words();
        let at = words.iter().position(|word| word.split('=').next() == Some(flag))?;
        words[at].split_once('=').map(|(_, value)| value.to_owned()).or_else(|| words.get(at + 1).cloned())
    }

    /// Returns where a program is that the client calls by this word, by the folders of the `PATH` of this run.
    #[must_use]
    pub fn find_program(&self, word: &str) -> Option<PathBuf> {
        if word.contains('/') {
            return Some(PathBuf::from(word)).filter(|path| path.is_file());
        }
        let path = self.environment.get("PATH").map_or("", String::as_str);
        std::env::split_paths(path).map(|folder| folder.join(word)).find(|path| path.is_file())
    }
}

/// A user of the system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its name.
    pub name: String,
    /// Its number.
    pub uid: u32,
    /// The number of its group.
    pub gid: u32,
    /// Its home folder.
    pub home: PathBuf,
}

impl User {
    /// Finds a user, by name or number, in the text of `/etc/passwd`.
    #[must_use]
    pub fn find(passwd: &str, user: &str) -> Option<Self> {
        passwd.lines().find_map(|line| {
            let [name, _, uid, gid, _, home, ..] = line.split(':').collect::<Vec<_>>()[..] else { return None };
            let is_it = name == user || uid == user;
            let (uid, gid) = (uid.parse().ok()?, gid.parse().ok()?);
            is_it.then(|| Self { name: name.to_owned(), uid, gid, home: home.into() })
        })
    }
}

/// Whether a command starts a program: by its name, or as snap calls it (`certbot.renew`).
#[must_use]
pub fn starts(command: &str, program: &str) -> bool {
    words(command).iter().any(|word| {
        let name = word.rsplit('/').next().unwrap_or_default();
        name == program || name.strip_prefix(program).is_some_and(|rest| rest.starts_with('.'))
    })
}

/// The words of a line; of one that a shell would not understand, what blanks separate.
#[must_use]
pub fn words(line: &str) -> Vec<String> {
    shlex::split(line).unwrap_or_else(|| line.split_whitespace().map(str::to_owned).collect())
}

/// Reads assignments of a shell, such as `export NAME='value'`; everything else is passed over.
#[must_use]
pub fn assignments(text: &str) -> Vec<(String, String)> {
    let read = |line: &str| {
        let line = line.trim().trim_start_matches("export ").trim_start();
        let (name, value) = line.split_once('=')?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let value = words(value.trim_start()).into_iter().next().unwrap_or_default();
        (!name.is_empty() && name.chars().all(is_name)).then(|| (name.to_owned(), value))
    };
    text.lines().filter_map(read).collect()
}

/// Reads a file of settings; nothing for one that is missing, unreadable, huge or no file.
#[must_use]
pub fn read(path: &Path) -> Option<String> {
    let bytes = ownership::read_whole(ownership::open_regular(path).ok()?, LONGEST_FILE).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Returns the files of a folder, by name.
#[must_use]
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_known_by_its_name() {
        for (command, is_it) in [
            ("/usr/bin/certbot -q renew", true),
            ("test -x /usr/bin/certbot -a \\! -d /run/x && perl -e 'sleep int(rand(43200))' && certbot -q renew", true),
            ("/usr/bin/snap run --timer=\"00:00~24:00/2\" certbot.renew", true),
            ("/usr/bin/certbot-auto renew", false),
            ("echo 'certbot renew'", false),
            ("an 'open quote certbot", true),
        ] {
            assert_eq!(starts(command, "certbot"), is_it, "{command}");
        }
    }

    #[test]
    fn users_assignments_and_flags_are_read() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\nwww-data:x:33:33::/var/www:/usr/sbin/nologin\n";
        assert_eq!(User::find(passwd, "33").map(|user| (user.name, user.gid)), Some(("www-data".to_owned(), 33)));
        assert_eq!(User::find(passwd, "nobody"), None);
        let read = assignments("# a\nexport A='b c'\n  B=\"d\" # more\nif [ x = y ]; then\nC=\n");
        let expected = [("A", "b c"), ("B", "d"), ("C", "")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(read, expected);
        let run = Run { command: "certbot renew --config-dir=/a --work-dir /b".into(), ..Run::default() };
        assert_eq!([run.flag("--config-dir"), run.flag("--work-dir")], [Some("/a".into()), Some("/b".into())]);
    }
}
