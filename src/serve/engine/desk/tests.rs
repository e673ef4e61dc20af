use std::net::Ipv4Addr;
use std::time::Duration;

use super::*;
use crate::challenge::{Challenge, TxtValue};
use crate::name::DnsName;
use crate::serve::Peer;
use crate::serve::engine::checks::{CHECKERS, Check};
use crate::serve::grant::{Grant, NotReady};
use crate::serve::token::TokenHash;

fn ask(client: &str, number: usize) -> Ask {
    let grant = Grant {
        client: client.to_owned(),
        allow: vec!["*.example.com".parse().unwrap()],
        alias: Vec::new(),
        from: Vec::new(),
        calls_per_day: None,
        not_ready: NotReady::Pending,
    };
    let name = DnsName::parse(&format!("_acme-challenge.n{number}.example.com")).unwrap();
    let value = TxtValue::parse("LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0").unwrap();
    let peer = Peer::Address(Ipv4Addr::LOCALHOST.into());
    Ask {
        grant: Arc::new(grant),
        peer,
        shown: None,
        challenge: Challenge { name, value },
        program: "lego".to_owned(),
        calls: Arc::default(),
        found: Arc::default(),
    }
}

/// Begins so many additions of a client; how many of them were taken.
fn additions(desk: &mut Desk, client: &str, count: usize) -> usize {
    (0..count).filter(|number| desk.begin(&ask(client, *number), Goal::Ready).is_ok()).count()
}

fn removals(desk: &mut Desk, client: &str, count: usize) -> usize {
    (0..count).filter(|number| desk.begin_removal(&ask(client, 1000 + number)).is_ok()).count()
}

#[test]
fn one_client_has_256_additions_and_as_many_removals_at_once() {
    let mut desk = Desk::default();
    assert_eq!(additions(&mut desk, "greedy", 300), 256);
    let busy = desk.begin(&ask("greedy", 256), Goal::Stored).err().unwrap();
    assert_eq!(busy, Answer::Failed { kind: Kind::BrokerBusy, retry_after: Duration::from_secs(5) });
    assert!(desk.begin(&ask("greedy", 7), Goal::Ready).is_ok(), "the same record joins");
    assert_eq!(removals(&mut desk, "greedy", 300), 256, "whoever adds too much can still remove");
    assert_eq!((additions(&mut desk, "modest", 1), removals(&mut desk, "modest", 1)), (1, 1));
    desk.end(&Key::of(&ask("greedy", 0)), interrupted());
    desk.removed(&Key::of(&ask("greedy", 1000)), interrupted());
    assert!(desk.begin(&ask("greedy", 256), Goal::Ready).is_ok(), "one has ended");
    assert!(desk.begin_removal(&ask("greedy", 1256)).is_ok());
}

#[test]
fn all_clients_have_4096_additions_and_as_many_removals_at_once() {
    let mut desk = Desk::default();
    let clients: Vec<_> = (0..17).map(|client| format!("client-{client}")).collect();
    assert_eq!(clients.iter().map(|client| additions(&mut desk, client, 256)).sum::<usize>(), 4096);
    assert_eq!(clients.iter().map(|client| removals(&mut desk, client, 256)).sum::<usize>(), 4096);
    desk.end(&Key::of(&ask("client-3", 0)), interrupted());
    assert_eq!(additions(&mut desk, "client-16", 2), 1);
}

#[test]
fn one_client_takes_half_of_those_that_check() {
    let mut desk = Desk::default();
    additions(&mut desk, "slow", 20);
    let checks = |desk: &mut Desk| std::iter::from_fn(|| desk.checks.next()).collect::<Vec<_>>();
    let running = checks(&mut desk);
    assert_eq!(running.len(), CHECKERS / 2);
    additions(&mut desk, "other", 1);
    assert_eq!(checks(&mut desk).len(), 1, "another one is not held up");
    desk.checks.ended(&running[0]);
    assert_eq!(checks(&mut desk).len(), 1);
}

/// Each check reads the journal, which takes longer than asking for the next one.
#[test]
fn a_client_that_asks_for_removals_without_end_holds_up_no_other() {
    let mut desk = Desk::default();
    removals(&mut desk, "greedy", 200);
    additions(&mut desk, "modest", 1);
    removals(&mut desk, "modest", 1);
    let checks: Vec<_> = (0..4).filter_map(|_| desk.checks.next()).collect();
    let key = |number| Key::of(&ask("modest", number));
    assert!(checks.contains(&Check::Removal(key(1000))), "{checks:?}");
    assert!(checks.iter().any(|check| matches!(check, Check::Addition(ticket) if ticket.key == key(0))), "{checks:?}");
}

#[test]
fn an_addition_gives_up_its_turn_four_times_at_most() {
    let mut desk = Desk::default();
    additions(&mut desk, "a", 1);
    let Some(Check::Addition(ticket)) = desk.checks.next() else { panic!("nothing to check") };
    assert_eq!((0..9).filter(|_| desk.queue_again(&ticket)).count(), 4);
}

#[test]
fn one_client_waits_with_512_requests_for_additions_and_as_many_for_removals() {
    let mut desk = Desk::default();
    let asked = ask("greedy", 0);
    let waiting: Vec<_> = (0..600).map_while(|_| desk.begin(&asked, Goal::Ready).ok()).collect();
    let removing: Vec<_> = (0..600).map_while(|_| desk.begin_removal(&ask("greedy", 1)).ok()).collect();
    assert_eq!((waiting.len(), removing.len()), (512, 512));
    drop(waiting);
    assert!(desk.begin(&asked, Goal::Ready).is_ok(), "they have gone");
}

#[test]
fn an_addition_is_that_of_whoever_has_asked_for_it_last() {
    let mut desk = Desk::default();
    let by = |token: &[u8], number| Ask { shown: Some(TokenHash::of(token)), ..ask("web", number) };
    let is_good = |ask: &Ask| (ask.shown == Some(TokenHash::of(b"new"))).then(|| Arc::clone(&ask.grant));
    let begin = |desk: &mut Desk, ask: &Ask| desk.begin(ask, Goal::Ready).unwrap_or_else(|_| panic!("no room")).answers;
    let (dropped, first) = (begin(&mut desk, &by(b"old", 1)), begin(&mut desk, &by(b"old", 2)));
    begin(&mut desk, &by(b"new", 2));
    desk.regrant(is_good);
    let unknown = Some(Answer::Refused(Refusal::UnknownClient));
    assert_eq!((dropped.borrow().ended.clone(), first.borrow().ended.clone()), (unknown, None));
}
