//! Hooks against the broker itself, with the key on its side only.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;

use serde_json::Value;

use super::{NAME, RECORD, ask};
use crate::broker::server::{Broker, client, configure_in};
use crate::conventions::world::World;
use crate::support::programs;
use crate::support::values::{FIRST, SECOND, THIRD};

/// A machine that has a token, and the broker that it asks.
fn machine(more: &str) -> (World, Broker) {
    let mut world = World::start();
    let folder = configure_in(&world.path("broker"), "listen = '127.0.0.1:0'\n");
    let token = client(&folder, more);
    let mut serve = world.command(&programs::hook());
    serve.arg("serve").arg("--config-dir").arg(&folder).env("IPV64_STATE_DIR", world.path("broker/state"));
    let broker = Broker::run_in(&folder, &mut serve);
    let address = format!("http://{}", broker.told("listening on http://"));
    ask(&mut world, &address, token);
    (world, broker)
}

fn code(world: &World, args: &[&str], expected: i32) -> String {
    let finished = world.hook(args);
    assert_eq!(finished.status.code(), Some(expected), "{args:?} {}", finished.said());
    finished.said()
}

#[test]
fn records_come_and_go_and_doctor_knows_the_client() {
    let (world, broker) = machine("");
    let chain = [NAME, "t", FIRST, NAME, "t", SECOND];
    code(&world, &[&["deploy_challenge"][..], &chain].concat(), 0);
    assert_eq!(world.records(), [format!("{RECORD} {FIRST}"), format!("{RECORD} {SECOND}")], "{}", broker.said());
    code(&world, &[&["clean_challenge"][..], &chain].concat(), 0);
    assert!(world.records().is_empty());
    let said = world.hook(&["--json", "doctor", NAME]);
    let document: Value = serde_json::from_str(&said.stdout).unwrap_or_else(|_| panic!("{}", said.said()));
    assert_eq!(document["errors"], 0, "{}", said.said());
    assert!(said.stdout.contains("knows this machine as `web`"), "{}", said.said());
}

#[test]
fn on_the_brokers_own_machine_a_user_needs_no_token() {
    let mut world = World::start();
    let folder = configure_in(&world.path("broker"), "socket = 'broker.sock'\n");
    client(&folder, &format!("uid = {}\n", rustix::process::geteuid().as_raw()));
    let mut serve = world.command(&programs::hook());
    serve.arg("serve").arg("--config-dir").arg(&folder).env("IPV64_STATE_DIR", world.path("broker/state"));
    let broker = Broker::run_in(&folder, &mut serve);
    let socket = folder.join("broker.sock");
    ask(&mut world, &format!("unix:{}", socket.display()), "");
    world.set("IPV64_BROKER_TOKEN_FILE", "");
    code(&world, &["deploy_challenge", NAME, "t", FIRST], 0);
    assert_eq!(world.records(), [format!("{RECORD} {FIRST}")], "{}", broker.said());
    code(&world, &["clean_challenge", NAME, "t", FIRST], 0);
    assert!(world.records().is_empty());
    let said = code(&world, &["doctor"], 0);
    assert!(said.contains("knows this machine as `web`") && said.contains("not needed on a Unix socket"), "{said}");
    let said = code(&world, &["init", "--stdin"], 2);
    assert!(said.contains("needs no token") && said.contains("broker = \"unix:/"), "{said}");
}

#[test]
fn a_socket_that_another_user_may_steer_is_not_asked_and_a_silent_one_is_given_up() {
    let mut world = World::start();
    let folder = world.path("open");
    fs::create_dir(&folder).unwrap();
    let _deaf = UnixListener::bind(folder.join("broker.sock")).unwrap();
    ask(&mut world, &format!("unix:{}/broker.sock", folder.display()), "");
    world.set("IPV64_BROKER_TOKEN_FILE", "");
    world.set("IPV64_HTTP_TIMEOUT", "1");
    let said = code(&world, &["doctor"], 6);
    assert!(said.contains("did not answer within 1 s"), "{said}");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    let said = code(&world, &["deploy_challenge", NAME, "t", FIRST], 2);
    assert!(said.contains("the socket `") && said.contains("chmod"), "{said}");
    world.set("IPV64_BROKER", "unix:broker.sock");
    assert!(code(&world, &["present", RECORD, FIRST], 2).contains("write it as unix:/run/ipv64-acme/broker.sock"));
    world.set("IPV64_BROKER", &format!("unix:{}", world.path("nowhere").display()));
    assert!(code(&world, &["doctor"], 6).contains("cannot reach `unix:/"));
}

#[test]
fn what_is_not_granted_costs_no_call() {
    let (mut world, _broker) = machine("");
    let said = code(&world, &["deploy_challenge", "example.com", "t", FIRST], 3);
    assert!(said.contains("error[broker_not_allowed]"), "{said}");
    // Its alias would end at a record that is granted, but not for this name.
    let said = code(&world, &["deploy_challenge", "foreign.example", "t", FIRST], 3);
    assert!(said.contains("error[broker_not_allowed]"), "{said}");
    let token = world.path("wrong");
    crate::broker::server::replace(&token, "ipv64b_wrong", 0o600);
    world.set("IPV64_BROKER_TOKEN_FILE", token.to_str().unwrap());
    let said = code(&world, &["deploy_challenge", NAME, "t", FIRST], 3);
    assert!(said.contains("error[broker_unauthorized]") && said.contains("rotate"), "{said}");
    assert!(world.sim.api_calls().is_empty(), "{:#?}", world.sim.api_calls());
}

#[test]
fn the_calls_of_a_client_end_with_a_kind_of_their_own() {
    let (world, _broker) = machine("calls_per_day = 2\n");
    code(&world, &["deploy_challenge", NAME, "t", FIRST], 0);
    code(&world, &["clean_challenge", NAME, "t", FIRST], 0);
    let said = code(&world, &["deploy_challenge", NAME, "t", THIRD], 4);
    assert!(said.contains("error[broker_calls_used_up]"), "{said}");
    assert!(world.records().is_empty());
}
