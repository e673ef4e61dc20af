//! The API fails for a moment, or allows few calls: each client has its certificate all the same, and nothing is left.

use std::time::{Duration, Instant};

use ipv64_acme::sim::{Action, ApiFault, CallKind, Config};

use super::certbot;
use super::lego;
use super::{Client, cases};
use crate::support::stage::Stage;

const NAME: &str = "name.ipv64.net";

/// A selection of the table in `frugal::faults`: what is told in words, and where it happens.
fn selection() -> Vec<(&'static str, ApiFault)> {
    let gateway = Action::html(502, "<html><h1>502 Bad Gateway</h1></html>");
    let page = Action::html(500, "<!DOCTYPE html><html>Internal Server Error</html>");
    let slow = Action::Delay(Duration::from_secs(20));
    vec![
        ("a 502 on the list", ApiFault::on(CallKind::GetDomains, gateway.clone())),
        ("two 502 on the addition", ApiFault::on(CallKind::AddRecord, gateway.clone()).times(2)),
        ("a 500 with a page on the removal", ApiFault::on(CallKind::DelRecord, page)),
        ("a 429 on the addition", ApiFault::on(CallKind::AddRecord, Action::burst())),
        ("a 429 on the removal", ApiFault::on(CallKind::DelRecord, Action::burst())),
        ("a reset of the addition", ApiFault::on(CallKind::AddRecord, Action::Reset)),
        ("a reset after the addition", ApiFault::on(CallKind::AddRecord, Action::Reset).after_commit()),
        ("a reset after the removal", ApiFault::on(CallKind::DelRecord, Action::Reset).after_commit()),
        ("no answer to the addition", ApiFault::on(CallKind::AddRecord, slow.clone()).after_commit()),
        ("no answer to the removal", ApiFault::on(CallKind::DelRecord, slow).after_commit()),
        ("garbage for the list", ApiFault::on(CallKind::GetDomains, Action::json(200, "\u{1}{{{"))),
        ("garbage after the addition", ApiFault::on(CallKind::AddRecord, Action::json(200, "null")).after_commit()),
    ]
}

fn survives_each_fault(client: &dyn Client) {
    std::thread::scope(|scope| {
        for (words, fault) in selection() {
            scope.spawn(move || {
                let mut stage = cases::stage_for(client);
                stage.set_variable("IPV64_HTTP_TIMEOUT", "2");
                stage.sim.fault(fault);
                let finished = client.obtain(&stage, &[NAME]);
                assert!(finished.status.success(), "{words}: {}", finished.said());
                assert!(stage.sim.api_calls().iter().any(|call| call.faulty), "{words}: it did not happen");
                cases::assert_certified(&stage, client, &[NAME]);
                cases::assert_nothing_left(&stage);
            });
        }
    });
}

#[test]
#[ignore = "needs pebble, certbot and lego: run tests/run"]
fn certbot_has_its_certificate_whatever_fails_for_a_moment() {
    survives_each_fault(&certbot::NEWEST);
}

#[test]
#[ignore = "needs pebble, certbot and lego: run tests/run"]
fn lego_has_its_certificate_whatever_fails_for_a_moment() {
    survives_each_fault(&lego::DEFAULT);
}

#[test]
#[ignore = "needs pebble, certbot and lego: run tests/run"]
fn ten_names_take_two_calls_each_and_none_is_refused() {
    let client = &certbot::NEWEST;
    let mut stage = Stage::start(Config::with_delays(&[Duration::from_secs(3), Duration::from_secs(5)]));
    client.install(&stage);
    stage.enforce_limits();
    let names: Vec<_> = (0..10).map(|number| format!("n{number}.name.ipv64.net")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let start = Instant::now();
    let finished = client.obtain(&stage, &names);
    assert!(finished.status.success(), "{}", finished.said());
    cases::assert_certified(&stage, client, &names);
    cases::assert_nothing_left(&stage);
    let calls = stage.sim.api_calls();
    assert_eq!(calls.len(), 21, "{calls:#?}");
    assert!(calls.iter().all(|call| call.refused_by.is_none()), "{calls:#?}");
    let lives: Vec<_> = stage.sim.records().into_iter().map(|record| record.life).collect();
    let first = calls.iter().map(|call| call.at).min().unwrap_or(start);
    let last = |times: Vec<Option<Instant>>| times.into_iter().flatten().max().map(|at| at - first);
    // Figures and no assertion: they depend on the machine.
    eprintln!(
        "ten names: 21 calls, 0 refused; from the first call to the last addition {:.1?}, to the last removal {:.1?}; \
         certbot as a whole {:.1?}\n{}",
        last(lives.iter().map(|life| life.added).collect()).unwrap_or_default(),
        last(lives.iter().map(|life| life.deleted).collect()).unwrap_or_default(),
        start.elapsed(),
        finished.said(),
    );
}
