//! What a client may meet in its network and in a delegation: loss, EDNS, names that cannot be looked up, odd NS sets.

use super::*;
use hickory_resolver::proto::op::ResponseCode;

fn bent(settings: ServerSettings) -> Sim {
    let sim = start();
    assert_eq!(call(&sim, "POST", ADD).0, 201);
    sim.set_server("ns1.ipv64.net", &settings).unwrap();
    sim
}

fn code(server: SocketAddr, name: &str) -> ResponseCode {
    ask(server, name, RecordType::A).metadata.response_code
}

/// The name servers that an answer names, in its answer or as a referral.
fn named(message: &Message) -> Vec<String> {
    let records = message.answers.iter().chain(&message.authorities);
    let host = |record: &Record| match &record.data {
        RData::NS(host) => Some(host.0.to_ascii()),
        _ => None,
    };
    records.filter_map(host).collect()
}

#[test]
fn edns_is_refused_or_passed_over_and_the_plain_question_answered() {
    let sim = bent(ServerSettings { edns: EdnsSupport::FormErr, ..ServerSettings::default() });
    let with = question(NAME, RecordType::TXT);
    let mut without = with.clone();
    without.edns = None;
    let refused = ask_udp(ns(&sim, 1), &with).unwrap();
    assert_eq!((refused.metadata.response_code, refused.edns.is_none()), (ResponseCode::FormErr, true));
    assert_eq!(texts(&ask_udp(ns(&sim, 1), &without).unwrap()), ["value-1"]);
    let ignoring = ServerSettings { edns: EdnsSupport::Ignored, ..ServerSettings::default() };
    sim.set_server("ns1.ipv64.net", &ignoring).unwrap();
    let plain = ask_udp(ns(&sim, 1), &with).unwrap();
    assert_eq!((texts(&plain), plain.edns.is_none()), (vec!["value-1".to_owned()], true));
}

#[test]
fn so_many_datagrams_of_a_hundred_are_lost_and_no_connection() {
    let sim = bent(ServerSettings { loss: 80.0, ..ServerSettings::default() });
    let query = question(NAME, RecordType::TXT);
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    for _ in 0..50 {
        socket.send_to(&query.to_vec().unwrap(), ns(&sim, 1)).unwrap();
    }
    let end = std::time::Instant::now() + PATIENCE;
    while sim.questions().len() < 50 && std::time::Instant::now() < end {
        std::thread::sleep(Duration::from_millis(10));
    }
    let lost = sim.questions().iter().filter(|question| question.answer == "dropped").count();
    assert!((25..50).contains(&lost), "{lost} of 50");
    for _ in 0..5 {
        assert_eq!(texts(&ask_tcp(ns(&sim, 1), &query).unwrap()), ["value-1"]);
    }
}

#[test]
fn settings_hold_for_as_long_as_they_say() {
    let sim = bent(ServerSettings { drop: 1, lasts: Duration::from_millis(400), ..ServerSettings::stale() });
    let away = ResolverSettings { mode: ResolverMode::Silent, lasts: Duration::from_millis(400), ..Default::default() };
    sim.set_resolver("system", &away).unwrap();
    assert!(packets(sim.addresses("system")[0], &question(NAME, RecordType::A), SILENCE / 3).is_empty());
    assert!(packets(ns(&sim, 1), &question(NAME, RecordType::A), SILENCE / 3).is_empty());
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(code(sim.addresses("system")[0], "name.ipv64.net"), ResponseCode::NoError);
    assert_eq!(code(ns(&sim, 1), "name.ipv64.net"), ResponseCode::NoError);
    assert!(
        !sim.shared.servers("ns1.ipv64.net").any(|server| server.settings().is_honest()),
        "its backend stays stale"
    );
}

#[test]
fn a_name_cannot_be_looked_up_for_a_time_and_its_glue_is_hidden() {
    let fault = |answer| LookupFault { name: "ns2.ipv64.net".into(), answer, lasts: Duration::from_millis(300) };
    let sim = Sim::start(Config { lookup_faults: vec![fault(LookupAnswer::ServFail)], ..Config::default() }).unwrap();
    let system = sim.addresses("system")[0];
    let glue = |sim: &Sim| ask(sim.addresses("tld")[0], "name.ipv64.net", RecordType::A).additionals.len();
    for server in [system, ns(&sim, 1)] {
        assert_eq!(code(server, "NS2.ipv64.net"), ResponseCode::ServFail);
        assert_eq!(code(server, "ns1.ipv64.net"), ResponseCode::NoError);
    }
    assert_eq!(glue(&sim), 1);
    assert_eq!(code(sim.addresses("ca")[0], "ns2.ipv64.net"), ResponseCode::NoError, "the CA is elsewhere");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!((code(system, "ns2.ipv64.net"), glue(&sim)), (ResponseCode::NoError, 2));
    sim.lookup_fault(fault(LookupAnswer::NxDomain));
    assert_eq!(code(system, "ns2.ipv64.net"), ResponseCode::NXDomain);
    sim.reset().unwrap();
    sim.lookup_fault(LookupFault { name: "ns1.ipv64.net".into(), ..fault(LookupAnswer::Dropped) });
    assert_eq!(code(system, "ns2.ipv64.net"), ResponseCode::ServFail, "as at the start");
    assert!(packets(system, &question("ns1.ipv64.net", RecordType::A), SILENCE / 3).is_empty());
}

#[test]
fn a_server_may_be_named_by_one_side_of_the_delegation_only() {
    let named_by = |named_by| NameServer { named_by, ..NameServer::new("ns2.ipv64.net") };
    let both = ["ns1.ipv64.net.", "ns2.ipv64.net."];
    for (side, parent, child) in [(NamedBy::Parent, &both[..], &both[..1]), (NamedBy::Child, &both[..1], &both[..])] {
        let name_servers = vec![NameServer::new("ns1.ipv64.net"), named_by(side)];
        let sim = Sim::start(Config { name_servers, ..Config::default() }).unwrap();
        let referral = ask(sim.addresses("tld")[0], "name.ipv64.net", RecordType::TXT);
        assert_eq!(named(&referral), parent, "{side:?}");
        assert_eq!(named(&ask(ns(&sim, 1), "ipv64.net", RecordType::NS)), child, "{side:?}");
        assert_eq!(code(ns(&sim, 1), "ns2.ipv64.net"), ResponseCode::NoError);
    }
}

#[test]
fn glue_may_lack_an_address() {
    let addresses = vec![ServerSettings::default(), ServerSettings::default()];
    let server = NameServer { glue: Some(1), ..NameServer::with("ns1.ipv64.net", addresses) };
    let sim = Sim::start(Config { name_servers: vec![server], ..Config::default() }).unwrap();
    let referral = ask(sim.addresses("tld")[0], "name.ipv64.net", RecordType::TXT);
    assert_eq!(referral.additionals.len(), 1);
    assert_eq!(ask(ns(&sim, 1), "ns1.ipv64.net", RecordType::A).answers.len(), 2);
}

#[test]
fn machines_behind_one_address_may_tell_the_same_name() {
    let machine = |stale| Backend { nsid: Some("one".into()), stale, ..Backend::default() };
    let backends = vec![machine(false), machine(true)];
    let sim = start();
    sim.set_server("ns1.ipv64.net", &ServerSettings { backends, ..ServerSettings::default() }).unwrap();
    assert_eq!(call(&sim, "POST", ADD).0, 201);
    let answers: Vec<_> = (0..4).map(|_| texts(&ask(ns(&sim, 1), NAME, RecordType::TXT)).len()).collect();
    assert!(answers == [0, 1, 0, 1] || answers == [1, 0, 1, 0], "{answers:?}");
}
