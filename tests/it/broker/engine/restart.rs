//! What a broker knows after its end, whatever way it ended.

use ipv64_acme::state::Entry;

use super::*;

/// What is left where a broker was killed while a request to add a record was on its way.
fn kill_during_addition(broker: &Broker, asked: &Ask, has_arrived: bool, age: Duration) {
    let domain = DnsName::parse("name.ipv64.net").unwrap();
    let Challenge { name, value } = &asked.challenge;
    let mut entry = Entry::new(&account(&broker.sim), "broker", &asked.challenge, (&domain, name));
    entry.owner = Some(asked.grant.client.clone());
    let age = i64::try_from(age.as_millis()).unwrap();
    broker.state().journal(|journal, now| journal.intend(&mut entry, now.moved_by(-age)));
    if has_arrived {
        let elsewhere = tempfile::tempdir().unwrap();
        let Upstream::Api(client) = parts(&broker.sim, elsewhere.path(), &broker.setup).upstream else { return };
        let record = RecordSpec::within(&domain, name, RecordType::from_name("TXT"), value.as_str()).unwrap();
        client.add_record(&record, &RetryPolicy::interactive()).unwrap();
    }
}

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

/// Else a broker that systemd starts again and again would spend the day's calls on it.
#[test]
fn a_removal_that_never_works_is_not_tried_at_each_start() {
    let mut broker = Broker::new();
    let asked = ["never.name.ipv64.net", "name.ipv64.net"].map(|name| ask("a", name));
    asked.iter().for_each(|asked| assert!(changed(&broker.present(asked))));
    broker.restart_after(|broker| {
        broker.state().journal(|journal, now| {
            let ids: Vec<_> = journal.entries().iter().map(|entry| entry.id.clone()).collect();
            journal.remove_asked(&ids, now);
            (0..9).for_each(|_| journal.remove_asked(&ids[..1], now));
            journal.remove_failed(&ids[..1], now);
        });
    });
    until("the other one is removed", || broker.state().journal(|journal, _| journal.entries().len() == 1));
    assert_eq!((broker.records(), broker.count(CallKind::DelRecord)), (1, 1));
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

#[test]
fn a_request_that_may_have_left_before_the_end_makes_no_second_record() {
    for has_arrived in [true, false] {
        let mut broker = Broker::new();
        let asked = ask("a", "name.ipv64.net");
        broker.restart_after(|broker| kill_during_addition(broker, &asked, has_arrived, Duration::ZERO));
        let before = broker.count(CallKind::AddRecord);
        assert_eq!(changed(&broker.present(&asked)), !has_arrived);
        assert_eq!((broker.records(), broker.count(CallKind::AddRecord) - before), (1, 1));
        assert!(changed(&broker.cleanup(&asked)));
        assert!(broker.is_journal_empty() && broker.records() == 0);
    }
}

#[test]
fn a_request_that_may_have_left_before_the_end_is_removed() {
    for has_arrived in [true, false] {
        let mut broker = Broker::new();
        let asked = ask("a", "name.ipv64.net");
        broker.restart_after(|broker| kill_during_addition(broker, &asked, has_arrived, Duration::ZERO));
        assert_eq!(changed(&broker.cleanup(&asked)), has_arrived);
        assert!(broker.is_journal_empty() && broker.records() == 0);
        // Nobody asks for it.
        broker.restart_after(|broker| kill_during_addition(broker, &asked, has_arrived, Duration::from_secs(7200)));
        until("it is tidied up", || broker.is_journal_empty());
        assert_eq!(broker.records(), 0);
    }
}
