//! What the tests of this room share: a scripted server with a client for it, and the fixtures.
//!
//! `fixtures/` has one file per documented answer and per observed one, named `<endpoint>-<case>`.

mod answers;
mod errors;
mod secrets;
mod tries;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::*;
use crate::challenge::TxtValue;
use crate::error::Explain;
use crate::exit::Exit;
use crate::http::tests::scripted::{Scripted, Step, client as http_client};
use crate::name::DnsName;
use crate::secret::Secret;
use crate::state::LimitError;
use crate::time::Waiting;

const KEY: &str = "canary-0123456789abcdef0123456789";
/// `ipv64:KEY` in base64.
const BASIC: &str = "aXB2NjQ6Y2FuYXJ5LTAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5";

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../fixtures/", $name))
    };
}

use fixture;

/// A server with a script, a client for it that does not really pause, and what the client reported.
struct Setup {
    server: Scripted,
    client: Client,
    pauses: Arc<Mutex<Vec<(String, Duration)>>>,
    trace: Arc<Mutex<Vec<String>>>,
}

/// Lets everything pass.
struct Unlimited;

impl RateLimiter for Unlimited {
    fn acquire(&self, _: CallKind, _: Instant) -> Result<Permit, LimitError> {
        Ok(Permit { is_only_try: false, done: Box::new(|_| ()) })
    }

    fn refused(&self, _: Option<Duration>, _: Limit) {}

    fn insist(&self) {}

    fn gave_up(&self, _: Duration) {}
}

impl Setup {
    fn new(steps: Vec<Step>) -> Self {
        Self::with(steps, AuthMethod::Bearer, Box::new(Unlimited))
    }

    fn with(steps: Vec<Step>, auth: AuthMethod, limiter: Box<dyn RateLimiter>) -> Self {
        let server = Scripted::start(steps);
        let access = Access { endpoint: server.endpoint(), key: Secret::parse(KEY).unwrap(), auth };
        let (pauses, trace) = (Arc::<Mutex<Vec<_>>>::default(), Arc::<Mutex<Vec<_>>>::default());
        let (paused, traced) = (Arc::clone(&pauses), Arc::clone(&trace));
        let client = Client::new(Arc::new(http_client(Duration::from_millis(500))), access, limiter)
            .pausing_with(Arc::new(move |waiting: &Waiting, length| {
                paused.lock().unwrap().push((waiting.what.clone(), length));
                Ok(())
            }))
            .observed_by(move |line| traced.lock().unwrap().push(line.to_owned()));
        Self { server, client, pauses, trace }
    }

    fn answering(status: u16, body: &str) -> Self {
        Self::new(vec![Step::json(status, body)])
    }

    fn pauses(&self) -> Vec<Duration> {
        self.pauses.lock().unwrap().iter().map(|(_, length)| *length).collect()
    }

    /// What each pause was for.
    fn reasons(&self) -> Vec<String> {
        self.pauses.lock().unwrap().iter().map(|(what, _)| what.clone()).collect()
    }
}

/// A policy that allows one request.
fn once() -> RetryPolicy {
    RetryPolicy { tries: 1, ..patient() }
}

fn patient() -> RetryPolicy {
    RetryPolicy::until(Instant::now() + Duration::from_secs(120))
}

fn name(text: &str) -> DnsName {
    DnsName::parse(text).unwrap()
}

fn challenge() -> RecordSpec {
    let value = TxtValue::parse("-5qEv_d0").unwrap();
    RecordSpec::within(
        &name("name.ipv64.net"),
        &name("_acme-challenge.a.name.ipv64.net"),
        RecordType::TXT,
        value.as_str(),
    )
    .unwrap()
}

fn error_of(status: u16, body: &str) -> ApiError {
    Setup::answering(status, body).client.add_record(&challenge(), &once()).unwrap_err()
}
