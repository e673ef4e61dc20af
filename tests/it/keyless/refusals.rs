//! What a broker refuses, and what becomes of a record when it does not answer.

use super::standin::Fault;
use super::{NAME, RECORD, machine};
use crate::support::values::{FIRST, SECOND};

#[test]
fn each_refusal_has_its_kind_and_its_exit_code_and_leaves_nothing_open() {
    for (status, kind, code) in [
        (401, "broker_unauthorized", 3),
        (403, "broker_not_allowed", 3),
        (429, "broker_calls_used_up", 4),
        (429, "quota_used_up", 4),
        (404, "no_domain", 7),
        (400, "rejected", 1),
        (502, "unauthorized", 3),
    ] {
        let (world, broker) = machine(&[]);
        broker.fault([Fault::refusal(status, kind)]);
        let finished = world.hook(&["deploy_challenge", NAME, "t", FIRST]);
        assert_eq!(finished.status.code(), Some(code), "{}", finished.said());
        let said = &finished.stderr;
        assert!(said.contains(&format!("error[{kind}]")) && said.contains("words of the broker"), "{said}");
        assert!(said.contains("the broker") && said.contains("hint: ") && !said.contains("IPv64 does not"), "{said}");
        assert!(!said.contains("c4n4ry"), "{said}");
        let finished = world.hook(&["--json", "sweep"]);
        assert!(finished.stdout.contains(r#""records":[]"#), "{}", finished.said());
    }
}

#[test]
fn a_broker_that_is_away_is_named_and_keeps_no_record_waiting() {
    let (mut world, broker) = machine(&[]);
    let (address, add) = (broker.address(), ["deploy_challenge", NAME, "t", FIRST]);
    world.set("IPV64_BROKER", "http://127.0.0.1:1");
    world.set("IPV64_PROPAGATION_TIMEOUT", "3");
    let finished = world.hook(&add);
    assert_eq!(finished.status.code(), Some(6), "{}", finished.said());
    assert!(finished.stderr.contains("error[unreachable]") && finished.stderr.contains("no answer from the broker"));
    assert!(
        finished.stderr.contains("IPV64_BROKER") && !finished.stderr.contains("IPV64_API_URL"),
        "{}",
        finished.said()
    );
    // The next call of the same machine is not held up by it.
    world.set("IPV64_BROKER", &address);
    assert_eq!(world.hook(&add).status.code(), Some(0));
}

#[test]
fn an_outage_ends_with_the_first_answer() {
    let (mut world, broker) = machine(&[]);
    world.set("IPV64_PROPAGATION_TIMEOUT", "30");
    let busy = Fault::Answer(
        503,
        vec![("Retry-After", "1".to_owned())],
        r#"{"error":{"kind":"unavailable","message":"IPv64 is away","hint":null}}"#.to_owned(),
    );
    broker.fault([busy.clone(), busy]);
    let finished = world.hook(&["present", RECORD, FIRST]);
    assert_eq!(finished.status.code(), Some(0), "{}", finished.said());
    assert_eq!(broker.seen().len(), 3);
}

#[test]
fn a_removal_that_fails_for_a_while_is_finished_by_the_next_call_or_by_sweep() {
    for finisher in [&["present", "_acme-challenge.example.com", SECOND][..], &["sweep", "--yes"]] {
        let (mut world, broker) = machine(&[]);
        assert_eq!(world.hook(&["deploy_challenge", NAME, "t", FIRST]).status.code(), Some(0));
        world.set("IPV64_PROPAGATION_TIMEOUT", "5");
        broker.fault([Fault::refusal(429, "quota_used_up")]);
        let finished = world.hook(&["clean_challenge", NAME, "t", FIRST]);
        assert_eq!(finished.status.code(), Some(0), "{}", finished.said());
        assert!(finished.stderr.contains("warning") && finished.stderr.contains(RECORD), "{}", finished.said());
        assert_eq!(world.records(), [format!("{RECORD} {FIRST}")]);
        let finished = world.hook(finisher);
        assert_eq!(finished.status.code(), Some(0), "{}", finished.said());
        assert!(!world.records().contains(&format!("{RECORD} {FIRST}")), "{finisher:?}");
    }
}

#[test]
fn what_was_killed_in_the_middle_is_in_the_journal_and_sweep_removes_it() {
    let (mut world, broker) = machine(&[]);
    // Far longer than the test: it is killed while it waits for servers that never follow.
    world.set("IPV64_PROPAGATION_TIMEOUT", "600");
    world.sim.set_server("ns2.ipv64.net", &ipv64_acme::sim::ServerSettings::stale()).unwrap();
    let mut command = world.command(&crate::support::programs::hook());
    command.args(["deploy_challenge", NAME, "t", FIRST]).stdin(std::process::Stdio::null());
    let mut child = command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    while world.records().is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let listed = world.hook(&["--json", "sweep", "--older-than", "0"]);
    assert!(listed.stdout.contains(FIRST), "{}", listed.said());
    let swept = world.hook(&["sweep", "--older-than", "0", "--yes"]);
    assert_eq!(swept.status.code(), Some(0), "{}", swept.said());
    assert!(world.records().is_empty());
    assert_eq!(broker.seen(), [format!("/v1/present {RECORD}"), format!("/v1/cleanup {RECORD}")]);
}

#[test]
fn what_never_reached_the_broker_is_removed_without_it() {
    let (mut world, broker) = machine(&[]);
    broker.fault([Fault::refusal(403, "broker_not_allowed")]);
    assert_eq!(world.hook(&["present", RECORD, FIRST]).status.code(), Some(3));
    world.set("IPV64_BROKER", &broker.address());
    assert_eq!(world.hook(&["cleanup", RECORD, FIRST]).status.code(), Some(0));
    assert_eq!(broker.seen(), [format!("/v1/present {RECORD}")]);
}
