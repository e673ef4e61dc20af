//! Removals: of what a client has added and nothing else, of what acme-dns clients have left to us, and of what was left behind.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::desk::Key;
use super::{ACME_DNS, Answer, BROKER, Engine, call};
use crate::order::{Action, Call};
use crate::solver::Status;
use crate::state::Entry;

/// How long the value of an acme-dns client stays, which never asks for its removal.
const EXPIRES_AFTER: Duration = Duration::from_secs(15 * 60);
/// So many values of one name an acme-dns client has at once: apex and wildcard.
const KEPT: usize = 2;

impl Engine {
    /// Answers a removal of what this client has not added, or lets it queue.
    pub(super) fn look_at_removal(self: &Arc<Self>, key: &Key) {
        let is_adding = self.desk().jobs.contains_key(key);
        if self.journalled(&key.client, &key.challenge).is_empty() && !is_adding {
            return self.desk().removed(key, nothing(key));
        }
        self.desk().queue.push_removal(key.clone());
        self.changed.notify_all();
    }

    pub(super) fn remove(self: &Arc<Self>, key: &Key) {
        let answer =
            if self.journalled(&key.client, &key.challenge).is_empty() { nothing(key) } else { self.remove_now(key) };
        self.desk().removed(key, answer);
    }

    /// What fails for a passing reason is finished later: the client has done its part.
    fn remove_now(&self, key: &Key) -> Answer {
        let (never, not_cancelled) = (|_: &_, _: &_| Ok(()), Arc::<AtomicBool>::default());
        let lookup = self.lookup();
        let solver = self.solver((&key.client, &lookup), &never, &not_cancelled);
        match solver.run(&call(Action::Remove, BROKER, &key.challenge)) {
            Ok(outcome) => outcome.records.into_iter().next().map_or_else(
                || nothing(key),
                |solved| Answer::Done {
                    record: solved.record,
                    domain: solved.domain,
                    changed: solved.status == Status::Removed,
                },
            ),
            Err(error) => Answer::Failed { kind: error.kind(), retry_after: super::SOON },
        }
    }

    /// Lets the values of an acme-dns client go for which there is no room any more.
    pub(super) fn make_room(&self, key: &Key) {
        let name = &key.challenge.name;
        let account = self.parts.state.account();
        let mut entries = self.parts.state.journal(|journal, _| journal.find(account, name, None));
        entries.retain(|entry| is_acme_dns(entry) && entry.owner.as_deref() == Some(key.client.as_str()));
        entries.truncate(entries.len().saturating_sub(KEPT));
        self.let_go(&entries);
    }

    /// Removes what has expired, and what earlier runs have left behind.
    pub(super) fn tidy(&self) {
        let entries = self.parts.state.journal(|journal, now| {
            let is_old = |entry: &&Entry| is_acme_dns(entry) && now.since(entry.added_at) >= EXPIRES_AFTER;
            journal.entries().iter().filter(is_old).cloned().collect::<Vec<_>>()
        });
        self.let_go(&entries);
        let (never, not_cancelled) = (|_: &_, _: &_| Ok(()), Arc::<AtomicBool>::default());
        let lookup = self.lookup();
        let solver = self.solver((BROKER, &lookup), &never, &not_cancelled);
        solver.clear_leftovers(&Call::new(BROKER, Action::Remove, Vec::new()));
    }

    fn let_go(&self, entries: &[Entry]) {
        let account = self.parts.state.account();
        let mut desk = self.desk();
        for entry in entries.iter().filter(|entry| entry.account == *account && !entry.is_being_removed()) {
            if let Some(client) = &entry.owner {
                desk.queue.push_removal(Key { client: client.clone(), challenge: entry.challenge() });
            }
        }
    }
}

fn is_acme_dns(entry: &Entry) -> bool {
    entry.client == ACME_DNS
}

/// The answer for a record that this client has not added.
fn nothing(key: &Key) -> Answer {
    Answer::Done { record: key.challenge.name.clone(), domain: None, changed: false }
}
