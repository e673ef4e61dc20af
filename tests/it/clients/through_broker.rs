//! The clients on a machine without the key, whose hook asks a real broker over TLS: each gets the certificate that it gets with
//! the key, by the same command.

use ipv64_acme::sim::CallKind;

use super::cases::{assert_certified, assert_nothing_left, calls, stage_for};
use super::{Client, certbot, dehydrated, lego, uacme};
use crate::broker::server::{Broker, certificate, client as broker_client, configure_in, replace};
use crate::support::programs;

const NAMES: [&str; 2] = ["name.ipv64.net", "*.name.ipv64.net"];

fn obtains(client: &dyn Client) {
    let mut stage = stage_for(client);
    let lines = "listen = '127.0.0.1:0'\ntls_cert = 'cert.pem'\ntls_key = 'key.pem'\n";
    let folder = configure_in(&stage.path("broker"), lines);
    certificate(&folder, "broker", (2020, 2040));
    let token = stage.path("token");
    replace(&token, broker_client(&folder, ""), 0o600);
    let mut serve = stage.command(programs::hook());
    serve.arg("serve").arg("--config-dir").arg(&folder).env("IPV64_STATE_DIR", stage.path("broker/state"));
    let broker = Broker::run_in(&folder, &mut serve);
    stage.set_variable("IPV64_API_KEY", "");
    stage.set_variable("IPV64_API_URL", "http://127.0.0.1:1/api");
    stage.set_variable("IPV64_BROKER", &format!("https://{}", broker.told("listening on https://")));
    stage.set_variable("IPV64_BROKER_TOKEN_FILE", token.to_str().unwrap());
    stage.set_variable("IPV64_CA_FILE", folder.join("cert.pem").to_str().unwrap());
    let finished = client.obtain(&stage, &NAMES);
    assert!(finished.status.success(), "{}\n{}\n{}", finished.said(), broker.said(), stage.pebble.log());
    assert!(!finished.said().contains("error output"), "{}", finished.said());
    assert_certified(&stage, client, &NAMES);
    assert_nothing_left(&stage);
    let made = [CallKind::AddRecord, CallKind::DelRecord].map(|kind| calls(&stage.sim, kind));
    assert_eq!(made, [2, 2], "{:#?}", stage.sim.api_calls());
}

#[test]
#[ignore = "needs pebble and certbot: run tests/run"]
fn certbot_gets_apex_and_wildcard() {
    obtains(&certbot::DEBIAN);
}

#[test]
#[ignore = "needs pebble and lego: run tests/run"]
fn lego_gets_apex_and_wildcard_in_both_modes() {
    obtains(&lego::DEFAULT);
    obtains(&lego::RAW);
}

#[test]
#[ignore = "needs pebble and dehydrated: run tests/run"]
fn dehydrated_gets_apex_and_wildcard_in_one_call_and_in_two() {
    obtains(&dehydrated::CHAIN);
    obtains(&dehydrated::NO_CHAIN);
}

#[test]
#[ignore = "needs pebble and uacme: run tests/run"]
fn uacme_gets_apex_and_wildcard() {
    obtains(&uacme::Uacme);
}
