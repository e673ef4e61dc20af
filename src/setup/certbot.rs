//! How certbot gets a certificate with the plugin: whether it has it, and otherwise how it comes into the environment of this
//! certbot. certbot itself is not asked: listing its plugins takes seconds.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Machine, quoted};

/// What certbot is called with.
const ORDER: &str = "certbot certonly --authenticator dns-ipv64 -d DOMAIN -d '*.DOMAIN'";
/// Where the plugin goes if certbot's Python belongs to the distribution, as the documentation has it.
const APART: &str = "/opt/certbot-dns-ipv64";
/// What has to be known there.
const NEEDS_VARIABLE: &str = "the renewal needs CERTBOT_PLUGIN_PATH too: `systemctl edit certbot.service`, then [Service] and \
                              Environment=CERTBOT_PLUGIN_PATH=/opt/certbot-dns-ipv64";

/// Returns the lines to run, and what else has to be known; no lines for a certbot that takes no plugins.
#[must_use]
pub fn plugin(machine: &Machine, certbot: &Path) -> (Vec<String>, Option<&'static str>) {
    let real = fs::canonicalize(certbot).unwrap_or_else(|_| certbot.to_owned());
    let (Some(bin), Some(prefix)) = (real.parent(), real.parent().and_then(Path::parent)) else {
        return (vec![], None);
    };
    // The snap is a link to the program `snap`.
    if real.ends_with("snap") {
        return (
            vec![],
            Some("the snap takes no plugin; certbot from pipx does, and stops before the CA when a hook fails"),
        );
    }
    let root = fs::canonicalize(&machine.root).unwrap_or_else(|_| machine.root.clone());
    let is_system = bin == root.join("usr/bin");
    let named = std::env::split_paths(&machine.plugin_path).any(|folder| has_plugin(&folder));
    let mut folders = libraries(prefix);
    if is_system {
        folders.extend(libraries(&root.join("usr/local")));
    }
    let (order, apart) = (ORDER.to_owned(), format!("CERTBOT_PLUGIN_PATH={APART} {ORDER}"));
    if folders.iter().any(|folder| has_plugin(folder)) {
        (vec![order], None)
    } else if has_plugin(&root.join(APART.trim_start_matches('/'))) {
        // Also where this shell has the variable: the renewal has not.
        (vec![apart], Some(NEEDS_VARIABLE))
    } else if named {
        (vec![order], None)
    } else if is_system {
        let pip = format!("pip install --no-deps --target {APART} certbot-dns-ipv64 ipv64-acme");
        (vec![pip, apart], Some(NEEDS_VARIABLE))
    } else if prefix.join("pipx_metadata.json").exists() {
        (vec!["pipx inject --include-apps certbot certbot-dns-ipv64 ipv64-acme".to_owned(), order], None)
    } else {
        let python = bin.join("python3");
        let python = if python.exists() { quoted(&python.to_string_lossy()) } else { "python3".to_owned() };
        (vec![format!("{python} -m pip install certbot-dns-ipv64"), order], None)
    }
}

/// The folders of packages below the prefix of a Python.
fn libraries(prefix: &Path) -> Vec<PathBuf> {
    let versions = ["lib", "lib64"]
        .map(|lib| prefix.join(lib))
        .into_iter()
        .flat_map(|lib| fs::read_dir(lib).into_iter().flatten());
    let pythons = versions.flatten().filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"python3"));
    pythons.flat_map(|entry| ["site-packages", "dist-packages"].map(|name| entry.path().join(name))).collect()
}

/// By its metadata: certbot finds its plugins by those.
fn has_plugin(folder: &Path) -> bool {
    fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("certbot_dns_ipv64-") && name.ends_with(".dist-info")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of the certbot at `certbot`, on a machine with these files.
    fn said(certbot: &str, files: &[&str]) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        for file in files.iter().chain([&certbot]) {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let machine = Machine { root: root.path().to_owned(), ..Machine::default() };
        let real = fs::canonicalize(root.path()).unwrap();
        let lines = plugin(&machine, &root.path().join(certbot)).0;
        lines.iter().map(|line| line.replace(real.to_str().unwrap(), "")).collect()
    }

    #[test]
    fn the_way_into_each_environment_is_named_and_what_is_there_is_not_installed_again() {
        const METADATA: &str = "certbot_dns_ipv64-0.1.0.dist-info/METADATA";
        let apart = format!("CERTBOT_PLUGIN_PATH={APART} {ORDER}");
        let pip = "pip install --no-deps --target /opt/certbot-dns-ipv64 certbot-dns-ipv64 ipv64-acme";
        let pipx = "pipx inject --include-apps certbot certbot-dns-ipv64 ipv64-acme";
        let table: [(&str, &[&str], &[&str]); 8] = [
            ("usr/bin/certbot", &[], &[pip, &apart]),
            ("usr/bin/certbot", &[&format!("opt/certbot-dns-ipv64/{METADATA}")], &[&apart]),
            ("usr/bin/certbot", &[&format!("usr/local/lib/python3.11/dist-packages/{METADATA}")], &[ORDER]),
            (
                "opt/c/bin/certbot",
                &["opt/c/bin/python3"],
                &["/opt/c/bin/python3 -m pip install certbot-dns-ipv64", ORDER],
            ),
            ("opt/c/bin/certbot", &[&format!("opt/c/lib/python3.13/site-packages/{METADATA}")], &[ORDER]),
            ("x/bin/certbot", &["x/pipx_metadata.json", "x/bin/python3"], &[pipx, ORDER]),
            (
                "x/bin/certbot",
                &["x/lib/python3.13/site-packages/certbot_dns_ipv64_x/y"],
                &["python3 -m pip install certbot-dns-ipv64", ORDER],
            ),
            ("usr/bin/snap", &[], &[]),
        ];
        for (certbot, files, lines) in table {
            assert_eq!(said(certbot, files), lines, "{certbot} {files:?}");
        }
    }
}
