//! The hook's side of `/v1`: adds and removes records by a broker. Requests are repeated where that does no harm, which
//! is always: a broker answers the same request twice with one change.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::BrokerError;
use super::protocol::{CLEANUP, CLIENT, ClientAnswer, PRESENT, RecordAnswer, RecordRequest};
use crate::challenge::Challenge;
use crate::http::{Endpoint, HttpClient, HttpRequest, HttpResponse, Method, Payload, backoff};
use crate::secret::Secret;
use crate::time::{Pause, Waiting, sleep};

/// The largest answer: a client with a thousand names.
const ANSWER_LIMIT: u64 = 256 * 1024;
/// What a request gets that leaves just before the deadline: less would be a request for nothing.
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(1);
/// The shortest pause between two tries, whatever the broker asks for.
const SHORTEST_PAUSE: Duration = Duration::from_millis(500);
const JSON: &str = "application/json";

type Observer = Box<dyn Fn(&str) + Send + Sync>;

/// How long and how often a request is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// No pause ends after this and no request runs beyond it, but for one second that the last one always gets.
    pub deadline: Instant,
    /// The most requests, the first one included; never more than [`crate::http::MOST_TRIES`]. Those do not count that the
    /// broker answers because the record still waits for its turn.
    pub tries: u32,
}

/// Asks one broker, with one token.
pub struct Client {
    http: Arc<HttpClient>,
    address: Endpoint,
    token: Secret,
    observer: Observer,
    pause: Arc<Pause>,
}

impl Client {
    /// Makes a client; sends nothing. Without a token, the broker has to know this user by its Unix socket.
    #[must_use]
    pub fn new(http: Arc<HttpClient>, address: Endpoint, token: Secret) -> Self {
        Self { http, address, token, observer: Box::new(|_| ()), pause: Arc::new(sleep) }
    }

    /// Reports each request to `observer`, a line each, for verbose output: without the token and without the answer's body.
    #[must_use]
    pub fn observed_by(self, observer: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { observer: Box::new(observer), ..self }
    }

    /// Waits between two tries with `pause` instead of sleeping; where it is interrupted, the last error ends the request.
    #[must_use]
    pub fn pausing_with(self, pause: Arc<Pause>) -> Self {
        Self { pause, ..self }
    }

    /// Adds the record of a challenge for an ACME client (`certbot`), and returns when IPv64 has stored it.
    ///
    /// # Errors
    /// [`BrokerError`]
    pub fn present(
        &self,
        challenge: &Challenge,
        client: &str,
        patience: Patience,
    ) -> Result<RecordAnswer, BrokerError> {
        self.run(PRESENT, Some((challenge, client)), patience)
    }

    /// Removes the record of a challenge, if this client of the broker has added it.
    ///
    /// # Errors
    /// [`BrokerError`]
    pub fn cleanup(
        &self,
        challenge: &Challenge,
        client: &str,
        patience: Patience,
    ) -> Result<RecordAnswer, BrokerError> {
        self.run(CLEANUP, Some((challenge, client)), patience)
    }

    /// Returns what this client of the broker may do.
    ///
    /// # Errors
    /// [`BrokerError`]
    pub fn client(&self, patience: Patience) -> Result<ClientAnswer, BrokerError> {
        self.run(CLIENT, None, patience)
    }

    fn run<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        record: Option<(&Challenge, &str)>,
        patience: Patience,
    ) -> Result<T, BrokerError> {
        let body = record.map(|(Challenge { name, value }, client)| {
            let request = RecordRequest { name: name.clone(), value: value.to_string(), client: client.to_owned() };
            // Texts alone: nothing in it can fail.
            serde_json::to_vec(&request).unwrap_or_default()
        });
        let (since, mut made, mut was_lost) = (Instant::now(), 0, false);
        let limit = patience.deadline.saturating_duration_since(since);
        loop {
            let started = Instant::now();
            let timeout = patience.deadline.saturating_duration_since(started).max(SHORTEST_TIMEOUT);
            let answer = self.send(path, body.as_deref(), timeout);
            (self.observer)(&trace((path, record), &answer, started.elapsed()));
            let error = match answer {
                Ok(answer) => match BrokerError::read(&answer, &self.token) {
                    Ok(value) => return Ok(value),
                    Err(error) => error,
                },
                Err(error) => error,
            };
            // One that only waits for its turn keeps its place there, and asking again is part of the same try.
            made += u32::from(!error.is_queued());
            was_lost |= error.may_be_done();
            let left = patience.deadline.saturating_duration_since(Instant::now());
            let next = backoff(made, patience.tries, left).filter(|_| error.is_worth_a_try());
            let pause = next
                .map(|pause| error.retry_after().map_or(pause, |asked| asked.max(SHORTEST_PAUSE)))
                .filter(|pause| *pause < left);
            let waiting = Waiting { what: format!("the next try: {error}"), since, limit };
            if pause.is_none_or(|pause| (self.pause)(&waiting, pause).is_err()) {
                return Err(if was_lost { error.after_lost_reply() } else { error });
            }
        }
    }

    fn send(&self, path: &str, body: Option<&[u8]>, timeout: Duration) -> Result<HttpResponse, BrokerError> {
        let authorization = format!("Bearer {}", self.token.expose());
        let answer = self.http.send(&HttpRequest {
            method: if body.is_some() { Method::POST } else { Method::GET },
            endpoint: &self.address.below(path)?,
            accept: JSON,
            authorization: Some(authorization.as_str()).filter(|_| !self.token.expose().is_empty()),
            payload: body.map(|bytes| Payload { content_type: JSON, bytes }),
            limit: ANSWER_LIMIT,
            timeout,
        });
        Ok(answer?)
    }
}

/// What the observer hears of a request: `POST /v1/present name=_acme-challenge.example.com: 200 in 84 ms`.
fn trace(
    (path, record): (&str, Option<(&Challenge, &str)>),
    answer: &Result<HttpResponse, BrokerError>,
    duration: Duration,
) -> String {
    let (method, name) = match record {
        Some((challenge, _)) => ("POST", format!(" name={}", challenge.name)),
        None => ("GET", String::new()),
    };
    let outcome = match answer {
        Ok(answer) => answer.status.to_string(),
        Err(error) => crate::error::Explain::kind(error).as_str().to_owned(),
    };
    format!("{method} {path}{name}: {outcome} in {} ms", duration.as_millis())
}

#[cfg(test)]
mod tests;
