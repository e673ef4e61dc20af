//! The commands for people on a machine that asks a broker.

use serde_json::Value;

use super::standin::Fault;
use super::{NAME, machine};
use crate::conventions::world::World;

fn findings(world: &World, args: &[&str]) -> (i32, Vec<Value>) {
    let finished = world.hook(args);
    let document: Value = serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{}", finished.said()));
    (finished.status.code().unwrap(), document["findings"].as_array().unwrap().clone())
}

fn text(findings: &[Value], kind: &str) -> String {
    let found = findings.iter().filter(|finding| finding["kind"] == kind);
    found.map(|finding| format!("{} {} {}", finding["level"], finding["subject"], finding["text"])).collect()
}

#[test]
fn doctor_tells_what_the_broker_lets_this_machine_do() {
    let (world, broker) = machine(&[]);
    let (code, found) = findings(&world, &["--json", "doctor", NAME]);
    assert_eq!(code, 0, "{found:?}");
    assert!(text(&found, "key").contains("broker token"), "{found:?}");
    assert!(text(&found, "broker").contains("knows this machine as `web1`"), "{found:?}");
    let allows = text(&found, "broker_allows");
    for word in ["name.ipv64.net, *.example.com", "_acme-challenge.b.example.com", "20 API calls a day"] {
        assert!(allows.contains(word), "{allows}");
    }
    assert!(text(&found, "api_way").contains("way to the broker"), "{found:?}");
    let (code, found) = findings(&world, &["--json", "doctor", "a.name.ipv64.net", "www.example.com"]);
    assert_eq!((code, text(&found, "broker_allows").matches("error").count()), (3, 1), "{found:?}");
    broker.fault([Fault::refusal(401, "broker_unauthorized")]);
    let (code, found) = findings(&world, &["--json", "doctor"]);
    assert_eq!((code, text(&found, "broker_unauthorized").is_empty()), (3, false), "{found:?}");
}

#[test]
fn doctor_finds_a_broker_that_is_away() {
    let (mut world, _broker) = machine(&[]);
    world.set("IPV64_BROKER", "http://127.0.0.1:1");
    let (code, found) = findings(&world, &["--json", "doctor"]);
    assert_eq!(code, 6, "{found:?}");
    assert!(text(&found, "unreachable").contains("no answer from the broker"), "{found:?}");
}

#[test]
fn status_and_test_work_as_with_a_key() {
    let (world, broker) = machine(&[]);
    let tested = world.hook(&["test", NAME]);
    assert_eq!(tested.status.code(), Some(0), "{}", tested.said());
    assert!(world.records().is_empty());
    let status = world.hook(&["--json", "status"]);
    let document: Value = serde_json::from_str(&status.stdout).unwrap_or_else(|_| panic!("{}", status.said()));
    assert_eq!(document["broker"].as_str().map(|it| it.trim_end_matches('/')), Some(broker.address().as_str()));
    assert!(world.hook(&["status"]).stdout.contains("broker"));
    assert_eq!(broker.seen().len(), 2, "status asks nobody");
}

#[test]
fn what_needs_the_key_says_so() {
    let (world, broker) = machine(&[]);
    for command in [
        &["account"][..],
        &["logs"],
        &["domain", "list"],
        &["domain", "add", "x.ipv64.net"],
        &["record", "list"],
        &["record", "add", "a.name.ipv64.net", "TXT", "x"],
        &["record", "delete", "17"],
        &["sweep", "--all"],
    ] {
        let finished = world.hook(command);
        assert_eq!(finished.status.code(), Some(3), "{command:?} {}", finished.said());
        let said = &finished.stderr;
        assert!(said.contains("needs the API key") && said.contains(&broker.address()), "{said}");
    }
    assert!(broker.seen().is_empty());
}
