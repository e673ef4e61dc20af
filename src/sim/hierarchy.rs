//! Which zones there are, who serves them, and what they hold at a given moment: root, top level, provider, foreign.
//! The answers out of a zone are in [`super::zone`], the sockets in [`super::server`].

use std::{net::IpAddr, time::Instant};

use hickory_resolver::proto::rr::{
    Name, RData, Record, RecordType,
    rdata::{A, AAAA, NS, NULL, SOA},
};

use super::{
    config::{NamedBy, Secured, ZoneCut},
    names::{dns, host, is_provider_name, suffixes},
    store::{Holdings, StoredDomain, StoredRecord},
    zone::Zone,
};

/// The TTL of what does not change: NS, glue, foreign records.
const STATIC_TTL: u32 = 300;

/// The serial of a zone that never changed.
const FIRST_SERIAL: u32 = 1;

/// Whose zones a server serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The root zone.
    Root,
    /// Every top-level zone.
    TopLevel,
    /// The provider's zones and the accounts' own domains.
    Provider,
    /// The foreign zones.
    Foreign,
}

/// A name server by name, with the addresses that its A and AAAA records have.
#[derive(Debug, Clone)]
pub(super) struct Host {
    pub(super) name: Name,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) named_by: NamedBy,
    pub(super) glue: Option<usize>,
}

impl Host {
    /// A host without addresses that both sides of a delegation name.
    pub(super) fn new(name: Name) -> Self {
        Self { name, addresses: Vec::new(), named_by: NamedBy::Both, glue: None }
    }
}

/// All that is fixed about the zones.
#[derive(Debug)]
pub(super) struct Hierarchy {
    pub(super) root: Host,
    pub(super) top_level: Host,
    pub(super) provider: Vec<Host>,
    pub(super) foreign: Host,
    pub(super) foreign_zones: Vec<(Name, Vec<Record>)>,
    pub(super) secured: Vec<(Name, Secured)>,
    pub(super) zone_cut: ZoneCut,
    pub(super) negative_ttl: u32,
}

impl Hierarchy {
    /// The deepest zone of a role that holds a name, as it was at `as_of`.
    pub(super) fn zone(&self, role: Role, name: &Name, now: &Holdings, as_of: Option<Instant>) -> Option<Zone> {
        let mut zone = match role {
            Role::Root => self.root_zone(now),
            Role::TopLevel => self.top_level_zone(name, now)?,
            Role::Provider => self.provider_zone(name, now, as_of)?,
            Role::Foreign => self.foreign_zone(name)?,
        };
        zone.records.extend(self.signing(&zone));
        Some(zone)
    }

    /// Whether a resolver that validates refuses what is said of a name.
    pub(super) fn is_bogus(&self, name: &Name, kind: RecordType) -> bool {
        // The fingerprint itself belongs to the parent.
        let of_zone = |apex: &Name| apex.zone_of(name) && !(kind == RecordType::DS && apex == name);
        self.secured.iter().any(|(apex, secured)| *secured != Secured::Signed && of_zone(apex))
    }

    /// The traces of DNSSEC in a zone: its own keys, and the fingerprints of zones that it delegates.
    fn signing(&self, zone: &Zone) -> Vec<Record> {
        let is_cut = |name: &Name| zone.records.iter().any(|it| it.name == *name && it.record_type() == RecordType::NS);
        let trace = |(name, secured): &(Name, Secured)| match secured {
            _ if *name != zone.apex => is_cut(name).then(|| trace(name, RecordType::DS)),
            Secured::Signed | Secured::Broken => Some(trace(name, RecordType::DNSKEY)),
            Secured::Unsigned => None,
        };
        self.secured.iter().filter_map(trace).collect()
    }

    fn root_zone(&self, now: &Holdings) -> Zone {
        let mut records = self.apex_records(&Name::root(), std::slice::from_ref(&self.root), FIRST_SERIAL);
        records.extend(addresses(&self.root));
        for label in self.top_level_names(now) {
            records.push(delegation(&label, &self.top_level));
        }
        records.extend(addresses(&self.top_level));
        Zone { apex: Name::root(), records }
    }

    fn top_level_names(&self, now: &Holdings) -> Vec<Name> {
        let hosts = [&self.root, &self.top_level, &self.foreign].into_iter().chain(&self.provider);
        let mut labels: Vec<_> = suffixes()
            .chain(self.foreign_zones.iter().map(|(apex, _)| apex.clone()))
            .chain(own_domains(now).filter_map(|domain| dns(&domain.name)))
            .chain(hosts.map(|host| host.name.clone()))
            .map(|name| name.trim_to(1))
            .collect();
        labels.sort();
        labels.dedup();
        labels
    }

    fn top_level_zone(&self, name: &Name, now: &Holdings) -> Option<Zone> {
        let apex = name.trim_to(1);
        if name.is_root() || !self.top_level_names(now).contains(&apex) {
            return None;
        }
        let mut records = self.apex_records(&apex, std::slice::from_ref(&self.top_level), FIRST_SERIAL);
        let mut delegate = |child: &Name, hosts: &[Host]| {
            if apex.zone_of(child) && !records.iter().any(|record| record.name == *child) {
                records.extend(named_but(hosts, NamedBy::Child).map(|host| delegation(child, host)));
            }
        };
        for (zone, _) in &self.foreign_zones {
            delegate(zone, std::slice::from_ref(&self.foreign));
        }
        for suffix in suffixes() {
            delegate(&suffix, &self.provider);
        }
        for domain in own_domains(now).filter_map(|domain| dns(&domain.name)) {
            if !self.foreign_zones.iter().any(|(zone, _)| zone.zone_of(&domain)) {
                delegate(&domain, &self.provider);
            }
        }
        // Glue only for hosts below this zone, as registries have it: elsewhere the asker has to look them up.
        let hosts = self.provider.iter().chain([&self.foreign, &self.root, &self.top_level]);
        for host in hosts.filter(|host| apex.zone_of(&host.name) && host.named_by != NamedBy::Child) {
            records.extend(addresses(host).into_iter().take(host.glue.unwrap_or(usize::MAX)));
        }
        Some(Zone { apex, records })
    }

    fn provider_zone(&self, name: &Name, now: &Holdings, as_of: Option<Instant>) -> Option<Zone> {
        let seen: Vec<_> = now.domains.iter().filter(|domain| domain.life.is_seen(as_of)).collect();
        let mut apexes: Vec<_> = suffixes().collect();
        apexes.extend(seen.iter().filter(|domain| self.is_cut(domain)).filter_map(|domain| dns(&domain.name)));
        let apex = apexes.iter().filter(|apex| apex.zone_of(name)).max_by_key(|apex| apex.num_labels())?.clone();
        let mut records = self.apex_records(&apex, &self.provider, serial(now, as_of));
        let hosts = self.provider.iter().filter(|host| apex.zone_of(&host.name));
        records.extend(hosts.flat_map(addresses));
        let is_below = |child: &&Name| **child != apex && apex.zone_of(child);
        for child in apexes.iter().filter(is_below) {
            records.extend(named_but(&self.provider, NamedBy::Child).map(|host| delegation(child, host)));
        }
        let inside = |name: &Name| {
            apexes.iter().filter(|apex| apex.zone_of(name)).max_by_key(|apex| apex.num_labels()) == Some(&apex)
        };
        let stored = now.records.iter().filter(|record| record.life.is_seen(as_of) && inside(record.owner()));
        records.extend(stored.map(StoredRecord::to_dns));
        for domain in seen.iter().filter(|domain| domain.wildcard) {
            records.extend(wildcards(domain, &records));
        }
        Some(Zone { apex, records })
    }

    fn is_cut(&self, domain: &StoredDomain) -> bool {
        self.zone_cut == ZoneCut::PerDomain || !is_provider_name(&domain.name)
    }

    fn foreign_zone(&self, name: &Name) -> Option<Zone> {
        let holds = self.foreign_zones.iter().filter(|(apex, _)| apex.zone_of(name));
        let (apex, fixed) = holds.max_by_key(|(apex, _)| apex.num_labels())?;
        let mut records = self.apex_records(apex, std::slice::from_ref(&self.foreign), FIRST_SERIAL);
        if apex.zone_of(&self.foreign.name) {
            records.extend(addresses(&self.foreign));
        }
        records.extend(fixed.iter().cloned());
        Some(Zone { apex: apex.clone(), records })
    }

    fn apex_records(&self, apex: &Name, hosts: &[Host], serial: u32) -> Vec<Record> {
        let mut records: Vec<_> = named_but(hosts, NamedBy::Parent).map(|host| delegation(apex, host)).collect();
        if let Some(first) = hosts.first() {
            let mailbox = host("hostmaster.ipv64.net").unwrap_or_default();
            let soa = SOA::new(first.name.clone(), mailbox, serial, 3600, 600, 86_400, self.negative_ttl);
            records.push(Record::from_rdata(apex.clone(), self.negative_ttl, RData::SOA(soa)));
        }
        records
    }
}

/// The version of the provider's zones in a copy from `as_of`: one more with each change.
fn serial(now: &Holdings, as_of: Option<Instant>) -> u32 {
    let changes = now.records.iter().map(|record| record.life.changes_until(as_of));
    let changes = changes.chain(now.domains.iter().map(|domain| domain.life.changes_until(as_of)));
    FIRST_SERIAL + changes.sum::<u32>()
}

/// A record of a type of DNSSEC; only that it is there matters, so its content makes no sense.
fn trace(name: &Name, kind: RecordType) -> Record {
    Record::from_rdata(name.clone(), STATIC_TTL, RData::Unknown { code: kind, rdata: NULL::with(vec![0; 36]) })
}

fn own_domains(now: &Holdings) -> impl Iterator<Item = &StoredDomain> {
    now.domains.iter().filter(|domain| domain.life.is_open() && !is_provider_name(&domain.name))
}

/// The hosts, without those that only one side of a delegation names.
fn named_but(hosts: &[Host], side: NamedBy) -> impl Iterator<Item = &Host> {
    hosts.iter().filter(move |host| host.named_by != side)
}

fn delegation(zone: &Name, host: &Host) -> Record {
    Record::from_rdata(zone.clone(), STATIC_TTL, RData::NS(NS(host.name.clone())))
}

fn addresses(host: &Host) -> Vec<Record> {
    let data = |address: &IpAddr| match address {
        IpAddr::V4(address) => RData::A(A(*address)),
        IpAddr::V6(address) => RData::AAAA(AAAA(*address)),
    };
    host.addresses.iter().map(|address| Record::from_rdata(host.name.clone(), STATIC_TTL, data(address))).collect()
}

/// The records that a domain with its wildcard switched on has for every name below it.
fn wildcards(domain: &StoredDomain, records: &[Record]) -> Vec<Record> {
    let Some(apex) = dns(&domain.name) else { return Vec::new() };
    let Ok(wildcard) = apex.prepend_label("*") else { return Vec::new() };
    let is_address = |record: &&Record| matches!(record.record_type(), RecordType::A | RecordType::AAAA);
    let own = records.iter().filter(|record| record.name == apex).filter(is_address);
    own.map(|record| Record::from_rdata(wildcard.clone(), record.ttl, record.data.clone())).collect()
}
