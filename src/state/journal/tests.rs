use std::sync::Arc;

use super::super::entry::LEFT_OVER_AFTER;
use super::super::store::State;
use super::super::tests::*;
use super::*;
use crate::time::ManualClock;

/// Longer than a remove may take.
const LOST: Duration = Duration::from_secs(600);

/// What the next hook calls take from the same journal, a second later, until there is nothing more.
fn take_in_next_call(state: &State, clock: &Arc<ManualClock>) -> Vec<EntryId> {
    clock.advance(Duration::from_secs(1));
    let next = state.with_clock(clock.clone());
    std::iter::from_fn(|| next.take_finishable()).collect()
}

#[test]
fn an_entry_lives_from_the_intent_to_the_close() {
    let (state, _) = in_memory();
    let ids = state.intend(&[record("_acme-challenge.example.org", "a")]);
    let progress = || state.entries()[0].progress;
    assert_eq!(progress(), Progress::Intended);
    state.confirm(&ids);
    assert_eq!(progress(), Progress::Confirmed);
    state.ready(&ids);
    assert_eq!(progress(), Progress::Ready { at: NOW });
    state.remove_asked(&ids);
    assert_eq!(progress(), Progress::RemoveAsked { at: NOW, tries: 1, failed: false });
    state.remove_failed(&ids);
    assert_eq!(progress(), Progress::RemoveAsked { at: NOW, tries: 1, failed: true });
    state.close(&ids);
    assert_eq!(state.entries(), []);
}

#[test]
fn what_another_call_may_have_brought_is_not_taken_for_never_sent() {
    let (state, _) = in_memory();
    let mut other = record("_acme-challenge.example.org", "v");
    let challenge = other.challenge();
    let never_sent = |own: &[EntryId]| {
        state.journal(|journal, now| {
            journal.never_sent(&account(), std::slice::from_ref(&challenge), own, now);
            journal.was_never_sent(&challenge.name, &challenge.value, now)
        })
    };
    let mine = state.intend(&[record("_acme-challenge.example.org", "v")]);
    assert!(!never_sent(&[]), "a call that did not come as far as an entry of its own");
    other.owner = Some("other".to_owned());
    let others = state.intend(&[other]);
    assert!(!never_sent(&mine), "the record of another client of the broker");
    state.close(&others);
    assert!(never_sent(&mine));
}

#[test]
fn one_challenge_is_one_entry_however_often_it_is_added() {
    let (state, clock) = in_memory();
    let first = state.intend(&[record("a.example.org", "v")]);
    state.ready(&first);
    clock.advance(Duration::from_secs(5));
    let again = state.intend(&[record("a.example.org", "v"), record("a.example.org", "w")]);
    assert_eq!(first[0], again[0]);
    let open = state.entries();
    assert_eq!(open.len(), 2);
    assert_eq!((open[0].progress, open[0].added_at), (Progress::Intended, NOW + Duration::from_secs(5)));
}

#[test]
fn a_record_that_is_added_again_while_it_is_removed_outlives_that_removal() {
    let (state, _) = in_memory();
    let removed = state.intend(&[record("a.example.org", "v")]);
    state.remove_asked(&removed);
    let again = state.intend(&[record("a.example.org", "v")]);
    state.confirm(&again);
    state.remove_failed(&removed);
    assert_eq!(state.entries().len(), 1);
    assert_eq!(state.entries()[0].progress, Progress::Confirmed, "the failure is that of the old entry");
    state.close(&removed);
    assert_eq!(state.entries().len(), 1, "the record may be there again");
    assert_eq!(state.withdraw(&again), again, "and may be there still");
    state.close(&again);
    assert_eq!(state.entries(), []);
}

#[test]
fn entries_are_found_by_name_with_and_without_the_value() {
    let (state, _) = in_memory();
    let _ = state.intend(&[record("a.example.org", "v"), record("a.example.org", "w"), record("b.example.org", "v")]);
    let name = DnsName::parse("a.example.org").unwrap();
    let values = |value: Option<&str>| -> Vec<String> {
        let value = value.map(|value| TxtValue::parse(value).unwrap());
        state
            .journal(|journal, _| journal.find(&account(), &name, value.as_ref()))
            .iter()
            .map(|entry| entry.value.to_string())
            .collect()
    };
    assert_eq!(values(None), ["v", "w"]);
    assert_eq!(values(Some("w")), ["w"]);
    assert!(values(Some("x")).is_empty());
}

#[test]
fn a_challenge_that_moves_is_known_at_both_places() {
    let (state, _) = in_memory();
    let first = record("a.example.org", "v");
    let moved = Entry { record: DnsName::parse("b.example.org").unwrap(), prefix: "b".to_owned(), ..first.clone() };
    let ids: Vec<_> = [first.clone(), moved, first].iter().map(|one| state.intend(std::slice::from_ref(one))).collect();
    assert_eq!(ids[0], ids[2]);
    assert_ne!(ids[0], ids[1]);
    assert_eq!(state.entries().len(), 2);
}

#[test]
fn a_record_whose_remove_nobody_asks_for_is_left_over_after_an_hour_and_taken_once() {
    let (state, clock) = in_memory();
    let ids = state.intend(&[record("a.example.org", "v"), record("b.example.org", "v")]);
    state.remove_asked(&ids[..1]);
    clock.advance(LEFT_OVER_AFTER - Duration::from_secs(1));
    assert_eq!(state.take_left_over(&[]), None);
    clock.advance(Duration::from_secs(1));
    assert_eq!(state.of(account_of("other")).take_left_over(&[]), None);
    let spared = DnsName::parse("b.example.org").unwrap();
    assert_eq!(state.take_left_over(&[&spared]), None);
    assert_eq!(state.take_left_over(&[]), Some(ids[1].clone()));
    assert_eq!(state.take_left_over(&[]), None);
}

#[test]
fn without_an_age_a_failed_remove_is_left_over_at_once() {
    let (state, _) = in_memory();
    let ids = state.intend(&[record("a.example.org", "v"), record("b.example.org", "v")]);
    state.remove_asked(&ids[..1]);
    assert_eq!(state.leftovers(None), []);
    assert_eq!(state.leftovers(Some(Duration::ZERO)).len(), 2);
    state.remove_failed(&ids[..1]);
    assert_eq!(state.leftovers(None)[0].id, ids[0]);
    assert_eq!(state.leftovers(None).len(), 1);
}

#[test]
fn only_a_failed_or_lost_remove_is_finished_by_the_next_call() {
    let (state, clock) = in_memory();
    let records = ["a", "b", "c"].map(|label| record(&format!("{label}.example.org"), "v"));
    let ids = state.intend(&records);
    clock.advance(Duration::from_secs(1));
    state.remove_asked(&ids[..2]);
    state.remove_failed(&ids[..1]);
    assert_eq!(state.take_finishable(), None, "it would fail again");
    assert_eq!(take_in_next_call(&state, &clock), ids[..1]);
    assert!(take_in_next_call(&state, &clock).is_empty(), "another process has it");
    clock.advance(LOST);
    assert_eq!(take_in_next_call(&state, &clock), ids[..2], "both removes were killed");
}

#[test]
fn entries_of_another_account_are_not_finished() {
    let (state, clock) = in_memory();
    let ids = state.intend(&[record("a.example.org", "v")]);
    state.remove_failed(&ids);
    assert!(take_in_next_call(&state.of(account_of("other")), &clock).is_empty());
    assert_eq!(take_in_next_call(&state, &clock), ids);
}

#[test]
fn a_remove_that_never_works_is_left_to_the_sweep() {
    let (state, clock) = in_memory();
    let ids = state.intend(&[record("a.example.org", "v")]);
    state.remove_failed(&ids);
    let mut rounds = 0;
    while !take_in_next_call(&state, &clock).is_empty() {
        state.remove_failed(&ids);
        rounds += 1;
    }
    assert_eq!(rounds, 9);
    assert_eq!(state.leftovers(Some(Duration::ZERO)).len(), 1);
}

#[test]
fn a_try_without_a_request_does_not_count() {
    let (state, clock) = in_memory();
    let ids = state.intend(&[record("a.example.org", "v")]);
    state.remove_failed(&ids);
    for _ in 0..20 {
        assert_eq!(take_in_next_call(&state, &clock), ids);
        state.journal(|journal, now| journal.remove_postponed(&ids, now));
    }
    assert_eq!(state.entries()[0].tries(), 1);
}

#[test]
fn an_entry_is_left_over_after_an_hour() {
    let (state, clock) = in_memory();
    let _ = state.intend(&[record("a.example.org", "v")]);
    clock.advance(LEFT_OVER_AFTER - Duration::from_secs(1));
    assert!(state.leftovers(Some(LEFT_OVER_AFTER)).is_empty());
    clock.advance(Duration::from_secs(1));
    assert_eq!(state.leftovers(Some(LEFT_OVER_AFTER)).len(), 1);
}

#[test]
fn an_entry_ages_neither_by_a_clock_that_is_set_ahead_nor_by_one_that_is_set_back() {
    let (state, clock) = in_memory();
    let _ = state.intend(&[record("a.example.org", "v")]);
    let half = LEFT_OVER_AFTER / 2;
    clock.advance(half);
    for wall in [NOW + Duration::from_secs(366 * 86_400), Timestamp::from_millis(1_000_000_000_000)] {
        clock.jump_to(wall);
        assert_eq!(state.age(state.entries()[0].added_at), half, "{wall}");
    }
    clock.advance(half);
    assert_eq!(state.leftovers(Some(LEFT_OVER_AFTER)).len(), 1);
}

#[test]
fn an_entry_of_the_future_begins_to_age_now_where_no_boot_clock_tells() {
    let (state, clock) = in_memory();
    let blind = state.with_clock(Arc::new(WallClock(clock.clone())));
    let _ = blind.intend(&[record("a.example.org", "v")]);
    clock.jump_to(Timestamp::from_millis(1_000));
    assert_eq!(blind.entries()[0].added_at, Timestamp::from_millis(1_000));
    clock.advance(LEFT_OVER_AFTER);
    assert_eq!(blind.leftovers(Some(LEFT_OVER_AFTER)).len(), 1);
}

#[test]
fn a_value_is_known_as_ready_for_two_minutes_even_when_closed() {
    let (state, clock) = in_memory();
    let ids = state.intend(&[record("a.example.org", "v")]);
    state.ready(&ids);
    state.close(&ids);
    let name = DnsName::parse("a.example.org").unwrap();
    clock.advance(Duration::from_secs(119));
    let marks = state.ready_marks(&name);
    assert_eq!((marks.len(), marks[0].value.as_str(), marks[0].at), (1, "v", NOW));
    clock.advance(Duration::from_secs(1));
    assert_eq!(state.ready_marks(&name), []);
}

#[test]
fn a_record_is_known_as_removed_for_two_minutes() {
    let (state, clock) = in_memory();
    let ids = state.intend(&[record("a.example.org", "v"), record("b.example.org", "v")]);
    state.journal(|journal, now| journal.removed(&ids[..1], now));
    state.close(&ids[1..]);
    let removed_at = |name: &str| {
        let (name, value) = (DnsName::parse(name).unwrap(), TxtValue::parse("v").unwrap());
        state.journal(|journal, now| journal.removed_at(&name, &value, now))
    };
    assert_eq!((removed_at("a.example.org"), removed_at("b.example.org")), (Some(NOW), None));
    assert_eq!(state.entries(), []);
    clock.advance(Duration::from_secs(120));
    assert_eq!(removed_at("a.example.org"), None);
}

#[test]
fn two_names_that_lead_to_one_record_share_what_is_ready() {
    let (state, _) = in_memory();
    let target = DnsName::parse("target.example.org").unwrap();
    let aliases = [("a.example.org", "v"), ("b.example.org", "w")];
    let aliased = aliases.map(|(name, value)| Entry { record: target.clone(), ..record(name, value) });
    let ids = state.intend(&aliased);
    state.ready(&ids);
    assert_eq!(state.ready_marks(&target).len(), 2);
}

#[test]
fn what_was_open_before_a_call_stays_when_the_call_is_withdrawn() {
    let (state, _) = in_memory();
    let first = state.intend(&[record("a.example.org", "v")]);
    let both = state.intend(&[record("a.example.org", "v"), record("b.example.org", "v")]);
    assert_eq!(state.withdraw(&both), first);
    assert_eq!(state.entries().into_iter().map(|entry| entry.id).collect::<Vec<_>>(), first);
}

#[test]
fn what_is_being_removed_does_not_become_ready_again() {
    let (state, _) = in_memory();
    let ids = state.intend(&[record("a.example.org", "v")]);
    state.remove_asked(&ids);
    state.confirm(&ids);
    state.ready(&ids);
    assert_eq!(state.entries()[0].tries(), 1);
}

/// As version 0.1.0 wrote it: without the clock, and with keys of its own.
const BEFORE: &str = include_str!("fixtures/journal-0.1.0.json");

#[test]
fn a_journal_of_the_version_before_is_read_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("journal.json"), BEFORE).unwrap();
    let clock = ManualClock::at(Timestamp::from_millis(1_795_833_780_000));
    let state = open_at(directory.path(), clock.clone()).of(account_of("sim-key-3f9c2a7e51d84b06"));
    let entries = state.entries();
    let known: Vec<_> = entries.iter().map(|entry| (entry.record.as_str(), entry.progress)).collect();
    let at = Timestamp::from_millis;
    let expected = [
        ("_acme-challenge.name.ipv64.net", Progress::Ready { at: at(1_795_833_740_487) }),
        ("_acme-challenge.example.com", Progress::Confirmed),
        (
            "_acme-challenge.a.name.ipv64.net",
            Progress::RemoveAsked { at: at(1_795_833_775_418), tries: 1, failed: true },
        ),
        ("_acme-challenge.b.name.ipv64.net", Progress::Intended),
    ];
    assert_eq!(known, expected);
    assert_eq!(state.ready_marks(&entries[0].record).len(), 1);
    assert_eq!(state.take_finishable(), Some(entries[2].id.clone()));
    clock.advance(LEFT_OVER_AFTER);
    assert_eq!(state.leftovers(None).len(), 4, "they age by the wall clock");
    state.close(&entries.iter().map(|entry| entry.id.clone()).collect::<Vec<_>>());
    assert_eq!(open_at(directory.path(), clock).entries(), []);
    assert!(state.take_warnings().is_empty());
}

#[test]
fn a_journal_that_returns_to_the_disk_keeps_what_others_have_written_there() {
    let (temp, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(NOW));
    let name = |name: &str| record(&format!("_acme-challenge.{name}.example.org"), "a");
    let state = open_at(temp.path(), clock.clone());
    let ids = state.intend(&[name("closed"), name("confirmed"), name("closed-elsewhere")]);
    let blocked = temp.path().join("journal.json.new");
    std::fs::create_dir(&blocked).unwrap();
    state.close(&ids[..1]);
    state.confirm(&ids[1..2]);
    state.intend(&[name("new")]);
    std::fs::remove_dir(&blocked).unwrap();
    let other = open_at(temp.path(), clock.clone());
    assert_eq!(other.entries().len(), 3, "it is in memory only");
    other.close(&ids[2..]);
    other.intend(&[name("new-elsewhere")]);
    clock.advance(Duration::from_secs(5));
    let known = |state: &State| {
        let entries = state.entries().into_iter();
        entries.map(|entry| (entry.name.labels().nth(1).unwrap().to_owned(), entry.progress)).collect::<Vec<_>>()
    };
    let both = known(&state);
    let names: Vec<_> = both.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["confirmed", "new-elsewhere", "new"]);
    assert_eq!((both[0].1, known(&other)), (Progress::Confirmed, both));
    assert!(state.is_on_disk());
}
