//! Completions and man pages, made from the definition of the command line, the table of settings, the ACME clients and the
//! exit codes. Texts only; printing and writing is left to [`crate::commands`].

use std::io;

use clap::{Arg, Command};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::exit::Exit;
use crate::hook::Convention;
use crate::settings::Setting;

/// The name of the program.
const NAME: &str = "ipv64-acme";

/// The variables that are no settings.
const VARIABLES: [(&str, &str); 9] = [
    ("IPV64_API_KEY", "the API key; also read: IPV64_API_TOKEN, IPv64_Token (acme.sh)"),
    ("IPV64_CONFIG", "the configuration file, as --config"),
    ("CREDENTIALS_DIRECTORY", "systemd: the credential ipv64-api-key in it is the API key"),
    ("STATE_DIRECTORY", "systemd: the state directory, unless IPV64_STATE_DIR names one"),
    ("XDG_CONFIG_HOME, XDG_STATE_HOME, HOME", "where the files below are for users other than root"),
    ("HTTPS_PROXY, ALL_PROXY, NO_PROXY", "the proxy for HTTPS, and hosts without one, as curl reads them"),
    ("SSL_CERT_FILE, SSL_CERT_DIR", "the system's trusted certificates, in place of the usual paths"),
    ("NO_COLOR, TERM", "no colours if NO_COLOR is set or TERM is dumb; no live lines if TERM is dumb"),
    (
        "IPV64_ACME_CLIENT, _ACTION, _NAMES, _KIND, _MESSAGE, _EXIT, _SECONDS",
        "set for the command of on_failure: the facts of the call that failed",
    ),
];

/// The files of the program.
const FILES: [(&str, &str); 5] = [
    ("/etc/ipv64-acme/config.toml", "settings, with the names above in lower case and without IPV64_"),
    (
        "$XDG_CONFIG_HOME/ipv64-acme/config.toml",
        "the same for one user: read first, but by root only where the system has none",
    ),
    ("/etc/ipv64-acme/api-key", "the API key, mode 600; next to the configuration file that names it"),
    (
        "/usr/share/ipv64-acme",
        "the DNS file for acme.sh, and scripts for other clients, where a package installed them",
    ),
    ("/var/lib/ipv64-acme", "journal, request window, domain cache of root; others: $XDG_STATE_HOME/ipv64-acme"),
];

/// Returns the completions for a shell.
#[must_use]
pub fn completions(shell: Shell, definition: &Command) -> String {
    // The verbs of the ACME clients are hidden in the help only; nobody wants them offered.
    let visible = definition.get_subcommands().filter(|below| !below.is_hide_set()).cloned();
    let mut command = Command::new(NAME)
        .version(env!("CARGO_PKG_VERSION"))
        .args(definition.get_arguments().cloned())
        .subcommands(visible);
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, NAME, &mut script);
    // clap_complete 4.6.11 writes the hyphen of our name in two ways, so that bash finds no subcommand.
    let mut script = String::from_utf8_lossy(&script).replace("ipv64__subcmd__acme", "ipv64__acme");
    if shell == Shell::Fish {
        script.extend(command.get_subcommands().filter_map(positional_values));
    }
    script
}

/// The line that makes fish offer the fixed values of a positional argument, of which clap_complete 4.6 knows nothing.
fn positional_values(command: &Command) -> Option<String> {
    let values = command.get_positionals().flat_map(Arg::get_possible_values);
    let values: Vec<_> = values.map(|value| value.get_name().to_owned()).collect();
    let (name, values) = (command.get_name(), Some(values.join(" ")).filter(|values| !values.is_empty())?);
    Some(format!("complete -c {NAME} -n '__fish_ipv64_acme_using_subcommand {name}' -f -a '{values}'\n"))
}

/// Returns every man page with its file name: that of the program first, then those of the commands that people type.
///
/// # Errors
/// Those of writing to memory: none that is known.
pub fn pages(mut definition: Command) -> io::Result<Vec<(String, String)>> {
    definition.build();
    let mut pages = vec![(format!("{NAME}.1"), page(&definition, NAME)?)];
    add_below(&definition, NAME, &mut pages)?;
    Ok(pages)
}

fn add_below(command: &Command, name: &str, pages: &mut Vec<(String, String)>) -> io::Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        let name = format!("{name}-{}", below.get_name());
        pages.push((format!("{name}.1"), page(below, &name)?));
        add_below(below, &name, pages)?;
    }
    Ok(())
}

/// One page: the parts of every command, for the program itself what is true of all of them, then examples.
fn page(command: &Command, name: &str) -> io::Result<String> {
    let is_setting = |arg: &Arg| Setting::ALL.iter().any(|setting| arg.get_long() == Some(setting.flag()));
    // The generator leaves out the text of what the short help leaves out; settings have a section of our own.
    let shown = command.clone().mut_args(|arg| {
        let arg = arg.hide_short_help(false).help_heading(None::<&str>);
        if is_setting(&arg) { arg.hide(true) } else { arg }
    });
    let man = Man::new(shown).title(name.to_ascii_uppercase()).source(format!("{NAME} {}", env!("CARGO_PKG_VERSION")));
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    // Ragged on the right and without hyphenation: names of flags and addresses stay whole.
    Roff::new().control("ad", ["l"]).control("nh", []).to_writer(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.get_subcommands().any(|below| !below.is_hide_set()) {
        man.render_subcommands_section(&mut text)?;
    }
    let mut own = Roff::new();
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    if name == NAME {
        add_common(&mut own, help.split_once("\n\n").map_or("", |(_, notes)| notes));
    }
    own.control("SH", ["EXAMPLES"]).control("nf", []);
    for line in help.lines().skip(1).take_while(|line| !line.is_empty()) {
        own.text([roman(line.trim_start())]);
    }
    own.control("fi", []);
    if name != NAME {
        own.control("SH", ["SEE ALSO"]).text([bold(NAME), roman("(1)")]);
    }
    own.to_writer(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// What is true of all commands: hooks, settings, files and exit codes.
fn add_common(page: &mut Roff, notes: &str) {
    let hooks = Convention::ALL.iter().filter(|client| !client.setting.is_empty());
    section(page, "HOOKS", hooks.map(|client| (client.name.to_owned(), client.setting.to_owned())));
    section(page, "SETTINGS", Setting::ALL.map(setting));
    page.control("PP", []).text([roman(notes)]);
    let settings = ("IPV64_*", "the settings above; an empty variable counts as unset");
    let variables = [settings].into_iter().chain(VARIABLES);
    section(page, "ENVIRONMENT", variables.map(|(name, text)| (name.to_owned(), text.to_owned())));
    section(page, "FILES", FILES.map(|(name, text)| (name.to_owned(), text.to_owned())));
    section(page, "EXIT STATUS", Exit::ALL.map(|exit| ((exit as u8).to_string(), exit.meaning().to_owned())));
}

fn setting(setting: Setting) -> (String, String) {
    let default = setting.default_text().map_or_else(String::new, |text| format!(" (default: {text})"));
    (format!("{}, --{}", setting.environment(), setting.flag()), format!("{}{default}", setting.meaning()))
}

fn section(page: &mut Roff, heading: &str, entries: impl IntoIterator<Item = (String, String)>) {
    page.control("SH", [heading]);
    for (name, text) in entries {
        page.control("TP", []).text([bold(name)]).text([roman(text)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_shell_is_offered_the_verbs_of_clients() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = completions(shell, &crate::cli::definition());
            assert!(script.contains("show-secrets") && !script.contains("deploy_challenge"), "{shell}");
        }
    }

    #[test]
    fn every_command_has_a_page_with_examples() {
        let pages = pages(crate::cli::definition()).unwrap();
        assert!(pages.iter().any(|(name, _)| name == "ipv64-acme-record-add.1"));
        for (name, page) in pages {
            for part in [".TH ", ".SH NAME", ".SH SYNOPSIS", ".SH EXAMPLES\n.nf\n"] {
                assert!(page.contains(part), "{name}: {part}");
            }
            assert!(!page.contains("deploy_challenge") && page.contains("Read this configuration file"), "{name}");
            assert_eq!(page.matches(".SH SETTINGS").count(), usize::from(name == "ipv64-acme.1"), "{name}");
        }
    }
}
