//! What a simulation is made of before it starts. What can change while it runs is in [`super::settings`].

use std::{net::IpAddr, time::Duration};

use super::{
    lookups::LookupFault,
    settings::{ResolverSettings, ServerSettings, StaticRecord},
};

/// Everything that can be chosen before the start. The default has one account with four domains, two healthy name
/// servers without delay, and no limits.
#[derive(Debug, Clone)]
pub struct Config {
    /// The accounts; the first one's key is in [`super::Sim::env`].
    pub accounts: Vec<Account>,
    /// The name servers of the provider.
    pub name_servers: Vec<NameServer>,
    /// Whether provider names share one big zone.
    pub zone_cut: ZoneCut,
    /// Zones of somebody else, all on one address of their own.
    pub foreign_zones: Vec<ForeignZone>,
    /// The behaviour of that address.
    pub foreign_server: ServerSettings,
    /// The recursive resolvers by name. `system` is the one of the variables, `ca` is meant for the CA and gets added
    /// where it is missing.
    pub resolvers: Vec<(String, ResolverSettings)>,
    /// Host names that cannot be looked up from the start on.
    pub lookup_faults: Vec<LookupFault>,
    /// Zones with a fingerprint (DS) at their parent; all others are unsigned.
    pub secured: Vec<(String, Secured)>,
    /// Account domains that are switched off: the list says so, and nothing else is known of it.
    pub deactivated: Vec<String>,
    /// The `account_status` of every account ("observed": 1 in use).
    pub account_status: u64,
    /// How far the clock of the API is behind that of this machine.
    pub clock_behind: Duration,
    /// What the API refuses for being too much.
    pub limits: Limits,
    /// Numbers come as strings, as some PHP installations send them.
    pub numbers_as_strings: bool,
    /// The TTL and minimum of every SOA: how long "no such name" may be kept (RFC 2308 section 5). The value of the
    /// real servers is unknown.
    pub negative_ttl: u32,
    /// The one port of all DNS servers; 0 takes a free one.
    pub dns_port: u16,
    /// The port of the API on 127.0.0.1; 0 takes a free one.
    pub api_port: u16,
    /// Feeds every choice by chance.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            accounts: vec![Account::default()],
            name_servers: vec![NameServer::new("ns1.ipv64.net"), NameServer::new("ns2.ipv64.net")],
            zone_cut: ZoneCut::Provider,
            foreign_zones: default_foreign_zones(),
            foreign_server: ServerSettings::default(),
            resolvers: vec![("system".into(), ResolverSettings::default())],
            lookup_faults: Vec::new(),
            secured: Vec::new(),
            deactivated: Vec::new(),
            account_status: 1,
            clock_behind: Duration::ZERO,
            limits: Limits::default(),
            numbers_as_strings: false,
            negative_ttl: 60,
            dns_port: 0,
            api_port: 0,
            seed: 1,
        }
    }
}

impl Config {
    /// The default with one server per delay, named `ns1.ipv64.net`, `ns2.ipv64.net` and so on.
    #[must_use]
    pub fn with_delays(delays: &[Duration]) -> Self {
        let name_servers = (1..)
            .zip(delays)
            .map(|(number, &delay)| NameServer::delayed(&format!("ns{number}.ipv64.net"), delay))
            .collect();
        Self { name_servers, ..Self::default() }
    }
}

/// One account with its key and its domains.
#[derive(Debug, Clone)]
pub struct Account {
    /// The API key.
    pub key: String,
    /// The domains at the start, provider names and own ones.
    pub domains: Vec<String>,
    /// The records at the start. They are not counted as left over.
    pub records: Vec<StaticRecord>,
}

impl Default for Account {
    fn default() -> Self {
        let domains = ["name.ipv64.net", "other.home64.de", "example.com", "deep.sub.example.org"];
        Self {
            key: "sim-key-3f9c2a7e51d84b06".into(),
            domains: domains.map(String::from).to_vec(),
            // A CA that tries http-01 by mistake is to stay on this machine.
            records: domains.map(|name| StaticRecord::new(name, "A", "127.0.0.1")).to_vec(),
        }
    }
}

/// One name server of the provider.
#[derive(Debug, Clone)]
pub struct NameServer {
    /// Its host name.
    pub name: String,
    /// One entry for each of its IPv4 addresses.
    pub addresses: Vec<ServerSettings>,
    /// Its entry on `::1`, if any. Only one server of a simulation can have it.
    pub ipv6: Option<ServerSettings>,
    /// Addresses in its A and AAAA records where nobody listens.
    pub unserved: Vec<IpAddr>,
    /// Which side of the delegation names it.
    pub named_by: NamedBy,
    /// How many of its addresses the glue of its parent has; nothing means all.
    pub glue: Option<usize>,
}

/// Which of the two NS sets of a delegation names a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NamedBy {
    /// Both, as it should be.
    #[default]
    Both,
    /// Only the delegation, at the parent.
    Parent,
    /// Only the zone itself.
    Child,
}

impl NameServer {
    /// A healthy server with one address.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            addresses: vec![ServerSettings::default()],
            ipv6: None,
            unserved: Vec::new(),
            named_by: NamedBy::Both,
            glue: None,
        }
    }

    /// A server with one address that shows each change this long after the API took it.
    #[must_use]
    pub fn delayed(name: &str, delay: Duration) -> Self {
        Self::with(name, vec![ServerSettings::delayed(delay)])
    }

    /// A server with these addresses.
    #[must_use]
    pub fn with(name: &str, addresses: Vec<ServerSettings>) -> Self {
        Self { addresses, ..Self::new(name) }
    }
}

/// Where the zones of provider names begin. How the real ones are cut is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZoneCut {
    /// `name.ipv64.net` is a name in the zone `ipv64.net`.
    Provider,
    /// `name.ipv64.net` is a zone of its own.
    PerDomain,
}

/// What is behind the fingerprint that a zone has at its parent (RFC 4035 section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secured {
    /// The zone has its keys. Signatures are left out: nobody here checks them.
    Signed,
    /// The zone has no keys: resolvers answer SERVFAIL for every name in it, as validating ones do.
    Unsigned,
    /// The zone has keys, but resolvers refuse its answers all the same: its signatures have run out, say.
    Broken,
}

/// A zone of another provider.
#[derive(Debug, Clone)]
pub struct ForeignZone {
    /// The name of the zone.
    pub apex: String,
    /// Its records. SOA and NS of the apex are added.
    pub records: Vec<StaticRecord>,
}

fn default_foreign_zones() -> Vec<ForeignZone> {
    let record = |name: &str, kind: &str, content: &str| StaticRecord::new(name, kind, content);
    let example = vec![
        record("foreign.example", "A", "127.0.0.1"),
        record("_acme-challenge.foreign.example", "CNAME", "_acme-challenge.name.ipv64.net"),
        record("_acme-challenge.www.foreign.example", "CNAME", "hop.foreign.example"),
        record("hop.foreign.example", "CNAME", "_acme-challenge.www.name.ipv64.net"),
        record("_acme-challenge.loop.foreign.example", "CNAME", "back.foreign.example"),
        record("back.foreign.example", "CNAME", "_acme-challenge.loop.foreign.example"),
        record("*.wild.foreign.example", "CNAME", "name.ipv64.net"),
    ];
    let org = ["ns1.ipv64.net", "ns2.ipv64.net"].map(|server| record("deep.sub.example.org", "NS", server)).to_vec();
    vec![
        ForeignZone { apex: "foreign.example".into(), records: example },
        ForeignZone { apex: "example.org".into(), records: org },
    ]
}

/// The limits of the API; both are off by default. The daily counter starts at zero with the simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// So many calls in any so long time ("observed": 3 in 10 s for the updater, 5 in 10 s in one copy of the
    /// provider's page).
    pub burst: Option<(usize, Duration)>,
    /// So many calls a day ("IPv64 API document": 64 in the class Standard).
    pub daily: Option<usize>,
    /// Whether a refused call counts against the limits. Unknown of the real service.
    pub refused_calls: RefusedCalls,
}

impl Limits {
    /// Both limits as the example account of the API document has them: 3 in 10 s and 64 a day.
    #[must_use]
    pub fn standard() -> Self {
        Self { burst: Some((3, Duration::from_secs(10))), daily: Some(64), ..Self::default() }
    }
}

/// What a refused call does to the counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RefusedCalls {
    /// Nothing.
    #[default]
    Free,
    /// It counts like any other.
    Counted,
}
