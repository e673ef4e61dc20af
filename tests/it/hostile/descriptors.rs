//! Streams that are closed, full, or that nobody reads. What is printed goes nowhere, and above all not into a file that was
//! opened under the number of a closed stream.

use std::process::Stdio;
use std::time::{Duration, Instant};

use ipv64_acme::sim::{Action, ApiFault};

use super::*;

const CLOSED: [&str; 5] = [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", "<&-"];

#[test]
fn no_output_lands_in_a_file_that_took_the_number_of_a_closed_stream() {
    let env = hasty();
    for closed in CLOSED {
        for flags in ["", "-vv", "--json"] {
            let context = format!("{flags} {closed}");
            let finished = shell(&env, &format!("ipv64-acme {flags} present {NAME} {VALUE} {closed}"));
            assert_eq!(finished.status.code(), Some(0), "{context}: {}", finished.said());
            assert_state_is_clean(&env, &context);
            env.sim.fault(ApiFault::next(Action::json(401, r#"{"info":"Unauthorized"}"#)));
            shell(&env, &format!("ipv64-acme {flags} account {closed}"));
            assert_state_is_clean(&env, &context);
            assert_can_be_removed(&env, VALUE, &context);
        }
    }
}

/// Each file of the state directory is one JSON document, or empty.
fn assert_state_is_clean(env: &TestEnvironment, context: &str) {
    let files = contents(&env.path("state"));
    assert!(!files.is_empty(), "{context}");
    for (path, text) in files {
        let is_ours = text.is_empty() || text.starts_with("{\"version\":1,");
        let is_json = text.is_empty() || serde_json::from_str::<serde_json::Value>(&text).is_ok();
        assert!(is_ours && is_json, "{context}: {}: {text}", path.display());
    }
}

#[test]
fn a_hook_whose_output_nobody_takes_does_its_work() {
    let env = hasty();
    for to in [">/dev/full", ">/dev/full 2>&1", "2>/dev/full"] {
        for verb in ["-vv present", "cleanup"] {
            let finished = shell(&env, &format!("ipv64-acme {verb} {NAME} {VALUE} {to}"));
            assert_eq!(finished.status.code(), Some(0), "{verb} {to}: {}", finished.said());
        }
        assert!(env.sim.records_left().is_empty(), "{to}");
    }
}

/// What a command for people prints is its result: if it is lost, the command has failed.
#[test]
fn a_result_that_a_full_disk_does_not_take_is_a_failure() {
    let env = hasty();
    for command in
        ["completions bash", "man", "--json man", "config", "--json status", "account", "--help", "--version"]
    {
        let finished = shell(&env, &format!("ipv64-acme {command} >/dev/full"));
        assert_eq!(finished.status.code(), Some(1), "{command}: {}", finished.said());
        assert!(
            finished.stderr.starts_with("error: cannot write the result to stdout\n"),
            "{command}: {}",
            finished.said()
        );
        assert!(finished.stderr.contains("No space left on device"), "{command}: {}", finished.said());
        assert!(finished.stderr.contains("\nhint: "), "{command}: {}", finished.said());
        for gone in [">&-", "| true"] {
            let finished = shell(&env, &format!("{{ ipv64-acme {command}; echo ended with $? >&2; }} {gone}"));
            assert_eq!(finished.stderr, "ended with 0\n", "{command} {gone}");
        }
    }
    let finished = shell(&env, "ipv64-acme record list nowhere.example >/dev/full");
    assert_eq!(finished.status.code(), Some(7), "the command's own error comes first: {}", finished.said());
}

/// A pipe without a reader sends SIGPIPE to programs that do not ignore it.
#[test]
fn a_hook_whose_reader_has_gone_does_its_work() {
    let env = hasty();
    for verb in ["present", "cleanup"] {
        let mut command = env.command(crate::support::programs::hook());
        let mut child = command
            .args(["-vv", verb, NAME, VALUE])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        assert_eq!(child.wait().unwrap().code(), Some(0), "{verb}");
    }
    assert!(env.sim.records_left().is_empty());
}

/// A timer or a script may leave it open for ever.
#[test]
fn what_has_its_operands_does_not_read_an_input_that_never_ends() {
    let env = hasty();
    for args in [
        &["present", NAME, VALUE][..],
        &["cleanup", NAME, VALUE],
        &["explain", "no_domain"],
        &["explain", "No TXT record found at _acme-challenge.name.ipv64.net"],
        &["sweep"],
        &["record", "delete", NAME, "TXT", VALUE],
    ] {
        let mut command = env.command(crate::support::programs::hook());
        let mut child = command.args(args).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let input = child.stdin.take();
        let until = Instant::now() + Duration::from_secs(60);
        let ended = loop {
            match child.try_wait().unwrap() {
                None if Instant::now() < until => std::thread::sleep(Duration::from_millis(10)),
                ended => break ended,
            }
        };
        drop(input);
        child.wait().unwrap();
        assert!(ended.is_some_and(|ended| ended.success()), "{args:?}: {ended:?}");
    }
}
