//! The documentation says what the code does: settings, errors, exit codes, links, commands.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use ipv64_acme::cli;
use ipv64_acme::error::Kind;
use ipv64_acme::exit::Exit;
use ipv64_acme::hook::Convention;
use ipv64_acme::settings::Setting;

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
    pages.extend(files(&root().join("hooks"), ".md"));
    pages.push(root().join("README.md"));
    pages
}

/// The first cell of each row of the tables in a page, where it is code.
fn first_cells(text: &str) -> BTreeSet<String> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    rows.map(|(cell, _)| cell.to_owned()).collect()
}

/// The source of the product: what tests and the simulation say is no concern of a user.
fn product() -> Vec<(PathBuf, String)> {
    let top = root().join("src");
    let is_product = |path: &PathBuf| {
        // Where the tree lies does not matter: only folders within it.
        let mut parts = path.strip_prefix(&top).unwrap().components();
        !parts.any(|part| part.as_os_str() == "sim" || part.as_os_str() == "tests")
    };
    let sources = files(&top, ".rs").into_iter().filter(is_product);
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (path, text.split("#[cfg(test)]").next().unwrap().to_owned())
    };
    sources.map(read).collect()
}

/// The kinds of errors that a user may meet: the simulation is for developers.
fn kinds_of_errors() -> BTreeSet<String> {
    let kinds = Kind::ALL.iter().map(|kind| kind.as_str()).filter(|kind| !kind.starts_with("sim_"));
    kinds.map(str::to_owned).collect()
}

/// The kinds of the findings that `doctor` makes by itself, each with those of these levels that it has.
fn kinds_of_findings(levels: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let mut kinds: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (path, text) in product().into_iter().filter(|(path, _)| !path.ends_with("doctor/finding.rs")) {
        for level in levels {
            for call in text.split(&format!("Finding::{level}(")).skip(1) {
                let literal = call.trim_start().strip_prefix('"').and_then(|call| call.split_once('"'));
                let (kind, _) = literal.unwrap_or_else(|| panic!("{}: a kind that is no literal", path.display()));
                kinds.entry(kind.to_owned()).or_default().insert((*level).to_owned());
            }
        }
    }
    kinds
}

/// The rows of the tables in a page whose first cell is code, as cells.
fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
}

#[test]
fn every_error_has_a_row_and_every_row_an_error() {
    let page = read("docs/errors.md");
    let (errors, findings) = page.split_once("## Findings of `doctor` alone").unwrap();
    let (findings, _) = findings.split_once("## What a CA says").unwrap();
    let (described, known) = (first_cells(errors), kinds_of_errors());
    let missing: Vec<_> = known.difference(&described).collect();
    let stale: Vec<_> = described.difference(&known).collect();
    assert!(missing.is_empty() && stale.is_empty(), "without a row: {missing:?}; without an error: {stale:?}");
    for row in rows(errors) {
        assert!(row.len() == 3 && row.iter().all(|cell| !cell.is_empty()), "no cause or no cure: {row:?}");
    }
    let described: BTreeMap<_, BTreeSet<_>> = rows(findings)
        .map(|row| {
            let [kind, levels, cause, cure] = row[..] else { panic!("{row:?}") };
            assert!(!cause.is_empty() && !cure.is_empty(), "{row:?}");
            (kind.trim_matches('`').to_owned(), levels.split(", ").map(str::to_owned).collect())
        })
        .collect();
    let bad = kinds_of_findings(&["note", "warning", "error"]);
    assert_eq!(described, bad, "docs/errors.md on the left, the findings of `doctor` on the right");
    let (_, good) = findings.split_once("`ok` have\nkinds too: ").unwrap();
    let good: BTreeSet<_> =
        good.split_once('.').unwrap().0.split(',').map(|kind| kind.trim().trim_matches('`')).collect();
    assert_eq!(good, kinds_of_findings(&["ok"]).keys().map(String::as_str).collect());
}

/// The texts of errors: the first literal of each `#[error(…)]`, of what makes an error by its kind, or behind it.
fn texts_of_errors() -> Vec<String> {
    let sources: Vec<_> = product().into_iter().map(|(_, text)| text).collect();
    let begin = ["#[error(", "Error::new(Kind::", " invalid(", "::unsent(Kind::", "::perhaps_sent(Kind::"];
    let made = sources.iter().flat_map(|text| begin.into_iter().flat_map(move |begin| text.split(begin).skip(1)));
    // A text that was made before has a statement in between.
    let literal = |rest: &str| {
        let (before, rest) = rest.split_once('"')?;
        if before.contains(';') { None } else { rest.split('"').next().map(str::to_owned) }
    };
    made.filter_map(literal).collect()
}

#[test]
fn errors_are_lower_case_lines_without_a_full_stop() {
    // Names are written as they are.
    let names = ["IPv64 ", "CERTBOT_", "CNAME", "API"];
    let texts = texts_of_errors();
    assert!(texts.len() > 80, "only {} texts were found", texts.len());
    for text in texts {
        let is_lower = !text.starts_with(char::is_uppercase) || names.iter().any(|name| text.starts_with(name));
        assert!(is_lower && !text.ends_with(['.', '!']), "{text:?}");
    }
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
fn every_client_has_a_page_that_the_indices_name() {
    for client in &Convention::ALL {
        let page = read(&format!("docs/clients/{}.md", client.page));
        assert!(page.contains("ipv64-acme"), "{}", client.name);
        assert!(read("docs/README.md").contains(&format!("(clients/{}.md)", client.page)), "{}", client.name);
        assert!(read("README.md").contains(&format!("(docs/clients/{}.md)", client.page)), "{}", client.name);
    }
}

#[test]
fn the_oldest_rust_that_works_is_named_where_it_is_needed() {
    let manifest = read("Cargo.toml");
    let version = manifest.split("rust-version = \"").nth(1).unwrap().split('"').next().unwrap();
    for (page, or_newer) in [
        ("README.md", "or newer"),
        ("docs/getting-started.md", "or newer"),
        ("docs/de/erste-schritte.md", "oder neuer"),
    ] {
        assert!(read(page).contains(&format!("Rust {version} {or_newer}")), "{page}: Rust {version}");
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
    let mut seen = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for link in links(&text).filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            seen += 1;
            assert!(target.exists(), "{}: {link}", page.display());
            if !anchor.is_empty() {
                let there = anchors(&fs::read_to_string(&target).unwrap());
                assert!(there.contains(anchor), "{}: {link} is not one of {there:?}", page.display());
            }
        }
    }
    assert!(seen > 50, "only {seen} links were found");
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

/// The calls of the program on a page: in blocks for a shell, also behind variables and inside quotes, and in the text.
fn calls(text: &str) -> Vec<String> {
    let is_shell = |it: &&str| it.starts_with("sh\n") || it.starts_with("console\n") || it.starts_with("ini\n");
    let (blocks, texts): (Vec<_>, Vec<_>) = text.split("```").enumerate().partition(|(number, _)| number % 2 == 1);
    let blocks = blocks.into_iter().map(|(_, block)| block).filter(is_shell);
    let lines: Vec<_> = blocks.map(|block| block.replace("\\\n", " ")).collect();
    let in_blocks = lines.iter().flat_map(|block| block.lines()).flat_map(calls_in_line);
    let in_text = texts.iter().flat_map(|(_, text)| text.split('`').skip(1).step_by(2));
    let in_text = in_text.map(|code| code.replace('\n', " ")).filter(|code| code.starts_with("ipv64-acme "));
    in_blocks.chain(in_text).collect()
}

/// The calls in a line of a shell: where the program is what is run, and no argument of something else.
fn calls_in_line(line: &str) -> Vec<String> {
    let line = line.split(" # ").next().unwrap_or_default();
    let found = line.match_indices("ipv64-acme ").filter_map(|(at, _)| {
        let (before, call) = line.split_at(at);
        let before = before.trim_end_matches(|c: char| !c.is_whitespace() && !"\"'=".contains(c));
        let quote = before.chars().last().filter(|last| "\"'".contains(*last));
        let last = before.split_whitespace().last().unwrap_or("$");
        // In a crontab of the system the user stands before the command.
        let is_run = quote.is_some() || last.contains('=') || ["$", "do", ";", "&&", "|", "root"].contains(&last);
        is_run.then(|| quote.and_then(|quote| call.split(quote).next()).unwrap_or(call).to_owned())
    });
    found.collect()
}

#[test]
fn every_command_on_a_page_is_understood() {
    let (mut seen, mut wrong) = (0, Vec::new());
    for page in pages() {
        for call in calls(&fs::read_to_string(&page).unwrap()) {
            // A variable of the shell stands for one of a list.
            let words = words(&call.replace("$shell", "bash"));
            seen += 1;
            // To the parser, help and version are errors too.
            if let Some(error) = cli::parse(&words).err().filter(clap::Error::use_stderr) {
                wrong.push(format!("{}: {call}\n{error}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 60, "only {seen} commands were found");
}
