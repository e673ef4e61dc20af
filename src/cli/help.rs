//! The help: which commands stand together, and the examples below each. Applied to the definition of the command line, so
//! that `--help`, man pages and completions say the same.

use clap::Command;

/// The groups of the top help.
const GROUPS: [(&str, &[&str]); 5] = [
    ("Hooks, called by ACME clients", &["auth", "present", "cleanup", "batch"]),
    (
        "Setting up and looking into trouble",
        &["init", "doctor", "test", "config", "status", "history", "explain", "sweep"],
    ),
    ("The broker: one machine has the key, all get certificates", &["serve", "client", "audit"]),
    ("The account at IPv64.net", &["account", "logs", "domain", "record"]),
    ("This program", &["version", "completions", "man", "demo", "sim"]),
];

/// The examples, each with the path of its command.
pub const EXAMPLES: &[(&str, &str)] = &[
    (
        "auth",
        "certbot certonly --manual --preferred-challenges dns --manual-auth-hook \"ipv64-acme auth\" \
             --manual-cleanup-hook \"ipv64-acme cleanup\" -d name.ipv64.net",
    ),
    ("present", "ipv64-acme present _acme-challenge.name.ipv64.net VALUE"),
    ("present", "ipv64-acme present --identifier name.ipv64.net VALUE"),
    ("present", "EXEC_PATH=/usr/bin/ipv64-acme lego --dns exec -d name.ipv64.net run"),
    ("cleanup", "ipv64-acme cleanup _acme-challenge.name.ipv64.net VALUE"),
    ("cleanup", "ipv64-acme cleanup --identifier name.ipv64.net VALUE"),
    (
        "batch",
        "echo '[{\"name\": \"_acme-challenge.name.ipv64.net\", \"value\": \"VALUE\"}]' | ipv64-acme batch present --json",
    ),
    ("init", "ipv64-acme init"),
    ("init", "ipv64-acme init --dry-run"),
    ("init", "ipv64-acme init --stdin < key.txt"),
    ("init", "ipv64-acme init --api-key-file /root/ipv64.key"),
    ("init", "ipv64-acme init --broker https://broker.example.com:8443"),
    ("doctor", "ipv64-acme doctor"),
    ("doctor", "ipv64-acme doctor name.ipv64.net '*.example.com'"),
    ("doctor", "ipv64-acme doctor --json"),
    ("doctor", "sudo ipv64-acme doctor --client certbot"),
    ("test", "ipv64-acme test name.ipv64.net"),
    ("test", "ipv64-acme test name.ipv64.net example.com --propagation-timeout 5m"),
    ("config", "ipv64-acme config"),
    ("config", "ipv64-acme config --config ./config.toml"),
    ("status", "ipv64-acme status"),
    ("history", "ipv64-acme history"),
    ("history", "ipv64-acme history name.ipv64.net --limit 5 --json"),
    ("explain", "ipv64-acme explain not_propagated"),
    ("explain", "ipv64-acme explain \"No TXT record found at _acme-challenge.name.ipv64.net\""),
    ("explain", "grep Detail: /var/log/letsencrypt/letsencrypt.log | ipv64-acme explain -"),
    ("sweep", "ipv64-acme sweep"),
    ("sweep", "ipv64-acme sweep --all --older-than 1d"),
    ("sweep", "ipv64-acme sweep --yes"),
    ("account", "ipv64-acme account"),
    ("logs", "ipv64-acme logs"),
    ("domain", "ipv64-acme domain list"),
    ("domain list", "ipv64-acme domain list"),
    ("domain add", "ipv64-acme domain add name.ipv64.net"),
    ("domain delete", "ipv64-acme domain delete name.ipv64.net"),
    ("domain delete", "ipv64-acme domain delete name.ipv64.net --yes"),
    ("record", "ipv64-acme record list"),
    ("record list", "ipv64-acme record list name.ipv64.net"),
    ("record list", "ipv64-acme record list --type TXT --json"),
    ("record add", "ipv64-acme record add www.name.ipv64.net A 192.0.2.1"),
    ("record add", "ipv64-acme record add name.ipv64.net TXT 'some text'"),
    ("record delete", "ipv64-acme record delete www.name.ipv64.net A 192.0.2.1"),
    ("record delete", "ipv64-acme record delete 123456"),
    ("version", "ipv64-acme version --json"),
    ("serve", "ipv64-acme serve"),
    ("serve", "ipv64-acme serve --config-dir ./broker"),
    ("client", "ipv64-acme client list"),
    ("client add", "ipv64-acme client add web --allow www.name.ipv64.net '*.lab.name.ipv64.net'"),
    ("client add", "ipv64-acme client add web --allow a.example --from 192.0.2.0/24 --json"),
    ("client list", "ipv64-acme client list"),
    ("client list", "ipv64-acme client list --json"),
    ("client rotate", "ipv64-acme client rotate web"),
    ("client rotate", "ipv64-acme client rotate web --drop-old"),
    ("client remove", "ipv64-acme client remove web"),
    ("client remove", "ipv64-acme client remove web --yes"),
    ("audit", "ipv64-acme audit --client web"),
    ("audit", "ipv64-acme audit --name www.name.ipv64.net --last 5 --json"),
    ("completions", "ipv64-acme completions bash > /etc/bash_completion.d/ipv64-acme"),
    ("completions", "ipv64-acme completions zsh > /usr/local/share/zsh/site-functions/_ipv64-acme"),
    ("completions", "ipv64-acme completions fish > ~/.config/fish/completions/ipv64-acme.fish"),
    ("man", "ipv64-acme man | man -l -"),
    ("man", "ipv64-acme man /usr/local/share/man/man1"),
    ("demo", "ipv64-acme demo"),
    ("sim", "ipv64-acme sim --delays 3,5 --limits"),
    ("", "ipv64-acme init"),
    ("", "ipv64-acme test name.ipv64.net"),
    ("", "ipv64-acme doctor name.ipv64.net"),
];

/// Where the settings are, below the help of each command.
const SETTINGS: &str = "Settings: `ipv64-acme config`, --help and ipv64-acme(1)";

/// Adds the examples.
pub(super) fn arrange(command: Command) -> Command {
    // certbot passes `auth` no arguments.
    let command = command.mut_subcommand("auth", |auth| auth.mut_arg("identifier", |arg| arg.hide(true)));
    with_examples(command, "")
}

/// Lists the commands in groups, in place of clap's list; for the help only, since what is hidden has no man page.
pub(super) fn grouped(command: Command) -> Command {
    let groups = groups(&command);
    let names: Vec<_> = command.get_subcommands().map(|below| below.get_name().to_owned()).collect();
    let hidden = names.into_iter().fold(command, |it, name| it.mut_subcommand(name, |below| below.hide(true)));
    hidden.override_usage("ipv64-acme [OPTIONS] <COMMAND>").help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n{groups}\n{{all-args}}{{after-help}}"
    ))
}

/// Begins a text with a capital letter.
pub(super) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn with_examples(command: Command, path: &str) -> Command {
    let lines: Vec<_> = EXAMPLES.iter().filter(|(of, _)| *of == path).map(|(_, line)| *line).collect();
    let notes = command.get_after_help().map_or_else(|| SETTINGS.to_owned(), ToString::to_string);
    let command = command.after_help(format!("Examples:\n  {}\n\n{notes}", lines.join("\n  ")));
    // The verbs of the ACME clients are nothing that people type.
    let visible = command.get_subcommands().filter(|below| !below.is_hide_set());
    let names: Vec<_> = visible.map(|below| below.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| {
        let below = format!("{path} {name}").trim().to_owned();
        command.mut_subcommand(name, |command| with_examples(command, &below))
    })
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
