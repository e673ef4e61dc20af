//! Hostile surroundings: the real binary where somebody means harm, or where the machine gives little. Whatever happens, it
//! ends by itself with an exit code of its own, acts on no terminal, writes through nobody's links, and leaves nothing
//! behind that it does not know of. What each test defends stands in `docs/security.md`.

mod answers;
mod descriptors;
mod dns;
mod environment;
mod files;
mod limits;
mod ownership;
mod screen;
mod threats;

use std::path::Path;

use crate::support::environment::TestEnvironment;
use crate::support::process::{self, Finished};
use crate::support::values::DASHED as VALUE;

/// The name of most challenges here.
const NAME: &str = "_acme-challenge.name.ipv64.net";

/// Returns a world in which a challenge takes no longer than its API calls.
fn hasty() -> TestEnvironment {
    let mut env = TestEnvironment::new();
    env.set("IPV64_PROPAGATION_TIMEOUT", "0");
    env
}

/// Runs a shell command with the binary in its `PATH`.
fn shell(env: &TestEnvironment, script: &str) -> Finished {
    process::run(env.command("/bin/sh").args(["-c", script]))
}

/// Asserts that a program ended by itself, with one of the documented exit codes.
fn assert_orderly(finished: &Finished, context: &str) {
    assert!(matches!(finished.status.code(), Some(0..=7)), "{context}: {}", finished.said());
    assert!(!finished.said().contains("panicked"), "{context}: {}", finished.said());
}

/// Asserts that what is at the account is known, whatever happened before: a removal leaves nothing.
fn assert_can_be_removed(env: &TestEnvironment, value: &str, context: &str) {
    let finished = env.run(&["cleanup", NAME, value]);
    assert_eq!(finished.status.code(), Some(0), "{context}: {}", finished.said());
    assert!(env.sim.records_left().is_empty(), "{context}: {:#?}", env.sim.records_left());
}

/// The contents of all regular files below a folder.
fn contents(folder: &Path) -> Vec<(std::path::PathBuf, String)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_file()).map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}
