//! Measures whole orders against the simulator and prints the figures as Markdown: ten names through certbot's calls in
//! the narrow window, and by `batch` without one; and what the state directory costs a single call. `tests/bench` runs it.

#![allow(clippy::print_stdout, reason = "printing is all it does")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use ipv64_acme::challenge::TxtValue;
use ipv64_acme::sim::{Config, Limits, Sim, StoredRecord};

const RECORD: &str = "_acme-challenge.name.ipv64.net";
/// How often short calls are repeated.
const REPEATS: usize = 40;
/// How many names an order has.
const NAMES: usize = 10;
/// The two name servers follow after so long.
const DELAYS: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(5)];
/// What the window allows at best: ten additions are done at 30 s, the last one is served at 35 s, and ten removals are
/// done at 60 s.
const FLOOR: [f64; 3] = [30.0, 35.0, 60.0];

fn main() -> Result<()> {
    let program = PathBuf::from(std::env::args_os().nth(1).context("usage: figures-orders PROGRAM")?);
    println!("| figure | value |");
    println!("|---|---|");
    state_cost(&program)?;
    batch(&program)?;
    certbot(&program)
}

/// A simulation, and a program that runs in it with a state directory of its own.
struct World<'a> {
    sim: Sim,
    state: tempfile::TempDir,
    program: &'a Path,
}

impl<'a> World<'a> {
    fn start(program: &'a Path, config: Config) -> Result<Self> {
        Ok(Self { sim: Sim::start(config)?, state: tempfile::tempdir()?, program })
    }

    /// Makes a command that sees the simulation only.
    fn command(&self) -> Command {
        let mut command = Command::new(self.program);
        command.env_clear().envs(self.sim.env()).env("IPV64_STATE_DIR", self.state.path()).env("IPV64_DOH", "off");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// The same without a narrow window.
    fn unlimited(&self) -> Command {
        let mut command = self.command();
        command.env("IPV64_API_RATE", "1000/1");
        command
    }
}

fn fresh_value() -> Result<TxtValue> {
    TxtValue::random().map_err(|_| anyhow!("the system has no random numbers"))
}

fn spread(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let show = |time: Option<&Duration>| time.map_or_else(|| "none".to_owned(), |time| format!("{time:.1?}"));
    format!("median {}, at most {}", show(times.get(times.len() / 2)), show(times.last()))
}

/// Runs an order through ten calls each of certbot's two hooks.
fn certbot(program: &Path) -> Result<()> {
    let config = Config { limits: Limits::standard(), ..Config::with_delays(&DELAYS) };
    let world = World::start(program, config)?;
    let domains: Vec<_> = (0..NAMES).map(|number| format!("n{number}.name.ipv64.net")).collect();
    let values = domains.iter().map(|_| fresh_value()).collect::<Result<Vec<_>>>()?;
    let mut ready = Instant::now();
    for verb in ["auth", "cleanup"] {
        for (at, (domain, value)) in domains.iter().zip(&values).enumerate() {
            let mut command = world.command();
            command.arg(verb).env("CERTBOT_DOMAIN", domain).env("CERTBOT_VALIDATION", value.as_str());
            command.env("CERTBOT_ALL_DOMAINS", domains.join(","));
            command.env("CERTBOT_REMAINING_CHALLENGES", (NAMES - 1 - at).to_string());
            let status = command.status()?;
            ensure!(status.success(), "{verb} {domain}: {status}");
        }
        if verb == "auth" {
            ready = Instant::now();
        }
    }
    let calls = world.sim.api_calls();
    let start = calls.iter().map(|call| call.at).min().context("no call was made")?;
    let records = world.sim.records();
    let last = |time: fn(&StoredRecord) -> Option<Instant>| records.iter().filter_map(time).max();
    let [added, deleted] = [last(|record| record.life.added), last(|record| record.life.deleted)];
    let refused = calls.iter().filter(|call| call.refused_by.is_some()).count();
    println!("| ten names by certbot's calls, window 3/10: calls, refused | {}, {refused} |", calls.len());
    let reached = [added, Some(ready), deleted];
    for ((words, floor), at) in ["added", "ready", "removed"].iter().zip(FLOOR).zip(reached) {
        let seconds = at.context("no such record")?.duration_since(start).as_secs_f64();
        println!("| … all {words} after (floor {floor:.0} s) | {seconds:.1} s, {:.2} × floor |", seconds / floor);
    }
    Ok(())
}

/// Runs an order by `batch`, without a window.
fn batch(program: &Path) -> Result<()> {
    let world = World::start(program, Config::with_delays(&DELAYS))?;
    let record = |number| {
        let value = fresh_value()?;
        Ok(serde_json::json!({"name": format!("_acme-challenge.n{number}.name.ipv64.net"), "value": value}))
    };
    let order = serde_json::Value::Array((0..NAMES).map(record).collect::<Result<_>>()?).to_string();
    let start = Instant::now();
    let present = feed(world.unlimited().args(["batch", "present"]), &order, start)?;
    let cleanup = feed(world.unlimited().args(["batch", "cleanup"]), &order, Instant::now())?;
    let served = DELAYS[1];
    let over = present.saturating_sub(served);
    println!(
        "| ten names by `batch` without a window: ready after | {present:.1?}, {over:.1?} more than the slowest server |"
    );
    println!("| … removed in | {cleanup:.1?} |");
    Ok(())
}

fn feed(command: &mut Command, input: &str, start: Instant) -> Result<Duration> {
    let mut child = command.stdin(Stdio::piped()).spawn()?;
    child.stdin.take().context("no stdin")?.write_all(input.as_bytes())?;
    let status = child.wait()?;
    ensure!(status.success(), "batch: {status}");
    Ok(start.elapsed())
}

/// Compares calls with a state directory on a disk, with one in memory, and with none.
fn state_cost(program: &Path) -> Result<()> {
    let world = World::start(program, Config::with_delays(&[Duration::ZERO; 2]))?;
    let memory = tempfile::tempdir_in("/dev/shm")?;
    let places = [world.state.path(), memory.path(), Path::new("/proc/no/such/place")];
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..REPEATS {
        // In turns, so that a busy moment of the machine hits all.
        for (directory, times) in places.into_iter().zip(&mut times) {
            let mut command = world.unlimited();
            command.env("IPV64_STATE_DIR", directory).stderr(Stdio::null());
            // One call and no look-up: the domain is given, and nobody waits.
            command.env("IPV64_DOMAIN", "name.ipv64.net").env("IPV64_FOLLOW_CNAME", "false");
            command.env("IPV64_PROPAGATION_TIMEOUT", "0").args(["present", RECORD, fresh_value()?.as_str()]);
            let begin = Instant::now();
            let status = command.status()?;
            ensure!(status.success(), "present: {status}");
            times.push(begin.elapsed());
        }
    }
    let [mut disk, mut memory, mut none] = times;
    println!("| one addition with locks and journal on the disk | {} |", spread(&mut disk));
    println!("| the same on a RAM disk | {} |", spread(&mut memory));
    println!("| the same without a state directory | {} |", spread(&mut none));
    Ok(())
}
