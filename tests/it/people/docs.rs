//! The documentation says what the code does: settings, errors, exit codes, links, commands.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use ipv64_acme::cli;
use ipv64_acme::exit::Exit;
use ipv64_acme::settings::table::Setting;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(below: &str) -> String {
    fs::read_to_string(root().join(below)).unwrap_or_else(|error| panic!("{below}: {error}"))
}

/// All files below a folder with this ending.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| if path.is_dir() { files(&path, ending) } else { vec![path] });
    files.filter(|path| path.to_str().is_some_and(|path| path.ends_with(ending))).collect()
}

fn pages() -> Vec<PathBuf> {
    let mut pages = files(&root().join("docs"), ".md");
    pages.push(root().join("README.md"));
    pages
}

/// The first cell of each row of the tables in a page, where it is code; all codes of that cell.
fn first_cells(text: &str) -> BTreeSet<String> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    rows.map(|(cell, _)| cell.to_owned()).collect()
}

/// The literals in double quotes of a piece of source.
fn literals(source: &str) -> impl Iterator<Item = &str> {
    source.split('"').skip(1).step_by(2)
}

/// The kinds that the source gives to errors and to the findings of `doctor` that are not good news.
fn kinds_in_source() -> BTreeSet<String> {
    // The two that no error type gives: one of no type of ours, and one of clap's.
    let mut kinds = BTreeSet::from(["failed", "usage"].map(str::to_owned));
    for path in files(&root().join("src"), ".rs") {
        if path.components().any(|part| part.as_os_str() == "sim" || part.as_os_str() == "tests") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap();
        for function in text.split("fn kind(&self) -> &'static str {").skip(1) {
            kinds.extend(literals(function.split("\n    }").next().unwrap()).map(str::to_owned));
        }
        for level in ["note", "warning", "error"] {
            let opening = format!("Finding::{level}(");
            let calls = text.split(&opening).skip(1);
            let kind =
                |call: &str| call.trim_start().strip_prefix('"')?.split_once('"').map(|(kind, _)| kind.to_owned());
            kinds.extend(calls.filter_map(kind));
        }
    }
    kinds
}

#[test]
fn every_error_has_a_row_and_every_row_an_error() {
    let described = first_cells(&read("docs/errors.md"));
    let known = kinds_in_source();
    let missing: Vec<_> = known.difference(&described).collect();
    let stale: Vec<_> = described.difference(&known).collect();
    assert!(missing.is_empty() && stale.is_empty(), "without a row: {missing:?}; without an error: {stale:?}");
}

#[test]
fn exit_codes_are_those_of_the_program() {
    let page = read("docs/errors.md");
    for exit in Exit::ALL {
        let row = format!("| {} | {} |", exit as u8, exit.meaning());
        assert!(page.contains(&row), "docs/errors.md lacks {row}");
    }
}

#[test]
fn every_setting_has_its_row() {
    let page = read("docs/settings.md");
    let described = first_cells(&page);
    for setting in Setting::ALL {
        let default = setting.default_text().map_or_else(String::new, |text| format!("`{text}`"));
        let (variable, flag, key) = (setting.environment(), setting.flag(), setting.key());
        let row = format!("| `{variable}` | `--{flag}` | `{key}` | {default} | {} |", setting.meaning());
        assert!(page.contains(&row.replace("|  |", "| |")), "docs/settings.md lacks:\n{row}");
        assert!(described.contains(&variable));
    }
    let known: BTreeSet<_> = Setting::ALL.iter().map(|setting| setting.environment()).collect();
    let others = ["IPV64_API_KEY", "IPV64_API_TOKEN", "IPv64_Token", "CREDENTIALS_DIRECTORY", "IPV64_CONFIG"];
    for name in &described {
        assert!(known.contains(name) || others.contains(&name.as_str()), "docs/settings.md has {name}");
    }
}

#[test]
fn every_page_stands_in_the_index() {
    let index = read("docs/README.md");
    for page in files(&root().join("docs"), ".md") {
        let below = page.strip_prefix(root().join("docs")).unwrap().to_str().unwrap();
        assert!(below == "README.md" || index.contains(&format!("({below})")), "docs/README.md lacks {below}");
    }
}

/// The targets of the links of a page.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0))
}

/// The anchor that a heading gets: lower case, hyphens for blanks, no punctuation.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let plain = |c: &char| c.is_alphanumeric() || *c == '-' || *c == ' ' || *c == '_';
    headings.map(|it| it.to_lowercase().chars().filter(plain).collect::<String>().replace(' ', "-")).collect()
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for link in links(&text).filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: {link}", page.display());
            if !anchor.is_empty() {
                let there = anchors(&fs::read_to_string(&target).unwrap());
                assert!(there.contains(anchor), "{}: {link} is not one of {there:?}", page.display());
            }
        }
    }
}

/// The words of a command as a shell makes them, up to a pipe, a redirection or a comment.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(open), c) if c == open => quote = None,
            (None, ' ') => words.extend(word.take()),
            (None, '|' | '>' | '<' | ';' | '&' | '#') => break,
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[test]
fn every_command_on_a_page_is_understood() {
    let mut seen = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let blocks =
            text.split("```").skip(1).step_by(2).filter(|it| it.starts_with("sh\n") || it.starts_with("console\n"));
        let lines = blocks.map(|block| block.replace("\\\n", " ")).collect::<Vec<_>>().join("\n");
        let commands = lines.lines().map(|line| line.trim_start_matches("$ ").trim());
        for command in commands.filter(|line| line.starts_with("ipv64-acme ")) {
            let parsed = cli::parse(&words(command));
            assert!(parsed.is_ok(), "{}: {command}\n{}", page.display(), parsed.unwrap_err());
            seen += 1;
        }
    }
    assert!(seen > 5, "only {seen} commands were found");
}
