//! Adds the records of a call and waits until they are served. The journal has a record before its request leaves; what
//! fails is undone unless the client is sure to ask for the removal.

use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::locate::{Domains, Located};
use super::order::Awaited;
use super::{Outcome, Solved, Solver, Status};
use crate::api::{Added, ApiError};
use crate::hook::{CaAsked, Call, OnFailure, Wait};
use crate::propagation::{self, Plan, Ready, Record};
use crate::state::{EntryId, NewEntry, Visibility};

/// How long the CA's resolvers keep an answer: they honour a TTL up to about 60 s (stated by Let's Encrypt's community).
const CA_CACHE: Duration = Duration::from_secs(65);

impl Solver<'_> {
    pub(super) fn add(&self, call: &Call) -> anyhow::Result<Outcome> {
        let mut located = Vec::new();
        for challenge in &call.challenges {
            located.push(self.locate(challenge, Domains::Cached)?);
        }
        let ids = self.state.journal().intend(&self.entries(call, &located));
        let stored = self.store_all(&mut located, &ids);
        if let Err(error) = stored {
            self.undo(call, &located, &ids);
            return Err(error);
        }
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
                Err(error)
            }
        }
    }

    fn entries(&self, call: &Call, located: &[Located]) -> Vec<NewEntry> {
        let entry = |located: &Located| NewEntry {
            account: self.account.clone(),
            client: call.client.to_owned(),
            challenge: located.challenge.clone(),
            domain: located.spec.domain().clone(),
            prefix: located.spec.prefix().to_owned(),
            record: located.record.clone(),
            batch: None,
        };
        located.iter().map(entry).collect()
    }

    fn store_all(&self, located: &mut [Located], ids: &[EntryId]) -> anyhow::Result<()> {
        for (located, id) in located.iter_mut().zip(ids) {
            let added =
                self.store(located).with_context(|| format!("cannot add the TXT record `{}`", located.record))?;
            self.state.journal().confirm(std::slice::from_ref(id));
            let what = if added == Added::New { "added" } else { "was there already" };
            self.events.step(&format!("`{}` {what}", located.record));
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
        if call.on_failure == OnFailure::Leave {
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
            suspects: self.state.learned().unsteady(),
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
                is_unsteady: row.unsteady,
            })
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

fn solved(located: Located, status: Status) -> Solved {
    Solved { domain: located.spec.domain().clone(), challenge: located.challenge, record: located.record, status }
}

fn merge(mut notes: Vec<String>, ready: Option<&Ready>) -> Vec<String> {
    notes.extend(ready.map(Ready::notes).unwrap_or_default());
    notes
}
