//! The journal: every record that we asked IPv64 to add and that is not known to be gone again.
//! It is written before the request leaves; who adds and removes, and when, is decided by the solver.

use std::time::Duration;

use crate::challenge::{Challenge, TxtValue};
use crate::name::DnsName;
use crate::time::Timestamp;

use super::account::Account;
use super::document::Document;
use super::entry::{Entry, EntryId, Progress, RecordMark};

/// How long it is remembered that a value was ready or removed: longer than a CA's resolver caches (65 s are waited out), and
/// than name servers show a record that is gone.
const MARKS_KEPT: Duration = Duration::from_secs(120);
/// How long it is remembered that a record was never sent: longer than any client takes to ask for its removal.
const UNSENT_KEPT: Duration = Duration::from_secs(86_400);
/// So many of them at most.
const MOST_UNSENT: usize = 500;

/// Records that are, or may be, at IPv64 because of us: the file `journal.json`.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Journal {
    /// Oldest first.
    entries: Vec<Entry>,
    ready: Vec<RecordMark>,
    removed: Vec<RecordMark>,
    /// Records that no call has brought to IPv64, by the name of the challenge.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    never_sent: Vec<RecordMark>,
}

impl Document for Journal {
    const FILE: &'static str = "journal.json";
    const SYNCED: bool = true;

    fn merge(base: &Self, ours: Self, mut theirs: Self) -> Self {
        let has = |entries: &[Entry], id: &EntryId| entries.iter().any(|entry| entry.id == *id);
        theirs.entries.retain(|entry| has(&ours.entries, &entry.id) || !has(&base.entries, &entry.id));
        for entry in ours.entries.into_iter().filter(|entry| !base.entries.contains(entry)) {
            match theirs.entries.iter_mut().find(|other| other.id == entry.id) {
                Some(other) => *other = entry,
                None => theirs.entries.push(entry),
            }
        }
        let marks = |base: &[RecordMark], ours: Vec<RecordMark>, theirs: &mut Vec<RecordMark>| {
            theirs.retain(|mark| ours.contains(mark) || !base.contains(mark));
            theirs.extend(ours.into_iter().filter(|mark| !base.contains(mark)));
        };
        marks(&base.ready, ours.ready, &mut theirs.ready);
        marks(&base.removed, ours.removed, &mut theirs.removed);
        marks(&base.never_sent, ours.never_sent, &mut theirs.never_sent);
        theirs
    }

    fn each_time(&mut self, change: &mut dyn FnMut(&mut Timestamp)) {
        self.entries.iter_mut().for_each(|entry| entry.each_time(change));
        let marks = self.ready.iter_mut().chain(&mut self.removed).chain(&mut self.never_sent);
        marks.for_each(|mark| change(&mut mark.at));
    }
}

impl Journal {
    /// Returns all open entries, of all accounts, oldest first.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns the open entries of an account for a challenge name, and with a value only those with that value.
    #[must_use]
    pub fn find(&self, account: &Account, name: &DnsName, value: Option<&TxtValue>) -> Vec<Entry> {
        let is_it = |entry: &Entry| (&entry.account, &entry.name) == (account, name);
        self.select(|entry| is_it(entry) && value.is_none_or(|value| entry.value == *value))
    }

    /// Returns how many calls the open records of an account still take, those of some challenges left out.
    #[must_use]
    pub fn calls_owed(&self, account: &Account, left_out: &[Challenge]) -> usize {
        let others = self.entries.iter().filter(|entry| !left_out.contains(&entry.challenge()));
        others.filter(|entry| entry.account == *account).map(Entry::calls_owed).sum()
    }

    /// Returns the open entries that are at least so old, whatever became of them; without an age those that nobody can
    /// still need: a remove has failed, or none was asked for within [`super::LEFT_OVER_AFTER`].
    #[must_use]
    pub fn leftovers(&self, older_than: Option<Duration>, now: Timestamp) -> Vec<Entry> {
        self.select(|entry| match older_than {
            Some(age) => now.since(entry.added_at) >= age,
            None => entry.is_abandoned(now) || entry.has_failed(now),
        })
    }

    fn select(&self, wanted: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        self.entries.iter().filter(|entry| wanted(entry)).cloned().collect()
    }

    /// Notes that a record is about to be added, and gives its entry an id and a time.
    ///
    /// A record that is in the journal already keeps its id and begins anew; with a new id if it is being removed, so that
    /// the end of that removal does not touch it. The same challenge at another place, as after a change of its CNAME, or of
    /// another client of the broker, is an entry of its own.
    // Before the request and not after it: a crash in between leaves an entry without a record, which is deleted in
    // vain and forgotten. The other order leaves a record that nobody remembers.
    pub fn intend(&mut self, new: &mut Entry, now: Timestamp) {
        let is_same = |entry: &Entry| {
            (&entry.account, &entry.name, &entry.value) == (&new.account, &new.name, &new.value)
                && (&entry.domain, &entry.record, &entry.owner) == (&new.domain, &new.record, &new.owner)
        };
        let open = self.entries.iter().find(|entry| is_same(entry));
        let was_never_sent = self.was_never_sent(&new.name, &new.value, now);
        let was_open = open.is_some() && !was_never_sent;
        // Whoever is removing the record knows it by its id.
        let kept = open.filter(|entry| !entry.is_being_removed());
        let id = kept.map_or_else(EntryId::random, |entry| entry.id.clone());
        self.entries.retain(|entry| !is_same(entry));
        self.never_sent.retain(|mark| (&mark.record, &mark.value) != (&new.name, &new.value));
        (new.id, new.added_at, new.was_open) = (id, now, was_open);
        self.entries.push(new.clone());
    }

    /// Notes that IPv64 has stored these records, or had them already.
    pub fn confirm(&mut self, ids: &[EntryId]) {
        for entry in self.with_ids(ids).filter(|entry| entry.progress == Progress::Intended) {
            entry.progress = Progress::Confirmed;
        }
    }

    /// Notes that these records were reported as ready to the client, which may now ask the CA to look.
    pub fn ready(&mut self, ids: &[EntryId], now: Timestamp) {
        // A client that gave up may ask for the remove while its add still waits: what is being removed stays so.
        for entry in self.with_ids(ids).filter(|entry| !entry.is_being_removed()) {
            entry.progress = Progress::Ready { at: now };
        }
        remember(&mut self.ready, &self.entries, ids, now);
    }

    /// Returns the values that were reported as ready at the name of a record in the last two minutes, closed entries
    /// included: a CA's resolver may still have them in its cache.
    #[must_use]
    pub fn ready_marks(&self, record: &DnsName, now: Timestamp) -> Vec<RecordMark> {
        let is_fresh = |mark: &&RecordMark| mark.record == *record && now.since(mark.at) < MARKS_KEPT;
        self.ready.iter().filter(is_fresh).cloned().collect()
    }

    /// Notes that a remove of these records is being tried.
    pub fn remove_asked(&mut self, ids: &[EntryId], now: Timestamp) {
        self.with_ids(ids).for_each(|entry| entry.begin_remove(now));
    }

    /// Notes that the remove did not work, so that the next hook call tries again.
    pub fn remove_failed(&mut self, ids: &[EntryId], now: Timestamp) {
        for entry in self.with_ids(ids) {
            entry.progress = Progress::RemoveAsked { at: now, tries: entry.tries().max(1), failed: true };
        }
    }

    /// Notes that no request left to remove these records: the next hook call tries again, and this try does not count.
    pub fn remove_postponed(&mut self, ids: &[EntryId], now: Timestamp) {
        for entry in self.with_ids(ids) {
            let tries = entry.tries().saturating_sub(1).max(1);
            entry.progress = Progress::RemoveAsked { at: now, tries, failed: true };
        }
    }

    /// Forgets these records: IPv64 has removed them. Its name servers may still show them for a while.
    pub fn removed(&mut self, ids: &[EntryId], now: Timestamp) {
        remember(&mut self.removed, &self.entries, ids, now);
        self.close(ids);
    }

    /// Returns when an equal record was removed, if that was within the last two minutes.
    #[must_use]
    pub fn removed_at(&self, record: &DnsName, value: &TxtValue, now: Timestamp) -> Option<Timestamp> {
        let is_it = |mark: &&RecordMark| (&mark.record, &mark.value) == (record, value);
        self.removed.iter().find(is_it).map(|mark| mark.at).filter(|at| now.since(*at) < MARKS_KEPT)
    }

    /// Notes that the call which ends now has brought none of these to IPv64; `own` are its entries. What another call may have
    /// brought there, or is about to, is left as it is.
    pub fn never_sent(&mut self, account: &Account, challenges: &[Challenge], own: &[EntryId], now: Timestamp) {
        self.never_sent.retain(|mark| now.since(mark.at) < UNSENT_KEPT);
        for Challenge { name, value } in challenges {
            let is_new =
                |entry: &Entry| own.contains(&entry.id) && entry.progress == Progress::Intended && !entry.was_open;
            if self.was_never_sent(name, value, now) || !self.find(account, name, Some(value)).iter().all(is_new) {
                continue;
            }
            self.never_sent.push(RecordMark { record: name.clone(), value: value.clone(), at: now });
        }
        let surplus = self.never_sent.len().saturating_sub(MOST_UNSENT);
        self.never_sent.drain(..surplus);
    }

    /// Returns whether it is certain that no call has brought a challenge's record to IPv64.
    #[must_use]
    pub fn was_never_sent(&self, name: &DnsName, value: &TxtValue, now: Timestamp) -> bool {
        let is_it = |mark: &RecordMark| (&mark.record, &mark.value) == (name, value);
        self.never_sent.iter().any(|mark| is_it(mark) && now.since(mark.at) < UNSENT_KEPT)
    }

    /// Forgets the records of a challenge, which never were.
    pub fn forget(&mut self, account: &Account, challenge: &Challenge) {
        let is_it = |entry: &Entry| (&entry.name, &entry.value) == (&challenge.name, &challenge.value);
        self.entries.retain(|entry| entry.account != *account || !is_it(entry));
    }

    /// Forgets these records: they never were, or nobody knows what they were.
    pub fn close(&mut self, ids: &[EntryId]) {
        self.entries.retain(|entry| !ids.contains(&entry.id));
    }

    /// Forgets these records: this call has not stored them. Those that were open before it stay, for an earlier call
    /// may have; returns their ids.
    #[must_use]
    pub fn withdraw(&mut self, ids: &[EntryId]) -> Vec<EntryId> {
        self.entries.retain(|entry| entry.was_open || !ids.contains(&entry.id));
        self.with_ids(ids).map(|entry| entry.id.clone()).collect()
    }

    /// Takes an entry whose remove was tried and failed, or was killed, for the caller to finish. Only one of earlier calls:
    /// what has failed in this one, which runs for so long, would fail again.
    ///
    /// It counts as being removed from now on, so that a second process does not take it too. After ten tries an entry is
    /// left to `sweep`.
    #[must_use]
    pub fn take_finishable(&mut self, account: &Account, running_for: Duration, now: Timestamp) -> Option<Entry> {
        self.take(now, |entry| entry.account == *account && entry.is_finishable(running_for, now))
    }

    /// Takes an entry that is left over: nobody has asked for its remove within [`super::LEFT_OVER_AFTER`]. It counts as
    /// being removed from now on. Challenges of the names in `spared` stay.
    #[must_use]
    pub fn take_left_over(&mut self, account: &Account, spared: &[&DnsName], now: Timestamp) -> Option<Entry> {
        let is_free = |entry: &Entry| entry.account == *account && !spared.contains(&&entry.name);
        self.take(now, |entry| is_free(entry) && entry.is_abandoned(now))
    }

    fn take(&mut self, now: Timestamp, wanted: impl Fn(&Entry) -> bool) -> Option<Entry> {
        let entry = self.entries.iter_mut().find(|entry| wanted(entry))?;
        entry.begin_remove(now);
        Some(entry.clone())
    }

    fn with_ids(&mut self, ids: &[EntryId]) -> impl Iterator<Item = &mut Entry> {
        self.entries.iter_mut().filter(|entry| ids.contains(&entry.id))
    }
}

/// Marks the entries with these ids, once for each record and value, and drops the marks that are too old.
fn remember(marks: &mut Vec<RecordMark>, entries: &[Entry], ids: &[EntryId], now: Timestamp) {
    for entry in entries.iter().filter(|entry| ids.contains(&entry.id)) {
        marks.retain(|old| (&old.record, &old.value) != (&entry.record, &entry.value));
        marks.push(RecordMark { record: entry.record.clone(), value: entry.value.clone(), at: now });
    }
    marks.retain(|mark| now.since(mark.at) < MARKS_KEPT);
}

#[cfg(test)]
mod tests;
