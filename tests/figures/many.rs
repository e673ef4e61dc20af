//! One process that adds and waits for a hundred names on eight addresses.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use ipv64_acme::sim::{Config, NameServer, ServerSettings};
use serde_json::json;

use crate::world::{Busiest, World, challenge, last_line};

const NAMES: usize = 100;
/// Each of four servers has two addresses.
const SERVERS: usize = 4;
/// How long the second run waits: the difference to the first is what waiting costs.
const DELAY: Duration = Duration::from_secs(30);
/// Measures a process: the most memory in KiB, and the CPU time in seconds of the program and of the system for it.
const TIME: [&str; 3] = ["/usr/bin/time", "-f", "%M %U %S"];

pub(crate) fn measure(program: &Path) -> Result<()> {
    let short = run(program, Duration::ZERO)?;
    let long = run(program, DELAY)?;
    let busiest = short.busiest.max(long.busiest);
    println!("{NAMES} names in one `batch`, {} addresses, plain HTTP, no request window:\n", 2 * SERVERS);
    println!("| figure | measured | at most |");
    println!("|---|---|---|");
    println!("| from start to the last of the additions | {:.1} s | |", short.added.as_secs_f64());
    println!(
        "| from there to \"ready\", servers that follow at once | {:.1} s | |",
        short.took.saturating_sub(short.added).as_secs_f64()
    );
    println!(
        "| lag from \"served by all servers\" to exit, servers with a delay of {} s | {:.1} s | |",
        DELAY.as_secs(),
        long.lag
    );
    println!("| peak memory | {} KiB | 16 MB |", short.peak.max(long.peak));
    println!("| CPU without much waiting | {:.2} s | |", short.cpu);
    println!("| CPU of {} s of waiting more | {:.2} s | |", DELAY.as_secs(), long.cpu - short.cpu);
    println!("| most queries to one address in any second | {} | 14 |", busiest.second);
    println!("| … in any three | {} | 18 |", busiest.three);
    Ok(())
}

/// What one batch took.
struct Figures {
    took: Duration,
    /// From the start to the last API call.
    added: Duration,
    /// In seconds.
    lag: f64,
    /// In KiB.
    peak: u64,
    /// In seconds, of the process alone.
    cpu: f64,
    busiest: Busiest,
}

fn run(program: &Path, delay: Duration) -> Result<Figures> {
    let server =
        |number: usize| NameServer::with(&format!("ns{number}.ipv64.net"), vec![ServerSettings::delayed(delay); 2]);
    let config = Config { name_servers: (1..=SERVERS).map(server).collect(), ..Config::default() };
    let world = World::start(program, config)?;
    let challenges = (0..NAMES).map(challenge).collect::<Result<Vec<_>>>()?;
    let mut command = world.unlimited(&TIME);
    command.args(["batch", "present"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let begin = Instant::now();
    let mut child = command.spawn()?;
    let records: Vec<_> =
        challenges.iter().map(|challenge| json!({"name": challenge.name, "value": challenge.value})).collect();
    let mut stdin = child.stdin.take().context("no stdin")?;
    stdin.write_all(json!(records).to_string().as_bytes())?;
    drop(stdin);
    let output = child.wait_with_output()?;
    let exit = Instant::now();
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "batch present: {}: {said}", output.status);
    let numbers: Vec<f64> = last_line(&said)?.split(' ').map(str::parse).collect::<Result<_, _>>()?;
    let [peak, user, system] = numbers[..] else { return Err(anyhow!("time said: {said}")) };
    let last = world.sim.api_calls().last().context("no API call")?.at;
    Ok(Figures {
        took: exit.duration_since(begin),
        added: last.duration_since(begin),
        lag: world.lag(&challenges, exit),
        peak: peak as u64,
        cpu: user + system,
        busiest: world.busiest(),
    })
}
