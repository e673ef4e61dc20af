//! Removes what earlier calls have left behind. Nothing that goes wrong here is a failure of the call that does it.

use std::time::{Duration, Instant};

use super::Solver;
use super::upstream::is_transient;
use crate::api::RetryPolicy;
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
        if self.state.usage(|usage, now| usage.is_barred(now)) {
            return;
        }
        let until = Instant::now() + PATIENCE;
        for _ in 0..MOST {
            if Instant::now() >= until || self.is_interrupted() {
                return;
            }
            let Some(entry) = self.take_failed().or_else(|| self.take_forgotten(call)) else { return };
            let deleted = self.delete(&entry, &RetryPolicy::until(until).with_tries(2));
            let what = deleted.as_ref().map_or_else(|error| format!("stays: {error}"), |_| "removed".to_owned());
            self.events.step(&format!("`{}`, left over from an earlier call, {what}", entry.record));
            // The next one would have no better luck.
            if deleted.is_err_and(|error| is_transient(&error)) {
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
        let is_in_hurry = matches!(call.wait, Wait::Later(_));
        if is_in_hurry || !self.state.usage(|usage, now| usage.has_to_spare(self.settings.api_rate, now)) {
            return None;
        }
        let spared = in_use(call);
        self.state.journal(|journal, now| journal.take_left_over(self.state.account(), &spared, now))
    }
}

/// Returns the names that the CA is about to ask for: a clock that has jumped ahead makes their records look old.
fn in_use(call: &Call) -> Vec<&DnsName> {
    let order = call.wait.order().into_iter().flat_map(|order| &order.names);
    match call.action {
        Action::Add => call.challenges.iter().map(|challenge| &challenge.name).chain(order).collect(),
        Action::Remove => Vec::new(),
    }
}
