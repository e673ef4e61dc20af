//! Reads the command blocks of the documentation, so that what a page shows is what a test runs.

use std::fs;
use std::path::Path;

/// Returns the shell block of `docs/<page>` that stands below the heading `heading`.
pub(crate) fn shell_block(page: &str, heading: &str) -> String {
    block(page, heading, "sh")
}

/// Returns the block in a language that stands below the heading `heading`.
pub(crate) fn block(page: &str, heading: &str, language: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(page);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    block_below(&text, heading, language)
        .unwrap_or_else(|| panic!("{} has no `{language}` block below `{heading}`", path.display()))
}

fn block_below(text: &str, heading: &str, language: &str) -> Option<String> {
    let section: Vec<_> = text
        .lines()
        .skip_while(|line| line.trim_start_matches('#').trim() != heading || !line.starts_with('#'))
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .collect();
    let start = section.iter().position(|line| line.strip_prefix("```") == Some(language))? + 1;
    let length = section[start..].iter().position(|line| *line == "```")?;
    Some(section[start..start + length].join("\n"))
}

#[test]
fn the_first_shell_block_below_the_heading_is_taken() {
    let text = "# A\n```sh\nno\n```\n## B\ntext\n```sh\none\ntwo\n```\n```sh\nthree\n```\n## C\n";
    assert_eq!(block_below(text, "B", "sh").as_deref(), Some("one\ntwo"));
    assert_eq!(block_below(text, "C", "sh"), None);
    assert_eq!(block_below(text, "D", "sh"), None);
}
