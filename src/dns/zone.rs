//! Which servers are authoritative for a name: the zone cut, its name servers, all their addresses.
//! Asked of the resolvers first; where they fail or lie, of the root servers downwards; last over HTTPS.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::message::{Kind, Question, Rcode, Reply};
use super::pace::Pace;
use super::recursive::{NoUse, Recursive};
use super::walk;
use crate::name::DnsName;

/// How long one way of finding the servers may take before the next one is tried.
const ONE_WAY: Duration = Duration::from_secs(5);
/// Name servers of one zone beyond this number are left out: no zone has so many, but a reply could.
const MAX_SERVERS: usize = 32;

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
    /// Every address of every authoritative server; empty only where nobody knows any.
    pub servers: Vec<Server>,
    /// How they were found.
    pub found_by: FoundBy,
}

/// Where to look: the settings that concern DNS, and the pace that all share.
#[derive(Debug, Clone)]
pub struct Lookup {
    /// The configured resolvers.
    pub resolvers: Recursive,
    /// Resolvers over HTTPS, for where the configured ones and port 53 fail; may be empty.
    pub fallback: Recursive,
    /// Authoritative servers that the user named; if there are any, nothing is looked up.
    pub servers: Vec<Server>,
    /// The root servers.
    pub roots: Vec<IpAddr>,
    /// The port on which looked-up servers are asked.
    pub port: u16,
    /// Questions per server address.
    pub pace: Arc<Pace>,
}

impl Lookup {
    /// The ways in which servers can be found, the most trusted by the user first.
    #[must_use]
    pub fn ways(&self) -> &'static [FoundBy] {
        if self.servers.is_empty() {
            &[FoundBy::Resolvers, FoundBy::Roots, FoundBy::Https]
        } else {
            &[FoundBy::Settings]
        }
    }

    /// Finds the zone that holds a name, and its servers, in one way.
    ///
    /// # Errors
    /// What was tried, a line each; the deadline ends the search.
    pub fn zone_by(&self, way: FoundBy, name: &DnsName, deadline: Instant) -> Result<Zone, Vec<String>> {
        let deadline = deadline.min(Instant::now() + ONE_WAY);
        let (apex, servers) = match way {
            FoundBy::Settings => {
                return Ok(Zone { apex: None, servers: self.servers.clone(), found_by: FoundBy::Settings });
            }
            FoundBy::Resolvers => self.ask_resolvers(&self.resolvers, name, deadline)?,
            FoundBy::Roots => walk::from_roots(self, name, deadline).map_err(|line| vec![line])?,
            FoundBy::Https => self.ask_resolvers(&self.fallback, name, deadline)?,
        };
        Ok(Zone { apex: Some(apex), servers, found_by: way })
    }

    /// Finds the addresses of the servers that a referral names without glue; none if nobody knows any.
    pub(super) fn servers_of(&self, names: &[DnsName], deadline: Instant) -> Vec<Server> {
        let sets = [&self.resolvers, &self.fallback].into_iter();
        let found = sets.map(|set| self.addresses(set, names, deadline.min(Instant::now() + ONE_WAY)));
        found.into_iter().find(|servers| !servers.is_empty()).unwrap_or_default()
    }

    /// SOA upwards until a resolver knows the zone, then NS, then the addresses.
    fn ask_resolvers(
        &self,
        set: &Recursive,
        name: &DnsName,
        deadline: Instant,
    ) -> Result<(DnsName, Vec<Server>), Vec<String>> {
        let mut tried: BTreeSet<String> = BTreeSet::new();
        let note = |no_use: Vec<NoUse>| no_use.into_iter().map(|line| line.to_string()).collect::<Vec<_>>();
        for candidate in name.ancestors() {
            let names_zone = |reply: &Reply| zone_in(reply, &candidate).is_some();
            let reply = match set.ask(&Question::recursive(&candidate, Kind::Soa), deadline, names_zone) {
                Ok(reply) => reply,
                Err(no_use) => {
                    tried.extend(note(no_use));
                    continue;
                }
            };
            let Some(apex) = zone_in(&reply, &candidate) else { continue };
            let has_ns = |reply: &Reply| Reply::name_servers(&reply.answers).next().is_some();
            match set.ask(&Question::recursive(apex, Kind::Ns), deadline, has_ns) {
                Ok(reply) => {
                    let names: Vec<_> = Reply::name_servers(&reply.answers).cloned().collect();
                    let servers = self.addresses(set, &names, deadline);
                    if !servers.is_empty() {
                        return Ok((apex.clone(), servers));
                    }
                    tried.insert(format!("the name servers of `{apex}` have no addresses"));
                }
                Err(no_use) => tried.extend(note(no_use)),
            }
            break;
        }
        if set.resolvers().is_empty() {
            tried.insert("no resolver is configured".to_owned());
        }
        Err(tried.into_iter().collect())
    }

    /// All A and AAAA records of all name servers, asked for at once.
    pub(super) fn addresses(&self, set: &Recursive, names: &[DnsName], deadline: Instant) -> Vec<Server> {
        let ask = |name: &DnsName, kind| {
            let answered = |reply: &Reply| matches!(reply.rcode, Rcode::NoError | Rcode::NxDomain);
            let reply = set.ask(&Question::recursive(name, kind), deadline, answered);
            reply.map(|reply| Reply::addresses(&reply.answers, name).collect::<Vec<_>>()).unwrap_or_default()
        };
        let questions = names.iter().take(MAX_SERVERS).flat_map(|name| [(name, Kind::A), (name, Kind::Aaaa)]);
        thread::scope(|scope| {
            let asked: Vec<_> = questions.map(|(name, kind)| (name, scope.spawn(move || ask(name, kind)))).collect();
            let found = asked.into_iter().flat_map(|(name, handle)| {
                let addresses = handle.join().unwrap_or_default();
                addresses.into_iter().map(move |ip| self.server(name, ip))
            });
            found.collect::<BTreeSet<_>>().into_iter().collect()
        })
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
