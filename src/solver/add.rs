//! Adds the records of a call and waits until they are served. The journal has a record before its request leaves; what
//! fails is undone unless the client is sure to ask for the removal.

use std::time::{Duration, Instant};

use super::locate::{Domains, Located};
use super::order::Awaited;
use super::{Failure, Missed, Outcome, Solved, Solver, Status};
use crate::api::{Added, ApiError, CallKind, RetryPolicy};
use crate::error::{Context as _, Error, Result};
use crate::order::{CaAsked, Call, OnFailure, Wait};
use crate::propagation::{self, NotReady, Plan, Ready, Record};
use crate::state::{EntryId, NewEntry, Visibility, WindowError};
use crate::time::Interrupted;

/// How long the removal of a record may take whose addition has failed: the client has waited long enough.
const UNDO: Duration = Duration::from_secs(30);

impl Solver<'_> {
    pub(super) fn add(&self, call: &Call) -> Result<Outcome, Failure> {
        let policy = self.policy(call, CallKind::Addition);
        let mut located = Vec::new();
        for challenge in &call.challenges {
            let place = self.locate(challenge, Domains::Cached, &policy);
            located.push(place.map_err(|error| Failure::of(challenge, error))?);
        }
        self.admit(&located, &policy).map_err(|error| refused(&located, error))?;
        let entries: Vec<_> = located.iter().map(|located| self.entry(call, located)).collect();
        let mut ids = self.state.journal().intend(&entries);
        self.store_all(call, &mut located, &mut ids, &policy)?;
        let notes: Vec<_> = located.iter().flat_map(|located| located.notes.clone()).collect();
        match self.wait(call, &located, &policy) {
            Ok(ready) => {
                if ready.is_some() {
                    self.state.journal().ready(&ids);
                }
                let status = if ready.is_some() { Status::Ready } else { Status::Added };
                let records = located.into_iter().map(|located| solved(located, status)).collect();
                Ok(Outcome { records, notes: merge(notes, ready.as_ref()), ready })
            }
            Err(error) => {
                if error.find::<NotReady>().is_some() {
                    // Perhaps a longer domain holds the name since the list was cached.
                    self.state.domains(self.account.clone()).invalidate();
                }
                self.undo(call, located.iter().zip(&ids).collect());
                Err(Failure { done: left(call, located), failed: vec![Missed { challenge: None, error }] })
            }
        }
    }

    pub(super) fn entry(&self, call: &Call, located: &Located) -> NewEntry {
        NewEntry {
            account: self.account.clone(),
            client: call.client.to_owned(),
            challenge: located.challenge.clone(),
            domain: located.spec.domain().clone(),
            prefix: located.spec.prefix().to_owned(),
            record: located.record.clone(),
        }
    }

    /// Adds one record after the other; the first failure ends it, for the next one would fail for the same reason.
    fn store_all(
        &self,
        call: &Call,
        located: &mut Vec<Located>,
        ids: &mut [EntryId],
        policy: &RetryPolicy,
    ) -> Result<(), Failure> {
        for at in 0..located.len() {
            let record = located[at].record.clone();
            let added = self
                .go_on()
                .map_err(Into::into)
                .and_then(|()| self.store(call, (&mut located[at], &mut ids[at]), policy));
            let added = added.with_context(|| format!("cannot add the TXT record `{record}`"));
            match added {
                Ok(added) => {
                    self.state.journal().confirm(&ids[at..=at]);
                    located[at].is_new = added == Added::New;
                    let what = if added == Added::New { "added" } else { "was there already" };
                    self.events.step(&format!("`{record}` {what}"));
                }
                Err(error) => {
                    // What IPv64 cannot have stored needs no removal, and nothing was sent for those behind it. A client
                    // that works in several calls is told by the open entry that this one failed.
                    let is_open = call.on_failure != OnFailure::Undo || may_be_stored(&error);
                    self.give_up_from(if is_open { at + 1 } else { at }, call, located, ids);
                    let failure = Failure::of(&located[at].challenge, error);
                    located.truncate(at);
                    return Err(Failure { done: left(call, std::mem::take(located)), ..failure });
                }
            }
        }
        Ok(())
    }

    /// Forgets the records from `first` on, which this call has not stored, and undoes those before, and those that an
    /// earlier call may have stored.
    fn give_up_from(&self, first: usize, call: &Call, located: &[Located], ids: &[EntryId]) {
        let stay = self.state.journal().withdraw(&ids[first..]);
        let pairs = located.iter().zip(ids).enumerate();
        let in_doubt = pairs.filter(|(at, (_, id))| *at < first || stay.contains(id));
        self.undo(call, in_doubt.map(|(_, pair)| pair).collect());
    }

    /// Adds one record; once more with a fresh list of domains if the API does not know the cached one.
    fn store(&self, call: &Call, (located, id): (&mut Located, &mut EntryId), policy: &RetryPolicy) -> Result<Added> {
        match self.client.add_record(&located.spec, policy) {
            Err(error) if self.may_be_outdated(&error) => {
                self.state.domains(self.account.clone()).invalidate();
                let fresh = self.locate(&located.challenge, Domains::Fresh, policy)?;
                if fresh.spec == located.spec {
                    return Err(error.into());
                }
                *located = fresh;
                *id = self.state.journal().relocate(id, &self.entry(call, located));
                Ok(self.client.add_record(&located.spec, policy)?)
            }
            other => Ok(other?),
        }
    }

    /// A rejected request may mean a domain that has left the account since the list was cached.
    fn may_be_outdated(&self, error: &ApiError) -> bool {
        matches!(error.cause(), ApiError::Rejected { .. } | ApiError::Forbidden { .. })
            && self.settings.domain.is_none()
            && self.state.domains(self.account.clone()).names().is_some()
    }

    /// Removes what a failed call may have left at IPv64, if nobody else will. A call that was told to stop leaves that to
    /// the next one, and so does one that the API fails.
    fn undo(&self, call: &Call, records: Vec<(&Located, &EntryId)>) {
        if call.on_failure != OnFailure::Undo {
            return;
        }
        let journal = self.state.journal();
        journal.remove_asked(&records.iter().map(|(_, id)| (*id).clone()).collect::<Vec<_>>());
        let policy = RetryPolicy::until(Instant::now() + UNDO + self.turns(records.len()));
        let mut is_down = false;
        for (located, id) in records {
            let id = std::slice::from_ref(id);
            if is_down || self.is_interrupted() {
                journal.remove_failed(id);
                continue;
            }
            match self.client.delete_record(&located.spec, &policy) {
                Ok(_) => journal.close(id),
                Err(error) => {
                    journal.remove_failed(id);
                    is_down = error.is_transient();
                    self.events.warning(&format!(
                        "`{}` could not be removed again: {error}; the next call tries again",
                        located.record
                    ));
                }
            }
        }
    }

    fn wait(&self, call: &Call, located: &[Located], policy: &RetryPolicy) -> Result<Option<Ready>> {
        if self.settings.propagation_timeout.is_zero() {
            return Ok(None);
        }
        let mine = located.iter().filter_map(Awaited::from_located);
        let awaited: Vec<Awaited> = match &call.wait {
            Wait::Later(_) => return Ok(None),
            Wait::Now => mine.collect(),
            Wait::Order(order) => self.of_order(order, mine.collect(), policy)?,
        };
        let records: Vec<_> = awaited.into_iter().map(Awaited::into_record).collect();
        let ready = self.wait_for(records)?;
        self.learn(&ready);
        if call.ca_asked == CaAsked::AfterEach {
            self.hold_off(located)?;
        }
        Ok(Some(ready))
    }

    fn wait_for(&self, records: Vec<Record>) -> Result<Ready> {
        let plan = Plan {
            records,
            timeout: self.settings.propagation_timeout,
            confirmations: self.settings.confirmations,
            polling_interval: self.settings.polling_interval,
            usual: self.state.learned().all().into_iter().map(|usual| (usual.address, usual.p95)).collect(),
            steady: self.state.learned().steady(),
            lookup: self.lookup.clone(),
            blind_wait: self.settings.blind_wait,
            interrupted: std::sync::Arc::clone(&self.interrupted),
        };
        Ok(propagation::wait(&plan, &mut |rows| self.events.servers(rows))?)
    }

    fn learn(&self, ready: &Ready) {
        let seen = ready.rows.iter().filter_map(|row| {
            Some(Visibility {
                name: row.server.name.clone()?,
                address: row.server.address.ip(),
                took: row.after?,
                is_steady: row.is_steady,
            })
        });
        self.state.learned().add(&seen.collect::<Vec<_>>());
    }
}

/// A call that is not let begin, for the sake of records that have to be removed.
fn refused(located: &[Located], error: WindowError) -> Failure {
    let first = located.first().map_or("", |located| located.record.as_str());
    Error::from(error).context(format!("cannot add the TXT record `{first}`")).into()
}

/// Whether the record of a failed addition may be at IPv64 all the same.
fn may_be_stored(error: &Error) -> bool {
    let before_sending = error.find::<Interrupted>().is_some();
    let sent = error.find::<ApiError>();
    !before_sending && sent.is_none_or(ApiError::may_have_been_stored)
}

/// The records of a failed call that stay.
fn left(call: &Call, located: Vec<Located>) -> Vec<Solved> {
    let stay = call.on_failure == OnFailure::Leave;
    located.into_iter().filter(|_| stay).map(|located| solved(located, Status::Added)).collect()
}

fn solved(located: Located, status: Status) -> Solved {
    Solved { domain: located.spec.domain().clone(), challenge: located.challenge, record: located.record, status }
}

fn merge(mut notes: Vec<String>, ready: Option<&Ready>) -> Vec<String> {
    notes.extend(ready.map(Ready::notes).unwrap_or_default());
    notes
}
