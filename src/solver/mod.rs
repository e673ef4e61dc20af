//! Adds, removes and waits for a set of challenges: from a [`Call`] to what became of each record.
//! Conventions of clients are understood before ([`crate::hook`]), results printed after ([`crate::report`]).
//!
//! - `locate`: where a challenge's record belongs, in DNS and in the account
//! - `add`: journal, addition, wait; undoes what failed
//! - `by_broker`: both by a broker in place of the API
//! - `remove`: exactly what was added, also when the CNAME has changed since
//! - `order`: the records of an order that a client spreads over several calls
//! - `stored`: the records of an addition that is to be waited for
//! - `reserve`: calls of the day that are kept for removals
//! - `ca_cache_wait`: the CA's cache, where a name gets a second value
//! - `leftovers`: what earlier calls have left behind
//! - `interrupted`: what is open when a signal ends a call
//! - `upstream`: who adds and removes the records, the IPv64 API or a broker

mod add;
mod by_broker;
mod ca_cache_wait;
mod interrupted;
mod leftovers;
mod locate;
mod order;
mod remove;
mod reserve;
mod stored;
mod upstream;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::api::{CallKind, RetryPolicy};
use crate::challenge::Challenge;
use crate::dns::cname::Place;
use crate::dns::zone::Lookup;
use crate::error::{Error, Result};
use crate::name::DnsName;
use crate::order::{Action, Call};
use crate::propagation::{Ready, Row};
use crate::settings::Settings;
use crate::state::{Entry, State};
use crate::time::{Pause, Waiting};

pub use interrupted::Interrupted;
pub use locate::Domains;
pub use order::OrderError;
pub use remove::NotOurs;
pub use stored::Stored;
pub use upstream::{Upstream, is_about_upstream};

/// What a removal may take at least, however short the wait for propagation is set.
const SHORTEST_BUDGET: Duration = Duration::from_secs(30);

/// How long the place of a record holds that was found before.
const FRESH: Duration = Duration::from_secs(1);

/// How long a request to a broker may wait for its turn, besides: fifty machines that renew in the same minute, each with an
/// addition and its removal, take nearly so long at 3 calls in 10 s.
const OTHERS_FIRST: Duration = Duration::from_secs(360);

/// Solves challenges for one account.
pub struct Solver<'a> {
    /// The settings in force.
    pub settings: &'a Settings,
    /// Who adds and removes the records.
    pub upstream: &'a Upstream,
    /// DNS.
    pub lookup: &'a Lookup,
    /// The journal, and what the account has used of its limits; whose records these are.
    pub state: &'a State,
    /// Hears of each step.
    pub events: &'a dyn Events,
    /// How it waits.
    pub pause: &'a Pause,
    /// On whose behalf a broker adds records; nobody's where a hook acts for its own machine.
    pub owner: Option<&'a Owner<'a>>,
    /// Set by a signal.
    pub interrupted: Arc<AtomicBool>,
}

/// On whose behalf records are added, and what holds for them.
pub struct Owner<'a> {
    /// Who may ask for their removal.
    pub name: &'a str,
    /// Decides whether a challenge may be answered with a record of this name, at the end of its aliases; asked before
    /// anything is sent.
    pub allowed: &'a (dyn Fn(&Challenge, &DnsName) -> Result<()> + Sync),
    /// How long DNS is asked for the place of a record.
    pub patience: Duration,
    /// The place of the record as it was found before, and when; nobody is asked again where that was less than a second ago.
    pub place: Option<(Instant, Place)>,
}

impl Owner<'_> {
    fn fresh_place(&self) -> Option<&Place> {
        self.place.as_ref().filter(|(found, _)| found.elapsed() < FRESH).map(|(_, place)| place)
    }
}

/// Hears what a solver does.
pub trait Events {
    /// A step, for `-v`.
    fn step(&self, text: &str);
    /// Something a person should look at.
    fn warning(&self, text: &str);
    /// The name servers are waited for, and their table has changed or a second has passed.
    fn servers(&self, rows: &[Row], waiting: &Waiting);
}

/// What became of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Solved {
    /// What the client asked for.
    pub challenge: Challenge,
    /// The name that holds the record, at the end of any CNAME chain.
    pub record: DnsName,
    /// The account domain that holds it; none for a record that never was.
    pub domain: Option<DnsName>,
    /// What became of it.
    pub status: Status,
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Added, or there before; nobody waited.
    Added,
    /// Served by every authoritative server that answers.
    Ready,
    /// Removed.
    Removed,
    /// It was not there.
    Missing,
}

impl Status {
    /// Returns the word of the document of `--json`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Ready => "ready",
            Self::Removed => "removed",
            Self::Missing => "missing",
        }
    }
}

/// The result of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Every record of the call.
    pub records: Vec<Solved>,
    /// The wait, if there was one.
    pub ready: Option<Ready>,
    /// What belongs to the success and a person may want to know.
    pub notes: Vec<String>,
    /// How long all of it took.
    pub took: Duration,
}

/// A call that failed, and how far it came.
#[derive(Debug)]
pub struct Failure {
    /// The records that are done all the same, and stay so.
    pub done: Vec<Solved>,
    /// The records that failed, with the reason; never empty.
    pub failed: Vec<RecordFailure>,
}

/// Why a record failed.
#[derive(Debug)]
pub struct RecordFailure {
    /// What the client asked for; none if the reason holds for all records of the call.
    pub challenge: Option<Challenge>,
    /// The reason, with the name of the record as context.
    pub error: Error,
}

impl Solved {
    fn of(entry: Entry, status: Status) -> Self {
        Self { challenge: entry.challenge(), record: entry.record, domain: Some(entry.domain), status }
    }
}

impl Failure {
    fn of(challenge: Challenge, error: Error) -> Self {
        Self { done: Vec::new(), failed: vec![RecordFailure { challenge: Some(challenge), error }] }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { done: Vec::new(), failed: vec![RecordFailure { challenge: None, error }] }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let first = failure.failed.into_iter().next();
        first.map_or_else(|| std::io::Error::other("the call failed").into(), |first| first.error)
    }
}

impl Solver<'_> {
    /// Does what a call asks for.
    ///
    /// # Errors
    /// The first error that stops it, with the name of the record as context.
    pub fn run(&self, call: &Call) -> Result<Outcome> {
        Ok(self.run_in_parts(call)?)
    }

    /// Does what a call asks for, and tells for each record what became of it.
    ///
    /// # Errors
    /// [`Failure`] if anything failed.
    pub fn run_in_parts(&self, call: &Call) -> Result<Outcome, Failure> {
        let (call, begun) = (each_once(call), Instant::now());
        let outcome = match call.action {
            Action::Add => self.add(&call),
            Action::Remove => self.remove(&call),
        };
        let outcome = outcome.map(|outcome| Outcome { took: begun.elapsed(), ..outcome });
        outcome.map_err(|failure| self.explain_interruption(&call, failure))
    }

    /// Until when requests and look-ups may be tried, for all records of a call together.
    fn policy(&self, call: &Call, purpose: CallKind) -> RetryPolicy {
        let budget = self.settings.propagation_timeout.max(SHORTEST_BUDGET);
        let others = if self.has_broker() { OTHERS_FIRST } else { Duration::ZERO };
        RetryPolicy::until(Instant::now() + budget + others + self.turns(call.challenges.len())).reading_for(purpose)
    }

    /// How long so many requests wait for their turns in the request window, even if all goes well.
    fn turns(&self, requests: usize) -> Duration {
        let rate = self.settings.api_rate;
        rate.hold().saturating_mul(u32::try_from(requests / rate.requests()).unwrap_or(u32::MAX))
    }

    fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }
}

/// The same call with each record once: one request is enough for two challenges with one value.
fn each_once(call: &Call) -> Call {
    let mut challenges: Vec<Challenge> = Vec::new();
    for challenge in &call.challenges {
        if !challenges.contains(challenge) {
            challenges.push(challenge.clone());
        }
    }
    Call { challenges, ..call.clone() }
}
