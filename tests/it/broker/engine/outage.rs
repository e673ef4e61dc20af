//! IPv64 does not answer: who is told so when, and how many calls that takes.

use std::sync::atomic::AtomicI64;

use ipv64_acme::exit::Exit;
use ipv64_acme::sim::Certificate;
use ipv64_acme::time::{BootTime, Timestamp};

use super::front::Front;
use super::*;

fn clients(count: usize) -> Vec<Ask> {
    (0..count).map(|client| ask(&format!("client-{client}"), "name.ipv64.net")).collect()
}

fn is_away(answer: &Answer) -> bool {
    matches!(answer, Answer::Failed { kind: Kind::Unavailable, .. })
}

fn is_known(broker: &Broker) -> bool {
    broker.engine.usage().0.is_some()
}

fn bad_gateway() -> ApiFault {
    ApiFault::next(Action::html(502, "<h1>Bad Gateway</h1>")).times(1_000_000)
}

/// A broker that knows the account's domains.
fn warmed_up(rate: &str) -> Broker {
    let broker = Broker::with(Config::default(), rate);
    let first = ask("first", "name.ipv64.net");
    assert!(changed(&run(broker.engine.present(first.clone(), Goal::Stored, LONG))));
    assert!(changed(&broker.cleanup(&first)));
    broker
}

#[test]
fn an_outage_is_answered_at_once_and_costs_few_calls() {
    let broker = Broker::new();
    broker.sim.fault(bad_gateway());
    let asks = clients(10);
    for asked in &asks {
        let answer = broker.present(asked);
        assert!(is_away(&answer), "{answer:?}");
    }
    let during = broker.sim.api_calls().len();
    assert!(during <= 5, "{during} calls for ten records");
    until("it is known", || is_known(&broker));
    asks.iter().for_each(|asked| assert!(!changed(&broker.cleanup(asked)), "it was never stored"));
    let after = broker.sim.api_calls().len();
    assert!(after <= 15, "{after} calls in all");
}

#[test]
fn whatever_way_ipv64_is_away_all_are_told_after_two_tries() {
    let answered = |action: Action| {
        let sim = Sim::start(Config::default()).unwrap();
        sim.fault(ApiFault::next(action).times(1_000_000));
        (sim, Setup::new("1000/1"))
    };
    let refused = || {
        let front = Front::new();
        (Sim::start(Config::default()).unwrap(), Setup::new("1000/1").set("IPV64_API_URL", &front.url()))
    };
    let untrusted = || {
        let sim = Sim::start(Config::default()).unwrap();
        let url = sim.tls(Certificate::WrongName).unwrap().api_url();
        (sim, Setup::new("1000/1").set("IPV64_API_URL", &url))
    };
    for (what, (sim, setup)) in [
        ("a refused connection", refused()),
        ("a certificate of somebody else", untrusted()),
        ("a reset", answered(Action::Reset)),
        ("an end without an answer", answered(Action::Close)),
        ("half an answer", answered(Action::Truncate)),
        ("a page with status 502", answered(Action::html(502, "<h1>Bad Gateway</h1>"))),
        ("a page with status 200", answered(Action::html(200, "<h1>Maintenance</h1>"))),
        ("a redirect", answered(Action::redirect("https://127.0.0.1/maintenance"))),
        ("a document with status 503", answered(Action::json(503, "{}"))),
    ] {
        let broker = Broker::of(sim, setup);
        let answers = broker.present_all(&clients(5), Goal::Ready);
        for answer in &answers {
            let Answer::Failed { kind, .. } = answer else { panic!("{what}: {answer:?}") };
            assert_eq!(kind.exit(), Exit::NoAnswer, "{what}: {answers:?}");
        }
        until(what, || is_known(&broker));
        let later = broker.present(&ask("later", "name.ipv64.net"));
        assert!(is_away(&later), "{what}: {later:?}");
        let requests = broker.engine.numbers().requests;
        assert!(requests <= 2, "{what}: {requests} requests");
    }
}

#[test]
fn those_in_line_are_told_before_the_second_try_that_the_window_keeps_back() {
    let broker = Broker::with(Config::default(), "1/10");
    broker.sim.fault(bad_gateway());
    let answers = broker.present_all(&clients(5), Goal::Ready);
    assert!(answers.iter().all(is_away), "{answers:?}");
    assert_eq!(broker.sim.api_calls().len(), 1, "the second try is still to come");
    assert!(!is_known(&broker));
}

#[test]
fn a_call_without_an_answer_keeps_nobody_waiting_and_its_record_is_removed() {
    let broker = warmed_up("1000/1");
    // Two seconds before the call would be given up.
    let hanging = ApiFault::on(CallKind::AddRecord, Action::Delay(Duration::from_secs(18)));
    broker.sim.fault(hanging.after_commit());
    let asks = clients(5);
    let answers = broker.present_all(&asks, Goal::Ready);
    assert!(answers.iter().all(is_away), "{answers:?}");
    let newcomer = broker.present(&ask("newcomer", "name.ipv64.net"));
    assert!(is_away(&newcomer), "{newcomer:?}");
    let sent = asks.iter().find(|asked| {
        !broker.state().journal(|journal, _| {
            journal.find(&account(&broker.sim), &asked.challenge.name, Some(&asked.challenge.value)).is_empty()
        })
    });
    let sent = sent.unwrap();
    assert!(matches!(broker.cleanup(sent), Answer::Postponed { .. }));
    assert!(is_away(&broker.present(sent)), "behind its removal");
    let entries = broker.state().journal(|journal, _| journal.entries().to_vec());
    assert!(entries.len() == 1 && entries[0].is_being_removed(), "{entries:?}");
    // It is at IPv64, and the call is still under way.
    assert_eq!((broker.records(), broker.count(CallKind::DelRecord)), (1, 1));
    until("the record is removed", || broker.records() == 0 && broker.is_journal_empty());
    assert_eq!(broker.count(CallKind::AddRecord), 2);
    assert!(changed(&broker.present(&ask("newcomer", "name.ipv64.net"))));
}

#[test]
fn a_slow_api_is_no_outage() {
    let broker = warmed_up("1000/1");
    let slow = ApiFault::on(CallKind::AddRecord, Action::Delay(Duration::from_secs(3)));
    broker.sim.fault(slow.after_commit().times(3));
    let answers = broker.present_all(&clients(3), Goal::Stored);
    assert!(answers.iter().all(changed), "{answers:?}");
}

#[test]
fn a_connection_that_does_not_come_about_keeps_nobody_waiting_and_may_still() {
    let mut front = Front::new();
    front.swallow();
    let broker =
        Broker::of(Sim::start(Config::default()).unwrap(), Setup::new("1000/1").set("IPV64_API_URL", &front.url()));
    let asks = clients(3);
    let answers = broker.present_all(&asks, Goal::Ready);
    assert!(answers.iter().all(is_away), "{answers:?}");
    assert!(!is_known(&broker), "the call is still under way");
    // The system sends its packet again.
    front.open(Some(&broker.sim.api_url()));
    for asked in &asks {
        until("its record is stored", || !is_away(&run(broker.engine.present(asked.clone(), Goal::Stored, LONG))));
    }
    let calls = [CallKind::GetDomains, CallKind::AddRecord].map(|kind| broker.count(kind));
    assert_eq!((calls, broker.engine.numbers().requests), ([1, 3], 4), "one call for each record");
}

/// A clock that can be set ahead without anybody noticing.
#[derive(Default)]
struct Ahead(AtomicI64);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        SystemClock::now().moved_by(self.0.load(Ordering::Relaxed))
    }

    fn since_boot(&self) -> Option<BootTime> {
        None
    }
}

#[test]
fn a_record_whose_client_was_turned_away_is_handed_out_later_or_goes_and_no_call_is_hidden() {
    let clock = Arc::new(Ahead::default());
    let setup = Setup { clock: Arc::clone(&clock) as _, ..Setup::new("1/4") };
    let broker = Broker::of(Sim::start(Config::default()).unwrap(), setup);
    broker.sim.fault(ApiFault::next(Action::html(502, "<h1>Bad Gateway</h1>")));
    let asked = ask("a", "name.ipv64.net");
    assert!(is_away(&broker.present(&asked)));
    assert_eq!(asked.calls.load(Ordering::Relaxed), 1, "the second try is still to come");
    // Its line in the log is written then.
    let again = Ask { calls: Arc::default(), ..asked.clone() };
    until("the second try is answered", || broker.sim.api_calls().len() == 2);
    let join = |within| run(broker.engine.present(again.clone(), Goal::Stored, within));
    until("that ends the outage", || join(Duration::from_millis(100)) == Answer::Pending);
    assert_eq!(broker.count(CallKind::AddRecord), 0, "the window keeps it back");
    assert!(changed(&join(LONG)) && !is_known(&broker));
    assert_eq!((again.calls.load(Ordering::Relaxed), broker.sim.api_calls().len()), (2, 3), "one was told before");
    // Nobody asks for its removal.
    clock.0.store(4_000_000, Ordering::Relaxed);
    until("it is removed", || broker.records() == 0 && broker.is_journal_empty());
    assert_eq!(broker.sim.api_calls().len(), 4);
}

#[test]
fn who_waits_is_served_again_as_soon_as_connections_come_about() {
    let mut front = Front::new();
    let sim = Sim::start(Config::default()).unwrap();
    let broker = Broker::of(sim, Setup::new("1000/1").set("IPV64_API_URL", &front.url()));
    let asks = clients(5);
    assert!(broker.present_all(&asks, Goal::Ready).iter().all(is_refused));
    until("it is known", || is_known(&broker));
    let requests = broker.engine.numbers().requests;
    front.open(Some(&broker.sim.api_url()));
    let opened = Instant::now();
    until("it is noticed", || !is_known(&broker));
    assert!(opened.elapsed() < Duration::from_secs(25), "a call would have been tried after thirty seconds");
    assert_eq!(broker.engine.numbers().requests, requests, "that cost no call");
    let answers = broker.present_all(&asks, Goal::Stored);
    assert!(answers.iter().all(changed), "{answers:?}");
    // Away once more, a broker that is started meanwhile looks too.
    front.close();
    let mut broker = broker;
    assert!(is_refused(&broker.present(&ask("a", "name.ipv64.net"))));
    until("it is known", || is_known(&broker));
    broker.restart_after(|_| ());
    assert!(is_away(&broker.present(&ask("a", "name.ipv64.net"))));
    front.open(Some(&broker.sim.api_url()));
    let opened = Instant::now();
    until("it is noticed", || !is_known(&broker));
    assert!(opened.elapsed() < Duration::from_secs(25));
}

fn is_refused(answer: &Answer) -> bool {
    matches!(answer, Answer::Failed { kind: Kind::Unreachable | Kind::Unavailable, .. })
}

#[test]
fn a_connection_that_says_nothing_of_the_calls_is_not_believed_again() {
    let mut front = Front::new();
    front.open(None);
    let url = format!("https://{}/api", front.address());
    let setup = Setup::new("1000/1").set("IPV64_API_URL", &url).set("IPV64_HTTP_TIMEOUT", "1");
    let broker = Broker::of(Sim::start(Config::default()).unwrap(), setup);
    let asked = ask("a", "name.ipv64.net");
    assert!(matches!(broker.present(&asked), Answer::Failed { .. }));
    until("two tries have failed", || is_known(&broker));
    assert_eq!(broker.engine.numbers().requests, 2);
    until("a connection comes about", || !is_known(&broker));
    assert!(matches!(broker.present(&asked), Answer::Failed { .. }));
    until("the try has failed", || is_known(&broker));
    assert_eq!(broker.engine.numbers().requests, 3, "one try, as in an outage");
    // Twice the time between two probes.
    std::thread::sleep(Duration::from_secs(4));
    assert!(is_known(&broker) && is_away(&broker.present(&asked)));
    assert_eq!(broker.engine.numbers().requests, 3);
}

/// A wall clock that goes forty times as fast.
struct Fast(Instant, Timestamp);

const SPEED: u32 = 40;

impl Clock for Fast {
    fn now(&self) -> Timestamp {
        self.1 + self.0.elapsed() * SPEED
    }

    fn since_boot(&self) -> Option<BootTime> {
        None
    }
}

#[test]
fn minutes_of_an_outage_cost_one_call_in_thirty_seconds_however_many_ask() {
    let clock = Arc::new(Fast(Instant::now(), SystemClock::now()));
    let setup = Setup { clock, ..Setup::new("1000/1") };
    let broker = Broker::of(Sim::start(Config::default()).unwrap(), setup);
    broker.sim.fault(bad_gateway());
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for asked in clients(10) {
            let broker = &broker;
            scope.spawn(move || {
                while begun.elapsed() < Duration::from_secs(9) {
                    let answer = broker.present(&asked);
                    assert!(is_away(&answer), "{answer:?}");
                    let removed = broker.cleanup(&asked);
                    assert!(matches!(removed, Answer::Postponed { .. } | Answer::Done { .. }), "{removed:?}");
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
        }
    });
    let minutes = (begun.elapsed() * SPEED).as_secs_f64() / 60.0;
    let calls = broker.sim.api_calls().len();
    assert!(calls as f64 <= 5.0 + 2.0 * minutes, "{calls} calls in {minutes} minutes");
    assert!(calls > 5, "{calls} calls in {minutes} minutes: it was not tried again");
}
