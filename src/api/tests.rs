use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::*;
use crate::challenge::TxtValue;
use crate::exit::{Exit, Explain};
use crate::http::scripted::{Scripted, Step, client as http_client};
use crate::name::DnsName;
use crate::secret::Secret;

const KEY: &str = "canary-0123456789abcdef0123456789";

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("fixtures/", $name))
    };
}

/// A server with a script, a client for it that does not really pause, and what the client reported.
struct Setup {
    server: Scripted,
    client: Client,
    pauses: Arc<Mutex<Vec<Duration>>>,
    trace: Arc<Mutex<Vec<String>>>,
}

impl Setup {
    fn new(steps: Vec<Step>) -> Self {
        Self::with(steps, AuthMethod::Bearer, Box::new(OpenGate))
    }

    fn with(steps: Vec<Step>, auth: AuthMethod, gate: Box<dyn Gate>) -> Self {
        let server = Scripted::start(steps);
        let access = Access { endpoint: server.endpoint(), key: Secret::parse(KEY).unwrap(), auth };
        let (pauses, trace) = (Arc::<Mutex<Vec<_>>>::default(), Arc::<Mutex<Vec<_>>>::default());
        let (paused, traced) = (Arc::clone(&pauses), Arc::clone(&trace));
        let client = Client::new(Arc::new(http_client(Duration::from_millis(500))), access, gate)
            .pausing_with(move |pause| {
                paused.lock().unwrap().push(pause);
                ControlFlow::Continue(())
            })
            .observed_by(move |exchange| traced.lock().unwrap().push(exchange.to_string()));
        Self { server, client, pauses, trace }
    }

    fn answering(status: u16, body: &str) -> Self {
        Self::new(vec![Step::json(status, body)])
    }

    fn pauses(&self) -> Vec<Duration> {
        self.pauses.lock().unwrap().clone()
    }
}

/// A policy that allows one request.
fn once() -> RetryPolicy {
    RetryPolicy { tries: 1, ..patient() }
}

fn patient() -> RetryPolicy {
    RetryPolicy::until(Instant::now() + Duration::from_secs(60))
}

fn name(text: &str) -> DnsName {
    DnsName::parse(text).unwrap()
}

fn challenge() -> RecordSpec {
    let value = TxtValue::parse("-5qEv_d0").unwrap();
    RecordSpec::within(
        &name("name.ipv64.net"),
        &name("_acme-challenge.a.name.ipv64.net"),
        RecordType::Txt,
        value.as_str(),
    )
    .unwrap()
}

fn error_of(status: u16, body: &str) -> ApiError {
    Setup::answering(status, body).client.add_record(&challenge(), &once()).unwrap_err()
}

// Documented and observed answers.

#[test]
fn the_documented_account_is_read() {
    let account = Setup::answering(200, fixture!("account-info.json")).client.account(&once()).unwrap();
    assert_eq!(account.email.as_ref().unwrap().expose(), "somebody@example.org");
    assert_eq!(account.registered.as_deref(), Some("2022-10-03 12:34:56"));
    assert_eq!((account.dyndns_updates, account.api_updates), (Some(5), Some(3)));
    assert_eq!(account.class.name.as_deref(), Some("Standard"));
    assert_eq!(account.class.dyndns_domain_limit, Some(3));
    assert_eq!(account.class.dyndns_update_limit, Some(48));
    assert_eq!((account.class.api_limit, account.api_calls_left()), (Some(64), Some(61)));
    let printed = format!("{account:?}");
    for secret in ["somebody", "UPDATEHASH", "APIKEY"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}

#[test]
fn observed_fields_of_an_account_are_read_and_new_ones_ignored() {
    let account = Setup::answering(200, fixture!("account-observed-fields.json")).client.account(&once()).unwrap();
    assert_eq!((account.status, account.own_domains, account.dyndns_subdomains), (Some(1), Some(1), Some(2)));
    assert_eq!((account.api_updates, account.class.api_limit), (Some(3), Some(0)));
    assert_eq!((account.class.sms_limit, account.class.dyndns_ttl), (None, Some(60)));
    assert_eq!(account.api_calls_left(), None, "0 means no limit");
}

#[test]
fn the_documented_logs_are_read() {
    let logs = Setup::answering(200, fixture!("logs.json")).client.logs(&once()).unwrap();
    assert_eq!(logs.len(), 2);
    assert_eq!((logs[0].subdomain.as_str(), logs[0].header.as_str()), ("name.ipv64.net", "DynDNS Update"));
    assert_eq!(logs[1].content, "Die 24h Limits wurden zurückgesetzt.");
    assert!(Setup::answering(200, fixture!("logs-empty.json")).client.logs(&once()).unwrap().is_empty());
}

#[test]
fn the_documented_domains_are_read_in_their_order() {
    let domains = Setup::answering(200, fixture!("domains.json")).client.domains(&once()).unwrap();
    assert_eq!(domains.iter().map(|d| d.name.as_str()).collect::<Vec<_>>(), ["name.ipv64.net", "example.com"]);
    assert_eq!((domains[0].updates, domains[0].wildcard, domains[1].wildcard), (Some(2), Some(true), Some(false)));
    let record = &domains[1].records[0];
    assert_eq!((record.id, record.ttl, &record.record_type), (Some(13), Some(60), &RecordType::Txt));
    assert_eq!((record.content.as_str(), record.name_in(&domains[1].name)), ("v=spf1 -all", "mail.example.com".into()));
    assert_eq!(domains[0].records[1].name_in(&domains[0].name), "name.ipv64.net");
}

#[test]
fn observed_shapes_of_domains_are_understood() {
    let domains = Setup::answering(200, fixture!("domains-observed-fields.json")).client.domains(&once()).unwrap();
    let names: Vec<_> = domains.iter().map(|domain| domain.name.as_str()).collect();
    assert_eq!(names, ["name.ipv64.net", "empty.home64.de", "xn--bcher-kva.example"]);
    let [text, other] = domains[0].records.as_slice() else { panic!("{domains:?}") };
    assert_eq!((text.id, text.ttl, text.content.as_str()), (Some(11), Some(60), "\"path/to\""));
    assert_eq!((other.id, other.ttl, other.prefix.as_str()), (None, None, ""));
    assert_eq!(other.record_type, RecordType::Other("HTTPS".to_owned()));
    assert_eq!((domains[0].wildcard, domains[0].dualstack), (Some(true), Some(false)));
    assert!(domains[1].records.is_empty());
    let printed = format!("{domains:?}");
    for secret in ["DOMAINHASH", "RECORDKEY"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}

#[test]
fn an_account_without_domains_is_no_error() {
    assert!(Setup::answering(200, fixture!("domains-empty.json")).client.domains(&once()).unwrap().is_empty());
}

#[test]
fn records_are_added_and_deleted() {
    let setup = Setup::new(vec![
        Step::json(201, fixture!("add-record.json")),
        Step::json(202, fixture!("del-record.json")),
        Step::json(202, fixture!("del-record.json")),
    ]);
    assert_eq!(setup.client.add_record(&challenge(), &once()), Ok(Added::New));
    assert_eq!(setup.client.delete_record(&challenge(), &once()), Ok(Deleted::Gone));
    assert_eq!(setup.client.delete_record_by_id(11, &once()), Ok(Deleted::Gone));
    let seen = setup.server.seen();
    let parameters = "name.ipv64.net&praefix=_acme-challenge.a&type=TXT&content=-5qEv_d0";
    assert_eq!(seen[0].body, format!("add_record={parameters}"));
    assert_eq!(seen[1].body, format!("del_record={parameters}"));
    assert_eq!(seen[2].body, "del_record=11");
    assert!(seen[0].head.starts_with("POST /api HTTP/1.1\r\n"), "{}", seen[0].head);
    assert!(seen[1].head.starts_with("DELETE /api HTTP/1.1\r\n"), "{}", seen[1].head);
    assert!(seen[0].head.to_lowercase().contains("content-type: application/x-www-form-urlencoded\r\n"));
    assert!(seen.iter().all(|request| request.connection == 0), "one connection for all: {seen:?}");
}

#[test]
fn domains_are_added_and_deleted() {
    let setup =
        Setup::new(vec![Step::json(201, fixture!("add-domain.json")), Step::json(202, fixture!("del-domain.json"))]);
    assert_eq!(setup.client.add_domain(&name("new.ipv64.net"), &once()), Ok(()));
    assert_eq!(setup.client.delete_domain(&name("new.ipv64.net"), &once()), Ok(()));
    let seen = setup.server.seen();
    assert_eq!(
        (seen[0].body.as_str(), seen[1].body.as_str()),
        ("add_domain=new.ipv64.net", "del_domain=new.ipv64.net")
    );
}

#[test]
fn a_duplicate_counts_as_added_and_a_missing_record_as_missing() {
    let add = Setup::answering(400, fixture!("add-record-already-there.json"));
    assert_eq!(add.client.add_record(&challenge(), &once()), Ok(Added::AlreadyThere));
    for delete in [
        |client: &Client| client.delete_record(&challenge(), &once()),
        |client: &Client| client.delete_record_by_id(11, &once()),
    ] {
        let setup = Setup::answering(403, fixture!("del-record-missing.json"));
        assert_eq!(delete(&setup.client), Ok(Deleted::Missing));
    }
}

#[test]
fn the_body_decides_when_it_disagrees_with_a_2xx() {
    let already = Setup::answering(200, fixture!("add-record-already-there.json"));
    assert_eq!(already.client.add_record(&challenge(), &once()), Ok(Added::AlreadyThere));
    for (body, kind) in [
        (fixture!("add-record-invalid.json"), "rejected"),
        (fixture!("unauthorized.json"), "unauthorized"),
        (fixture!("rate-limited-cooldown.json"), "rate_limited"),
        (r#"{"info":"error"}"#, "rejected"),
        (r#"{"status":"201 Created"}"#, "rejected"),
        (r#"{"info":"error","status":"500 Internal Server Error"}"#, "unavailable"),
    ] {
        assert_eq!(error_of(200, body).kind(), kind, "{body}");
    }
}

// Errors.

#[test]
fn every_error_has_its_kind_exit_and_words() {
    let table: [(u16, &str, &str, Exit, &str); 15] = [
        (
            401,
            fixture!("unauthorized.json"),
            "unauthorized",
            Exit::Key,
            "IPv64 does not accept the API key: \"Unauthorized\"",
        ),
        (401, "", "unauthorized", Exit::Key, "IPv64 does not accept the API key: without words"),
        (
            403,
            fixture!("forbidden.json"),
            "forbidden",
            Exit::Key,
            "IPv64 does not allow this with this API key: \"403 Forbidden\"",
        ),
        (
            400,
            fixture!("add-record-invalid.json"),
            "rejected",
            Exit::Failed,
            "IPv64 rejects the request: \"invalid record informations\" (400)",
        ),
        (
            404,
            r#"{"info":"nope","status":"404 Not Found"}"#,
            "rejected",
            Exit::Failed,
            "IPv64 rejects the request: \"nope\" (404)",
        ),
        (
            200,
            r#"{"info":"error","status":"200 OK","add_record":"\u001b[31mrot"}"#,
            "rejected",
            Exit::Failed,
            "IPv64 rejects the request: \"\\u{1b}[31mrot\" (200)",
        ),
        (
            429,
            fixture!("rate-limited-cooldown.json"),
            "rate_limited",
            Exit::RateLimit,
            "IPv64 refuses further calls for now: \"Update Cooldown - 10sec\" (429)",
        ),
        (
            429,
            fixture!("rate-limited-overcommitted.json"),
            "rate_limited",
            Exit::RateLimit,
            "IPv64 refuses further calls for now: \"Updateintervall overcommited\" (429)",
        ),
        (
            429,
            "<html>slow down",
            "rate_limited",
            Exit::RateLimit,
            "IPv64 refuses further calls for now: without words (429)",
        ),
        (
            502,
            fixture!("maintenance.html"),
            "unavailable",
            Exit::NoAnswer,
            "IPv64 gives no usable answer: 502 with \"<!DOCTYPE html> <html lang=\"de\"> <head><title>Wartung</title></head> <body>Wir sind gleich zurück.</body> </html>\"",
        ),
        (200, "<html>", "unavailable", Exit::NoAnswer, "IPv64 gives no usable answer: 200 with \"<html>\""),
        (
            403,
            "<html>blocked",
            "unavailable",
            Exit::NoAnswer,
            "IPv64 gives no usable answer: 403 with \"<html>blocked\"",
        ),
        (200, "", "unavailable", Exit::NoAnswer, "IPv64 gives no usable answer: 200 with an empty body"),
        (
            200,
            "{\"info\":\"succ",
            "unavailable",
            Exit::NoAnswer,
            "IPv64 gives no usable answer: 200 with 13 bytes of JSON that cannot be understood",
        ),
        (
            500,
            r#"{"info":"database","status":"500"}"#,
            "unavailable",
            Exit::NoAnswer,
            "IPv64 gives no usable answer: 500 with \"database\"",
        ),
    ];
    for (status, body, kind, exit, message) in table {
        let error = error_of(status, body);
        assert_eq!(
            (error.kind(), error.exit(), error.to_string()),
            (kind, exit, message.to_owned()),
            "{status} {body}"
        );
        let hint = error.hint();
        assert!(hint.is_some() || kind == "rejected", "{error}");
    }
}

#[test]
fn null_and_lists_are_no_answers() {
    for body in ["null", "[]", "{}", "3", "\"success\"", "{\"subdomains\":[]}"] {
        let error = Setup::answering(200, body).client.domains(&once()).unwrap_err();
        assert_eq!(error.kind(), "unavailable", "{body}: {error}");
    }
    let error =
        Setup::answering(200, "{\"info\":\"success\",\"status\":\"200 OK\"}").client.domains(&once()).unwrap_err();
    assert_eq!(error.kind(), "unavailable", "a list that is missing is not an empty one");
}

#[test]
fn words_of_other_calls_are_shown() {
    let add =
        |body| Setup::answering(400, body).client.add_domain(&name("x.ipv64.net"), &once()).unwrap_err().to_string();
    assert_eq!(add(fixture!("add-domain-limit.json")), "IPv64 rejects the request: \"domain limit reached\" (400)");
    assert_eq!(
        add(fixture!("add-domain-not-available.json")),
        "IPv64 rejects the request: \"domainname not available\" (400)"
    );
}

#[test]
fn a_redirect_is_an_error_and_the_key_does_not_follow_it() {
    let elsewhere = Scripted::start(vec![Step::json(200, "{}")]);
    let location: &'static str = Box::leak(elsewhere.endpoint().to_string().into_boxed_str());
    let headers: &'static [_] = Box::leak(Box::new([("Location", location)]));
    let setup = Setup::new(vec![Step::Answer(302, headers, String::new())]);
    let error = setup.client.domains(&once()).unwrap_err();
    assert_eq!((error.kind(), error.exit()), ("redirected", Exit::NoAnswer));
    assert_eq!(error.to_string(), format!("IPv64 answers 302, a redirect to `{location}`, which is not followed"));
    assert!(elsewhere.seen().is_empty());
}

#[test]
fn the_start_of_an_error_page_is_kept_and_no_more() {
    let error = error_of(503, &"ä".repeat(300));
    assert_eq!(error, ApiError::Unavailable { status: 503, text: format!("\"{}…\"", "ä".repeat(200)) });
}

// Secrets.

#[test]
fn the_key_appears_in_no_message_and_no_trace() {
    for auth in AuthMethod::ALL.map(|(_, auth)| auth) {
        let echo = format!("{{\"info\":\"bad key {KEY}\",\"status\":\"400 {KEY}\",\"add_record\":\"{KEY}!\"}}");
        let page = format!("<html>{KEY}</html>");
        let steps = vec![
            Step::json(400, &echo),
            Step::json(401, &echo),
            Step::json(502, &page),
            Step::json(502, &page),
            Step::Close,
            Step::Raw(KEY.into()),
        ];
        let count = steps.len();
        let setup = Setup::with(steps, auth, Box::new(OpenGate));
        for call in 0..count {
            let error = match call {
                3 => setup.client.domains(&once()).unwrap_err(),
                _ => setup.client.add_record(&challenge(), &once()).unwrap_err(),
            };
            let printed = format!("{error} {error:?} {:?} {:?}", error.hint(), error.details());
            assert!(!printed.contains("canary"), "{printed}");
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
        (AuthMethod::Basic, Some("Basic aXB2NjQ6Y2FuYXJ5LTAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5".to_owned()), None),
        (AuthMethod::ApiKey, None, Some(format!("apikey={KEY}"))),
        (AuthMethod::Token, None, Some(format!("token={KEY}"))),
    ] {
        let steps = vec![Step::json(200, fixture!("domains.json")), Step::json(201, fixture!("add-record.json"))];
        let setup = Setup::with(steps, auth, Box::new(OpenGate));
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

// Tries.

#[test]
fn what_only_asks_is_asked_again_after_errors_that_pass() {
    let setup = Setup::new(vec![
        Step::json(502, fixture!("maintenance.html")),
        Step::Close,
        Step::Reset,
        Step::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{".to_vec()),
        Step::Stall,
        Step::json(200, "<html>"),
        Step::json(200, fixture!("domains.json")),
    ]);
    assert_eq!(setup.client.domains(&patient()).unwrap().len(), 2);
    let pauses = setup.pauses();
    assert_eq!(pauses.len(), 6);
    for (pause, longest) in pauses.iter().zip([0.5, 1.0, 2.0, 4.0, 8.0, 8.0]) {
        assert!((longest / 2.0..=longest).contains(&pause.as_secs_f64()), "{pauses:?}");
    }
}

#[test]
fn errors_that_stay_are_not_repeated() {
    for (status, body) in [
        (401, fixture!("unauthorized.json")),
        (403, fixture!("forbidden.json")),
        (400, fixture!("add-record-invalid.json")),
    ] {
        let setup = Setup::new(vec![Step::json(status, body), Step::json(200, fixture!("domains.json"))]);
        setup.client.domains(&patient()).unwrap_err();
        assert_eq!(setup.server.seen().len(), 1);
    }
}

#[test]
fn an_addition_whose_answer_was_lost_finds_its_work_done() {
    for lost in [Step::Close, Step::Stall, Step::json(502, "")] {
        let setup = Setup::new(vec![lost, Step::json(400, fixture!("add-record-already-there.json"))]);
        assert_eq!(setup.client.add_record(&challenge(), &patient()), Ok(Added::AlreadyThere));
    }
}

#[test]
fn a_removal_whose_answer_was_lost_finds_its_work_done() {
    let setup = Setup::new(vec![Step::Close, Step::json(403, fixture!("del-record-missing.json"))]);
    assert_eq!(setup.client.delete_record(&challenge(), &patient()), Ok(Deleted::Missing));
}

#[test]
fn a_domain_is_not_added_or_deleted_twice_when_the_first_request_may_have_arrived() {
    let lost = || vec![Step::Close, Step::json(201, fixture!("add-domain.json"))];
    let setup = Setup::new(lost());
    let error = setup.client.add_domain(&name("new.ipv64.net"), &patient()).unwrap_err();
    assert!(error.may_have_been_stored(), "{error:?}");
    assert_eq!(setup.server.seen().len(), 1);
    let setup = Setup::new(lost());
    assert!(setup.client.delete_domain(&name("new.ipv64.net"), &patient()).unwrap_err().may_have_been_stored());
    assert_eq!(setup.server.seen().len(), 1);
}

#[test]
fn an_earlier_lost_answer_is_not_forgotten() {
    let setup = Setup::new(vec![Step::Close, Step::json(401, fixture!("unauthorized.json"))]);
    let error = setup.client.add_record(&challenge(), &patient()).unwrap_err();
    assert!(matches!(error.cause(), ApiError::Unauthorized { .. }), "{error:?}");
    assert!(error.may_have_been_stored());
    assert_eq!((error.kind(), error.exit()), ("unauthorized", Exit::Key));
    assert_eq!(error.to_string(), "IPv64 does not accept the API key: \"Unauthorized\"");
    assert!(!error_of(401, "").may_have_been_stored());
}

#[test]
fn a_burst_is_waited_out_for_a_whole_window() {
    let setup = Setup::new(vec![
        Step::json(429, fixture!("rate-limited-cooldown.json")),
        Step::Answer(429, &[("Retry-After", "3")], String::new()),
        Step::json(201, fixture!("add-record.json")),
    ]);
    assert_eq!(setup.client.add_record(&challenge(), &patient()), Ok(Added::New));
    let [window, asked] = setup.pauses().try_into().unwrap();
    assert!((10.0..=11.0).contains(&window.as_secs_f64()), "{window:?}");
    assert!((3.0..=4.0).contains(&asked.as_secs_f64()), "{asked:?}");
}

#[test]
fn a_refusal_that_stays_is_not_hammered() {
    let refusals = || (0..9).map(|_| Step::json(429, fixture!("rate-limited-overcommitted.json"))).collect();
    let setup = Setup::new(refusals());
    let error = setup.client.add_record(&challenge(), &patient()).unwrap_err();
    assert_eq!(setup.server.seen().len(), 3);
    assert!(matches!(error, ApiError::RateLimited { limit: Limit::Daily, .. }), "{error:?}");
    assert_eq!(error.to_string(), "IPv64 refuses further calls today: \"Updateintervall overcommited\" (429)");
    // No pause fits: one request.
    let setup = Setup::new(refusals());
    let hurry = RetryPolicy::until(Instant::now() + Duration::from_secs(5));
    setup.client.add_record(&challenge(), &hurry).unwrap_err();
    assert_eq!((setup.server.seen().len(), setup.pauses().len()), (1, 0));
    // A pause of hours means the day.
    let setup = Setup::new(vec![Step::Answer(429, &[("Retry-After", "7200")], String::new())]);
    let error = setup.client.add_record(&challenge(), &patient()).unwrap_err();
    assert!(matches!(error, ApiError::RateLimited { limit: Limit::Daily, .. }), "{error:?}");
}

#[test]
fn people_wait_for_three_requests_at_most() {
    let setup = Setup::new((0..9).map(|_| Step::json(502, "")).collect());
    setup.client.domains(&RetryPolicy::interactive()).unwrap_err();
    assert_eq!(setup.server.seen().len(), 3);
}

#[test]
fn a_broken_off_pause_ends_the_call_with_the_last_error() {
    let setup = Setup::new(vec![Step::json(502, ""), Step::json(200, fixture!("domains.json"))]);
    let client = setup.client.pausing_with(|_| ControlFlow::Break(()));
    assert_eq!(client.domains(&patient()).unwrap_err().kind(), "unavailable");
}

// The gate.

#[derive(Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Gate for Log {
    fn before(&self, kind: CallKind, _: Instant) -> Result<(), GateError> {
        let mut log = self.0.lock().unwrap();
        log.push(format!("{kind:?}"));
        if log.len() > 4 { Err(GateError::Full { wait: Duration::from_secs(7) }) } else { Ok(()) }
    }

    fn refused(&self, retry_after: Option<Duration>, limit: Limit) {
        self.0.lock().unwrap().push(format!("refused {limit:?} {retry_after:?}"));
    }
}

#[test]
fn every_request_passes_the_gate_which_hears_of_refusals() {
    let log = Arc::default();
    let steps = vec![
        Step::json(200, fixture!("domains.json")),
        Step::json(429, fixture!("rate-limited-cooldown.json")),
        Step::json(201, fixture!("add-record.json")),
    ];
    let setup = Setup::with(steps, AuthMethod::Bearer, Box::new(Log(Arc::clone(&log))));
    setup.client.domains(&patient()).unwrap();
    setup.client.add_record(&challenge(), &patient()).unwrap();
    let error = setup.client.delete_record(&challenge(), &patient()).unwrap_err();
    assert_eq!(*log.lock().unwrap(), ["Read", "Addition", "refused Burst None", "Addition", "Removal"]);
    assert_eq!((error.kind(), error.exit()), ("request_window_full", Exit::RateLimit));
    assert_eq!(error.to_string(), "no API call is allowed for another 7 s, which is too late");
    assert_eq!(setup.server.seen().len(), 3, "what the gate stops is not sent");
}
