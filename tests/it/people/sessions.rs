//! The sessions that the pages show: their commands are run on a terminal, against the simulation and a real CA, and have
//! to print what stands there. `tests/sessions` writes it there.

use std::fs;
use std::path::Path;
use std::time::Duration;

use ipv64_acme::sim::{Config, Limits};

use crate::clients::{certbot, plugin};
use crate::support::stage::Stage;
use crate::support::terminal::Terminal;

/// The pages with sessions.
const PAGES: [&str; 2] = ["README.md", "docs/getting-started.md"];
/// The last line of a session of which the rest is left out.
const REST: &str = "[...]";
const PROMPT: &str = "$ ";
/// How long the name servers take to serve a change.
const DELAYS: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(5)];

/// The world of the reader, where `init` has stored the key, and where certbot asks our CA.
fn stage() -> Stage {
    let mut config = Config { limits: Limits::standard(), ..Config::with_delays(&DELAYS) };
    config.accounts[0].domains = vec!["example.com".to_owned(), "name.ipv64.net".to_owned()];
    config.accounts[0].records.clear();
    let mut stage = Stage::start(config);
    let variables = [
        ("IPV64_API_KEY", String::new()),
        ("IPV64_API_RATE", String::new()),
        ("IPV64_CONFIG", stage.path("settings/config.toml").display().to_string()),
        ("REQUESTS_CA_BUNDLE", stage.pebble.server_certificate().display().to_string()),
        ("XDG_CONFIG_HOME", stage.path("xdg").display().to_string()),
        ("LANG", "C.UTF-8".to_owned()),
        ("CERTBOT_PLUGIN_PATH", stage.path("plugin").display().to_string()),
    ];
    for (name, value) in variables {
        stage.set_variable(name, &value);
    }
    certbot::configure(&stage, "xdg");
    plugin::lay_out(&stage);
    let init = format!("echo {} | ipv64-acme init --stdin", stage.sim.key(0).unwrap());
    let finished = stage.shell(&init, &[]);
    assert!(finished.status.success(), "{}", finished.said());
    stage
}

/// The commands of a session, with the lines on which each goes on.
fn commands(session: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in session.lines() {
        match line.strip_prefix(PROMPT) {
            Some(command) => commands.push(command.to_owned()),
            None if goes_on => commands.last_mut().unwrap().push_str(&format!("\n{line}")),
            None => continue,
        }
        goes_on = line.ends_with('\\');
    }
    commands
}

/// Runs the commands of a session, and returns it as it should be.
fn replayed(stage: &Stage, session: &str) -> String {
    let mut terminal = Terminal::start(stage.command("/bin/sh"), "exec bash --noprofile --norc --noediting", PROMPT);
    for command in commands(session) {
        terminal.run(&command);
    }
    let screen = terminal.screen();
    let screen = as_at_home(stage, screen.trim_end_matches(PROMPT).trim_end());
    match session.trim_end().strip_suffix(REST) {
        Some(kept) => cut_after(&screen, kept.trim_end().lines().last().unwrap()),
        None => screen,
    }
}

/// The screen up to a line, and the sign that there was more.
fn cut_after(screen: &str, last: &str) -> String {
    let kept = screen.lines().position(|line| same(line, last));
    let kept = kept.unwrap_or_else(|| panic!("nothing printed `{last}`:\n{screen}"));
    let lines: Vec<_> = screen.lines().take(kept + 1).chain([REST]).collect();
    lines.join("\n")
}

/// Names of places and addresses as a reader has them, in place of those of this run.
fn as_at_home(stage: &Stage, screen: &str) -> String {
    let mut screen = screen.to_owned();
    let places = [
        ("settings", "/etc/ipv64-acme"),
        ("state", "/var/lib/ipv64-acme"),
        ("certbot-logs", "/var/log/letsencrypt"),
        ("certbot", "/etc/letsencrypt"),
    ];
    for (place, usual) in places {
        screen = screen.replace(stage.path(place).to_str().unwrap(), usual);
    }
    for (name, address) in stage.sim.dns_servers() {
        let usual = if name.starts_with("ns1") { "(192.0.2.1)" } else { "(198.51.100.2)" };
        let here = format!("({address})");
        // What stands in columns stays there.
        let width = here.len();
        screen = screen.replace(&format!("{here}  "), &format!("{usual:width$}  ")).replace(&here, usual);
    }
    screen.replace("`127.0.0.1` over", "`192.0.2.64` over")
}

/// Whether two texts differ in nothing but figures, the width of columns, and so where a long line is broken.
fn same(one: &str, other: &str) -> bool {
    let plain = |text: &str| {
        let mut plain = String::new();
        for c in text.chars() {
            let c = if c.is_whitespace() { ' ' } else { c };
            match if c.is_ascii_digit() { '0' } else { c } {
                c @ ('0' | ' ') if plain.ends_with(c) => {}
                c => plain.push(c),
            }
        }
        plain.replace("0.0", "0")
    };
    plain(one.trim_end()) == plain(other.trim_end())
}

/// The sessions of a page, with what opens and closes each.
fn sessions(page: &str) -> Vec<&str> {
    page.split("```console\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0)).collect()
}

#[test]
#[ignore = "needs pebble, certbot and script(1): run by tests/run"]
fn the_pages_show_what_is_printed() {
    let stage = stage();
    let mut seen = Vec::new();
    for page in PAGES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
        let text = fs::read_to_string(&path).unwrap();
        let mut written = text.clone();
        // The reader of a page has no certificate yet.
        let _ = fs::remove_dir_all(stage.path("certbot"));
        for session in sessions(&text) {
            // A reader takes a moment between two sessions: meanwhile both name servers have the last removal.
            std::thread::sleep(DELAYS[1]);
            let printed = replayed(&stage, session);
            if std::env::var_os("WRITE_SESSIONS").is_some() {
                written = written.replace(session, &format!("{printed}\n"));
            } else {
                assert!(
                    same(&printed, session),
                    "{page} shows\n{session}\nbut `tests/sessions` would write\n{printed}"
                );
            }
            seen.extend(commands(session));
        }
        if written != text {
            fs::write(&path, written).unwrap();
        }
    }
    for command in ["certbot certonly --authenticator dns-ipv64", "ipv64-acme doctor", "ipv64-acme test"] {
        assert!(seen.iter().any(|it| it.starts_with(command)), "no page shows {command}");
    }
    assert!(stage.sim.records_left().is_empty());
}

#[test]
fn sessions_are_compared_but_for_figures_and_columns() {
    assert!(same("ready after 5.4 s   (ns1)\n", "ready after 12.0 s (ns1)"));
    assert!(same("ok  (ns1)  it answers\n           over TCP", "ok  (ns1) it answers over TCP"));
    assert!(!same("ready after 5.4 s", "ready"));
    assert!(!same("2 of 2 ready", "ready"));
}

#[test]
fn a_command_of_a_session_may_go_on_in_the_next_line() {
    let session = "$ one \\\n  two\nprinted\n$ three\n";
    assert_eq!(commands(session), ["one \\\n  two", "three"]);
}
