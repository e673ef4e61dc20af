//! SIGKILL at any moment: the broker serves again, and what clients then ask to be removed goes, every record of it.

use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ipv64_acme::challenge::TxtValue;
use ipv64_acme::sim::{Action, ApiFault};

use super::server::{Broker, ask, client, command, configure};
use crate::support::environment::TestEnvironment;

/// What one request asks for.
struct Record {
    name: String,
    value: String,
}

fn send(address: &str, path: &str, record: &Record, token: &str) -> Result<String, String> {
    let body = serde_json::json!({ "fqdn": format!("{}.", record.name), "value": record.value }).to_string();
    let who = STANDARD.encode(format!("web:{token}"));
    let head = format!("POST {path} HTTP/1.1\r\nHost: broker\r\nConnection: close\r\nAuthorization: Basic {who}");
    let length = body.len();
    ask(address, &format!("{head}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"))
}

/// Kills a broker so often, while two clients add three records and remove them.
fn kill(times: u64, seed: u64) {
    let env = TestEnvironment::new();
    let folder = configure(&env, "listen = '127.0.0.1:0'\n");
    let token = client(&folder, "");
    let start = || Broker::run(&env, command(&env, &folder).env("IPV64_API_RATE", "1000/1"));
    // So that a kill can come between request and answer.
    env.sim.fault(ApiFault::next(Action::Delay(Duration::from_millis(40))).after_commit().times(1_000_000));
    for point in 0..times {
        let new = |at: u64| Record {
            name: format!("_acme-challenge.n{at}.name.ipv64.net"),
            value: TxtValue::random().unwrap().to_string(),
        };
        let records: Vec<_> = (0..3).map(new).collect();
        let broker = start();
        let address = broker.told("listening on http://");
        std::thread::scope(|scope| {
            for record in &records {
                let address = &address;
                scope.spawn(move || {
                    for path in ["/present", "/cleanup"] {
                        send(address, path, record, token).ok();
                    }
                });
            }
            let length = (point * 7919 + seed * 104_729) % 1500;
            std::thread::sleep(Duration::from_millis(length));
            drop(broker);
        });
        let begun = Instant::now();
        let broker = start();
        let took = begun.elapsed();
        let address = broker.told("listening on http://");
        for record in &records {
            let answer = send(&address, "/cleanup", record, token).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
        let left = env.sim.records_left();
        assert!(left.is_empty(), "point {point}, serving again after {took:?}: {left:#?}");
        // Killed before it wrote anything, it has made no journal.
        let Ok(journal) = std::fs::read_to_string(env.path("state/journal.json")) else { continue };
        let journal: serde_json::Value = serde_json::from_str(&journal).unwrap();
        assert_eq!(journal["content"]["entries"], serde_json::json!([]), "point {point}");
    }
}

#[test]
fn a_broker_that_is_killed_leaves_nothing() {
    kill(6, 1);
}

/// `tests/slow killed`.
#[test]
#[ignore = "takes minutes: run tests/slow"]
fn a_broker_that_is_killed_three_hundred_times_leaves_nothing() {
    std::thread::scope(|scope| {
        for world in 0..4 {
            scope.spawn(move || kill(75, world));
        }
    });
}
