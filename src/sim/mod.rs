//! A simulated IPv64: the HTTP API and the name servers on one store of records, on loopback, with real sockets.
//!
//! It accepts and rejects what the real service does, as far as that is known, logs every call and question, and can
//! be made to fail in every way that the real one might. Nothing here is used by the product itself: it is for tests,
//! for trying ACME clients, and for the demonstration. It needs a system on which all of 127/8 is loopback (Linux).
//!
//! # In process
//!
//! ```no_run
//! # fn main() -> Result<(), ipv64_acme::sim::SimError> {
//! use std::time::Duration;
//! use ipv64_acme::sim::{Config, Sim};
//!
//! let sim = Sim::start(Config::with_delays(&[Duration::from_secs(1), Duration::from_secs(3)]))?;
//! for (variable, value) in sim.env() {
//!     // hand them to the program under test
//! }
//! assert!(sim.records_left().is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! # As a process
//!
//! The listener of the API has a control interface below `/sim/`:
//!
//! | request | does |
//! |---|---|
//! | `GET /sim/state` | `env` (variables for clients), `api`, `doh`, `servers` and `resolvers` (`name`, `address`, `settings`), `faults`, `accounts` (`number`, `calls_today`) |
//! | `GET /sim/log` | `calls` and `questions`, fields as in [`ApiCall`] and [`Question`]; `at` is seconds since the start |
//! | `GET /sim/records` | `now`, `records`: `id`, `name`, `domain`, `praefix`, `type`, `content`, `added`, `deleted` (seconds since the start; null for configured and standing ones), `everywhere` (since when every honest server shows a TXT record) |
//! | `POST /sim/server/WHICH` | changes the named fields of [`ServerSettings`] or [`ResolverSettings`]; WHICH as for [`Sim::addresses`] |
//! | `POST /sim/fault` | orders one [`ApiFault`] or a list of them |
//! | `POST /sim/lookup` | begins one [`LookupFault`] |
//! | `POST /sim/limits` | `burst` (`[3, 10]` or null), `daily` (64 or null), `today` (the calls made so far); named fields only |
//! | `POST /sim/reset` | everything as at the start: settings, faults, limits, records, logs |
//!
//! Answers are JSON; a refusal is 400 or 404 with `{"error": "…"}`.

mod api;
mod bend;
mod cache;
mod config;
mod content;
mod control;
mod delivery;
mod doh;
mod faults;
mod form;
mod hierarchy;
mod http;
mod limits;
mod listener;
mod log;
mod lookups;
mod names;
pub mod network;
mod packets;
mod resolver;
mod seed;
mod server;
mod settings;
mod shared;
mod store;
mod threads;
mod tls;
mod topology;
mod truth;
mod web;
mod wire;
mod world;
mod zone;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::Arc,
};

use resolver::Resolver;
use server::Server;
use shared::Shared;
use topology::Topology;
use world::World;

pub use config::{Account, Config, ForeignZone, Limits, NameServer, NamedBy, RefusedCalls, Secured, ZoneCut};
pub use faults::{Action, ApiFault, Effect};
pub use log::{ApiCall, AuthWay, CallKind, LimitKind, Question, Transport};
pub use lookups::{LookupAnswer, LookupFault};
pub use settings::{
    Authority, Backend, Balance, CacheSettings, EdnsSupport, Listen, Meets, Missing, Packets, Rcode, ResolverMode,
    ResolverSettings, ServerSettings, StaticRecord,
};
pub use store::{Life as RecordLife, StoredRecord};
pub use tls::{Certificate, TlsSide};

#[cfg(test)]
mod tests;

/// Why a simulation does not start, or does not know what is meant.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// An address or a port cannot be had.
    #[error("cannot listen for {what}")]
    Bind {
        /// Who was to listen.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A name, a record or a setting of the configuration is malformed.
    #[error("the simulation cannot be set up: {0}")]
    Config(String),
    /// No certificate can be made.
    #[error("cannot make a certificate")]
    Certificate {
        /// What the library said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No server, resolver or account has this name or address.
    #[error("the simulation has no `{0}`")]
    Unknown(String),
}

impl crate::error::Explain for SimError {
    fn kind(&self) -> crate::error::Kind {
        match self {
            Self::Bind { .. } => crate::error::Kind::SimBind,
            Self::Certificate { .. } => crate::error::Kind::SimCertificate,
            Self::Config(_) => crate::error::Kind::SimConfig,
            Self::Unknown(_) => crate::error::Kind::SimUnknown,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Bind { .. } => Some("ports below 1024 need root; port 0 takes a free one".into()),
            Self::Config(_) => Some("names are written as in DNS, record contents as the API takes them".into()),
            Self::Certificate { .. } | Self::Unknown(_) => None,
        }
    }
}

/// A running simulation. Dropping it ends all threads and frees all ports.
pub struct Sim {
    shared: Arc<Shared>,
}

impl Sim {
    /// Binds all sockets and starts to serve.
    ///
    /// # Errors
    /// [`SimError::Bind`] if an address or port cannot be had, [`SimError::Config`] for malformed names and records.
    pub fn start(config: Config) -> Result<Self, SimError> {
        let topology = Topology::bind(&config)?;
        let bind = |source| SimError::Bind { what: "the API", source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, config.api_port)).map_err(bind)?;
        let api_address = listener.local_addr().map_err(bind)?;
        let Topology { servers, resolvers, hierarchy, port } = topology;
        let world = Arc::new(World::new(hierarchy, config.seed));
        seed::fill(&mut world.store.hold(), &config)?;

        let mut all = Vec::new();
        for (role, place) in servers {
            let server = Arc::new(Server::new(&place.name, place.address, role, place.settings, &world));
            listener::serve(place.sockets, place.address, &server, &world.crew);
            all.push(server);
        }
        let name_servers: Arc<[_]> = all.into();
        let mut serving = Vec::new();
        for place in resolvers {
            let resolver = Arc::new(Resolver::new(&place.name, place.address, place.settings, &world, &name_servers));
            listener::serve(place.sockets, place.address, &resolver, &world.crew);
            serving.push(resolver);
        }
        let api = shared::api(&config);
        let shared =
            Arc::new(Shared { world, api, name_servers, resolvers: serving, config, api_address, dns_port: port });
        shared.order_lookup_faults();
        web::serve(listener, api_address, &shared);
        Ok(Self { shared })
    }

    /// The URL of the API.
    #[must_use]
    pub fn api_url(&self) -> String {
        self.shared.api_url()
    }

    /// The URL of DNS over HTTPS, spoken without TLS. The resolver named `doh` answers there, else the first one.
    #[must_use]
    pub fn doh_url(&self) -> String {
        self.shared.doh_url()
    }

    /// The URL below which the control interface answers.
    #[must_use]
    pub fn control_url(&self) -> String {
        format!("http://{}/sim/", self.shared.api_address)
    }

    /// The key of an account; the first one has the number 0.
    #[must_use]
    pub fn key(&self, account: usize) -> Option<&str> {
        self.shared.api.accounts.get(account).map(|account| account.key.as_str())
    }

    /// The environment variables of a client of this simulation.
    #[must_use]
    pub fn env(&self) -> Vec<(String, String)> {
        self.shared.env()
    }

    /// The addresses of a server by host name, `root`, `tld`, `foreign`, IP address, or the name of a resolver.
    #[must_use]
    pub fn addresses(&self, which: &str) -> Vec<SocketAddr> {
        let servers = self.shared.servers(which).map(|server| server.address);
        servers.chain(self.shared.resolvers(which).map(|resolver| resolver.address)).collect()
    }

    /// Every DNS server address with its name, the resolvers last.
    #[must_use]
    pub fn dns_servers(&self) -> Vec<(String, SocketAddr)> {
        let servers = self.shared.name_servers.iter().map(|server| (server.name.clone(), server.address));
        let resolvers = self.shared.resolvers.iter().map(|resolver| (resolver.name.clone(), resolver.address));
        servers.chain(resolvers).collect()
    }

    /// Changes the behaviour of authoritative servers, named as for [`Sim::addresses`]. It holds from the next question.
    ///
    /// # Errors
    /// [`SimError::Unknown`] if there is no such server.
    pub fn set_server(&self, which: &str, settings: &ServerSettings) -> Result<(), SimError> {
        self.shared.set_server(which, settings)
    }

    /// Changes the behaviour of a resolver.
    ///
    /// # Errors
    /// [`SimError::Unknown`] if there is no such resolver.
    pub fn set_resolver(&self, which: &str, settings: &ResolverSettings) -> Result<(), SimError> {
        self.shared.set_resolver(which, settings)
    }

    /// Orders a fault of the API.
    pub fn fault(&self, fault: ApiFault) {
        self.shared.api.faults.push(fault);
    }

    /// Begins a fault of looking up a host name.
    pub fn lookup_fault(&self, fault: LookupFault) {
        self.shared.world.lookups.order(fault);
    }

    /// Withdraws all faults of the API that have not happened yet.
    pub fn clear_faults(&self) {
        self.shared.api.faults.clear();
    }

    /// Changes the limits of all accounts; what was counted stays.
    pub fn set_limits(&self, limits: Limits) {
        for account in &self.shared.api.accounts {
            account.counters.set_limits(limits);
        }
    }

    /// Sets the calls of today of all accounts, as if so many had been made before.
    pub fn set_calls_today(&self, calls: usize) {
        for account in &self.shared.api.accounts {
            account.counters.set_today(calls);
        }
    }

    /// Every API request so far.
    #[must_use]
    pub fn api_calls(&self) -> Vec<ApiCall> {
        self.shared.world.log.calls()
    }

    /// Every question to a DNS server so far, those among the simulation's own servers included.
    #[must_use]
    pub fn questions(&self) -> Vec<Question> {
        self.shared.world.log.questions()
    }

    /// Makes everything as at the start: settings, faults, limits, records, logs.
    ///
    /// # Errors
    /// None that [`Sim::start`] would not have had.
    pub fn reset(&self) -> Result<(), SimError> {
        self.shared.reset()
    }

    /// Forgets both logs.
    pub fn clear_logs(&self) {
        self.shared.world.log.clear();
    }
}

impl std::fmt::Debug for Sim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sim").field("api", &self.api_url()).field("dns", &self.dns_servers()).finish()
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.shared.world.crew.end();
    }
}
