//! The faults of the API on the wire.

use super::*;
use std::{io::ErrorKind, time::Instant};

fn add_request(sim: &Sim) -> String {
    let headers = format!("Authorization: Bearer {}\r\n", sim.key(0).unwrap());
    request("POST", "/api", &headers, ADD)
}

#[test]
fn a_reset_comes_before_or_after_the_effect() {
    let sim = start();
    let on_add = || ApiFault::on(CallKind::AddRecord, Action::Reset);
    sim.fault(on_add());
    assert_eq!(raw(&sim, &add_request(&sim)).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert!(sim.records_left().is_empty());
    sim.fault(on_add().after_commit());
    assert_eq!(raw(&sim, &add_request(&sim)).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(sim.records_left().len(), 1);
    sim.fault(ApiFault::next(Action::Reset));
    let get = request("GET", &format!("/api?get_domains&token={}", sim.key(0).unwrap()), "", "");
    assert_eq!(raw(&sim, &get).unwrap_err().kind(), ErrorKind::ConnectionReset);
    let calls: Vec<_> = sim.api_calls().iter().map(|call| (call.status, call.committed, call.faulty)).collect();
    assert_eq!(calls, [(None, false, true), (None, true, true), (None, false, true)]);
}

#[test]
fn a_close_sends_nothing_and_a_truncated_body_is_short() {
    let sim = start();
    sim.fault(ApiFault::next(Action::Close).after_commit());
    assert_eq!(raw(&sim, &add_request(&sim)).unwrap(), "");
    sim.fault(ApiFault::next(Action::Truncate).after_commit());
    let answer = raw(&sim, &add_request(&sim)).unwrap();
    let promised: usize = answer.split("Content-Length: ").nth(1).unwrap().split('\r').next().unwrap().parse().unwrap();
    assert!(split(&answer).1.len() < promised, "{answer}");
}

#[test]
fn made_up_answers_come_as_ordered() {
    let sim = start();
    let table = [
        (Action::html(502, "<html>Bad Gateway</html>"), 502, "<html>Bad"),
        (Action::html(200, "<html>please wait</html>"), 200, "please"),
        (Action::json(200, "null"), 200, "null"),
        (Action::json(200, "[]"), 200, "[]"),
        (Action::json(400, "\u{1b}[31mred"), 400, "\u{1b}[31m"),
        (Action::burst(), 429, "Cooldown"),
        (Action::daily().with_header("Retry-After", "3600"), 429, "overcommited"),
        (Action::json(401, "no such key: {key}"), 401, "sim-key-"),
    ];
    for (action, status, word) in table {
        sim.fault(ApiFault::next(action));
        let (seen, body) = call(&sim, "POST", ADD);
        assert!(seen == status && body.contains(word), "{seen} {body}");
    }
    sim.fault(ApiFault::next(Action::redirect("http://127.0.0.1:9/api")));
    assert!(raw(&sim, &add_request(&sim)).unwrap().contains("\r\nLocation: http://127.0.0.1:9/api\r\n"));
    assert!(sim.records_left().is_empty());
    assert_eq!(call(&sim, "POST", ADD).0, 201);
}

#[test]
fn slow_and_late_answers_are_right_but_slow_and_late() {
    let sim = start();
    let begun = Instant::now();
    sim.fault(ApiFault::next(Action::Delay(Duration::from_millis(200))).after_commit());
    assert_eq!(call(&sim, "POST", ADD).0, 201);
    assert!(begun.elapsed() >= Duration::from_millis(200));
    let begun = Instant::now();
    sim.fault(ApiFault::next(Action::Slow(Duration::from_millis(5))).after_commit());
    assert_eq!(call(&sim, "DELETE", DELETE).0, 202);
    assert!(begun.elapsed() >= Duration::from_millis(250));
}

#[test]
fn a_late_call_takes_effect_when_its_client_has_gone() {
    let sim = start();
    let delay = Duration::from_millis(300);
    sim.fault(ApiFault::on(CallKind::AddRecord, Action::Delay(delay)).late());
    let begun = Instant::now();
    let mut stream = TcpStream::connect(sim.shared.api_address).unwrap();
    stream.write_all(add_request(&sim).as_bytes()).unwrap();
    drop(stream);
    let end = Instant::now() + PATIENCE;
    while sim.records_left().is_empty() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(sim.records_left()[0].life.added.unwrap() >= begun + delay);
}

#[test]
fn the_endless_body_does_not_end_and_does_not_hold_up_the_end() {
    let sim = start();
    sim.fault(ApiFault::next(Action::Endless));
    let mut stream = TcpStream::connect(sim.shared.api_address).unwrap();
    stream.write_all(add_request(&sim).as_bytes()).unwrap();
    let mut seen = vec![0; 1024 * 1024];
    stream.read_exact(&mut seen).unwrap();
    drop(sim);
}
