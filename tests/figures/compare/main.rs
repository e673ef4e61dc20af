//! Obtains certificates with our program and with what people use without it, side by side against the simulator and
//! Pebble, and prints the outcome as Markdown: `tests/bench` runs it. It judges nothing.
//!
//! Each run is a process of its own in name spaces of its own (network, mounts, processes): there `ipv64.net` is the
//! simulator, its certificate is trusted, and nothing reaches another machine. This file starts those processes;
//! [`world`] is the inside of one.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "printing is all it does")]

mod client;
mod outcome;
mod plan;
#[allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the tests use more of it, and may panic"
)]
mod support;
mod table;
mod world;

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use outcome::Outcome;
use plan::Run;

/// Runs side by side. They mostly wait: for a limit of the API, or for a name server.
const AT_ONCE: usize = 12;
/// The pause between the starts of two runs, since a start is what costs CPU time.
const BETWEEN_STARTS: Duration = Duration::from_millis(1500);

/// How often a run is begun.
const TRIES: usize = 3;

/// Where the programs are that a run needs.
struct Programs {
    ours: PathBuf,
    /// The `bin` folder of a Python environment with certbot.
    python: PathBuf,
}

fn main() -> Result<()> {
    // Cargo adds `--bench`.
    let mut args: Vec<_> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    ensure!(args.len() >= 2, "usage: compare PROGRAM PYTHON_BIN [--quick | --run RUN]");
    let rest = args.split_off(2);
    let programs = Programs { ours: (&args[0]).into(), python: (&args[1]).into() };
    match rest.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--run", run] => {
            println!("{}", world::run(&run.parse()?, &programs)?.to_json());
            Ok(())
        }
        ["--quick"] => compare(plan::quick(), &programs),
        _ => compare(plan::full(), &programs),
    }
}

/// Carries out all runs, the longest first, and prints the tables.
fn compare(mut runs: Vec<Run>, programs: &Programs) -> Result<()> {
    let begin = Instant::now();
    runs.sort_by_key(|run| std::cmp::Reverse(run.expected()));
    let (next, outcomes, start) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()), Mutex::new(()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(run) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Ok(_turn) = start.lock() {
                        std::thread::sleep(BETWEEN_STARTS);
                    }
                    let outcome = carried_out(run, programs);
                    if let Ok(mut outcomes) = outcomes.lock() {
                        outcomes.insert(*run, outcome);
                        progress(outcomes.len(), runs.len(), run);
                    }
                }
            });
        }
    });
    let outcomes: BTreeMap<Run, Option<Outcome>> = outcomes.into_inner().ok().context("a run panicked")?;
    table::print(&outcomes.into_iter().filter_map(|(run, outcome)| Some((run, outcome?))).collect());
    println!("{} runs, {AT_ONCE} at once, took {:.0} min.", runs.len(), begin.elapsed().as_secs_f64() / 60.0);
    Ok(())
}

fn progress(done: usize, all: usize, run: &Run) {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K{done} of {all} runs; last: {run}");
        // Nobody reads it if this fails.
        let _ = std::io::stderr().flush();
        if done == all {
            eprintln!();
        }
    }
}

/// Carries a run out. Where that is not possible, which is no fault of the method (Pebble does not start on a busy machine),
/// it is tried again, and then left out.
fn carried_out(run: &Run, programs: &Programs) -> Option<Outcome> {
    for _ in 0..TRIES {
        match enclosed(run, programs) {
            Ok(outcome) => return Some(outcome),
            Err(error) => eprintln!("not carried out: {error:#}"),
        }
    }
    None
}

/// Runs this program again, in name spaces of its own that end with it.
fn enclosed(run: &Run, programs: &Programs) -> Result<Outcome> {
    const SPACES: [&str; 7] =
        ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--map-root-user"];
    let mut command = Command::new("unshare");
    command.args(SPACES).arg(std::env::current_exe()?).args([&programs.ours, &programs.python].map(Path::new));
    let output = command.arg("--run").arg(run.to_string()).stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let line = said.lines().last().filter(|_| output.status.success());
    let line = line.with_context(|| format!("{run}: {}", String::from_utf8_lossy(&output.stderr)))?;
    Outcome::from_json(line).with_context(|| format!("{run}: {line}"))
}
