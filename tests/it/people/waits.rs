//! Each wait says what it is for: a long one in a note of the success or in a detail of the failure, on a terminal while it lasts.

use std::fs;
use std::time::Duration;

use ipv64_acme::challenge::TxtValue;
use ipv64_acme::sim::{Action, ApiFault, CallKind, Config};
use serde_json::Value;

use crate::support::environment::TestEnvironment;
use crate::support::terminal;

const NAME: &str = "_acme-challenge.name.ipv64.net";
const WINDOW: &str = "the request window (1/11, IPV64_API_RATE)";

fn value() -> String {
    TxtValue::random().unwrap().to_string()
}

/// A world in which the second request has to wait for eleven seconds.
fn narrow() -> TestEnvironment {
    let mut env = TestEnvironment::new();
    env.set("IPV64_API_RATE", "1/11");
    env
}

/// A world whose first additions are answered like this.
fn failing(action: Action, times: u32) -> TestEnvironment {
    let env = TestEnvironment::new();
    env.sim.fault(ApiFault::on(CallKind::AddRecord, action).times(times));
    env
}

/// Adds a record; the line of the success names the whole time, and the note what it was spent on.
fn assert_noted(env: &TestEnvironment, what: &str) {
    let said = env.succeed(&["present", NAME, &value()]);
    let (record, note) = said.split_once('\n').unwrap();
    let seconds: f64 = record.rsplit(' ').nth(1).unwrap().parse().unwrap();
    let noted = note.strip_prefix("  note: waited ").and_then(|note| note.split_once(" s for ")).expect(&said);
    assert!(seconds >= noted.0.parse().unwrap() && noted.1.contains(what), "{said}");
    assert_eq!(note.lines().count(), 1, "{said}");
}

#[test]
fn a_long_wait_is_a_note_of_the_success() {
    let refused = Action::burst().with_header("Retry-After", "11");
    let (no_answer, busy) = (Action::html(503, ""), "the next try: IPv64 gives no usable answer: 503");
    std::thread::scope(|scope| {
        scope.spawn(|| assert_noted(&narrow(), WINDOW));
        scope.spawn(|| assert_noted(&failing(refused, 1), "the next try: IPv64 refuses further calls"));
        // About one, four and fifteen seconds.
        scope.spawn(|| assert_noted(&failing(no_answer, 3), busy));
    });
}

#[test]
fn the_document_gives_the_whole_time_and_no_note() {
    let document = narrow().run(&["--json", "present", NAME, &value()]);
    let document: Value = serde_json::from_str(&document.stdout).unwrap();
    assert!(document["records"][0]["seconds"].as_f64().unwrap() > 10.0, "{document}");
    assert_eq!(document.as_object().unwrap().len(), 1, "{document}");
}

#[test]
fn a_long_wait_is_a_detail_of_the_failure() {
    let mut env = narrow();
    env.set("IPV64_PROPAGATION_TIMEOUT", "2");
    env.sim.fault(ApiFault::on(CallKind::AddRecord, Action::json(401, "{}")));
    let said = env.fail(&["present", NAME, &value()], 3);
    assert!(said.lines().any(|line| line.starts_with("  waited 1") && line.contains(WINDOW)), "{said}");
}

#[test]
fn the_wait_for_the_cas_cache_is_named_and_counts() {
    let env = TestEnvironment::new();
    env.succeed(&["present", NAME, &value()]);
    // The first value was reported as ready almost 65 s ago.
    let file = env.path("state/journal.json");
    let mut journal: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();

    let at = &mut journal["content"]["ready"][0]["at"];
    *at = (at.as_u64().unwrap() - 63_000).into();
    fs::write(&file, journal.to_string()).unwrap();
    let said = env.succeed_with_warning(&["-v", "present", NAME, &value()]);
    assert!(said.contains("waiting for the CA's cache, which may still hold the previous value"), "{said}");
}

#[test]
#[ignore = "needs script(1): run by tests/run"]
fn a_terminal_shows_what_is_waited_for_and_of_how_much() {
    let mut env = TestEnvironment::with(Config::with_delays(&[Duration::from_millis(1500)]));
    env.set("IPV64_API_RATE", "1/3");
    let said = terminal::watch(&env, &format!("ipv64-acme present {NAME} {}", value())).stdout;
    for line in ["(1/3, IPV64_API_RATE): 2 s of at most 4 s", "waiting for the name servers: 1 s of at most 180 s"] {
        assert!(said.contains(line), "{line}: {said}");
    }
    let (_, after) = said.rsplit_once("\u{1b}[J").expect("lines are erased");
    assert!(after.starts_with(NAME), "{said}");
}

#[test]
fn a_network_that_is_not_up_yet_is_named() {
    let mut env = TestEnvironment::new();
    env.set("IPV64_PROPAGATION_TIMEOUT", "3");
    for setting in ["IPV64_RESOLVERS", "IPV64_ROOT_SERVERS"] {
        env.set(setting, "127.255.255.1");
    }
    let said = env.fail(&["-v", "present", NAME, &value()], 6);
    assert_eq!(said.matches("waiting for DNS, in case the network is not up yet: ").count(), 1, "{said}");
}
