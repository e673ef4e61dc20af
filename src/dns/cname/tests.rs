use std::thread;
use std::time::Duration;

use hickory_resolver::proto::op::ResponseCode;

use super::*;
use crate::dns::tests as fake;
use crate::dns::zone::Server;

/// The servers of `example.test` are known from a referral, and of no use: the resolver cannot reach them either.
#[test]
fn a_referral_tells_the_servers_of_a_zone_even_where_they_do_not_answer() {
    let root = fake::serve("127.0.0.1:0", |_, _, mut reply| {
        reply.add_authority(fake::ns("test", "ns.test"));
        reply.add_additional(fake::a("ns.test", [127, 0, 0, 2]));
        reply
    });
    let at = |last: u8| format!("127.0.0.{last}:{}", root.port());
    fake::serve(&at(2), |_, _, mut reply| {
        reply.add_authority(fake::ns("example.test", "ns.example.test"));
        reply.add_additional(fake::a("ns.example.test", [127, 0, 0, 3]));
        reply
    });
    fake::serve(&at(3), |_, _, mut reply| {
        reply.metadata.response_code = ResponseCode::ServFail;
        reply
    });
    let resolver = fake::serve("127.0.0.1:0", |name, kind, mut reply| {
        match (name, kind) {
            ("test", RecordType::SOA) => drop(reply.add_answer(fake::soa(name))),
            ("test", RecordType::NS) => drop(reply.add_answer(fake::ns(name, "ns.test"))),
            ("ns.test", RecordType::A) => drop(reply.add_answer(fake::a(name, [127, 0, 0, 2]))),
            ("ns.test", _) | (_, RecordType::CNAME) => {}
            _ => reply.metadata.response_code = ResponseCode::ServFail,
        }
        reply
    });
    let name = |text| DnsName::parse(text).unwrap();
    let lookup = fake::lookup(Some(resolver), root);
    let place = lookup.place(&name("_acme-challenge.example.test"), Follow::Chain, fake::late()).unwrap();
    assert_eq!(place.zone.apex, Some(name("example.test")));
    assert_eq!(place.zone.servers, [Server::named(&name("ns.example.test"), [127, 0, 0, 3].into(), lookup.port)]);
}

#[test]
fn a_wildcard_is_seen_also_where_only_resolvers_can_be_asked() {
    let refusing = fake::serve("127.0.0.1:0", |_, _, mut reply| {
        reply.metadata.response_code = ResponseCode::Refused;
        reply
    });
    let resolver = fake::serve("127.0.0.1:0", |name, kind, mut reply| {
        match (name, kind) {
            (_, RecordType::CNAME) => drop(reply.add_answer(fake::cname(name, "target.test"))),
            _ => reply.metadata.response_code = ResponseCode::ServFail,
        }
        reply
    });
    let name = DnsName::parse("_acme-challenge.example.test").unwrap();
    let place = fake::lookup(Some(resolver), refusing).place(&name, Follow::Chain, fake::late()).unwrap();
    assert_eq!(place.chain, [name]);
    assert!(place.notes[0].contains("only by a wildcard"), "{:?}", place.notes);
}

#[test]
fn a_server_that_refers_to_the_zone_itself_does_not_win_against_a_good_one() {
    let lame = fake::serve("127.0.0.1:0", |_, _, mut reply| {
        reply.add_authority(fake::ns("example", "ns1.example"));
        reply.add_additional(fake::a("ns1.example", [127, 0, 0, 1]));
        reply
    });
    let good = fake::serve(&format!("127.0.0.2:{}", lame.port()), |name, _, mut reply| {
        thread::sleep(Duration::from_millis(200));
        reply.metadata.authoritative = true;
        if name == "_acme-challenge.example" {
            reply.add_answer(fake::cname(name, "target.test"));
        }
        reply
    });
    let name = |text| DnsName::parse(text).unwrap();
    let lookup = fake::lookup(None, lame);
    let servers = [lame, good].map(|address| Server { name: None, address }).to_vec();
    let mut zone = Zone { apex: Some(name("example")), servers, ..Zone::default() };
    let alias = lookup.ask_zone(&name("_acme-challenge.example"), &mut zone, fake::late()).unwrap();
    assert_eq!(alias.target, Some(name("target.test")));
}

/// The server of `example` holds the zone of the challenge name too, which has one more server.
#[test]
fn a_zone_cut_at_the_challenge_name_is_seen_where_one_server_holds_both_sides() {
    const CUT: &str = "_acme-challenge.example";
    let answer = |asked: &str, kind, mut reply: hickory_resolver::proto::op::Message| {
        match (asked, kind) {
            (CUT, RecordType::NS) => {
                reply.add_answer(fake::ns(CUT, "ns1.example"));
                reply.add_answer(fake::ns(CUT, "ns2.example"));
            }
            (CUT, _) => drop(reply.add_authority(fake::soa(CUT))),
            ("example", RecordType::SOA) => drop(reply.add_answer(fake::soa("example"))),
            ("example", RecordType::NS) => drop(reply.add_answer(fake::ns("example", "ns1.example"))),
            ("ns1.example", RecordType::A) => drop(reply.add_answer(fake::a(asked, [127, 0, 0, 1]))),
            ("ns2.example", RecordType::A) => drop(reply.add_answer(fake::a(asked, [127, 0, 0, 2]))),
            _ => drop(reply.add_authority(fake::soa("example"))),
        }
        reply
    };
    let server = fake::serve("127.0.0.1:0", move |asked, kind, mut reply| {
        reply.metadata.authoritative = true;
        answer(asked, kind, reply)
    });
    let name = |text| DnsName::parse(text).unwrap();
    let lookup = fake::lookup(Some(fake::serve("127.0.0.1:0", answer)), server);
    let place = lookup.place(&name(CUT), Follow::Chain, fake::late()).unwrap();
    assert_eq!(place.zone.apex, Some(name(CUT)));
    let addresses: Vec<_> = place.zone.servers.iter().map(|server| server.address.ip().to_string()).collect();
    assert_eq!(addresses, ["127.0.0.1", "127.0.0.2"]);
}
