//! The broker and its clients on different hosts: what a client's address decides.

use serde_json::Value;

use super::server::{Broker, certificate, client, command, configure, tls_on};
use crate::support::environment::TestEnvironment;
use crate::support::network::TwoHosts;
use crate::support::values::{FIRST, SECOND};

const RECORD: &str = "_acme-challenge.www.name.ipv64.net";
/// An address that no host of the test has.
const ELSEWHERE: &str = "192.0.2.1";

/// A host with a token, which may come from `from`, and the broker on the other host.
fn start(hosts: &TwoHosts, from: &str) -> (TestEnvironment, Broker) {
    let mut env = TestEnvironment::new();
    let folder = configure(&env, &tls_on(hosts.far()));
    certificate(&folder, "broker", (2020, 2040));
    let token = env.path("token");
    let text = client(&folder, &format!("from = ['{from}']\n"));
    super::server::replace(&token, text, 0o600);
    let mut serve = command(&env, &folder);
    serve.env("IPV64_STATE_DIR", env.path("broker/state"));
    let broker = Broker::run(&env, &mut hosts.move_to_far(serve));
    for (name, value) in [
        ("IPV64_API_KEY", ""),
        ("IPV64_API_URL", "http://127.0.0.1:1/api"),
        ("IPV64_BROKER", &format!("https://{}", broker.told("listening on https://"))),
        ("IPV64_BROKER_TOKEN_FILE", token.to_str().unwrap()),
        ("IPV64_CA_FILE", folder.join("cert.pem").to_str().unwrap()),
    ] {
        env.set(name, value);
    }
    (env, broker)
}

/// Asserts that the log has the address of the client in every line; returns what became of each request.
fn outcomes(env: &TestEnvironment, hosts: &TwoHosts) -> Vec<String> {
    let log = std::fs::read_to_string(env.path("broker/state/audit.jsonl")).unwrap();
    let lines = log.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["address"], hosts.near().to_string(), "{line}");
        line["outcome"].as_str().unwrap().to_owned()
    });
    lines.collect()
}

#[test]
fn a_client_from_its_network_is_served() {
    let hosts = TwoHosts::enter();
    let (env, broker) = start(&hosts, &format!("{}/24", hosts.near()));
    env.succeed(&["present", RECORD, FIRST]);
    assert!(env.sim.visible_everywhere_since(RECORD, FIRST).is_some(), "{}", broker.said());
    env.succeed(&["cleanup", RECORD, FIRST]);
    assert!(env.sim.records_left().is_empty());
    assert_eq!(outcomes(&env, &hosts), ["done", "done"]);
}

#[test]
fn a_client_from_elsewhere_is_refused_and_costs_no_call() {
    let hosts = TwoHosts::enter();
    let (env, _broker) = start(&hosts, ELSEWHERE);
    let said = env.fail(&["present", RECORD, SECOND], 3);
    assert!(said.contains("error[broker_not_allowed]"), "{said}");
    assert_eq!(outcomes(&env, &hosts), ["address_not_allowed"]);
    assert_eq!(env.calls(), []);
}
