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

/// Where the build script puts what the program makes of itself.
const PARTS: &str = "target/parts/";
const PROGRAM: &str = "target/release/ipv64-acme";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn manifest() -> Value {
    toml::from_str(&fs::read_to_string(root().join("Cargo.toml")).unwrap()).unwrap()
}

/// Source, place and mode of each file of the Debian package.
fn assets(manifest: &Value) -> Vec<[String; 3]> {
    let assets = manifest["package"]["metadata"]["deb"]["assets"].as_array().unwrap();
    let text = |asset: &Value, at: usize| asset[at].as_str().unwrap().to_owned();
    assets.iter().map(|asset| [0, 1, 2].map(|at| text(asset, at))).collect()
}

/// Runs the script that makes the parts, with the program under test.
fn parts(folder: &Path) {
    let script = root().join("hooks/debian/parts");
    let finished = process::run(Command::new(script).arg(programs::hook()).arg(folder));
    assert!(finished.status.success(), "{}", finished.said());
}

/// The files that a source in the manifest stands for: itself, or those with the ending after `*`.
fn matching(source: &Path) -> Vec<PathBuf> {
    let name = source.file_name().unwrap().to_str().unwrap();
    let Some(ending) = name.strip_prefix('*') else { return vec![source.to_owned()] };
    let entries = fs::read_dir(source.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.to_str().unwrap().ends_with(ending)).collect()
}

#[test]
fn every_file_of_the_debian_package_has_its_source() {
    let folder = tempfile::tempdir().unwrap();
    parts(folder.path());
    let assets = assets(&manifest());
    assert!(assets.iter().any(|[source, ..]| source == PROGRAM) && assets.len() > 10, "{assets:?}");
    for [source, place, mode] in assets.iter().filter(|[source, ..]| source != PROGRAM) {
        let made = source.strip_prefix(PARTS);
        let path = made.map_or_else(|| root().join(source), |made| folder.path().join(made));
        let files = matching(&path);
        assert!(!files.is_empty(), "{source} stands for nothing");
        for file in files {
            let there = fs::metadata(&file).unwrap_or_else(|error| panic!("{source}: {error}"));
            assert!(there.len() > 0, "{source} is empty");
            let runs = there.permissions().mode() & 0o111 != 0;
            assert!(mode == "755" || !runs, "{place} would lose that it is a program");
        }
    }
    assert_licences_of_all_libraries(&folder.path().join("licences.gz"));
}

fn assert_licences_of_all_libraries(file: &Path) {
    let licences = process::run(Command::new("gzip").arg("-dc").arg(file)).stdout;
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
