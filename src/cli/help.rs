//! The help: which commands stand together, and the examples below each. Applied to the definition of the command line, so
//! that `--help`, man pages and completions say the same.

use clap::Command;

/// The groups of the top help.
const GROUPS: [(&str, &[&str]); 4] = [
    ("Hooks, called by ACME clients", &["auth", "present", "cleanup", "batch"]),
    ("Setting up and looking into trouble", &["init", "doctor", "test", "config", "status", "sweep"]),
    ("The account at IPv64.net", &["account", "logs", "domain", "record"]),
    ("This program", &["completions", "man", "demo", "sim"]),
];

/// The examples of each command, with its path; a line each.
pub const EXAMPLES: [(&str, &[&str]); 25] = [
    (
        "auth",
        &["certbot certonly --manual --preferred-challenges dns --manual-auth-hook \"ipv64-acme auth\" \
           --manual-cleanup-hook \"ipv64-acme cleanup\" -d name.ipv64.net"],
    ),
    (
        "present",
        &[
            "ipv64-acme present _acme-challenge.name.ipv64.net VALUE",
            "ipv64-acme present --identifier name.ipv64.net VALUE",
            "EXEC_PATH=/usr/bin/ipv64-acme lego --dns exec -d name.ipv64.net run",
        ],
    ),
    (
        "cleanup",
        &[
            "ipv64-acme cleanup _acme-challenge.name.ipv64.net VALUE",
            "ipv64-acme cleanup --identifier name.ipv64.net VALUE",
        ],
    ),
    (
        "batch",
        &[
            "echo '[{\"name\": \"_acme-challenge.name.ipv64.net\", \"value\": \"VALUE\"}]' | ipv64-acme batch present --json",
        ],
    ),
    (
        "init",
        &["ipv64-acme init", "ipv64-acme init --stdin < key.txt", "ipv64-acme init --api-key-file /root/ipv64.key"],
    ),
    ("doctor", &["ipv64-acme doctor", "ipv64-acme doctor name.ipv64.net '*.example.com'", "ipv64-acme doctor --json"]),
    (
        "test",
        &["ipv64-acme test name.ipv64.net", "ipv64-acme test name.ipv64.net example.com --propagation-timeout 5m"],
    ),
    ("config", &["ipv64-acme config", "ipv64-acme config --config ./config.toml"]),
    ("status", &["ipv64-acme status", "ipv64-acme status --json"]),
    ("sweep", &["ipv64-acme sweep", "ipv64-acme sweep --all --older-than 1d", "ipv64-acme sweep --yes"]),
    ("account", &["ipv64-acme account", "ipv64-acme account --json"]),
    ("logs", &["ipv64-acme logs"]),
    ("domain", &["ipv64-acme domain list"]),
    ("domain list", &["ipv64-acme domain list", "ipv64-acme domain list --json"]),
    ("domain add", &["ipv64-acme domain add name.ipv64.net"]),
    ("domain delete", &["ipv64-acme domain delete name.ipv64.net", "ipv64-acme domain delete name.ipv64.net --yes"]),
    ("record", &["ipv64-acme record list"]),
    ("record list", &["ipv64-acme record list name.ipv64.net", "ipv64-acme record list --type TXT --json"]),
    (
        "record add",
        &[
            "ipv64-acme record add www.name.ipv64.net A 192.0.2.1",
            "ipv64-acme record add name.ipv64.net TXT 'some text'",
        ],
    ),
    ("record delete", &["ipv64-acme record delete www.name.ipv64.net A 192.0.2.1", "ipv64-acme record delete 123456"]),
    (
        "completions",
        &[
            "ipv64-acme completions bash > /etc/bash_completion.d/ipv64-acme",
            "ipv64-acme completions zsh > /usr/local/share/zsh/site-functions/_ipv64-acme",
            "ipv64-acme completions fish > ~/.config/fish/completions/ipv64-acme.fish",
        ],
    ),
    ("man", &["ipv64-acme man | man -l -", "ipv64-acme man /usr/local/share/man/man1"]),
    ("demo", &["ipv64-acme demo"]),
    ("sim", &["ipv64-acme sim --delays 3,5 --limits"]),
    ("", &["ipv64-acme init", "ipv64-acme test name.ipv64.net", "ipv64-acme doctor name.ipv64.net"]),
];

/// Adds groups and examples.
pub(super) fn arrange(command: Command) -> Command {
    let groups = groups(&command);
    let command = EXAMPLES.into_iter().fold(command, |command, (path, lines)| {
        let words: Vec<&str> = path.split(' ').filter(|word| !word.is_empty()).collect();
        with_examples(command, &words, lines)
    });
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n{groups}\nOptions:\n{{options}}{{after-help}}"
    ))
}

fn with_examples(command: Command, path: &[&str], lines: &[&str]) -> Command {
    match path {
        [] => {
            let before = command.get_after_help().map(|text| format!("\n\n{text}")).unwrap_or_default();
            command.after_help(format!("Examples:\n  {}{before}", lines.join("\n  ")))
        }
        // Not every build has every command.
        [first, rest @ ..] if command.find_subcommand(first).is_some() => {
            let (rest, lines) = (rest.to_vec(), lines.to_vec());
            command.mut_subcommand(*first, move |below| with_examples(below, &rest, &lines))
        }
        _ => command,
    }
}

/// The list of commands in groups; those that only ACME clients type are named in one line.
fn groups(command: &Command) -> String {
    let mut text = String::new();
    let width = command.get_subcommands().map(|below| below.get_name().len()).filter(|it| *it < 12).max().unwrap_or(0);
    for (heading, names) in GROUPS {
        text.push_str(&format!("\n{heading}:\n"));
        for below in names.iter().filter_map(|name| command.find_subcommand(name)) {
            let about = below.get_about().map(ToString::to_string).unwrap_or_default();
            text.push_str(&format!("  {:<width$}  {about}\n", below.get_name()));
        }
    }
    text
}

#[cfg(test)]
mod tests;
