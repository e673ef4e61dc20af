//! The API's documented answers and observed oddities.

use super::*;

#[test]
fn answers_are_word_for_word_those_of_the_document() {
    let sim = start();
    let table = [
        ("POST", ADD, 201, r#"{"add_record":"name.ipv64.net","info":"success","status":"201 Created"}"#),
        ("POST", ADD, 400, r#"{"add_record":"dns record already there","info":"error","status":"400 Bad Request"}"#),
        ("DELETE", DELETE, 202, r#"{"del_record":"del_record","info":"success","status":"202 Accepted"}"#),
        ("DELETE", DELETE, 403, r#"{"del_record":"del_record","info":"Forbidden","status":"403 Forbidden"}"#),
        (
            "POST",
            "add_domain=new.ipv64.net",
            201,
            r#"{"add_domain":"new.ipv64.net","info":"success","status":"201 Created"}"#,
        ),
        (
            "DELETE",
            "del_domain=new.ipv64.net",
            202,
            r#"{"del_domain":"del_domain","info":"success","status":"202 Accepted"}"#,
        ),
    ];
    for (method, parameters, status, body) in table {
        assert_eq!(call(&sim, method, parameters), (status, body.to_owned()), "{method} {parameters}");
    }
}

#[test]
fn refuses_what_the_service_refuses() {
    let sim = start();
    let invalid = "invalid record informations";
    let table = [
        ("add_record=foreign.ipv64.net&praefix=a&type=TXT&content=x", invalid),
        ("add_record=no..name&praefix=a&type=TXT&content=x", invalid),
        ("add_record=name.ipv64.net&praefix=a&type=SPF&content=x", invalid),
        ("add_record=name.ipv64.net&praefix=a&type=A&content=::1", invalid),
        ("add_record=name.ipv64.net&praefix=a&type=SRV&content=1+2+host.example", invalid),
        ("add_record=name.ipv64.net&praefix=a&type=TXT&content=", invalid),
        ("add_record=name.ipv64.net&praefix=a..b&type=TXT&content=x", invalid),
        ("add_record=name.ipv64.net&type=TXT&content=x", invalid),
        ("add_record=name.ipv64.net&prefix=a&type=TXT&content=x", "Bad Request"),
        ("add_domain=a.b.ipv64.net", "invalid domain informations"),
        ("add_domain=name.ipv64.net", "domain already there"),
        ("get_domains=1", "Bad Request"),
        ("", "Bad Request"),
    ];
    for (parameters, word) in table {
        let (status, body) = call(&sim, "POST", parameters);
        assert!(status >= 400 && body.contains(word), "{parameters}: {status} {body}");
    }
    assert!(sim.records_left().is_empty());
    assert!(sim.api_calls().iter().all(|call| !call.committed));
}

#[test]
fn every_type_is_stored_and_served() {
    let sim = start();
    let table = [
        ("A", "192.0.2.1", RecordType::A),
        ("AAAA", "2001:db8::1", RecordType::AAAA),
        ("TXT", "%22quoted+text%22", RecordType::TXT),
        ("MX", "mail.example.net", RecordType::MX),
        ("NS", "ns.example.net", RecordType::NS),
        ("SRV", "1+2+443+host.example.net", RecordType::SRV),
        ("TLSA", "3+1+1+00ff", RecordType::TLSA),
        ("CAA", "0+issue+%22letsencrypt.org%22", RecordType::CAA),
        ("CNAME", "elsewhere.example.net.", RecordType::CNAME),
    ];
    for (kind, content, wanted) in table {
        let prefix = kind.to_lowercase();
        let parameters = format!("add_record=example.com&praefix={prefix}&type={kind}&content={content}");
        assert_eq!(call(&sim, "POST", &parameters).0, 201, "{kind}");
        let answer = ask(ns(&sim, 1), &format!("{prefix}.example.com"), wanted);
        // An NS record below the apex is a delegation, and answered as one.
        let section = if kind == "NS" { &answer.authorities } else { &answer.answers };
        assert_eq!(section[0].record_type(), wanted, "{kind}");
    }
}

#[test]
fn all_four_ways_show_the_key_and_it_is_not_logged() {
    let sim = start();
    let key = sim.key(0).unwrap().to_owned();
    let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("none:{key}"));
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    for text in [
        request("GET", "/api?get_domains", &format!("Authorization: Bearer {key}\r\n"), ""),
        request("GET", "/api.php?get_domains", &format!("Authorization: Basic {basic}\r\n"), ""),
        request("GET", &format!("/api?get_domains&apikey={key}"), "", ""),
        request("POST", "/api", form, &format!("{ADD}&token={key}")),
    ] {
        assert!(split(&raw(&sim, &text).unwrap()).0 < 300, "{text}");
    }
    let ways: Vec<_> = sim.api_calls().iter().map(|call| call.auth.unwrap()).collect();
    assert_eq!(ways, [AuthWay::Bearer, AuthWay::Basic, AuthWay::ApiKey, AuthWay::Token]);
    assert!(!format!("{:?}", sim.api_calls()).contains(&key));
    let refused = split(&raw(&sim, &request("GET", "/api?get_domains&token=wrong", "", "")).unwrap());
    assert_eq!(refused, (401, r#"{"info":"Unauthorized","status":"401 Unauthorized"}"#.to_owned()));
}

#[test]
fn lists_have_the_documented_shape_and_an_empty_map_is_a_list() {
    let empty = Account { key: "key-without-domains".into(), domains: Vec::new(), records: Vec::new() };
    let sim = Sim::start(Config { accounts: vec![Account::default(), empty], ..Config::default() }).unwrap();
    call(&sim, "POST", ADD);
    let (_, domains) = call(&sim, "GET", "get_domains");
    assert_eq!(member(&domains, "/add_domain"), "get_domains");
    let record = |field: &str| member(&domains, &format!("/subdomains/name.ipv64.net/records/1/{field}"));
    assert_eq!([record("praefix"), record("type"), record("content")], ["_acme-challenge", "TXT", "value-1"]);
    assert!(record("record_id").is_u64() && record("ttl") == 60);
    let (_, account) = call(&sim, "GET", "get_account_info");
    assert_eq!(member(&account, "/api_updates"), 3);
    assert_eq!(member(&account, "/account_class/class_name"), "Standard");
    let (_, logs) = call(&sim, "GET", "get_logs");
    assert_eq!(member(&logs, "/get_account_info"), "get_logs");
    assert_eq!(member(&logs, "/logs/0/subdomain"), "name.ipv64.net");
    let other = request("GET", "/api?get_domains", "Authorization: Bearer key-without-domains\r\n", "");
    assert_eq!(member(&split(&raw(&sim, &other).unwrap()).1, "/subdomains"), serde_json::json!([]));
}

#[test]
fn text_is_escaped_as_php_does() {
    assert_eq!(wire::php_json(&serde_json::json!({"a": "x/ü😀"})), r#"{"a":"x\/\u00fc\ud83d\ude00"}"#);
}

#[test]
fn a_record_goes_by_its_number_and_a_domain_takes_its_records_along() {
    let sim = start();
    call(&sim, "POST", ADD);
    let id = sim.records_left()[0].id;
    assert_eq!(call(&sim, "DELETE", &format!("del_record={id}")).0, 202);
    assert_eq!(call(&sim, "DELETE", &format!("del_record={id}")).0, 403);
    call(&sim, "POST", ADD);
    assert_eq!(call(&sim, "DELETE", "del_domain=name.ipv64.net").0, 202);
    assert!(sim.records_left().is_empty());
    assert_eq!(call(&sim, "DELETE", "del_domain=name.ipv64.net").0, 403);
}

#[test]
fn accounts_do_not_see_each_other() {
    let other = Account { key: "key-of-another".into(), domains: vec!["theirs.ipv64.net".into()], records: Vec::new() };
    let sim = Sim::start(Config { accounts: vec![Account::default(), other], ..Config::default() }).unwrap();
    let (status, body) = call(&sim, "POST", "add_record=theirs.ipv64.net&praefix=a&type=TXT&content=x");
    assert_eq!((status, member(&body, "/add_record")), (400, "invalid record informations".into()));
    assert_eq!(call(&sim, "POST", "add_domain=theirs.ipv64.net").0, 403);
}

#[test]
fn limits_refuse_with_their_texts_and_are_logged() {
    let sim = Sim::start(Config { limits: Limits::standard(), ..Config::default() }).unwrap();
    for _ in 0..3 {
        assert_eq!(call(&sim, "GET", "get_domains").0, 200);
    }
    let (status, body) = call(&sim, "GET", "get_domains");
    assert_eq!((status, member(&body, "/info")), (429, "Update Cooldown - 10sec".into()));
    sim.set_calls_today(64);
    let (status, body) = call(&sim, "GET", "get_domains");
    assert_eq!((status, member(&body, "/info")), (429, "Updateintervall overcommited".into()));
    let refused: Vec<_> = sim.api_calls().iter().filter_map(|call| call.refused_by).collect();
    assert_eq!(refused, [LimitKind::Burst, LimitKind::Daily]);
}

#[test]
fn one_connection_serves_several_requests_and_multipart_is_read() {
    let sim = start();
    let body = "--b\r\nContent-Disposition: form-data; name=\"add_domain\"\r\n\r\nx.home64.de\r\n--b--\r\n";
    let key = format!("Authorization: Bearer {}\r\n", sim.key(0).unwrap());
    let first = request("GET", "/api?get_domains", &key, "").replace("Connection: close\r\n", "");
    let second = request("POST", "/api", &format!("{key}Content-Type: multipart/form-data; boundary=b\r\n"), body);
    let answers = raw(&sim, &(first + &second)).unwrap();
    assert!(answers.contains("x.home64.de\",\"info\":\"success"), "{answers}");
    let connections: Vec<_> = sim.api_calls().iter().map(|call| call.connection).collect();
    assert_eq!(connections, [1, 1]);
}
