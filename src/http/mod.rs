//! HTTP requests with deadlines and size limits, for the API and for DNS over HTTPS: the only room that knows ureq.
//! What a request means, and whether it may be repeated, is left to the rooms that send it.
//!
//! TLS is never optional off loopback ([`Endpoint`]), redirects are not followed (the key would travel with them or
//! a POST become a GET), and one [`HttpClient`] keeps its connections open between two requests.

mod backoff;
mod connect;
mod error;
mod explain;
mod names;
mod proxy;
mod race;
mod retry_after;
mod target;
mod tls;
mod trust;
mod unix;

use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use ureq::http as types;

pub use backoff::{MOST_TRIES, backoff};
pub use error::HttpError;
pub use names::{NoAddress, look_up};
pub use proxy::ProxyEnv;
pub use target::{Endpoint, without_secrets};
pub use trust::CertEnv;
pub use ureq::http::Method;

use names::Names;

use crate::time::{SystemClock, Timestamp};

/// The longest time for reaching a host: TCP, proxy, TLS. Without it, dead addresses cost the kernel's two minutes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Returns whether a host accepts a connection within this time; no request is sent. None where a proxy is in between, which
/// accepts in its place.
#[must_use]
pub fn accepts(endpoint: &Endpoint, proxy: &ProxyEnv, within: Duration) -> Option<bool> {
    if !matches!(proxy.proxy_for(endpoint), Ok(None)) {
        return None;
    }
    let deadline = Instant::now() + within;
    let addresses = look_up(endpoint.host(), endpoint.port(), within).unwrap_or_default();
    let left = deadline.saturating_duration_since(Instant::now());
    let connect = |address, time| TcpStream::connect_timeout(&address, time);
    Some(race::race(&race::order(&addresses, None), left, connect).is_ok())
}

/// How requests are sent. Plain values: nothing in this room reads the environment.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// One request, from the name look-up to the last byte of the answer.
    pub timeout: Duration,
    /// A PEM file of certificates that are trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// The variables for the system's certificates.
    pub certificates: CertEnv,
    /// The proxy variables.
    pub proxy: ProxyEnv,
    /// Sent with every request: IPv64 may filter requests without one (observed).
    pub user_agent: String,
}

/// What a request carries.
#[derive(Clone, Copy)]
pub struct Payload<'a> {
    /// Its media type.
    pub content_type: &'a str,
    /// The bytes. May hold a key, so the type has no `Debug`.
    pub bytes: &'a [u8],
}

/// One request. May hold a key, so the type has no `Debug`.
#[derive(Clone)]
pub struct HttpRequest<'a> {
    /// The method: IPv64 takes the parameters of a `DELETE` in the body.
    pub method: Method,
    /// Where to, with the query if there is one.
    pub endpoint: &'a Endpoint,
    /// The media type that the caller can read.
    pub accept: &'a str,
    /// The value of the header `Authorization` (RFC 9110 section 11.6.2), if it has one.
    pub authorization: Option<&'a str>,
    /// The body; none for `GET`.
    pub payload: Option<Payload<'a>>,
    /// The largest body of an answer in bytes; a larger one is an error.
    pub limit: u64,
    /// The longest time for this request; the shorter of this and [`HttpConfig::timeout`] holds.
    pub timeout: Duration,
}

/// An answer, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// `Retry-After` (RFC 9110 section 10.2.3), counted from the arrival of the answer.
    pub retry_after: Option<Duration>,
    /// `Date` (RFC 9110 section 6.6.1): the server's clock.
    pub date: Option<Timestamp>,
    /// Where a redirect points.
    pub location: Option<String>,
    /// The media type with its parameters, as sent.
    pub content_type: Option<String>,
    /// The body, read to its end.
    pub body: Vec<u8>,
}

/// Sends requests. Cheap to make: certificates are loaded when the first `https` request leaves.
pub struct HttpClient {
    config: HttpConfig,
    extra_roots: Vec<ureq::tls::Certificate<'static>>,
    plain: OnceLock<ureq::Agent>,
    tls: OnceLock<ureq::Agent>,
    unix: OnceLock<ureq::Agent>,
}

impl HttpClient {
    /// Prepares a client; opens no connection.
    ///
    /// # Errors
    /// [`Kind::BadCaFile`](crate::error::Kind::BadCaFile) for a file that cannot be read, that others can change, or that
    /// holds no certificate.
    pub fn new(config: &HttpConfig) -> Result<Self, HttpError> {
        config.certificates.check()?;
        let extra_roots = match &config.ca_file {
            Some(path) => trust::read_ca_file(path)?,
            None => Vec::new(),
        };
        Ok(Self {
            config: config.clone(),
            extra_roots,
            plain: OnceLock::new(),
            tls: OnceLock::new(),
            unix: OnceLock::new(),
        })
    }

    /// Sends one request and reads the answer to its end. Every status is an answer, not an error.
    ///
    /// # Errors
    /// [`HttpError`] when there is no complete answer; [`HttpError::may_have_arrived`] tells whether the other side
    /// may have acted on the request all the same.
    pub fn send(&self, request: &HttpRequest<'_>) -> Result<HttpResponse, HttpError> {
        let attempt = Attempt {
            endpoint: request.endpoint,
            proxy: self.config.proxy.proxy_for(request.endpoint)?,
            timeout: request.timeout.min(self.config.timeout),
        };
        let answer = self.exchange(request, &attempt).map_err(|error| attempt.explain(error))?;
        read(answer, request.limit).map_err(|error| attempt.explain_rest(error))
    }

    fn exchange(
        &self,
        request: &HttpRequest<'_>,
        attempt: &Attempt<'_>,
    ) -> Result<types::Response<ureq::Body>, ureq::Error> {
        let mut head = types::Request::builder()
            .method(&request.method)
            .uri(request.endpoint.as_str())
            .header("Accept", request.accept);
        if let Some(authorization) = request.authorization {
            head = head.header("Authorization", authorization);
        }
        if let Some(payload) = request.payload {
            head = head.header("Content-Type", payload.content_type);
        }
        match request.payload {
            Some(payload) => self.run(head.body(payload.bytes)?, attempt),
            None => self.run(head.body(())?, attempt),
        }
    }

    fn run(
        &self,
        request: types::Request<impl ureq::AsSendBody>,
        attempt: &Attempt<'_>,
    ) -> Result<types::Response<ureq::Body>, ureq::Error> {
        let agent = self.agent(attempt.endpoint);
        let request = agent
            .configure_request(request)
            .proxy(attempt.proxy.clone())
            .timeout_global(Some(attempt.timeout))
            .timeout_connect(Some(attempt.timeout.min(CONNECT_TIMEOUT)));
        agent.run(request.build())
    }

    fn agent(&self, endpoint: &Endpoint) -> &ureq::Agent {
        let settings = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .user_agent(&self.config.user_agent);
        let agent = |config, names| ureq::Agent::with_parts(config, connect::connector(), names);
        if let Some(path) = endpoint.socket() {
            // A machine has one broker, so there is one socket.
            let connector = unix::UnixConnector(path.to_owned());
            self.unix.get_or_init(|| ureq::Agent::with_parts(settings.build(), connector, Names::ThisMachine))
        } else if endpoint.is_https() {
            let trust = || trust::tls_config(&self.extra_roots);
            self.tls.get_or_init(|| agent(settings.tls_config(trust()).build(), Names::Any))
        } else {
            self.plain.get_or_init(|| agent(settings.build(), Names::ThisMachine))
        }
    }
}

/// One try of a request: what its error has to tell.
struct Attempt<'a> {
    endpoint: &'a Endpoint,
    proxy: Option<ureq::Proxy>,
    timeout: Duration,
}

fn read(mut answer: types::Response<ureq::Body>, limit: u64) -> Result<HttpResponse, ureq::Error> {
    let header = |name: &str| answer.headers().get(name)?.to_str().ok().map(str::to_owned);
    let date = header("Date").and_then(|text| Timestamp::parse_http(text.trim()));
    // A date is the server's: counted from its own clock, a wrong one here makes no pause longer or shorter.
    let now = date.unwrap_or_else(SystemClock::now);
    let retry_after = header("Retry-After").and_then(|text| retry_after::parse(&text, now));
    let (location, content_type) = (header("Location"), header("Content-Type"));
    let status = answer.status().as_u16();
    let body = answer.body_mut().with_config().limit(limit).read_to_vec()?;
    Ok(HttpResponse { status, retry_after, date, location, content_type, body })
}

#[cfg(test)]
pub(crate) mod tests;
