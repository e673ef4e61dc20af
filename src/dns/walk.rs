//! From the root servers down to the zone of a name, by referrals (RFC 1034 section 5.3.3): the way that no local
//! resolver can spoil. A network that answers in place of the root servers is recognised and said so.

use std::net::IpAddr;
use std::time::Instant;

use super::exchange::ask_paced;
use super::message::{Kind, Question, Rcode, Reply};
use super::zone::{Found, Lookup, Server};
use crate::name::DnsName;

/// The most referrals on the way down; a name has at most 127 labels, real delegations are far fewer.
const MAX_REFERRALS: usize = 16;
/// How many times a name server without glue may need a walk of its own.
const MAX_NESTED: usize = 3;

/// Walks from the roots to the zone of `name`; returns its apex and servers, or a line on what stopped the walk.
pub(super) fn from_roots(
    lookup: &Lookup,
    name: &DnsName,
    deadline: Instant,
) -> Result<(Option<DnsName>, Found), String> {
    let walk = Walk { lookup, deadline };
    let (apex, found) = walk.zone_of(name, 0).map_err(|line| format!("root servers: {line}"))?;
    let more = walk.addresses(&found.unfound, 0);
    Ok((Some(apex), found.and(more)))
}

/// Walks from the roots to the addresses of name servers.
pub(super) fn addresses(lookup: &Lookup, names: &[DnsName], deadline: Instant) -> Found {
    Walk { lookup, deadline }.addresses(names, 0)
}

struct Walk<'a> {
    lookup: &'a Lookup,
    deadline: Instant,
}

impl Walk<'_> {
    /// Returns the zone of a name with at least one server; names without an address may be left.
    fn zone_of(&self, name: &DnsName, nested: usize) -> Result<(DnsName, Found), String> {
        let mut found = Found::new(self.roots(), Vec::new());
        let mut apex: Option<DnsName> = None;
        for _ in 0..MAX_REFERRALS {
            let question = Question::authoritative(name, Kind::Soa);
            let reply = self.ask(&found.servers, &question)?;
            let Some(below) = reply.referral() else {
                // For the zone of the SOA, which may lie below the referred one where one server holds both.
                let zone = reply.zone().filter(|zone| name.is_within(zone)).cloned().or(apex);
                return zone.map(|zone| (zone, found)).ok_or_else(|| format!("`{name}` is in no zone below the root"));
            };
            let deeper = apex.as_ref().is_none_or(|apex| below != apex && below.is_within(apex));
            if !deeper || !name.is_within(below) {
                return Err(format!("a referral to `{below}`, which does not lead to `{name}`"));
            }
            found = self.lookup.glue(&reply);
            if found.servers.is_empty() && nested < MAX_NESTED {
                found = self.addresses(&found.unfound, nested);
            }
            if found.servers.is_empty() {
                return Err(format!("no address of the name servers of `{below}` could be found"));
            }
            apex = Some(below.clone());
        }
        Err(format!("more than {MAX_REFERRALS} referrals"))
    }

    fn roots(&self) -> Vec<Server> {
        let server = |ip: &IpAddr| Server { name: None, address: (*ip, self.lookup.port).into() };
        self.lookup.roots.iter().map(server).collect()
    }

    /// Asks one server after the other until one gives an answer that can be used.
    fn ask(&self, servers: &[Server], question: &Question) -> Result<Reply, String> {
        let mut last = "no time left".to_owned();
        for server in servers {
            // A share of the time for each: a dead server must not use up all of it.
            let share = self.deadline.saturating_duration_since(Instant::now()) / 3;
            if share.is_zero() {
                break;
            }
            match ask_paced(server.address, question, &self.lookup.pace, Instant::now() + share) {
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

    /// Looks up names one after the other; one that fails does not keep the others from being found.
    fn addresses(&self, names: &[DnsName], nested: usize) -> Found {
        let (mut servers, mut unfound) = (Vec::new(), Vec::new());
        for name in names {
            let (found, is_whole) = self.addresses_of(name, nested + 1);
            servers.extend(found);
            if !is_whole {
                unfound.push(name.clone());
            }
        }
        Found::new(servers, unfound)
    }

    /// Returns the addresses of a name server, and whether these are all: that somebody has answered for each kind.
    fn addresses_of(&self, name: &DnsName, nested: usize) -> (Vec<Server>, bool) {
        let Ok((_, holders)) = self.zone_of(name, nested) else { return (Vec::new(), false) };
        let replies =
            [Kind::A, Kind::Aaaa].map(|kind| self.ask(&holders.servers, &Question::authoritative(name, kind)));
        let found = replies.iter().flatten().flat_map(|reply| Reply::addresses(&reply.answers, name));
        (found.map(|ip| self.lookup.server(name, ip)).collect(), replies.iter().all(Result::is_ok))
    }
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::op::ResponseCode;
    use hickory_resolver::proto::rr::RecordType;

    use super::*;
    use crate::dns::fake;

    #[test]
    fn one_name_server_without_glue_that_cannot_be_found_does_not_end_the_walk() {
        let root = fake::serve("127.0.0.1:0", |name, kind, mut reply| {
            match (name, kind) {
                ("ns1.broken.test", _) => reply.metadata.response_code = ResponseCode::ServFail,
                ("ns2.alive.test", RecordType::A) => {
                    reply.metadata.authoritative = true;
                    reply.add_answer(fake::a(name, [127, 0, 0, 2]));
                }
                ("ns2.alive.test", _) => {
                    reply.metadata.authoritative = true;
                    reply.add_authority(fake::soa("test"));
                }
                _ => {
                    reply.add_authority(fake::ns("example", "ns1.broken.test"));
                    reply.add_authority(fake::ns("example", "ns2.alive.test"));
                }
            }
            reply
        });
        fake::serve(&format!("127.0.0.2:{}", root.port()), |_, _, mut reply| {
            reply.metadata.authoritative = true;
            reply.add_answer(fake::soa("example"));
            reply
        });
        let name = |text| DnsName::parse(text).unwrap();
        let (apex, found) = from_roots(&fake::lookup(None, root), &name("example"), fake::late()).unwrap();
        assert_eq!(apex, Some(name("example")));
        assert_eq!(found.servers.len(), 1);
        assert_eq!(found.unfound, [name("ns1.broken.test")]);
    }
}
