//! The faults of the name servers on the wire.

use super::*;
use hickory_resolver::proto::op::ResponseCode;
use std::io::ErrorKind;

/// A simulation with one value served, and its first server bent.
fn bent(settings: ServerSettings) -> (Sim, SocketAddr) {
    let sim = start();
    assert_eq!(call(&sim, "POST", ADD).0, 201);
    sim.set_server("ns1.ipv64.net", &settings).unwrap();
    let server = ns(&sim, 1);
    (sim, server)
}

fn txt() -> Message {
    question(NAME, RecordType::TXT)
}

#[test]
fn codes_bits_and_lameness_are_seen() {
    let with = ServerSettings::default;
    let (sim, server) = bent(ServerSettings { rcode: Some(Rcode::Refused), ..with() });
    assert_eq!(ask(server, NAME, RecordType::TXT).metadata.response_code, ResponseCode::Refused);
    sim.set_server("ns1.ipv64.net", &ServerSettings { lame: true, ..with() }).unwrap();
    let lame = ask(server, NAME, RecordType::TXT);
    assert!(!lame.metadata.authoritative && lame.answers.is_empty() && lame.authorities[0].name.is_root());
    sim.set_server("ns1.ipv64.net", &ServerSettings { authority: Authority::Intercepted, ..with() }).unwrap();
    let forged = ask(server, NAME, RecordType::TXT);
    assert!(!forged.metadata.authoritative && forged.metadata.recursion_available && forged.answers.len() == 1);
    sim.set_server("ns1.ipv64.net", &ServerSettings { authority: Authority::Missing, ..with() }).unwrap();
    assert!(!ask(server, NAME, RecordType::TXT).metadata.authoritative);
}

#[test]
fn every_nth_question_is_dropped() {
    let (_sim, server) = bent(ServerSettings { drop: 2, ..ServerSettings::default() });
    let mut counts: Vec<_> = (0..4).map(|_| packets(server, &txt(), SILENCE).len()).collect();
    // How many questions came before is not fixed.
    counts.sort_unstable();
    assert_eq!(counts, [0, 0, 1, 1]);
}

#[test]
fn ports_are_closed_silent_and_open_again() {
    let (sim, server) = bent(ServerSettings { udp: Listen::Closed, tcp: Listen::Closed, ..ServerSettings::default() });
    let refused = |error: std::io::Error| assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    refused(ask_tcp(server, &txt()).unwrap_err());
    refused(ask_udp(server, &txt()).unwrap_err());
    sim.set_server("ns1.ipv64.net", &ServerSettings { udp: Listen::Silent, ..ServerSettings::default() }).unwrap();
    assert!(packets(server, &txt(), SILENCE).is_empty());
    assert_eq!(texts(&ask_tcp(server, &txt()).unwrap()), ["value-1"]);
    sim.set_server("ns1.ipv64.net", &ServerSettings::default()).unwrap();
    assert_eq!(texts(&ask_udp(server, &txt()).unwrap()), ["value-1"]);
}

#[test]
fn truncation_is_only_over_udp() {
    let (_sim, server) = bent(ServerSettings { truncate: true, ..ServerSettings::default() });
    assert!(ask_udp(server, &txt()).unwrap().metadata.truncation);
    assert_eq!(texts(&ask_tcp(server, &txt()).unwrap()), ["value-1"]);
}

#[test]
fn values_are_wrong_split_or_more() {
    let with = ServerSettings::default;
    let (sim, server) = bent(ServerSettings { wrong_value: Some("other".into()), ..with() });
    assert_eq!(texts(&ask(server, NAME, RecordType::TXT)), ["other"]);
    sim.set_server("ns1.ipv64.net", &ServerSettings { split: true, ..with() }).unwrap();
    let split = ask(server, NAME, RecordType::TXT);
    assert!(matches!(&split.answers[0].data, RData::TXT(data) if data.txt_data.len() > 1));
    assert_eq!(texts(&split), ["value-1"]);
    sim.set_server("ns1.ipv64.net", &ServerSettings { extra_values: vec!["more".into()], ..with() }).unwrap();
    assert_eq!(texts(&ask(server, NAME, RecordType::TXT)), ["value-1", "more"]);
    assert_eq!(texts(&ask(server, "missing.example.com", RecordType::TXT)), ["more"]);
}

#[test]
fn missing_names_are_said_as_ordered_and_capitals_are_written() {
    let with = ServerSettings::default;
    let (sim, server) = bent(ServerSettings { missing: Missing::NoData, ..with() });
    assert_eq!(ask(server, "no.example.com", RecordType::TXT).metadata.response_code, ResponseCode::NoError);
    sim.set_server("ns1.ipv64.net", &ServerSettings { missing: Missing::NxDomain, ..with() }).unwrap();
    assert_eq!(ask(server, "example.com", RecordType::TXT).metadata.response_code, ResponseCode::NXDomain);
    sim.set_server("ns1.ipv64.net", &ServerSettings { upper_case: true, ..with() }).unwrap();
    let capitals = ask(server, NAME, RecordType::TXT);
    assert_eq!(capitals.answers[0].name.to_ascii(), "_ACME-CHALLENGE.NAME.IPV64.NET.");
    assert_eq!(capitals.queries[0].name().to_ascii(), "_ACME-CHALLENGE.NAME.IPV64.NET.");
}

#[test]
fn packets_are_wrong_as_ordered() {
    let (sim, server) = bent(ServerSettings::default());
    let query = txt();
    let received = |fault| {
        sim.set_server("ns1.ipv64.net", &ServerSettings { packets: fault, ..ServerSettings::default() }).unwrap();
        packets(server, &query, PATIENCE)
    };
    let parse = |bytes: &Vec<u8>| Message::from_vec(bytes).unwrap();
    let wrong_id = received(Packets::WrongIdFirst);
    assert_ne!(parse(&wrong_id[0]).metadata.id, query.metadata.id);
    assert_eq!(texts(&parse(&wrong_id[1])), ["value-1"]);
    let other = received(Packets::WrongQuestion);
    assert_ne!(parse(&other[0]).queries[0].name(), query.queries[0].name());
    let broken = received(Packets::Malformed);
    assert!(Message::from_vec(&broken[0]).is_err());
    assert_eq!(received(Packets::Duplicate).len(), 2);
    assert_eq!(received(Packets::ForgedFirst).len(), 2);
    sim.set_server("ns1.ipv64.net", &ServerSettings { packets: Packets::OffPath, ..ServerSettings::default() })
        .unwrap();
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.send_to(&query.to_vec().unwrap(), server).unwrap();
    let (_, from) = socket.recv_from(&mut [0; 4096]).unwrap();
    assert!(from.ip() == server.ip() && from.port() != server.port());
}

#[test]
fn backends_take_turns_and_differ() {
    let backends = vec![Backend::default(), Backend { stale: true, ..Backend::default() }];
    let sim = start();
    sim.set_server("ns1.ipv64.net", &ServerSettings { backends: backends.clone(), ..ServerSettings::default() })
        .unwrap();
    call(&sim, "POST", ADD);
    let count = |server| (0..8).filter(|_| !texts(&ask(server, NAME, RecordType::TXT)).is_empty()).count();
    assert_eq!(count(ns(&sim, 1)), 4);
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let by_port = ServerSettings { backends, balance: Balance::SourcePort, ..ServerSettings::default() };
    sim.set_server("ns1.ipv64.net", &by_port).unwrap();
    let seen: Vec<_> = (0..4)
        .map(|_| {
            socket.send_to(&txt().to_vec().unwrap(), ns(&sim, 1)).unwrap();
            let mut buffer = [0; 4096];
            let (length, _) = socket.recv_from(&mut buffer).unwrap();
            texts(&Message::from_vec(&buffer[..length]).unwrap()).len()
        })
        .collect();
    assert!(seen.iter().all(|count| *count == seen[0]));
}

#[test]
fn a_packet_cache_keeps_an_answer_for_the_same_question_only() {
    let cache = CacheSettings { ttl: Duration::from_secs(600), ..CacheSettings::default() };
    let sim = start();
    let set =
        |cache| sim.set_server("ns1.ipv64.net", &ServerSettings { cache: Some(cache), ..ServerSettings::default() });
    set(cache.clone()).unwrap();
    let mut without_edns = txt();
    without_edns.edns = None;
    assert!(texts(&ask_udp(ns(&sim, 1), &txt()).unwrap()).is_empty());
    call(&sim, "POST", ADD);
    assert!(texts(&ask_udp(ns(&sim, 1), &txt()).unwrap()).is_empty());
    assert_eq!(texts(&ask_udp(ns(&sim, 1), &without_edns).unwrap()), ["value-1"]);
    set(CacheSettings { coarse: true, ..cache }).unwrap();
    assert_eq!(texts(&ask_udp(ns(&sim, 1), &txt()).unwrap()), ["value-1"]);
    call(&sim, "DELETE", DELETE);
    assert_eq!(texts(&ask_udp(ns(&sim, 1), &without_edns).unwrap()), ["value-1"]);
}
