//! `test`: a whole challenge without a CA.

use std::time::Duration;

use ipv64_acme::sim::{CallKind, Config, ServerSettings};

use crate::support::environment::TestEnvironment;

#[test]
fn every_server_gets_its_time_and_nothing_stays() {
    let delays = [Duration::from_millis(100), Duration::from_millis(900)];
    let env = TestEnvironment::with(Config::with_delays(&delays));
    let shown = env.json(&["test", "name.ipv64.net", "*.name.ipv64.net", "foreign.example"]);
    let servers = shown["servers"].as_array().unwrap();
    let seconds = |name: &str| servers.iter().find(|it| it["name"] == name).unwrap()["seconds"].as_f64().unwrap();
    assert!(seconds("ns2.ipv64.net") > seconds("ns1.ipv64.net"), "{shown}");
    assert_eq!(shown["records"].as_array().unwrap().len(), 2, "a domain and its wildcard are one record: {shown}");
    assert_eq!(shown["removed"], true);
    assert!(env.sim.records_left().is_empty());
    let calls = env.calls();
    assert_eq!(calls.iter().filter(|call| **call != CallKind::GetDomains).count(), 4, "{calls:?}");
}

#[test]
fn programs_get_a_line_for_each_server() {
    let env = TestEnvironment::new();
    let text = env.succeed(&["test", "name.ipv64.net"]);
    assert!(
        text.lines().any(|line| line.starts_with("ns1.ipv64.net (") && line.contains("\thas it, after ")),
        "{text}"
    );
    assert!(text.ends_with("_acme-challenge.name.ipv64.net: removed\n"), "{text}");
}

#[test]
fn what_never_arrives_is_explained_and_removed() {
    let env = TestEnvironment::new();
    let stale = ServerSettings::delayed(Duration::from_secs(3600));
    env.sim.set_server("ns2.ipv64.net", &stale).unwrap();
    let error = env.fail(&["test", "name.ipv64.net", "--propagation-timeout", "2"], 5);
    assert!(error.contains("ns2.ipv64.net") && error.contains("lags") && error.contains("hint: "), "{error}");
    assert!(env.sim.records_left().is_empty());
}

#[test]
fn without_a_wait_there_is_nothing_to_try() {
    let env = TestEnvironment::new();
    let error = env.fail(&["test", "name.ipv64.net", "--propagation-timeout", "0"], 2);
    assert!(error.contains("--propagation-timeout 180"), "{error}");
    assert!(env.calls().is_empty());
}
