//! Crontabs that start a client: as which user, with which variables. Formats as in cron(8) of Debian and in cronie.

use std::path::{Path, PathBuf};

use super::run::{Run, assignments, files, read, starts};

/// The table of the system and the folder of its parts, whose lines name a user.
pub const SYSTEM: [&str; 2] = ["/etc/crontab", "/etc/cron.d"];
/// Folders with one table for each user, by name.
pub const USERS: [&str; 2] = ["/var/spool/cron/crontabs", "/var/spool/cron"];
/// The `PATH` of a job of a user whose table sets none.
const PATH: &str = "/usr/bin:/bin";
/// What Debian's jobs ask, in order to leave the work to a timer.
const HAS_SYSTEMD: &str = "/run/systemd/system";

/// Finds the jobs that start one of these programs.
#[must_use]
pub fn runs(system: &[PathBuf], users: &[PathBuf], programs: &[&str]) -> Vec<Run> {
    let system = system.iter().flat_map(|path| if path.is_file() { vec![path.clone()] } else { files(path) });
    let users = users.iter().flat_map(|folder| files(folder));
    let own = |path: &Path| Some(path.file_name()?.to_string_lossy().into_owned());
    let tables = system.map(|path| (path, None)).chain(users.map(|path| (path.clone(), own(&path))));
    let jobs = tables.flat_map(|(path, user)| jobs(&path, user.as_deref()));
    jobs.filter(|run| programs.iter().any(|program| starts(&run.command, program))).collect()
}

fn jobs(path: &Path, user: Option<&str>) -> Vec<Run> {
    let mut environment = std::collections::BTreeMap::from([("PATH".to_owned(), PATH.to_owned())]);
    let mut jobs = Vec::new();
    for line in read(path).unwrap_or_default().lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        let time = if line.starts_with('@') { 1 } else { 5 };
        if line.starts_with(|c: char| c.is_ascii_digit() || c == '*' || c == '@') {
            let (fields, command) = split(line, time + usize::from(user.is_none()));
            let named = user.or_else(|| fields.last().copied()).unwrap_or_default();
            let is_idle = command.contains(HAS_SYSTEMD) && Path::new(HAS_SYSTEMD).exists();
            if !command.is_empty() && !is_idle {
                jobs.push(Run {
                    place: path.display().to_string(),
                    user: named.to_owned(),
                    is_login: true,
                    command: command.to_owned(),
                    environment: environment.clone(),
                    ..Run::default()
                });
            }
        } else {
            environment.extend(assignments(line));
        }
    }
    jobs
}

/// Takes so many fields off a line.
fn split(line: &str, fields: usize) -> (Vec<&str>, &str) {
    let (mut taken, mut rest) = (Vec::new(), line);
    for _ in 0..fields {
        let (field, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        taken.push(field);
        rest = after.trim_start();
    }
    (taken, rest)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn jobs_have_the_user_and_the_variables_of_their_table() {
        let folder = tempfile::tempdir().unwrap();
        let [system, users] = ["cron.d", "crontabs"].map(|name| folder.path().join(name));
        [&system, &users].iter().for_each(|folder| fs::create_dir(folder).unwrap());
        let table = "# certbot\nSHELL=/bin/sh\n17 3 * * * root certbot -q renew\nPATH=/usr/local/bin:/bin\n@daily www-data certbot renew\n\
                     1 2 3 4 5 root other\n17 3\n";
        fs::write(system.join("certbot"), table).unwrap();
        fs::write(users.join("alice"), "*/5 * * * * \"/home/alice/.acme.sh\"/acme.sh --cron >/dev/null\n").unwrap();
        fs::write(users.join("eve"), [0xff, b'\n', 0]).unwrap();
        let seen = |programs: &[&str]| -> Vec<_> {
            let found = runs(std::slice::from_ref(&system), std::slice::from_ref(&users), programs);
            found.into_iter().map(|run| (run.user, run.environment["PATH"].clone(), run.command)).collect()
        };
        let row = |user: &str, path: &str, command: &str| (user.to_owned(), path.to_owned(), command.to_owned());
        assert_eq!(
            seen(&["certbot"]),
            [row("root", PATH, "certbot -q renew"), row("www-data", "/usr/local/bin:/bin", "certbot renew")]
        );
        assert_eq!(seen(&["acme.sh"])[0].0, "alice");
        assert!(seen(&["lego"]).is_empty());
    }
}
