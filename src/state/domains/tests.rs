use super::super::tests::NOW;
use super::*;

fn names(texts: &[&str]) -> Vec<DnsName> {
    texts.iter().map(|text| DnsName::parse(text).unwrap()).collect()
}

#[test]
fn a_list_is_valid_for_a_day() {
    let mut cache = DomainCache::default();
    assert_eq!(cache.names(NOW), None);
    let listed = names(&["a.ipv64.net", "b.example"]);
    cache.remember(&listed, &[], NOW);
    assert_eq!(cache.names(NOW + (VALID - Duration::from_secs(1))), Some(listed));
    assert_eq!(cache.names(NOW + VALID), None);
}

#[test]
fn what_was_missing_is_looked_for_again_after_a_while_and_in_a_new_list() {
    let mut cache = DomainCache::default();
    let [cut, other] = ["sub.b.example", "other.b.example"].map(|text| DnsName::parse(text).unwrap());
    cache.remember(&names(&["b.example"]), &[&cut], NOW);
    assert_eq!((cache.is_missing(&cut, NOW), cache.is_missing(&other, NOW)), (true, false));
    assert!(!cache.is_missing(&cut, NOW + MISSING));
    cache.remember(&names(&["b.example"]), &[], NOW);
    assert!(!cache.is_missing(&cut, NOW));
}

#[test]
fn one_process_asks_for_all_that_start_together() {
    let mut cache = DomainCache::default();
    assert!(cache.claim(NOW) && !cache.claim(NOW));
    cache.remember(&names(&["a.ipv64.net"]), &[], NOW);
    assert_eq!(cache.names(NOW), Some(names(&["a.ipv64.net"])));
    cache.forget();
    assert!(cache.claim(NOW), "the one before is done");
}

#[test]
fn nobody_waits_for_a_process_that_failed_or_was_killed() {
    let mut cache = DomainCache::default();
    assert!(cache.claim(NOW));
    cache.give_up();
    assert!(cache.claim(NOW));
    // Whoever waits for a turn in the request window is not taken for killed.
    assert!(!cache.claim(NOW + super::super::Rate::default().hold()));
    assert!(cache.claim(NOW + ASKING));
}

#[test]
fn an_account_without_domains_is_something_else_than_no_list() {
    let mut cache = DomainCache::default();
    cache.remember(&[], &[], NOW);
    assert_eq!(cache.names(NOW), Some(Vec::new()));
    cache.forget();
    assert_eq!(cache.names(NOW), None);
}
