//! What only happens on a terminal: aligned tables, and the question before a domain is deleted.
//! script(1) makes the terminal.

use crate::support::environment::TestEnvironment;
use crate::support::terminal;

const DELETE: &str = "ipv64-acme domain delete name.ipv64.net";
const QUESTION: &str = "delete `name.ipv64.net` with its 1 record? [y/N] ";

#[test]
#[ignore = "needs script(1): run by tests/run"]
fn a_terminal_gets_columns_below_heads() {
    let finished = terminal::watch(&TestEnvironment::new(), "ipv64-acme domain list");
    let first: Vec<_> = finished.stdout.lines().map(str::trim_end).take(2).collect();
    assert_eq!(first[0], "NAME                  RECORDS  WILDCARD  UPDATES", "{}", finished.said());
    assert_eq!(first[1], "deep.sub.example.org  1        no        0", "{}", finished.said());
}

#[test]
#[ignore = "needs script(1): run by tests/run"]
fn a_domain_goes_only_after_a_yes() {
    for (typing, status) in [("echo n", 1), ("echo", 1), (r"printf '\004'", 1), ("echo maybe", 1), ("echo YES", 0)] {
        let env = TestEnvironment::new();
        let finished = terminal::answer(&env, DELETE, QUESTION, typing);
        assert_eq!(finished.status.code(), Some(status), "{typing:?}: {}", finished.said());
        let there = env.succeed(&["domain", "list"]).contains("name.ipv64.net\t");
        assert_eq!(there, status == 1, "{typing:?}");
    }
}

#[test]
#[ignore = "needs script(1): run by tests/run"]
fn an_interrupt_at_the_question_leaves_everything() {
    let env = TestEnvironment::new();
    let finished = terminal::answer(&env, &format!("trap : INT; {DELETE}"), QUESTION, r"printf '\003'");
    assert!(!finished.status.success(), "{}", finished.said());
    assert!(finished.stdout.contains("nothing was deleted"), "{}", finished.said());
    assert!(env.succeed(&["domain", "list"]).contains("name.ipv64.net\t"));
}
