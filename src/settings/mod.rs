//! One [`Settings`] from flags, environment, configuration file and defaults, in this order.
//! The only room that reads the environment, and it does so once: everything else gets values.
//!
//! - [`Setting`]: the one table of all settings; command line, file, man page and documentation follow it
//! - [`source`]: where a value comes from
//! - [`environment`]: the variables, and the directories that they name
//! - [`mod@file`]: the configuration file
//! - [`parse`]: texts to durations, rates, addresses
//! - [`suspects`]: which of them can be the cause of an error
//! - [`key`]: the API key, or the token of a broker, and the places it is looked for

pub mod environment;
pub mod file;
pub mod key;
pub mod parse;
pub mod source;
pub mod suspects;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::api::AuthMethod;
use crate::dns::cname::Follow;
use crate::dns::recursive::Resolver;
use crate::http::{CertEnv, Endpoint, ProxyEnv};
use crate::name::DnsName;
use crate::state::Rate;

pub use environment::Environment;
pub use file::ConfigFile;
use parse::*;
pub use source::{Origin, Sources};

/// Makes [`Setting`] and [`Settings`] from the table: name, field, type, parser; flag, how a value is shown, default (empty if
/// there is none) and meaning. The variable and the key in the file follow from the flag.
macro_rules! settings {
    ($($name:ident $field:ident: $type:ty = $parser:expr, $flag:literal, $shown:ident, $default:literal, $meaning:literal;)*) => {
        /// One setting.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Setting {
            $(#[doc = $meaning] $name,)*
        }

        impl Setting {
            /// All settings, in the order of the documentation.
            pub const ALL: [Self; [$($flag),*].len()] = [$(Self::$name),*];

            /// Returns flag, how a value is shown, default and meaning.
            const fn row(self) -> (&'static str, Shown, &'static str, &'static str) {
                match self { $(Self::$name => ($flag, Shown::$shown, $default, $meaning),)* }
            }
        }

        /// Everything that shapes a run, checked.
        #[derive(Debug, Clone)]
        pub struct Settings {
            $(#[doc = $meaning] pub $field: $type,)*
            /// The proxy variables that other programs read too.
            pub proxy: ProxyEnv,
            /// The variables for the system's certificates that other programs read too.
            pub certificates: CertEnv,
        }

        impl Settings {
            /// Reads all settings.
            ///
            /// # Errors
            /// [`Kind::InvalidSetting`](crate::error::Kind) for the first value that does not parse, naming where it is.
            pub fn load(sources: &Sources<'_>) -> crate::error::Result<Self> {
                let mut settings = Self {
                    $($field: sources.value(Setting::$name, $parser)?,)*
                    proxy: ProxyEnv::from_lookup(|name| sources.variable(name)),
                    certificates: CertEnv::from_lookup(|name| sources.variable(name)),
                };
                settings.state_dir = settings.state_dir.or_else(|| sources.default_state_dir());
                Ok(settings)
            }
        }
    };
}

settings! {
    ApiKeyFile api_key_file: Option<PathBuf> = optional(path),
        "api-key-file", KeyPath, "",
        "file that contains the API key; nobody else may read it";
    ApiAuth api_auth: AuthMethod = auth,
        "api-auth", Text, "bearer",
        "how the key is sent: bearer, basic, apikey or token";
    ApiUrl api_url: Endpoint = endpoint,
        "api-url", Url, "https://ipv64.net/api",
        "address of the API; plain http to loopback only";
    Broker broker: Option<Endpoint> = optional(broker),
        "broker", Url, "",
        "broker that has the key: https://host:port, or unix:/path of its socket; this machine needs no API key then";
    BrokerTokenFile broker_token_file: Option<PathBuf> = optional(path),
        "broker-token-file", KeyPath, "",
        "file that contains the token for the broker; nobody else may read it";
    CaFile ca_file: Option<PathBuf> = optional(path),
        "ca-file", Path, "",
        "further trusted CA certificates (PEM), added to the system's";
    HttpTimeout http_timeout: Duration = positive_duration,
        "http-timeout", Text, "30",
        "time for one API request, all of it";
    ApiRate api_rate: Rate = rate,
        "api-rate", Text, "3/10",
        "at most N API requests in any S seconds, written N/S";
    PropagationTimeout propagation_timeout: Duration = wait,
        "propagation-timeout", Text, "180",
        "give up waiting after this long, 30m at most; 0 = do not wait";
    PollingInterval polling_interval: Duration = polling_interval,
        "polling-interval", Text, "2",
        "longest pause between two polls of one name server";
    Confirmations confirmations: u32 = confirmations,
        "confirmations", Text, "12",
        "positive answers in a row that each name server must give; half as many more after a contradiction";
    Resolvers resolvers: Vec<Resolver> = list(resolver),
        "resolvers", Url, "",
        "recursive resolvers instead of the system's: ip, ip:port or https URL, comma-separated";
    Nameservers nameservers: Vec<NamedServer> = list(nameserver),
        "nameservers", Text, "",
        "authoritative servers to ask instead of looking them up: ip, ip:port or name";
    NameserverPort nameserver_port: u16 = port,
        "nameserver-port", Text, "53",
        "port on which looked-up name servers are asked";
    RootServers root_servers: Vec<IpAddr> = list(ip),
        "root-servers", Text, "",
        "root servers (ip) to look name servers up from, instead of the world's";
    Doh doh: Vec<Resolver> = doh,
        "doh", Url, "https://1.1.1.1/dns-query,https://8.8.8.8/dns-query",
        "resolvers over HTTPS for networks without port 53, comma-separated; off = none";
    BlindWait blind_wait: Option<Duration> = blind_wait,
        "blind-wait", Text, "0",
        "where nobody can be asked, pause this long, 30m at most, instead of failing; 0 = fail";
    Domain domain: Option<DnsName> = optional(domain),
        "domain", Text, "",
        "domain of the account that holds the record, instead of looking it up";
    FollowCname follow_cname: Follow = follow,
        "follow-cname", Text, "true",
        "place the record at the end of a CNAME chain: true or false";
    OnFailure on_failure: Option<String> = optional(command),
        "on-failure", Text, "",
        "command for sh that is run when a hook call has failed; nobody waits for it";
    StateDir state_dir: Option<PathBuf> = optional(absolute_path),
        "state-dir", Path, "",
        "directory of journal, request window and domain cache";
}

impl Settings {
    /// Returns the address that requests for records go to: the broker's where there is one, else the API's.
    #[must_use]
    pub fn upstream(&self) -> &Endpoint {
        self.broker.as_ref().unwrap_or(&self.api_url)
    }
}

/// How the value of a setting is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// As it is.
    Text,
    /// As the path of a file or directory; in the configuration file it may be relative to that file.
    Path,
    /// As a path, unless it is the key itself, by mistake.
    KeyPath,
    /// As one or more addresses, without what may be secret in them.
    Url,
}

impl Setting {
    /// Returns the flag without dashes: `api-url`.
    #[must_use]
    pub const fn flag(self) -> &'static str {
        self.row().0
    }

    /// Returns the environment variable: `IPV64_API_URL`.
    #[must_use]
    pub fn environment(self) -> String {
        format!("IPV64_{}", self.key().to_ascii_uppercase())
    }

    /// Returns the key in the configuration file: `api_url`.
    #[must_use]
    pub fn key(self) -> String {
        self.flag().replace('-', "_")
    }

    /// Returns how a value is shown.
    #[must_use]
    pub const fn shown(self) -> Shown {
        self.row().1
    }

    /// Returns whether the value is the path of a file or directory.
    #[must_use]
    pub const fn is_path(self) -> bool {
        matches!(self.shown(), Shown::Path | Shown::KeyPath)
    }

    /// Returns the default as it would be written, if there is one.
    #[must_use]
    pub fn default_text(self) -> Option<&'static str> {
        Some(self.row().2).filter(|text| !text.is_empty())
    }

    /// Returns what it means, in one line.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        self.row().3
    }
}

/// A server that the user named, as an address or by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamedServer {
    /// By address; without a port the one of `IPV64_NAMESERVER_PORT` holds.
    Address(IpAddr, Option<u16>),
    /// By name.
    Name(DnsName),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_names_are_those_of_the_contract() {
        assert_eq!(Setting::ApiUrl.environment(), "IPV64_API_URL");
        assert_eq!(Setting::PropagationTimeout.environment(), "IPV64_PROPAGATION_TIMEOUT");
        assert_eq!(Setting::Doh.environment(), "IPV64_DOH");
    }

    #[test]
    fn every_setting_is_listed_once() {
        let flags: std::collections::BTreeSet<_> = Setting::ALL.iter().map(|setting| setting.flag()).collect();
        assert_eq!(flags.len(), Setting::ALL.len());
    }
}
