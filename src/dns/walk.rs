//! From the root servers down to the zone of a name, by referrals (RFC 1034 section 5.3.3): the way that no local
//! resolver can spoil. A network that answers in place of the root servers is recognised and said so.

use std::net::IpAddr;
use std::time::Instant;

use super::exchange::ask_whole;
use super::message::{Kind, Question, Rcode, Reply};
use super::zone::{Lookup, Server};
use crate::name::DnsName;

/// The most referrals on the way down; a name has at most 127 labels, real delegations are far fewer.
const MAX_REFERRALS: usize = 16;
/// How many times a name server without glue may need a walk of its own.
const MAX_NESTED: usize = 3;

/// Walks from the roots to the zone of `name`; returns its apex and servers, or a line on what stopped the walk.
pub(super) fn from_roots(lookup: &Lookup, name: &DnsName, deadline: Instant) -> Result<(DnsName, Vec<Server>), String> {
    Walk { lookup, deadline }.zone_of(name, 0).map_err(|line| format!("root servers: {line}"))
}

struct Walk<'a> {
    lookup: &'a Lookup,
    deadline: Instant,
}

impl Walk<'_> {
    fn zone_of(&self, name: &DnsName, nested: usize) -> Result<(DnsName, Vec<Server>), String> {
        let mut servers = self.roots();
        let mut apex: Option<DnsName> = None;
        for _ in 0..MAX_REFERRALS {
            let question = Question::authoritative(name, Kind::Soa);
            let reply = self.ask(&servers, &question)?;
            let Some(below) = reply.referral() else {
                return self.end(name, apex, reply.zone().cloned(), servers);
            };
            let deeper = apex.as_ref().is_none_or(|apex| below != apex && below.is_within(apex));
            if !deeper || !name.is_within(below) {
                return Err(format!("a referral to `{below}`, which does not lead to `{name}`"));
            }
            let names: Vec<_> = Reply::name_servers(&reply.authority).cloned().collect();
            servers = self.addresses(&names, &reply, nested)?;
            apex = Some(below.clone());
        }
        Err(format!("more than {MAX_REFERRALS} referrals"))
    }

    /// The last referral led to servers that have authority: for the zone of the SOA, which may lie below the
    /// referred one where one server holds both.
    fn end(
        &self,
        name: &DnsName,
        apex: Option<DnsName>,
        zone: Option<DnsName>,
        servers: Vec<Server>,
    ) -> Result<(DnsName, Vec<Server>), String> {
        match zone.filter(|zone| name.is_within(zone)).or(apex) {
            Some(zone) => Ok((zone, servers)),
            None => Err(format!("`{name}` is in no zone below the root")),
        }
    }

    fn roots(&self) -> Vec<Server> {
        let server = |ip: &IpAddr| Server { name: None, address: (*ip, self.lookup.port).into() };
        self.lookup.roots.iter().map(server).collect()
    }

    /// Asks one server after the other until one gives an answer that can be used.
    fn ask(&self, servers: &[Server], question: &Question) -> Result<Reply, String> {
        let mut last = "no server to ask".to_owned();
        for server in servers {
            // A share of the time for each: a dead server must not use up all of it.
            let share = self.deadline.saturating_duration_since(Instant::now()) / 3;
            if share.is_zero() || !self.lookup.pace.wait(server.address.ip(), self.deadline) {
                break;
            }
            match ask_whole(server.address, question, Instant::now() + share) {
                Ok(reply) if reply.authoritative || reply.referral().is_some() => match reply.rcode {
                    Rcode::NoError | Rcode::NxDomain => return Ok(reply),
                    other => last = format!("{server}: {other}"),
                },
                Ok(reply) if reply.recursion_available => {
                    last = format!("{server}: an answer without authority; something on the way answers in its place");
                }
                Ok(reply) => last = format!("{server}: {} without authority", reply.rcode),
                Err(error) => last = format!("{server}: {error}"),
            }
        }
        Err(last)
    }

    fn addresses(&self, names: &[DnsName], referral: &Reply, nested: usize) -> Result<Vec<Server>, String> {
        let lookup = self.lookup;
        let glue = |name| Reply::addresses(&referral.additional, name).map(move |ip| lookup.server(name, ip));
        let servers: Vec<_> = names.iter().flat_map(glue).collect();
        if !servers.is_empty() || nested >= MAX_NESTED {
            return Ok(servers);
        }
        let mut servers = Vec::new();
        for name in names {
            let (_, holders) = self.zone_of(name, nested + 1)?;
            for kind in [Kind::A, Kind::Aaaa] {
                let reply = self.ask(&holders, &Question::authoritative(name, kind))?;
                servers.extend(Reply::addresses(&reply.answers, name).map(|ip| lookup.server(name, ip)));
            }
        }
        Ok(servers)
    }
}
