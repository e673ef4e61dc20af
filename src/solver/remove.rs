//! Removes exactly what was added. The journal says where that was; without it the way of the addition is gone again.

use std::time::{Duration, Instant};

use super::locate::Domains;
use super::{Failure, Missed, Outcome, Solved, Solver, Status};
use crate::api::{ApiError, CallKind, Deleted, RecordSpec, RecordType, RetryPolicy};
use crate::challenge::Challenge;
use crate::distinct::distinct;
use crate::dns::cname::PlaceError;
use crate::dns::exchange::ask_paced;
use crate::dns::message::{self, Question};
use crate::error::{self, Context as _, Error, Explain, Result};
use crate::name::DnsName;
use crate::order::{Action, CaAsked, Call, OnFailure, Wait};
use crate::state::{Entry, EntryId, NewEntry};

/// How long servers may still show a record that is gone at IPv64.
const STILL_SHOWN: Duration = Duration::from_secs(20);
/// How long one server is waited for.
const ATTEMPT: Duration = Duration::from_millis(1500);
/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// IPv64 says that there is no such record, and its name servers still show it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("IPv64 has no TXT record `{name}` with this value in this account, but the name servers still serve it")]
pub struct NotOurs {
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

/// A record that has to go, and its entries in the journal.
struct Doomed {
    challenge: Challenge,
    record: DnsName,
    spec: RecordSpec,
    ids: Vec<EntryId>,
    /// What to write into the journal if the removal fails and the journal does not have the record.
    unknown: Option<NewEntry>,
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
            if is_api_down(&error) {
                self.leave_to_next_call(rest.as_slice());
                rest = [].iter();
            }
            if call.on_failure == OnFailure::DeferToNextCall && is_passing(&error) {
                self.events.warning(&format!("{error:#}; {}", self.way_out(challenge)));
            } else if call.on_failure == OnFailure::DeferToNextCall && error.find::<NotOurs>().is_some() {
                // Slow name servers look the same as a foreign account, and no certificate is to be lost for them.
                self.events.warning(&format!("{error:#}"));
            } else {
                failed.push(Missed { challenge: Some(challenge.clone()), error });
            }
        }
        if failed.is_empty() {
            Ok(Outcome { records, ready: None, notes: Vec::new() })
        } else {
            Err(Failure { done: records, failed })
        }
    }

    /// Returns the call that removes every record that the journal has for a challenge name, for a client that does not
    /// say which value. None is as good as one: apex and wildcard bring two such calls for two records.
    #[must_use]
    pub fn all_at(&self, name: &DnsName) -> Call {
        let entries = self.state.journal().find(name, None).into_iter();
        let mine = entries.filter(|entry| entry.account == self.account);
        // One challenge may stand at several places, all of which its removal looks at.
        let values = distinct(mine.map(|entry| entry.value));
        Call {
            client: "mod_md",
            action: Action::Remove,
            challenges: values.into_iter().map(|value| Challenge { name: name.clone(), value }).collect(),
            wait: Wait::Now,
            on_failure: OnFailure::Leave,
            ca_asked: CaAsked::AfterEach,
        }
    }

    /// Removes a record from wherever the journal has it: the alias of its name may have changed between two additions.
    fn remove_one(&self, call: &Call, challenge: &Challenge, policy: &RetryPolicy) -> Result<Solved> {
        let mut places = self.recorded(challenge);
        let Some(latest) = places.pop() else {
            let doomed = self.unrecorded(call, challenge, policy)?;
            if self.was_removed(&doomed) {
                return Ok(solved(doomed, Status::Missing));
            }
            return self.remove_at(doomed, policy);
        };
        for place in places {
            self.remove_at(place, policy)?;
        }
        self.remove_at(latest, policy)
    }

    fn remove_at(&self, doomed: Doomed, policy: &RetryPolicy) -> Result<Solved> {
        self.go_on()?;
        let journal = self.state.journal();
        journal.remove_asked(&doomed.ids);
        let deleted = self
            .client
            .delete_record(&doomed.spec, policy)
            .with_context(|| format!("cannot remove the TXT record `{}`", doomed.record))
            .inspect_err(|error| self.keep_in_mind(&doomed, error))?;
        // What the journal has is ours, and gone: a try whose reply was lost has done it.
        if deleted == Deleted::Missing && doomed.ids.is_empty() && self.is_still_served(&doomed, policy) {
            return Err(NotOurs { name: doomed.record }.into());
        }
        journal.close(&doomed.ids);
        let status = if deleted == Deleted::Gone { Status::Removed } else { Status::Missing };
        let what = if deleted == Deleted::Gone { "removed" } else { "was not there" };
        self.events.step(&format!("`{}` {what}", doomed.record));
        Ok(solved(doomed, status))
    }

    /// Whether a record was reported as ready a moment ago and the journal has it no more: apex and wildcard with one
    /// token bring two removals for one record.
    fn was_removed(&self, doomed: &Doomed) -> bool {
        let (record, value) = (&doomed.record, &doomed.challenge.value);
        let journal = self.state.journal();
        // With any key: where the journal still has it, another account holds it.
        let is_open = journal.open_entries().iter().any(|entry| (&entry.record, &entry.value) == (record, value));
        !is_open && journal.ready_marks(record).iter().any(|mark| mark.value == *value)
    }

    /// Leaves a failed removal to the next call, also where the journal did not know of the record.
    fn keep_in_mind(&self, doomed: &Doomed, error: &Error) {
        let journal = self.state.journal();
        journal.remove_failed(&doomed.ids);
        if let Some(unknown) = doomed.unknown.as_ref().filter(|_| is_passing(error)) {
            journal.remove_failed(&journal.intend(std::slice::from_ref(unknown)));
        }
    }

    /// Leaves removals to the next call without trying them: the API has just failed one.
    fn leave_to_next_call(&self, challenges: &[Challenge]) {
        let (known, unknown): (Vec<_>, Vec<_>) = challenges.iter().partition(|challenge| self.is_remembered(challenge));
        let doomed = known.iter().flat_map(|challenge| self.recorded(challenge));
        self.state.journal().remove_failed(&doomed.flat_map(|doomed| doomed.ids).collect::<Vec<_>>());
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
    fn recorded(&self, challenge: &Challenge) -> Vec<Doomed> {
        let entries = self.state.journal().find(&challenge.name, Some(&challenge.value)).into_iter();
        let doomed = |entry: Entry| {
            let spec = spec_of(&entry)?;
            let (challenge, ids) = (challenge.clone(), vec![entry.id]);
            Some(Doomed { challenge, record: entry.record, spec, ids, unknown: None })
        };
        entries.filter(|entry| entry.account == self.account).filter_map(doomed).collect()
    }

    /// The record where it would be added today.
    fn unrecorded(&self, call: &Call, challenge: &Challenge, policy: &RetryPolicy) -> Result<Doomed> {
        let located = self.locate(challenge, Domains::Cached, policy)?;
        let unknown = Some(self.entry(call, &located));
        let challenge = challenge.clone();
        Ok(Doomed { challenge, record: located.record, spec: located.spec, ids: Vec::new(), unknown })
    }

    /// Tells "gone already" from "not yours", which the API answers alike (observed): by what the authoritative servers
    /// show, with some patience for those that follow late, but one look when the call has no time left. Where nobody can
    /// be asked, the record counts as gone.
    fn is_still_served(&self, doomed: &Doomed, policy: &RetryPolicy) -> bool {
        let now = Instant::now();
        let deadline = policy.deadline.clamp(now + PAUSE, now + STILL_SHOWN);
        let Ok(place) = self.lookup.place(&doomed.record, crate::dns::cname::Follow::Never, deadline) else {
            return false;
        };
        let question = Question::authoritative(&doomed.record, message::RecordType::TXT);
        let shows = |server: &crate::dns::zone::Server| {
            let until = deadline.min(Instant::now() + ATTEMPT);
            ask_paced(server.address, &question, &self.lookup.pace, until).is_ok_and(|reply| {
                let mut texts = reply.texts(&doomed.record);
                reply.authoritative() && texts.any(|text| text == doomed.challenge.value.as_str().as_bytes())
            })
        };
        while place.zone.servers.iter().any(shows) {
            if Instant::now() + PAUSE >= deadline || self.is_interrupted() {
                return true;
            }
            std::thread::sleep(PAUSE);
        }
        false
    }
}

fn solved(doomed: Doomed, status: Status) -> Solved {
    Solved { domain: doomed.spec.domain().clone(), challenge: doomed.challenge, record: doomed.record, status }
}

/// Whether the same removal may succeed later without anybody doing anything.
fn is_passing(error: &Error) -> bool {
    let is_unanswered = |cause: &PlaceError| matches!(cause, PlaceError::NoAnswer { .. });
    is_api_down(error) || error.find().is_some_and(is_unanswered)
}

/// Whether the API fails in a way that the next request would see too.
fn is_api_down(error: &Error) -> bool {
    error.find().is_some_and(ApiError::is_transient)
}

/// Returns the record of an entry; nothing if the journal contradicts itself.
pub(super) fn spec_of(entry: &Entry) -> Option<RecordSpec> {
    RecordSpec::within(&entry.domain, &entry.record, RecordType::Txt, entry.value.as_str())
}
