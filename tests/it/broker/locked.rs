//! Another process has the lock of the state directory.

use std::fs::File;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::server::{Broker, ask, client, command, configure, get, refused};
use crate::support::environment::TestEnvironment;

#[test]
fn monitoring_is_answered_and_what_needs_the_journal_waits_for_it() {
    let env = TestEnvironment::new();
    let folder = configure(&env, "listen = '127.0.0.1:0'\nadmin_listen = '127.0.0.1:0'\n");
    let token = client(&folder, "");
    let manager = UnixDatagram::bind(env.path("notify")).unwrap();
    manager.set_nonblocking(true).unwrap();
    let mut started = command(&env, &folder);
    started.env("NOTIFY_SOCKET", env.path("notify")).env("WATCHDOG_USEC", "3000000");
    let mut broker = Broker::run(&env, &mut started);
    broker.wait_for("metrics on");
    let (address, admin) = (broker.told("listening on http://"), broker.told("metrics on http://"));
    let lock = File::options().write(true).create(true).truncate(false).open(env.path("state/lock")).unwrap();
    lock.lock().unwrap();
    let who = STANDARD.encode(format!("web:{token}"));
    let body = r#"{"fqdn": "_acme-challenge.name.ipv64.net.", "value": "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"}"#;
    let request = format!(
        "POST /present HTTP/1.1\r\nHost: broker\r\nConnection: close\r\nAuthorization: Basic {who}\r\nContent-Type: \
         application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let waiting = std::thread::spawn({
        let address = address.clone();
        move || ask(&address, &request).unwrap()
    });
    // Longer than a hook waits for the lock.
    let held = Instant::now();
    let mut is_alive = Vec::new();
    while held.elapsed() < Duration::from_secs(7) {
        for (path, word) in [("/livez", "alive"), ("/readyz", "ready"), ("/metrics", "ipv64_acme_api_calls_today")] {
            let answer = ask(&admin, &get(path)).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains(word), "{path}: {answer}");
        }
        assert!(ask(&address, &get("/v1/client")).unwrap().starts_with("HTTP/1.1 401 "));
        std::thread::sleep(Duration::from_millis(100));
        let mut message = [0; 256];
        while let Ok(length) = manager.recv(&mut message) {
            is_alive.extend(String::from_utf8_lossy(&message[..length]).contains("WATCHDOG=1").then(|| held.elapsed()));
        }
    }
    assert!(is_alive.iter().any(|at| *at > Duration::from_secs(5)), "the watchdog is answered too: {is_alive:?}");
    assert!(!waiting.is_finished() && env.calls().is_empty(), "nothing leaves before the journal knows of it");
    broker.wait_for("was locked by another process");
    drop(lock);
    let answer = waiting.join().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let journal = std::fs::read_to_string(env.path("state/journal.json")).unwrap();
    assert!(journal.contains("LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"), "{journal}");
}

#[test]
fn a_broker_does_not_start_without_its_journal() {
    let env = TestEnvironment::new();
    let folder = configure(&env, "listen = '127.0.0.1:0'\n");
    std::fs::create_dir_all(env.path("state")).unwrap();
    let lock = File::options().write(true).create(true).truncate(false).open(env.path("state/lock")).unwrap();
    lock.lock().unwrap();
    let said = refused(&env, &folder, 1);
    assert!(said.contains("needs its state directory") && said.contains("was locked by another process"), "{said}");
}
