//! Adds the records of a call and waits until they are served. The journal has a record before its request leaves; what
//! fails is undone unless the client is sure to ask for the removal.

use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::locate::{Domains, Located};
use super::order::Awaited;
use super::{Failure, Missed, Outcome, Solved, Solver, Status};
use crate::api::{Added, ApiError};
use crate::hook::{CaAsked, Call, OnFailure, Wait};
use crate::propagation::{self, Plan, Ready, Record};
use crate::state::{EntryId, NewEntry, Visibility};

/// How long the CA's resolvers keep an answer: they honour a TTL up to about 60 s (stated by Let's Encrypt's community).
const CA_CACHE: Duration = Duration::from_secs(65);

impl Solver<'_> {
    pub(super) fn add(&self, call: &Call) -> Result<Outcome, Failure> {
        let mut located = Vec::new();
        for challenge in &call.challenges {
            let place = self.locate(challenge, Domains::Cached);
            located.push(place.map_err(|error| Failure::of(challenge, error))?);
        }
        let entries: Vec<_> = located.iter().map(|located| self.entry(call, located)).collect();
        let ids = self.state.journal().intend(&entries);
        self.store_all(call, &mut located, &ids)?;
        let notes: Vec<_> = located.iter().flat_map(|located| located.notes.clone()).collect();
        match self.wait(call, &located) {
            Ok(ready) => {
                if ready.is_some() {
                    self.state.journal().ready(&ids);
                }
                let status = if ready.is_some() { Status::Ready } else { Status::Added };
                let records = located.into_iter().map(|located| solved(located, status)).collect();
                Ok(Outcome { records, notes: merge(notes, ready.as_ref()), ready })
            }
            Err(error) => {
                if !self.is_interrupted() {
                    self.undo(call, &located, &ids);
                }
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
            batch: None,
        }
    }

    /// Adds one record after the other; the first failure ends it, for the next one would fail for the same reason.
    fn store_all(&self, call: &Call, located: &mut Vec<Located>, ids: &[EntryId]) -> Result<(), Failure> {
        for at in 0..located.len() {
            let record = located[at].record.clone();
            let added = self.store(&mut located[at]).with_context(|| format!("cannot add the TXT record `{record}`"));
            match added {
                Ok(added) => {
                    self.state.journal().confirm(&ids[at..=at]);
                    let what = if added == Added::New { "added" } else { "was there already" };
                    self.events.step(&format!("`{record}` {what}"));
                }
                Err(error) => {
                    // What IPv64 cannot have stored needs no removal, and nothing was sent for those behind it. A client
                    // that works in several calls is told by the open entry that this one failed.
                    let undone = if call.on_failure == OnFailure::Undo && !may_be_stored(&error) { at } else { at + 1 };
                    let failure = Failure::of(&located[at].challenge, error);
                    self.state.journal().close(&ids[undone..]);
                    located.truncate(undone);
                    self.undo(call, located, ids);
                    located.truncate(at);
                    return Err(Failure { done: left(call, std::mem::take(located)), ..failure });
                }
            }
        }
        Ok(())
    }

    /// Adds one record; once more with a fresh list of domains if the API does not know the cached one.
    fn store(&self, located: &mut Located) -> anyhow::Result<Added> {
        match self.client.add_record(&located.spec, &self.policy()) {
            Err(error) if self.may_be_outdated(&error) => {
                self.state.domains(self.account.clone()).invalidate();
                let fresh = self.locate(&located.challenge, Domains::Fresh)?;
                if fresh.spec == located.spec {
                    return Err(error.into());
                }
                *located = fresh;
                Ok(self.client.add_record(&located.spec, &self.policy())?)
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

    /// Removes what a failed call may have left at IPv64, if nobody else will.
    fn undo(&self, call: &Call, located: &[Located], ids: &[EntryId]) {
        if call.on_failure != OnFailure::Undo {
            return;
        }
        for (located, id) in located.iter().zip(ids) {
            match self.client.delete_record(&located.spec, &self.policy()) {
                Ok(_) => self.state.journal().close(std::slice::from_ref(id)),
                Err(error) => {
                    self.state.journal().remove_failed(std::slice::from_ref(id));
                    self.events.warning(&format!("`{}` could not be removed again: {error}", located.record));
                }
            }
        }
    }

    fn wait(&self, call: &Call, located: &[Located]) -> anyhow::Result<Option<Ready>> {
        if self.settings.propagation_timeout.is_zero() {
            return Ok(None);
        }
        let mine = located.iter().filter_map(Awaited::from_located);
        let awaited: Vec<Awaited> = match &call.wait {
            Wait::Later(_) => return Ok(None),
            Wait::Now => mine.collect(),
            Wait::Order(order) => self.of_order(order, mine.collect())?,
        };
        let records: Vec<_> = awaited.into_iter().map(Awaited::into_record).collect();
        let ready = self.wait_for(records)?;
        self.learn(&ready);
        if call.ca_asked == CaAsked::AfterEach {
            self.hold_off(call);
        }
        Ok(Some(ready))
    }

    fn wait_for(&self, records: Vec<Record>) -> anyhow::Result<Ready> {
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

    fn learn(&self, ready: &Ready) {
        let seen = ready.rows.iter().filter_map(|row| {
            Some(Visibility { name: row.server.name.clone()?, address: row.server.address.ip(), took: row.after? })
        });
        self.state.learned().add(&seen.collect::<Vec<_>>());
    }

    /// Waits out the CA's cache where another value at the same name was reported ready a moment ago: the CA would be
    /// shown the RRset without the new value.
    fn hold_off(&self, call: &Call) {
        let mine =
            |value: &crate::challenge::TxtValue| call.challenges.iter().any(|challenge| challenge.value == *value);
        let marks = call.challenges.iter().flat_map(|challenge| self.state.journal().ready_marks(&challenge.name));
        let age = |mark: &crate::state::ReadyMark| self.state.age(mark.at);
        let rest = marks.filter(|mark| !mine(&mark.value)).map(|mark| CA_CACHE.saturating_sub(age(&mark))).max();
        let Some(rest) = rest.filter(|rest| !rest.is_zero()) else { return };
        self.events.step(&format!(
            "waiting {:.0} s more: the CA may still have the previous value of this name in its cache",
            rest.as_secs_f64()
        ));
        let until = Instant::now() + rest;
        while Instant::now() < until && !self.is_interrupted() {
            std::thread::sleep(Duration::from_millis(100).min(until.saturating_duration_since(Instant::now())));
        }
    }
}

/// Whether the record of a failed addition may be at IPv64 all the same.
fn may_be_stored(error: &anyhow::Error) -> bool {
    error.chain().find_map(|cause| cause.downcast_ref::<ApiError>()).is_none_or(ApiError::may_have_been_stored)
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
