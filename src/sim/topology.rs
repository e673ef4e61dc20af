//! Which servers a simulation has and on which addresses: a block of 127/8 of its own, and one port for all.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use hickory_resolver::proto::rr::{Name, Record};

use super::{
    SimError,
    config::{Config, NameServer},
    content,
    hierarchy::{Hierarchy, Host, Role},
    listener::Sockets,
    names::host,
    settings::{ResolverSettings, ServerSettings, StaticRecord},
    store::RECORD_TTL,
};

/// How many blocks and ports are tried.
const ATTEMPTS: u32 = 64;
/// Free ports are looked for below the range that Linux gives to clients.
const PORTS: std::ops::Range<u16> = 10_000..32_000;

/// One server address with its sockets.
pub(super) struct Place<T> {
    pub(super) name: String,
    pub(super) address: SocketAddr,
    pub(super) sockets: Sockets,
    pub(super) settings: T,
}

/// All DNS servers, bound.
pub(super) struct Topology {
    pub(super) servers: Vec<(Role, Place<ServerSettings>)>,
    pub(super) resolvers: Vec<Place<ResolverSettings>>,
    pub(super) hierarchy: Hierarchy,
    pub(super) port: u16,
}

impl Topology {
    /// Binds every address of a configuration.
    pub(super) fn bind(config: &Config) -> Result<Self, SimError> {
        let mut last = io::ErrorKind::AddrInUse.into();
        for _ in 0..ATTEMPTS {
            let port = match config.dns_port {
                0 => rand::random_range(PORTS),
                fixed => fixed,
            };
            // 127.0.0.0/16 stays free for what else runs on the machine.
            let block = Block { prefix: [127, rand::random_range(1..=255), rand::random()], port };
            match block.bind(config)? {
                Ok(topology) => return Ok(topology),
                Err(error) => last = error,
            }
        }
        Err(SimError::Bind { what: "the DNS servers", source: last })
    }
}

/// Where the addresses come from.
struct Block {
    prefix: [u8; 3],
    port: u16,
}

impl Block {
    /// The outer error is one of the configuration, the inner one of the addresses.
    fn bind(&self, config: &Config) -> Result<io::Result<Topology>, SimError> {
        let mut hierarchy = hierarchy(config)?;
        let mut places = Places { block: self, servers: Vec::new() };
        let bound = places.fill(config, &mut hierarchy);
        let resolvers = bound.and_then(|()| self.resolvers(config));
        let Places { servers, .. } = places;
        Ok(resolvers.map(|resolvers| Topology { servers, resolvers, hierarchy, port: self.port }))
    }

    fn address(&self, host: u8) -> SocketAddr {
        let [a, b, c] = self.prefix;
        (Ipv4Addr::new(a, b, c, host), self.port).into()
    }

    fn resolvers(&self, config: &Config) -> io::Result<Vec<Place<ResolverSettings>>> {
        let mut wanted = config.resolvers.clone();
        if !wanted.iter().any(|(name, _)| name == "ca") {
            wanted.push(("ca".into(), ResolverSettings::default()));
        }
        let place = |(host, (name, settings)): (u8, (String, ResolverSettings))| {
            let address = self.address(host);
            Ok(Place { name, address, sockets: Sockets::bind(address)?, settings })
        };
        (200..=254).zip(wanted).map(place).collect()
    }
}

struct Places<'a> {
    block: &'a Block,
    servers: Vec<(Role, Place<ServerSettings>)>,
}

impl Places<'_> {
    fn fill(&mut self, config: &Config, hierarchy: &mut Hierarchy) -> io::Result<()> {
        hierarchy.root.addresses = vec![self.add("root", Role::Root, 10, ServerSettings::default())?];
        hierarchy.top_level.addresses = vec![self.add("tld", Role::TopLevel, 20, ServerSettings::default())?];
        hierarchy.foreign.addresses = vec![self.add("foreign", Role::Foreign, 30, config.foreign_server.clone())?];
        let mut hosts = 40..200;
        for (server, host) in config.name_servers.iter().zip(&mut hierarchy.provider) {
            for settings in &server.addresses {
                let number = hosts.next().ok_or(io::ErrorKind::InvalidInput)?;
                host.addresses.push(self.add(&server.name, Role::Provider, number, settings.clone())?);
            }
            if let Some(settings) = &server.ipv6 {
                let address = (Ipv6Addr::LOCALHOST, self.block.port).into();
                host.addresses.push(self.add_at(&server.name, Role::Provider, address, settings.clone())?);
            }
            host.addresses.extend(&server.unserved);
        }
        Ok(())
    }

    fn add(&mut self, name: &str, role: Role, host: u8, settings: ServerSettings) -> io::Result<IpAddr> {
        self.add_at(name, role, self.block.address(host), settings)
    }

    fn add_at(&mut self, name: &str, role: Role, address: SocketAddr, settings: ServerSettings) -> io::Result<IpAddr> {
        let sockets = Sockets::bind(address)?;
        self.servers.push((role, Place { name: name.to_owned(), address, sockets, settings }));
        Ok(address.ip())
    }
}

fn hierarchy(config: &Config) -> Result<Hierarchy, SimError> {
    let host = |name: &str| Ok::<_, SimError>(Host::new(parse_name(name)?));
    let foreign_zones = config.foreign_zones.iter().map(|zone| {
        let records = zone.records.iter().map(parse_record).collect::<Result<Vec<_>, _>>()?;
        Ok::<_, SimError>((parse_name(&zone.apex)?, records))
    });
    let secured = config.secured.iter().map(|(apex, secured)| Ok::<_, SimError>((parse_name(apex)?, *secured)));
    Ok(Hierarchy {
        secured: secured.collect::<Result<_, _>>()?,
        root: host("a.root.sim")?,
        top_level: host("a.tld.sim")?,
        foreign: host("ns.foreign.example")?,
        provider: config.name_servers.iter().map(provider_host).collect::<Result<_, _>>()?,
        foreign_zones: foreign_zones.collect::<Result<_, _>>()?,
        zone_cut: config.zone_cut,
        negative_ttl: config.negative_ttl,
    })
}

fn provider_host(server: &NameServer) -> Result<Host, SimError> {
    let name = parse_name(&server.name)?;
    Ok(Host { named_by: server.named_by, glue: server.glue, ..Host::new(name) })
}

fn parse_name(text: &str) -> Result<Name, SimError> {
    host(text).ok_or_else(|| SimError::Config(format!("`{}` is not a name", text.escape_debug())))
}

fn parse_record(record: &StaticRecord) -> Result<Record, SimError> {
    let data = content::parse(&record.kind, &record.content);
    let data =
        data.ok_or_else(|| SimError::Config(format!("the record of `{}` is malformed", record.name.escape_debug())))?;
    Ok(Record::from_rdata(parse_name(&record.name)?, RECORD_TTL, data))
}
