use hickory_resolver::proto::op::ResponseCode;

use std::net::SocketAddr;

use super::*;
use crate::dns::tests as fake;

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
fn a_name_server_of_which_only_one_kind_of_address_is_told_is_looked_for_again() {
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
    assert_eq!(zone.unfound, [name("ns1.example")]);
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
    // One that nobody tells of is still to be found; one that does not exist is an error.
    lookup.server_names.push(name("ns2.example"));
    let zone = lookup.zone_by(FoundBy::Settings, &name("example"), fake::late()).unwrap();
    assert_eq!((zone.servers.len(), zone.unfound), (1, vec![name("ns2.example")]));
    lookup.server_names.push(name("ns9.example"));
    let lines = lookup.zone_by(FoundBy::Settings, &name("example"), fake::late()).unwrap_err();
    assert!(lines[0].contains("`ns9.example`"), "{lines:?}");
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

/// `example` with the servers that its parent names and those that it names itself; every server has the number of its name as
/// the last part of its address. Returns the look-ups: the resolver tells what the zone says.
fn two_sided(parent: &'static [u8], own: &'static [u8]) -> Lookup {
    let names = |numbers: &'static [u8]| numbers.iter().map(|number| format!("ns{number}.example"));
    let address = |name: &str| [127, 0, 0, name.trim_start_matches("ns").split('.').next().unwrap().parse().unwrap()];
    let zone = move |name: &str, kind, mut reply: hickory_resolver::proto::op::Message| {
        match (name, kind) {
            ("example", RecordType::SOA) => drop(reply.add_answer(fake::soa("example"))),
            ("example", RecordType::NS) => {
                reply.add_answers(names(own).map(|server| fake::ns("example", &server)));
            }
            (host, RecordType::A) => drop(reply.add_answer(fake::a(host, address(host)))),
            _ => {}
        }
        reply
    };
    let root = fake::serve("127.0.0.1:0", move |_, _, mut reply| {
        for server in names(parent) {
            reply.add_authority(fake::ns("example", &server));
            reply.add_additional(fake::a(&server, address(&server)));
        }
        reply
    });
    for number in [2, 3, 4] {
        fake::serve(&format!("127.0.0.{number}:{}", root.port()), move |name, kind, mut reply| {
            reply.metadata.authoritative = true;
            zone(name, kind, reply)
        });
    }
    fake::lookup(Some(fake::serve("127.0.0.1:0", zone)), root)
}

#[test]
fn the_servers_of_both_sides_of_a_zone_cut_are_asked_and_the_difference_is_told() {
    let lookup = two_sided(&[2, 3], &[2, 4]);
    for way in [FoundBy::Resolvers, FoundBy::Roots] {
        let zone = lookup.zone_by(way, &name("www.example"), fake::late()).unwrap();
        let addresses: Vec<_> = zone.servers.iter().map(|server| server.address.ip().to_string()).collect();
        assert_eq!(addresses, ["127.0.0.2", "127.0.0.3", "127.0.0.4"], "{way:?}");
        assert_eq!((&zone.only_parent, &zone.only_zone), (&vec![name("ns3.example")], &vec![name("ns4.example")]));
        assert_eq!(zone.unfound, []);
    }
}

#[test]
fn a_zone_that_agrees_with_its_parent_has_no_difference() {
    let lookup = two_sided(&[2, 3], &[2, 3]);
    for way in [FoundBy::Resolvers, FoundBy::Roots] {
        let zone = lookup.zone_by(way, &name("example"), fake::late()).unwrap();
        assert_eq!((zone.servers.len(), zone.only_parent.len(), zone.only_zone.len()), (2, 0, 0), "{way:?}");
    }
}

/// A CA goes down from the root, whatever the resolvers of this machine say.
#[test]
fn a_delegation_that_shares_no_address_with_what_the_resolvers_say_is_taken_for_it() {
    let zone = two_sided(&[3, 4], &[2]).zone_by(FoundBy::Resolvers, &name("example"), fake::late()).unwrap();
    let addresses: Vec<_> = zone.servers.iter().map(|server| server.address.ip().to_string()).collect();
    // What its servers say of themselves is asked as well, as of any zone.
    assert_eq!(addresses, ["127.0.0.2", "127.0.0.3", "127.0.0.4"]);
    assert!(zone.split);
}

#[test]
fn what_is_found_out_anew_shows_what_has_changed() {
    let healed = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_healed = Arc::clone(&healed);
    let resolver = fake::serve("127.0.0.1:0", move |asked, kind, mut reply| {
        match (asked, kind) {
            ("example", RecordType::SOA) => drop(reply.add_answer(fake::soa("example"))),
            ("example", RecordType::NS) => {
                reply.add_answer(fake::ns("example", "ns2.example"));
                reply.add_answer(fake::ns("example", "ns3.example"));
            }
            ("ns3.example", _) if !is_healed.load(std::sync::atomic::Ordering::Relaxed) => {
                reply.metadata.response_code = ResponseCode::ServFail;
            }
            ("ns2.example", RecordType::A) => drop(reply.add_answer(fake::a(asked, [127, 0, 0, 2]))),
            (_, RecordType::A) => drop(reply.add_answer(fake::a(asked, [127, 0, 0, 3]))),
            _ => {}
        }
        reply
    });
    let lookup = fake::lookup(Some(resolver), refusing());
    let challenge = name("_acme-challenge.example");
    let first = lookup.discover(&challenge, fake::late()).unwrap();
    assert_eq!((first.servers.len(), &first.unfound), (1, &vec![name("ns3.example")]));
    assert_eq!(lookup.discover(&challenge, fake::late()).unwrap(), first);
    healed.store(true, std::sync::atomic::Ordering::Relaxed);
    let second = lookup.discover(&challenge, fake::late()).unwrap();
    assert_eq!((second.servers.len(), second.unfound.len()), (2, 0));
}
