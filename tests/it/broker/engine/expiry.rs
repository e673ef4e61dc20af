//! The values of acme-dns, whose clients never ask for a removal.

use super::*;

#[test]
fn the_third_value_of_an_acme_dns_client_lets_the_first_one_go() {
    let broker = Broker::new();
    let asks: Vec<_> = (0..3).map(|_| Ask { program: ACME_DNS.into(), ..ask("a", "name.ipv64.net") }).collect();
    asks.iter().for_each(|asked| assert!(changed(&broker.present(asked))));
    until("the first value goes", || broker.count(CallKind::DelRecord) == 1);
    let left = |asked: &Ask| {
        let value = asked.challenge.value.as_str();
        broker.sim.records_left().iter().any(|record| record.content.trim_matches('"') == value)
    };
    assert_eq!(asks.iter().map(left).collect::<Vec<_>>(), [false, true, true]);
}

#[test]
fn a_value_that_nobody_removes_goes_after_fifteen_minutes_at_its_clients_cost() {
    let mut broker = Broker::new();
    let asks: Vec<_> = (0..2).map(|_| Ask { program: ACME_DNS.into(), ..ask("a", "name.ipv64.net") }).collect();
    asks.iter().for_each(|asked| assert!(changed(&broker.present(asked))));
    broker.restart_after(|broker| {
        broker.state().journal(|journal, now| {
            for (mut entry, minutes) in journal.entries().to_vec().into_iter().zip([16, 14]) {
                journal.intend(&mut entry, now.moved_by(-minutes * 60_000));
            }
        });
    });
    until("the older value goes", || broker.records() == 1);
    let left = broker.state().journal(|journal, _| journal.entries().to_vec());
    assert_eq!(left.iter().map(|entry| &entry.value).collect::<Vec<_>>(), [&asks[1].challenge.value]);
    until("the call is counted", || broker.state().usage(|usage, _| usage.daily.calls_of("a")) == 4);
    assert_eq!(broker.sim.api_calls().len(), 4, "the list, two additions, a removal");
    // A value that is asked for again is as new.
    assert!(!changed(&broker.present(&asks[1])));
}

#[test]
fn a_value_makes_room_for_itself_among_those_of_its_client_and_name_only() {
    let broker = Broker::new();
    let of = |client: &str, name: &str| Ask { program: ACME_DNS.into(), ..ask(client, name) };
    let others = [of("b", "name.ipv64.net"), of("a", "x.name.ipv64.net"), ask("a", "name.ipv64.net")];
    others.iter().for_each(|asked| assert!(changed(&run(broker.engine.present(asked.clone(), Goal::Stored, LONG)))));
    let own: Vec<_> = (0..5).map(|_| of("a", "name.ipv64.net")).collect();
    own.iter().for_each(|asked| assert!(changed(&run(broker.engine.present(asked.clone(), Goal::Stored, LONG)))));
    until("the older ones go", || broker.count(CallKind::DelRecord) == 3);
    let values: Vec<_> =
        broker.sim.records_left().iter().map(|record| record.content.trim_matches('"').to_owned()).collect();
    for asked in others.iter().chain(&own[3..]) {
        assert!(values.iter().any(|value| value == asked.challenge.value.as_str()), "{:?}", asked.challenge);
    }
    assert_eq!(broker.records(), 5);
}
