//! What is repeated, when, and what the limiter hears.

use super::*;
use crate::state::{CallsNeeded, LimitError};
use crate::time::Timestamp;

#[test]
fn what_only_asks_is_asked_again_after_errors_that_pass() {
    let setup = Setup::new(vec![
        Step::json(502, fixture!("maintenance.html")),
        Step::Close,
        Step::Reset,
        Step::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{".to_vec()),
        Step::json(200, fixture!("domains.json")),
    ]);
    assert_eq!(setup.client.domains(&patient()).unwrap().len(), 2);
    assert_pauses(&setup, &[1.0, 4.0, 15.0, 45.0]);
    let setup = Setup::new(vec![Step::Stall, Step::json(200, "<html>"), Step::json(200, fixture!("domains.json"))]);
    assert_eq!(setup.client.domains(&patient()).unwrap().len(), 2);
}

fn assert_pauses(setup: &Setup, expected: &[f64]) {
    let pauses = setup.pauses();
    assert_eq!(pauses.len(), expected.len(), "{pauses:?}");
    for (pause, expected) in pauses.iter().zip(expected) {
        assert!((expected * 0.79..=expected * 1.21).contains(&pause.as_secs_f64()), "{pauses:?}");
    }
}

fn failing() -> Setup {
    Setup::new((0..9).map(|_| Step::json(502, "")).collect())
}

#[test]
fn a_call_is_tried_five_times_at_most_over_the_time_that_is_left() {
    let setup = failing();
    setup.client.domains(&patient()).unwrap_err();
    assert_eq!(setup.server.seen().len(), 5);
    assert_pauses(&setup, &[1.0, 4.0, 15.0, 45.0]);
    // Nobody really pauses here, so that the time left stays the same.
    let setup = failing();
    setup.client.domains(&RetryPolicy::until(Instant::now() + Duration::from_secs(20))).unwrap_err();
    let pauses = setup.pauses();
    assert!(pauses.len() == 4 && pauses.iter().all(|pause| pause.as_secs() < 18), "{pauses:?}");
    assert_eq!(pauses.last(), pauses.iter().max());
    let setup = failing();
    setup.client.domains(&RetryPolicy::until(Instant::now() + Duration::from_millis(400))).unwrap_err();
    assert_eq!(setup.server.seen().len(), 1, "no time for another");
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
        assert_eq!(setup.client.add_record(&challenge(), &patient()), Ok(Change::HeldBefore));
    }
}

#[test]
fn a_removal_whose_answer_was_lost_finds_its_work_done() {
    let setup = Setup::new(vec![Step::Close, Step::json(403, fixture!("del-record-missing.json"))]);
    assert_eq!(setup.client.delete_record(&challenge(), &patient()), Ok(Change::HeldBefore));
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
    assert_eq!((error.kind().as_str(), error.kind().exit()), ("unauthorized", Exit::Key));
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
    assert_eq!(setup.client.add_record(&challenge(), &patient()), Ok(Change::Made));
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
    assert!(matches!(error, ApiError::RateLimited { limit: Limit::Lasting, .. }), "{error:?}");
    assert_eq!(error.to_string(), "IPv64 refuses further calls for now: \"Updateintervall overcommited\" (429)");
    assert!(error.hint().unwrap().starts_with("perhaps another program"), "a guess is called one");
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
    assert_pauses(&setup, &[1.0, 4.0]);
}

#[test]
fn a_pause_says_what_it_is_for() {
    let setup = Setup::new(vec![
        Step::json(503, ""),
        Step::json(429, r#"{"info":"Update Cooldown - 10sec","status":"429 Too Many Requests"}"#),
        Step::json(200, fixture!("domains.json")),
    ]);
    setup.client.domains(&patient()).unwrap();
    let reasons = setup.reasons();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(reasons[0].starts_with("the next try: IPv64 gives no usable answer: 503"), "{reasons:?}");
    assert!(reasons[1].starts_with("the next try: IPv64 refuses further calls for now"), "{reasons:?}");
}

#[test]
fn a_broken_off_pause_ends_the_call_with_the_last_error() {
    let setup = Setup::new(vec![Step::json(502, ""), Step::json(200, fixture!("domains.json"))]);
    let client = setup.client.pausing_with(Arc::new(|_, _| Err(crate::time::Interrupted)));
    assert_eq!(client.domains(&patient()).unwrap_err().kind(), "unavailable");
}

/// Lets four requests pass, and writes down what it hears.
#[derive(Default, Clone)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn note(&self, text: String) -> usize {
        let mut log = self.0.lock().unwrap();
        log.push(text);
        log.iter().filter(|line| line.starts_with("before")).count()
    }
}

impl RateLimiter for Log {
    fn acquire(&self, kind: CallKind, _: Instant) -> Result<Permit, LimitError> {
        if self.note(format!("before {kind:?}")) > 3 {
            let (needed, reset) = (CallsNeeded::default(), Timestamp::default());
            return Err(LimitError::Reserved { needed, remaining: 0, limit: 64, reset });
        }
        let log = self.clone();
        let done = move |is_answered| {
            log.note(if is_answered { "after" } else { "in vain" }.to_owned());
        };
        Ok(Permit { is_only_try: false, done: Box::new(done) })
    }

    fn refused(&self, retry_after: Option<Duration>, limit: Limit) {
        self.note(format!("refused {limit:?} {retry_after:?}"));
    }

    fn insist(&self) {
        self.note("insists".to_owned());
    }

    fn gave_up(&self, _: Duration) {
        self.note("gave up".to_owned());
    }
}

#[test]
fn every_request_passes_the_limiter_which_hears_of_refusals() {
    let log = Log::default();
    let steps = vec![
        Step::json(200, fixture!("domains.json")),
        Step::json(429, fixture!("rate-limited-cooldown.json")),
        Step::json(201, fixture!("add-record.json")),
    ];
    let setup = Setup::with(steps, AuthMethod::Bearer, Box::new(log.clone()));
    setup.client.domains(&patient()).unwrap();
    setup.client.add_record(&challenge(), &patient()).unwrap();
    let error = setup.client.delete_record(&challenge(), &patient()).unwrap_err();
    let heard = [
        "before Read",
        "after",
        "before Addition",
        "after",
        "refused Burst None",
        "before Addition",
        "after",
        "before Removal",
    ];
    assert_eq!(*log.0.lock().unwrap(), heard);
    assert_eq!((error.kind().as_str(), error.kind().exit()), ("quota_reserved", Exit::RateLimit));
    assert_eq!(setup.server.seen().len(), 3, "what the limiter stops is not sent");
}
