//! Removals: of what a client has added and nothing else, of values that expire, and of what was left behind.

use std::slice::from_ref;
use std::sync::Arc;
use std::time::Duration;

use super::check::{done, nothing};
use super::job::{Key, Task};
use super::{ACME_DNS, Answer, Engine, SOON};
use crate::api::{ApiError, Change};
use crate::state::{Entry, EntryId};

/// How long the value of an acme-dns client stays, which never asks for its removal.
const EXPIRES_AFTER: Duration = Duration::from_secs(15 * 60);
/// So many values of one name an acme-dns client has at once: apex and wildcard.
const KEPT: usize = 2;
/// How long after its failure a removal is tried again that nobody waits for.
const RETRY: Duration = Duration::from_secs(60);

impl Engine {
    /// Takes up the removals that an earlier run was asked for.
    pub(super) fn resume_removals(&self) {
        let account = self.parts.state.account();
        let entries = self.parts.state.journal(|journal, _| {
            let is_ours = |entry: &Entry| entry.account == *account && entry.owner.is_some();
            let is_open = |entry: &&Entry| is_ours(entry) && entry.is_being_removed() && !entry.is_given_up();
            journal.entries().iter().filter(is_open).cloned().collect::<Vec<_>>()
        });
        self.let_go(entries);
    }

    /// Removes what a client asks for.
    pub(super) fn remove(self: &Arc<Self>, key: &Key) {
        let mut answer = nothing(key);
        // One challenge may be at several places, where its alias has changed in between.
        for entry in self.journalled(&key.client, &key.challenge) {
            self.parts.state.journal(|journal, now| journal.remove_asked(from_ref(&entry.id), now));
            let removed = self.remove_entry(&entry, Some(key));
            if matches!(answer, Answer::Done { .. }) {
                answer = removed;
            }
        }
        self.desk().removed(key, answer);
    }

    /// Removes what nobody waits for, unless it was added again.
    pub(super) fn clear(&self, entry: &Entry) {
        let is_open = |open: &Entry| open.id == entry.id && open.is_being_removed();
        if self.parts.state.journal(|journal, _| journal.entries().iter().any(is_open)) {
            self.remove_entry(entry, None);
        }
    }

    /// Removes a record, for whoever has asked for it. What fails for a passing reason is finished later: the client has done its
    /// part.
    fn remove_entry(&self, entry: &Entry, asked: Option<&Key>) -> Answer {
        if self.is_shared(entry) {
            self.parts.state.journal(|journal, _| journal.close(from_ref(&entry.id)));
            return done(entry, false);
        }
        let lookup = self.lookup();
        let solver = self.solver(&lookup, None, &self.stopping);
        match self.try_out(asked, || solver.delete(entry, &self.call_policy(u32::MAX))) {
            Ok(change) => done(entry, change == Change::Made),
            Err(error) => {
                self.note_outage(&error);
                let record = entry.record.clone();
                if error.find().is_some_and(ApiError::is_transient) {
                    Answer::Postponed { record }
                } else {
                    Answer::Failed { kind: error.kind(), retry_after: SOON }
                }
            }
        }
    }

    /// Whether somebody else has asked for the very same record, by the same name or by an alias, and may still need it.
    fn is_shared(&self, entry: &Entry) -> bool {
        let is_needed = |other: &Entry| is_other(other, entry) && !other.is_being_removed();
        self.parts.state.journal(|journal, _| journal.entries().iter().any(is_needed))
    }

    /// Forgets a record that was there before anybody has asked this broker for it: it is not ours to remove.
    pub(super) fn disown(&self, entry: &Entry) {
        self.parts.state.journal(|journal, _| {
            if !entry.was_open && !journal.entries().iter().any(|other| is_other(other, entry)) {
                journal.close(from_ref(&entry.id));
            }
        });
    }

    /// Lets the oldest values of an acme-dns client at a name go for which there is no room any more.
    pub(super) fn make_room(&self, key: &Key) {
        let account = self.parts.state.account();
        let mut entries = self.parts.state.journal(|journal, _| journal.find(account, &key.challenge.name, None));
        entries.retain(|entry| {
            entry.client == ACME_DNS && entry.owner.as_deref() == Some(key.client.as_str()) && !entry.is_being_removed()
        });
        entries.truncate(entries.len().saturating_sub(KEPT));
        self.let_go(entries);
    }

    /// Removes what has expired, and what earlier runs, or hooks on this machine, have left behind.
    pub(super) fn tidy(&self) {
        let (state, rate) = (&self.parts.state, self.parts.settings.api_rate);
        let expired = state.journal(|journal, now| {
            let has_expired = |entry: &&Entry| {
                let is_over = entry.client == ACME_DNS && now.since(entry.added_at) >= EXPIRES_AFTER;
                entry.account == *state.account() && is_over && !entry.is_being_removed()
            };
            journal.entries().iter().filter(has_expired).cloned().collect::<Vec<_>>()
        });
        self.let_go(expired);
        let is_idle = self.desk().queue.len() == 0;
        if !is_idle || state.usage(|usage, now| usage.is_barred(now)) {
            return;
        }
        let is_spare = state.usage(|usage, now| usage.has_to_spare(rate, now));
        let left = state.journal(|journal, now| {
            let failed = journal.take_finishable(state.account(), RETRY, now);
            failed.or_else(|| is_spare.then(|| journal.take_left_over(state.account(), &[], now)).flatten())
        });
        left.into_iter().for_each(|entry| self.desk().queue.push_urgent(Task::Clear(entry)));
    }

    /// Begins the removal of what nobody waits for.
    fn let_go(&self, entries: Vec<Entry>) {
        if entries.is_empty() {
            return;
        }
        let ids: Vec<EntryId> = entries.iter().map(|entry| entry.id.clone()).collect();
        self.parts.state.journal(|journal, now| journal.remove_asked(&ids, now));
        let mut desk = self.desk();
        entries.into_iter().for_each(|entry| desk.queue.push_urgent(Task::Clear(entry)));
        drop(desk);
        self.changed.notify_all();
    }
}

/// Whether an entry is another one for the very same record.
fn is_other(other: &Entry, entry: &Entry) -> bool {
    let of = |entry: &Entry| (entry.account.clone(), entry.record.clone(), entry.value.clone());
    other.id != entry.id && of(other) == of(entry)
}
