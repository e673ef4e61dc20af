//! The recursive resolvers and DNS over HTTPS.

use super::*;
use hickory_resolver::proto::op::ResponseCode;

fn resolve(sim: &Sim, resolver: &str, name: &str, kind: RecordType) -> Message {
    let mut query = question(name, kind);
    query.metadata.recursion_desired = true;
    ask_udp(sim.addresses(resolver)[0], &query).unwrap()
}

fn with(settings: ResolverSettings) -> Sim {
    Sim::start(Config { resolvers: vec![("system".into(), settings)], ..Config::default() }).unwrap()
}

#[test]
fn an_alias_is_followed_from_zone_to_zone() {
    let sim = start();
    call(&sim, "POST", ADD);
    let answer = resolve(&sim, "ca", "_acme-challenge.foreign.example", RecordType::TXT);
    assert_eq!((texts(&answer), answer.answers.len()), (vec!["value-1".to_owned()], 2));
    assert!(answer.metadata.recursion_available && !answer.metadata.authoritative);
    let looping = resolve(&sim, "ca", "_acme-challenge.loop.foreign.example", RecordType::TXT);
    assert_eq!(looping.metadata.response_code, ResponseCode::ServFail);
    let wild = resolve(&sim, "ca", "any.wild.foreign.example", RecordType::A);
    assert_eq!(wild.answers.len(), 2);
}

#[test]
fn a_challenge_name_can_be_delegated_to_the_provider() {
    let cut = "_acme-challenge.cut.foreign.example";
    let mut config = Config::default();
    config.accounts[0].domains.push(cut.into());
    let servers = ["ns1.ipv64.net", "ns2.ipv64.net"].map(|server| StaticRecord::new(cut, "NS", server));
    config.foreign_zones[0].records.extend(servers);
    let sim = Sim::start(config).unwrap();
    assert_eq!(call(&sim, "POST", &format!("add_record={cut}&praefix=&type=TXT&content=value-1")).0, 201);
    assert_eq!(texts(&resolve(&sim, "ca", cut, RecordType::TXT)), ["value-1"]);
    let referral = ask(sim.addresses("foreign")[0], cut, RecordType::TXT);
    assert!(!referral.metadata.authoritative && referral.authorities.len() == 2);
}

#[test]
fn the_zone_is_found_by_its_soa() {
    let sim = start();
    for (name, zone) in [
        ("name.ipv64.net", "ipv64.net."),
        ("other.home64.de", "home64.de."),
        ("www.example.com", "example.com."),
        ("deep.sub.example.org", "deep.sub.example.org."),
        ("sub.example.org", "example.org."),
    ] {
        let answer = resolve(&sim, "system", name, RecordType::SOA);
        let soa =
            answer.answers.iter().chain(&answer.authorities).find(|record| record.record_type() == RecordType::SOA);
        assert_eq!(soa.unwrap().name.to_ascii(), zone, "{name}");
    }
}

#[test]
fn a_negative_answer_is_kept_only_where_it_is_said_so() {
    let keeping = ResolverSettings { negative_cache: true, ..ResolverSettings::default() };
    let sim = with(keeping);
    for resolver in ["system", "ca"] {
        assert!(texts(&resolve(&sim, resolver, NAME, RecordType::TXT)).is_empty());
    }
    call(&sim, "POST", ADD);
    assert!(texts(&resolve(&sim, "system", NAME, RecordType::TXT)).is_empty());
    assert_eq!(texts(&resolve(&sim, "ca", NAME, RecordType::TXT)), ["value-1"]);
}

#[test]
fn a_stale_server_gives_its_stale_answer_through_the_resolver() {
    let sim = start();
    for server in ["ns1.ipv64.net", "ns2.ipv64.net"] {
        sim.set_server(server, &ServerSettings::stale()).unwrap();
    }
    call(&sim, "POST", ADD);
    assert!(texts(&resolve(&sim, "ca", NAME, RecordType::TXT)).is_empty());
}

#[test]
fn a_failing_server_is_passed_over() {
    let sim = start();
    call(&sim, "POST", ADD);
    let faults = [
        ServerSettings { drop: 1, ..ServerSettings::default() },
        ServerSettings { rcode: Some(Rcode::ServFail), ..ServerSettings::default() },
        ServerSettings { lame: true, ..ServerSettings::default() },
        ServerSettings { authority: Authority::Missing, ..ServerSettings::default() },
        ServerSettings { packets: Packets::Malformed, ..ServerSettings::default() },
    ];
    for fault in faults {
        sim.set_server("ns2.ipv64.net", &fault).unwrap();
        assert_eq!(texts(&resolve(&sim, "ca", NAME, RecordType::TXT)), ["value-1"], "{fault:?}");
    }
}

#[test]
fn each_mode_treats_its_clients_so() {
    let sim = start();
    let set = |mode| sim.set_resolver("system", &ResolverSettings { mode, ..ResolverSettings::default() }).unwrap();
    let code = |kind| resolve(&sim, "system", "name.ipv64.net", kind).metadata.response_code;
    set(ResolverMode::NoSoa);
    assert_eq!((code(RecordType::SOA), code(RecordType::A)), (ResponseCode::Refused, ResponseCode::NoError));
    set(ResolverMode::ServFail);
    assert_eq!(code(RecordType::A), ResponseCode::ServFail);
    set(ResolverMode::NxDomain);
    assert_eq!(code(RecordType::A), ResponseCode::NXDomain);
    set(ResolverMode::Lies(vec![StaticRecord::new("name.ipv64.net", "A", "10.0.0.1")]));
    let lie = resolve(&sim, "system", "name.ipv64.net", RecordType::A);
    assert!(matches!(lie.answers[0].data, RData::A(address) if address.0.octets() == [10, 0, 0, 1]));
    set(ResolverMode::Silent);
    let silent = question("name.ipv64.net", RecordType::A);
    assert!(packets(sim.addresses("system")[0], &silent, SILENCE).is_empty());
}

#[test]
fn https_answers_both_methods_and_is_logged() {
    let sim = start();
    let bytes = question("name.ipv64.net", RecordType::A).to_vec().unwrap();
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, &bytes);
    let answer = raw(&sim, &request("GET", &format!("/dns-query?dns={encoded}"), "", "")).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("application/dns-message"));
    let logged = sim.questions().pop().unwrap();
    assert_eq!((logged.transport, logged.server.as_str()), (Transport::Https, "system"));

    let head = "POST /dns-query HTTP/1.1\r\nConnection: close\r\nContent-Type: application/dns-message\r\n";
    let mut stream = TcpStream::connect(sim.shared.api_address).unwrap();
    stream.write_all(format!("{head}Content-Length: {}\r\n\r\n", bytes.len()).as_bytes()).unwrap();
    stream.write_all(&bytes).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let start = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(Message::from_vec(&answer[start..]).unwrap().answers.len(), 1);
}
