use super::*;

fn all_paths(command: &Command, before: &str) -> Vec<String> {
    let paths = command.get_subcommands().filter(|below| !below.is_hide_set()).flat_map(|below| {
        let path = format!("{before} {}", below.get_name()).trim().to_owned();
        let mut paths = all_paths(below, &path);
        paths.push(path);
        paths
    });
    paths.collect()
}

/// The words of a line as a shell makes them, as far as the examples need it.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, ' ') => words.push(String::new()),
            (_, c) => words.last_mut().unwrap().push(c),
        }
    }
    words
}

#[test]
fn every_command_has_examples_and_a_group() {
    let command = crate::cli::definition();
    for path in all_paths(&command, "") {
        assert!(EXAMPLES.iter().any(|(of, _)| *of == path), "no example for `{path}`");
        let top = path.split(' ').next().unwrap();
        assert!(GROUPS.iter().any(|(_, names)| names.contains(&top)), "no group has `{path}`");
    }
}

#[test]
fn every_example_is_understood() {
    for (path, line) in EXAMPLES {
        let built =
            path.is_empty() || crate::cli::definition().find_subcommand(path.split(' ').next().unwrap()).is_some();
        if built && line.starts_with("ipv64-acme ") {
            let command = line.split([">", "<", "|"].map(|it| it.chars().next().unwrap())).next().unwrap();
            let parsed = crate::cli::parse(&words(command.trim()));
            assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
        }
    }
}

#[test]
fn help_is_also_a_word_and_the_verbs_of_clients_are_listed_nowhere() {
    let said = |line: &str| crate::cli::parse(&words(line)).unwrap_err().to_string();
    assert_eq!(said("ipv64-acme help"), said("ipv64-acme --help"));
    assert_eq!(said("ipv64-acme help record add"), said("ipv64-acme record add --help"));
    for line in ["ipv64-acme help", "ipv64-acme -v", "ipv64-acme help nothing"] {
        assert!(!said(line).contains("deploy_challenge"), "{line}: {}", said(line));
    }
}

/// The help of every command that the program knows, with its command line; those of the ACME clients too.
fn all_helps(command: &Command, before: &str) -> Vec<(String, String)> {
    let mut helps = Vec::new();
    for below in command.get_subcommands() {
        let line = format!("{before} {}", below.get_name());
        let said = crate::cli::parse(&words(&format!("{line} -h"))).unwrap_err().to_string();
        helps.extend(all_helps(below, &line));
        helps.push((line, said));
    }
    helps
}

#[test]
fn the_short_help_fits_a_screen_and_names_operands_and_not_settings() {
    let mut helps = all_helps(&crate::cli::definition(), "ipv64-acme");
    helps.push(("ipv64-acme".to_owned(), crate::cli::parse(&["ipv64-acme", "-h"]).unwrap_err().to_string()));
    let mut too_wide = Vec::new();
    for (line, said) in &helps {
        assert!(!said.contains("ARGS") && !said.contains("--propagation-timeout <"), "{line}: {said}");
        let examples = said.split_once("Examples:\n").map_or("", |(_, rest)| rest.split("\n\n").next().unwrap());
        let rest = said.replace(examples, "");
        too_wide.extend(rest.lines().filter(|text| text.chars().count() > 80).map(|text| format!("{line}: {text}")));
        assert!(said.lines().count() <= 54, "{line}: {said}");
    }
    assert!(too_wide.is_empty(), "{too_wide:#?}");
}

#[test]
fn the_long_help_lists_the_settings_under_their_own_heading() {
    for line in ["ipv64-acme --help", "ipv64-acme present --help", "ipv64-acme record add --help"] {
        let said = crate::cli::parse(&words(line)).unwrap_err().to_string();
        let (own, settings) = said.split_once("\nSettings:\n").expect(&said);
        assert!(own.contains("--json") && !own.contains("--api-url <"), "{line}: {own}");
        assert!(settings.contains("--config <") && settings.contains("--state-dir <"), "{line}: {settings}");
    }
}
