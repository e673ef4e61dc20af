//! How often the name servers are asked where a record belongs.

use std::collections::BTreeMap;

use super::*;

/// How often each name server was asked for the alias at a name, at most.
fn looks_at(broker: &Broker, name: &DnsName) -> usize {
    let mut times = BTreeMap::<SocketAddr, usize>::new();
    for question in broker.sim.questions() {
        if question.kind == "CNAME" && question.name.eq_ignore_ascii_case(name.as_str()) {
            *times.entry(question.address).or_default() += 1;
        }
    }
    times.into_values().max().unwrap_or_default()
}

#[test]
fn an_idle_broker_asks_no_name_server_twice_for_the_place_of_a_record() {
    let broker = Broker::new();
    for name in ["name.ipv64.net", "a.name.ipv64.net"] {
        let asked = ask("a", name);
        assert!(changed(&broker.present(&asked)));
        assert_eq!(looks_at(&broker, &asked.challenge.name), 1, "{:#?}", broker.sim.questions());
    }
}

#[test]
fn a_record_that_waited_for_its_turn_has_its_place_looked_at_again() {
    let broker = Broker::with(Config::default(), "2/4");
    let (first, second) = (ask("a", "name.ipv64.net"), ask("a", "a.name.ipv64.net"));
    assert!(changed(&broker.present(&first)), "the list and an addition fill the window");
    assert!(changed(&broker.present(&second)));
    assert_eq!(looks_at(&broker, &second.challenge.name), 2);
}
