//! What only happens on a terminal: the hidden prompt, the lines that go again, the bars. script(1) makes the terminal.

use std::time::Duration;

use ipv64_acme::sim::Config;

use crate::support::desk::Desk;
use crate::support::process::{self, Finished};

/// Runs a shell command on a terminal where the shell command `typed` types.
fn on_terminal(desk: &Desk, command: &str, typed: &str) -> Finished {
    let script = format!("{typed} | script --quiet --return --command '{command}' /dev/null");
    process::run(desk.command("/bin/sh").args(["-c", &script]).env("SHELL", "/bin/sh").env("TERM", "xterm"))
}

fn slow_desk() -> Desk {
    Desk::with(Config::with_delays(&[Duration::from_millis(300), Duration::from_millis(1500)]))
}

#[test]
#[ignore = "needs script(1): run by tests/run"]
fn the_key_is_not_shown_while_it_is_typed() {
    let mut desk = Desk::new();
    desk.set("IPV64_API_KEY", "");
    let key = desk.sim.key(0).unwrap().to_owned();
    let typed = format!("(sleep 1; echo {key}; sleep 1)");
    let finished = on_terminal(&desk, "ipv64-acme init --config conf/config.toml; stty -a", &typed);
    assert!(finished.stdout.contains("API key (") && !finished.stdout.contains(&key), "{}", finished.said());
    assert!(finished.stdout.contains("class Standard"), "{}", finished.said());
    assert!(finished.stdout.contains(" echo "), "the terminal shows again what is typed: {}", finished.said());
}

#[test]
#[ignore = "needs script(1): run by tests/run"]
fn an_interrupt_at_the_prompt_stores_nothing_and_gives_the_terminal_back() {
    let mut desk = Desk::new();
    desk.set("IPV64_API_KEY", "");
    let command = "trap : INT; ipv64-acme init --config conf/config.toml; stty -a";
    let finished = on_terminal(&desk, command, "(sleep 1; printf \"\\003\"; sleep 1)");
    assert!(finished.stdout.contains("interrupted: nothing was stored"), "{}", finished.said());
    assert!(finished.stdout.contains(" echo "), "{}", finished.said());
    assert!(!desk.path("conf").exists());
}

#[test]
#[ignore = "needs script(1): run by tests/run"]
fn a_signal_at_the_prompt_stores_nothing_and_gives_the_terminal_back() {
    let mut desk = Desk::new();
    desk.set("IPV64_API_KEY", "");
    let command = "sh -c \"echo \\$\\$ >pid; exec ipv64-acme init --config conf/config.toml\"; stty -a";
    let typed = "(until [ -s pid ]; do sleep 0.05; done; sleep 1; kill -TERM $(cat pid); sleep 1)";
    let finished = on_terminal(&desk, command, typed);
    assert!(
        finished.stdout.contains("nothing was stored") && finished.stdout.contains(" echo "),
        "{}",
        finished.said()
    );
    assert!(!desk.path("conf").exists());
}

#[test]
#[ignore = "needs script(1): run by tests/run"]
fn keys_that_would_leave_the_terminal_silent_do_nothing_at_the_prompt() {
    let mut desk = Desk::new();
    desk.set("IPV64_API_KEY", "");
    // Ctrl-Z and Ctrl-\, then Ctrl-C.
    let command = "trap : INT QUIT TSTP; ipv64-acme init --config conf/config.toml; stty -a";
    let finished = on_terminal(&desk, command, "(sleep 1; printf \"\\032\\034\"; sleep 1; printf \"\\003\"; sleep 1)");
    assert!(finished.stdout.contains("interrupted: nothing was stored"), "{}", finished.said());
    assert!(finished.stdout.contains(" echo ") && finished.stdout.contains("susp = ^Z"), "{}", finished.said());
}

#[test]
#[ignore = "needs script(1): run by tests/run"]
fn the_end_of_input_at_the_prompt_stores_nothing() {
    let mut desk = Desk::new();
    desk.set("IPV64_API_KEY", "");
    let command = "ipv64-acme init --config conf/config.toml; stty -a";
    let finished = on_terminal(&desk, command, "(sleep 1; printf \"\\004\"; sleep 1)");
    assert!(
        finished.stdout.contains("nothing was stored") && finished.stdout.contains(" echo "),
        "{}",
        finished.said()
    );
    assert!(!desk.path("conf").exists());
}

#[test]
#[ignore = "needs script(1): run by tests/run"]
fn a_narrow_terminal_shows_names_and_verdicts_without_wrapping() {
    let finished = on_terminal(&slow_desk(), "stty cols 40; ipv64-acme test name.ipv64.net", ":");
    let live = finished.stdout.lines().filter(|line| line.contains("ns2.ipv64") && line.contains('…'));
    let live: Vec<_> =
        live.map(|line| line.rsplit('\u{1b}').next().unwrap().trim_start_matches("[J").trim_end()).collect();
    assert!(live.iter().any(|line| line.ends_with("no TXT record")), "{}", finished.said());
    assert!(live.iter().all(|line| line.chars().count() <= 40), "{live:?}");
    assert!(finished.stdout.contains("█ "), "{}", finished.said());
}

#[test]
#[ignore = "needs script(1): run by tests/run"]
fn each_server_has_a_line_while_a_hook_waits_and_none_afterwards() {
    let finished = on_terminal(&slow_desk(), "ipv64-acme present _acme-challenge.name.ipv64.net v", ":");
    let (before, after) = finished.stdout.rsplit_once("\u{1b}[J").expect("lines are erased");
    assert!(before.contains("ns2.ipv64.net (") && before.contains("lags"), "{}", finished.said());
    assert!(after.starts_with("_acme-challenge.name.ipv64.net: ready on 2 of 2"), "{}", finished.said());
}

#[test]
#[ignore = "needs script(1): run by tests/run"]
fn nothing_moves_where_the_terminal_cannot_or_the_output_has_to_stay() {
    let present = "ipv64-acme present _acme-challenge.name.ipv64.net v";
    for command in [
        format!("TERM=dumb {present}"),
        format!("TERM= {present}"),
        format!("{present} --json"),
        format!("stty cols 10; {present}"),
        format!("ipv64-acme -q{}", present.trim_start_matches("ipv64-acme")),
        format!("ipv64-acme -v{}", present.trim_start_matches("ipv64-acme")),
    ] {
        let finished = on_terminal(&slow_desk(), &command, ":");
        assert!(!finished.stdout.contains('\u{1b}'), "{command}: {}", finished.said());
    }
}

#[test]
#[ignore = "needs script(1): run by tests/run"]
fn times_are_bars_on_a_terminal() {
    let finished = on_terminal(&slow_desk(), "ipv64-acme test name.ipv64.net", ":");
    assert!(finished.stdout.contains("█ "), "{}", finished.said());
}

#[test]
#[ignore = "needs script(1): run by tests/run"]
fn the_help_has_colours_only_where_they_are_wanted() {
    let desk = Desk::new();
    let has_colours = |command: &str| on_terminal(&desk, command, ":").stdout.contains('\u{1b}');
    assert!(has_colours("ipv64-acme --help"));
    for command in ["NO_COLOR=1 ipv64-acme --help", "TERM=dumb ipv64-acme --help", "NO_COLOR=1 ipv64-acme --wrong"] {
        assert!(!has_colours(command), "{command}");
    }
}
