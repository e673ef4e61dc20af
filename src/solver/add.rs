//! Adds the records of a call and waits until they are served. The journal has a record before its request leaves; what
//! fails is undone unless the client is sure to ask for the removal.

use std::slice::from_ref;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::locate::{Domains, Placement};
use super::stored::Stored;
use super::upstream::{is_transient, may_be_done};
use super::{Failure, Outcome, RecordFailure, Solved, Solver, Status, Upstream};
use crate::api::{ApiError, CallKind, Change, RetryPolicy};
use crate::challenge::Challenge;
use crate::error::{Context as _, Error, Explain as _, Kind, Result};
use crate::order::{CaAsked, Call, OnFailure, Wait};
use crate::propagation::{self, NotReady, Plan, Ready};
use crate::state::{EntryId, LimitError};
use crate::time::{Interrupted, Waiting};

/// How long the removal of a record may take whose addition has failed: the client has waited long enough.
const UNDO: Duration = Duration::from_secs(30);
/// Between two looks for a record whose addition got no reply, at least, and how many looks there are at most before the API
/// is asked again.
const LOOK_PAUSE: Duration = Duration::from_millis(500);
const LOOKS: u32 = 10;

impl Solver<'_> {
    pub(super) fn add(&self, call: &Call) -> Result<Outcome, Failure> {
        let policy = self.policy(call, CallKind::Addition);
        let stored = self.store_records(call, &policy)?;
        self.wait_for(call, stored, &policy)
    }

    /// Adds the records of a call, and does not wait for the name servers: that is [`Solver::wait_for`].
    ///
    /// # Errors
    /// [`Failure`]; what was done is undone as the call says.
    pub fn store_records(&self, call: &Call, policy: &RetryPolicy) -> Result<Stored, Failure> {
        // Nothing has left until all of this went well.
        let mut placements = self.prepare(call, policy).inspect_err(|_| self.never_sent(&call.challenges, &[]))?;
        self.state.journal(|journal, now| placements.iter_mut().for_each(|one| journal.intend(&mut one.entry, now)));
        self.store_all(call, &mut placements, policy)?;
        Ok(Stored { placements })
    }

    /// Waits until the records of a call are served, as the call says.
    ///
    /// # Errors
    /// [`Failure`]; what was added is undone as the call says.
    pub fn wait_for(&self, call: &Call, stored: Stored, policy: &RetryPolicy) -> Result<Outcome, Failure> {
        let Stored { placements } = stored;
        let mut notes: Vec<_> = placements.iter().flat_map(|placement| placement.notes.clone()).collect();
        match self.wait(call, &placements, policy) {
            Ok(ready) => {
                let status = if ready.is_some() { Status::Ready } else { Status::Added };
                if let Some(ready) = &ready {
                    self.state.journal(|journal, now| journal.ready(&ids_of(&placements), now));
                    notes.extend(ready.notes());
                }
                let records = placements.into_iter().map(|one| Solved::of(one.entry, status)).collect();
                Ok(Outcome { records, notes, ready, ..Outcome::default() })
            }
            Err(error) => {
                if error.find::<NotReady>().is_some_and(|not_ready| not_ready.kind() != Kind::Interrupted) {
                    // Perhaps a longer domain holds the name since the list was cached.
                    self.state.usage(|usage, _| usage.domains.forget());
                }
                self.undo(call, placements.iter().collect());
                Err(Failure { done: left(call, placements), failed: vec![RecordFailure { challenge: None, error }] })
            }
        }
    }

    /// Makes sure that all records can be added and removed again today, and finds their places.
    fn prepare(&self, call: &Call, policy: &RetryPolicy) -> Result<Vec<Placement>, Failure> {
        self.admit(call, policy).map_err(|error| refused(call, error))?;
        let mut placements = Vec::new();
        for challenge in &call.challenges {
            let placement = self.locate(call, challenge, Domains::Cached, policy);
            placements.push(placement.map_err(|error| Failure::of(challenge.clone(), error))?);
        }
        Ok(placements)
    }

    /// Notes that this call has not brought records to IPv64, so that their removal costs no call.
    fn never_sent(&self, challenges: &[Challenge], own: &[EntryId]) {
        self.state.journal(|journal, now| journal.never_sent(self.state.account(), challenges, own, now));
    }

    /// Adds one record after the other; the first failure ends it, for the next one would fail for the same reason.
    fn store_all(&self, call: &Call, placements: &mut Vec<Placement>, policy: &RetryPolicy) -> Result<(), Failure> {
        for at in 0..placements.len() {
            let record = placements[at].entry.record.clone();
            let added = self.check_interrupted().map_err(Error::from);
            let added = added.and_then(|()| self.store(call, &mut placements[at], policy));
            match added.with_context(|| format!("cannot add the TXT record `{record}`")) {
                Ok(added) => {
                    self.state.journal(|journal, _| journal.confirm(from_ref(&placements[at].entry.id)));
                    placements[at].added = (added == Change::Made).then(Instant::now);
                    let what = if added == Change::Made { "added" } else { "was there already" };
                    self.events.step(&format!("`{record}` {what}"));
                }
                Err(error) => {
                    // What IPv64 cannot have stored needs no removal, and nothing was sent for those behind it. A client
                    // that works in several calls is told by the open entry that this one failed.
                    let is_in_doubt = may_be_stored(&error);
                    let is_open = call.on_failure != OnFailure::Undo || is_in_doubt;
                    self.give_up_from(if is_open { at + 1 } else { at }, call, placements);
                    let own = from_ref(&placements[at].entry.id);
                    self.never_sent(&call.challenges[if is_in_doubt { at + 1 } else { at }..], own);
                    let failure = Failure::of(placements[at].entry.challenge(), error);
                    placements.truncate(at);
                    return Err(Failure { done: left(call, std::mem::take(placements)), ..failure });
                }
            }
        }
        Ok(())
    }

    /// Forgets the records from `first` on, which this call has not stored, and undoes those before, and those that an
    /// earlier call may have stored.
    fn give_up_from(&self, first: usize, call: &Call, placements: &[Placement]) {
        let (stored, rest) = placements.split_at(first);
        let stay = self.state.journal(|journal, _| journal.withdraw(&ids_of(rest)));
        let in_doubt = rest.iter().filter(|placement| stay.contains(&placement.entry.id));
        self.undo(call, stored.iter().chain(in_doubt).collect());
    }

    /// Adds one record; once more with a fresh list of domains if the API does not know the cached one.
    fn store(&self, call: &Call, placement: &mut Placement, policy: &RetryPolicy) -> Result<Change> {
        let client = match self.upstream {
            Upstream::Api(client) => client,
            Upstream::Broker(broker) => return self.present(broker, call, placement, policy),
        };
        match client.add_record_unless(&placement.spec, policy, &|pause| self.appears(placement, pause)) {
            Err(error) if self.may_be_outdated(&error) => {
                self.state.usage(|usage, _| usage.domains.forget());
                let fresh = self.locate(call, &placement.entry.challenge(), Domains::Fresh, policy)?;
                if fresh.spec == placement.spec {
                    return Err(error.into());
                }
                let old = std::mem::replace(placement, fresh).entry.id;
                self.state.journal(|journal, now| {
                    journal.close(&[old]);
                    journal.intend(&mut placement.entry, now);
                });
                Ok(client.add_record_unless(&placement.spec, policy, &|pause| self.appears(placement, pause))?)
            }
            other => Ok(other?),
        }
    }

    /// Looks for a record, whose addition got no reply, at the name servers for so long: that costs no call.
    fn appears(&self, placement: &Placement, within: Duration) -> bool {
        let Placement { entry, zone: Some(zone), .. } = placement else { return false };
        let (deadline, pause) = (Instant::now() + within, LOOK_PAUSE.max(within / LOOKS));
        let what = format!("a name server to show `{}`, because IPv64's reply was lost", entry.record);
        let waiting = Waiting { what, since: Instant::now(), limit: within };
        loop {
            if self.shows(zone, (&entry.record, &entry.value), deadline) {
                self.events.step(&format!("`{}` was added: a name server shows it", entry.record));
                return true;
            }
            if Instant::now() + pause >= deadline || (self.pause)(&waiting, pause).is_err() {
                return false;
            }
        }
    }

    /// A rejected request may mean a domain that has left the account since the list was cached.
    fn may_be_outdated(&self, error: &ApiError) -> bool {
        matches!(error.cause(), ApiError::Rejected { .. } | ApiError::Forbidden { .. })
            && self.settings.domain.is_none()
            && self.state.usage(|usage, now| usage.domains.names(now)).is_some()
    }

    /// Removes what a failed call may have left at IPv64, if nobody else will. A call that was told to stop leaves that to
    /// the next one, and so does one that the API fails.
    fn undo(&self, call: &Call, records: Vec<&Placement>) {
        if call.on_failure != OnFailure::Undo {
            return;
        }
        let ids: Vec<_> = records.iter().map(|placement| placement.entry.id.clone()).collect();
        self.state.journal(|journal, now| journal.remove_asked(&ids, now));
        let until = Instant::now() + UNDO + self.turns(records.len());
        // The record is there or not, whatever the API did a moment ago: one try at least.
        let policy = RetryPolicy { insists: true, ..RetryPolicy::until(until) };
        let mut is_down = false;
        for Placement { entry, .. } in records {
            if is_down || self.is_interrupted() {
                self.state.journal(|journal, now| journal.remove_failed(from_ref(&entry.id), now));
            } else if let Err(error) = self.delete(entry, &policy) {
                is_down = is_transient(&error);
                self.events.warning(&format!(
                    "`{}` could not be removed again: {error}; the next call tries again",
                    entry.record
                ));
            }
        }
    }

    fn wait(&self, call: &Call, placements: &[Placement], policy: &RetryPolicy) -> Result<Option<Ready>> {
        if self.settings.propagation_timeout.is_zero() {
            return Ok(None);
        }
        let records = match &call.wait {
            Wait::Later(_) => return Ok(None),
            Wait::Now => self.own_records(placements),
            Wait::Order(order) => self.order_records(order, placements, policy)?,
        };
        let plan = Plan {
            records,
            timeout: self.settings.propagation_timeout,
            confirmations: self.settings.confirmations,
            polling_interval: self.settings.polling_interval,
            lookup: self.lookup.clone(),
            blind_wait: self.settings.blind_wait,
            interrupted: Arc::clone(&self.interrupted),
        };
        let what = "the name servers".to_owned();
        let waiting = Waiting { what, since: Instant::now(), limit: plan.timeout };
        let ready = propagation::wait(&plan, &mut |rows| self.events.servers(rows, &waiting))?;
        if call.ca_asked == CaAsked::AfterEach {
            self.ca_cache_wait(placements)?;
        }
        Ok(Some(ready))
    }
}

/// A call that is not let begin, for the sake of records that have to be removed.
fn refused(call: &Call, error: LimitError) -> Failure {
    let first = call.challenges.first().map_or("", |challenge| challenge.name.as_str());
    Error::from(error).context(format!("cannot add the TXT record `{first}`")).into()
}

/// Whether the record of a failed addition may be at IPv64 all the same.
fn may_be_stored(error: &Error) -> bool {
    let before_sending = error.find::<Interrupted>().is_some();
    !before_sending && may_be_done(error)
}

/// The records of a failed call that stay.
fn left(call: &Call, placements: Vec<Placement>) -> Vec<Solved> {
    let stay = call.on_failure == OnFailure::Leave;
    placements.into_iter().filter(|_| stay).map(|placement| Solved::of(placement.entry, Status::Added)).collect()
}

fn ids_of(placements: &[Placement]) -> Vec<EntryId> {
    placements.iter().map(|placement| placement.entry.id.clone()).collect()
}
