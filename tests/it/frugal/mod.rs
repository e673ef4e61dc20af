//! Few calls and nothing left behind: the real binary against the simulated IPv64 while things go wrong around it.
//! One file per kind of trouble; `clients::faults` repeats a selection with real ACME clients.

mod crash;
mod faults;
mod order;
mod outage;
mod parallel;
mod quota;
mod reserve;
mod signals;
mod state_files;
mod sweep;

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ipv64_acme::challenge::TxtValue;
use ipv64_acme::sim::{Config, StaticRecord};
use serde_json::Value;

use crate::support::environment::TestEnvironment;
use crate::support::process::{self, Finished};
use crate::support::programs;

/// The name of most challenges here.
const NAME: &str = "_acme-challenge.name.ipv64.net";
/// The value of a record that somebody else has put at the same name.
const FOREIGN: &str = "somebody-else";

/// Returns a world in which another tool has a record at our name.
fn with_foreign_record() -> TestEnvironment {
    let mut config = Config::default();
    config.accounts[0].records.push(StaticRecord::new(NAME, "TXT", FOREIGN));
    TestEnvironment::with(config)
}

/// Asserts that nothing of ours is left, and that the foreign record stands.
fn assert_only_the_foreign_record_stands(env: &TestEnvironment, context: &str) {
    let left = env.sim.records_left();
    assert!(left.is_empty(), "{context}: {left:#?}");
    let is_foreign = |record: &ipv64_acme::sim::StoredRecord| record.content.trim_matches('"') == FOREIGN;
    assert!(env.sim.records().iter().any(|record| is_foreign(record) && record.life.is_open()), "{context}");
}

fn value() -> String {
    TxtValue::random().unwrap().to_string()
}

/// Returns a name that has had no other value in this world: a second one would have to wait for the CA's cache.
fn fresh_name() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("_acme-challenge.n{}.name.ipv64.net", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Runs the binary with further variables.
fn run_with(env: &TestEnvironment, args: &[&str], variables: &[(&str, &str)]) -> Finished {
    process::run(env.command(programs::hook()).args(args).envs(variables.iter().copied()))
}

/// Waits until something is so.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < end, "it does not happen: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn send_signal(child: &Child, signal: &str) {
    assert!(process::signal(&child.id().to_string(), signal));
}

/// Reads one file of the state directory.
fn read_state(env: &TestEnvironment, file: &str) -> Value {
    serde_json::from_slice(&std::fs::read(env.path("state").join(file)).unwrap()).unwrap()
}

/// Changes one file of the state directory.
fn change_state(env: &TestEnvironment, file: &str, change: impl FnOnce(&mut Value)) {
    let mut value = read_state(env, file);
    change(&mut value["content"]);
    std::fs::write(env.path("state").join(file), value.to_string()).unwrap();
}

/// Makes every time of a kind in a part of a file so much earlier.
fn make_older(entries: &mut Value, field: &str, by: Duration) {
    for entry in entries.as_array_mut().unwrap() {
        let time = entry[field].as_u64().unwrap();
        entry[field] = (time - by.as_millis() as u64).into();
    }
}
