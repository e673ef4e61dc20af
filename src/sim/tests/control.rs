//! The control interface.

use super::*;
use serde_json::json;

fn get(sim: &Sim, path: &str) -> String {
    let (status, body) = split(&raw(sim, &request("GET", &format!("/sim/{path}"), "", "")).unwrap());
    assert_eq!(status, 200, "{body}");
    body
}

fn post(sim: &Sim, path: &str, body: &serde_json::Value) -> (u16, String) {
    split(&raw(sim, &request("POST", &format!("/sim/{path}"), "", &body.to_string())).unwrap())
}

#[test]
fn the_state_names_variables_servers_and_settings() {
    let sim = start();
    let state = get(&sim, "state");
    assert_eq!(member(&state, "/env/IPV64_API_KEY"), sim.key(0).unwrap());
    assert_eq!(member(&state, "/servers/0/name"), "root");
    assert_eq!(member(&state, "/servers/3/settings/tcp"), "open");
    assert_eq!(member(&state, "/resolvers/1/name"), "ca");
}

#[test]
fn settings_change_by_the_fields_that_are_named() {
    let sim = start();
    call(&sim, "POST", ADD);
    let backends = json!([{"delay": 0}, {"delay": 3600.5, "nsid": "b"}]);
    let (status, body) = post(&sim, "server/ns1.ipv64.net", &json!({"backends": backends, "rcode": "servfail"}));
    assert_eq!((status, member(&body, "/backends/1/delay")), (200, json!(3600.5)));
    assert_eq!(post(&sim, "server/ns1.ipv64.net", &json!({"rcode": null})).0, 200);
    let found = (0..4).filter(|_| texts(&ask(ns(&sim, 1), NAME, RecordType::TXT)).len() == 1).count();
    assert_eq!(found, 2);
    let lies = json!({"lies": [{"name": "a.example", "kind": "A", "content": "10.0.0.1"}]});
    assert_eq!(post(&sim, "server/ca", &json!({"mode": lies})).0, 200);
    assert_eq!(ask(sim.addresses("ca")[0], "a.example", RecordType::A).answers.len(), 1);
}

#[test]
fn what_is_not_understood_is_refused_and_changes_nothing() {
    let sim = start();
    assert_eq!(post(&sim, "server/ns9.ipv64.net", &json!({})).0, 404);
    assert_eq!(post(&sim, "nothing", &json!({})).0, 404);
    assert_eq!(post(&sim, "server/ns1.ipv64.net", &json!({"rcod": "servfail"})).0, 400);
    assert_eq!(post(&sim, "server/ns1.ipv64.net", &json!({"reply_delay": -1})).0, 400);
    assert_eq!(post(&sim, "fault", &json!({"action": "explode"})).0, 400);
    assert_eq!(ask(ns(&sim, 1), "name.ipv64.net", RecordType::A).answers.len(), 1);
}

#[test]
fn faults_limits_logs_and_records_go_over_it_and_reset_undoes_all() {
    let sim = start();
    let answer = json!({"answer": {"status": 502, "body": "<html>"}});
    let faults =
        json!([{"call": "add_record", "action": answer}, {"action": "reset", "effect": "committed", "skip": 1}]);
    assert_eq!(post(&sim, "fault", &faults).0, 200);
    assert_eq!(call(&sim, "POST", ADD).0, 502);
    assert_eq!(call(&sim, "POST", ADD).0, 201);
    assert_eq!(post(&sim, "limits", &json!({"burst": [1, 3600], "daily": 64})).0, 200);
    let log = get(&sim, "log");
    assert_eq!((member(&log, "/calls/0/status"), member(&log, "/calls/0/faulty")), (json!(502), json!(true)));
    let records = get(&sim, "records");
    assert_eq!(member(&records, "/records/4/name"), NAME);
    assert_eq!(member(&records, "/records/4/everywhere"), member(&records, "/records/4/added"));
    assert_eq!(post(&sim, "reset", &json!({})).0, 200);
    assert!(sim.records_left().is_empty() && sim.api_calls().is_empty());
    assert_eq!((call(&sim, "POST", ADD).0, call(&sim, "POST", ADD).0), (201, 400));
}
