//! Which servers are authoritative for a name: the zone cut, its name servers, all their addresses.
//! Asked of the resolvers first; where they fail or lie, of the root servers downwards; last over HTTPS.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::message::{Kind, Question, Rcode, Reply};
use super::pace::Pace;
use super::recursive::Recursive;
use super::walk;
use crate::distinct::distinct;
use crate::name::DnsName;

/// How long one way of finding the servers may take before the next one is tried.
const ONE_WAY: Duration = Duration::from_secs(5);
/// Name servers of one zone beyond this number are left out: no zone has so many, but a reply could.
const MAX_SERVERS: usize = 32;
/// So are addresses, each of which costs a thread.
const MAX_ADDRESSES: usize = 64;

/// One address of an authoritative server.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Server {
    /// The server's name; none where the user gave an address.
    pub name: Option<DnsName>,
    /// Where it is asked.
    pub address: SocketAddr,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address: &dyn fmt::Display = if self.address.port() == 53 { &self.address.ip() } else { &self.address };
        match &self.name {
            Some(name) => write!(f, "{name} ({address})"),
            None => write!(f, "{address}"),
        }
    }
}

/// How the servers of a zone were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FoundBy {
    /// The user named them.
    Settings,
    /// The configured resolvers.
    Resolvers,
    /// Referrals from the root servers.
    Roots,
    /// Resolvers over HTTPS.
    Https,
}

/// A zone with its servers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Zone {
    /// The name at the zone cut; none where the user named the servers.
    pub apex: Option<DnsName>,
    /// Every address of every authoritative server, in order; empty only where nobody knows any.
    pub servers: Vec<Server>,
    /// Name servers that may have addresses, or more than are known, but nobody could tell them.
    pub unfound: Vec<DnsName>,
    /// How they were found.
    pub found_by: FoundBy,
}

impl Zone {
    /// Returns the name servers of which some addresses are known, and others may not be.
    pub fn half_found(&self) -> impl Iterator<Item = &DnsName> {
        let is_known = |name: &&DnsName| self.servers.iter().any(|server| server.name.as_ref() == Some(*name));
        self.unfound.iter().filter(is_known)
    }

    /// Whether the zone is known to be a part of another one's space of names, which the other has delegated.
    pub(super) fn is_below(&self, other: &Self) -> bool {
        let below = |apex: &DnsName| other.apex.as_ref().is_some_and(|above| apex != above && apex.is_within(above));
        self.apex.as_ref().is_some_and(below)
    }
}

/// The servers of a zone, as far as they are found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) servers: Vec<Server>,
    /// Names whose addresses are not known yet, or not all of them.
    pub(super) unfound: Vec<DnsName>,
}

impl Found {
    /// Keeps each server once, in order, and no more than anybody has.
    pub(super) fn new(servers: impl IntoIterator<Item = Server>, unfound: Vec<DnsName>) -> Self {
        let mut servers = distinct(servers);
        servers.truncate(MAX_ADDRESSES);
        Self { servers, unfound }
    }

    /// Adds what became of the names that were not found.
    pub(super) fn and(self, more: Self) -> Self {
        Self::new(self.servers.into_iter().chain(more.servers), more.unfound)
    }
}

/// Where to look: the settings that concern DNS, and the pace that all share.
#[derive(Debug, Clone)]
pub struct Lookup {
    /// The configured resolvers.
    pub resolvers: Recursive,
    /// Resolvers over HTTPS, for where the configured ones and port 53 fail; may be empty.
    pub fallback: Recursive,
    /// Authoritative servers that the user gave by address; if there are any, no zone is looked up.
    pub servers: Vec<Server>,
    /// Those that the user gave by name.
    pub server_names: Vec<DnsName>,
    /// The root servers.
    pub roots: Vec<IpAddr>,
    /// The port on which looked-up servers are asked.
    pub port: u16,
    /// Questions per server address.
    pub pace: Arc<Pace>,
    /// What was found out already: a hundred names of one order are in few zones.
    pub known: Arc<KnownZones>,
}

/// The servers of zones, as the configured resolvers told them to this process.
#[derive(Debug, Default)]
pub struct KnownZones(Mutex<BTreeMap<DnsName, Found>>);

impl KnownZones {
    fn of(&self, apex: &DnsName) -> Option<Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(apex).cloned()
    }

    fn keep(&self, apex: &DnsName, found: &Found) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(apex.clone(), found.clone());
    }
}

impl Lookup {
    /// The ways in which servers can be found, the most trusted by the user first.
    #[must_use]
    pub fn ways(&self) -> &'static [FoundBy] {
        if self.servers.is_empty() && self.server_names.is_empty() {
            &[FoundBy::Resolvers, FoundBy::Roots, FoundBy::Https]
        } else {
            &[FoundBy::Settings]
        }
    }

    /// Finds the zone that holds a name, and its servers, in one way; addresses that it does not tell are looked up in the
    /// others.
    ///
    /// # Errors
    /// What was tried, a line each; the deadline ends the search.
    pub fn zone_by(&self, way: FoundBy, name: &DnsName, deadline: Instant) -> Result<Zone, Vec<String>> {
        let until = deadline.min(Instant::now() + ONE_WAY);
        let (apex, found) = match way {
            FoundBy::Settings => (None, self.named(deadline)?),
            FoundBy::Resolvers => {
                let apex = Self::apex_by((&self.resolvers, "(IPV64_RESOLVERS)"), name, until)?;
                if let Some(Found { servers, unfound }) = self.known.of(&apex) {
                    return Ok(Zone { apex: Some(apex), servers, unfound, found_by: way });
                }
                let found = self.servers_of(&self.resolvers, &apex, until)?;
                (Some(apex), found)
            }
            FoundBy::Roots => walk::from_roots(self, name, until).map_err(|line| vec![line])?,
            FoundBy::Https => {
                let apex = Self::apex_by((&self.fallback, "over HTTPS (IPV64_DOH)"), name, until)?;
                let found = self.servers_of(&self.fallback, &apex, until)?;
                (Some(apex), found)
            }
        };
        let found = self.complete(found, way, deadline);
        if let (FoundBy::Resolvers, Some(apex)) = (way, &apex) {
            self.known.keep(apex, &found);
        }
        Ok(Zone { apex, servers: found.servers, unfound: found.unfound, found_by: way })
    }

    /// The servers of the settings: all of them, or a line on each name without an address.
    fn named(&self, deadline: Instant) -> Result<Found, Vec<String>> {
        let by_name = Found::new([], self.server_names.clone());
        let found = self.complete(by_name, FoundBy::Settings, deadline);
        let is_found = |name: &&DnsName| found.servers.iter().any(|server| server.name.as_ref() == Some(*name));
        let missing: Vec<_> = self.server_names.iter().filter(|name| !is_found(name)).collect();
        if !missing.is_empty() {
            let line = |name| format!("no address of `{name}` (IPV64_NAMESERVERS) could be found");
            return Err(missing.into_iter().map(line).collect());
        }
        Ok(Found::new(self.servers.iter().cloned().chain(found.servers), Vec::new()))
    }

    /// Looks up the addresses that one way has left open, in the other ways.
    pub(super) fn complete(&self, mut found: Found, way: FoundBy, deadline: Instant) -> Found {
        let names = found.unfound.clone();
        for other in [FoundBy::Resolvers, FoundBy::Roots, FoundBy::Https] {
            if other == way || found.unfound.is_empty() {
                continue;
            }
            let until = deadline.min(Instant::now() + ONE_WAY);
            let more = match other {
                FoundBy::Roots => walk::addresses(self, &found.unfound, until),
                FoundBy::Https => self.addresses(&self.fallback, &found.unfound, until),
                _ => self.addresses(&self.resolvers, &found.unfound, until),
            };
            found = found.and(more);
            if found.servers.is_empty() {
                // "No such name" for all of them is likely a lie.
                found.unfound.clone_from(&names);
            }
        }
        found
    }

    /// Returns the servers to which a referral gives an address, and the names of the others.
    pub(super) fn glue(&self, referral: &Reply) -> Found {
        let names = distinct(Reply::name_servers(&referral.authority).take(MAX_SERVERS));
        let (mut servers, mut unfound) = (Vec::new(), Vec::new());
        for name in names {
            let before = servers.len();
            servers.extend(Reply::addresses(&referral.additional, name).map(|ip| self.server(name, ip)));
            if servers.len() == before {
                unfound.push(name.clone());
            }
        }
        Found::new(servers, unfound)
    }

    /// Asks for the SOA upwards until a resolver knows the zone.
    fn apex_by((set, kind): (&Recursive, &str), name: &DnsName, deadline: Instant) -> Result<DnsName, Vec<String>> {
        let mut tried: BTreeSet<String> = BTreeSet::new();
        for candidate in name.ancestors() {
            let names_zone = |reply: &Reply| zone_in(reply, &candidate).is_some();
            // A share of the time for each: where nobody answers for one name, the names above still have some.
            let share = deadline.saturating_duration_since(Instant::now()) / 2;
            match set.ask(&Question::recursive(&candidate, Kind::Soa), Instant::now() + share, names_zone) {
                Ok(reply) => {
                    if let Some(apex) = zone_in(&reply, &candidate) {
                        return Ok(apex.clone());
                    }
                }
                Err(no_use) => tried.extend(no_use.into_iter().map(|line| line.to_string())),
            }
        }
        if set.resolvers().is_empty() {
            tried.insert(format!("no resolver {kind} is configured"));
        }
        Err(tried.into_iter().collect())
    }

    /// Asks for the name servers of a zone, then for their addresses; at least one is found.
    fn servers_of(&self, set: &Recursive, apex: &DnsName, deadline: Instant) -> Result<Found, Vec<String>> {
        let has_ns = |reply: &Reply| Reply::name_servers(&reply.answers).next().is_some();
        let reply = set.ask(&Question::recursive(apex, Kind::Ns), deadline, has_ns);
        let reply = reply.map_err(|no_use| no_use.into_iter().map(|line| line.to_string()).collect::<Vec<_>>())?;
        let names: Vec<_> = Reply::name_servers(&reply.answers).cloned().collect();
        let found = self.addresses(set, &names, deadline);
        if found.servers.is_empty() {
            return Err(vec![format!("no address of the name servers of `{apex}` could be found")]);
        }
        Ok(found)
    }

    /// All A and AAAA records of all name servers, asked for at once. A name without any is left out, unless nobody answered
    /// for one of the two.
    fn addresses(&self, set: &Recursive, names: &[DnsName], deadline: Instant) -> Found {
        let answered = |reply: &Reply| matches!(reply.rcode, Rcode::NoError | Rcode::NxDomain);
        let ask = |name| [Kind::A, Kind::Aaaa].map(|kind| set.start(&Question::recursive(name, kind), deadline));
        let asked: Vec<_> = names.iter().take(MAX_SERVERS).map(|name| (name, ask(name))).collect();
        let (mut servers, mut unfound) = (Vec::new(), Vec::new());
        for (name, asked) in asked {
            let replies = asked.map(|asked| asked.first(answered));
            for reply in replies.iter().flatten() {
                servers.extend(Reply::addresses(&reply.answers, name).map(|ip| self.server(name, ip)));
            }
            if replies.iter().any(Result::is_err) {
                unfound.push(name.clone());
            }
        }
        Found::new(servers, unfound)
    }

    pub(super) fn server(&self, name: &DnsName, ip: IpAddr) -> Server {
        Server { name: Some(name.clone()), address: SocketAddr::new(ip, self.port) }
    }
}

/// Returns the zone that a reply about `name` names, if it really is above the name: the SOA behind an alias is that
/// of another zone.
fn zone_in<'a>(reply: &'a Reply, name: &DnsName) -> Option<&'a DnsName> {
    let answered = matches!(reply.rcode, Rcode::NoError | Rcode::NxDomain);
    reply.zone().filter(|zone| answered && name.is_within(zone) && reply.alias(name).is_none())
}

/// Returns the addresses of the world's root servers.
#[must_use]
pub fn world_roots() -> Vec<IpAddr> {
    hickory_resolver::proto::ROOTS.to_vec()
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::op::ResponseCode;
    use hickory_resolver::proto::rr::RecordType;

    use super::*;
    use crate::dns::fake;

    fn name(text: &str) -> DnsName {
        DnsName::parse(text).unwrap()
    }

    /// A resolver that knows two name servers of `example`, but fails for the address of the second.
    fn forgetful() -> SocketAddr {
        fake::serve("127.0.0.1:0", |name, kind, mut reply| {
            match (name, kind) {
                ("example", RecordType::SOA) => drop(reply.add_answer(fake::soa("example"))),
                ("example", RecordType::NS) => {
                    reply.add_answer(fake::ns("example", "ns1.example"));
                    reply.add_answer(fake::ns("example", "ns2.example"));
                }
                ("ns1.example", RecordType::A) => drop(reply.add_answer(fake::a("ns1.example", [127, 0, 0, 1]))),
                ("ns2.example", _) => reply.metadata.response_code = ResponseCode::ServFail,
                _ => {}
            }
            reply
        })
    }

    #[test]
    fn a_name_server_without_an_address_is_not_forgotten() {
        let refusing = fake::serve("127.0.0.1:0", |_, _, mut reply| {
            reply.metadata.response_code = ResponseCode::Refused;
            reply
        });
        let lookup = fake::lookup(Some(forgetful()), refusing);
        let zone = lookup.zone_by(FoundBy::Resolvers, &name("example"), fake::late()).unwrap();
        assert_eq!(zone.servers, [lookup.server(&name("ns1.example"), [127, 0, 0, 1].into())]);
        assert_eq!(zone.unfound, [name("ns2.example")]);
    }

    #[test]
    fn an_address_that_the_resolvers_do_not_tell_is_asked_of_the_root_servers() {
        let root = fake::serve("127.0.0.1:0", |name, kind, mut reply| {
            reply.metadata.authoritative = true;
            match kind {
                RecordType::A => drop(reply.add_answer(fake::a(name, [127, 0, 0, 2]))),
                _ => drop(reply.add_authority(fake::soa("example"))),
            }
            reply
        });
        let lookup = fake::lookup(Some(forgetful()), root);
        let zone = lookup.zone_by(FoundBy::Resolvers, &name("example"), fake::late()).unwrap();
        let addresses: Vec<_> = zone.servers.iter().map(|server| server.address.ip()).collect();
        assert_eq!(addresses, [IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2])]);
        assert_eq!(zone.unfound, []);
    }

    #[test]
    fn a_name_server_of_which_only_one_kind_of_address_is_told_is_half_found() {
        let one_kind = || {
            fake::serve("127.0.0.1:0", |asked, kind, mut reply| {
                match (asked, kind) {
                    ("example", RecordType::SOA) => drop(reply.add_answer(fake::soa("example"))),
                    ("example", RecordType::NS) => drop(reply.add_answer(fake::ns("example", "ns1.example"))),
                    (_, RecordType::A) => drop(reply.add_answer(fake::a("ns1.example", [127, 0, 0, 1]))),
                    _ => reply.metadata.response_code = ResponseCode::ServFail,
                }
                reply
            })
        };
        let lookup = fake::lookup(Some(one_kind()), one_kind());
        let zone = lookup.zone_by(FoundBy::Resolvers, &name("example"), fake::late()).unwrap();
        assert_eq!(zone.servers, [lookup.server(&name("ns1.example"), [127, 0, 0, 1].into())]);
        assert_eq!(zone.half_found().collect::<Vec<_>>(), [&name("ns1.example")]);
    }

    #[test]
    fn the_servers_of_a_zone_are_asked_for_once() {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let resolver = fake::serve("127.0.0.1:0", move |name, kind, mut reply| {
            log.lock().unwrap().push(kind);
            match kind {
                RecordType::SOA => drop(reply.add_authority(fake::soa("example"))),
                RecordType::NS => drop(reply.add_answer(fake::ns("example", "ns1.example"))),
                RecordType::A => drop(reply.add_answer(fake::a(name, [127, 0, 0, 1]))),
                _ => {}
            }
            reply
        });
        let lookup = fake::lookup(Some(resolver), resolver);
        let [one, other] = ["a.example", "b.example"]
            .map(|text| lookup.zone_by(FoundBy::Resolvers, &name(text), fake::late()).unwrap());
        assert_eq!(one, other);
        let asked = asked.lock().unwrap();
        let count = |wanted| asked.iter().filter(|kind| **kind == wanted).count();
        assert_eq!((count(RecordType::SOA), count(RecordType::NS), count(RecordType::A)), (2, 1, 1));
    }

    #[test]
    fn servers_of_the_settings_are_looked_up_when_they_are_needed() {
        let resolver = forgetful();
        let mut lookup = fake::lookup(Some(resolver), resolver);
        lookup.server_names = vec![name("ns1.example")];
        assert_eq!(lookup.ways(), [FoundBy::Settings]);
        let zone = lookup.zone_by(FoundBy::Settings, &name("example"), fake::late()).unwrap();
        assert_eq!(zone.servers.len(), 1);
        lookup.server_names.push(name("ns2.example"));
        let lines = lookup.zone_by(FoundBy::Settings, &name("example"), fake::late()).unwrap_err();
        assert!(lines[0].contains("`ns2.example`"), "{lines:?}");
    }

    #[test]
    fn a_huge_list_of_servers_is_cut_and_the_order_of_a_list_does_not_matter() {
        let server = |last: u16| Server { name: None, address: ([127, 0, 0, 1], last).into() };
        let found = Found::new((0..1000).map(server), Vec::new());
        assert_eq!(found.servers.len(), MAX_ADDRESSES);
        assert_eq!(found, Found::new((0..1000).rev().map(server), Vec::new()));
    }
}
