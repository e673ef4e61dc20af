//! What an order takes of the day's calls, reckoned before its first addition: a record is added only while enough calls are
//! left to add the others of its order, and to remove them all.

use super::{Solver, Upstream};
use crate::api::{Client, RetryPolicy};
use crate::order::Call;
use crate::state::{CallsNeeded, Entry, LEFT_OVER_AFTER, LimitError};

impl Solver<'_> {
    /// Makes sure that the order can be finished today, its removals and those of other open records included. Reads the
    /// account where that is in doubt; an account that cannot be read forbids nothing.
    ///
    /// # Errors
    /// [`LimitError::Reserved`], [`LimitError::UsedUp`]
    pub(super) fn admit(&self, call: &Call, policy: &RetryPolicy) -> Result<(), LimitError> {
        // A broker reckons by itself.
        let Upstream::Api(client) = self.upstream else { return Ok(()) };
        let needed = self.calls_needed(call);
        let is_to_be_read = self.state.usage(|usage, now| {
            // The look is a call too: it must not come out of what is kept, nor be the one that the order lacks then.
            let can_look = |left| left != needed.total() && (left > needed.kept as u64 || needed.kept == 0);
            usage.daily.quota().remaining.is_none_or(can_look)
                && usage.daily.needs_reading(needed, now)
                && !usage.is_barred(now)
        });
        if is_to_be_read {
            self.read_quota(client, policy);
        }
        self.state.usage(|usage, now| usage.daily.admit(needed, now))
    }

    fn calls_needed(&self, call: &Call) -> CallsNeeded {
        let order = call.wait.order();
        // Calls of this order that came before, which have added their records or failed.
        let earlier = order.map_or(0, |order| order.names.len().saturating_sub(order.remaining + 1));
        let is_in_order = |entry: &Entry| order.is_some_and(|order| order.names.contains(&entry.name));
        let (added, kept) = self.state.journal(|journal, now| {
            let is_live = |entry: &&Entry| !entry.is_being_removed() && now.since(entry.added_at) < LEFT_OVER_AFTER;
            let ours = journal.entries().iter().filter(|entry| entry.account == *self.state.account());
            let added = ours.filter(|entry| is_in_order(entry)).filter(is_live);
            // A CA may give apex and wildcard one token: two calls, one record.
            (
                added.map(|entry| 1 + usize::from(entry.was_open)).sum::<usize>(),
                journal.calls_owed(self.state.account(), &call.challenges),
            )
        });
        CallsNeeded {
            // Where an earlier call was refused, its record is missing: so are all that follow.
            additions: order.map_or(call.challenges.len(), |order| order.names.len() - added.min(earlier)),
            has_list: self.settings.domain.is_some()
                || self.state.usage(|usage, now| usage.domains.names(now).is_some()),
            is_begun: earlier > 0,
            kept,
        }
    }

    fn read_quota(&self, client: &Client, policy: &RetryPolicy) {
        match client.account(&policy.with_tries(1)) {
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
