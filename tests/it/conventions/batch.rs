//! `batch`: one answer for each record, whatever becomes of the others.

use ipv64_acme::sim::{Action, ApiFault, CallKind, ServerSettings};
use serde_json::{Value, json};

use super::world::World;
use crate::support::process::Finished;
use crate::support::programs;
use crate::support::values::{DASHED, FIRST, SECOND, THIRD};

fn batch(world: &World, args: &[&str], records: &Value) -> Finished {
    world.run(world.command(&programs::hook()).args(args), &records.to_string())
}

fn order() -> Value {
    json!([
        { "name": "_acme-challenge.name.ipv64.net", "value": DASHED },
        { "name": "_acme-challenge.name.ipv64.net", "value": SECOND },
        { "name": "_acme-challenge.example.com.", "value": THIRD },
    ])
}

fn answer(finished: &Finished) -> Vec<Value> {
    let document: Value = serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{}", finished.said()));
    document["records"].as_array().unwrap().clone()
}

fn statuses(finished: &Finished) -> Vec<String> {
    answer(finished).iter().map(|record| record["status"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn all_records_are_added_and_waited_for_together() {
    let world = World::start();
    let finished = batch(&world, &["--json", "batch", "present"], &order());
    assert_eq!(finished.status.code(), Some(0), "{}", finished.said());
    assert_eq!(statuses(&finished), ["ready", "ready", "ready"]);
    let first = &answer(&finished)[0];
    assert_eq!(
        (first["name"].as_str(), first["value"].as_str()),
        (Some("_acme-challenge.name.ipv64.net"), Some(DASHED))
    );
    assert_eq!(first["domain"], "name.ipv64.net");
    assert!(first["seconds"].is_f64() && first["error"].is_null());
    assert_eq!(world.records().len(), 3);
    let finished = batch(&world, &["--json", "batch", "cleanup"], &order());
    assert_eq!(statuses(&finished), ["removed", "removed", "removed"]);
    assert!(world.records().is_empty());
}

#[test]
fn a_record_that_is_named_twice_is_added_and_removed_once_and_answered_twice() {
    let world = World::start();
    let record = json!({ "name": "_acme-challenge.name.ipv64.net", "value": FIRST });
    let twice = json!([record, record]);
    for (verb, status) in [("present", "ready"), ("cleanup", "removed")] {
        let finished = batch(&world, &["--json", "batch", verb], &twice);
        assert_eq!(finished.status.code(), Some(0), "{}", finished.said());
        assert_eq!(statuses(&finished), [status, status]);
    }
    let calls: Vec<_> = world.sim.api_calls().iter().filter_map(|call| call.call).collect();
    assert_eq!(calls, [CallKind::GetDomains, CallKind::AddRecord, CallKind::DelRecord]);
}

#[test]
fn text_has_one_line_for_each_record() {
    let world = World::start();
    let finished = batch(&world, &["batch", "present"], &order());
    assert_eq!(finished.stdout.lines().count(), 3, "{}", finished.said());
    assert_eq!(finished.stderr, "");
}

#[test]
fn an_addition_that_fails_half_way_tells_of_each_record() {
    let world = World::start();
    world.sim.fault(ApiFault::on(CallKind::AddRecord, Action::json(401, r#"{"info":"Unauthorized"}"#)).skipping(1));
    let finished = batch(&world, &["--json", "batch", "present"], &order());
    assert_eq!(finished.status.code(), Some(3), "{}", finished.said());
    assert_eq!(statuses(&finished), ["added", "failed", "not_tried"]);
    assert_eq!(answer(&finished)[1]["error"]["kind"], "unauthorized");
    assert!(finished.stderr.contains("batch cleanup"), "{}", finished.said());
    let finished = batch(&world, &["--json", "batch", "cleanup"], &order());
    assert_eq!(statuses(&finished), ["removed", "missing", "missing"]);
    assert!(world.records().is_empty());
}

#[test]
fn a_wait_that_fails_is_told_of_every_record() {
    let mut world = World::start();
    world.set("IPV64_PROPAGATION_TIMEOUT", "1");
    world.sim.set_server("ns2.ipv64.net", &ServerSettings::stale()).unwrap();
    let finished = batch(&world, &["--json", "batch", "present"], &order());
    assert_eq!(finished.status.code(), Some(5), "{}", finished.said());
    assert_eq!(statuses(&finished), ["added", "added", "added"]);
    assert!(answer(&finished).iter().all(|record| record["error"]["kind"] == "not_propagated"));
}

#[test]
fn one_removal_that_fails_does_not_keep_the_others() {
    let world = World::start();
    batch(&world, &["batch", "present"], &order());
    world.sim.fault(ApiFault::on(CallKind::DelRecord, Action::json(401, r#"{"info":"Unauthorized"}"#)));
    let finished = batch(&world, &["--json", "batch", "cleanup"], &order());
    assert_eq!(finished.status.code(), Some(3), "{}", finished.said());
    assert_eq!(statuses(&finished), ["failed", "removed", "removed"]);
}

#[test]
fn what_is_no_batch_is_refused_before_anything_is_sent() {
    let world = World::start();
    for text in ["", "{}", "[]", r#"[{"name":"a.example","value":FIRST,"ttl":5}]"#] {
        let finished = world.run(world.command(&programs::hook()).args(["--json", "batch", "present"]), text);
        assert_eq!(finished.status.code(), Some(2), "{}", finished.said());
        let document: Value = serde_json::from_str(&finished.stdout).unwrap();
        assert_eq!(document["error"]["kind"], "invalid_call");
    }
    assert!(world.sim.api_calls().is_empty() && world.sim.questions().is_empty());
}
