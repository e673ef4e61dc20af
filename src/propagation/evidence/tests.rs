use std::time::{Duration, Instant};

use super::super::rule::{Verdict, verdict};
use super::*;

const CONFIRMATIONS: u32 = 12;

fn lacking() -> Answer {
    Answer::Lacks { instead: "no such name".to_owned(), zone: None }
}

/// An address that is told of answers.
struct Asked {
    evidence: Evidence,
    now: Instant,
}

impl Asked {
    fn new(records: usize) -> Self {
        Self { evidence: Evidence::new(CONFIRMATIONS, records), now: Instant::now() }
    }

    fn after(mut self, milliseconds: u64) -> Self {
        self.now += Duration::from_millis(milliseconds);
        self
    }

    fn hears(mut self, record: usize, transport: Transport, answer: Answer, times: u32) -> Self {
        for _ in 0..times {
            let observation = Observation { record, transport, asked: self.now, replica: None, answer: answer.clone() };
            self.evidence.observe(self.now, observation);
        }
        self
    }

    fn has(self, record: usize, times: u32) -> Self {
        self.hears(record, Transport::Udp, Answer::Has, times)
    }

    fn has_over_tcp(self, record: usize) -> Self {
        self.hears(record, Transport::Tcp, Answer::Has, 1)
    }

    fn lacks(self, record: usize) -> Self {
        self.hears(record, Transport::Udp, lacking(), 1)
    }

    fn silent(self, times: u32) -> Self {
        self.hears(0, Transport::Udp, Answer::Silent(AskError::TimedOut), times)
    }

    fn replica(mut self, name: &str, answer: Answer) -> Self {
        let replica = Some(name.as_bytes().to_vec());
        let observation = Observation { record: 0, transport: Transport::Tcp, asked: self.now, replica, answer };
        self.evidence.observe(self.now, observation);
        self
    }

    /// Twelve answers in two rounds, one over TCP.
    fn proves(self, record: usize) -> Self {
        self.has(record, 6).after(300).has(record, 5).has_over_tcp(record)
    }

    fn is(&self, status: ServerStatus) -> bool {
        self.evidence.status() == status
    }

    fn is_excused(&self) -> bool {
        self.evidence.vote(self.now).is_excused
    }
}

fn lame(recursive: bool) -> Answer {
    Answer::Lame { reason: "REFUSED".to_owned(), recursive }
}

#[test]
fn needs_the_confirmations_in_two_rounds_and_one_over_tcp() {
    assert!(Asked::new(1).is(ServerStatus::Unknown));
    assert!(Asked::new(1).lacks(0).is(ServerStatus::Lagging));
    assert!(Asked::new(1).lacks(0).has(0, 1).is(ServerStatus::Confirming));
    assert!(Asked::new(1).proves(0).is(ServerStatus::Serving));
    assert!(Asked::new(1).has(0, 6).after(300).has(0, 6).is(ServerStatus::Confirming), "none over TCP");
    assert!(Asked::new(1).has(0, 11).has_over_tcp(0).is(ServerStatus::Confirming), "one round");
}

#[test]
fn whoever_wants_one_confirmation_gets_it() {
    let mut asked = Asked::new(1);
    asked.evidence.confirmations = 1;
    assert!(asked.has_over_tcp(0).is(ServerStatus::Serving));
}

#[test]
fn a_contradiction_asks_for_half_as_many_again_in_three_rounds_of_every_record() {
    let doubted = || Asked::new(2).has(0, 2).has(1, 1).lacks(1);
    assert!(doubted().is(ServerStatus::Lagging));
    let round = |asked: Asked| asked.has(0, 6).has(1, 5).has_over_tcp(1).after(300);
    let two_rounds = round(round(doubted()));
    assert!(two_rounds.is(ServerStatus::Confirming));
    assert!(round(two_rounds).is(ServerStatus::Serving));
    let of_the_newest = |asked: Asked| asked.has(1, 6).has_over_tcp(1).after(300);
    let only = of_the_newest(of_the_newest(of_the_newest(doubted())));
    assert!(only.has(0, 2).is(ServerStatus::Confirming));
}

#[test]
fn earlier_records_need_a_few_answers_in_two_rounds() {
    let earlier = |asked: Asked| (0..9).fold(asked, |asked, record| asked.has(record, 1));
    assert!(earlier(Asked::new(10)).proves(9).is(ServerStatus::Confirming));
    assert!(earlier(earlier(Asked::new(10)).proves(9)).is(ServerStatus::Serving));
    assert!(earlier(earlier(Asked::new(10).proves(9))).is(ServerStatus::Confirming), "in one round");
}

#[test]
fn each_record_is_proven_for_itself() {
    let asked = Asked::new(2).proves(1).lacks(0);
    assert!(asked.is(ServerStatus::Lagging));
    assert!(asked.has(0, 6).after(300).has(0, 6).is(ServerStatus::Serving));
}

#[test]
fn every_machine_that_tells_its_name_has_to_show_the_record() {
    let asked = || Asked::new(1).replica("a", lacking()).proves(0);
    assert!(asked().is(ServerStatus::Confirming), "a was heard of and has not shown it");
    assert!(asked().replica("a", Answer::Has).is(ServerStatus::Serving));
    assert!(asked().has(0, 30).is(ServerStatus::Serving), "not heard of for so long, it is gone");
}

#[test]
fn an_address_is_one_without_tcp_only_if_udp_works_meanwhile() {
    let refused = || Answer::Silent(AskError::Refused);
    let no_tcp = Asked::new(1).has(0, 6).after(300).has(0, 6).hears(0, Transport::Tcp, refused(), 2);
    assert!(no_tcp.is(ServerStatus::Serving) && no_tcp.evidence.is_tcp_broken());
    let away = Asked::new(1).hears(0, Transport::Tcp, refused(), 2).silent(1).has(0, 6).after(300).has(0, 6);
    assert!(away.is(ServerStatus::Confirming), "TCP is tried again");
}

#[test]
fn whoever_never_answers_gets_five_chances_over_ten_seconds() {
    for useless in [lame(false), Answer::Silent(AskError::TimedOut)] {
        let hears = |asked: Asked, times| asked.hears(0, Transport::Udp, useless.clone(), times);
        assert!(!hears(Asked::new(1), 4).after(20_000).is_excused());
        assert!(hears(hears(Asked::new(1), 4).after(20_000), 1).is_excused());
        assert!(!hears(Asked::new(1), 9).after(9_000).is_excused());
    }
}

#[test]
fn whoever_said_not_there_blocks_until_it_has_been_silent_for_long() {
    let silent_for = |seconds: u64| Asked::new(1).lacks(0).silent(9).after(seconds * 1000);
    assert!(!silent_for(29).is_excused());
    assert!(silent_for(30).is_excused());
    assert!(!silent_for(29).hears(0, Transport::Udp, lame(false), 1).after(5_000).is_excused(), "it is alive");
}

#[test]
fn an_equal_value_that_was_just_removed_counts_once_it_was_absent_or_late() {
    let doubtful = || {
        let mut asked = Asked::new(1);
        asked.evidence.doubt(0, asked.now + Duration::from_secs(60));
        asked
    };
    assert!(doubtful().proves(0).is(ServerStatus::Lagging));
    assert!(doubtful().lacks(0).proves(0).is(ServerStatus::Serving));
    assert!(doubtful().after(60_000).proves(0).is(ServerStatus::Serving));
}

#[test]
fn nothing_that_was_not_asked_counts_against_a_server() {
    let asked = Asked::new(1).hears(0, Transport::Udp, Answer::Silent(AskError::NoSocket), 50).after(60_000);
    assert!(!asked.is_excused() && asked.is(ServerStatus::Unknown));
}

fn judged(addresses: &[&Asked]) -> Verdict {
    let now = addresses.iter().map(|asked| asked.now).max().unwrap();
    verdict(addresses.iter().map(|asked| asked.evidence.vote(now)))
}

#[test]
fn every_address_that_answers_counts() {
    let serving = Asked::new(1).proves(0);
    let silent = Asked::new(1).silent(9).after(11_000);
    assert_eq!(judged(&[&serving, &serving]), Verdict::Ready);
    assert_eq!(judged(&[&serving, &Asked::new(1).lacks(0)]), Verdict::NotYet);
    assert_eq!(judged(&[&serving, &silent]), Verdict::Ready);
    assert_eq!(judged(&[&serving, &Asked::new(1)]), Verdict::NotYet);
    assert_eq!(judged(&[&Asked::new(1).lacks(0), &silent]), Verdict::NotYet);
}

#[test]
fn a_missing_route_blocks_nothing_but_proves_nothing() {
    let no_route = |asked: Asked| asked.hears(0, Transport::Udp, Answer::Silent(AskError::NoRoute), 1);
    let serving = Asked::new(1).proves(0);
    assert_eq!(judged(&[&serving, &no_route(Asked::new(1))]), Verdict::Ready);
    assert_eq!(judged(&[&no_route(Asked::new(1))]), Verdict::NotYet, "the network may come back");
    assert_eq!(judged(&[&serving, &no_route(Asked::new(1).lacks(0))]), Verdict::NotYet, "it was reached, and lagged");
}

#[test]
fn without_one_serving_address_nothing_is_ready() {
    let silent = Asked::new(1).silent(9).after(11_000);
    let never = |recursive| Asked::new(1).hears(0, Transport::Udp, lame(recursive), 9).after(11_000);
    assert_eq!(judged(&[&silent, &never(false)]), Verdict::NobodyToAsk { intercepted: false });
    assert_eq!(judged(&[&silent, &never(true)]), Verdict::NobodyToAsk { intercepted: true });
}
