//! Which addition or removal is checked next. None of it costs a call, but each reads the journal, and an addition asks name
//! servers that may be slow: so both kinds have their turns, and so have the clients. Pure.

use std::collections::HashMap;

use super::job::{Key, Ticket};
use super::queue::FairQueue;

/// How many checks run at once.
pub(super) const CHECKERS: usize = 8;
/// How many additions of one client are checked at once: its name servers may be slow, and others are not to wait for them.
const CHECKS_OF_CLIENT: usize = CHECKERS / 2;

/// What is checked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Check {
    Addition(Ticket),
    Removal(Key),
}

/// What waits for its check, and what is being checked.
#[derive(Debug, Default)]
pub(super) struct Checks {
    additions: FairQueue<Ticket>,
    removals: FairQueue<Key>,
    /// Whether a removal is next.
    is_turn_of_removals: bool,
    /// How many additions of each client are being checked.
    running: HashMap<String, usize>,
}

impl Checks {
    pub(super) fn push_addition(&mut self, ticket: Ticket) {
        let client = ticket.key.client.clone();
        self.additions.push(&client, ticket);
    }

    pub(super) fn push_removal(&mut self, key: Key) {
        let client = key.client.clone();
        self.removals.push(&client, key);
    }

    /// Takes out an addition that waits.
    pub(super) fn withdraw(&mut self, ticket: &Ticket) {
        self.additions.withdraw(&ticket.key.client, ticket);
    }

    /// Takes what is checked next: an addition and a removal in turn, so that neither keeps the other waiting.
    pub(super) fn next(&mut self) -> Option<Check> {
        let Self { additions, removals, running, .. } = self;
        let may = |client: &str| running.get(client).is_none_or(|count| *count < CHECKS_OF_CLIENT);
        let mut addition = || additions.pop(may).map(Check::Addition);
        let mut removal = || removals.pop(|_| true).map(Check::Removal);
        self.is_turn_of_removals = !self.is_turn_of_removals;
        let next = if self.is_turn_of_removals { removal().or_else(addition) } else { addition().or_else(removal) }?;
        if let Check::Addition(ticket) = &next {
            *self.running.entry(ticket.key.client.clone()).or_default() += 1;
        }
        Some(next)
    }

    /// Notes that a check is over.
    pub(super) fn ended(&mut self, check: &Check) {
        let Check::Addition(ticket) = check else { return };
        if let Some(count) = self.running.get_mut(&ticket.key.client) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.running.remove(&ticket.key.client);
            }
        }
    }

    /// Returns how many wait.
    pub(super) fn len(&self) -> usize {
        self.additions.len() + self.removals.len()
    }
}
