//! Adds the records of a call and waits until they are served. The journal has a record before its request leaves; what
//! fails is undone unless the client is sure to ask for the removal.

use std::time::{Duration, Instant};

use super::locate::{Domains, Placement};
use super::order::PendingRecord;
use super::remove::STILL_SHOWN;
use super::{Failure, Outcome, RecordFailure, Solved, Solver, Status};
use crate::api::{ApiError, CallKind, Change, RetryPolicy};
use crate::error::{Context as _, Error, Result};
use crate::order::{CaAsked, Call, OnFailure, Wait};
use crate::propagation::{self, NotReady, Plan, Ready, Record};
use crate::state::{Entry, EntryId, LimitError};
use crate::time::Interrupted;

/// How long the removal of a record may take whose addition has failed: the client has waited long enough.
const UNDO: Duration = Duration::from_secs(30);

impl Solver<'_> {
    pub(super) fn add(&self, call: &Call) -> Result<Outcome, Failure> {
        let policy = self.policy(call, CallKind::Addition);
        let mut placements = Vec::new();
        for challenge in &call.challenges {
            let placement = self.locate(challenge, Domains::Cached, &policy);
            placements.push(placement.map_err(|error| Failure::of(challenge, error))?);
        }
        self.admit(&placements, &policy).map_err(|error| refused(&placements, error))?;
        let entries: Vec<_> = placements.iter().map(|placement| self.entry(call, placement)).collect();
        let mut ids = self.state.journal(|journal, now| journal.intend(&entries, now));
        self.store_all(call, &mut placements, &mut ids, &policy)?;
        let mut notes: Vec<_> = placements.iter().flat_map(|placement| placement.notes.clone()).collect();
        match self.wait(call, &placements, &policy) {
            Ok(ready) => {
                if ready.is_some() {
                    self.state.journal(|journal, now| journal.ready(&ids, now));
                }
                let status = if ready.is_some() { Status::Ready } else { Status::Added };
                notes.extend(ready.as_ref().map(Ready::notes).unwrap_or_default());
                Ok(Outcome { records: placements.into_iter().map(|one| solved(one, status)).collect(), notes, ready })
            }
            Err(error) => {
                if error.find::<NotReady>().is_some() {
                    // Perhaps a longer domain holds the name since the list was cached.
                    self.state.usage(|usage, _| usage.domains.forget());
                }
                self.undo(call, placements.iter().zip(&ids).collect());
                Err(Failure { done: left(call, placements), failed: vec![RecordFailure { challenge: None, error }] })
            }
        }
    }

    pub(super) fn entry(&self, call: &Call, placement: &Placement) -> Entry {
        let place = (&placement.spec.domain, &placement.record);
        Entry::new(self.state.account(), call.client, &placement.challenge, place)
    }

    /// Adds one record after the other; the first failure ends it, for the next one would fail for the same reason.
    fn store_all(
        &self,
        call: &Call,
        placements: &mut Vec<Placement>,
        ids: &mut [EntryId],
        policy: &RetryPolicy,
    ) -> Result<(), Failure> {
        for at in 0..placements.len() {
            let record = placements[at].record.clone();
            let added = self
                .check_interrupted()
                .map_err(Into::into)
                .and_then(|()| self.store(call, (&mut placements[at], &mut ids[at]), policy));
            let added = added.with_context(|| format!("cannot add the TXT record `{record}`"));
            match added {
                Ok(added) => {
                    self.state.journal(|journal, _| journal.confirm(&ids[at..=at]));
                    placements[at].added = (added == Change::Made).then(Instant::now);
                    let what = if added == Change::Made { "added" } else { "was there already" };
                    self.events.step(&format!("`{record}` {what}"));
                }
                Err(error) => {
                    // What IPv64 cannot have stored needs no removal, and nothing was sent for those behind it. A client
                    // that works in several calls is told by the open entry that this one failed.
                    let is_open = call.on_failure != OnFailure::Undo || may_be_stored(&error);
                    self.give_up_from(if is_open { at + 1 } else { at }, call, placements, ids);
                    let failure = Failure::of(&placements[at].challenge, error);
                    placements.truncate(at);
                    return Err(Failure { done: left(call, std::mem::take(placements)), ..failure });
                }
            }
        }
        Ok(())
    }

    /// Forgets the records from `first` on, which this call has not stored, and undoes those before, and those that an
    /// earlier call may have stored.
    fn give_up_from(&self, first: usize, call: &Call, placements: &[Placement], ids: &[EntryId]) {
        let stay = self.state.journal(|journal, _| journal.withdraw(&ids[first..]));
        let pairs = placements.iter().zip(ids).enumerate();
        let in_doubt = pairs.filter(|(at, (_, id))| *at < first || stay.contains(id));
        self.undo(call, in_doubt.map(|(_, pair)| pair).collect());
    }

    /// Adds one record; once more with a fresh list of domains if the API does not know the cached one.
    fn store(
        &self,
        call: &Call,
        (placement, id): (&mut Placement, &mut EntryId),
        policy: &RetryPolicy,
    ) -> Result<Change> {
        match self.client.add_record(&placement.spec, policy) {
            Err(error) if self.may_be_outdated(&error) => {
                self.state.usage(|usage, _| usage.domains.forget());
                let fresh = self.locate(&placement.challenge, Domains::Fresh, policy)?;
                if fresh.spec == placement.spec {
                    return Err(error.into());
                }
                *placement = fresh;
                let entry = self.entry(call, placement);
                *id = self.state.journal(|journal, now| journal.relocate(id, &entry, now));
                Ok(self.client.add_record(&placement.spec, policy)?)
            }
            other => Ok(other?),
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
    fn undo(&self, call: &Call, records: Vec<(&Placement, &EntryId)>) {
        if call.on_failure != OnFailure::Undo {
            return;
        }
        let ids: Vec<_> = records.iter().map(|(_, id)| (*id).clone()).collect();
        self.state.journal(|journal, now| journal.remove_asked(&ids, now));
        let policy = RetryPolicy::until(Instant::now() + UNDO + self.turns(records.len()));
        let mut is_down = false;
        for (placement, id) in records {
            let id = std::slice::from_ref(id);
            if is_down || self.is_interrupted() {
                self.state.journal(|journal, now| journal.remove_failed(id, now));
                continue;
            }
            match self.client.delete_record(&placement.spec, &policy) {
                Ok(_) => self.state.journal(|journal, now| journal.removed(id, now)),
                Err(error) => {
                    self.state.journal(|journal, now| journal.remove_failed(id, now));
                    is_down = error.is_transient();
                    self.events.warning(&format!(
                        "`{}` could not be removed again: {error}; the next call tries again",
                        placement.record
                    ));
                }
            }
        }
    }

    fn wait(&self, call: &Call, placements: &[Placement], policy: &RetryPolicy) -> Result<Option<Ready>> {
        if self.settings.propagation_timeout.is_zero() {
            return Ok(None);
        }
        let mine = placements.iter().filter_map(PendingRecord::of);
        let pending: Vec<PendingRecord> = match &call.wait {
            Wait::Later(_) => return Ok(None),
            Wait::Now => mine.collect(),
            Wait::Order(order) => self.order_records(order, mine.collect(), policy)?,
        };
        let records: Vec<_> = pending.into_iter().map(|pending| self.doubting(pending.into_record())).collect();
        let ready = self.wait_for(records)?;
        if call.ca_asked == CaAsked::AfterEach {
            self.ca_cache_wait(placements)?;
        }
        Ok(Some(ready))
    }

    /// Tells the wait of an equal record that was removed a moment ago, and that name servers may still show.
    fn doubting(&self, record: Record) -> Record {
        let Record { name, value, .. } = &record;
        let removed_at = self.state.journal(|journal, now| journal.removed_at(name, value, now));
        let left = removed_at.and_then(|at| STILL_SHOWN.checked_sub(self.state.age(at)));
        if let Some(left) = left {
            let seconds = left.as_secs_f64();
            self.events.step(&format!(
                "`{name}`: an equal record was removed a moment ago, and may be seen for {seconds:.0} s"
            ));
        }
        Record { doubtful_until: left.map(|left| Instant::now() + left), ..record }
    }

    fn wait_for(&self, records: Vec<Record>) -> Result<Ready> {
        let plan = Plan {
            records,
            timeout: self.settings.propagation_timeout,
            confirmations: self.settings.confirmations,
            polling_interval: self.settings.polling_interval,
            lookup: self.lookup.clone(),
            blind_wait: self.settings.blind_wait,
            interrupted: std::sync::Arc::clone(&self.interrupted),
        };
        Ok(propagation::wait(&plan, &mut |rows| self.events.servers(rows))?)
    }
}

/// A call that is not let begin, for the sake of records that have to be removed.
fn refused(placements: &[Placement], error: LimitError) -> Failure {
    let first = placements.first().map_or("", |placement| placement.record.as_str());
    Error::from(error).context(format!("cannot add the TXT record `{first}`")).into()
}

/// Whether the record of a failed addition may be at IPv64 all the same.
fn may_be_stored(error: &Error) -> bool {
    let before_sending = error.find::<Interrupted>().is_some();
    let sent = error.find::<ApiError>();
    !before_sending && sent.is_none_or(ApiError::may_have_been_stored)
}

/// The records of a failed call that stay.
fn left(call: &Call, placements: Vec<Placement>) -> Vec<Solved> {
    let stay = call.on_failure == OnFailure::Leave;
    placements.into_iter().filter(|_| stay).map(|placement| solved(placement, Status::Added)).collect()
}

fn solved(placement: Placement, status: Status) -> Solved {
    Solved { domain: placement.spec.domain.clone(), challenge: placement.challenge, record: placement.record, status }
}
