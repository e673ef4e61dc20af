//! Removes exactly what was added. The journal says where that was; without it the way of the addition is gone again.

use std::collections::BTreeSet;
use std::slice::from_ref;
use std::time::{Duration, Instant};

use super::locate::{Domains, spec_of};
use super::upstream::is_transient;
use super::{Failure, Outcome, RecordFailure, Solved, Solver, Status, Upstream};
use crate::api::{ApiError, CallKind, Change, RetryPolicy};
use crate::challenge::{Challenge, TxtValue};
use crate::dns::cname::{Follow, PlaceError};
use crate::dns::exchange::ask_whole;
use crate::dns::message::{self, Question};
use crate::dns::zone::Zone;
use crate::error::{self, Context as _, Error, Explain, Result};
use crate::name::DnsName;
use crate::order::{Action, CaAsked, Call, OnFailure, Wait};
use crate::state::Entry;
use crate::time::Waiting;

/// How long servers may still show a record that is gone at IPv64.
pub(super) const STILL_SHOWN: Duration = Duration::from_secs(20);
/// How long one server is waited for.
const ATTEMPT: Duration = Duration::from_millis(1500);
/// Between two queries to one server.
const PAUSE: Duration = Duration::from_secs(1);

/// IPv64 says that there is no such record, and its name servers still show it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{whose} has no TXT record `{name}` with this value for this {}, but the name servers still serve it", if *whose == "IPv64" { "account" } else { "machine" })]
pub struct NotOurs {
    /// Who says so.
    pub whose: &'static str,
    /// The name of the record.
    pub name: DnsName,
}

impl Explain for NotOurs {
    fn kind(&self) -> error::Kind {
        error::Kind::NotOurs
    }

    fn hint(&self) -> Option<String> {
        Some(
            "if it was removed a moment ago, the name servers will follow; else it belongs to another account: use the \
             API key that it was added with"
                .to_owned(),
        )
    }
}

impl Solver<'_> {
    pub(super) fn remove(&self, call: &Call) -> Result<Outcome, Failure> {
        let policy = self.policy(call, CallKind::Removal);
        let mut records = Vec::new();
        let mut failed = Vec::new();
        let mut rest = call.challenges.iter();
        while let Some(challenge) = rest.next() {
            let error = match self.remove_one(call, challenge, &policy) {
                Ok(solved) => {
                    records.push(solved);
                    continue;
                }
                Err(error) => error,
            };
            // One failure must not keep the others from going, unless it is theirs too.
            if is_transient(&error) {
                self.leave_to_next_call(rest.as_slice());
                rest = [].iter();
            }
            if call.on_failure == OnFailure::DeferToNextCall && is_passing(&error) {
                self.events.warning(&format!("{error:#}; {}", self.way_out(challenge)));
            } else if call.on_failure == OnFailure::DeferToNextCall && error.find::<NotOurs>().is_some() {
                // Slow name servers look the same as a foreign account, and no certificate is to be lost for them.
                self.events.warning(&format!("{error:#}"));
            } else {
                failed.push(RecordFailure { challenge: Some(challenge.clone()), error });
            }
        }
        if failed.is_empty() {
            Ok(Outcome { records, ..Outcome::default() })
        } else {
            Err(Failure { done: records, failed })
        }
    }

    /// Returns the call that removes every record that mod_md has added for a challenge name: it does not say which value.
    /// There may be none: for apex and wildcard it calls twice, and the first call removes both. What other clients have
    /// added at the same name may be part of an order that is under way.
    #[must_use]
    pub fn all_at(&self, name: &DnsName) -> Call {
        const CLIENT: &str = "mod_md";
        let entries = self.state.journal(|journal, _| journal.find(self.state.account(), name, None));
        // One challenge may be at several places, all of which are removed.
        let values: BTreeSet<_> =
            entries.into_iter().filter(|entry| entry.client == CLIENT).map(|entry| entry.value).collect();
        Call {
            client: CLIENT,
            action: Action::Remove,
            challenges: values.into_iter().map(|value| Challenge { name: name.clone(), value }).collect(),
            wait: Wait::Now,
            on_failure: OnFailure::Leave,
            ca_asked: CaAsked::AfterEach,
        }
    }

    /// Removes a record from wherever the journal has it, as the alias of its name may have changed between two additions;
    /// from where it would be added today if the journal does not have it.
    fn remove_one(&self, call: &Call, challenge: &Challenge, policy: &RetryPolicy) -> Result<Solved> {
        let Challenge { name, value } = challenge;
        if self.state.journal(|journal, now| journal.was_never_sent(name, value, now)) {
            self.state.journal(|journal, _| journal.forget(self.state.account(), challenge));
            self.events.step(&format!("`{name}` was never sent to IPv64"));
            let (challenge, record) = (challenge.clone(), name.clone());
            return Ok(Solved { challenge, record, domain: None, status: Status::Missing });
        }
        let mut places = self.recorded(challenge);
        let Some(latest) = places.pop() else {
            let entry = self.locate(call, challenge, Domains::Cached, policy)?.entry;
            if self.was_removed(&entry) {
                return Ok(Solved::of(entry, Status::Missing));
            }
            return self.remove_at(entry, false, policy);
        };
        for place in places {
            self.remove_at(place, true, policy)?;
        }
        self.remove_at(latest, true, policy)
    }

    fn remove_at(&self, mut entry: Entry, is_recorded: bool, policy: &RetryPolicy) -> Result<Solved> {
        self.check_interrupted()?;
        self.state.journal(|journal, now| journal.remove_asked(from_ref(&entry.id), now));
        let deleted = self
            .delete(&entry, policy)
            .with_context(|| format!("cannot remove the TXT record `{}`", entry.record))
            .inspect_err(|error| {
                // Left to the next call, also where the journal did not know of the record.
                if !is_recorded && is_passing(error) {
                    self.state.journal(|journal, now| {
                        journal.intend(&mut entry, now);
                        journal.remove_failed(from_ref(&entry.id), now);
                    });
                }
            })?;
        // What the journal has is ours, and gone: a try whose reply was lost has done it.
        if deleted == Change::HeldBefore && !is_recorded && self.is_still_served(&entry, policy) {
            return Err(NotOurs { whose: self.upstream.name(), name: entry.record }.into());
        }
        let (status, what) = match deleted {
            Change::Made => (Status::Removed, "removed"),
            Change::HeldBefore => (Status::Missing, "was not there"),
        };
        self.events.step(&format!("`{}` {what}", entry.record));
        Ok(Solved::of(entry, status))
    }

    /// Deletes the record of an entry, and notes in the journal what became of it.
    ///
    /// # Errors
    /// That of the API or the broker.
    pub fn delete(&self, entry: &Entry, policy: &RetryPolicy) -> Result<Change> {
        let ids = from_ref(&entry.id);
        let was_never_sent = self.state.journal(|journal, now| journal.was_never_sent(&entry.name, &entry.value, now));
        let Some(spec) = spec_of(entry).filter(|_| !was_never_sent) else {
            // Or the journal was edited: its domain does not hold its record, so no request can name it.
            self.state.journal(|journal, _| journal.close(ids));
            return Ok(Change::HeldBefore);
        };
        let deleted = match self.upstream {
            Upstream::Api(client) => client.delete_record(&spec, policy).map_err(Error::from),
            Upstream::Broker(broker) => self.cleanup(broker, entry, policy),
        };
        self.state.journal(|journal, now| match &deleted {
            Ok(_) => journal.removed(ids, now),
            Err(error) if matches!(error.find(), Some(ApiError::NoPermit(_))) => journal.remove_postponed(ids, now),
            Err(_) => journal.remove_failed(ids, now),
        });
        deleted
    }

    /// Whether a record was reported as ready a moment ago and the journal has it no more: apex and wildcard with one
    /// token bring two removals for one record.
    fn was_removed(&self, gone: &Entry) -> bool {
        self.state.journal(|journal, now| {
            // With any key: where the journal still has it, another account holds it.
            let is_it = |entry: &Entry| (&entry.record, &entry.value) == (&gone.record, &gone.value);
            !journal.entries().iter().any(is_it)
                && journal.ready_marks(&gone.record, now).iter().any(|mark| mark.value == gone.value)
        })
    }

    /// Leaves removals to the next call without trying them: the API has just failed one.
    fn leave_to_next_call(&self, challenges: &[Challenge]) {
        let (known, unknown): (Vec<_>, Vec<_>) = challenges.iter().partition(|challenge| self.is_remembered(challenge));
        let ids: Vec<_> = known.iter().flat_map(|challenge| self.recorded(challenge)).map(|entry| entry.id).collect();
        self.state.journal(|journal, now| journal.remove_failed(&ids, now));
        if !known.is_empty() {
            let count = known.len();
            self.events
                .warning(&format!("{count} more not tried; the next call, or `ipv64-acme sweep --yes`, removes them"));
        }
        for challenge in unknown {
            self.events.warning(&format!("`{}` not tried; {}", challenge.name, self.way_out(challenge)));
        }
    }

    /// Whether a later process will know of the record.
    fn is_remembered(&self, challenge: &Challenge) -> bool {
        self.state.directory().is_some() && !self.recorded(challenge).is_empty()
    }

    /// What becomes of a record whose removal has failed.
    fn way_out(&self, challenge: &Challenge) -> String {
        if self.is_remembered(challenge) {
            return "the next call, or `ipv64-acme sweep --yes`, removes it".to_owned();
        }
        let Challenge { name, value } = challenge;
        format!("no journal has it, so nobody tries again: `ipv64-acme cleanup {name} {value}` removes it")
    }

    /// The record as the journal has it, once for each place; the latest is the last one.
    fn recorded(&self, challenge: &Challenge) -> Vec<Entry> {
        let (account, Challenge { name, value }) = (self.state.account(), challenge);
        let mut entries = self.state.journal(|journal, _| journal.find(account, name, Some(value)));
        entries.retain(|entry| spec_of(entry).is_some());
        entries
    }

    /// Tells "gone already" from "not yours", which the API answers alike (observed): by what the authoritative servers
    /// show, with some patience for those that follow late, but one query when the call has no time left. Where nobody can
    /// be asked, the record counts as gone.
    fn is_still_served(&self, entry: &Entry, policy: &RetryPolicy) -> bool {
        let now = Instant::now();
        let deadline = policy.deadline.clamp(now + PAUSE, now + STILL_SHOWN);
        let Ok(place) = self.lookup.place(&entry.record, Follow::Never, deadline) else { return false };
        let what = format!("the name servers to drop `{}`", entry.record);
        let waiting = Waiting { what, since: now, limit: deadline.saturating_duration_since(now) };
        while self.shows(&place.zone, (&entry.record, &entry.value), deadline) {
            if Instant::now() + PAUSE >= deadline || (self.pause)(&waiting, PAUSE).is_err() {
                return true;
            }
        }
        false
    }

    /// Whether one of a zone's servers shows a record now.
    pub(super) fn shows(&self, zone: &Zone, (record, value): (&DnsName, &TxtValue), deadline: Instant) -> bool {
        let question = Question::authoritative(record, message::RecordType::TXT);
        zone.servers.iter().any(|server| {
            let until = deadline.min(Instant::now() + ATTEMPT);
            ask_whole(server.address, &question, Some(&self.lookup.pace), until).is_ok_and(|reply| {
                let mut texts = reply.texts(record);
                reply.authoritative() && texts.any(|text| text == value.as_str().as_bytes())
            })
        })
    }
}

/// Whether the same removal may succeed later without anybody doing anything.
fn is_passing(error: &Error) -> bool {
    let is_unanswered = |cause: &PlaceError| matches!(cause, PlaceError::NoAnswer { .. });
    is_transient(error) || error.find().is_some_and(is_unanswered)
}
