//! Removals that overtake their additions, and the other way round.

use ipv64_acme::sim::ServerSettings;

use super::*;

fn is_interrupted(answer: &Answer) -> bool {
    matches!(answer, Answer::Failed { kind: Kind::Interrupted, .. })
}

#[test]
fn a_removal_that_overtakes_its_addition_wins() {
    // While it queues for the request window.
    let broker = Broker::with(Config::default(), "2/20");
    let (first, second) = (ask("a", "name.ipv64.net"), ask("a", "name.ipv64.net"));
    assert!(changed(&broker.present(&first)), "the list and an addition fill the window");
    let engine = &broker.engine;
    let (added, removed) = run(async {
        let add = engine.present(second.clone(), Goal::Ready, LONG);
        let remove = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            engine.cleanup(second.clone(), LONG).await
        };
        tokio::join!(add, remove)
    });
    assert!(matches!(added, Answer::Failed { kind: Kind::Interrupted, .. }), "{added:?}");
    assert!(!changed(&removed));
    assert_eq!(broker.count(CallKind::AddRecord), 1, "it was never sent");
}

#[test]
fn a_removal_during_the_wait_ends_it() {
    let broker = Broker::with(Config::with_delays(&[LONG, LONG]), "1000/1");
    let asked = ask("a", "name.ipv64.net");
    let engine = &broker.engine;
    let (added, removed) = run(async {
        let add = engine.present(asked.clone(), Goal::Ready, LONG);
        let remove = async {
            while !broker.sim.questions().iter().any(|question| question.kind == "TXT") {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            engine.cleanup(asked.clone(), LONG).await
        };
        tokio::join!(add, remove)
    });
    assert!(matches!(added, Answer::Failed { kind: Kind::Interrupted, .. }), "{added:?}");
    assert!(changed(&removed), "{removed:?}");
    assert!(broker.state().journal(|journal, _| journal.entries().is_empty()));
    let other = ask("a", "other.name.ipv64.net");
    assert!(changed(&run(engine.present(other, Goal::Stored, LONG))));
    assert_eq!(broker.count(CallKind::GetDomains), 1, "that nobody waits any more says nothing of the domains");
}

#[test]
fn an_addition_after_a_removal_of_the_same_record_waits_for_its_end() {
    // The window is full, so the removal is still to come when the record is asked for again.
    let broker = Broker::with(Config::default(), "2/5");
    let asked = ask("a", "name.ipv64.net");
    assert!(changed(&broker.present(&asked)));
    let engine = &broker.engine;
    let (removed, added) = run(async {
        let add = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            engine.present(asked.clone(), Goal::Stored, LONG).await
        };
        tokio::join!(engine.cleanup(asked.clone(), LONG), add)
    });
    assert!(changed(&removed) && changed(&added), "{removed:?}, {added:?}");
    let value = asked.challenge.value.as_str();
    assert!(broker.sim.records_left().iter().any(|record| record.content.trim_matches('"') == value));
    assert!(changed(&broker.cleanup(&asked)));
}

#[test]
fn a_removal_that_comes_while_the_name_is_looked_up_costs_no_call() {
    let broker = Broker::new();
    let slow = ServerSettings { reply_delay: Duration::from_secs(1), ..ServerSettings::default() };
    broker.sim.set_server("root", &slow).unwrap();
    let (first, second) = (ask("a", "name.ipv64.net"), ask("a", "name.ipv64.net"));
    let (added, removed) = broker.overtake(&first, || !broker.sim.questions().is_empty());
    assert!(is_interrupted(&added) && !changed(&removed), "{added:?}, {removed:?}");
    // Looked up after it.
    assert!(changed(&run(broker.engine.present(second, Goal::Stored, LONG))));
    assert_eq!((broker.count(CallKind::AddRecord), broker.records()), (1, 1));
}

#[test]
fn a_removal_that_comes_while_the_addition_is_on_its_way_is_made_after_it() {
    let delay = || ApiFault::on(CallKind::AddRecord, Action::Delay(Duration::from_secs(2)));
    for (what, fault) in [("stored", delay().after_commit()), ("stored late", delay().late()), ("not stored", delay())]
    {
        let broker = Broker::new();
        broker.sim.fault(fault);
        let asked = ask("a", "name.ipv64.net");
        let is_open = || broker.state().journal(|journal, _| !journal.entries().is_empty());
        let (added, removed) = broker.overtake(&asked, is_open);
        // A call that is repeated counts as unanswered after a second, and its removal is answered before it is made.
        assert!(matches!(added, Answer::Failed { .. }), "{what}: {added:?}");
        assert!(matches!(removed, Answer::Done { .. } | Answer::Postponed { .. }), "{what}: {removed:?}");
        until(what, || broker.is_journal_empty());
        assert_eq!(broker.records(), 0, "{what}");
        assert!(broker.count(CallKind::DelRecord) <= 1, "{what}");
    }
}
