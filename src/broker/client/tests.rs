use std::sync::Mutex;

use super::*;
use crate::challenge::TxtValue;
use crate::error::Explain as _;
use crate::exit::Exit;
use crate::http::tests::scripted::{Scripted, Step, client as http_client};
use crate::name::DnsName;

const TOKEN: &str = "ipv64b_c4n4ry-0123456789_abcdefghijklmnopqrstuvwxyz0";
const DONE: &str =
    r#"{"record": "_acme-challenge.a.example.com", "domain": "example.com", "changed": true, "of_a_later_version": 1}"#;

/// A broker with a script, a client for it that does not really pause, and what the client reported.
struct Setup {
    server: Scripted,
    client: Client,
    pauses: Arc<Mutex<Vec<Duration>>>,
    trace: Arc<Mutex<Vec<String>>>,
}

impl Setup {
    fn new(steps: Vec<Step>) -> Self {
        let server = Scripted::start(steps);
        let (pauses, trace) = (Arc::<Mutex<Vec<_>>>::default(), Arc::<Mutex<Vec<_>>>::default());
        let (paused, traced) = (Arc::clone(&pauses), Arc::clone(&trace));
        let http = Arc::new(http_client(Duration::from_millis(500)));
        let client = Client::new(http, server.endpoint(), Secret::parse(TOKEN).unwrap())
            .pausing_with(Arc::new(move |_: &Waiting, length| {
                paused.lock().unwrap().push(length);
                Ok(())
            }))
            .observed_by(move |line| traced.lock().unwrap().push(line.to_owned()));
        Self { server, client, pauses, trace }
    }

    fn present(&self) -> Result<RecordAnswer, BrokerError> {
        self.client.present(&challenge(), "certbot", patience(120))
    }
}

fn patience(seconds: u64) -> Patience {
    Patience { deadline: Instant::now() + Duration::from_secs(seconds), tries: crate::http::MOST_TRIES }
}

fn challenge() -> Challenge {
    let value = TxtValue::parse("-5qEv-d0").unwrap();
    Challenge { name: DnsName::parse("_acme-challenge.a.example.com").unwrap(), value }
}

fn refusal(kind: &str) -> String {
    format!(r#"{{"error": {{"kind": "{kind}", "message": "words {TOKEN}", "hint": "way out"}}}}"#)
}

#[test]
fn a_request_is_one_document_with_the_token_in_its_header() {
    let setup = Setup::new(vec![Step::json(200, DONE), Step::json(200, DONE)]);
    let answer = setup.present().unwrap();
    assert_eq!((answer.record.as_str(), answer.changed), ("_acme-challenge.a.example.com", true));
    setup.client.cleanup(&challenge(), "lego", patience(9)).unwrap();
    let seen = setup.server.seen();
    assert!(seen[0].head.starts_with("POST /api/v1/present HTTP/1.1\r\n"), "{}", seen[0].head);
    assert!(seen[0].head.contains(&format!("Bearer {TOKEN}\r\n")), "{}", seen[0].head);
    let document = r#"{"name":"_acme-challenge.a.example.com","value":"-5qEv-d0","client":"certbot"}"#;
    assert_eq!(seen[0].body, document);
    assert!(seen[1].head.starts_with("POST /api/v1/cleanup "), "{}", seen[1].head);
    let trace = setup.trace.lock().unwrap().join("\n");
    assert!(trace.contains("POST /v1/present name=_acme-challenge.a.example.com: 200 in"), "{trace}");
    assert!(!trace.contains("c4n4ry"), "{trace}");
}

#[test]
fn each_refusal_has_its_kind_and_is_told_without_the_token() {
    for (status, body, kind, exit) in [
        (401, refusal("broker_unauthorized"), "broker_unauthorized", Exit::Key),
        (401, String::new(), "broker_unauthorized", Exit::Key),
        (403, refusal("broker_not_allowed"), "broker_not_allowed", Exit::Key),
        (403, refusal("of_a_later_version"), "broker_not_allowed", Exit::Key),
        (429, refusal("broker_calls_used_up"), "broker_calls_used_up", Exit::RateLimit),
        (429, refusal("quota_used_up"), "quota_used_up", Exit::RateLimit),
        (400, refusal("invalid_call"), "invalid_call", Exit::Usage),
        (404, refusal("no_domain"), "no_domain", Exit::NoDomain),
        (503, refusal("unauthorized"), "unauthorized", Exit::Key),
        (404, "<html>".into(), "broker_unusable", Exit::NoAnswer),
        (403, "<html>".into(), "broker_unusable", Exit::NoAnswer),
        (301, String::new(), "redirected", Exit::NoAnswer),
    ] {
        let setup = Setup::new(vec![Step::json(status, &body), Step::json(200, DONE)]);
        let error = setup.present().unwrap_err();
        let text = format!("{error} {:?} {error:?}", error.hint());
        assert_eq!((error.kind().as_str(), error.kind().exit()), (kind, exit), "{text}");
        assert!(!text.contains("c4n4ry") && error.hint().is_some() && text.contains("broker"), "{text}");
        assert_eq!(setup.server.seen().len(), 1, "{kind} stays: it is not tried again");
    }
}

#[test]
fn what_passes_is_tried_again_five_times_at_most() {
    let passing = || {
        vec![
            Step::json(503, &refusal("unavailable")),
            Step::Close,
            Step::json(200, "{"),
            Step::json(502, "<html>"),
            Step::json(200, DONE),
        ]
    };
    let setup = Setup::new(passing());
    assert!(setup.present().is_ok());
    let all = || (0..9).map(|_| Step::json(503, &refusal("unavailable"))).collect();
    let setup = Setup::new(all());
    let error = setup.present().unwrap_err();
    assert_eq!((error.kind().as_str(), setup.server.seen().len()), ("unavailable", 5));
    assert!(error.is_transient() && error.may_be_done());
    let setup = Setup::new(all());
    setup.client.present(&challenge(), "certbot", Patience { tries: 1, ..patience(120) }).unwrap_err();
    assert_eq!(setup.server.seen().len(), 1);
}

#[test]
fn a_request_that_waits_for_its_turn_is_asked_for_again_until_the_deadline() {
    let queued = || (0..9).map(|_| Step::json(503, &refusal("broker_busy"))).collect::<Vec<_>>();
    let setup = Setup::new(queued().into_iter().chain([Step::json(200, DONE)]).collect());
    assert!(setup.present().is_ok(), "among fifty hosts it takes longer than five answers");
    let setup = Setup::new(queued());
    let error = setup.client.present(&challenge(), "certbot", patience(0)).unwrap_err();
    assert_eq!((error.kind(), setup.server.seen().len()), (crate::error::Kind::BrokerBusy, 1), "{error}");
}

#[test]
fn a_pause_that_the_broker_asks_for_is_kept_within_the_deadline() {
    let busy = |seconds: &'static str| {
        let headers: &[(&str, &str)] = match seconds {
            "7" => &[("Retry-After", "7")],
            _ => &[("Retry-After", "4000")],
        };
        Step::Answer(429, headers, refusal("rate_limited"))
    };
    let setup = Setup::new(vec![busy("7"), Step::json(200, DONE)]);
    setup.present().unwrap();
    assert_eq!(*setup.pauses.lock().unwrap(), [Duration::from_secs(7)]);
    let setup = Setup::new(vec![busy("4000"), Step::json(200, DONE)]);
    let error = setup.present().unwrap_err();
    assert_eq!((error.kind().exit(), setup.server.seen().len()), (Exit::RateLimit, 1));
    assert!(!error.may_be_done());
}

#[test]
fn no_answer_speaks_of_the_broker_and_what_may_be_done_is_remembered() {
    for (steps, kind) in [
        (vec![Step::Stall], "timed_out"),
        (vec![Step::Close], "connection_closed"),
        (vec![Step::Endless], "answer_too_large"),
        (vec![Step::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{".to_vec())], "answer_truncated"),
    ] {
        let setup = Setup::new(steps);
        let error = setup.client.cleanup(&challenge(), "x", Patience { tries: 1, ..patience(60) }).unwrap_err();
        assert_eq!((error.kind().as_str(), error.kind().exit()), (kind, Exit::NoAnswer), "{error}");
        assert!(error.to_string().contains("no answer from the broker") && error.may_be_done(), "{error}");
    }
    let setup = Setup::new(vec![Step::Close, Step::json(403, &refusal("broker_not_allowed"))]);
    let error = setup.present().unwrap_err();
    assert!(error.may_be_done() && error.kind() == "broker_not_allowed", "the first try may have been acted on");
}
