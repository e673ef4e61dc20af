//! The threat model of `docs/security.md` names tests that exist.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::process;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The tests that the last column of the page names.
fn named() -> Vec<String> {
    let page = fs::read_to_string(root().join("docs/security.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_suffix(" |")?.rsplit_once(" | "));
    let cells = rows.map(|(_, cell)| cell).filter(|cell| cell.starts_with('`'));
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned)).collect()
}

/// Whether a path of modules ends in a test of that name, in a file of its own, in the `mod.rs` of its folder or in the
/// `tests.rs` beside it.
fn exists(test: &str) -> bool {
    let Some((modules, name)) = test.rsplit_once("::") else { return false };
    let file = modules.replace("::", "/");
    let endings = [".rs", "/mod.rs", "/tests.rs"];
    let candidates = ["tests/it", "src"].map(|top| endings.map(|ending| format!("{top}/{file}{ending}")));
    let head = format!("fn {name}()");
    candidates.as_flattened().iter().any(|path| {
        let text = fs::read_to_string(root().join(path)).unwrap_or_default();
        let mut lines = text.lines().map(str::trim);
        let mut attribute = false;
        lines.any(|line| {
            let found = attribute && line.starts_with(&head);
            // Between the two stand only further attributes.
            attribute = line == "#[test]" || (attribute && line.starts_with("#["));
            found
        })
    })
}

#[test]
fn every_threat_has_a_test_that_exists() {
    let named = named();
    assert!(named.len() > 40, "{named:?}");
    let steps = process::run(Command::new(root().join("tests/slow")).arg("--list"));
    for test in named {
        match test.strip_prefix("tests/slow ") {
            Some(step) => assert!(steps.stdout.lines().any(|line| line == step), "{test}: {}", steps.said()),
            None => assert!(exists(&test), "docs/security.md names `{test}`"),
        }
    }
    assert!(!exists("hostile::threats::exists") && !exists("hostile::threats::nobody"));
}

#[test]
fn unsafe_code_is_forbidden() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let lints = manifest.split("[lints.rust]\n").nth(1).unwrap().split("\n[").next().unwrap();
    assert!(lints.lines().any(|line| line == "unsafe_code = \"forbid\""), "{lints}");
}
