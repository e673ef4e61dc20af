//! Which servers are authoritative for a name: the zone cut, the name servers that both sides of it name, all their
//! addresses. Asked of the resolvers first; where they fail or lie, of the root servers downwards; last over HTTPS.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::authority::ask_servers;
use super::message::{Question, RecordType, Reply};
use super::pace::Pace;
use super::recursive::Recursive;
use super::server::Found;
pub use super::server::{FoundBy, Server, Zone};
use crate::name::DnsName;

/// How long one way of finding the servers may take before the next one is tried.
const ONE_WAY: Duration = Duration::from_secs(5);
/// How long it may take to find out what the other side of a zone cut says.
const OTHER_SIDE: Duration = Duration::from_millis(1500);

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
    /// Queries per server address.
    pub pace: Arc<Pace>,
    /// The zones that the configured resolvers told already, by apex: a hundred names of one order are in few zones.
    pub known: Arc<Mutex<BTreeMap<DnsName, Zone>>>,
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
        match way {
            FoundBy::Settings => self.named(deadline),
            FoundBy::Resolvers => {
                let apex = apex_by((&self.resolvers, "(IPV64_RESOLVERS)"), name, until)?;
                let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(zone) = known().get(&apex) {
                    return Ok(zone.clone());
                }
                let found = self.servers_of(&self.resolvers, &apex, until)?;
                let zone = self.both_sides((apex.clone(), None), found, way, deadline);
                known().insert(apex, zone.clone());
                Ok(zone)
            }
            FoundBy::Roots => {
                let (apex, found) = self.walk_to_zone(name, until).map_err(|line| vec![line])?;
                Ok(self.both_sides((apex, Some(found.clone())), found, way, deadline))
            }
            FoundBy::Https => {
                let apex = apex_by((&self.fallback, "over HTTPS (IPV64_DOH)"), name, until)?;
                let found = self.servers_of(&self.fallback, &apex, until)?;
                Ok(self.complete(found, way, deadline).into_zone(Some(apex), way))
            }
        }
    }

    /// The servers of the settings, or a line on each name that has no address as everybody says. Names of which nobody says
    /// anything are still to be found.
    fn named(&self, deadline: Instant) -> Result<Zone, Vec<String>> {
        let by_name = Found::unfound(self.server_names.iter().cloned().collect());
        let mut found = self.complete(by_name, FoundBy::Settings, deadline);
        // "No such name" for all of them is likely a lie.
        let missing = if found.servers.is_empty() { BTreeSet::new() } else { found.without_address() };
        if !missing.is_empty() {
            return Err(missing.iter().map(no_address_in_settings).collect());
        }
        let names: BTreeSet<_> = found.servers.iter().filter_map(|server| server.name.as_ref()).collect();
        let unfound: BTreeSet<_> = found.unfound.iter().filter(|name| !names.contains(name)).cloned().collect();
        found.servers.extend(self.servers.iter().cloned());
        Ok(Found { unfound, ..found }.into_zone(None, FoundBy::Settings))
    }

    /// Makes a zone of the servers that the delegation names and those that the zone itself names (RFC 1034 section 4.2.2
    /// wants them to be the same). `found` are those known so far; a delegation that is not known is walked to.
    pub(super) fn both_sides(
        &self,
        (apex, delegation): (DnsName, Option<Found>),
        mut found: Found,
        way: FoundBy,
        deadline: Instant,
    ) -> Zone {
        let soon = || deadline.min(Instant::now() + OTHER_SIDE);
        let question = Question::authoritative(&apex, RecordType::NS);
        let reply = ask_servers((Some(&apex), &found.servers), &question, &self.pace, soon());
        let reply = reply.ok().filter(Reply::authoritative);
        // Where the servers cannot be asked, port 53 is shut: the root servers would be waited for in vain.
        let walked = || self.walk_to_zone(&apex, soon()).ok().filter(|(cut, _)| *cut == apex).map(|(_, found)| found);
        let delegation = delegation.or_else(|| reply.as_ref().and_then(|_| walked()));
        let known = found.names();
        let own = reply.map(|reply| reply.name_servers(&apex)).filter(|names| !names.is_empty());
        let own = own.unwrap_or_else(|| known.clone());
        // The root servers have no names here.
        let delegation = delegation.filter(|delegation| !delegation.names().is_empty());
        let leads_elsewhere = |other: &&Found| found.addresses().is_disjoint(&other.addresses());
        if let Some(elsewhere) = delegation.as_ref().filter(leads_elsewhere).filter(|_| way != FoundBy::Roots) {
            // Another zone of the same name, as with split DNS: a CA goes down from the root.
            let sides = (apex, Some(elsewhere.clone()));
            return Zone { split: true, ..self.both_sides(sides, elsewhere.clone(), FoundBy::Roots, deadline) };
        }
        let parent = delegation.as_ref().map_or_else(|| own.clone(), Found::names);
        let mut named: BTreeSet<_> = own.union(&parent).filter(|name| !known.contains(name)).cloned().collect();
        if way == FoundBy::Roots {
            named.append(&mut found.unfound);
        }
        found.servers.extend(delegation.into_iter().flat_map(|delegation| delegation.servers));
        found.merge(self.addresses_by(way, Found::unfound(named), deadline));
        let (only_parent, only_zone) = (&parent - &own, &own - &parent);
        Zone {
            only_parent: only_parent.into_iter().collect(),
            only_zone: only_zone.into_iter().collect(),
            ..self.complete(found, way, deadline).into_zone(Some(apex), way)
        }
    }

    /// Looks up the addresses that one way has left open, in the other ways.
    pub(super) fn complete(&self, mut found: Found, way: FoundBy, deadline: Instant) -> Found {
        for other in [FoundBy::Resolvers, FoundBy::Roots, FoundBy::Https] {
            if other != way {
                let mut unfound = std::mem::take(&mut found.unfound);
                unfound.append(&mut found.without_address());
                found.merge(self.addresses_by(other, Found { unfound, ..Found::default() }, deadline));
            }
        }
        found
    }

    /// Looks up the addresses of servers that are not found yet, in one way.
    fn addresses_by(&self, way: FoundBy, open: Found, deadline: Instant) -> Found {
        if open.unfound.is_empty() {
            return open;
        }
        let until = deadline.min(Instant::now() + ONE_WAY);
        let found = match way {
            FoundBy::Roots => self.walk_to_addresses(&open.unfound, 0, until),
            FoundBy::Https => self.addresses(&self.fallback, &open.unfound, until),
            FoundBy::Resolvers | FoundBy::Settings => self.addresses(&self.resolvers, &open.unfound, until),
        };
        Found { left_out: open.left_out, ..found }
    }

    /// Asks for the name servers of a zone, then for their addresses; at least one is found.
    fn servers_of(&self, set: &Recursive, apex: &DnsName, deadline: Instant) -> Result<Found, Vec<String>> {
        let has_ns = |reply: &Reply| !reply.name_servers(apex).is_empty();
        let reply = set.ask(&Question::recursive(apex, RecordType::NS), deadline, has_ns)?;
        let Found { unfound, left_out, .. } = Found::unfound(reply.name_servers(apex));
        let found = self.addresses(set, &unfound, deadline);
        if found.servers.is_empty() {
            return Err(vec![format!("no address of the name servers of `{apex}` could be found")]);
        }
        Ok(Found { left_out, ..found })
    }

    /// All A and AAAA records of all name servers, asked for at once.
    fn addresses(&self, set: &Recursive, names: &BTreeSet<DnsName>, deadline: Instant) -> Found {
        let ask = |kind, name| set.start(&Question::recursive(name, kind), deadline);
        let asked: Vec<_> =
            names.iter().map(|name| (name, [RecordType::A, RecordType::AAAA].map(|kind| ask(kind, name)))).collect();
        let mut found = Found::default();
        for (name, asked) in asked {
            let replies = asked.map(|asked| asked.first(Reply::is_answer));
            let addresses: BTreeSet<_> = replies.iter().flatten().flat_map(|reply| reply.addresses(name)).collect();
            if replies.iter().any(Result::is_err) {
                found.unfound.insert(name.clone());
            } else if addresses.is_empty() {
                found.denied.insert(name.clone());
            }
            found.servers.extend(addresses.into_iter().map(|ip| Server::named(name, ip, self.port)));
        }
        found
    }
}

/// Returns a line on a server of the settings.
pub(super) fn no_address_in_settings(name: &DnsName) -> String {
    format!("no address of `{name}` (IPV64_NAMESERVERS) could be found")
}

/// Asks for the SOA upwards until a resolver knows the zone.
fn apex_by((set, kind): (&Recursive, &str), name: &DnsName, deadline: Instant) -> Result<DnsName, Vec<String>> {
    let mut tried: BTreeSet<String> = BTreeSet::new();
    for candidate in name.ancestors() {
        // A share of the time for each: where nobody answers for one name, the names above still have some.
        let share = deadline.saturating_duration_since(Instant::now()) / 2;
        let names_zone = |reply: &Reply| zone_in(reply, &candidate).is_some();
        match set.ask(&Question::recursive(&candidate, RecordType::SOA), Instant::now() + share, names_zone) {
            Ok(reply) => {
                if let Some(apex) = zone_in(&reply, &candidate) {
                    return Ok(apex);
                }
            }
            Err(failures) => tried.extend(failures),
        }
    }
    if set.resolvers().is_empty() {
        tried.insert(format!("no resolver {kind} is configured"));
    }
    Err(tried.into_iter().collect())
}

/// Returns the zone that a reply about `name` names, if it really is above the name: the SOA behind an alias is that
/// of another zone.
fn zone_in(reply: &Reply, name: &DnsName) -> Option<DnsName> {
    reply.zone().filter(|zone| reply.is_answer() && name.is_within(zone) && reply.alias(name).is_none())
}

/// Returns the addresses of the world's root servers.
#[must_use]
pub fn world_roots() -> Vec<IpAddr> {
    hickory_resolver::proto::ROOTS.to_vec()
}

#[cfg(test)]
mod tests;
