//! Many orders of many clients under bad conditions: faults of the API and of DNS by chance, hooks that are killed, parallel calls
//! on one state directory. Whatever happens, a success was a success, nothing is left, nothing of others is touched, no
//! key is said, and nothing grows.
//!
//! The seed makes the plan: which orders, faults and kills. `SOAK_SEED` sets another one, `SOAK_WORLD` runs one world of it.
//! When exactly things happen is up to the machine.

mod dice;
mod orders;
mod plan;
mod runner;
mod world;

use std::fmt::Write as _;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use dice::Dice;
use world::Tally;

/// The plan of every run that does not ask for another one.
const SEED: u64 = 8;
/// Worlds that run at the same time: their hooks mostly wait.
const AT_ONCE: usize = 5;
/// What may be open in this process besides what was open at the start: what threads of a world that ends still hold.
const SPARE_DESCRIPTORS: usize = 10;

/// Runs so many worlds with so many stretches of conditions each, and asserts what holds for all of them together.
fn soak(worlds: usize, stretches: usize) {
    let seed = number("SOAK_SEED").unwrap_or(SEED);
    let only = number("SOAK_WORLD");
    let (next, started) = (AtomicUsize::new(0), Instant::now());
    let (total, wrong) = (Mutex::new(Tally::default()), Mutex::new(String::new()));
    let open_before = open_descriptors();
    thread::scope(|scope| {
        let work = || {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= worlds {
                    return;
                }
                if only.is_some_and(|only| only != number as u64) {
                    continue;
                }
                let (tally, faults) = world::run(number, plan::world(number, stretches, &mut Dice::new(seed, number)));
                eprintln!("world {number} of {worlds}: {tally}");
                total.lock().unwrap().add(&tally);
                if !faults.is_empty() {
                    let mut wrong = wrong.lock().unwrap();
                    writeln!(wrong, "### SOAK_SEED={seed} SOAK_WORLD={number}\n{}", faults.join("\n")).unwrap();
                }
            }
        };
        for _ in 0..AT_ONCE {
            scope.spawn(work);
        }
    });
    let total = total.into_inner().unwrap();
    eprintln!("soak with seed {seed}: {total}, {:.0} s", started.elapsed().as_secs_f64());
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{wrong}");
    // Without successes nothing would have been tested, and without kills half of it.
    assert!(only.is_some() || (total.mostly_succeeded() && total.killed > 0), "{total}");
    let open_after = open_descriptors();
    assert!(open_after <= open_before + SPARE_DESCRIPTORS, "{open_before} descriptors became {open_after}");
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

fn open_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
#[ignore = "takes a quarter of an hour: run by tests/slow"]
fn a_thousand_certificates_under_bad_conditions() {
    soak(34, 3);
}

#[test]
#[ignore = "takes a minute: run by tests/run"]
fn some_certificates_under_bad_conditions() {
    soak(5, 1);
}
