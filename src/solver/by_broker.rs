//! Adds and removes records by a broker, which finds their place by itself and tells it.

use std::time::Instant;

use super::Solver;
use super::locate::Placement;
use crate::api::{Change, RetryPolicy};
use crate::broker::client::{Client, Patience};
use crate::broker::protocol::RecordAnswer;
use crate::dns::cname::Follow;
use crate::error::Result;
use crate::order::Call;
use crate::state::Entry;

impl Solver<'_> {
    /// Adds a record by the broker, which says where it has put it: it may see another alias than this machine.
    pub(super) fn present(
        &self,
        broker: &Client,
        call: &Call,
        placement: &mut Placement,
        policy: &RetryPolicy,
    ) -> Result<Change> {
        let challenge = placement.entry.challenge();
        let RecordAnswer { record, domain, changed } = broker.present(&challenge, call.client, patience(policy))?;
        let domain = domain.filter(|domain| record.is_within(domain)).unwrap_or_else(|| record.clone());
        let entry = &mut placement.entry;
        if (&entry.record, &entry.domain) != (&record, &domain) {
            let old =
                std::mem::replace(entry, Entry::new(self.state.account(), call.client, &challenge, (&domain, &record)));
            self.state.journal(|journal, now| {
                journal.close(&[old.id]);
                journal.intend(entry, now);
            });
            if old.record != record && placement.zone.is_some() {
                self.events.step(&format!("the broker has put it at `{record}`"));
                placement.zone = Some(self.place_by(Follow::Never, &record, policy)?.zone);
            }
        }
        Ok(change(changed))
    }

    /// Removes the record of an entry by the broker, wherever that has put it.
    pub(super) fn cleanup(&self, broker: &Client, entry: &Entry, policy: &RetryPolicy) -> Result<Change> {
        Ok(change(broker.cleanup(&entry.challenge(), &entry.client, patience(policy))?.changed))
    }
}

fn patience(policy: &RetryPolicy) -> Patience {
    let RetryPolicy { deadline, tries, .. } = *policy;
    // A person, or an undoing, is told at least once what becomes of it.
    Patience { deadline: deadline.max(Instant::now()), tries }
}

const fn change(is_made: bool) -> Change {
    if is_made { Change::Made } else { Change::HeldBefore }
}
