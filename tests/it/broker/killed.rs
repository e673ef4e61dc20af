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

/// Kills a broker so often, while a client adds three records and removes them; returns how long each next one took until it
/// answered what its journal has.
fn kill(times: u64, seed: u64) -> Vec<Duration> {
    let env = TestEnvironment::new();
    let folder = configure(&env, "listen = '127.0.0.1:0'\n");
    let token = client(&folder, "");
    let start = || Broker::run(&env, command(&env, &folder).env("IPV64_API_RATE", "1000/1"));
    // So that a kill can come between request and answer.
    env.sim.fault(ApiFault::next(Action::Delay(Duration::from_millis(40))).after_commit().times(1_000_000));
    let kept =
        Record { name: "_acme-challenge.name.ipv64.net".to_owned(), value: TxtValue::random().unwrap().to_string() };
    let first = start();
    let answer = send(&first.told("listening on http://"), "/present", &kept, token).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && !answer.contains("pending"), "{answer}");
    drop(first);
    let mut delays = Vec::new();
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
        let address = broker.told("listening on http://");
        let answer = send(&address, "/present", &kept, token).unwrap();
        delays.push(begun.elapsed());
        assert!(answer.starts_with("HTTP/1.1 200 ") && !answer.contains("pending"), "{answer}");
        for record in &records {
            let answer = send(&address, "/cleanup", record, token).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
        let left = env.sim.records_left();
        assert_eq!(left.len(), 1, "point {point}: {left:#?}");
        let journal = std::fs::read_to_string(env.path("state/journal.json")).unwrap();
        let journal: serde_json::Value = serde_json::from_str(&journal).unwrap();
        let entries = journal["content"]["entries"].as_array().unwrap();
        assert!(entries.len() == 1 && entries[0]["value"] == kept.value.as_str(), "point {point}: {entries:#?}");
    }
    delays
}

#[test]
fn a_broker_that_is_started_again_answers_from_its_journal_before_any_call_is_answered() {
    let env = TestEnvironment::new();
    let folder = configure(&env, "listen = '127.0.0.1:0'\n");
    let token = client(&folder, "");
    let record = |name: &str| Record { name: name.to_owned(), value: TxtValue::random().unwrap().to_string() };
    let [kept, removed] = ["_acme-challenge.name.ipv64.net", "_acme-challenge.n.name.ipv64.net"].map(record);
    let start = || Broker::run(&env, command(&env, &folder).env("IPV64_API_RATE", "1000/1"));
    let first = start();
    let address = first.told("listening on http://");
    for record in [&kept, &removed] {
        assert!(send(&address, "/present", record, token).unwrap().starts_with("HTTP/1.1 200 "));
    }
    // No call is answered any more.
    env.sim.fault(ApiFault::next(Action::Delay(Duration::from_secs(3600))).times(1000));
    // Killed while its removal is on the way.
    std::thread::scope(|scope| {
        scope.spawn(|| send(&address, "/cleanup", &removed, token).ok());
        let journal = || std::fs::read_to_string(env.path("state/journal.json")).unwrap();
        while !journal().contains("remove_asked") {
            std::thread::sleep(Duration::from_millis(10));
        }
        drop(first);
    });
    let broker = start();
    let answer = send(&broker.told("listening on http://"), "/present", &kept, token).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && !answer.contains("pending"), "{answer}");
}

#[test]
fn a_broker_that_is_killed_leaves_nothing() {
    assert_eq!(kill(6, 1).len(), 6);
}

/// `tests/slow killed`.
#[test]
#[ignore = "takes minutes: run tests/slow"]
fn a_broker_that_is_killed_three_hundred_times_leaves_nothing() {
    let worlds: Vec<_> = (0..4).map(|world| std::thread::spawn(move || kill(75, world))).collect();
    let mut delays: Vec<_> = worlds.into_iter().flat_map(|world| world.join().unwrap()).collect();
    delays.sort_unstable();
    let (median, longest) = (delays[delays.len() / 2], delays[delays.len() - 1]);
    println!(
        "{} kills; an answer from the journal again after {median:.0?} (median), {longest:.0?} (longest)",
        delays.len()
    );
}
