//! Counts premature "ready"s and measures the lag over many runs with random delays and random load balancers, and prints
//! the figures as Markdown: `tests/bench` runs it. It judges nothing: chance decides, so no test asserts it.

#![allow(clippy::print_stdout, reason = "printing is all it does")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use ipv64_acme::challenge::TxtValue;
use ipv64_acme::sim::{Backend, Balance, Config, NameServer, ServerSettings, Sim};

const RECORD: &str = "_acme-challenge.name.ipv64.net";
/// Runs of each kind.
const RUNS: usize = 200;
/// Runs side by side; they mostly wait.
const AT_ONCE: usize = 40;
/// How many waits an address has to agree with itself in before it counts as steady.
const EARLIER: usize = 2;

/// What the state directory knows of the servers.
#[derive(Debug, Clone, Copy)]
enum Past {
    /// Nothing.
    Cold,
    /// Some earlier waits.
    Warm,
}

/// What stands behind an address.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// One server.
    Plain,
    /// Two that take turns, nameless.
    RoundRobin,
    /// Two of which chance picks one, and which tell their names (NSID) as PowerDNS does by default.
    RandomNamed,
    /// Two of which chance picks one, nameless: the worst that a network can do to a client.
    RandomNameless,
}

fn main() -> Result<()> {
    let program = PathBuf::from(std::env::args_os().nth(1).context("usage: weather PROGRAM")?);
    println!("\nTwo servers, each with delays of 1 to 8 s, other ones for each record:\n");
    println!("| behind an address | history | runs | premature | lag median | lag worst |");
    println!("|---|---|---|---|---|---|");
    for kind in [Kind::Plain, Kind::RoundRobin, Kind::RandomNamed, Kind::RandomNameless] {
        for past in [Past::Cold, Past::Warm] {
            let mut lags = many(&program, (kind, past))?;
            lags.sort_by(f64::total_cmp);
            let premature = lags.iter().filter(|lag| **lag < 0.0).count();
            let median = lags.get(lags.len() / 2).copied().unwrap_or_default();
            let worst = lags.last().copied().unwrap_or_default();
            println!("| {kind:?} | {past:?} | {} | {premature} | {median:.2} s | {worst:.2} s |", lags.len());
        }
    }
    Ok(())
}

fn many(program: &Path, weather: (Kind, Past)) -> Result<Vec<f64>> {
    // The worst case gets enough runs to show what is rare.
    let runs = if matches!(weather, (Kind::RandomNameless, Past::Cold)) { RUNS * 5 / 2 } else { RUNS };
    let next = AtomicUsize::new(0);
    let lags = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while next.fetch_add(1, Ordering::Relaxed) < runs {
                    let lag = one(program, weather);
                    if let Ok(mut lags) = lags.lock() {
                        lags.push(lag);
                    }
                }
            });
        }
    });
    lags.into_inner().map_err(|_| anyhow::anyhow!("a run panicked"))?.into_iter().collect()
}

/// Returns the seconds from "visible everywhere" to exit; negative if the exit came first.
fn one(program: &Path, (kind, past): (Kind, Past)) -> Result<f64> {
    let servers = ["ns1.ipv64.net", "ns2.ipv64.net"];
    let seed = u64::from_be_bytes(random()?);
    let sim = Sim::start(Config { name_servers: servers.map(NameServer::new).to_vec(), seed, ..Config::default() })?;
    let state = tempfile::tempdir()?;
    let wait = |record: &str, value: &TxtValue| -> Result<Instant> {
        servers.iter().try_for_each(|server| anyhow::Ok(sim.set_server(server, &settings(kind)?)?))?;
        let mut command = Command::new(program);
        command.args(["present", record, value.as_str()]).env_clear().envs(sim.env());
        command.env("IPV64_STATE_DIR", state.path()).env("IPV64_DOH", "off").stdin(Stdio::null()).stdout(Stdio::null());
        let status = command.status()?;
        let exit = Instant::now();
        ensure!(status.success(), "present: {status}");
        Ok(exit)
    };
    let value = || TxtValue::random().ok().context("no random numbers");
    if matches!(past, Past::Warm) {
        for number in 0..EARLIER {
            wait(&format!("_acme-challenge.n{number}.name.ipv64.net"), &value()?)?;
        }
    }
    let value = value()?;
    let exit = wait(RECORD, &value)?;
    let since = loop {
        match sim.visible_everywhere_since(RECORD, value.as_str()) {
            Some(since) => break since,
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    Ok(match exit.checked_duration_since(since) {
        Some(lag) => lag.as_secs_f64(),
        None => -since.duration_since(exit).as_secs_f64(),
    })
}

fn settings(kind: Kind) -> Result<ServerSettings> {
    let named = |name: &str| matches!(kind, Kind::RandomNamed).then(|| name.to_owned());
    let backend = |name: &str| -> Result<Backend> {
        let delay = Duration::from_millis(1000 + u64::from(u16::from_be_bytes(random()?)) % 7000);
        Ok(Backend { delay, stale: false, nsid: named(name) })
    };
    let mut settings = ServerSettings { backends: vec![backend("primary")?], ..ServerSettings::default() };
    if !matches!(kind, Kind::Plain) {
        settings.backends.push(backend("secondary")?);
    }
    if matches!(kind, Kind::RandomNamed | Kind::RandomNameless) {
        settings.balance = Balance::Random;
    }
    Ok(settings)
}

fn random<const N: usize>() -> Result<[u8; N]>
where
    [u8; N]: ring::rand::RandomlyConstructable,
{
    let bytes = ring::rand::generate::<[u8; N]>(&ring::rand::SystemRandom::new());
    Ok(bytes.ok().context("no random numbers")?.expose())
}
