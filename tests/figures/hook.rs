//! Measures the shipped binary against the simulator and prints the figures as Markdown: `tests/bench` runs it.
//! It judges nothing: figures depend on the machine, so no test asserts them.

#![allow(clippy::print_stdout, reason = "printing is all it does")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use ipv64_acme::challenge::{Challenge, TxtValue};
use ipv64_acme::name::DnsName;
use ipv64_acme::sim::{Config, Sim};

/// How many waits run side by side; a wait costs next to no CPU.
const AT_ONCE: usize = 6;
/// How often short calls are repeated.
const REPEATS: usize = 20;

fn main() -> Result<()> {
    let program = PathBuf::from(std::env::args_os().nth(1).context("usage: bench PROGRAM")?);
    println!("| figure | value |");
    println!("|---|---|");
    println!("| size of the binary | {} bytes |", program.metadata()?.len());
    println!("| `--version` | {} |", spread(&version_times(&program)?));
    resources(&program)?;
    effort(&program)?;
    lags(&program)
}

/// A simulation, and a program that runs in it with a state directory of its own.
struct World<'a> {
    sim: Sim,
    state: tempfile::TempDir,
    program: &'a Path,
}

impl<'a> World<'a> {
    fn start(program: &'a Path, delays: &[Duration]) -> Result<Self> {
        Ok(Self { sim: Sim::start(Config::with_delays(delays))?, state: tempfile::tempdir()?, program })
    }

    /// Makes a command that sees the simulation only. A wrapper, if there is one, gets the program as argument.
    fn command(&self, wrapper: &[&str]) -> Command {
        let words: Vec<&OsStr> = wrapper.iter().map(OsStr::new).chain([self.program.as_os_str()]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).env_clear().env("PATH", "/usr/bin:/bin").envs(self.sim.env());
        command
            .env("IPV64_STATE_DIR", self.state.path())
            .env("IPV64_API_RATE", "1000/1")
            .env("IPV64_DOH", "off")
            .stdin(Stdio::null());
        command
    }

    /// Runs one call of lego's convention, and returns what the wrapper said.
    fn call(&self, wrapper: &[&str], verb: &str, challenge: &Challenge) -> Result<String> {
        let output = self.command(wrapper).args([verb, challenge.name.as_str(), challenge.value.as_str()]).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "{verb}: {}: {said}", output.status);
        Ok(said)
    }

    /// Waits with the program, and compares its end with what the simulation knows.
    fn time_wait(&self, challenge: &Challenge) -> Result<Wait> {
        let (name, value) = (challenge.name.as_str(), challenge.value.as_str());
        let status = self.command(&[]).args(["present", name, value]).stdout(Stdio::null()).status()?;
        let end = Instant::now();
        ensure!(status.success(), "present: {status}");
        let since = self.sim.visible_everywhere_since(name, value);
        let servers = self.sim.dns_servers().into_iter().filter(|(name, _)| name.ends_with(".ipv64.net"));
        let busiest = servers.map(|(_, address)| self.sim.busiest_second(address)).max().unwrap_or_default();
        let is_premature = since.is_none_or(|since| since > end);
        Ok(Wait { lag: since.map_or(Duration::ZERO, |since| end - since), is_premature, busiest })
    }
}

fn version_times(program: &Path) -> Result<Vec<Duration>> {
    let run = |_| {
        let begin = Instant::now();
        let status = Command::new(program).arg("--version").stdout(Stdio::null()).status()?;
        ensure!(status.success(), "--version: {status}");
        Ok(begin.elapsed())
    };
    (0..REPEATS).map(run).collect()
}

/// Peak memory, CPU time and API calls of an add and a remove, with servers that follow at once.
fn resources(program: &Path) -> Result<()> {
    const CPU: [&str; 4] = ["bash", "-c", "TIMEFORMAT='%3U %3S'; time \"$@\"", "bash"];
    const MEMORY: [&str; 3] = ["/usr/bin/time", "-f", "%M"];
    let world = World::start(program, &[Duration::ZERO; 2])?;
    let mut calls = Vec::new();
    let mut cpu = Vec::new();
    for number in 0..REPEATS {
        let challenge = challenge(number)?;
        let mut seconds = 0.0;
        for verb in ["present", "cleanup"] {
            let said = world.call(&CPU, verb, &challenge)?;
            seconds += last_line(&said)?.split(' ').filter_map(|part| part.parse::<f64>().ok()).sum::<f64>();
        }
        cpu.push(Duration::from_secs_f64(seconds));
        calls.push(world.sim.api_calls().len());
        world.sim.clear_logs();
    }
    let challenge = challenge(REPEATS)?;
    let mut peak = 0_u64;
    for verb in ["present", "cleanup"] {
        peak = peak.max(last_line(&world.call(&MEMORY, verb, &challenge)?)?.parse()?);
    }
    println!("| peak memory of a hook call (plain HTTP) | {peak} KiB |");
    println!("| CPU of add plus remove (plain HTTP) | {} |", spread(&cpu));
    println!("| API calls of add plus remove, cold and warm | {} and {} |", calls[0], calls[1]);
    ensure!(calls[1..].iter().all(|warm| *warm == calls[1]), "the number of API calls varies: {calls:?}");
    Ok(())
}

/// Instructions and system calls of an add and a remove, with servers that follow at once.
fn effort(program: &Path) -> Result<()> {
    const INSTRUCTIONS: [&str; 3] = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"];
    const SYSTEM_CALLS: [&str; 5] = ["strace", "-c", "-f", "-o", "/dev/stderr"];
    let world = World::start(program, &[Duration::ZERO; 2])?;
    let challenge = challenge(0)?;
    // The first add asks for the domain list, which later ones remember.
    world.call(&[], "present", &challenge)?;
    world.call(&[], "cleanup", &challenge)?;
    for (what, wrapper, line, column) in
        [("instructions", &INSTRUCTIONS[..], "Collected", 3), ("system calls", &SYSTEM_CALLS[..], " total", 3)]
    {
        let count = |verb| -> Result<String> {
            let Ok(said) = world.call(wrapper, verb, &challenge) else { return Ok(format!("no `{}`", wrapper[0])) };
            let line = said.lines().find(|said| said.contains(line)).context("nothing was counted")?;
            Ok(line.split_whitespace().nth(column).context("nothing was counted")?.to_owned())
        };
        println!(
            "| {what} of an add, and of a remove (plain HTTP) | {} and {} |",
            count("present")?,
            count("cleanup")?
        );
    }
    Ok(())
}

/// Makes a challenge of its own for a number. A second value at one name would be held back for a minute, because
/// the CA may still have the first in its cache.
fn challenge(number: usize) -> Result<Challenge> {
    let value = TxtValue::random().map_err(|_| anyhow!("the system has no random numbers"))?;
    Ok(Challenge::for_identifier(&DnsName::parse(&format!("n{number}.name.ipv64.net"))?, value)?)
}

fn last_line(text: &str) -> Result<&str> {
    text.trim().lines().last().context("the wrapper said nothing")
}

/// One wait: how long after the last server the program ended, and how often one address was asked in a second.
struct Wait {
    lag: Duration,
    is_premature: bool,
    busiest: usize,
}

fn wait(program: &Path, delay: Duration) -> Result<Wait> {
    let world = World::start(program, &[delay / 2, delay])?;
    world.time_wait(&challenge(0)?)
}

/// Waits for delays from 1 s to 8 s in steps of 0.2 s, several at a time.
fn lags(program: &Path) -> Result<()> {
    let delays: Vec<_> = (5..=40).map(|fifths| Duration::from_millis(fifths * 200)).collect();
    let (next, waits) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(delay) = delays.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let wait = wait(program, *delay);
                    if let Ok(mut waits) = waits.lock() {
                        waits.push(wait);
                    }
                }
            });
        }
    });
    let Ok(waits) = waits.into_inner() else { bail!("a wait went wrong") };
    let waits = waits.into_iter().collect::<Result<Vec<_>>>()?;
    let premature = waits.iter().filter(|wait| wait.is_premature).count();
    let busiest = waits.iter().map(|wait| wait.busiest).max().unwrap_or_default();
    let lags: Vec<_> = waits.iter().map(|wait| wait.lag).collect();
    println!(
        "| from \"served by all servers\" to exit at a first contact, delays of 1 to 8 s, {} runs | {} |",
        lags.len(),
        spread(&lags)
    );
    println!("| runs that ended too early | {premature} |");
    println!("| most questions to one address in a second | {busiest} |");
    Ok(())
}

fn spread(times: &[Duration]) -> String {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let show = |time: Option<&Duration>| time.map_or_else(|| "none".to_owned(), |time| format!("{time:.1?}"));
    format!("median {}, at most {}", show(sorted.get(sorted.len() / 2)), show(sorted.last()))
}
