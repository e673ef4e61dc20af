//! Man pages (man(7)): one for the program, which explains hooks, settings, files and exit codes, and one for each command.

use clap::{Arg, Command};

use super::NAME;
use crate::exit::Exit;
use crate::settings::table::Setting;

/// How ACME clients call the program; `docs/clients/` has a page for each.
const HOOKS: [(&str, &str); 8] = [
    ("certbot", "--manual-auth-hook \"ipv64-acme auth\" --manual-cleanup-hook \"ipv64-acme cleanup\""),
    ("lego, Traefik", "EXEC_PATH=/usr/bin/ipv64-acme, with or without EXEC_MODE=RAW"),
    ("dehydrated", "HOOK=/usr/bin/ipv64-acme"),
    ("uacme", "-h /usr/bin/ipv64-acme"),
    ("acmetool", "a link to the program in its hooks folder"),
    ("Apache mod_md", "MDChallengeDns01 /usr/bin/ipv64-acme"),
    ("acme.sh, Proxmox", "the file dns_ipv64_acme.sh in the folder dnsapi"),
    ("any other", "ipv64-acme present --identifier DOMAIN VALUE, and cleanup in place of present"),
];

/// The files of the program.
const FILES: [(&str, &str); 5] = [
    ("/etc/ipv64-acme/config.toml", "settings, with the names above in lower case and without IPV64_"),
    ("$XDG_CONFIG_HOME/ipv64-acme/config.toml", "the same, read where the first one does not exist"),
    ("/etc/ipv64-acme/api-key", "the API key, mode 600; beside the configuration file that names it"),
    (
        "/usr/share/ipv64-acme",
        "the DNS file for acme.sh, and scripts for other clients, where a package installed them",
    ),
    ("/var/lib/ipv64-acme", "journal, request window, domain cache of root; others: $XDG_STATE_HOME/ipv64-acme"),
];

/// Returns every page with its file name: that of the program first, then those of the commands that people type.
#[must_use]
pub fn all(mut definition: Command) -> Vec<(String, String)> {
    definition.build();
    let mut pages = vec![(format!("{NAME}.1"), of_program(definition.clone()))];
    pages.extend(definition.get_subcommands().filter(|below| !below.is_hide_set()).map(|below| {
        let name = format!("{NAME}-{}", below.get_name());
        let mut page = Page::start(&name, below);
        page.command(below.clone());
        page.end(below);
        (format!("{name}.1"), page.0)
    }));
    pages
}

/// Returns the page of the program.
#[must_use]
pub fn of_program(mut definition: Command) -> String {
    definition.build();
    let mut page = Page::start(NAME, &definition);
    page.command(definition.clone());
    page.section("HOOKS", HOOKS.map(|(name, text)| (name.to_owned(), text.to_owned())));
    page.section("SETTINGS", Setting::ALL.map(setting));
    page.paragraph(&notes(&definition));
    page.section("FILES", FILES.map(|(name, text)| (name.to_owned(), text.to_owned())));
    page.section("EXIT STATUS", Exit::ALL.map(|exit| ((exit as u8).to_string(), exit.meaning().to_owned())));
    page.end(&definition);
    page.0
}

fn after_help(command: &Command) -> String {
    command.get_after_help().map(ToString::to_string).unwrap_or_default()
}

/// What stands below the examples in the help.
fn notes(command: &Command) -> String {
    after_help(command).split_once("\n\n").map(|(_, notes)| notes.to_owned()).unwrap_or_default()
}

fn setting(setting: Setting) -> (String, String) {
    let default = setting.default_text().map_or_else(String::new, |text| format!(" (default: {text})"));
    (format!("{}, --{}", setting.environment(), setting.flag()), format!("{}{default}", setting.meaning()))
}

/// A page in the making.
struct Page(String);

impl Page {
    fn start(name: &str, command: &Command) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let (title, name) = (escape(&name.to_ascii_uppercase()), escape(name));
        // Ragged on the right and without hyphenation: names of flags and addresses stay whole.
        Self(format!(
            ".TH \"{title}\" 1 \"\" \"{NAME} {version}\"\n.ad l\n.nh\n.SH NAME\n{name} \\- {}\n",
            escape(&about)
        ))
    }

    /// Usage, description, arguments, flags and the commands below.
    fn command(&mut self, mut command: Command) {
        let usage = command.render_usage().to_string();
        self.0.push_str(".SH SYNOPSIS\n.nf\n");
        for line in usage.trim_start_matches("Usage:").lines().filter(|line| !line.trim().is_empty()) {
            self.line(line.trim());
        }
        self.0.push_str(".fi\n.SH DESCRIPTION\n");
        let about = command.get_long_about().or_else(|| command.get_about()).map(ToString::to_string);
        self.line(&about.unwrap_or_default());
        self.section("ARGUMENTS", command.get_positionals().map(|arg| (arg.to_string(), help(arg))));
        let of_command = |arg: &&Arg| !arg.is_positional() && !arg.is_hide_set() && !is_setting(arg);
        self.section("OPTIONS", command.get_arguments().filter(of_command).map(|arg| (flag(arg), help(arg))));
        let visible = command.get_subcommands().filter(|below| !below.is_hide_set());
        let about = |below: &Command| below.get_about().map(ToString::to_string).unwrap_or_default();
        self.section("COMMANDS", visible.map(|below| (below.get_name().to_owned(), about(below))));
    }

    /// Examples and other pages.
    fn end(&mut self, command: &Command) {
        self.0.push_str(".SH EXAMPLES\n.nf\n");
        for line in after_help(command).lines().skip(1).take_while(|line| !line.is_empty()) {
            self.line(line.trim_start());
        }
        self.0.push_str(".fi\n");
        if command.get_name() != NAME {
            self.0.push_str(&format!(".SH SEE ALSO\n.BR {} (1)\n", escape(NAME)));
        }
    }

    fn paragraph(&mut self, text: &str) {
        self.0.push_str(".PP\n");
        self.line(text);
    }

    fn section(&mut self, heading: &str, entries: impl IntoIterator<Item = (String, String)>) {
        let mut entries = entries.into_iter().peekable();
        if entries.peek().is_some() {
            self.0.push_str(&format!(".SH \"{heading}\"\n"));
        }
        for (name, text) in entries {
            self.0.push_str(&format!(".TP\n\\fB{}\\fR\n", escape(&name)));
            self.line(&text);
        }
    }

    fn line(&mut self, text: &str) {
        self.0.push_str(&escape(text));
        self.0.push('\n');
    }
}

fn is_setting(arg: &Arg) -> bool {
    Setting::ALL.iter().any(|setting| arg.get_long() == Some(setting.flag()))
}

fn flag(arg: &Arg) -> String {
    let short = arg.get_short().map_or_else(String::new, |short| format!("-{short}, "));
    let value = if arg.get_action().takes_values() { arg.get_value_names() } else { None };
    let value = value.and_then(|names| names.first()).map_or_else(String::new, |name| format!(" {name}"));
    format!("{short}--{}{value}", arg.get_long().unwrap_or_default())
}

fn help(arg: &Arg) -> String {
    arg.get_help().map(ToString::to_string).unwrap_or_default()
}

/// Text that stands for itself in groff_char(7): backslashes and hyphens, and lines that would be requests.
fn escape(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq").replace('"', "\\(dq");
    let guard = |line: &str| if line.starts_with('.') { format!("\\&{line}") } else { line.to_owned() };
    text.lines().map(guard).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_no_markup() {
        assert_eq!(escape("a-b \\n it's \"x\""), "a\\-b \\en it\\(aqs \\(dqx\\(dq");
        assert_eq!(escape(".TH\n'x"), "\\&.TH\n\\(aqx");
    }

    #[test]
    fn every_command_has_a_page_with_examples() {
        for (name, page) in all(crate::cli::definition()) {
            for part in [".TH ", ".SH NAME", ".SH SYNOPSIS", ".SH EXAMPLES"] {
                assert!(page.contains(part), "{name}: {part}");
            }
        }
    }
}
