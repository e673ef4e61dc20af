//! `init` on a machine that is to ask a broker: from the token to the files and lines.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use super::machine;
use super::standin::{Fault, StandIn, TOKEN};
use crate::conventions::world::World;
use crate::support::process::{self, Finished};
use crate::support::programs;

/// A machine that has neither key nor token.
fn bare() -> (World, StandIn) {
    let (mut world, broker) = machine(&[]);
    world.set("IPV64_BROKER", "");
    world.set("IPV64_BROKER_TOKEN_FILE", "");
    world.set("IPV64_CONFIG", &config(&world));
    (world, broker)
}

fn config(world: &World) -> String {
    world.path("conf/config.toml").display().to_string()
}

fn pipe_in(world: &World, token: &str, args: &[&str]) -> Finished {
    let input = world.path("input");
    fs::write(&input, token).unwrap();
    let mut command = world.command(Path::new("/bin/sh"));
    command.args(["-c", "input=$1; shift; exec \"$@\" <\"$input\"", "sh"]).arg(&input).arg(programs::hook());
    process::run(command.args(["init", "--stdin"]).args(args))
}

#[test]
fn a_good_token_is_stored_with_the_broker_and_every_hook_finds_both() {
    let (world, broker) = bare();
    let address = broker.address();
    let finished = pipe_in(&world, &format!("{TOKEN}\n"), &["--broker", &address]);
    assert_eq!(finished.status.code(), Some(0), "{}", finished.said());
    assert!(!finished.said().contains(TOKEN), "{}", finished.said());
    for words in ["knows this machine as `web1`", "name.ipv64.net, *.example.com; each with its wildcard", "20 a day"] {
        assert!(finished.stdout.contains(words), "{words}: {}", finished.said());
    }
    assert_eq!(broker.seen(), ["/v1/client"]);
    let token = world.path("conf/broker-token");
    assert_eq!(fs::metadata(&token).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(config(&world)).unwrap();
    let lines = format!("broker = \"{address}\"\nbroker_token_file = \"{}\"\n", token.display());
    assert!(text.ends_with(&lines), "{text}");
    let tested = world.hook(&["test", "name.ipv64.net"]);
    assert_eq!(tested.status.code(), Some(0), "{}", tested.said());
    // Again with a new token, as after `client rotate`: the broker is known by now.
    let again = pipe_in(&world, TOKEN, &["--json"]);
    let document: Value = serde_json::from_str(&again.stdout).unwrap_or_else(|_| panic!("{}", again.said()));
    assert_eq!((&document["broker"]["client"], &document["domains"][0]), (&"web1".into(), &"name.ipv64.net".into()));
    assert!(document["api_key_file"].is_null() && document["class"].is_null(), "{document}");
    assert_eq!(fs::read_to_string(config(&world)).unwrap(), text);
}

#[test]
fn a_token_that_the_broker_refuses_is_not_stored() {
    let (world, broker) = bare();
    for (token, fault, code) in [
        ("ipv64b_another", None, 3),
        ("two\nlines\n", None, 3),
        (TOKEN, Some(Fault::refusal(403, "broker_not_allowed")), 3),
    ] {
        broker.fault(fault);
        let finished = pipe_in(&world, token, &["--broker", &broker.address()]);
        assert_eq!(finished.status.code(), Some(code), "{token:?} {}", finished.said());
        assert!(!world.path("conf").exists(), "{token:?}");
    }
    let away = pipe_in(&world, TOKEN, &["--broker", "http://127.0.0.1:1"]);
    assert_eq!(away.status.code(), Some(6), "{}", away.said());
    assert!(away.stderr.contains("the broker token was not stored"), "{}", away.said());
    assert!(!world.path("conf").exists());
    let nobody = world.hook(&["init", "--broker", &broker.address()]);
    assert_eq!(nobody.status.code(), Some(2), "{}", nobody.said());
    assert!(nobody.stderr.contains("--stdin") && nobody.stderr.contains("--broker-token-file"), "{}", nobody.said());
}

#[test]
fn a_machine_with_a_key_is_told_how_to_move() {
    let (mut world, broker) = bare();
    fs::create_dir(world.path("conf")).unwrap();
    fs::write(config(&world), "").unwrap();
    let key = world.path("conf/api-key");
    fs::write(&key, "0123456789abcdef").unwrap();
    let usual = pipe_in(&world, TOKEN, &["--broker", &broker.address()]);
    fs::remove_file(key).unwrap();
    world.set("IPV64_API_KEY", "0123456789abcdef");
    let variable = pipe_in(&world, TOKEN, &["--broker", &broker.address()]);
    for (finished, place) in [(usual, "conf/api-key"), (variable, "the variable IPV64_API_KEY")] {
        assert_eq!(finished.status.code(), Some(2), "{}", finished.said());
        for words in [place, "has the API key already", "ipv64-acme sweep --yes"] {
            assert!(finished.stderr.contains(words), "{words}: {}", finished.said());
        }
    }
    assert!(broker.seen().is_empty() && !world.path("conf/broker-token").exists());
}

#[test]
fn a_token_file_stays_where_it_is_and_a_dry_run_writes_nothing() {
    let (world, broker) = bare();
    let (address, file) = (broker.address(), world.path("token").display().to_string());
    let init = ["init", "--broker", &address, "--broker-token-file", &file];
    let dry = world.hook(&[&init[..], &["--dry-run"]].concat());
    assert_eq!(dry.status.code(), Some(0), "{}", dry.said());
    assert!(dry.stdout.contains("\n  broker = \"") && dry.stdout.contains("nothing was written"), "{}", dry.said());
    assert!(!world.path("conf").exists());
    assert_eq!(world.hook(&init).status.code(), Some(0));
    assert!(!world.path("conf/broker-token").exists());
    assert!(fs::read_to_string(config(&world)).unwrap().contains(&format!("broker_token_file = \"{file}\"")));
}

#[test]
fn a_variable_that_comes_before_the_stored_token_is_told() {
    let (mut world, broker) = bare();
    world.set("IPV64_BROKER_TOKEN_FILE", &world.path("token").display().to_string());
    let finished = pipe_in(&world, TOKEN, &["--broker", &broker.address()]);
    assert_eq!(finished.status.code(), Some(0), "{}", finished.said());
    let words = "the variable IPV64_BROKER_TOKEN_FILE is set and comes before the stored broker token";
    assert!(finished.stderr.contains(words), "{}", finished.said());
}
