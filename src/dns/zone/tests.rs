use hickory_resolver::proto::op::ResponseCode;

use std::net::SocketAddr;

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

fn refusing() -> SocketAddr {
    fake::serve("127.0.0.1:0", |_, _, mut reply| {
        reply.metadata.response_code = ResponseCode::Refused;
        reply
    })
}

#[test]
fn a_name_server_without_an_address_is_not_forgotten() {
    let lookup = fake::lookup(Some(forgetful()), refusing());
    let zone = lookup.zone_by(FoundBy::Resolvers, &name("example"), fake::late()).unwrap();
    assert_eq!(zone.servers, [Server::named(&name("ns1.example"), [127, 0, 0, 1].into(), lookup.port)]);
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
    assert_eq!(zone.servers, [Server::named(&name("ns1.example"), [127, 0, 0, 1].into(), lookup.port)]);
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
    let lookup = fake::lookup(Some(resolver), refusing());
    let [one, other] =
        ["a.example", "b.example"].map(|text| lookup.zone_by(FoundBy::Resolvers, &name(text), fake::late()).unwrap());
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
    let of = |servers: BTreeSet<Server>| Found { servers, ..Found::default() }.into_zone(None, FoundBy::Roots);
    let zone = of((0..1000).map(server).collect());
    assert_eq!((zone.servers.len(), zone.left_out), (128, 872));
    assert_eq!(zone, of((0..1000).rev().map(server).collect()));
    let names = (0..100).map(|number| name(&format!("ns{number}.example"))).collect();
    let found = Found::unfound(names);
    assert_eq!((found.unfound.len(), found.left_out), (64, 36));
}
