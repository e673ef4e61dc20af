//! The examples of `docs/api.md`: each `sh` block is run, and its output is the `text` block that follows.

use crate::support::environment::TestEnvironment;
use crate::support::process;

/// The blocks of the page: commands, and what they print.
fn examples() -> Vec<(String, String)> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/api.md");
    let page = std::fs::read_to_string(path).unwrap();
    let mut blocks = page.split("```").skip(1).step_by(2).peekable();
    let mut examples = Vec::new();
    while let Some(block) = blocks.next() {
        if let Some(commands) = block.strip_prefix("sh\n") {
            let output = blocks.peek().and_then(|next| next.strip_prefix("text\n")).unwrap_or_default();
            examples.push((commands.to_owned(), output.to_owned()));
        }
    }
    examples
}

/// Times differ in each run, and numbers of records in each simulation.
fn without_times_and_numbers(text: &str) -> String {
    let digit = |c: char| if c.is_ascii_digit() { '0' } else { c };
    let word = |word: &str| match word {
        number if number.len() == 7 && number.bytes().all(|b| b.is_ascii_digit()) => "ID".to_owned(),
        date if date.len() == 10 && date.matches('-').count() == 2 => date.chars().map(digit).collect(),
        time if time.len() == 8 && time.matches(':').count() == 2 => time.chars().map(digit).collect(),
        other => other.to_owned(),
    };
    let line = |line: &str| {
        line.split('\t')
            .map(|cell| cell.split(' ').map(word).collect::<Vec<_>>().join(" "))
            .collect::<Vec<_>>()
            .join("\t")
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_examples_of_the_page_print_what_it_says() {
    let env = TestEnvironment::new();
    let examples = examples();
    assert!(examples.len() > 5, "{examples:?}");
    for (commands, output) in examples {
        let finished = process::run(env.command("/bin/sh").args(["-c", &commands]));
        assert!(finished.status.success(), "{commands}: {}", finished.said());
        assert_eq!(without_times_and_numbers(&finished.stdout), without_times_and_numbers(&output), "{commands}");
    }
}
