//! Whose record it is: several clients with one name, and aliases.

use super::*;

/// A broker in a world where the challenge of `alias.example.com` is an alias of that of `b.name.ipv64.net`.
fn aliased() -> Broker {
    let mut config = Config::default();
    config.accounts[0].records.push(StaticRecord::new(
        "_acme-challenge.alias.example.com",
        "CNAME",
        "_acme-challenge.b.name.ipv64.net",
    ));
    Broker::with(config, "1000/1")
}

/// Another program with the same key adds a record.
fn add_elsewhere(broker: &Broker, domain: &str, name: &DnsName, kind: &str, content: &str) {
    let elsewhere = tempfile::tempdir().unwrap();
    let parts = parts(&broker.sim, elsewhere.path(), &Setup::new("1000/1"));
    let domain = DnsName::parse(domain).unwrap();
    let record = RecordSpec::within(&domain, name, RecordType::from_name(kind), content).unwrap();
    let Upstream::Api(client) = &parts.upstream else { panic!("the API was asked for") };
    client.add_record(&record, &RetryPolicy::interactive()).unwrap();
}

/// Whoever asks for a value that is there already has not added it, and values of others can be read in DNS.
#[test]
fn a_value_that_was_there_before_its_client_asked_for_it_is_never_removed() {
    let broker = Broker::new();
    let (asked, other) = (ask("a", "name.ipv64.net"), ask("other", "name.ipv64.net"));
    let Challenge { name, value } = &asked.challenge;
    add_elsewhere(&broker, "name.ipv64.net", name, "TXT", value.as_str());
    for _ in 0..2 {
        assert!(!changed(&broker.present(&asked)), "it is there");
        assert!(!changed(&broker.cleanup(&asked)));
    }
    assert!(changed(&broker.present(&other)) && changed(&broker.cleanup(&other)));
    assert_eq!((broker.records(), broker.count(CallKind::DelRecord)), (1, 1));
    assert!(broker.is_journal_empty());
}

#[test]
fn a_value_whose_reply_was_lost_is_removed_by_its_client() {
    for tries in [1, 2] {
        // The name servers do not show it before the second try.
        let broker = Broker::with(Config::with_delays(&[Duration::from_secs(2)]), "1000/1");
        let asked = ask("a", "name.ipv64.net");
        broker.sim.fault(ApiFault::on(CallKind::AddRecord, Action::Close).after_commit().times(tries));
        let first = broker.present(&asked);
        until("it is there", || matches!(broker.present(&asked), Answer::Done { .. }));
        assert!(changed(&broker.cleanup(&asked)), "{first:?}");
        assert_eq!(broker.records(), 0);
    }
}

#[test]
fn two_clients_with_one_name_remove_their_own_values_only() {
    let broker = Broker::new();
    let (one, other) = (ask("one", "name.ipv64.net"), ask("other", "name.ipv64.net"));
    assert!(changed(&broker.present(&one)) && changed(&broker.present(&other)));
    let foreign = Ask { challenge: one.challenge.clone(), ..other.clone() };
    assert!(!changed(&broker.cleanup(&foreign)), "the value of another client");
    assert_eq!(broker.count(CallKind::DelRecord), 0);
    assert!(changed(&broker.cleanup(&one)) && changed(&broker.cleanup(&other)));
}

#[test]
fn a_record_that_two_clients_have_asked_for_goes_with_the_last_one() {
    let broker = Broker::new();
    let one = ask("one", "name.ipv64.net");
    let other = Ask { challenge: one.challenge.clone(), ..ask("other", "name.ipv64.net") };
    assert!(changed(&broker.present(&one)));
    assert!(!changed(&broker.present(&other)), "it is there");
    assert!(!changed(&broker.cleanup(&one)), "the other one may still need it");
    assert_eq!(broker.count(CallKind::DelRecord), 0);
    assert!(changed(&broker.cleanup(&other)));
}

#[test]
fn an_alias_to_a_record_that_is_not_granted_costs_no_call() {
    let broker = aliased();
    let mut asked = ask_of(grant("a", &["alias.example.com"]), "alias.example.com");
    assert_eq!(broker.present(&asked), Answer::Refused(Refusal::Record));
    let found = asked.found.lock().unwrap().take();
    assert_eq!(found, "_acme-challenge.b.name.ipv64.net".parse().ok(), "for the audit log");
    assert!(broker.sim.api_calls().is_empty(), "{:?}", broker.sim.api_calls());
    let mut allowed = grant("a", &["alias.example.com"]);
    allowed.alias.push("_acme-challenge.b.name.ipv64.net".parse().unwrap());
    asked.grant = Arc::new(allowed);
    assert!(changed(&broker.present(&asked)));
    assert!(changed(&broker.cleanup(&asked)));
}

#[test]
fn an_alias_that_changes_while_its_client_waits_for_a_turn_costs_no_call() {
    let broker = Broker::with(Config::default(), "2/6");
    assert!(changed(&broker.present(&ask("b", "name.ipv64.net"))), "the list and an addition fill the window");
    let asked = ask_of(grant("a", &["alias.example.com"]), "alias.example.com");
    let engine = Arc::clone(&broker.engine);
    let queued = std::thread::spawn({
        let asked = asked.clone();
        move || run(engine.present(asked, Goal::Ready, LONG))
    });
    std::thread::sleep(Duration::from_secs(1));
    // Another program with the same key turns the name into an alias.
    let alias = DnsName::parse("_acme-challenge.alias.example.com").unwrap();
    add_elsewhere(&broker, "example.com", &alias, "CNAME", "_acme-challenge.b.name.ipv64.net");
    let before = broker.count(CallKind::AddRecord);
    assert_eq!(queued.join().unwrap(), Answer::Refused(Refusal::Record));
    let found = asked.found.lock().unwrap().take();
    assert_eq!(found, "_acme-challenge.b.name.ipv64.net".parse().ok(), "for the audit log");
    assert_eq!(broker.count(CallKind::AddRecord), before);
}

#[test]
fn a_record_that_two_clients_share_by_an_alias_stays_for_the_other_one() {
    for is_alias_first in [true, false] {
        let broker = aliased();
        let mut allowed = grant("by-alias", &["alias.example.com"]);
        allowed.alias.push("_acme-challenge.b.name.ipv64.net".parse().unwrap());
        let alias = ask_of(allowed, "alias.example.com");
        let mut direct = ask("direct", "b.name.ipv64.net");
        direct.challenge.value = alias.challenge.value.clone();
        assert!(changed(&broker.present(&alias)));
        assert!(!changed(&broker.present(&direct)), "it is there");
        let (first, last) = if is_alias_first { (alias, direct) } else { (direct, alias) };
        assert!(!changed(&broker.cleanup(&first)));
        assert_eq!((broker.records(), broker.count(CallKind::DelRecord)), (1, 0), "the other one may still need it");
        assert!(changed(&broker.cleanup(&last)));
        assert!(broker.is_journal_empty() && broker.records() == 0);
    }
}
