//! What the name servers answer when all is well.

use super::*;
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::rdata::opt::{EdnsCode, EdnsOption, NSIDPayload};

fn shape(message: &Message) -> (ResponseCode, bool, usize, Vec<RecordType>) {
    let kinds = message.authorities.iter().map(Record::record_type).collect();
    (message.metadata.response_code, message.metadata.authoritative, message.answers.len(), kinds)
}

fn add(sim: &Sim, domain: &str, prefix: &str, kind: &str, content: &str) {
    let parameters = format!("add_record={domain}&praefix={prefix}&type={kind}&content={content}");
    assert_eq!(call(sim, "POST", &parameters).0, 201, "{parameters}");
}

#[test]
fn missing_names_missing_types_and_empty_non_terminals_differ() {
    let sim = start();
    add(&sim, "example.com", "a.b", "TXT", "x");
    let table = [
        ("nothing.example.com", RecordType::TXT, ResponseCode::NXDomain),
        ("example.com", RecordType::TXT, ResponseCode::NoError),
        ("b.example.com", RecordType::TXT, ResponseCode::NoError),
        ("a.b.example.com", RecordType::A, ResponseCode::NoError),
        ("c.a.b.example.com", RecordType::A, ResponseCode::NXDomain),
    ];
    for (name, kind, code) in table {
        let answer = ask(ns(&sim, 1), name, kind);
        assert_eq!(shape(&answer), (code, true, 0, vec![RecordType::SOA]), "{name}");
        assert_eq!(answer.authorities[0].name.to_ascii(), "example.com.", "{name}");
    }
}

#[test]
fn a_wildcard_covers_what_does_not_exist_and_nothing_else() {
    let sim = start();
    let a = |name: &str| ask(ns(&sim, 1), name, RecordType::A).answers.len();
    assert_eq!([a("foo.name.ipv64.net"), a("deep.foo.name.ipv64.net"), a("bar.name.ipv64.net")], [1, 1, 1]);
    add(&sim, "name.ipv64.net", "_acme-challenge.foo", "TXT", "x");
    // RFC 4592 section 2.2.2: the empty non-terminal exists, so the wildcard does not cover it.
    assert_eq!([a("foo.name.ipv64.net"), a("deep.foo.name.ipv64.net"), a("bar.name.ipv64.net")], [0, 0, 1]);
    assert_eq!(shape(&ask(ns(&sim, 1), NAME, RecordType::TXT)).0, ResponseCode::NoError);
}

#[test]
fn aliases_are_followed_inside_the_zone_only() {
    let sim = start();
    add(&sim, "example.com", "one", "CNAME", "two.example.com");
    add(&sim, "example.com", "two", "CNAME", "three.example.com");
    add(&sim, "example.com", "three", "TXT", "end");
    add(&sim, "example.com", "out", "CNAME", "name.ipv64.net");
    add(&sim, "example.com", "gone", "CNAME", "missing.example.com");
    let kinds = |name: &str| {
        let answer = ask(ns(&sim, 1), name, RecordType::TXT);
        (answer.metadata.response_code, answer.answers.iter().map(Record::record_type).collect::<Vec<_>>())
    };
    let (cname, txt) = (RecordType::CNAME, RecordType::TXT);
    assert_eq!(kinds("one.example.com"), (ResponseCode::NoError, vec![cname, cname, txt]));
    assert_eq!(kinds("out.example.com"), (ResponseCode::NoError, vec![cname]));
    // RFC 6604 section 3: the code is that of the last name.
    assert_eq!(kinds("gone.example.com"), (ResponseCode::NXDomain, vec![cname]));
    assert_eq!(ask(ns(&sim, 1), "one.example.com", cname).answers.len(), 1);
}

#[test]
fn referrals_lead_from_the_root_to_the_domain() {
    let sim = start();
    let root = ask(sim.addresses("root")[0], NAME, RecordType::SOA);
    assert_eq!(shape(&root), (ResponseCode::NoError, false, 0, vec![RecordType::NS]));
    assert_eq!(root.additionals.len(), 1);
    let net = ask(sim.addresses("tld")[0], NAME, RecordType::SOA);
    assert_eq!(shape(&net), (ResponseCode::NoError, false, 0, vec![RecordType::NS; 2]));
    assert_eq!((net.authorities[0].name.to_ascii().as_str(), net.additionals.len()), ("ipv64.net.", 2));
    let glueless = ask(sim.addresses("tld")[0], "example.com", RecordType::SOA);
    assert_eq!((glueless.authorities.len(), glueless.additionals.len()), (2, 0));
    let deep = ask(sim.addresses("foreign")[0], "www.deep.sub.example.org", RecordType::A);
    assert_eq!(deep.authorities[0].name.to_ascii(), "deep.sub.example.org.");
    let unknown = ask(sim.addresses("root")[0], "example.test", RecordType::SOA);
    assert_eq!(unknown.metadata.response_code, ResponseCode::NXDomain);
    let stranger = ask(ns(&sim, 1), "example.test", RecordType::SOA);
    assert_eq!(stranger.metadata.response_code, ResponseCode::Refused);
}

#[test]
fn the_zone_cut_is_where_the_configuration_says() {
    for (zone_cut, apex) in [(ZoneCut::Provider, "ipv64.net."), (ZoneCut::PerDomain, "name.ipv64.net.")] {
        let sim = Sim::start(Config { zone_cut, ..Config::default() }).unwrap();
        let answer = ask(ns(&sim, 1), NAME, RecordType::SOA);
        assert_eq!(answer.authorities[0].name.to_ascii(), apex);
        let servers = ask(ns(&sim, 1), apex, RecordType::NS);
        assert_eq!((servers.answers.len(), servers.metadata.authoritative), (2, true));
        assert_eq!(ask(ns(&sim, 1), "name.ipv64.net", RecordType::A).answers.len(), 1);
    }
}

#[test]
fn server_names_have_all_their_addresses_and_ipv6_is_served() {
    let mut server = NameServer::with("ns1.ipv64.net", vec![ServerSettings::default(); 3]);
    server.ipv6 = Some(ServerSettings::default());
    server.unserved = vec!["2001:db8::53".parse().unwrap()];
    let sim = Sim::start(Config { name_servers: vec![server], ..Config::default() }).unwrap();
    let addresses = sim.addresses("ns1.ipv64.net");
    assert_eq!(addresses.len(), 4);
    assert_eq!(ask(addresses[0], "ns1.ipv64.net", RecordType::A).answers.len(), 3);
    assert_eq!(ask(addresses[3], "ns1.ipv64.net", RecordType::AAAA).answers.len(), 2);
}

#[test]
fn long_answers_are_cut_over_udp_and_whole_over_tcp() {
    let sim = start();
    for number in 0..6 {
        let content = format!("{number}{}", "x".repeat(250));
        add(&sim, "example.com", "long", "TXT", &content);
    }
    let query = question("long.example.com", RecordType::TXT);
    let cut = ask_udp(ns(&sim, 1), &query).unwrap();
    assert!(cut.metadata.truncation && cut.answers.is_empty());
    assert_eq!(ask_tcp(ns(&sim, 1), &query).unwrap().answers.len(), 6);
}

#[test]
fn a_backend_tells_its_name_when_asked() {
    let backend = Backend { nsid: Some("primary".into()), ..Backend::default() };
    let settings = ServerSettings { backends: vec![backend], ..ServerSettings::default() };
    let server = NameServer::with("ns1.ipv64.net", vec![settings]);
    let sim = Sim::start(Config { name_servers: vec![server], ..Config::default() }).unwrap();
    let mut query = question(NAME, RecordType::TXT);
    let silent = ask_udp(ns(&sim, 1), &query).unwrap();
    assert_eq!(silent.edns.unwrap().option(EdnsCode::NSID), None);
    let empty = EdnsOption::NSID(NSIDPayload::new([]).unwrap());
    query.edns.as_mut().unwrap().options_mut().insert(empty);
    let telling = ask_udp(ns(&sim, 1), &query).unwrap();
    let name = EdnsOption::NSID(NSIDPayload::new(*b"primary").unwrap());
    assert_eq!(telling.edns.unwrap().option(EdnsCode::NSID), Some(&name));
}

#[test]
fn questions_are_logged_as_they_came() {
    let sim = start();
    let mut query = question("_ACME-challenge.Name.ipv64.net", RecordType::TXT);
    query.metadata.recursion_desired = true;
    ask_tcp(ns(&sim, 2), &query).unwrap();
    let logged = sim.questions().pop().unwrap();
    assert_eq!((logged.server.as_str(), logged.transport, logged.backend), ("ns2.ipv64.net", Transport::Tcp, Some(0)));
    assert_eq!((logged.name.as_str(), logged.kind.as_str()), ("_ACME-challenge.Name.ipv64.net", "TXT"));
    assert_eq!((logged.recursion_desired, logged.edns), (true, Some(1232)));
    assert_eq!(logged.answer, "NOERROR aa");
}
