//! What every command that talks to IPv64 or DNS needs, built from the settings: client, look-ups, state, signals.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};

use super::Invocation;
use crate::api::{Access, Account, Client, Domain, RetryPolicy};
use crate::broker;
use crate::dns;
use crate::dns::pace::Pace;
use crate::dns::recursive::{DohPost, MAX_MESSAGE, Recursive};
use crate::dns::zone::{Lookup, Server};
use crate::error::{Context as _, Error, Kind, Result};
use crate::http::{Endpoint, HttpClient, HttpConfig, HttpRequest, Method, Payload};
use crate::limiter::{SharedLimiter, Traffic};
use crate::report::{Report, Waits};
use crate::secret::Secret;
use crate::settings::{NamedServer, Settings};
use crate::solver::{Events, Outcome, Solver, Upstream};
use crate::state::{self, State};
use crate::time::{Pause, SystemClock};

/// Sent with every request.
const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// Everything built from the settings, for one process.
pub(super) struct Context {
    pub(super) report: Report,
    pub(super) settings: Settings,
    pub(super) upstream: Upstream,
    lookup: Lookup,
    pub(super) state: State,
    traffic: Arc<Traffic>,
    /// What was waited for so far.
    pub(super) waits: Arc<Waits>,
    pause: Arc<Pause>,
    /// Set by a signal.
    pub(super) interrupted: Arc<AtomicBool>,
}

impl Context {
    /// Reads settings and key, and prepares everything; sends nothing to IPv64.
    pub(super) fn open(call: &Invocation<'_>) -> Result<Self> {
        let (sources, key) = call.sources_and_key()?;
        Self::with_key(Settings::load(&sources)?, key?, call.report)
    }

    /// Prepares everything for a key that may not be stored yet.
    pub(super) fn with_key(settings: Settings, key: Secret, report: Report) -> Result<Self> {
        let interrupted = watch_signals()?;
        let waits = Arc::new(Waits::new(report, Arc::clone(&interrupted)));
        let shared = Arc::clone(&waits);
        let pause: Arc<Pause> = Arc::new(move |waiting, length| shared.pause(waiting, length));
        let account = match &settings.broker {
            Some(broker) => state::Account::at_broker(&broker.to_string(), &key),
            None => state::Account::of(&key),
        };
        let state = State::open(settings.state_dir.as_deref(), account, Arc::new(SystemClock));
        let http = http_client(&settings)?;
        let lookup = lookup(&settings, &http);
        let traffic = Arc::default();
        let trace = move |line: &str| report.trace(line);
        let upstream = if let Some(address) = &settings.broker {
            let client = broker::client::Client::new(http, address.clone(), key);
            Upstream::Broker(client.observed_by(trace).pausing_with(Arc::clone(&pause)))
        } else {
            let (state, traffic, pause) = (state.clone(), Arc::clone(&traffic), Arc::clone(&pause));
            let limits = SharedLimiter { state, rate: settings.api_rate, traffic, pause: Arc::clone(&pause) };
            let access = Access { endpoint: settings.api_url.clone(), key, auth: settings.api_auth };
            Upstream::Api(Client::new(http, access, Box::new(limits)).observed_by(trace).pausing_with(pause))
        };
        Ok(Self { report, settings, upstream, lookup, state, traffic, waits, pause, interrupted })
    }

    /// Returns the IPv64 API.
    ///
    /// # Errors
    /// [`Kind::KeyMissing`] on a machine that asks a broker.
    pub(super) fn client(&self) -> Result<&Client> {
        match &self.upstream {
            Upstream::Api(client) => Ok(client),
            Upstream::Broker(_) => Err(needs_key(&self.settings)),
        }
    }

    /// Gives what the broker's engine works with.
    #[cfg(feature = "serve")]
    pub(super) fn into_parts(self) -> crate::serve::engine::Parts {
        let Self { settings, upstream, lookup, state, traffic, .. } = self;
        crate::serve::engine::Parts { settings, upstream, lookup, state, traffic }
    }

    /// Adds to the notes of a success what it has waited for.
    pub(super) fn with_waits(&self, mut done: Outcome) -> Outcome {
        done.notes.extend(self.waits.notes());
        done
    }

    /// Returns how many requests have left for IPv64.
    pub(super) fn requests(&self) -> u64 {
        self.traffic.passed()
    }

    /// Lists the domains of the account, and keeps their names for the next look-up.
    pub(super) fn domains(&self, policy: &RetryPolicy) -> Result<Vec<Domain>> {
        let domains = self.client()?.domains(policy).context("cannot list the domains of the account")?;
        let names: Vec<_> = domains.iter().map(|domain| domain.name.clone()).collect();
        self.state.usage(|usage, now| usage.domains.remember(&names, &[], now));
        Ok(domains)
    }

    /// Takes what the account says of its API calls, if it tells both how many were used today and how many there are.
    pub(super) fn learn_quota(&self, account: &Account) {
        if let (Some(used), Some(limit)) = (account.api_updates, account.class.api_limit) {
            self.state.usage(|usage, now| usage.daily.learn(used, limit, now));
        }
    }

    pub(super) fn solver<'a>(&'a self, events: &'a dyn Events) -> Solver<'a> {
        Solver {
            settings: &self.settings,
            upstream: &self.upstream,
            lookup: &self.lookup,
            state: &self.state,
            events,
            pause: &*self.pause,
            owner: None,
            interrupted: Arc::clone(&self.interrupted),
        }
    }

    /// Tells what went wrong with the state directory: once, with the way out, since the run went on without it.
    pub(super) fn tell_warnings(&self) {
        for warning in self.state.take_warnings() {
            self.report.warning_of(&warning.into());
        }
    }
}

/// The error of what only the account's own key can do.
pub(super) fn needs_key(settings: &Settings) -> Error {
    let broker =
        settings.broker.as_ref().map_or_else(|| "a broker".to_owned(), |broker| format!("the broker `{broker}`"));
    Error::new(Kind::KeyMissing, format!("this needs the API key, and this machine has none: it asks {broker}"))
        .advise("run it on the broker, which has the key; or unset IPV64_BROKER, and give a key to this machine too")
}

/// SIGINT and SIGTERM end a wait instead of the process; a second one ends the process.
pub(super) fn watch_signals() -> Result<Arc<AtomicBool>> {
    let interrupted = Arc::default();
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&interrupted))
            .context("cannot watch for signals")?;
    }
    note_signals(&interrupted)?;
    Ok(interrupted)
}

/// SIGINT and SIGTERM never end the process by themselves: for what ends soon, and has something to clear away.
pub(super) fn note_signals(interrupted: &Arc<AtomicBool>) -> Result<()> {
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(interrupted)).context("cannot watch for signals")?;
    }
    // A file that may not grow (`ulimit -f`) is to be a write that fails, not the end of the process in mid-challenge.
    signal_hook::flag::register(SIGXFSZ, Arc::default()).context("cannot watch for signals")?;
    Ok(())
}

pub(super) fn http_client(settings: &Settings) -> Result<Arc<HttpClient>> {
    Ok(Arc::new(HttpClient::new(&HttpConfig {
        timeout: settings.http_timeout,
        ca_file: settings.ca_file.clone(),
        certificates: settings.certificates.clone(),
        proxy: settings.proxy.clone(),
        user_agent: USER_AGENT.to_owned(),
    })?))
}

/// Prepares look-ups; asks nothing yet.
pub(super) fn lookup(settings: &Settings, http: &Arc<HttpClient>) -> Lookup {
    let post = doh_post(http);
    let resolvers = match settings.resolvers.as_slice() {
        [] => Recursive::of_system(Arc::clone(&post)),
        named => Recursive::new(named.to_vec(), Arc::clone(&post)),
    };
    let (mut servers, mut server_names) = (Vec::new(), Vec::new());
    for named in &settings.nameservers {
        match named {
            NamedServer::Address(ip, port) => {
                let address = SocketAddr::new(*ip, port.unwrap_or(settings.nameserver_port));
                servers.push(Server { name: None, address });
            }
            NamedServer::Name(name) => server_names.push(name.clone()),
        }
    }
    let roots = if settings.root_servers.is_empty() { dns::zone::world_roots() } else { settings.root_servers.clone() };
    Lookup {
        resolvers,
        fallback: Recursive::new(settings.doh.clone(), post),
        servers,
        server_names,
        roots,
        port: settings.nameserver_port,
        pace: Arc::new(Pace::default()),
        known: Arc::default(),
    }
}

/// Carries DNS queries over HTTPS (RFC 8484 section 4.1) with the same client as the API's requests.
fn doh_post(http: &Arc<HttpClient>) -> DohPost {
    const TYPE: &str = "application/dns-message";
    let http = Arc::clone(http);
    Arc::new(move |url, query, deadline| {
        let endpoint = Endpoint::parse(url)?;
        let request = HttpRequest {
            method: Method::POST,
            endpoint: &endpoint,
            accept: TYPE,
            authorization: None,
            payload: Some(Payload { content_type: TYPE, bytes: query }),
            limit: MAX_MESSAGE as u64,
            timeout: deadline.saturating_duration_since(Instant::now()),
        };
        let answer = http.send(&request).map_err(|error| error.to_string())?;
        if answer.status == 200 { Ok(answer.body) } else { Err(format!("HTTP status {}", answer.status)) }
    })
}
