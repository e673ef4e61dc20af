//! What a broker knows after its end, whatever way it ended.

use super::*;

#[test]
fn a_restart_loses_nothing_and_costs_no_call() {
    let mut broker = Broker::with(Config::with_delays(&[Duration::from_secs(3)]), "1000/1");
    let asked = ask("a", "name.ipv64.net");
    let stored = run(broker.engine.present(asked.clone(), Goal::Stored, LONG));
    assert!(changed(&stored), "{stored:?}");
    let progress = broker.state().journal(|journal, _| journal.entries()[0].progress);
    assert_eq!(progress, Progress::Confirmed);
    broker.restart_after(|_| ());
    assert!(!changed(&broker.present(&asked)), "waits for what is stored");
    broker.restart_after(|_| ());
    assert!(!changed(&broker.present(&asked)), "answers from the journal");
    assert_eq!(broker.count(CallKind::AddRecord), 1);
    assert!(changed(&broker.cleanup(&asked)));
}

#[test]
fn a_removal_during_an_outage_is_finished_after_a_restart() {
    let mut broker = Broker::new();
    let asked = ask("a", "name.ipv64.net");
    assert!(changed(&broker.present(&asked)));
    broker.sim.fault(ApiFault::next(Action::html(502, "<h1>Bad Gateway</h1>")).times(1000));
    assert!(matches!(broker.cleanup(&asked), Answer::Postponed { .. }));
    broker.sim.clear_faults();
    broker.state().usage(|usage, _| usage.outage.end());
    broker.restart_after(|_| ());
    until("the removal is finished", || broker.state().journal(|journal, _| journal.entries().is_empty()));
    assert!(broker.sim.records_left().iter().all(|record| !record.name().as_str().starts_with("_acme")));
}

#[test]
fn a_broker_that_ends_takes_nothing_and_answers_all() {
    let broker = Broker::with(Config::with_delays(&[LONG]), "1000/1");
    let asked = ask("a", "name.ipv64.net");
    let engine = Arc::clone(&broker.engine);
    let ending = std::thread::spawn({
        let engine = Arc::clone(&engine);
        move || {
            std::thread::sleep(Duration::from_millis(500));
            engine.stop(Duration::from_secs(2));
        }
    });
    let answer = broker.present(&asked);
    assert!(matches!(answer, Answer::Failed { kind: Kind::Interrupted, .. }), "{answer:?}");
    ending.join().unwrap();
    assert!(matches!(broker.present(&asked), Answer::Failed { kind: Kind::Interrupted, .. }));
}
