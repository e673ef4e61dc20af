use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::rdata::NULL;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

use super::*;
use crate::dns::tests as fake;
use crate::dns::zone::Server;
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
        ..Zone::default()
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
