//! Measures one process that adds and waits for a hundred names on eight addresses, and prints the figures as Markdown:
//! `tests/bench` runs it. It judges nothing: figures depend on the machine, so no test asserts them.

#![allow(clippy::print_stdout, reason = "printing is all it does")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use ipv64_acme::challenge::TxtValue;
use ipv64_acme::sim::{Config, NameServer, ServerSettings, Sim};
use serde_json::json;

const NAMES: usize = 100;
/// Each of four servers has two addresses.
const SERVERS: usize = 4;
/// How long the second run waits: the difference to the first is what waiting costs.
const DELAY: Duration = Duration::from_secs(30);

fn main() -> Result<()> {
    let program = PathBuf::from(std::env::args_os().nth(1).context("usage: many PROGRAM")?);
    let short = run(&program, Duration::ZERO)?;
    let long = run(&program, DELAY)?;
    println!("\n{NAMES} names in one `batch`, {} addresses, plain HTTP, no request window:\n", 2 * SERVERS);
    println!("| figure | value |");
    println!("|---|---|");
    println!("| from start to the last of the additions | {:.1} s |", short.added.as_secs_f64());
    println!(
        "| from there to \"ready\", servers that follow at once | {:.1} s |",
        (short.took - short.added).as_secs_f64()
    );
    println!("| peak memory | {} KiB |", short.peak.max(long.peak));
    println!("| CPU without much waiting | {:.2} s |", short.cpu);
    println!("| CPU of {} s of waiting more | {:.2} s |", DELAY.as_secs(), long.cpu - short.cpu);
    println!("| most questions to one address in a second | {} |", short.busiest.max(long.busiest));
    Ok(())
}

/// What one batch took.
struct Figures {
    took: Duration,
    /// From the start to the last API call.
    added: Duration,
    /// In KiB.
    peak: u64,
    /// In seconds, of the process alone.
    cpu: f64,
    busiest: usize,
}

fn run(program: &Path, delay: Duration) -> Result<Figures> {
    let server =
        |number: usize| NameServer::with(&format!("ns{number}.ipv64.net"), vec![ServerSettings::delayed(delay); 2]);
    let sim = Sim::start(Config { name_servers: (1..=SERVERS).map(server).collect(), ..Config::default() })?;
    let state = tempfile::tempdir()?;
    let mut command = Command::new("/usr/bin/time");
    command.args(["-f", "%M %U %S"]).arg(program).args(["batch", "present"]).env_clear().envs(sim.env());
    command.env("IPV64_STATE_DIR", state.path()).env("IPV64_API_RATE", "1000/1");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let begin = Instant::now();
    let mut child = command.spawn()?;
    let records: Vec<_> = (0..NAMES).map(record).collect::<Result<_>>()?;
    let mut stdin = child.stdin.take().context("no stdin")?;
    stdin.write_all(serde_json::Value::from(records).to_string().as_bytes())?;
    drop(stdin);
    let output = child.wait_with_output()?;
    let took = begin.elapsed();
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "batch present: {}: {said}", output.status);
    let numbers: Vec<f64> =
        said.lines().last().unwrap_or_default().split(' ').map(str::parse).collect::<Result<_, _>>()?;
    let [peak, user, system] = numbers[..] else { return Err(anyhow!("time said: {said}")) };
    let last = sim.api_calls().last().context("no API call")?.at;
    let servers = sim.dns_servers().into_iter().filter(|(name, _)| name.ends_with(".ipv64.net"));
    let busiest = servers.map(|(_, address)| sim.busiest_second(address)).max().unwrap_or_default();
    Ok(Figures { took, added: last.duration_since(begin), peak: peak as u64, cpu: user + system, busiest })
}

fn record(number: usize) -> Result<serde_json::Value> {
    let value = TxtValue::random().map_err(|_| anyhow!("the system has no random numbers"))?;
    Ok(json!({"name": format!("_acme-challenge.n{number}.name.ipv64.net"), "value": value.as_str()}))
}
