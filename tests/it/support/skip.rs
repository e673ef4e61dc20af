//! What a test that passes could not look at. `tests/run` names a file for it, and tells what stands there.

use std::fs::OpenOptions;
use std::io::Write as _;

/// Notes that a part of the calling test was left out, and why, in words for people.
pub(crate) fn skipped(what: &str) {
    eprintln!("not tested: {what}");
    if let Some(path) = std::env::var_os("NOT_TESTED_FILE") {
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        // One write for the whole line: tests run side by side.
        file.write_all(format!("{what}\n").as_bytes()).unwrap();
    }
}
