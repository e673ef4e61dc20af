//! What ACME clients have stored about the hook: the program that they call, and the settings that they give it. Read in the
//! clients' own files, for each way in which such a client is started.

use std::path::{Path, PathBuf};

use super::run::{Run, User, assignments, files, read};

/// What a client calls, and with what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// Files that were read.
    pub files: Vec<PathBuf>,
    /// The first word of each hook.
    pub programs: Vec<String>,
    /// Variables that the client sets for it.
    pub variables: Vec<(String, String)>,
    /// The file with the key that certbot's plugin hands over.
    pub credentials: Option<PathBuf>,
}

/// Where acmetool looks for hooks.
const ACMETOOL: [&str; 2] = ["/etc/acme/hooks", "/usr/lib/acme/hooks"];

impl Stored {
    /// Whether nothing in it calls this program.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.programs.is_empty()
    }
}

/// Reads what a client has stored; `client` is its name in [`crate::hook::Convention`].
#[must_use]
pub fn read_for(client: &str, run: &Run, user: &User) -> Stored {
    match client {
        "certbot" => certbot(&run.flag("--config-dir").map_or_else(|| "/etc/letsencrypt".into(), PathBuf::from)),
        "acme.sh" => {
            let home = run.flag("--config-home").or_else(|| run.flag("--home"));
            acme_sh(&home.map_or_else(|| user.home.join(".acme.sh"), PathBuf::from))
        }
        "dehydrated" => dehydrated(
            &run.flag("--config")
                .or_else(|| run.flag("-f"))
                .map_or_else(|| PathBuf::from("/etc/dehydrated/config"), PathBuf::from),
        ),
        "acmetool" => {
            let hooks = ACMETOOL.iter().flat_map(|folder| files(Path::new(folder)));
            let ours = hooks.filter(|path| path.to_string_lossy().contains("ipv64-acme"));
            Stored { files: ours.collect(), ..Stored::default() }
        }
        "uacme" => Stored { programs: run.flag("-h").into_iter().collect(), ..Stored::default() },
        _ => Stored { programs: run.environment.get("EXEC_PATH").cloned().into_iter().collect(), ..Stored::default() },
    }
}

/// certbot's renewal files, of which those count that call this program or its plugin.
fn certbot(folder: &Path) -> Stored {
    let mut stored = Stored::default();
    for path in files(&folder.join("renewal")) {
        let text = read(&path).unwrap_or_default();
        let value = |name: &str| {
            let lines = text.lines().filter_map(|line| line.split_once('='));
            lines.map(|(key, value)| (key.trim(), value.trim())).find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        match value("authenticator") {
            Some("dns-ipv64") => {
                stored.credentials = value("dns_ipv64_credentials").map(PathBuf::from).or(stored.credentials);
            }
            Some("manual") => match value("manual_auth_hook").filter(|hook| hook.contains("ipv64-acme")) {
                Some(hook) => stored.programs.extend(super::run::words(hook).into_iter().next()),
                None => continue,
            },
            _ => continue,
        }
        stored.files.push(path);
    }
    stored
}

/// acme.sh keeps what a DNS file has saved as `SAVED_NAME`.
fn acme_sh(folder: &Path) -> Stored {
    let path = folder.join("account.conf");
    let Some(text) = read(&path) else { return Stored::default() };
    let saved = assignments(&text).into_iter().filter_map(|(name, value)| {
        let name = name.strip_prefix("SAVED_")?.to_owned();
        (name == "IPv64_Token" || name.starts_with("IPV64_")).then_some((name, value))
    });
    let variables: Vec<_> = saved.collect();
    let program = variables.iter().find(|(name, _)| name == "IPV64_ACME").map(|(_, path)| path.clone());
    let programs = vec![program.unwrap_or_else(|| "ipv64-acme".to_owned())];
    Stored { files: vec![path], programs, variables, credentials: None }
}

fn dehydrated(path: &Path) -> Stored {
    let Some(text) = read(path) else { return Stored::default() };
    let set = assignments(&text);
    let programs = set.iter().filter(|(name, _)| name == "HOOK").map(|(_, hook)| hook.clone()).collect();
    let exported = |(name, _): &(String, String)| text.contains(&format!("export {name}="));
    Stored {
        files: vec![path.into()],
        programs,
        variables: set.into_iter().filter(exported).collect(),
        credentials: None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn each_client_tells_its_hook_and_its_settings() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("renewal")).unwrap();
        fs::write(
            at("renewal/a.conf"),
            "version = 5\n[renewalparams]\nauthenticator = manual\nmanual_auth_hook = /opt/ipv64-acme auth\n",
        )
        .unwrap();
        fs::write(at("renewal/b.conf"), "authenticator = dns-ipv64\ndns_ipv64_credentials = /root/ipv64.ini\n")
            .unwrap();
        fs::write(at("renewal/c.conf"), "authenticator = webroot\n").unwrap();
        fs::write(at("renewal/d.conf"), [0xff, b'=', 0]).unwrap();
        let stored = certbot(folder.path());
        assert_eq!((stored.files.len(), stored.programs), (2, vec!["/opt/ipv64-acme".to_owned()]));
        assert_eq!(stored.credentials, Some("/root/ipv64.ini".into()));
        fs::write(
            at("account.conf"),
            "ACCOUNT_EMAIL='a'\nSAVED_IPv64_Token='key'\nSAVED_IPV64_ACME='/opt/x'\nSAVED_CF_Key='y'\n",
        )
        .unwrap();
        let stored = acme_sh(folder.path());
        assert_eq!((stored.programs, stored.variables.len()), (vec!["/opt/x".to_owned()], 2));
        fs::write(
            at("config"),
            "CHALLENGETYPE=\"dns-01\"\nHOOK=/usr/local/bin/ipv64-acme\nexport IPV64_API_KEY_FILE=/k\n",
        )
        .unwrap();
        let stored = dehydrated(&at("config"));
        assert_eq!(stored.programs, ["/usr/local/bin/ipv64-acme"]);
        assert_eq!(stored.variables, [("IPV64_API_KEY_FILE".to_owned(), "/k".to_owned())]);
    }
}
