//! Does a zone sign its answers where its parent says that it does? If not, every validating resolver, and so every CA,
//! refuses them (RFC 4035 section 5.2). Signatures themselves are not checked.

use std::time::{Duration, Instant};

use super::exchange::ask_paced;
use super::message::{Data, Kind, Question, Rcode, Reply};
use super::zone::{Lookup, Zone};

/// How long one server is waited for.
const ATTEMPT: Duration = Duration::from_secs(1);

/// What parent and zone say about signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    /// The parent has no fingerprint (DS) of a key of the zone.
    Unsigned,
    /// It has one, and the zone has keys.
    Signed,
    /// It has one, and the zone has no keys.
    Broken,
}

impl Lookup {
    /// Asks a resolver for the fingerprint and, if there is one, the zone's servers for the keys. Nothing if one of the two
    /// is not told by the deadline, or if the zone is not known by name.
    #[must_use]
    pub fn signing(&self, zone: &Zone, deadline: Instant) -> Option<Signing> {
        let apex = zone.apex.as_ref()?;
        let answered = |reply: &Reply| matches!(reply.rcode, Rcode::NoError | Rcode::NxDomain);
        let parent = self.resolvers.ask(&Question::recursive(apex, Kind::Ds), deadline, answered).ok()?;
        if !has_signing(&parent) {
            return Some(Signing::Unsigned);
        }
        let question = Question::authoritative(apex, Kind::Dnskey);
        let replies = zone.servers.iter().filter_map(|server| {
            let until = deadline.min(Instant::now() + ATTEMPT);
            ask_paced(server.address, &question, &self.pace, until).ok()
        });
        let reply = replies.into_iter().find(|reply| reply.authoritative && answered(reply))?;
        Some(if has_signing(&reply) { Signing::Signed } else { Signing::Broken })
    }
}

fn has_signing(reply: &Reply) -> bool {
    reply.answers.iter().any(|record| record.data == Data::Signing)
}

#[cfg(test)]
mod tests {
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

    fn signing(of_parent: &'static str, of_zone: &'static str) -> Option<Signing> {
        let resolver = fake::serve("127.0.0.1:0", move |name, kind, mut reply| {
            if (name, kind) == (of_parent, RecordType::DS) {
                reply.add_answer(trace(name, kind));
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
    fn a_fingerprint_without_a_key_is_broken() {
        assert_eq!(signing("none", "none"), Some(Signing::Unsigned));
        assert_eq!(signing("none", "example.com"), Some(Signing::Unsigned));
        assert_eq!(signing("example.com", "example.com"), Some(Signing::Signed));
        assert_eq!(signing("example.com", "none"), Some(Signing::Broken));
    }
}
