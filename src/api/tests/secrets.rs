//! What may be seen of the key and of a request.

use super::*;

#[test]
fn the_key_appears_in_no_message_and_no_trace() {
    for auth in AuthMethod::ALL {
        let echo = format!("{{\"info\":\"bad key {KEY}\",\"status\":\"400 {KEY}\",\"add_record\":\"{KEY}!\"}}");
        let page = format!("<html>{KEY} {BASIC}</html>");
        let steps = vec![
            Step::json(400, &echo),
            Step::json(401, &echo),
            Step::json(502, &page),
            Step::json(502, &page),
            Step::Close,
            Step::Raw(KEY.into()),
        ];
        let count = steps.len();
        let setup = Setup::with(steps, auth, Box::new(Unlimited));
        for call in 0..count {
            let error = match call {
                3 => setup.client.domains(&once()).unwrap_err(),
                _ => setup.client.add_record(&challenge(), &once()).unwrap_err(),
            };
            let printed = format!("{error} {error:?} {:?} {:?}", error.hint(), error.details());
            assert!(!printed.contains("canary"), "{printed}");
            assert!(auth != AuthMethod::Basic || !printed.contains(BASIC), "{printed}");
        }
        let trace = setup.trace.lock().unwrap().join("\n");
        assert_eq!(trace.lines().count(), count);
        assert!(!trace.contains("canary"), "{trace}");
    }
}

#[test]
fn the_key_is_sent_in_four_ways_and_in_the_body_where_there_is_one() {
    for (auth, header, parameter) in [
        (AuthMethod::Bearer, Some(format!("Bearer {KEY}")), None),
        (AuthMethod::Basic, Some(format!("Basic {BASIC}")), None),
        (AuthMethod::ApiKey, None, Some(format!("apikey={KEY}"))),
        (AuthMethod::Token, None, Some(format!("token={KEY}"))),
    ] {
        let steps = vec![Step::json(200, fixture!("domains.json")), Step::json(201, fixture!("add-record.json"))];
        let setup = Setup::with(steps, auth, Box::new(Unlimited));
        setup.client.domains(&once()).unwrap();
        setup.client.add_record(&challenge(), &once()).unwrap();
        let [read, write] = setup.server.seen().try_into().unwrap();
        let query = parameter.as_ref().map(|parameter| format!("&{parameter}")).unwrap_or_default();
        assert!(read.head.starts_with(&format!("GET /api?get_domains{query} HTTP/1.1\r\n")), "{}", read.head);
        assert!(write.head.starts_with("POST /api HTTP/1.1\r\n"), "{}", write.head);
        assert_eq!(write.body.contains(KEY), parameter.is_some(), "{}", write.body);
        for request in [&read, &write] {
            let found = request.head.lines().find_map(|line| line.strip_prefix("authorization: "));
            assert_eq!(found, header.as_deref(), "{}", request.head);
        }
    }
}

#[test]
fn a_trace_line_tells_call_parameters_status_and_time() {
    let setup = Setup::new(vec![
        Step::json(200, fixture!("domains.json")),
        Step::json(201, fixture!("add-record.json")),
        Step::Close,
    ]);
    setup.client.domains(&once()).unwrap();
    setup.client.add_record(&challenge(), &once()).unwrap();
    setup.client.logs(&once()).unwrap_err();
    let trace = setup.trace.lock().unwrap().clone();
    assert!(trace[0].starts_with("GET get_domains: 200 in "), "{trace:?}");
    let parameters = "add_record=name.ipv64.net praefix=_acme-challenge.a type=TXT content=-5qEv_d0";
    assert!(trace[1].starts_with(&format!("POST {parameters}: 201 in ")), "{trace:?}");
    assert!(trace[2].starts_with("GET get_logs: connection_closed in "), "{trace:?}");
}

#[test]
fn no_field_of_an_answer_that_cannot_be_read_is_shown() {
    let fields = r#""email": "somebody@example.org", "update_hash": "UPDATEHASH", "records": [{"record_key": "KEY"}]"#;
    let notice = "<br />\n<b>Notice</b>: Undefined index in <b>/api.php</b>";
    for (body, shown) in [
        (format!("{notice} {{{fields}"), "200 with \"<br /> <b>Notice</b>: Undefined index in <b>/api.php</b>\" and "),
        (format!("\u{feff}{{{fields}"), "200 with 97 bytes of JSON that cannot be understood"),
        (format!("[{fields}"), " bytes of JSON that cannot be understood"),
        (fields.to_owned(), "200 with \"\"email\" and "),
        ("Array\n(\n    [email] => somebody@example.org\n)".to_owned(), "\"Array ( [email]\" and "),
    ] {
        let error = Setup::answering(200, &body).client.account(&once()).unwrap_err();
        let printed = format!("{error} {error:?}");
        assert!(printed.contains(shown), "{shown} in {printed}");
        for secret in ["somebody", "UPDATEHASH", "KEY"] {
            assert!(!printed.contains(secret), "{printed}");
        }
    }
    let long = format!("Warning {{{fields}");
    let error = Setup::answering(200, &long).client.account(&once()).unwrap_err();
    assert!(error.to_string().ends_with("200 with \"Warning\" and 97 bytes of application/json"), "{error}");
}

#[test]
fn a_notice_before_good_json_is_read_over() {
    let notice = "\n<b>Warning</b>: Undefined index in /api.php on line 3<br />\n";
    for before in ["\u{feff}", notice] {
        let good = |json: &str| format!("{before}{json}");
        let read = Setup::answering(200, &good(fixture!("account-info.json"))).client.account(&once()).unwrap();
        assert_eq!(read.api_updates, Some(3));
        let added = Setup::answering(201, &good(fixture!("add-record.json"))).client.add_record(&challenge(), &once());
        assert_eq!(added, Ok(Change::Made));
    }
}
