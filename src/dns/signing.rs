//! Do resolvers that validate believe a zone? A fingerprint at its parent (DS) has to be followed by keys and signatures that
//! hold, or they refuse its answers (RFC 4035 section 5.5), and so does every CA. Nothing is validated here: a resolver that
//! does is asked what it thinks.

use std::time::{Duration, Instant};

use super::exchange::ask_paced;
use super::message::{Data, Kind, Question, Rcode, Reply};
use super::recursive::Recursive;
use super::zone::{Lookup, Zone};

/// How long one server is waited for.
const ATTEMPT: Duration = Duration::from_secs(1);

/// What parent, zone and resolvers say about signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    /// The parent has no fingerprint of a key of the zone.
    Unsigned,
    /// It has one, the zone has keys, and the resolver that was asked does not refuse the answers.
    Signed,
    /// It has one, and the zone has no keys.
    NoKeys,
    /// It has one, and the resolver refuses the answers.
    Refused,
}

impl Lookup {
    /// Finds out whether a zone can be believed. Nothing if nobody tells by the deadline what its parent says or which keys
    /// it has, or if its name is not known.
    #[must_use]
    pub fn signing(&self, zone: &Zone, deadline: Instant) -> Option<Signing> {
        let apex = zone.apex.as_ref()?;
        let ask = |set: &Recursive, kind| set.ask(&Question::recursive(apex, kind), deadline, is_answer).ok();
        let mut sets = [&self.resolvers, &self.fallback].into_iter();
        let (set, parent) = sets.find_map(|set| Some((set, ask(set, Kind::Ds)?)))?;
        Some(if !has_trace(&parent) {
            Signing::Unsigned
        } else if !has_trace(&self.keys(zone, &Question::authoritative(apex, Kind::Dnskey), deadline)?) {
            Signing::NoKeys
        } else if ask(set, Kind::Soa).is_none() {
            Signing::Refused
        } else {
            Signing::Signed
        })
    }

    /// What the servers of a zone tell of its keys.
    fn keys(&self, zone: &Zone, question: &Question, deadline: Instant) -> Option<Reply> {
        let ask = |address| ask_paced(address, question, &self.pace, deadline.min(Instant::now() + ATTEMPT)).ok();
        let asked = zone.servers.iter().take_while(|_| Instant::now() < deadline);
        asked.filter_map(|server| ask(server.address)).find(|reply| reply.authoritative)
    }
}

fn is_answer(reply: &Reply) -> bool {
    matches!(reply.rcode, Rcode::NoError | Rcode::NxDomain)
}

fn has_trace(reply: &Reply) -> bool {
    reply.answers.iter().any(|record| record.data == Data::Signing)
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::op::ResponseCode;
    use hickory_resolver::proto::rr::rdata::NULL;
    use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

    use super::*;
    use crate::dns::fake;
    use crate::dns::zone::{FoundBy, Server};
    use crate::name::DnsName;

    /// A record of which only the type matters.
    fn trace(name: &str, kind: RecordType) -> Record {
        let data = RData::Unknown { code: kind, rdata: NULL::with(vec![0; 36]) };
        Record::from_rdata(Name::from_ascii(format!("{name}.")).unwrap(), 60, data)
    }

    fn signing(of_parent: &'static str, of_zone: &'static str, soa: ResponseCode) -> Option<Signing> {
        let resolver = fake::serve("127.0.0.1:0", move |name, kind, mut reply| {
            if (name, kind) == (of_parent, RecordType::DS) {
                reply.add_answer(trace(name, kind));
            } else if kind == RecordType::SOA {
                reply.metadata.response_code = soa;
            }
            reply
        });
        let server = fake::serve("127.0.0.1:0", move |name, kind, mut reply| {
            reply.metadata.authoritative = true;
            if (name, kind) == (of_zone, RecordType::DNSKEY) {
                reply.add_answer(trace(name, kind));
            }
            reply
        });
        let zone = Zone {
            apex: DnsName::parse("example.com").ok(),
            servers: vec![Server { name: None, address: server }],
            unfound: Vec::new(),
            found_by: FoundBy::Resolvers,
        };
        fake::lookup(Some(resolver), server).signing(&zone, fake::late())
    }

    #[test]
    fn a_fingerprint_has_to_be_followed_by_keys_and_signatures_that_hold() {
        let (good, bad) = (ResponseCode::NoError, ResponseCode::ServFail);
        assert_eq!(signing("none", "none", good), Some(Signing::Unsigned));
        assert_eq!(signing("none", "example.com", good), Some(Signing::Unsigned));
        assert_eq!(signing("example.com", "example.com", good), Some(Signing::Signed));
        assert_eq!(signing("example.com", "none", good), Some(Signing::NoKeys));
        assert_eq!(signing("example.com", "example.com", bad), Some(Signing::Refused));
    }
}
