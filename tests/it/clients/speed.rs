//! How soon the CA is asked after the record is served everywhere, by the clients that leave the check to us.

use std::time::Duration;

use super::acmetool::Acmetool;
use super::dehydrated;
use super::plugin;
use super::uacme::Uacme;
use super::{Client, cases};

/// Far above the second or so that it takes, since the machine of a test may be busy with others, and below every fixed pause
/// that clients and scripts are used to (20 s and more). How soon exactly is measured by `tests/bench`.
const BOUND: Duration = Duration::from_secs(12);

/// Obtains a certificate for one name, and returns the time between "served everywhere" and the CA's first question.
fn gap(client: &dyn Client) -> Duration {
    let stage = cases::stage_for(client);
    let finished = client.obtain(&stage, &["name.ipv64.net"]);
    assert!(finished.status.success(), "{}", finished.said());
    let added = stage.sim.records().iter().find_map(|record| record.life.added).unwrap();
    let questions = stage.sim.questions().into_iter().filter(|question| question.server == "ca");
    let first = questions.filter(|question| question.kind == "TXT").map(|question| question.at).min().unwrap();
    first - added - cases::SLOWEST
}

fn asks_soon(client: &dyn Client) {
    let gap = gap(client);
    eprintln!("asked {gap:?} after the record was served everywhere");
    assert!(gap < BOUND, "{gap:?}");
}

#[test]
#[ignore = "needs pebble and dehydrated: run tests/run"]
fn dehydrated_asks_soon() {
    asks_soon(&dehydrated::CHAIN);
}

#[test]
#[ignore = "needs pebble and uacme: run tests/run"]
fn uacme_asks_soon() {
    asks_soon(&Uacme);
}

#[test]
#[ignore = "needs pebble and acmetool: run tests/run"]
fn acmetool_asks_soon() {
    asks_soon(&Acmetool);
}

#[test]
#[ignore = "needs pebble and certbot 5: run tests/run"]
fn newest_certbot_with_the_plugin_asks_soon() {
    asks_soon(&plugin::NEWEST);
}
