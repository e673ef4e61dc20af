//! One [`Settings`] from flags, environment, configuration file and defaults, in this order.
//! The only room that reads the environment, and it does so once: everything else gets values.
//!
//! - [`table`]: every setting with its name, default and meaning; the command line and the documentation follow it
//! - [`source`]: where a value comes from
//! - [`mod@file`]: the configuration file
//! - [`parse`]: texts to durations, rates, addresses
//! - [`key`]: the API key and the places it is looked for

pub mod file;
pub mod key;
pub mod parse;
pub mod source;
pub mod table;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::api::AuthMethod;
use crate::dns::cname::Follow;
use crate::dns::recursive::Resolver;
use crate::error::{Explain, Kind};
use crate::http::{Endpoint, ProxyEnv};
use crate::name::DnsName;
use crate::state::Rate;

pub use file::{ConfigFile, FileError};
pub use key::KeyError;
pub use source::{Environment, Origin, Sources};
use table::Setting;

/// Everything that shapes a run, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How the key is sent (`IPV64_API_AUTH`).
    pub api_auth: AuthMethod,
    /// The address of the API (`IPV64_API_URL`).
    pub api_url: Endpoint,
    /// Further trusted CA certificates (`IPV64_CA_FILE`).
    pub ca_file: Option<PathBuf>,
    /// One API request, all of it (`IPV64_HTTP_TIMEOUT`).
    pub http_timeout: Duration,
    /// The request window (`IPV64_API_RATE`).
    pub api_rate: Rate,
    /// How long to wait for propagation; zero means not to wait (`IPV64_PROPAGATION_TIMEOUT`).
    pub propagation_timeout: Duration,
    /// The longest pause between two looks at one address (`IPV64_POLLING_INTERVAL`).
    pub polling_interval: Duration,
    /// Positive answers in a row that each address must give (`IPV64_CONFIRMATIONS`).
    pub confirmations: u32,
    /// Recursive resolvers; empty means the system's (`IPV64_RESOLVERS`).
    pub resolvers: Vec<Resolver>,
    /// Authoritative servers to ask instead of discovery (`IPV64_NAMESERVERS`).
    pub nameservers: Vec<NamedServer>,
    /// The port on which discovered servers are asked (`IPV64_NAMESERVER_PORT`).
    pub nameserver_port: u16,
    /// Root servers for the walk from the root; empty means the world's (`IPV64_ROOT_SERVERS`).
    pub root_servers: Vec<IpAddr>,
    /// Resolvers over HTTPS to fall back to; empty means none (`IPV64_DOH`).
    pub doh: Vec<Resolver>,
    /// The pause that replaces the check where nobody can be asked (`IPV64_BLIND_WAIT`).
    pub blind_wait: Option<Duration>,
    /// The account domain that holds the record (`IPV64_DOMAIN`).
    pub domain: Option<DnsName>,
    /// Whether CNAMEs are followed (`IPV64_FOLLOW_CNAME`).
    pub follow_cname: Follow,
    /// Journal, request window, domain cache (`IPV64_STATE_DIR`); nothing if no place for them is known.
    pub state_dir: Option<PathBuf>,
    /// The proxy variables that other programs read too.
    pub proxy: ProxyEnv,
}

/// A server that the user named, as an address or by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamedServer {
    /// By address; without a port the one of `IPV64_NAMESERVER_PORT` holds.
    Address(IpAddr, Option<u16>),
    /// By name.
    Name(DnsName),
}

impl Settings {
    /// Reads all settings.
    ///
    /// # Errors
    /// [`SettingsError`] for the first value that does not parse, naming where it stands.
    pub fn load(sources: &Sources<'_>) -> Result<Self, SettingsError> {
        let polling_interval = sources.read(Setting::PollingInterval, parse::duration)?;
        Ok(Self {
            api_auth: sources.read(Setting::ApiAuth, parse::auth)?,
            api_url: sources.read(Setting::ApiUrl, parse::endpoint)?,
            ca_file: sources.read_optional(Setting::CaFile, parse::path)?,
            http_timeout: sources.read(Setting::HttpTimeout, parse::positive_duration)?,
            api_rate: sources.read(Setting::ApiRate, parse::rate)?,
            propagation_timeout: sources.read(Setting::PropagationTimeout, parse::duration)?,
            polling_interval: polling_interval.max(parse::SHORTEST_POLLING),
            confirmations: sources.read(Setting::Confirmations, parse::confirmations)?,
            resolvers: sources.read_list(Setting::Resolvers, parse::resolver)?,
            nameservers: sources.read_list(Setting::Nameservers, parse::nameserver)?,
            nameserver_port: sources.read(Setting::NameserverPort, parse::port)?,
            root_servers: sources.read_list(Setting::RootServers, parse::ip)?,
            doh: sources.read_list(Setting::Doh, parse::doh)?.into_iter().flatten().collect(),
            blind_wait: sources.read_optional(Setting::BlindWait, parse::duration)?.filter(|wait| !wait.is_zero()),
            domain: sources.read_optional(Setting::Domain, parse::domain)?,
            follow_cname: sources.read(Setting::FollowCname, parse::follow)?,
            state_dir: sources
                .read_optional(Setting::StateDir, parse::absolute_path)?
                .or_else(|| sources.default_state_dir()),
            proxy: ProxyEnv::from_lookup(|name| sources.variable(name)),
        })
    }
}

/// A value that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{origin} cannot be used: {problem}")]
pub struct SettingsError {
    /// Where the value stands.
    pub origin: Origin,
    /// What is wrong with it.
    pub problem: String,
}

impl Explain for SettingsError {
    fn kind(&self) -> Kind {
        Kind::InvalidSetting
    }

    fn hint(&self) -> Option<String> {
        Some(format!("{}: {}", self.origin.setting().environment(), self.origin.setting().meaning()))
    }
}
