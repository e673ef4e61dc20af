//! Removals that overtake their additions, and the other way round.

use super::*;

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
            while broker.count(CallKind::AddRecord) == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            engine.cleanup(asked.clone(), LONG).await
        };
        tokio::join!(add, remove)
    });
    assert!(matches!(added, Answer::Failed { kind: Kind::Interrupted, .. }), "{added:?}");
    assert!(changed(&removed), "{removed:?}");
    assert!(broker.state().journal(|journal, _| journal.entries().is_empty()));
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
