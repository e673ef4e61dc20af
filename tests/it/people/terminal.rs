//! What only happens on a terminal: the hidden prompt, the lines that go again. script(1) makes the terminal.

use std::time::Duration;

use ipv64_acme::sim::Config;

use crate::support::environment::TestEnvironment;
use crate::support::process::Finished;
use crate::support::terminal;
use crate::support::values::FIRST;

/// The start of what `init` asks.
const QUESTION: &str = "API key (";
const INIT: &str = "ipv64-acme init --config conf/config.toml";

fn slow_env() -> TestEnvironment {
    TestEnvironment::with(Config::with_delays(&[Duration::from_millis(300), Duration::from_millis(1500)]))
}

/// A test environment whose commands know no key.
fn env() -> TestEnvironment {
    let mut env = TestEnvironment::new();
    env.set("IPV64_API_KEY", "");
    env
}

/// Asserts that the prompt ended without a key, and that the terminal shows again what is typed, as stty(1) says at the end.
fn assert_nothing_stored(env: &TestEnvironment, finished: &Finished) {
    let words = [": nothing was stored", " echo "];
    assert!(words.iter().all(|words| finished.stdout.contains(words)), "{}", finished.said());
    assert!(!env.path("conf").exists());
}

#[test]
#[ignore = "needs script(1): run by tests/run"]
fn the_key_is_not_shown_while_it_is_typed() {
    let env = env();
    let key = env.sim.key(0).unwrap().to_owned();
    let finished = terminal::answer(&env, &format!("{INIT}; stty -a"), QUESTION, &format!("echo {key}"));
    assert!(!finished.stdout.contains(&key), "{}", finished.said());
    for words in [QUESTION, "class Standard", " echo "] {
        assert!(finished.stdout.contains(words), "{words:?}: {}", finished.said());
    }
}

#[test]
#[ignore = "needs script(1): run by tests/run"]
fn the_token_for_a_broker_is_not_shown_while_it_is_typed() {
    let env = env();
    let init = "ipv64-acme init --config conf/config.toml --broker http://127.0.0.1:1; stty -a";
    let finished = terminal::answer(&env, init, "broker token (", "echo ipv64b_c4n4ry");
    assert!(!finished.stdout.contains("ipv64b_c4n4ry"), "{}", finished.said());
    for words in ["the broker token was not stored", " echo "] {
        assert!(finished.stdout.contains(words), "{words:?}: {}", finished.said());
    }
}

#[cfg(feature = "serve")]
#[test]
#[ignore = "needs script(1): run by tests/run"]
fn a_client_whose_removal_is_declined_is_there_and_that_is_said() {
    let env = env();
    env.succeed(&["client", "add", "web", "--config-dir", "etc", "--allow", "a.example"]);
    let remove = "ipv64-acme client remove web --config-dir etc";
    let finished = terminal::answer(&env, remove, "remove the client `web`?", "echo n");
    assert!(finished.stdout.contains("the client `web` was not removed"), "{}", finished.said());
    assert!(!finished.stdout.contains("deleted") && env.path("etc/clients/web.toml").exists(), "{}", finished.said());
}

#[test]
#[ignore = "needs script(1): run by tests/run"]
fn init_asks_and_shows_whole_commands_on_a_terminal_of_20_columns() {
    let env = env();
    let key = env.sim.key(0).unwrap().to_owned();
    let narrow = terminal::answer(&env, &format!("stty cols 20; {INIT}"), QUESTION, &format!("echo {key}"));
    for words in ["class Standard", "ipv64-acme test name.ipv64.net", "api_key_file = "] {
        assert!(narrow.stdout.contains(words), "{words}: {}", narrow.said());
    }
    assert!(narrow.status.success() && !narrow.stdout.contains(&key), "{}", narrow.said());
}

#[test]
#[ignore = "needs script(1): run by tests/run"]
fn the_key_that_acme_sh_has_saved_is_taken_over_after_a_yes_alone() {
    let asked = |saved: Option<&str>, typing: &str| {
        let env = env();
        let key = env.sim.key(0).unwrap().to_owned();
        std::fs::create_dir(env.path(".acme.sh")).unwrap();
        let text = format!("SAVED_IPv64_Token='{}'\n", saved.unwrap_or(&key));
        std::fs::write(env.path(".acme.sh/account.conf"), text).unwrap();
        let finished = terminal::answer(&env, INIT, "use it?", &typing.replace("KEY", &key));
        let stored = std::fs::read_to_string(env.path("conf/api-key")).unwrap_or_default();
        assert_eq!(stored, format!("{key}\n"), "{}", finished.said());
        assert!(finished.stdout.contains("api-key (mode 600):"), "each file is shown: {}", finished.said());
        assert!(!finished.stdout.contains(&key), "{}", finished.said());
    };
    asked(None, "echo y");
    let until_asked = format!("until grep -qF \"{QUESTION}\" seen; do sleep 0.05; done");
    asked(Some("0123456789abcdef0123456789abcdef"), &format!("echo; {until_asked}; echo KEY"));
}

#[test]
#[ignore = "needs script(1): run by tests/run"]
fn an_interrupt_at_the_prompt_stores_nothing_and_gives_the_terminal_back() {
    let env = env();
    let finished = terminal::answer(&env, &format!("trap : INT; {INIT}; stty -a"), QUESTION, r"printf '\003'");
    assert!(finished.stdout.contains("interrupted"), "{}", finished.said());
    assert_nothing_stored(&env, &finished);
}

#[test]
#[ignore = "needs script(1): run by tests/run"]
fn a_signal_at_the_prompt_stores_nothing_and_gives_the_terminal_back() {
    let env = env();
    let command = format!("sh -c \"echo \\$\\$ >pid; exec {INIT}\"; stty -a");
    let finished = terminal::answer(&env, &command, QUESTION, "kill -TERM $(cat pid)");
    assert_nothing_stored(&env, &finished);
}

#[test]
#[ignore = "needs script(1): run by tests/run"]
fn keys_that_would_leave_the_terminal_silent_do_nothing_at_the_prompt() {
    let env = env();
    // Ctrl-Z and Ctrl-\, then Ctrl-C.
    let command = format!("trap : INT QUIT TSTP; {INIT}; stty -a");
    let finished = terminal::answer(&env, &command, QUESTION, r"printf '\032\034'; sleep 0.5; printf '\003'");
    assert!(finished.stdout.contains("interrupted"), "{}", finished.said());
    assert!(finished.stdout.contains("susp = ^Z"), "{}", finished.said());
    assert_nothing_stored(&env, &finished);
}

#[test]
#[ignore = "needs script(1): run by tests/run"]
fn the_end_of_input_at_the_prompt_stores_nothing() {
    let env = env();
    let finished = terminal::answer(&env, &format!("{INIT}; stty -a"), QUESTION, r"printf '\004'");
    assert_nothing_stored(&env, &finished);
}

#[test]
#[ignore = "needs script(1): run by tests/run"]
fn a_narrow_terminal_shows_names_and_verdicts_without_wrapping() {
    let finished = terminal::watch(&slow_env(), "stty cols 40; ipv64-acme test name.ipv64.net");
    let live = finished.stdout.lines().filter(|line| line.contains("ns2.ipv64") && line.contains('~'));
    let live: Vec<_> =
        live.map(|line| line.rsplit('\u{1b}').next().unwrap().trim_start_matches("[J").trim_end()).collect();
    assert!(live.iter().any(|line| line.ends_with("no TXT record")), "{}", finished.said());
    assert!(live.iter().all(|line| line.chars().count() <= 40), "{live:?}");
}

#[test]
#[ignore = "needs script(1): run by tests/run"]
fn each_server_has_a_line_while_a_hook_waits_and_none_afterwards() {
    let finished = terminal::watch(&slow_env(), &format!("ipv64-acme present _acme-challenge.name.ipv64.net {FIRST}"));
    let (before, after) = finished.stdout.rsplit_once("\u{1b}[J").expect("lines are erased");
    assert!(before.contains("ns2.ipv64.net (") && before.contains("lags"), "{}", finished.said());
    assert!(after.starts_with("_acme-challenge.name.ipv64.net: ready on 2 of 2"), "{}", finished.said());
}

#[test]
#[ignore = "needs script(1): run by tests/run"]
fn nothing_moves_where_the_terminal_cannot_or_the_output_has_to_stay() {
    let present = &format!("ipv64-acme present _acme-challenge.name.ipv64.net {FIRST}");
    for command in [
        format!("TERM=dumb {present}"),
        format!("TERM= {present}"),
        format!("{present} --json"),
        format!("stty cols 10; {present}"),
        format!("ipv64-acme -q{}", present.trim_start_matches("ipv64-acme")),
        format!("ipv64-acme -v{}", present.trim_start_matches("ipv64-acme")),
    ] {
        let finished = terminal::watch(&slow_env(), &command);
        assert!(!finished.stdout.contains('\u{1b}'), "{command}: {}", finished.said());
    }
}

#[test]
#[ignore = "needs script(1): run by tests/run"]
fn the_help_has_colours_only_where_they_are_wanted() {
    let env = TestEnvironment::new();
    let has_colours = |command: &str| terminal::watch(&env, command).stdout.contains('\u{1b}');
    assert!(has_colours("ipv64-acme --help"));
    for command in ["NO_COLOR=1 ipv64-acme --help", "TERM=dumb ipv64-acme --help", "NO_COLOR=1 ipv64-acme --wrong"] {
        assert!(!has_colours(command), "{command}");
    }
}

#[test]
#[ignore = "needs script(1): run by tests/run"]
fn results_fit_a_terminal_of_any_width_and_kind() {
    let mut env = TestEnvironment::new();
    env.set("IPV64_API_KEY", "a-wrong-key");
    env.fail(&["present", "_acme-challenge.name.ipv64.net", FIRST], 3);
    let shown = |env: &TestEnvironment, columns: u32, variables: &str, command: &str| {
        let line = format!("stty cols {columns}; {variables} ipv64-acme {command}");
        terminal::watch(env, &line).stdout.replace('\r', "")
    };
    let fits = |text: &str, columns: usize| {
        // A word that is wider stays whole, to be copied.
        let is_fit = |line: &str| line.chars().count() <= columns || line.split_whitespace().count() <= 2;
        assert!(text.lines().all(is_fit), "{columns}: {text}");
    };
    for columns in [40, 57, 80, 200] {
        let text = shown(&env, columns, "NO_COLOR=1 LC_ALL=C", "doctor name.ipv64.net");
        assert!(text.starts_with("x error    API  ") && text.is_ascii(), "{text}");
        let last = text.rsplit("1 error, 0 warnings.").next().unwrap();
        assert!(last.split_whitespace().collect::<Vec<_>>().join(" ").starts_with("First: API: "), "{text}");
        fits(&text, columns as usize);
    }
    let coloured = shown(&env, 100, "LC_ALL=C.UTF-8", "doctor name.ipv64.net");
    assert!(coloured.starts_with("\u{1b}[31m✗ error\u{1b}[0m    API  "), "{coloured}");
    let key = env.sim.key(0).unwrap().to_string();
    env.set("IPV64_API_KEY", &key);
    env.succeed(&["present", "_acme-challenge.name.ipv64.net", FIRST]);
    let sweep = "sweep --older-than 0";
    for command in ["doctor name.ipv64.net", "config", "history", "status", "explain no_domain", "record list", sweep] {
        let text = shown(&env, 20, "NO_COLOR=1 LC_ALL=C TERM=dumb", command);
        assert!(!text.is_empty() && !text.contains('\u{1b}') && text.is_ascii(), "{command}: {text}");
        fits(&text, 20);
    }
}
