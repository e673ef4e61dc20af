use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RecordType;

use crate::dns::tests as fake;
use crate::dns::zone::FoundBy;
use crate::name::DnsName;

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
    let lookup = fake::lookup(None, root);
    let zone = lookup.zone_by(FoundBy::Roots, &name("example"), fake::late()).unwrap();
    assert_eq!(zone.apex, Some(name("example")));
    assert_eq!(zone.servers.len(), 1);
    assert_eq!(zone.unfound, [name("ns1.broken.test")]);
}
