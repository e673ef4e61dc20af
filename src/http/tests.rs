//! Requests over plain connections to a server that plays a script.

pub(crate) mod scripted;
mod tls;

use std::time::Duration;

use self::scripted::{Scripted, Step, client};
use super::*;
use crate::error::{Explain, Kind};
use crate::exit::Exit;

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(300);

fn get(endpoint: &Endpoint) -> HttpRequest<'_> {
    HttpRequest {
        method: Method::GET,
        endpoint,
        accept: "application/json",
        authorization: None,
        payload: None,
        limit: 1000,
        timeout: LONG,
    }
}

/// The error of one GET to a server that plays one step.
fn error_of(step: Step, timeout: Duration) -> (HttpError, Scripted) {
    let server = Scripted::start(vec![step]);
    let endpoint = server.endpoint();
    (client(timeout).send(&get(&endpoint)).unwrap_err(), server)
}

#[test]
fn every_status_is_an_answer() {
    let statuses = [200, 201, 202, 301, 400, 401, 403, 404, 429, 500, 502];
    let server = Scripted::start(statuses.map(|status| Step::json(status, "{\"a\":1}")).into());
    let (client, endpoint) = (client(LONG), server.endpoint());
    for status in statuses {
        let answer = client.send(&get(&endpoint)).unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (status, b"{\"a\":1}".as_slice()));
        assert_eq!(answer.content_type.as_deref(), Some("application/json"));
    }
}

#[test]
fn one_connection_serves_many_requests() {
    let server = Scripted::start((0..4).map(|_| Step::json(400, "{}")).collect());
    let (client, endpoint) = (client(LONG), server.endpoint());
    for timeout in [LONG, LONG / 2, LONG, LONG] {
        client.send(&HttpRequest { timeout, ..get(&endpoint) }).unwrap();
    }
    let seen = server.seen();
    assert_eq!(seen.len(), 4);
    assert!(seen.iter().all(|request| request.connection == 0), "{seen:?}");
}

#[test]
fn sends_what_it_was_given_and_a_user_agent() {
    let server = Scripted::start(vec![Step::json(200, "")]);
    let (client, endpoint) = (client(LONG), server.endpoint());
    let payload = Some(Payload { content_type: "text/x-test", bytes: b"a=b" });
    let authorization = Some("Bearer canary");
    client.send(&HttpRequest { method: Method::DELETE, payload, authorization, ..get(&endpoint) }).unwrap();
    let seen = server.seen();
    let head = seen[0].head.to_lowercase();
    assert!(head.starts_with("delete /api http/1.1\r\n"), "{head}");
    for header in [
        "user-agent: ipv64-acme-test",
        "accept: application/json",
        "content-type: text/x-test",
        "content-length: 3",
        "authorization: bearer canary",
    ] {
        assert!(head.contains(&format!("{header}\r\n")), "{header} in {head}");
    }
    assert_eq!(seen[0].body, "a=b");
}

#[test]
fn a_redirect_is_an_answer_and_not_followed() {
    let elsewhere = Scripted::start(vec![Step::json(200, "{}")]);
    let server = Scripted::start(vec![Step::Answer(302, &[("Location", "https://elsewhere.example/")], String::new())]);
    let endpoint = server.endpoint();
    let answer = client(LONG).send(&get(&endpoint)).unwrap();
    assert_eq!((answer.status, answer.location.as_deref()), (302, Some("https://elsewhere.example/")));
    assert!(elsewhere.seen().is_empty());
}

#[test]
fn retry_after_is_read() {
    let server = Scripted::start(vec![Step::Answer(429, &[("Retry-After", "7")], String::new())]);
    let endpoint = server.endpoint();
    assert_eq!(client(LONG).send(&get(&endpoint)).unwrap().retry_after, Some(Duration::from_secs(7)));
}

#[test]
fn a_date_in_retry_after_is_measured_by_the_clock_that_wrote_it() {
    let headers = &[("Date", "Sun, 06 Nov 1994 08:49:30 GMT"), ("Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT")];
    let server = Scripted::start(vec![Step::Answer(429, headers, String::new())]);
    let endpoint = server.endpoint();
    assert_eq!(client(LONG).send(&get(&endpoint)).unwrap().retry_after, Some(Duration::from_secs(7)));
}

#[test]
fn nobody_listening_is_unreachable_and_nothing_was_sent() {
    let endpoint = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        Endpoint::parse(&format!("http://{}/", free.local_addr().unwrap())).unwrap()
    };
    let error = client(LONG).send(&get(&endpoint)).unwrap_err();
    assert_eq!(
        (error.kind().as_str(), error.kind().exit(), error.may_have_arrived()),
        ("unreachable", Exit::NoAnswer, false)
    );
    let port = endpoint.port();
    assert_eq!(
        error.to_string(),
        format!("cannot reach `127.0.0.1:{port}`: nobody listens there (connection refused)")
    );
}

#[test]
fn a_closed_or_reset_connection_may_have_been_acted_on() {
    for step in [Step::Close, Step::Reset] {
        let (error, _server) = error_of(step, LONG);
        assert_eq!((error.kind().as_str(), error.may_have_arrived()), ("connection_closed", true), "{error:?}");
        assert!(error.to_string().ends_with("closed the connection without an answer"), "{error}");
        assert!(error.is_transient());
    }
}

#[test]
fn silence_and_a_slow_body_time_out() {
    for step in [Step::Stall, Step::Drip] {
        let (error, _server) = error_of(step, SHORT);
        assert_eq!((error.kind().as_str(), error.may_have_arrived()), ("timed_out", true), "{error:?}");
        assert!(error.to_string().ends_with("did not answer within 0.3 s"), "{error}");
    }
}

#[test]
fn the_timeout_of_a_request_can_be_shorter() {
    let server = Scripted::start(vec![Step::Stall]);
    let endpoint = server.endpoint();
    let error = client(LONG).send(&HttpRequest { timeout: SHORT, ..get(&endpoint) }).unwrap_err();
    assert!(error.to_string().ends_with("within 0.3 s"), "{error}");
}

#[test]
fn a_body_that_is_cut_or_too_large_is_an_error() {
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"info\":".to_vec();
    let (error, _server) = error_of(Step::Raw(cut), LONG);
    assert_eq!((error.kind().as_str(), error.may_have_arrived()), ("answer_truncated", true), "{error:?}");
    let (error, _server) = error_of(Step::Endless, LONG);
    assert_eq!(error.kind(), "answer_too_large", "{error:?}");
    assert!(error.to_string().ends_with("is larger than 1000 bytes"), "{error}");
}

#[test]
fn garbage_is_not_http() {
    for garbage in ["SSH-2.0-OpenSSH_9.9\r\n", "\0\u{1}\u{2}\u{3}\r\n\r\n", "HTTP/1.1 999999 No\r\n\r\n"] {
        let (error, _server) = error_of(Step::Raw(garbage.into()), LONG);
        assert_eq!((error.kind().as_str(), error.may_have_arrived()), ("not_http", true), "{garbage:?}: {error:?}");
    }
}

#[test]
fn plain_http_on_a_tls_port_is_told() {
    let server = Scripted::start(vec![Step::Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())]);
    let endpoint = Endpoint::parse(&server.endpoint().to_string().replace("http:", "https:")).unwrap();
    let error = client(LONG).send(&get(&endpoint)).unwrap_err();
    assert!(matches!(error.kind().as_str(), "tls" | "connection_closed"), "{error:?}");
}

#[test]
fn a_ca_file_must_hold_certificates() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let error_for = |content: &str| {
        std::fs::write(&path, content).unwrap();
        trust::read_ca_file(&path).unwrap_err().to_string()
    };
    assert!(error_for("").ends_with("it contains no PEM certificate"));
    assert!(error_for("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").ends_with("is damaged"));
    assert!(error_for("-----BEGIN CERTIFICATE-----\nAA").contains("PEM"));
    let error = trust::read_ca_file(&folder.path().join("missing.pem")).unwrap_err();
    assert_eq!((error.kind().as_str(), error.kind().exit()), ("bad_ca_file", Exit::Usage));
}

#[test]
fn addresses_that_fail_in_different_ways_are_told_one_by_one() {
    use std::io::ErrorKind::{ConnectionRefused, HostUnreachable, TimedOut};

    let endpoint = Endpoint::parse("https://ipv64.net/api").unwrap();
    let attempt = Attempt { endpoint: &endpoint, proxy: None, timeout: LONG };
    let error = |failed: &[(&str, std::io::ErrorKind)]| {
        let failed = failed.iter().map(|(address, kind)| (address.parse().unwrap(), (*kind).into())).collect();
        attempt.explain(std::io::Error::other(race::NoneReached(failed)).into())
    };
    let (six, four) = ("[2001:db8::1]:443", "192.0.2.1:443");
    for (failed, kind, text) in [
        (
            [(six, TimedOut), (four, ConnectionRefused)],
            "unreachable",
            "cannot reach `ipv64.net`: 2001:db8::1: no answer within 10 s; 192.0.2.1: nobody listens there (connection refused)",
        ),
        (
            [(six, HostUnreachable), (four, HostUnreachable)],
            "unreachable",
            "cannot reach `ipv64.net` at 2001:db8::1, 192.0.2.1 (from the DNS of this machine): no such host is in reach (no route to \
             host)",
        ),
        (
            [(six, TimedOut), (four, TimedOut)],
            "timed_out",
            "`ipv64.net` at 2001:db8::1, 192.0.2.1 (from the DNS of this machine) did not answer within 10 s",
        ),
    ] {
        let error = error(&failed);
        assert_eq!((error.to_string().as_str(), error.kind().as_str()), (text, kind));
        assert!(error.hint().is_some() && !error.may_have_arrived());
    }
}

#[test]
fn every_error_has_a_hint() {
    for kind in [Kind::BadUrl, Kind::BadProxy, Kind::Unreachable, Kind::ConnectionClosed, Kind::Tls] {
        let hint = HttpError::unsent(kind, "`a`".to_owned()).hint().unwrap();
        assert!(!hint.ends_with('.') && !hint.starts_with(char::is_uppercase), "{hint}");
    }
}
