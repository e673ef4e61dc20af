//! What one hook call costs: time to start, CPU, memory, requests, instructions, system calls. The servers follow at once.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use ipv64_acme::challenge::Challenge;
use ipv64_acme::sim::Config;

use crate::world::{World, challenge, last_line, spread, succeed};

/// How often short calls are repeated.
const REPEATS: usize = 20;

pub(crate) fn measure(program: &Path) -> Result<()> {
    println!("One hook call, plain HTTP, servers that follow at once:\n");
    println!("| figure | measured | at most |");
    println!("|---|---|---|");
    println!("| size of the binary | {} bytes | 9 MB |", program.metadata()?.len());
    println!("| `--version` | {} | |", spread(&version_times(program)?));
    resources(program)?;
    effort(program)
}

fn world(program: &Path) -> Result<World<'_>> {
    World::start(program, Config::with_delays(&[Duration::ZERO; 2]))
}

/// Runs one call of lego's convention, and returns what the wrapper said.
fn call(world: &World<'_>, wrapper: &[&str], verb: &str, challenge: &Challenge) -> Result<String> {
    let mut command = world.unlimited(wrapper);
    let output = command.args([verb, challenge.name.as_str(), challenge.value.as_str()]).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{verb}: {}: {said}", output.status);
    Ok(said)
}

fn version_times(program: &Path) -> Result<Vec<Duration>> {
    let run = |_| {
        let begin = Instant::now();
        succeed(Command::new(program).arg("--version").stdin(Stdio::null()))?;
        Ok(begin.elapsed())
    };
    (0..REPEATS).map(run).collect()
}

/// Peak memory, CPU time and API calls of an add and a remove.
fn resources(program: &Path) -> Result<()> {
    const CPU: [&str; 4] = ["bash", "-c", "TIMEFORMAT='%3U %3S'; time \"$@\"", "bash"];
    const MEMORY: [&str; 3] = ["/usr/bin/time", "-f", "%M"];
    let world = world(program)?;
    let mut calls = Vec::new();
    let mut cpu = Vec::new();
    for number in 0..REPEATS {
        let challenge = challenge(number)?;
        let mut seconds = 0.0;
        for verb in ["present", "cleanup"] {
            let said = call(&world, &CPU, verb, &challenge)?;
            seconds += last_line(&said)?.split(' ').filter_map(|part| part.parse::<f64>().ok()).sum::<f64>();
        }
        cpu.push(Duration::from_secs_f64(seconds));
        calls.push(world.sim.api_calls().len());
        world.sim.clear_logs();
    }
    let challenge = challenge(REPEATS)?;
    let mut peak = 0_u64;
    for verb in ["present", "cleanup"] {
        peak = peak.max(last_line(&call(&world, &MEMORY, verb, &challenge)?)?.parse()?);
    }
    println!("| peak memory | {peak} KiB | 12 MB |");
    println!("| CPU of add plus remove | {} | median 25 ms |", spread(&cpu));
    println!("| API calls of add plus remove, the first time and later | {} and {} | 3 and 2 |", calls[0], calls[1]);
    ensure!(calls[1..].iter().all(|later| *later == calls[1]), "the number of API calls varies: {calls:?}");
    Ok(())
}

/// Instructions and system calls of an add and a remove.
fn effort(program: &Path) -> Result<()> {
    const INSTRUCTIONS: [&str; 3] = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"];
    const SYSTEM_CALLS: [&str; 5] = ["strace", "-c", "-f", "-o", "/dev/stderr"];
    let world = world(program)?;
    let challenge = challenge(0)?;
    // The first add asks for the domain list, which later ones remember.
    call(&world, &[], "present", &challenge)?;
    call(&world, &[], "cleanup", &challenge)?;
    for (what, wrapper, line) in
        [("instructions", &INSTRUCTIONS[..], "Collected"), ("system calls", &SYSTEM_CALLS[..], " total")]
    {
        let count = |verb| -> Result<String> {
            let Ok(said) = call(&world, wrapper, verb, &challenge) else { return Ok(format!("no `{}`", wrapper[0])) };
            let line = said.lines().find(|said| said.contains(line)).context("nothing was counted")?;
            Ok(line.split_whitespace().nth(3).context("nothing was counted")?.to_owned())
        };
        println!("| {what} of an add, and of a remove | {} and {} | |", count("present")?, count("cleanup")?);
    }
    Ok(())
}
