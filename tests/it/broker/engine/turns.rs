//! What a request costs, and whose turn it is.

use super::*;

#[test]
fn a_record_that_is_asked_for_three_times_costs_two_calls() {
    let broker = Broker::new();
    let ask = ask("a", "name.ipv64.net");
    let engine = &broker.engine;
    let requests: Vec<_> = (0..6).map(|_| Ask { calls: Arc::default(), ..ask.clone() }).collect();
    let answers = run(async {
        let present = |number: usize| engine.present(requests[number].clone(), Goal::Ready, LONG);
        let (first, second) = tokio::join!(present(0), present(1));
        [first, second, present(2).await]
    });
    assert!(answers.iter().all(|answer| matches!(answer, Answer::Done { .. })), "{answers:?}");
    assert_eq!(answers.iter().map(changed).collect::<Vec<_>>(), [true, true, false], "the last from the journal");
    let value = ask.challenge.value.as_str();
    let visible = broker.sim.visible_everywhere_since("_acme-challenge.name.ipv64.net", value);
    assert!(visible.is_some_and(|since| since <= Instant::now()), "ready means ready");
    let removals = [3, 4, 5].map(|number: usize| broker.cleanup(&requests[number]));
    assert_eq!(removals.iter().map(changed).collect::<Vec<_>>(), [true, false, false]);
    assert_eq!((broker.count(CallKind::AddRecord), broker.count(CallKind::DelRecord)), (1, 1));
    let caused: Vec<_> = requests.iter().map(|request| request.calls.load(Ordering::Relaxed)).collect();
    assert_eq!(caused[0] + caused[1], 2, "the list of domains too; of two that join one has them: {caused:?}");
    assert_eq!(caused[2..], [0, 1, 0, 0]);
    assert!(broker.sim.records_left().iter().all(|record| !record.name().as_str().starts_with("_acme")));
}

#[test]
fn an_answer_that_takes_too_long_is_pending_and_the_work_goes_on() {
    let broker = Broker::with(Config::with_delays(&[Duration::from_secs(2)]), "1000/1");
    let asked = ask("a", "name.ipv64.net");
    let first = run(broker.engine.present(asked.clone(), Goal::Ready, Duration::from_millis(100)));
    assert_eq!(first, Answer::Pending);
    assert!(matches!(broker.present(&asked), Answer::Done { .. }));
    assert_eq!(broker.count(CallKind::AddRecord), 1);
}

#[test]
fn the_calls_of_the_day_of_a_client_are_counted() {
    let broker = Broker::new();
    let limited = |calls| Grant { calls_per_day: Some(calls), ..grant("a", &["*.ipv64.net"]) };
    let first = ask_of(limited(1), "name.ipv64.net");
    assert_eq!(broker.present(&first), Answer::Refused(Refusal::CallsUsedUp), "its removal has to be paid for");
    assert!(broker.sim.api_calls().is_empty());
    // The list of the domains is the third call.
    let first = ask_of(limited(3), "name.ipv64.net");
    assert!(changed(&broker.present(&first)));
    assert!(changed(&broker.cleanup(&first)));
    assert_eq!(broker.present(&ask_of(limited(3), "name.ipv64.net")), Answer::Refused(Refusal::CallsUsedUp));
    assert!(matches!(broker.present(&ask("b", "name.ipv64.net")), Answer::Done { .. }), "another client");
}

#[test]
fn of_many_clients_none_makes_the_api_refuse() {
    let mut config = Config::default();
    config.limits = ipv64_acme::sim::Limits { burst: Some((30, Duration::from_secs(1))), ..config.limits };
    let broker = Broker::with(config, "30/1");
    let asks: Vec<_> = (0..50).map(|client| ask(&format!("client-{client}"), "name.ipv64.net")).collect();
    let answers = run(async {
        let mut all = tokio::task::JoinSet::new();
        for asked in asks.clone() {
            let engine = Arc::clone(&broker.engine);
            all.spawn(async move { engine.present(asked, Goal::Stored, LONG).await });
        }
        all.join_all().await
    });
    assert!(answers.iter().all(|answer| matches!(answer, Answer::Done { .. })), "{answers:?}");
    assert!(broker.sim.api_calls().iter().all(|call| call.status != Some(429)));
    assert_eq!(broker.count(CallKind::AddRecord), 50);
}

#[test]
fn of_many_clients_none_waits_for_more_than_its_turn() {
    let broker = Broker::with(Config::default(), "20/1");
    // One that asks for many records comes first.
    let greedy: Vec<_> = (0..20).map(|_| ask("greedy", "name.ipv64.net")).collect();
    let modest: Vec<_> = (0..20).map(|client| ask(&format!("client-{client}"), "name.ipv64.net")).collect();
    run(async {
        let mut all = tokio::task::JoinSet::new();
        for asked in greedy.iter().chain(&modest).cloned() {
            let engine = Arc::clone(&broker.engine);
            all.spawn(async move { engine.present(asked, Goal::Stored, LONG).await });
        }
        for answer in all.join_all().await {
            assert!(matches!(answer, Answer::Done { .. }), "{answer:?}");
        }
    });
    let is_add = |call: &&ipv64_acme::sim::ApiCall| call.call == Some(CallKind::AddRecord);
    let calls: Vec<_> =
        broker.sim.api_calls().iter().filter(is_add).map(|call| format!("{:?}", call.parameters)).collect();
    assert_eq!(calls.len(), 40);
    let place = |asked: &Ask| calls.iter().position(|call| call.contains(asked.challenge.value.as_str())).unwrap();
    let last = modest.iter().map(place).max().unwrap();
    // The fair share is one turn of each of the 21 clients.
    assert!(last < 32, "the last of those with one record is the {last}th of 40");
}

#[test]
fn a_failure_is_answered_from_memory() {
    let broker = Broker::new();
    let asked = ask("a", "unknown.ipv64.net");
    let first = broker.present(&asked);
    let calls = broker.sim.api_calls().len();
    let second = broker.present(&Ask { challenge: ask("a", "x.name.ipv64.net").challenge, ..asked.clone() });
    assert!(matches!(second, Answer::Done { .. } | Answer::Refused(_)), "another name: {second:?}");
    let begun = broker.sim.api_calls().len();
    let third = broker.present(&asked);
    match (&first, &third) {
        (Answer::Failed { kind: first, retry_after: pause }, Answer::Failed { kind: again, retry_after }) => {
            assert_eq!((first, again), (&Kind::NoDomain, &Kind::NoDomain));
            assert!(retry_after <= pause && *pause == Duration::from_secs(5), "{pause:?}, {retry_after:?}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(broker.sim.api_calls().len(), begun, "nothing was asked again (after {calls})");
}

/// Its clients ask again for ever, under this name and others: each time, the list of domains would cost a call.
#[test]
fn names_that_no_domain_covers_cost_one_call_in_an_hour() {
    let broker = Broker::new();
    for name in ["one.example.org", "two.example.org", "three.example.org"] {
        let answer = broker.present(&ask_of(grant("a", &["*.example.org"]), name));
        assert!(matches!(answer, Answer::Failed { kind: Kind::NoDomain, .. }), "{answer:?}");
    }
    assert_eq!(broker.count(CallKind::GetDomains), 1);
}
