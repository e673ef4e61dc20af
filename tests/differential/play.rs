//! Plays one storm with one program: a simulation in this process, and the program's calls as its clients would make them.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use ipv64_acme::sim::{ServerSettings, Sim};
use serde_json::Value;

use crate::orders::{Call, Order};
use crate::runner::{self, Ended, Fate};
use crate::storm::{Planned, Storm};

/// How long faults that were ordered may still be at work after the last call.
const SETTLE: Duration = Duration::from_secs(1);

/// What came of a storm.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// One line for each call of each order: addition or removal, the exit code, the kind of error. Sorted where there are
    /// several orders.
    pub(crate) calls: Vec<String>,
    /// What the sweep at the end came to.
    pub(crate) sweep: String,
    /// Records that were left when all clients had ended.
    pub(crate) records: usize,
    /// Records that the sweep has left.
    pub(crate) records_after_sweep: usize,
    /// Journal entries that the sweep has left.
    pub(crate) entries_after_sweep: usize,
    /// Requests to the API.
    pub(crate) requests: usize,
    /// Requests that the API refused for being too many.
    pub(crate) refused: usize,
    /// Orders that were called ready before each server had all of their records.
    pub(crate) premature: usize,
    /// Whatever was wrong with a call, whatever it was to do: it hung, or had too many descriptors open.
    pub(crate) misbehaved: Vec<String>,
}

struct World<'a> {
    sim: &'a Sim,
    programs: [&'a Path; 2],
    folder: &'a Path,
    storm: &'a Storm,
    premature: AtomicUsize,
}

/// Plays a storm in which the first program adds, and the second one removes and sweeps; returns what came of it.
///
/// # Errors
/// If the simulation does not start, or a program cannot be run.
pub(crate) fn play(programs: [&Path; 2], storm: &Storm) -> Result<Outcome> {
    let sim = Sim::start(storm.config.clone())?;
    sim.set_calls_today(storm.requests_today);
    storm.faults.iter().for_each(|fault| sim.fault(fault.clone()));
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("empty.toml"), "")?;
    let world = World { sim: &sim, programs, folder: folder.path(), storm, premature: AtomicUsize::new(0) };
    let orders = thread::scope(|scope| {
        let orders: Vec<_> = storm.orders.iter().map(|planned| scope.spawn(|| world.order(planned))).collect();
        scope.spawn(|| world.change_servers());
        orders
            .into_iter()
            .map(|order| order.join().map_err(|_| anyhow!("an order panicked")))
            .collect::<Result<Vec<_>>>()
    })?;
    let mut outcome = Outcome { records: sim.records_left().len(), ..Outcome::default() };
    outcome.premature = world.premature.load(Ordering::Relaxed);
    for line in orders.into_iter().flatten() {
        match line {
            Ok(line) => outcome.calls.push(line),
            Err(error) => outcome.misbehaved.push(error),
        }
    }
    // Which of two orders meets a fault, and finds its record removed by the try before, is up to the machine.
    if storm.orders.len() > 1 {
        outcome.calls.iter_mut().for_each(|line| *line = line.replace("missing", "removed"));
        outcome.calls.sort();
    }
    let calls = sim.api_calls();
    outcome.requests = calls.len();
    outcome.refused = calls.iter().filter(|call| call.refused_by.is_some()).count();
    world.sweep(&mut outcome)?;
    Ok(outcome)
}

impl World<'_> {
    fn change_servers(&self) {
        let started = Instant::now();
        for (after, settings) in &self.storm.changes {
            thread::sleep(after.saturating_sub(started.elapsed()));
            self.set_servers(settings);
        }
    }

    fn set_servers(&self, settings: &[ServerSettings; 2]) {
        for (server, settings) in ["ns1.ipv64.net", "ns2.ipv64.net"].iter().zip(settings) {
            // Every storm has these two.
            let _ = self.sim.set_server(server, settings);
        }
    }

    /// Works through an order as its client would.
    fn order(&self, planned: &Planned) -> Vec<Result<String, String>> {
        let Planned { order, add, remove } = planned;
        let (mut lines, mut failed, mut last) = (Vec::new(), false, None);
        for call in &order.adds {
            let ended = match self.call(self.programs[0], call, *add) {
                Ok(ended) => ended,
                Err(error) => {
                    lines.push(Err(error));
                    return lines;
                }
            };
            lines.push(Ok(format!("add {}", result(&ended))));
            failed |= ended.code != Some(0);
            last = Some(ended);
            if failed && !order.style.goes_on() {
                break;
            }
        }
        if let Some(ended) = last {
            let ready = if order.style.waits_last() { ended.code == Some(0) } else { !failed };
            if ready && self.is_premature(order, ended.at) && !said_it_was_not_checked(&ended) {
                self.premature.fetch_add(1, Ordering::Relaxed);
            }
        }
        if failed && order.style.undoes() && !matches!(add, Fate::Killed(..)) {
            return lines;
        }
        let removes = order.removes.iter().filter(|_| *remove != Fate::NotMade);
        lines
            .extend(removes.map(|call| Ok(format!("remove {}", result(&self.call(self.programs[1], call, *remove)?)))));
        lines
    }

    fn call(&self, program: &Path, call: &Call, fate: Fate) -> Result<Ended, String> {
        let mut command = self.command(program);
        command.arg("--json").args(&call.args).envs(call.variables.iter().cloned());
        runner::run(&mut command, &call.stdin, fate)
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.folder);
        command.env("IPV64_CONFIG", self.folder.join("empty.toml")).env("IPV64_STATE_DIR", self.folder.join("state"));
        command.env("IPV64_DOH", "off").envs(self.sim.env()).envs(self.storm.variables.iter().cloned());
        command
    }

    fn is_premature(&self, order: &Order, at: Instant) -> bool {
        let since = |name: &str, value: &str| self.sim.visible_everywhere_since(name, value);
        order.records.iter().any(|record| since(&record.name(), &record.value).is_none_or(|since| since > at))
    }

    /// With all healthy again one sweep removes what is left.
    fn sweep(&self, outcome: &mut Outcome) -> Result<()> {
        self.sim.clear_faults();
        self.sim.set_calls_today(0);
        self.set_servers(&[ServerSettings::default(), ServerSettings::default()]);
        thread::sleep(SETTLE);
        let mut command = self.command(self.programs[1]);
        command.args(["--json", "sweep", "--older-than", "0", "--yes"]);
        // The storm may have made the settings useless.
        command.env_remove("IPV64_PROPAGATION_TIMEOUT").envs(self.sim.env());
        match runner::run(&mut command, "", Fate::Left) {
            Ok(ended) => outcome.sweep = result(&ended),
            Err(error) => outcome.misbehaved.push(error),
        }
        outcome.records_after_sweep = self.sim.records_left().len();
        outcome.entries_after_sweep = entries(&self.folder.join("state/journal.json"))?;
        Ok(())
    }
}

/// With `IPV64_BLIND_WAIT` nobody was asked, and the output says so.
fn said_it_was_not_checked(ended: &Ended) -> bool {
    ended.stderr.contains("fixed pause") || ended.stdout.contains("fixed pause")
}

/// The exit code and the kind of error of a call.
fn result(ended: &Ended) -> String {
    let code = ended.code.map_or_else(|| "killed".to_owned(), |code| code.to_string());
    let document: Value = serde_json::from_str(ended.stdout.trim()).unwrap_or_default();
    let records = document["records"].as_array().into_iter().flatten();
    let records =
        records.map(|record| record["error"]["kind"].as_str().or_else(|| record["status"].as_str()).unwrap_or("?"));
    let kind = document["error"]["kind"].as_str();
    let words: Vec<_> = kind.into_iter().chain(records).collect();
    format!("{code} {}", words.join(" ")).trim_end().to_owned()
}

fn entries(journal: &Path) -> Result<usize> {
    let Ok(text) = fs::read(journal) else { return Ok(0) };
    let journal: Value = serde_json::from_slice(&text).context("the journal is not JSON")?;
    let entries = journal.pointer("/content/entries").or_else(|| journal.get("entries")).and_then(Value::as_array);
    entries.map(Vec::len).context("the journal has no list of entries")
}
