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
