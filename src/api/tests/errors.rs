//! Refusals and unusable answers.

use super::*;

/// Status and body of an answer to `add_record`; kind, exit code and message of its error.
const ERRORS: [(u16, &str, &str, Exit, &str); 16] = [
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
        403,
        r#"{"info":"error","status":"403 Forbidden","add_record":"domain locked"}"#,
        "rejected",
        Exit::Failed,
        "IPv64 rejects the request: \"domain locked\" (403)",
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
    (403, "<html>blocked", "unavailable", Exit::NoAnswer, "IPv64 gives no usable answer: 403 with \"<html>blocked\""),
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

#[test]
fn every_error_has_its_kind_exit_and_words() {
    for (status, body, kind, exit, message) in ERRORS {
        let error = error_of(status, body);
        assert_eq!(
            (error.kind().as_str(), error.kind().exit(), error.to_string()),
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
    assert_eq!((error.kind().as_str(), error.kind().exit()), ("redirected", Exit::NoAnswer));
    assert_eq!(error.to_string(), format!("IPv64 answers 302, a redirect to `{location}`, which is not followed"));
    assert!(elsewhere.seen().is_empty());
}

#[test]
fn the_start_of_an_error_page_is_kept_and_no_more() {
    let error = error_of(503, &"ä".repeat(300));
    assert_eq!(error, ApiError::Unavailable(503, format!("\"{}…\"", "ä".repeat(200))));
}

#[test]
fn no_mutilated_answer_makes_it_panic() {
    let bodies = [
        fixture!("account-observed-fields.json"),
        fixture!("domains-observed-fields.json"),
        fixture!("logs.json"),
        fixture!("add-record-already-there.json"),
        fixture!("maintenance.html"),
    ];
    let read = |body: &[u8]| {
        let answer = wire::Answer::parse(body);
        answer.map(|answer| drop((answer.account(), answer.domains(), answer.logs()))).is_some()
    };
    let mut understood = 0;
    for body in bodies {
        for at in 0..body.len() {
            let (cut, mut turned) = (&body.as_bytes()[..at], body.as_bytes().to_vec());
            turned[at] ^= 0x11;
            for mutilated in [cut, &turned] {
                understood += usize::from(read(mutilated));
            }
        }
    }
    assert!(understood > 0, "some of them are still answers");
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(!read(deep.as_bytes()));
}
