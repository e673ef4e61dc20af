//! The client: authentication, the way past the rate limiter, tries, and one method per call.

use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::SignedDuration;

use crate::error::Explain;
use crate::excerpt::excerpt;
use crate::http::{HttpClient, HttpError, HttpRequest, HttpResponse, Payload};
use crate::name::DnsName;
use crate::time::{Pause, SystemClock, Timestamp, Waiting, sleep};

use super::access::Access;
use super::answer::{Change, read};
use super::models::{Account, Domain, LogEntry, RecordSpec};
use super::retry::{RetryPolicy, Tries};
use super::wire::{self, Answer, Call};
use super::{ApiError, RateLimiter};

/// The largest answer: 10,000 records take about 3 MB.
const ANSWER_LIMIT: u64 = 8 * 1024 * 1024;
/// What a request gets that leaves just before the deadline: less would be a request for nothing.
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(1);
/// How much of a parameter the observer hears, in characters.
const SHOWN: usize = 80;

type Observer = Box<dyn Fn(&str) + Send + Sync>;

/// Calls the API for one account.
///
/// Every method takes a [`RetryPolicy`] and returns at its deadline at the latest. Errors that pass by themselves are
/// tried again where a repetition does no harm; see each method.
pub struct Client {
    http: Arc<HttpClient>,
    access: Access,
    limiter: Box<dyn RateLimiter>,
    observer: Observer,
    pause: Arc<Pause>,
    skew: Mutex<Option<SignedDuration>>,
}

impl Client {
    /// Makes a client; sends nothing.
    #[must_use]
    pub fn new(http: Arc<HttpClient>, access: Access, limiter: Box<dyn RateLimiter>) -> Self {
        Self { http, access, limiter, observer: Box::new(|_| ()), pause: Arc::new(sleep), skew: Mutex::default() }
    }

    /// Reports each request to `observer`, a line each, for verbose output: without the key and without the answer's body.
    #[must_use]
    pub fn observed_by(self, observer: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { observer: Box::new(observer), ..self }
    }

    /// Returns how far the clock of this machine is ahead of that of the API, by the `Date` of the last answer that had one
    /// (RFC 9110 section 6.6.1): to the second, and the time that the answer took.
    #[must_use]
    pub fn skew(&self) -> Option<SignedDuration> {
        *self.skew.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits between two tries with `pause` instead of sleeping; its error ends the call with the last error.
    #[must_use]
    pub fn pausing_with(self, pause: Arc<Pause>) -> Self {
        Self { pause, ..self }
    }

    /// Returns the account of the key with its limits and what is used of them. Whether this costs a call of the daily
    /// quota is unknown.
    ///
    /// # Errors
    /// [`ApiError`]; tried again after every error that passes.
    pub fn account(&self, policy: &RetryPolicy) -> Result<Account, ApiError> {
        self.read(&Call::Account, policy, Answer::account)
    }

    /// Returns the last entries of the account's log: 100 (documented).
    ///
    /// # Errors
    /// [`ApiError`]; tried again after every error that passes.
    pub fn logs(&self, policy: &RetryPolicy) -> Result<Vec<LogEntry>, ApiError> {
        self.read(&Call::Logs, policy, Answer::logs)
    }

    /// Returns every domain of the account with its records, in the order of their names.
    ///
    /// # Errors
    /// [`ApiError`]; tried again after every error that passes.
    pub fn domains(&self, policy: &RetryPolicy) -> Result<Vec<Domain>, ApiError> {
        self.read(&Call::Domains, policy, Answer::domains)
    }

    /// Adds a domain to the account.
    ///
    /// # Errors
    /// [`ApiError::Rejected`] if the name is taken, not allowed, or one too many. Not tried again once the request may
    /// have arrived: the answer "not available" would then hide that the name is ours.
    pub fn add_domain(&self, name: &DnsName, policy: &RetryPolicy) -> Result<(), ApiError> {
        self.write(&Call::AddDomain(name), policy).map(drop)
    }

    /// Deletes a domain **and all its records**.
    ///
    /// # Errors
    /// [`ApiError`]; not tried again once the request may have arrived.
    pub fn delete_domain(&self, name: &DnsName, policy: &RetryPolicy) -> Result<(), ApiError> {
        self.write(&Call::DeleteDomain(name), policy).map(drop)
    }

    /// Adds a record and returns when IPv64 has stored it. Stored is not visible: the name servers follow later.
    ///
    /// Safe to repeat: an exact duplicate is [`Change::HeldBefore`].
    ///
    /// # Errors
    /// [`ApiError::Rejected`] for a domain that is not the account's and for content that IPv64 does not take;
    /// [`ApiError::may_have_been_stored`] tells whether the record may exist all the same.
    pub fn add_record(&self, record: &RecordSpec, policy: &RetryPolicy) -> Result<Change, ApiError> {
        self.write(&Call::AddRecord(record), policy)
    }

    /// Adds a record as [`Client::add_record`] does. Where a reply was lost, `is_seen` looks for the record elsewhere before the
    /// API is asked again, and takes no longer than it is told. A duplicate that comes to light then is [`Change::Made`]: it is
    /// most likely our own.
    ///
    /// # Errors
    /// [`ApiError`]; as [`Client::add_record`].
    pub fn add_record_unless(
        &self,
        record: &RecordSpec,
        policy: &RetryPolicy,
        is_seen: &dyn Fn(Duration) -> bool,
    ) -> Result<Change, ApiError> {
        let is_lost = Cell::new(false);
        let seen = |pause| {
            is_lost.set(true);
            is_seen(pause).then_some(Change::Made)
        };
        let change = self.run(&Call::AddRecord(record), policy, |change, _| Some(change), &seen)?;
        Ok(if is_lost.get() { Change::Made } else { change })
    }

    /// Deletes the record with exactly this name, type and content. Others under the same name stay.
    ///
    /// Safe to repeat: a record that is not there is [`Change::HeldBefore`], not an error.
    ///
    /// # Errors
    /// [`ApiError`]
    pub fn delete_record(&self, record: &RecordSpec, policy: &RetryPolicy) -> Result<Change, ApiError> {
        self.write(&Call::DeleteRecord(record), policy)
    }

    /// Deletes the record with this number.
    ///
    /// # Errors
    /// [`ApiError`]; as [`Client::delete_record`].
    pub fn delete_record_by_id(&self, id: u64, policy: &RetryPolicy) -> Result<Change, ApiError> {
        self.write(&Call::DeleteRecordById(id), policy)
    }

    fn write(&self, call: &Call<'_>, policy: &RetryPolicy) -> Result<Change, ApiError> {
        self.run(call, policy, |change, _| Some(change), &|_| None)
    }

    fn read<T>(
        &self,
        call: &Call<'_>,
        policy: &RetryPolicy,
        take: impl Fn(&Answer) -> Option<T>,
    ) -> Result<T, ApiError> {
        self.run(call, policy, |_, body| take(body), &|_| None)
    }

    fn run<T>(
        &self,
        call: &Call<'_>,
        policy: &RetryPolicy,
        take: impl Fn(Change, &Answer) -> Option<T>,
        seen: &dyn Fn(Duration) -> Option<T>,
    ) -> Result<T, ApiError> {
        let mut tries = Tries::new(*policy);
        let mut since = None;
        let kind = if call.reads() { policy.reads_for } else { call.kind() };
        if policy.insists {
            self.limiter.insist();
        }
        loop {
            let permit = self.limiter.acquire(kind, policy.deadline).map_err(|error| tries.conclude(error.into()))?;
            if permit.is_only_try {
                tries.end_with_this();
            }
            let since = *since.get_or_insert_with(Instant::now);
            let answer = self.exchange(call, policy.deadline);
            let result = answer.and_then(|answer| read(call, &answer, &self.access, &take));
            (permit.done)(!result.as_ref().is_err_and(ApiError::is_unanswered));
            let error = match result {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let (error, pause) = tries.after(error, call);
            if let ApiError::RateLimited { limit, retry_after, .. } = error.cause() {
                self.limiter.refused(*retry_after, *limit);
            }
            let Some(pause) = pause else {
                tries.gave_up(&error).into_iter().for_each(|after| self.limiter.gave_up(after));
                return Err(error);
            };
            let begun = Instant::now();
            let found = Some(pause).filter(|_| tries.may_be_done()).and_then(seen);
            let limit = policy.deadline.saturating_duration_since(since);
            let waiting = Waiting { what: format!("the next try: {error}"), since, limit };
            let rest = if found.is_some() { Duration::ZERO } else { pause.saturating_sub(begun.elapsed()) };
            let paused = (self.pause)(&waiting, rest);
            if let Some(value) = found {
                return Ok(value);
            }
            if paused.is_err() {
                return Err(tries.conclude(error));
            }
        }
    }

    /// Sends one request and reports it.
    fn exchange(&self, call: &Call<'_>, deadline: Instant) -> Result<HttpResponse, ApiError> {
        let started = Instant::now();
        let timeout = deadline.saturating_duration_since(started).max(SHORTEST_TIMEOUT);
        let result = self.send(call, timeout);
        (self.observer)(&trace(call, &result, started.elapsed()));
        let answer = result?;
        if let Some(date) = answer.date {
            let millis = |time: Timestamp| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
            let skew = SignedDuration::from_millis(millis(SystemClock::now()).saturating_sub(millis(date)));
            *self.skew.lock().unwrap_or_else(PoisonError::into_inner) = Some(skew);
        }
        Ok(answer)
    }

    fn send(&self, call: &Call<'_>, timeout: Duration) -> Result<HttpResponse, HttpError> {
        let Access { endpoint, key, auth } = &self.access;
        let (form, header) = (call.form(auth.parameter().map(|name| (name, key))), self.access.header());
        let target = if call.reads() { endpoint.with_query(&form)? } else { endpoint.clone() };
        let payload = Payload { content_type: wire::FORM, bytes: form.as_bytes() };
        self.http.send(&HttpRequest {
            method: call.method(),
            endpoint: &target,
            accept: "application/json",
            authorization: header.as_deref(),
            payload: (!call.reads()).then_some(payload),
            limit: ANSWER_LIMIT,
            timeout,
        })
    }
}

/// What the observer hears of a request: `POST add_record=name.ipv64.net type=TXT: 201 in 84 ms`. No key, no header, no body
/// of an answer; control characters are made visible.
fn trace(call: &Call<'_>, result: &Result<HttpResponse, HttpError>, duration: Duration) -> String {
    let parameters = call.parameters();
    let shown = parameters.iter().map(|(name, value)| format!("{name}={}", excerpt(value, SHOWN)));
    let shown = if parameters.is_empty() { call.name().to_owned() } else { shown.collect::<Vec<_>>().join(" ") };
    let outcome = match result {
        Ok(answer) => answer.status.to_string(),
        Err(error) => error.kind().as_str().to_owned(),
    };
    format!("{} {shown}: {outcome} in {} ms", call.method().as_str(), duration.as_millis())
}
