//! Man pages, checked by the program that shows them.

use std::path::Path;

use crate::support::environment::TestEnvironment;
use crate::support::process;
use crate::support::programs;

#[test]
#[ignore = "needs man: run by tests/run"]
fn man_shows_every_page_without_complaint() {
    let env = TestEnvironment::new();
    let folder = env.path("man");
    let files = env.json(&["man", folder.to_str().unwrap()]);
    let files: Vec<_> = files["files"].as_array().unwrap().iter().map(|file| file.as_str().unwrap()).collect();
    assert!(files.len() > 10, "{files:?}");
    for file in files {
        let mut man = env.command(programs::system("man"));
        man.args(["--warnings", "-l", file]).env("LC_ALL", "C.UTF-8").env("MANWIDTH", "80");
        let finished = process::run(&mut man);
        assert!(finished.status.success() && finished.stderr.is_empty(), "{file}: {}", finished.said());
        let name = Path::new(file).file_stem().unwrap().to_str().unwrap();
        assert!(finished.stdout.contains(&format!("{name} - ")), "{file}: {}", finished.said());
        for heading in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES"] {
            assert!(finished.stdout.lines().any(|line| line == heading), "{file}: no {heading}\n{}", finished.said());
        }
    }
}

#[test]
fn the_main_page_tells_hooks_settings_files_and_exit_codes() {
    let page = TestEnvironment::new().succeed(&["man"]);
    for part in ["HOOKS", "SETTINGS", "ENVIRONMENT", "FILES", "\"EXIT STATUS\""].map(|name| format!(".SH {name}")) {
        assert!(page.contains(&part), "{part}");
    }
    assert!(page.contains("IPV64_PROPAGATION_TIMEOUT, \\-\\-propagation\\-timeout"), "{page}");
}

/// `tests/debian` compares them with the package itself, but seldom: it is one of the slow tests.
#[test]
fn the_list_of_the_debian_package_has_every_page() {
    let env = TestEnvironment::new();
    let folder = env.path("man");
    env.json(&["man", folder.to_str().unwrap()]);
    let pages = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    // These two are in builds with the simulator only.
    let mut pages: Vec<_> =
        pages.filter(|page| !["ipv64-acme-demo.1", "ipv64-acme-sim.1"].contains(&&**page)).collect();
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/debian")).unwrap();
    let listed = text.lines().filter_map(|line| line.split_once("/man1/")?.1.strip_suffix(".gz"));
    let mut listed: Vec<_> = listed.collect();
    pages.sort();
    listed.sort_unstable();
    assert_eq!(listed, pages);
}
