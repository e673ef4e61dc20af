//! Orders of ten names: through certbot's calls in IPv64's narrow request window, and by `batch` without one.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use ipv64_acme::sim::{Config, Limits, StoredRecord};
use serde_json::json;

use crate::world::{Busiest, World, challenge, percentile, side_by_side};

/// How many names an order has.
const NAMES: usize = 10;
/// The two name servers follow after so long.
const DELAYS: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(5)];
/// What the window allows at best: ten additions are done at 30 s, the last one is served at 35 s, and ten removals are
/// done at 60 s.
const FLOOR: [f64; 3] = [30.0, 35.0, 60.0];
/// Orders of each way; all at once, for they mostly wait.
const ORDERS: usize = 20;

/// One order by certbot's calls.
struct Order {
    /// From "every server serves every record" to the end of the last addition, in seconds.
    lag: f64,
    busiest: Busiest,
    requests: usize,
    refused: usize,
    /// Since the first request, in seconds: the last addition, the end of the last call, the last removal.
    reached: [f64; 3],
}

pub(crate) fn measure(program: &Path) -> Result<()> {
    let orders = side_by_side(ORDERS, ORDERS, || certbot(program))?;
    let over = side_by_side(ORDERS, ORDERS / 2, || batch(program))?;
    let of = |figure: fn(&Order) -> f64| percentile(&orders.iter().map(figure).collect::<Vec<_>>(), 50);
    let busiest = orders.iter().map(|order| order.busiest).fold(Busiest::default(), Busiest::max);
    println!("Orders of {NAMES} names, servers with delays of 3 s and 5 s, medians of {ORDERS} orders:\n");
    println!("| figure | measured | at most |");
    println!("|---|---|---|");
    println!(
        "| certbot's calls, window of 3 in 10 s: lag from \"served by all servers\" to exit | {:.2} s | 2.5 s |",
        of(|order| order.lag)
    );
    println!("| … premature exits | {} | 0 |", orders.iter().filter(|order| order.lag < 0.0).count());
    println!(
        "| … requests, refused | {}, {} | 21, 0 |",
        of(|order| order.requests as f64),
        of(|order| order.refused as f64)
    );
    println!("| … most queries to one address in any second | {} | 14 |", busiest.second);
    println!("| … in any three | {} | 18 |", busiest.three);
    let reached = [of(|order| order.reached[0]), of(|order| order.reached[1]), of(|order| order.reached[2])];
    for ((words, floor), seconds) in ["added", "ready", "removed"].iter().zip(FLOOR).zip(reached) {
        println!("| … all {words} after (floor {floor:.0} s) | {seconds:.1} s, {:.2} × floor | |", seconds / floor);
    }
    println!(
        "| `batch` without a window: lag from \"served by all servers\" to exit | {:.2} s | |",
        percentile(&over, 50)
    );
    Ok(())
}

/// Runs an order through ten calls each of certbot's two hooks.
fn certbot(program: &Path) -> Result<Order> {
    let world = World::start(program, Config { limits: Limits::standard(), ..Config::with_delays(&DELAYS) })?;
    let domains: Vec<_> = (0..NAMES).map(|number| format!("n{number}.name.ipv64.net")).collect();
    let challenges = (0..NAMES).map(challenge).collect::<Result<Vec<_>>>()?;
    let (mut ready, mut lag) = (Instant::now(), 0.0);
    for verb in ["auth", "cleanup"] {
        for (at, (domain, challenge)) in domains.iter().zip(&challenges).enumerate() {
            let mut command = world.command(&[]);
            command.arg(verb).env("CERTBOT_DOMAIN", domain).env("CERTBOT_VALIDATION", challenge.value.as_str());
            command.env("CERTBOT_ALL_DOMAINS", domains.join(","));
            command.env("CERTBOT_REMAINING_CHALLENGES", (NAMES - 1 - at).to_string());
            let status = command.stdout(Stdio::null()).status()?;
            ensure!(status.success(), "{verb} {domain}: {status}");
        }
        if verb == "auth" {
            ready = Instant::now();
            lag = world.lag(&challenges, ready);
        }
    }
    let calls = world.sim.api_calls();
    let start = calls.iter().map(|call| call.at).min().context("no call was made")?;
    let records = world.sim.records();
    let last =
        |time: fn(&StoredRecord) -> Option<Instant>| records.iter().filter_map(time).max().context("no such record");
    let moments = [last(|record| record.life.added)?, ready, last(|record| record.life.deleted)?];
    Ok(Order {
        lag,
        busiest: world.busiest(),
        requests: calls.len(),
        refused: calls.iter().filter(|call| call.refused_by.is_some()).count(),
        reached: moments.map(|at| at.duration_since(start).as_secs_f64()),
    })
}

/// Runs an order by `batch`, and returns its lag.
fn batch(program: &Path) -> Result<f64> {
    let world = World::start(program, Config::with_delays(&DELAYS))?;
    let challenges = (0..NAMES).map(challenge).collect::<Result<Vec<_>>>()?;
    let order: Vec<_> =
        challenges.iter().map(|challenge| json!({"name": challenge.name, "value": challenge.value})).collect();
    let order = json!(order).to_string();
    feed(world.unlimited(&[]).args(["batch", "present"]), &order)?;
    let lag = world.lag(&challenges, Instant::now());
    feed(world.unlimited(&[]).args(["batch", "cleanup"]), &order)?;
    Ok(lag)
}

fn feed(command: &mut Command, input: &str) -> Result<()> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    child.stdin.take().context("no stdin")?.write_all(input.as_bytes())?;
    let status = child.wait()?;
    ensure!(status.success(), "batch: {status}");
    Ok(())
}
