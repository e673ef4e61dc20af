//! What only happens on a terminal: aligned tables, and the question before a domain is deleted.
//! script(1) makes the terminal.

use super::desk::Desk;
use crate::support::process::{self, Finished};

/// Runs a command on a terminal where the shell command `typed` types.
fn on_terminal(desk: &Desk, command: &str, typed: &str) -> Finished {
    let script = format!("{typed} | script --quiet --return --command '{command}' /dev/null");
    process::run(desk.command("/bin/sh").args(["-c", &script]).env("SHELL", "/bin/sh"))
}

#[test]
#[ignore = "needs script(1): run by tests/run"]
fn a_terminal_gets_columns_below_heads() {
    let finished = on_terminal(&Desk::new(), "ipv64-acme domain list", ":");
    let first: Vec<_> = finished.stdout.lines().map(str::trim_end).take(2).collect();
    assert_eq!(first[0], "NAME                  RECORDS  WILDCARD  UPDATES", "{}", finished.said());
    assert_eq!(first[1], "deep.sub.example.org  1        no        0", "{}", finished.said());
}

#[test]
#[ignore = "needs script(1): run by tests/run"]
fn a_domain_goes_only_after_a_yes() {
    for (typed, status) in [("echo n", 1), ("echo", 1), (":", 1), ("echo maybe", 1), ("echo YES", 0)] {
        let desk = Desk::new();
        let finished = on_terminal(&desk, "ipv64-acme domain delete name.ipv64.net", typed);
        assert_eq!(finished.status.code(), Some(status), "{typed:?}: {}", finished.said());
        assert!(finished.stdout.contains("delete `name.ipv64.net` with its 1 record? [y/N] "), "{}", finished.said());
        let there = desk.succeed(&["domain", "list"]).contains("name.ipv64.net\t");
        assert_eq!(there, status == 1, "{typed:?}");
    }
}

#[test]
#[ignore = "needs script(1): run by tests/run"]
fn an_interrupt_at_the_question_leaves_everything() {
    let desk = Desk::new();
    // The pause lets the question come first; a signal before it would end the program as well.
    let finished = on_terminal(&desk, "ipv64-acme domain delete name.ipv64.net", "(sleep 1; printf '\\003'; sleep 1)");
    assert!(!finished.status.success(), "{}", finished.said());
    assert!(finished.stdout.contains("nothing was deleted"), "{}", finished.said());
    assert!(desk.succeed(&["domain", "list"]).contains("name.ipv64.net\t"));
}
