//! Reads the command blocks of the documentation, so that what a page shows is what a test runs.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{process, programs};

/// Returns the shell block of `docs/<page>` that stands below the heading `heading`.
pub(crate) fn shell_block(page: &str, heading: &str) -> String {
    block(page, heading, "sh")
}

/// Returns the first block in a language below the heading `heading`.
pub(crate) fn block(page: &str, heading: &str, language: &str) -> String {
    let first = blocks(page, heading, language).into_iter().next();
    first.unwrap_or_else(|| panic!("{page} has no `{language}` block below `{heading}`"))
}

/// Returns the blocks in a language below the heading `heading`.
pub(crate) fn blocks(page: &str, heading: &str, language: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(page);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    blocks_below(&text, heading, language)
}

fn blocks_below(text: &str, heading: &str, language: &str) -> Vec<String> {
    let section: Vec<_> = text
        .lines()
        .skip_while(|line| line.trim_start_matches('#').trim() != heading || !line.starts_with('#'))
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .collect();
    let starts = (0..section.len()).filter(|at| section[*at].strip_prefix("```") == Some(language));
    let block = |start: usize| section[start + 1..].iter().take_while(|line| **line != "```").copied();
    starts.map(|start| block(start).collect::<Vec<_>>().join("\n")).collect()
}

/// Reads a block of YAML, JSON, TOML or INI, by Python's parsers in the environment that `tests/run` makes.
pub(crate) fn parsed(block: &str, language: &str) -> Result<Value, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/parse.py");
    let mut python = Command::new(programs::python_environment("python"));
    let finished = process::run(python.arg(script).args([language, block]));
    let read = |text: &str| serde_json::from_str(text).map_err(|error| error.to_string());
    if finished.status.success() { read(&finished.stdout) } else { Err(finished.stderr) }
}

#[test]
fn only_blocks_of_the_language_below_the_heading_are_taken() {
    let text = "# A\n```sh\nno\n```\n## B\ntext\n```sh\none\ntwo\n```\n```ini\nno\n```\n```sh\nthree\n```\n## C\n";
    assert_eq!(blocks_below(text, "B", "sh"), ["one\ntwo", "three"]);
    assert!(blocks_below(text, "C", "sh").is_empty() && blocks_below(text, "D", "sh").is_empty());
}
