//! The reserve of API calls: a record is added only while enough calls of the day are left to remove it, and all others.

use super::Solver;
use super::locate::Placement;
use crate::api::RetryPolicy;
use crate::state::{Entry, LimitError};

impl Solver<'_> {
    /// Makes sure that what is about to be added can be removed again today. Reads the account where that may be close;
    /// an account that cannot be read forbids nothing.
    ///
    /// # Errors
    /// [`LimitError::Reserved`], [`LimitError::UsedUp`]
    pub(super) fn admit(&self, placements: &[Placement], policy: &RetryPolicy) -> Result<(), LimitError> {
        let is_other = |entry: &&Entry| {
            let is_it = |new: &Placement| (&new.entry.name, &new.entry.value) == (&entry.name, &entry.value);
            entry.account == *self.state.account() && !placements.iter().any(is_it)
        };
        let open = self.state.journal(|journal, _| journal.entries().iter().filter(is_other).count());
        let additions = placements.len();
        let is_to_be_read = self.state.usage(|usage, now| {
            // The look itself is a call, and must not come out of the reserve. Where nothing has to be removed there is none.
            let can_look = open == 0 || usage.daily.admit(additions, open.saturating_add(1), now).is_ok();
            usage.daily.quota(now).needs_reading && can_look && !usage.is_barred(now)
        });
        if is_to_be_read {
            self.read_quota(policy);
        }
        self.state.usage(|usage, now| usage.daily.admit(additions, open, now))
    }

    fn read_quota(&self, policy: &RetryPolicy) {
        match self.client.account(&policy.with_tries(1)) {
            // An account that tells no limit has none, as far as anybody knows.
            Ok(account) => {
                let (used, limit) =
                    (account.api_updates.unwrap_or_default(), account.class.api_limit.unwrap_or_default());
                self.state.usage(|usage, now| usage.daily.learn(used, limit, now));
            }
            Err(error) => self.events.step(&format!("the calls left today are not known: {error}")),
        }
    }
}
