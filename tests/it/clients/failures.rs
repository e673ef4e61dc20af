//! What happens when something goes wrong between a client and its certificate: each client behaves in its own
//! way, and its page in `docs/clients/` says so.

use std::time::Duration;

use ipv64_acme::sim::{CallKind, Config, ServerSettings};

use super::certbot::{self, Certbot};
use super::lego;
use super::{Client, cases};
use crate::support::process::Finished;
use crate::support::stage::Stage;

const NAME: &str = "name.ipv64.net";
/// Far longer than a test takes.
const NEVER: Duration = Duration::from_secs(3600);

/// Asserts that a client failed, and that its user can read these words.
pub(super) fn assert_failed_with(finished: &Finished, words: &[&str]) {
    assert!(!finished.status.success(), "{}", finished.said());
    for word in words {
        assert!(finished.said().contains(word), "`{word}` is missing:\n{}", finished.said());
    }
}

pub(super) fn with_wrong_key(client: &dyn Client) -> (Stage, Finished) {
    let mut stage = cases::stage_for(client);
    stage.set_variable("IPV64_API_KEY", "not-the-key-of-anybody");
    let finished = client.obtain(&stage, &[NAME]);
    assert_eq!(cases::calls(&stage.sim, CallKind::AddRecord), 0);
    assert!(!finished.said().contains("not-the-key-of-anybody"), "the key is shown:\n{}", finished.said());
    (stage, finished)
}

#[test]
#[ignore = "needs pebble, certbot and lego: run tests/run"]
fn certbot_shows_the_reason_of_a_refused_key_and_asks_the_ca_all_the_same() {
    for certbot in [&certbot::DEBIAN, &certbot::NEWEST] {
        let (stage, finished) = with_wrong_key(certbot);
        assert_failed_with(&finished, &["IPv64 does not accept the API key", "your account page", "error code 3"]);
        assert_ne!(stage.pebble.validations(), 0);
    }
}

#[test]
#[ignore = "needs pebble, certbot and lego: run tests/run"]
fn lego_shows_the_reason_of_a_refused_key_and_does_not_ask_the_ca() {
    let (stage, finished) = with_wrong_key(&lego::DEFAULT);
    assert_failed_with(&finished, &["IPv64 does not accept the API key", "your account page", "exit status 3"]);
    assert_eq!(stage.pebble.validations(), 0);
}

#[test]
#[ignore = "needs pebble, certbot and lego: run tests/run"]
fn a_name_that_no_domain_covers_is_met_with_the_domains_of_the_account() {
    let clients: [&dyn Client; 2] = [&certbot::NEWEST, &lego::RAW];
    for client in clients {
        let stage = cases::stage_for(client);
        let finished = client.obtain(&stage, &["www.foreign.example.net"]);
        assert_failed_with(&finished, &["_acme-challenge.www.foreign.example.net", NAME, "example.com", "CNAME"]);
        assert_eq!(cases::calls(&stage.sim, CallKind::AddRecord), 0);
    }
}

#[test]
#[ignore = "needs pebble, certbot and lego: run tests/run"]
fn http_01_by_mistake_is_met_with_the_option_that_is_missing() {
    for certbot in [&certbot::DEBIAN, &certbot::NEWEST] {
        let stage = cases::stage_for(certbot);
        let block = Certbot::block(&[NAME]).replace("--preferred-challenges dns", "");
        let finished = stage.shell(&block, &Certbot::variables(&stage));
        assert_failed_with(&finished, &["--preferred-challenges dns", "reported error code 2"]);
        assert!(stage.sim.api_calls().is_empty(), "{:#?}", stage.sim.api_calls());
    }
}

#[test]
#[ignore = "needs pebble, certbot and lego: run tests/run"]
fn lego_does_not_ask_the_ca_when_a_name_server_stays_behind() {
    let mut stage = cases::stage_for(&lego::DEFAULT);
    stage.sim.set_server("ns2.ipv64.net", &ServerSettings::stale()).unwrap();
    stage.set_variable("IPV64_PROPAGATION_TIMEOUT", "3");
    let finished = lego::DEFAULT.obtain(&stage, &[NAME]);
    assert_failed_with(&finished, &["ns2.ipv64.net", "IPV64_PROPAGATION_TIMEOUT", "exit status 5"]);
    assert_eq!(stage.pebble.validations(), 0);
    cases::assert_nothing_left(&stage);
}

/// Ends the hook while it waits for a server that never follows, and returns what its client made of it.
fn interrupted(client: &dyn Client, signal: &str) -> Finished {
    let stage = Stage::start(Config::with_delays(&[Duration::ZERO, NEVER]));
    client.install(&stage);
    let finished = std::thread::scope(|scope| {
        let running = scope.spawn(|| client.obtain(&stage, &[NAME]));
        while cases::calls(&stage.sim, CallKind::AddRecord) == 0 {
            assert!(!running.is_finished(), "{}", running.join().unwrap().said());
            std::thread::sleep(Duration::from_millis(20));
        }
        stage.signal_hook(signal);
        running.join().unwrap()
    });
    assert!(!finished.status.success(), "{}", finished.said());
    cases::assert_nothing_left(&stage);
    finished
}

#[test]
#[ignore = "needs pebble, certbot and lego: run tests/run"]
fn the_clean_up_finds_the_record_of_a_hook_that_was_told_to_end() {
    let clients: [&dyn Client; 2] = [&certbot::NEWEST, &lego::DEFAULT];
    for client in clients {
        interrupted(client, "TERM");
    }
}

#[test]
#[ignore = "needs pebble, certbot and lego: run tests/run"]
fn the_clean_up_finds_the_record_of_a_hook_that_was_killed() {
    let clients: [&dyn Client; 2] = [&certbot::DEBIAN, &lego::RAW];
    for client in clients {
        interrupted(client, "KILL");
    }
}
