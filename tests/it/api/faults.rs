//! What the commands do when the API, or the way to it, fails: exit code, words, number of requests, no key anywhere.

use std::time::Duration;

use ipv64_acme::sim::{Action, ApiFault, CallKind, Certificate};

use crate::support::environment::TestEnvironment;
use crate::support::values::FIRST;

const MANY: u32 = 99;
const SLOW: Duration = Duration::from_secs(3);

/// A test environment whose key is a canary, with short timeouts.
fn env() -> TestEnvironment {
    let mut env = TestEnvironment::with(ipv64_acme::sim::Config {
        accounts: vec![ipv64_acme::sim::Account { key: KEY.to_owned(), ..Default::default() }],
        ..Default::default()
    });
    env.set("IPV64_HTTP_TIMEOUT", "500ms");
    env
}

const KEY: &str = "canary-0123456789abcdef";

/// Runs a command at the highest verbosity and returns its stderr, which has to be free of the key and to end in a hint.
fn failure(env: &TestEnvironment, args: &[&str], code: i32) -> String {
    let error = env.fail(&[args, &["-vv"]].concat(), code);
    assert!(!error.contains("canary"), "{error}");
    assert!(error.contains("\nhint: "), "{error}");
    error
}

#[test]
fn every_fault_of_a_read_has_its_exit_code_and_words() {
    let table: [(Action, i32, &str); 18] = [
        (Action::Reset, 6, "closed the connection without an answer"),
        (Action::Close, 6, "closed the connection without an answer"),
        (Action::Truncate, 6, "the answer of `127.0.0.1:"),
        (Action::Slow(SLOW), 6, "did not answer within 0.5 s"),
        (Action::Delay(SLOW), 6, "did not answer within 0.5 s"),
        (Action::html(200, "<html>Wartung</html>"), 6, "200 with \"<html>Wartung</html>\""),
        (Action::html(403, "<html>blocked {key}"), 6, "403 with \"<html>blocked ********\""),
        (Action::html(500, "<h1>\u{1b}[31mrot\u{7}</h1>"), 6, "500 with \"<h1>\\u{1b}[31mrot\\u{7}</h1>\""),
        (Action::html(502, ""), 6, "502 with an empty body"),
        (Action::json(200, "null"), 6, "200 with \"null\""),
        (Action::json(200, "[]"), 6, "2 bytes of JSON that cannot be understood"),
        (Action::json(200, "{\"info\":\"success\""), 6, "17 bytes of JSON"),
        (Action::json(200, "}{"), 6, "200 with \"}\" and 1 bytes of application/json"),
        (Action::json(401, "{\"info\":\"bad {key}\"}"), 3, "does not accept the API key: \"bad ********\""),
        (Action::json(403, "{\"info\":\"error\",\"status\":\"403 Forbidden\"}"), 3, "does not allow this"),
        (
            Action::json(400, "{\"info\":\"no {key}\",\"status\":\"400\"}"),
            1,
            "rejects the request: \"no ********\" (400)",
        ),
        (Action::burst().with_header("Retry-After", "0"), 4, "refuses further calls for now: \"Update Cooldown"),
        (Action::daily().with_header("Retry-After", "7200"), 4, "refuses further calls today"),
    ];
    std::thread::scope(|scope| {
        for row in &table {
            scope.spawn(move || check_fault(row));
        }
    });
}

fn check_fault((action, code, words): &(Action, i32, &str)) {
    let env = env();
    env.sim.fault(ApiFault::next(action.clone()).times(MANY));
    // A plain refusal has no hint: the words of the API are all there is to say.
    let error = if *code == 1 { env.fail(&["account", "-vv"], 1) } else { failure(&env, &["account"], *code) };
    assert!(error.contains(words), "{action:?}: {words:?} in {error}");
    assert!(!error.contains("canary") && !error.contains('\u{1b}'), "{error:?}");
    assert!((1..=3).contains(&env.calls().len()), "{action:?}");
}

#[test]
fn an_endless_body_ends() {
    let env = env();
    env.sim.fault(ApiFault::next(Action::Endless).times(MANY));
    let error = failure(&env, &["domain", "list"], 6);
    assert!(error.contains("is larger than") || error.contains("did not answer within"), "{error}");
}

#[test]
fn a_fault_that_passes_is_not_seen() {
    for action in [Action::Reset, Action::Close, Action::Truncate, Action::Delay(SLOW), Action::html(502, "")] {
        let env = env();
        env.sim.fault(ApiFault::next(action.clone()));
        let list = env.succeed(&["domain", "list"]);
        assert!(list.contains("name.ipv64.net"), "{action:?}: {list}");
        assert_eq!(env.calls().len(), 2, "{action:?}");
    }
}

#[test]
fn a_record_whose_answer_was_lost_is_there_once() {
    for action in [Action::Reset, Action::Close, Action::Delay(SLOW), Action::html(502, "")] {
        let env = env();
        env.sim.fault(ApiFault::on(CallKind::AddRecord, action.clone()).after_commit());
        let added = env.succeed(&["record", "add", "a.name.ipv64.net", "TXT", "x"]);
        assert_eq!(added, "a.name.ipv64.net TXT x: was there already\n", "{action:?}");
        assert_eq!(env.sim.records_left().len(), 1);
        env.sim.fault(ApiFault::on(CallKind::DelRecord, action.clone()).after_commit());
        env.succeed(&["record", "delete", "a.name.ipv64.net", "TXT", "x"]);
        assert!(env.sim.records_left().is_empty(), "{action:?}");
    }
}

#[test]
fn a_domain_is_never_added_or_deleted_twice() {
    for args in [["domain", "add", "new.ipv64.net", "-v"], ["domain", "delete", "name.ipv64.net", "--yes"]] {
        let call = if args[1] == "add" { CallKind::AddDomain } else { CallKind::DelDomain };
        let env = env();
        env.sim.fault(ApiFault::on(call, Action::Close).after_commit());
        let error = failure(&env, &args, 6);
        assert!(error.contains(&format!("cannot {} the domain", args[1])), "{error}");
        assert_eq!(env.calls().iter().filter(|seen| **seen == call).count(), 1);
    }
}

#[test]
fn a_redirect_is_not_followed_and_the_key_stays_here() {
    for status in [301, 302, 307] {
        let (env, elsewhere) = (env(), TestEnvironment::new());
        let redirect = Action::html(status, "").with_header("Location", &elsewhere.sim.api_url());
        env.sim.fault(ApiFault::next(redirect).times(MANY));
        for args in [["domain", "list"].as_slice(), &["record", "delete", "17"]] {
            let error = failure(&env, args, 6);
            assert!(error.contains(&format!("{status}, a redirect to `{}`", elsewhere.sim.api_url())), "{error}");
        }
        assert!(elsewhere.sim.api_calls().is_empty());
    }
}

#[test]
fn a_burst_limit_is_waited_out() {
    let env = env();
    env.sim.set_limits(ipv64_acme::sim::Limits { daily: None, ..ipv64_acme::sim::Limits::standard() });
    for _ in 0..4 {
        env.succeed(&["logs"]);
    }
    let statuses: Vec<_> = env.sim.api_calls().iter().filter_map(|call| call.status).collect();
    assert_eq!(statuses, [200, 200, 200, 429, 200]);
}

#[test]
fn a_limit_that_stays_is_told_and_remembered() {
    let env = env();
    env.sim.fault(ApiFault::next(Action::daily().with_header("Retry-After", "7200")).times(MANY));
    failure(&env, &["account"], 4);
    assert_eq!(env.calls().len(), 1);
    failure(&env, &["account"], 4);
    assert_eq!(env.calls().len(), 1, "people ask once");
    let name = "_acme-challenge.name.ipv64.net";
    let error = env.fail(&["present", name, FIRST], 4);
    assert!(error.contains("are used up"), "{error}");
    assert!(env.calls().is_empty(), "a used-up day is not hammered");
}

#[test]
fn an_unreachable_api_is_told() {
    let mut env = env();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    env.set("IPV64_API_URL", &format!("http://{free}/api"));
    let error = failure(&env, &["account"], 6);
    assert!(error.contains(&format!("cannot reach `{free}`: nobody listens there (connection refused)")), "{error}");
}

#[test]
fn only_a_good_certificate_gets_the_key() {
    for (certificate, words) in [
        (Certificate::WrongName, Some("its certificate is for another name")),
        (Certificate::Expired, Some("its certificate has expired")),
        (Certificate::Good, None),
    ] {
        let mut env = env();
        let tls = env.sim.tls(certificate).unwrap();
        let authority = env.path("authority.pem");
        std::fs::write(&authority, tls.authority()).unwrap();
        env.set("IPV64_API_URL", &tls.api_url());
        let error = failure(&env, &["account"], 6);
        assert!(error.contains("no secure connection to `127.0.0.1:"), "{error}");
        assert!(env.calls().is_empty());
        env.set("IPV64_CA_FILE", authority.to_str().unwrap());
        match words {
            Some(words) => {
                let error = failure(&env, &["account"], 6);
                assert!(error.contains(words), "{error}");
                assert!(env.calls().is_empty());
            }
            None => assert!(env.succeed(&["account"]).contains("class\tStandard")),
        }
    }
}

#[test]
fn a_plain_http_address_off_loopback_is_refused() {
    let mut env = env();
    env.set("IPV64_API_URL", "http://ipv64.example/api");
    let error = failure(&env, &["account"], 2);
    assert!(error.contains("plain http is allowed to this machine only"), "{error}");
}
