//! Units of systemd that start a client: which user, which environment, which credentials. Only what the files say; what a
//! running manager has been told besides is not known here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::run::{Run, assignments, files, read, starts, words};

/// Where the units of the system are (systemd.unit, section "Unit File Load Path"), the first one counts.
pub const FOLDERS: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];
/// The `PATH` of a service (systemd.exec, section "Environment Variables in Spawned Processes").
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The name by which a service gets our key.
const CREDENTIAL: &str = "ipv64-api-key";
/// Settings that hide or lock parts of the file system.
const SANDBOX: [&str; 7] = [
    "ProtectHome",
    "ProtectSystem",
    "PrivateTmp",
    "InaccessiblePaths",
    "TemporaryFileSystem",
    "RootDirectory",
    "DynamicUser",
];

/// Finds the services that start one of these programs.
#[must_use]
pub fn runs(folders: &[PathBuf], programs: &[&str]) -> Vec<Run> {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for path in folders.iter().flat_map(|folder| files(folder)) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".service") && !texts.contains_key(&name) {
            texts.extend(read(&path).map(|text| (name, text)));
        }
    }
    let units = texts.into_iter().map(|(name, text)| parse(&name, &[vec![text], drop_ins(folders, &name)].concat()));
    units.filter(|unit| programs.iter().any(|program| starts(&unit.command, program))).collect()
}

/// The texts that change a unit, in the order in which they count.
fn drop_ins(folders: &[PathBuf], name: &str) -> Vec<String> {
    let mut changes: BTreeMap<_, _> = BTreeMap::new();
    for path in folders.iter().rev().flat_map(|folder| files(&folder.join(format!("{name}.d")))) {
        if path.extension().is_some_and(|ending| ending == "conf") {
            changes.extend(read(&path).map(|text| (path.file_name().map(ToOwned::to_owned), text)));
        }
    }
    changes.into_values().collect()
}

fn parse(name: &str, texts: &[String]) -> Run {
    let mut run = Run { place: name.to_owned(), user: "root".to_owned(), ..Run::default() };
    run.environment.insert("PATH".to_owned(), PATH.to_owned());
    let mut files: Vec<String> = Vec::new();
    for text in texts {
        let text = text.replace("\\\n", " ");
        let mut section = "";
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
            if line.starts_with('[') {
                section = line;
            } else if let Some((key, value)) = line.split_once('=').filter(|_| section == "[Service]") {
                set(&mut run, &mut files, key.trim(), value.trim());
            }
        }
    }
    // What a file says comes after what the unit itself says.
    for path in &files {
        let text = read(Path::new(path.trim_start_matches('-'))).unwrap_or_default();
        run.environment.extend(assignments(&text));
    }
    run
}

fn set(run: &mut Run, files: &mut Vec<String>, key: &str, value: &str) {
    match key {
        "ExecStart" if value.is_empty() => run.command.clear(),
        "ExecStart" => run.command = format!("{} {}", run.command, value.trim_start_matches(['@', '-', ':', '+', '!'])),
        "User" => {
            run.is_login = !value.is_empty();
            run.user = if value.is_empty() { "root".to_owned() } else { value.to_owned() };
        }
        "Environment" => run.environment.extend(words(value).iter().flat_map(|word| one(word))),
        "EnvironmentFile" if value.is_empty() => files.clear(),
        "EnvironmentFile" => files.push(value.to_owned()),
        "StateDirectory" => {
            let folder = words(value).first().map(|name| format!("/var/lib/{name}"));
            run.environment.extend(folder.map(|folder| ("STATE_DIRECTORY".to_owned(), folder)));
        }
        "LoadCredential" => {
            let path =
                value.split_once(':').filter(|(name, _)| *name == CREDENTIAL).map(|(_, path)| PathBuf::from(path));
            run.credential = path.or_else(|| run.credential.take());
        }
        _ if SANDBOX.contains(&key) && !["no", "false", ""].contains(&value) => run.sandbox.push(key.to_owned()),
        _ => {}
    }
}

fn one(word: &str) -> Option<(String, String)> {
    word.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_service_tells_user_environment_and_credential() {
        let folder = tempfile::tempdir().unwrap();
        let [etc, lib] = ["etc", "lib"].map(|name| folder.path().join(name));
        fs::create_dir_all(etc.join("certbot.service.d")).unwrap();
        fs::create_dir_all(&lib).unwrap();
        let variables = folder.path().join("env");
        fs::write(&variables, "IPV64_PROPAGATION_TIMEOUT=300\nA=\"file\"\n").unwrap();
        fs::write(
            lib.join("certbot.service"),
            "[Unit]\nUser=no\n[Service]\nExecStart=/usr/bin/certbot \\\n  -q renew\n",
        )
        .unwrap();
        fs::write(lib.join("other.service"), "[Service]\nExecStart=/bin/true\n").unwrap();
        fs::write(lib.join("broken.service"), [0xff, 0, b'[']).unwrap();
        let change = format!(
            "[Service]\n# User=comment\nUser=www-data\nEnvironment=\"A=b c\" B=d\nEnvironmentFile=-{}\nEnvironmentFile=/none\n\
             LoadCredential=ipv64-api-key:/etc/ipv64-acme/api-key\nStateDirectory=ipv64-acme\nProtectHome=yes\nPrivateTmp=no\n",
            variables.display()
        );
        fs::write(etc.join("certbot.service.d/override.conf"), change).unwrap();
        let found = runs(&[etc, lib], &["certbot"]);
        assert_eq!(found.len(), 1, "{found:?}");
        let run = &found[0];
        assert_eq!((run.place.as_str(), run.user.as_str()), ("certbot.service", "www-data"));
        assert_eq!(run.words(), ["/usr/bin/certbot", "-q", "renew"]);
        let value = |name: &str| run.environment.get(name).map(String::as_str);
        assert_eq!(
            [value("A"), value("B"), value("IPV64_PROPAGATION_TIMEOUT")],
            [Some("file"), Some("d"), Some("300")]
        );
        assert_eq!((value("PATH"), value("STATE_DIRECTORY")), (Some(PATH), Some("/var/lib/ipv64-acme")));
        assert_eq!(run.credential.as_deref(), Some(Path::new("/etc/ipv64-acme/api-key")));
        assert_eq!(run.sandbox, ["ProtectHome"]);
    }
}
