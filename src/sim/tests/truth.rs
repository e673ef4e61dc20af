//! What the simulation says of itself.

use super::*;
use std::time::Instant;

const FAST: Duration = Duration::from_millis(200);
const SLOW: Duration = Duration::from_millis(1500);

fn until_visible(sim: &Sim) -> Instant {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if let Some(since) = sim.visible_everywhere_since(NAME, "value-1") {
            return since;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("never visible");
}

#[test]
fn the_slowest_backend_of_the_slowest_server_decides() {
    let sim = Sim::start(Config::with_delays(&[FAST, FAST])).unwrap();
    sim.set_server("ns2.ipv64.net", &ServerSettings::balanced(&[Duration::ZERO, SLOW])).unwrap();
    call(&sim, "POST", ADD);
    assert_eq!(sim.visible_everywhere_since(NAME, "value-1"), None);
    assert_eq!(sim.visible_everywhere_since(NAME, "value-2"), None);
    let added = sim.records_left()[0].life.added.unwrap();
    assert_eq!(until_visible(&sim), added + SLOW);
    for _ in 0..4 {
        assert_eq!(texts(&ask(ns(&sim, 2), NAME, RecordType::TXT)), ["value-1"]);
    }
}

#[test]
fn a_change_is_late_for_deletions_too() {
    let sim = Sim::start(Config::with_delays(&[Duration::ZERO, SLOW])).unwrap();
    call(&sim, "POST", ADD);
    until_visible(&sim);
    let before = Instant::now();
    call(&sim, "DELETE", DELETE);
    assert!(texts(&ask(ns(&sim, 1), NAME, RecordType::TXT)).is_empty());
    let late = texts(&ask(ns(&sim, 2), NAME, RecordType::TXT));
    // On a machine that stood still for so long the answer says nothing.
    assert!(late == ["value-1"] || before.elapsed() >= SLOW);
}

#[test]
fn dishonest_servers_do_not_count_and_count_again_from_their_repair() {
    let sim = start();
    sim.set_server("ns2.ipv64.net", &ServerSettings::stale()).unwrap();
    call(&sim, "POST", ADD);
    let added = sim.records_left()[0].life.added.unwrap();
    assert_eq!(until_visible(&sim), added);
    let before = Instant::now();
    sim.set_server("ns2.ipv64.net", &ServerSettings::default()).unwrap();
    assert!(until_visible(&sim) >= before);
    // A change that does not hide the record is no break.
    let since = until_visible(&sim);
    sim.set_server("ns1.ipv64.net", &ServerSettings { split: true, ..ServerSettings::default() }).unwrap();
    assert_eq!(until_visible(&sim), since);
}

#[test]
fn a_kept_negative_answer_puts_the_moment_off() {
    let sim = start();
    let cache = Some(CacheSettings { ttl: SLOW, ..CacheSettings::default() });
    sim.set_server("ns1.ipv64.net", &ServerSettings { cache, ..ServerSettings::default() }).unwrap();
    let asked = Instant::now();
    ask(ns(&sim, 1), NAME, RecordType::TXT);
    call(&sim, "POST", ADD);
    assert!(until_visible(&sim) >= asked + SLOW);
    assert_eq!(texts(&ask(ns(&sim, 1), NAME, RecordType::TXT)), ["value-1"]);
}

#[test]
fn a_kept_answer_with_other_values_puts_it_off_too() {
    let sim = start();
    call(&sim, "POST", &ADD.replace("value-1", "value-0"));
    let cache = Some(CacheSettings { ttl: FAST, ..CacheSettings::default() });
    sim.set_server("ns1.ipv64.net", &ServerSettings { cache, ..ServerSettings::default() }).unwrap();
    let asked = Instant::now();
    ask(ns(&sim, 1), NAME, RecordType::TXT);
    ask(ns(&sim, 1), NAME, RecordType::CNAME);
    call(&sim, "POST", ADD);
    let since = until_visible(&sim);
    assert!(since >= asked + FAST);
    // What is kept of other types does not matter.
    ask(ns(&sim, 1), NAME, RecordType::CNAME);
    assert_eq!(until_visible(&sim), since);
}

#[test]
fn questions_before_that_moment_are_premature() {
    let sim = Sim::start(Config::with_delays(&[FAST, SLOW])).unwrap();
    call(&sim, "POST", ADD);
    let ca = sim.addresses("ca")[0];
    ask(ca, NAME, RecordType::TXT);
    until_visible(&sim);
    ask(ca, NAME, RecordType::TXT);
    assert_eq!(sim.premature_questions("ca", NAME, "value-1").len(), 1);
    assert_eq!(sim.premature_questions("ca", NAME, "never").len(), 2);
    assert!(sim.busiest_second(ca) >= 1);
    let asked_inside = sim.questions().iter().any(|question| question.transport == Transport::Internal);
    assert!(asked_inside && sim.busiest_second(ns(&sim, 1)) == 0);
}
