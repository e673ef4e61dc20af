//! Plays the same storms with an older and with the present program, and compares what came of them: exit codes, kinds of
//! error, records and journal entries left, requests, and whether "ready" came early.
//!
//! `tests/slow differential OLD_BINARY` runs it. It prints a table, and fails for every difference that is not in the list
//! of those that are wanted.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test, whose output is its result")]

#[path = "../it/soak/dice.rs"]
mod dice;
mod explained;
#[allow(dead_code, reason = "the soak uses the rest")]
#[path = "../it/soak/orders.rs"]
mod orders;
mod play;
#[allow(dead_code, reason = "the soak uses the rest")]
#[path = "../it/soak/runner.rs"]
mod runner;
mod storm;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, ensure};

use play::{Outcome, play};
use storm::{Kind, Storm};

const STORMS: u64 = 500;
/// Storms side by side; their programs mostly wait.
const AT_ONCE: usize = 16;
/// How often a storm is played again before two outcomes count as different: a busy machine may spoil one.
const AGAIN: usize = 2;

/// How two outcomes of one storm compare.
enum Comparison {
    Equal { runs: usize },
    Different(Box<[Outcome; 2]>),
}

fn main() -> Result<ExitCode> {
    let arguments: Vec<_> = std::env::args_os().skip(1).filter(|arg| arg != "--bench").collect();
    let [old, new, seeds @ ..] = &arguments[..] else {
        return Err(anyhow!("usage: differential OLD_BINARY NEW_BINARY [SEED…]"));
    };
    let programs = [PathBuf::from(old), PathBuf::from(new)];
    for program in &programs {
        ensure!(program.is_file(), "there is no {}", program.display());
    }
    let seeds = seeds.iter().map(|seed| seed.to_str().and_then(|seed| seed.parse().ok()).context("a seed is a number"));
    let mut seeds = seeds.collect::<Result<Vec<u64>>>()?;
    if seeds.is_empty() {
        seeds = (0..STORMS).collect();
    }
    let started = Instant::now();
    let compared = compare_all(&programs, &seeds)?;
    let unexplained = print(&compared);
    println!(
        "\n{} storms, {:.0} s, {unexplained} differences not explained",
        compared.len(),
        started.elapsed().as_secs_f64()
    );
    Ok(if unexplained == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn compare_all(programs: &[PathBuf; 2], seeds: &[u64]) -> Result<BTreeMap<u64, Comparison>> {
    let next = AtomicUsize::new(0);
    let compared = Mutex::new(BTreeMap::new());
    let work = || -> Result<()> {
        loop {
            let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) else { return Ok(()) };
            let comparison = compare(programs, seed).with_context(|| format!("storm {seed}"))?;
            compared.lock().unwrap().insert(seed, comparison);
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| anyhow!("a storm panicked"))?)
    })?;
    Ok(compared.into_inner().unwrap())
}

fn compare(programs: &[PathBuf; 2], seed: u64) -> Result<Comparison> {
    let first = play_both(programs, seed)?;
    if !is_serious(&first[1]) && first[0] == first[1] {
        return Ok(Comparison::Equal { runs: 1 });
    }
    // What must never happen is not played again until it does not.
    for again in 1..=AGAIN {
        if is_serious(&first[1]) {
            break;
        }
        let [old, new] = play_both(programs, seed)?;
        if is_serious(&new) {
            return Ok(Comparison::Different(Box::new([old, new])));
        }
        if old == new {
            return Ok(Comparison::Equal { runs: 1 + again });
        }
    }
    Ok(Comparison::Different(Box::new(first)))
}

fn is_serious(outcome: &Outcome) -> bool {
    outcome.premature > 0 || outcome.records_after_sweep > 0 || !outcome.misbehaved.is_empty()
}

fn play_both(programs: &[PathBuf; 2], seed: u64) -> Result<[Outcome; 2]> {
    let [old, new] = programs.each_ref().map(PathBuf::as_path);
    let run = |programs: [&Path; 2]| -> Result<Outcome> {
        let storm = Storm::new(seed);
        let mut outcome = play(programs, &storm)?;
        if !storm.kind.has_exact_requests() {
            outcome.requests = 0;
        }
        Ok(outcome)
    };
    let adds = if Storm::new(seed).kind == Kind::Takeover { old } else { new };
    std::thread::scope(|scope| {
        let before = scope.spawn(|| run([old, old]));
        let now = run([adds, new])?;
        Ok([before.join().map_err(|_| anyhow!("a storm panicked"))??, now])
    })
}

/// Prints the table and every difference; returns how many are not explained.
fn print(compared: &BTreeMap<u64, Comparison>) -> usize {
    println!("| storms | number | equal | equal when played again | different, explained | different |");
    println!("|---|---|---|---|---|---|");
    let mut details = String::new();
    let mut unexplained = 0;
    for kind in Kind::ALL {
        let mut counts = [0; 4];
        for (seed, comparison) in compared.iter().filter(|(seed, _)| Storm::new(**seed).kind == kind) {
            let column = match comparison {
                Comparison::Equal { runs: 1 } => 0,
                Comparison::Equal { .. } => 1,
                Comparison::Different(outcomes) => {
                    let why = explained::reason(kind, outcomes);
                    details += &describe(*seed, kind, outcomes, why);
                    if why.is_some() { 2 } else { 3 }
                }
            };
            counts[column] += 1;
        }
        let [equal, again, explained, different] = counts;
        unexplained += different;
        let number: usize = counts.iter().sum();
        println!("| {kind:?} | {number} | {equal} | {again} | {explained} | {different} |");
    }
    print!("{details}");
    unexplained
}

/// Each thing in which two outcomes differ, old before new, and each that must not be at all.
fn describe(seed: u64, kind: Kind, [old, new]: &[Outcome; 2], why: Option<&str>) -> String {
    let mut text = format!("\nseed {seed}, {kind:?}: {}\n", why.unwrap_or("not explained"));
    let mut row = |what: &str, old: String, new: String, is_wrong: bool| {
        if old != new || is_wrong {
            text += &format!("  {what}: {old} -> {new}\n");
        }
    };
    let calls = |outcome: &Outcome| outcome.calls.join(", ");
    row("calls", calls(old), calls(new), is_serious(new));
    row("sweep", old.sweep.clone(), new.sweep.clone(), is_serious(new));
    let numbers = |outcome: &Outcome| {
        [
            ("records left", outcome.records, false),
            ("records after the sweep", outcome.records_after_sweep, outcome.records_after_sweep > 0),
            ("journal entries after the sweep", outcome.entries_after_sweep, false),
            ("requests", outcome.requests, false),
            ("refused requests", outcome.refused, false),
            ("premature", outcome.premature, outcome.premature > 0),
        ]
    };
    for ((what, old, _), (_, new, is_wrong)) in numbers(old).into_iter().zip(numbers(new)) {
        row(what, old.to_string(), new.to_string(), is_wrong);
    }
    row("misbehaved", old.misbehaved.join("; "), new.misbehaved.join("; "), false);
    text
}
