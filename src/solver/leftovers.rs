//! Removes what earlier calls have left behind. Nothing that goes wrong here is a failure of the call that does it.

use std::time::{Duration, Instant};

use super::Solver;
use super::remove::spec_of;
use crate::api::{ApiError, RetryPolicy};
use crate::error::Error;
use crate::name::DnsName;
use crate::order::{Action, Call, Wait};
use crate::state::Entry;

/// How many records of earlier calls one call removes.
const MOST: usize = 4;
/// How long all of them may take: a turn in the request window, and some requests.
const PATIENCE: Duration = Duration::from_secs(15);

impl Solver<'_> {
    /// Finishes removals that earlier calls were asked for and could not do, then removes records that nobody has asked
    /// about for an hour while there are calls to spare. For after the result of a call was told, which must not wait
    /// for it.
    pub fn clear_leftovers(&self, call: &Call) {
        if self.is_used_up() {
            return;
        }
        let until = Instant::now() + PATIENCE;
        for _ in 0..MOST {
            if Instant::now() >= until || self.is_interrupted() {
                return;
            }
            let Some(entry) = self.take_failed().or_else(|| self.take_forgotten(call)) else { return };
            if !self.clear(&entry, until) {
                return;
            }
        }
    }

    fn take_failed(&self) -> Option<Entry> {
        let (account, running_for) = (self.state.account(), self.state.running_for());
        self.state.journal(|journal, now| journal.take_finishable(account, running_for, now))
    }

    fn take_forgotten(&self, call: &Call) -> Option<Entry> {
        // More additions of the same order may follow, and they are in a hurry.
        if matches!(call.wait, Wait::Later(_)) || !self.has_to_spare() {
            return None;
        }
        let spared = in_use(call);
        self.state.journal(|journal, now| journal.take_left_over(self.state.account(), &spared, now))
    }

    /// Removes the record of an entry; returns whether the next one may have better luck.
    fn clear(&self, entry: &Entry, until: Instant) -> bool {
        let ids = [entry.id.clone()];
        let Some(spec) = spec_of(entry) else {
            self.state.journal(|journal, _| journal.close(&ids));
            return true;
        };
        let policy = RetryPolicy::until(until).with_tries(2);
        match self.client.delete_record(&spec, &policy) {
            Ok(_) => {
                self.state.journal(|journal, now| journal.removed(&ids, now));
                self.events.step(&format!("`{}`, left over from an earlier call, removed", entry.record));
                true
            }
            Err(error) => {
                self.state.journal(|journal, now| match error {
                    ApiError::NoPermit(_) => journal.remove_postponed(&ids, now),
                    _ => journal.remove_failed(&ids, now),
                });
                self.events.step(&format!("`{}`, left over from an earlier call, stays: {error}", entry.record));
                !error.is_transient()
            }
        }
    }
}

/// Returns the names that the CA is about to ask for: a clock that has jumped ahead makes their records look old.
fn in_use(call: &Call) -> Vec<&DnsName> {
    let order: &[DnsName] = match &call.wait {
        Wait::Later(order) | Wait::Order(order) => &order.names,
        Wait::Now => &[],
    };
    match call.action {
        Action::Add => call.challenges.iter().map(|challenge| &challenge.name).chain(order).collect(),
        Action::Remove => Vec::new(),
    }
}

/// Whether the API itself is the reason of an error, which would be the same for the next request.
#[must_use]
pub fn is_about_api(error: &Error) -> bool {
    error.find::<ApiError>().is_some()
}
