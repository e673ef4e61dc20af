//! The journal: every record that we asked IPv64 to add and that is not known to be gone again.
//! It is written before the request leaves; who adds and removes, and when, is decided by the solver.

use std::sync::Arc;
use std::time::Duration;

use crate::challenge::{Challenge, TxtValue};
use crate::name::DnsName;

use super::account::Account;
use super::directory::Durability;
use super::entry::{Entry, EntryId, NewEntry, Progress, ReadyMark};
use super::random;
use super::store::{Document, Store};
use crate::time::{Clock, Timestamp};

/// An entry whose remove was never asked for is left over when it is this old: no client takes that long.
pub const LEFT_OVER_AFTER: Duration = Duration::from_secs(3600);
/// A remove that neither ended nor failed in this time was killed.
const REMOVE_LOST_AFTER: Duration = Duration::from_secs(600);
/// After so many tries only `sweep` tries again: a remove that never works must not eat the daily quota.
const MOST_TRIES: u32 = 10;
/// How long it is remembered that a value was ready: longer than a CA's resolver caches (65 s are waited out).
const READY_KEPT: Duration = Duration::from_secs(120);

/// The file `journal.json`.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
struct Book {
    entries: Vec<Entry>,
    ready: Vec<ReadyMark>,
}

impl Document for Book {
    const FILE: &'static str = "journal.json";
    const DURABILITY: Durability = Durability::Ordered;
}

impl Book {
    fn with_ids(&mut self, ids: &[EntryId]) -> impl Iterator<Item = &mut Entry> {
        self.entries.iter_mut().filter(|entry| ids.contains(&entry.id))
    }
}

/// Records that are, or may be, at IPv64 because of us.
#[derive(Clone)]
pub struct Journal {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    opened_at: Timestamp,
}

impl Journal {
    pub(super) fn new(store: Arc<Store>, clock: Arc<dyn Clock>, opened_at: Timestamp) -> Self {
        Self { store, clock, opened_at }
    }

    /// Notes that these records are about to be added; on the disk when it returns.
    ///
    /// A record that is in the journal already keeps its id and begins anew; with a new id if it is being removed, so that
    /// the end of that removal does not touch it. The same challenge at another place, as after a change of its CNAME, is
    /// a record of its own. Returns one id per record, in order.
    // Before the request and not after it: a crash in between leaves an entry without a record, which is deleted in
    // vain and forgotten. The other order leaves a record that nobody remembers.
    #[must_use]
    pub fn intend(&self, records: &[NewEntry]) -> Vec<EntryId> {
        self.update(Durability::Lasting, |book, now| records.iter().map(|record| book.intend(record, now)).collect())
    }

    /// Notes that a record is about to be added at another place than intended, where it is not; returns its new id.
    #[must_use]
    pub fn relocate(&self, id: &EntryId, record: &NewEntry) -> EntryId {
        self.update(Durability::Lasting, |book, now| {
            book.entries.retain(|entry| entry.id != *id);
            book.intend(record, now)
        })
    }

    /// Notes that IPv64 has stored these records, or had them already.
    pub fn confirm(&self, ids: &[EntryId]) {
        self.update(Durability::Ordered, |book, _| {
            book.with_ids(ids).for_each(Entry::confirm);
        });
    }

    /// Notes that these records were reported as ready to the client, which may now ask the CA to look.
    pub fn ready(&self, ids: &[EntryId]) {
        self.update(Durability::Ordered, |book, now| {
            let marks: Vec<_> = book.with_ids(ids).map(|entry| entry.mark_ready(now)).collect();
            book.ready.retain(|old| !marks.iter().any(|new| old.record == new.record && old.value == new.value));
            book.ready.extend(marks);
        });
    }

    /// Notes that a remove of these records is being tried.
    pub fn remove_asked(&self, ids: &[EntryId]) {
        self.update(Durability::Ordered, |book, now| book.with_ids(ids).for_each(|entry| entry.ask_remove(now)));
    }

    /// Notes that the remove did not work, so that the next hook call tries again.
    pub fn remove_failed(&self, ids: &[EntryId]) {
        self.update(Durability::Ordered, |book, now| {
            for entry in book.with_ids(ids) {
                entry.progress = Progress::RemoveAsked { at: now, tries: entry.tries().max(1), failed: true };
            }
        });
    }

    /// Notes that no request left to remove these records: the next hook call tries again, and this try does not count.
    pub fn remove_postponed(&self, ids: &[EntryId]) {
        self.update(Durability::Ordered, |book, now| {
            for entry in book.with_ids(ids) {
                let tries = entry.tries().saturating_sub(1).max(1);
                entry.progress = Progress::RemoveAsked { at: now, tries, failed: true };
            }
        });
    }

    /// Forgets these records: they are gone, or never were.
    pub fn close(&self, ids: &[EntryId]) {
        self.update(Durability::Ordered, |book, _| book.entries.retain(|entry| !ids.contains(&entry.id)));
    }

    /// Forgets these records: this call has not stored them. Those that were open before it stay, for an earlier call
    /// may have; returns their ids.
    #[must_use]
    pub fn withdraw(&self, ids: &[EntryId]) -> Vec<EntryId> {
        self.update(Durability::Ordered, |book, _| {
            book.entries.retain(|entry| entry.was_open || !ids.contains(&entry.id));
            book.with_ids(ids).map(|entry| entry.id.clone()).collect()
        })
    }

    /// Returns the open entries for a challenge name, and with a value only those with that value.
    #[must_use]
    pub fn find(&self, name: &DnsName, value: Option<&TxtValue>) -> Vec<Entry> {
        self.select(|entry, _| entry.name == *name && value.is_none_or(|value| entry.value == *value))
    }

    /// Returns all open entries, oldest first.
    #[must_use]
    pub fn open_entries(&self) -> Vec<Entry> {
        self.select(|_, _| true)
    }

    /// Returns the open entries that are at least so old, whatever became of them; without an age those that nobody can
    /// still need: a remove has failed, or none was asked for within [`LEFT_OVER_AFTER`].
    #[must_use]
    pub fn leftovers(&self, older_than: Option<Duration>) -> Vec<Entry> {
        self.select(|entry, now| match older_than {
            Some(age) => now.since(entry.added_at) >= age,
            None => is_abandoned(entry, now) || has_failed(entry, now),
        })
    }

    /// Takes at most `limit` entries whose remove was tried and failed, or was killed, for the caller to finish:
    /// only those of earlier calls, since what has just failed here would fail again.
    ///
    /// They count as being removed from now on, so that a second process does not take them too. After ten tries
    /// an entry is left to `sweep`.
    #[must_use]
    pub fn take_finishable(&self, account: &Account, limit: usize) -> Vec<Entry> {
        self.update(Durability::Ordered, |book, now| {
            let due = book
                .entries
                .iter_mut()
                .filter(|entry| entry.account == *account && is_finishable(entry, self.opened_at, now));
            due.take(limit)
                .map(|entry| {
                    entry.ask_remove(now);
                    entry.clone()
                })
                .collect()
        })
    }

    /// Takes one entry that is left over: nobody has asked for its remove within [`LEFT_OVER_AFTER`]. It counts as being
    /// removed from now on. Challenges of the names in `spared` stay.
    #[must_use]
    pub fn take_left_over(&self, account: &Account, spared: &[&DnsName]) -> Option<Entry> {
        self.update(Durability::Ordered, |book, now| {
            let is_free = |entry: &Entry| entry.account == *account && !spared.contains(&&entry.name);
            let is_left = |entry: &&mut Entry| is_free(entry) && is_abandoned(entry, now);
            let entry = book.entries.iter_mut().find(is_left)?;
            entry.ask_remove(now);
            Some(entry.clone())
        })
    }

    /// Returns the values that were reported as ready at the name of a record in the last two minutes, closed entries
    /// included: a CA's resolver may still have them in its cache.
    #[must_use]
    pub fn ready_marks(&self, record: &DnsName) -> Vec<ReadyMark> {
        self.update(Durability::Ordered, |book, _| {
            book.ready.iter().filter(|mark| mark.record == *record).cloned().collect()
        })
    }

    fn select(&self, wanted: impl Fn(&Entry, Timestamp) -> bool) -> Vec<Entry> {
        self.update(Durability::Ordered, |book, now| {
            book.entries.iter().filter(|entry| wanted(entry, now)).cloned().collect()
        })
    }

    fn update<R>(&self, durability: Durability, change: impl FnOnce(&mut Book, Timestamp) -> R) -> R {
        self.store.update_with(durability, |book: &mut Book| {
            let now = self.clock.now();
            book.normalise(now);
            change(book, now)
        })
    }
}

impl Book {
    fn intend(&mut self, record: &NewEntry, now: Timestamp) -> EntryId {
        let Challenge { name, value } = &record.challenge;
        let is_same = |entry: &Entry| {
            entry.name == *name
                && entry.value == *value
                && entry.account == record.account
                && (&entry.domain, &entry.record) == (&record.domain, &record.record)
        };
        let open = self.entries.iter().find(|entry| is_same(entry));
        let was_open = open.is_some();
        // Whoever is removing the record knows it by its id.
        let kept = open.filter(|entry| !matches!(entry.progress, Progress::RemoveAsked { .. }));
        let id = kept.map_or_else(|| EntryId::new(random::id()), |entry| entry.id.clone());
        self.entries.retain(|entry| !is_same(entry));
        self.entries.push(Entry { was_open, ..Entry::new(id.clone(), record, now) });
        id
    }

    /// A clock that was set back makes times of the future; they become now, so that everything still ages.
    fn normalise(&mut self, now: Timestamp) {
        self.entries.iter_mut().for_each(|entry| entry.normalise(now));
        self.ready.iter_mut().for_each(|mark| mark.at = mark.at.min(now));
        self.ready.retain(|mark| now.since(mark.at) < READY_KEPT);
    }
}

fn is_abandoned(entry: &Entry, now: Timestamp) -> bool {
    !matches!(entry.progress, Progress::RemoveAsked { .. }) && now.since(entry.added_at) >= LEFT_OVER_AFTER
}

fn has_failed(entry: &Entry, now: Timestamp) -> bool {
    match entry.progress {
        Progress::RemoveAsked { at, failed, .. } => failed || now.since(at) >= REMOVE_LOST_AFTER,
        _ => false,
    }
}

fn is_finishable(entry: &Entry, opened_at: Timestamp, now: Timestamp) -> bool {
    match entry.progress {
        Progress::RemoveAsked { at, tries, failed } => {
            tries < MOST_TRIES && ((failed && at <= opened_at) || now.since(at) >= REMOVE_LOST_AFTER)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;
    use crate::secret::Secret;
    use crate::time::ManualClock;

    const NOW: Timestamp = Timestamp::from_millis(1_795_438_800_000);

    fn account() -> Account {
        Account::of(&Secret::parse("key").unwrap())
    }

    fn record(name: &str, value: &str) -> NewEntry {
        let domain = DnsName::parse("example.org").unwrap();
        let name = DnsName::parse(name).unwrap();
        NewEntry {
            account: account(),
            client: "test".to_owned(),
            challenge: Challenge { name: name.clone(), value: TxtValue::parse(value).unwrap() },
            prefix: name.prefix_below(&domain).unwrap_or_default().to_owned(),
            domain,
            record: name,
        }
    }

    struct Bench {
        clock: Arc<ManualClock>,
        journal: Journal,
    }

    impl Bench {
        /// What the next hook call takes from the same journal, a second later.
        fn take_in_next_call(&self, account: &Account, limit: usize) -> Vec<EntryId> {
            self.clock.advance(Duration::from_secs(1));
            let journal = Journal { opened_at: self.clock.now(), ..self.journal.clone() };
            journal.take_finishable(account, limit).into_iter().map(|entry| entry.id).collect()
        }
    }

    fn bench() -> Bench {
        let clock = ManualClock::at(NOW);
        let journal = State::in_memory().with_clock(clock.clone()).journal();
        Bench { clock, journal }
    }

    #[test]
    fn an_entry_lives_from_the_intent_to_the_close() {
        let Bench { journal, .. } = bench();
        let ids = journal.intend(&[record("_acme-challenge.example.org", "a")]);
        let progress = || journal.open_entries()[0].progress;
        assert_eq!(progress(), Progress::Intended);
        journal.confirm(&ids);
        assert_eq!(progress(), Progress::Confirmed);
        journal.ready(&ids);
        assert_eq!(progress(), Progress::Ready { at: NOW });
        journal.remove_asked(&ids);
        assert_eq!(progress(), Progress::RemoveAsked { at: NOW, tries: 1, failed: false });
        journal.remove_failed(&ids);
        assert_eq!(progress(), Progress::RemoveAsked { at: NOW, tries: 1, failed: true });
        journal.close(&ids);
        assert_eq!(journal.open_entries(), []);
    }

    #[test]
    fn one_challenge_is_one_entry_however_often_it_is_added() {
        let Bench { journal, clock } = bench();
        let first = journal.intend(&[record("a.example.org", "v")]);
        journal.ready(&first);
        clock.advance(Duration::from_secs(5));
        let again = journal.intend(&[record("a.example.org", "v"), record("a.example.org", "w")]);
        assert_eq!(first[0], again[0]);
        let open = journal.open_entries();
        assert_eq!(open.len(), 2);
        assert_eq!((open[0].progress, open[0].added_at), (Progress::Intended, NOW + Duration::from_secs(5)));
    }

    #[test]
    fn a_record_that_is_added_again_while_it_is_removed_outlives_that_removal() {
        let Bench { journal, .. } = bench();
        let removed = journal.intend(&[record("a.example.org", "v")]);
        journal.remove_asked(&removed);
        let again = journal.intend(&[record("a.example.org", "v")]);
        journal.confirm(&again);
        journal.remove_failed(&removed);
        assert_eq!(journal.open_entries().len(), 1);
        assert_eq!(journal.open_entries()[0].progress, Progress::Confirmed, "the failure is that of the old entry");
        journal.close(&removed);
        assert_eq!(journal.open_entries().len(), 1, "the record may be there again");
        assert_eq!(journal.withdraw(&again), again, "and may be there still");
        journal.close(&again);
        assert_eq!(journal.open_entries(), []);
    }

    #[test]
    fn entries_are_found_by_name_with_and_without_the_value() {
        let Bench { journal, .. } = bench();
        let _ =
            journal.intend(&[record("a.example.org", "v"), record("a.example.org", "w"), record("b.example.org", "v")]);
        let name = DnsName::parse("a.example.org").unwrap();
        let values = |value: Option<&str>| -> Vec<String> {
            let value = value.map(|value| TxtValue::parse(value).unwrap());
            journal.find(&name, value.as_ref()).iter().map(|entry| entry.value.to_string()).collect()
        };
        assert_eq!(values(None), ["v", "w"]);
        assert_eq!(values(Some("w")), ["w"]);
        assert!(values(Some("x")).is_empty());
    }

    #[test]
    fn a_challenge_that_moves_is_known_at_both_places() {
        let Bench { journal, .. } = bench();
        let first = record("a.example.org", "v");
        let moved =
            NewEntry { record: DnsName::parse("b.example.org").unwrap(), prefix: "b".to_owned(), ..first.clone() };
        let ids: Vec<_> =
            [first.clone(), moved, first].iter().map(|one| journal.intend(std::slice::from_ref(one))).collect();
        assert_eq!(ids[0], ids[2]);
        assert_ne!(ids[0], ids[1]);
        assert_eq!(journal.open_entries().len(), 2);
    }

    #[test]
    fn a_record_whose_remove_nobody_asks_for_is_left_over_after_an_hour_and_taken_once() {
        let bench = bench();
        let ids = bench.journal.intend(&[record("a.example.org", "v"), record("b.example.org", "v")]);
        bench.journal.remove_asked(&ids[..1]);
        bench.clock.advance(LEFT_OVER_AFTER - Duration::from_secs(1));
        assert_eq!(bench.journal.take_left_over(&account(), &[]), None);
        bench.clock.advance(Duration::from_secs(1));
        let other = Account::of(&Secret::parse("other").unwrap());
        assert_eq!(bench.journal.take_left_over(&other, &[]), None);
        let spared = DnsName::parse("b.example.org").unwrap();
        assert_eq!(bench.journal.take_left_over(&account(), &[&spared]), None);
        assert_eq!(bench.journal.take_left_over(&account(), &[]).map(|entry| entry.id), Some(ids[1].clone()));
        assert_eq!(bench.journal.take_left_over(&account(), &[]), None);
    }

    #[test]
    fn without_an_age_a_failed_remove_is_left_over_at_once() {
        let bench = bench();
        let ids = bench.journal.intend(&[record("a.example.org", "v"), record("b.example.org", "v")]);
        bench.journal.remove_asked(&ids[..1]);
        assert_eq!(bench.journal.leftovers(None), []);
        assert_eq!(bench.journal.leftovers(Some(Duration::ZERO)).len(), 2);
        bench.journal.remove_failed(&ids[..1]);
        assert_eq!(bench.journal.leftovers(None)[0].id, ids[0]);
        assert_eq!(bench.journal.leftovers(None).len(), 1);
    }

    #[test]
    fn only_a_failed_or_lost_remove_is_finished_by_the_next_call() {
        let bench = bench();
        let records = ["a", "b", "c"].map(|label| record(&format!("{label}.example.org"), "v"));
        let ids = bench.journal.intend(&records);
        bench.clock.advance(Duration::from_secs(1));
        bench.journal.remove_asked(&ids[..2]);
        bench.journal.remove_failed(&ids[..1]);
        assert_eq!(bench.journal.take_finishable(&account(), 10), [], "it would fail again");
        assert_eq!(bench.take_in_next_call(&account(), 10), ids[..1]);
        assert!(bench.take_in_next_call(&account(), 10).is_empty(), "another process has it");
        bench.clock.advance(REMOVE_LOST_AFTER);
        assert_eq!(bench.take_in_next_call(&account(), 10), ids[..2], "both removes were killed");
    }

    #[test]
    fn entries_of_another_account_are_not_finished() {
        let bench = bench();
        let ids = bench.journal.intend(&[record("a.example.org", "v")]);
        bench.journal.remove_failed(&ids);
        assert!(bench.take_in_next_call(&Account::of(&Secret::parse("other").unwrap()), 10).is_empty());
        assert!(bench.take_in_next_call(&account(), 0).is_empty());
        assert_eq!(bench.take_in_next_call(&account(), 1), ids);
    }

    #[test]
    fn a_remove_that_never_works_is_left_to_the_sweep() {
        let bench = bench();
        let ids = bench.journal.intend(&[record("a.example.org", "v")]);
        bench.journal.remove_failed(&ids);
        let mut rounds = 0;
        while !bench.take_in_next_call(&account(), 10).is_empty() {
            bench.journal.remove_failed(&ids);
            rounds += 1;
        }
        assert_eq!(rounds, 9);
        assert_eq!(bench.journal.leftovers(Some(Duration::ZERO)).len(), 1);
    }

    #[test]
    fn a_try_without_a_request_does_not_count() {
        let bench = bench();
        let ids = bench.journal.intend(&[record("a.example.org", "v")]);
        bench.journal.remove_failed(&ids);
        for _ in 0..2 * MOST_TRIES {
            assert_eq!(bench.take_in_next_call(&account(), 10), ids);
            bench.journal.remove_postponed(&ids);
        }
        assert_eq!(bench.journal.open_entries()[0].tries(), 1);
    }

    #[test]
    fn an_entry_is_left_over_after_an_hour() {
        let Bench { journal, clock } = bench();
        let _ = journal.intend(&[record("a.example.org", "v")]);
        clock.advance(LEFT_OVER_AFTER - Duration::from_secs(1));
        assert!(journal.leftovers(Some(LEFT_OVER_AFTER)).is_empty());
        clock.advance(Duration::from_secs(1));
        assert_eq!(journal.leftovers(Some(LEFT_OVER_AFTER)).len(), 1);
    }

    #[test]
    fn an_entry_of_the_future_begins_to_age_now() {
        let Bench { journal, clock } = bench();
        let _ = journal.intend(&[record("a.example.org", "v")]);
        clock.jump_to(Timestamp::from_millis(1_000));
        assert_eq!(journal.open_entries()[0].added_at, Timestamp::from_millis(1_000));
        clock.advance(LEFT_OVER_AFTER);
        assert_eq!(journal.leftovers(Some(LEFT_OVER_AFTER)).len(), 1);
    }

    #[test]
    fn a_value_is_known_as_ready_for_two_minutes_even_when_closed() {
        let Bench { journal, clock } = bench();
        let ids = journal.intend(&[record("a.example.org", "v")]);
        journal.ready(&ids);
        journal.close(&ids);
        let name = DnsName::parse("a.example.org").unwrap();
        clock.advance(Duration::from_secs(119));
        let marks = journal.ready_marks(&name);
        assert_eq!((marks.len(), marks[0].value.as_str(), marks[0].at), (1, "v", NOW));
        clock.advance(Duration::from_secs(1));
        assert_eq!(journal.ready_marks(&name), []);
    }

    #[test]
    fn two_names_that_lead_to_one_record_share_what_is_ready() {
        let Bench { journal, .. } = bench();
        let target = DnsName::parse("target.example.org").unwrap();
        let aliases = [("a.example.org", "v"), ("b.example.org", "w")];
        let aliased = aliases.map(|(name, value)| NewEntry { record: target.clone(), ..record(name, value) });
        journal.ready(&journal.intend(&aliased));
        assert_eq!(journal.ready_marks(&target).len(), 2);
    }

    #[test]
    fn what_was_open_before_a_call_stays_when_the_call_is_withdrawn() {
        let Bench { journal, .. } = bench();
        let first = journal.intend(&[record("a.example.org", "v")]);
        let both = journal.intend(&[record("a.example.org", "v"), record("b.example.org", "v")]);
        assert_eq!(journal.withdraw(&both), first);
        assert_eq!(journal.open_entries().into_iter().map(|entry| entry.id).collect::<Vec<_>>(), first);
    }

    #[test]
    fn what_is_being_removed_does_not_become_ready_again() {
        let Bench { journal, .. } = bench();
        let ids = journal.intend(&[record("a.example.org", "v")]);
        journal.remove_asked(&ids);
        journal.confirm(&ids);
        journal.ready(&ids);
        assert_eq!(journal.open_entries()[0].tries(), 1);
    }
}
