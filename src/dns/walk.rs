//! From the root servers down to the zone of a name, by referrals (RFC 1034 section 5.3.3): the way that no local
//! resolver can spoil. A network that answers in place of the root servers is recognised and said so.

use std::collections::BTreeSet;
use std::time::Instant;

use super::authority::ask_servers;
use super::message::{Question, RecordType, Reply};
use super::server::{Found, Server};
use super::zone::Lookup;
use crate::name::DnsName;

/// The most referrals on the way down; a name has at most 127 labels, real delegations are far fewer.
const MAX_REFERRALS: usize = 16;
/// How many times a name server without glue may need a walk of its own.
const MAX_NESTED: usize = 3;

impl Lookup {
    /// Walks from the roots to the zone of a name; returns its apex and at least one of its servers as the delegation names
    /// them, or a line on what stopped the walk.
    pub(super) fn walk_to_zone(&self, name: &DnsName, deadline: Instant) -> Result<(DnsName, Found), String> {
        self.walk_nested(name, 0, deadline).map_err(|line| format!("root servers: {line}"))
    }

    fn walk_nested(&self, name: &DnsName, nested: usize, deadline: Instant) -> Result<(DnsName, Found), String> {
        let mut found = Found { servers: self.root_servers(), ..Found::default() };
        let mut apex: Option<DnsName> = None;
        for _ in 0..MAX_REFERRALS {
            let question = Question::authoritative(name, RecordType::SOA);
            let reply = self.ask_on_the_way((apex.as_ref(), &found.servers), &question, deadline)?;
            let Some(below) = reply.referral() else {
                // For the zone of the SOA, which may lie below the referred one where one server holds both.
                let zone = reply.zone().filter(|zone| name.is_within(zone)).or(apex);
                return zone.map(|zone| (zone, found)).ok_or_else(|| format!("`{name}` is in no zone below the root"));
            };
            found = Found::in_referral(&reply, &below, self.port);
            if found.servers.is_empty() && nested < MAX_NESTED {
                found = self.walk_to_addresses(&found.unfound, nested, deadline);
            }
            if found.servers.is_empty() {
                return Err(format!("no address of the name servers of `{below}` could be found"));
            }
            apex = Some(below);
        }
        Err(format!("more than {MAX_REFERRALS} referrals"))
    }

    /// Returns whether any root server answers, over UDP or TCP, by the deadline: if none does, the port is shut on the way.
    #[must_use]
    pub fn reaches_roots(&self, deadline: Instant) -> bool {
        DnsName::parse("net").is_ok_and(|name| {
            let question = Question::authoritative(&name, RecordType::NS);
            ask_servers((None, &self.root_servers()), &question, &self.pace, deadline).is_ok()
        })
    }

    fn root_servers(&self) -> BTreeSet<Server> {
        self.roots.iter().map(|ip| Server { name: None, address: (*ip, self.port).into() }).collect()
    }

    /// Asks the servers of a zone; the error is the last line of what they did instead.
    fn ask_on_the_way(
        &self,
        zone: (Option<&DnsName>, &BTreeSet<Server>),
        question: &Question,
        deadline: Instant,
    ) -> Result<Reply, String> {
        let reply = ask_servers(zone, question, &self.pace, deadline);
        reply.map_err(|mut lines| lines.pop().unwrap_or_else(|| "no time left".to_owned()))
    }

    /// Walks to the addresses of name servers, one after the other; one that fails does not keep the others from being found.
    /// `nested` is the number of walks that need this one.
    pub(super) fn walk_to_addresses(&self, names: &BTreeSet<DnsName>, nested: usize, deadline: Instant) -> Found {
        let mut found = Found::default();
        for name in names {
            let (servers, is_whole) = self.walk_to_address(name, nested + 1, deadline);
            if !is_whole {
                found.unfound.insert(name.clone());
            } else if servers.is_empty() {
                found.denied.insert(name.clone());
            }
            found.servers.extend(servers);
        }
        found
    }

    /// Returns the addresses of a name server, and whether these are all: that somebody has answered for each kind.
    fn walk_to_address(&self, name: &DnsName, nested: usize, deadline: Instant) -> (Vec<Server>, bool) {
        let Ok((apex, holders)) = self.walk_nested(name, nested, deadline) else { return (Vec::new(), false) };
        let ask =
            |kind| self.ask_on_the_way((Some(&apex), &holders.servers), &Question::authoritative(name, kind), deadline);
        let replies = [RecordType::A, RecordType::AAAA].map(ask);
        let found = replies.iter().flatten().flat_map(|reply| reply.addresses(name));
        (found.map(|ip| Server::named(name, ip, self.port)).collect(), replies.iter().all(Result::is_ok))
    }
}

#[cfg(test)]
mod tests;
