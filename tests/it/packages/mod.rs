//! The packages as far as they can be looked at without building one: what they would carry is there, and says what is
//! so. The finished Debian package is installed by `tests/debian`.

mod newcomer;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::process;
use crate::support::programs;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn manifest() -> Value {
    toml::from_str(&fs::read_to_string(root().join("Cargo.toml")).unwrap()).unwrap()
}

/// Runs a script of `hooks`.
fn hook(name: &str, arguments: &[&Path]) {
    let finished = process::run(Command::new(root().join("hooks").join(name)).args(arguments));
    assert!(finished.status.success(), "{}", finished.said());
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn every_file_of_the_packages_is_there_and_only_programs_run() {
    let folder = tempfile::tempdir().unwrap();
    let (parts, tree) = (folder.path().join("parts"), folder.path().join("tree"));
    hook("parts", &[&programs::hook(), &parts]);
    hook("tree", &[&programs::hook(), &parts, &tree]);
    let programs = ["ipv64-acme", "add", "remove", "dns_ipv64_acme.sh"];
    let files = files(&tree);
    assert!(files.len() > 30, "{files:?}");
    for file in files {
        let there = fs::metadata(&file).unwrap();
        assert!(there.len() > 0, "{} is empty", file.display());
        let folder = file.parent().unwrap();
        let is_program = (folder.ends_with("bin") || folder.ends_with("usr/share/ipv64-acme"))
            && programs.contains(&file.file_name().unwrap().to_str().unwrap());
        let mode = there.permissions().mode() & 0o777;
        assert_eq!(mode, if is_program { 0o755 } else { 0o644 }, "{}", file.display());
    }
    assert_licences_of_all_libraries(&parts.join("LICENSE-libraries"));
}

fn assert_licences_of_all_libraries(file: &Path) {
    let licences = fs::read_to_string(file).unwrap();
    let crates: Vec<_> = licences.split("\n== ").skip(1).collect();
    assert!(crates.len() > 50, "{} libraries", crates.len());
    for entry in &crates {
        assert!(entry.contains("\n-- "), "no licence of {}", entry.lines().next().unwrap());
    }
    for name in ["ring ", "rustls ", "ureq ", "hickory-resolver ", "clap "] {
        assert!(crates.iter().any(|entry| entry.starts_with(name)), "{name}is missing");
    }
}

#[test]
fn the_copyright_file_has_the_text_of_the_licence() {
    let licence = fs::read_to_string(root().join("LICENSE-MIT")).unwrap();
    let copyright = fs::read_to_string(root().join("hooks/debian/copyright")).unwrap();
    for line in licence.lines().skip(4) {
        let expected = if line.is_empty() { " .".to_owned() } else { format!(" {line}") };
        assert!(copyright.lines().any(|it| it == expected), "{line}");
    }
    let owner = licence.lines().find_map(|line| line.strip_prefix("Copyright (c) ")).unwrap();
    assert!(copyright.contains(&format!("Copyright: {owner}")), "{owner}");
}

#[test]
fn the_synopsis_fits_into_the_line_that_debian_gives_it() {
    let description = manifest()["package"]["description"].as_str().unwrap().to_owned();
    // Debian policy 3.4.1: a line of less than 80 characters, no full stop.
    assert!(description.chars().count() < 80 && !description.ends_with('.'), "{description}");
}

#[test]
fn the_source_package_carries_sources_and_nothing_else() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut list = Command::new(cargo);
    list.current_dir(root()).args(["package", "--list", "--allow-dirty", "--offline", "--quiet"]);
    let finished = process::run(&mut list);
    assert!(finished.status.success(), "{}", finished.said());
    let files: Vec<_> = finished.stdout.lines().collect();
    for needed in ["Cargo.toml", "Cargo.lock", "README.md", "LICENSE-MIT", "LICENSE-APACHE", "src/main.rs"] {
        assert!(files.contains(&needed), "{needed} is missing");
    }
    let places = ["src/", "docs/", "hooks/"];
    for file in files.iter().filter(|file| file.contains('/')) {
        assert!(places.iter().any(|place| file.starts_with(place)), "{file}");
    }
}
