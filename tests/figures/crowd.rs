//! Many clients of a broker at once: what a thousand waits cost, and how long fifty hosts wait that renew in the same minute.

use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use ipv64_acme::challenge::Challenge;
use ipv64_acme::sim::Config;

use crate::broker::{Broker, Transport, raise_descriptors, request};
use crate::world::{World, challenge, percentile};

/// Waits at once.
const WAITS: usize = 1000;
/// Of so many clients.
const CLIENTS_OF_WAITS: usize = 10;
/// How long the name servers take meanwhile, and how long they are waited for: nothing ends.
const DELAY: Duration = Duration::from_secs(1800);
const TIMEOUT: &str = "1800";
/// So many requests wait for a look at most: all at once would be held up by the pace of queries to one address.
const QUEUED: usize = 4;
/// By when so many requests have come as far as a wait.
const ARRIVED: Duration = Duration::from_secs(1200);
/// For so long the CPU time of all waits is measured.
const QUIET: Duration = Duration::from_secs(30);
/// Hosts that renew at once.
const CLIENTS: usize = 50;
/// The request window, as the program and IPv64 have it.
const WINDOW: (usize, Duration) = (3, Duration::from_secs(10));
/// By when each host has to have been served.
const PATIENCE: Duration = Duration::from_secs(1200);

/// Many waits for slow name servers at once.
pub(crate) fn waits(program: &Path) -> Result<()> {
    raise_descriptors()?;
    let world = World::start(program, Config::with_delays(&[DELAY; 2]))?;
    let variables = [("IPV64_PROPAGATION_TIMEOUT", TIMEOUT), ("IPV64_POLLING_INTERVAL", "60")];
    let broker = Broker::with(&world, Transport::Plain, CLIENTS_OF_WAITS, &variables)?;
    let (idle, begin, mut open) = (broker.memory()?, Instant::now(), Vec::new());
    let (mut at_once, mut memory, mut descriptors) = (0, 0, 0);
    while begin.elapsed() < ARRIVED && at_once < WAITS {
        for _ in broker.metric("ipv64_acme_queued")? as usize..QUEUED {
            let mut stream = TcpStream::connect(&broker.address)?;
            let (number, client) = (open.len(), open.len() % CLIENTS_OF_WAITS);
            stream.write_all(request("present", &challenge(number)?, client).as_bytes())?;
            open.push(stream);
        }
        at_once = at_once.max(broker.metric("ipv64_acme_waits")? as usize);
        memory = memory.max(broker.memory()?);
        descriptors = descriptors.max(broker.descriptors()?);
        thread::sleep(Duration::from_millis(200));
    }
    let (arrived, threads) = (begin.elapsed(), broker.status("Threads:")?);
    drop(open);
    let before = broker.cpu()?;
    thread::sleep(QUIET);
    let cpu = (broker.cpu()? - before) / QUIET.as_secs_f64() * 100.0;
    memory = memory.max(broker.memory()?);
    let (later, busiest) = (broker.descriptors()?, world.busiest());
    println!("| waits at once, of {CLIENTS_OF_WAITS} clients | {at_once} after {arrived:.0?} | {WAITS} |");
    println!("| ... memory (idle {idle} KiB) | {memory} KiB | 64 MB |");
    println!("| ... threads, descriptors with the connections, without them | {threads}, {descriptors}, {later} | |");
    println!("| ... CPU of all waits | {cpu:.0} % of a core | |");
    println!(
        "| ... most queries to one address in any second, in any three | {}, {} | 14, 18 |",
        busiest.second, busiest.three
    );
    Ok(())
}

/// Hosts that all renew in the same minute, each with one record that it removes again; half of them are told 503 instead of
/// "pending", and come again when they are told to.
pub(crate) fn turns(program: &Path) -> Result<()> {
    let mut config = Config::with_delays(&[Duration::ZERO; 2]);
    config.limits.burst = Some(WINDOW);
    let world = World::start(program, config)?;
    let broker = Broker::with(&world, Transport::Plain, CLIENTS, &[("IPV64_API_RATE", "3/10")])?;
    let begin = Instant::now();
    let waited = thread::scope(|scope| {
        let hosts: Vec<_> = (0..CLIENTS)
            .map(|client| {
                scope.spawn({
                    let broker = &broker;
                    move || renew(broker, client)
                })
            })
            .collect();
        let joined = hosts.into_iter().map(|host| host.join().map_err(|_| anyhow!("a host panicked"))?);
        joined.collect::<Result<Vec<_>>>()
    })?;
    let took = begin.elapsed().as_secs_f64();
    let calls = world.sim.api_calls();
    let refused = calls.iter().filter(|call| call.status == Some(429)).count();
    let share = WINDOW.1.as_secs_f64() * (2 * CLIENTS) as f64 / WINDOW.0 as f64;
    let longest = waited.iter().copied().fold(0.0, f64::max);
    println!(
        "| {CLIENTS} hosts at once, 3 calls in 10 s, one record each, removed again: all done after, calls, refused | {took:.0} s, {}, {refused} | none refused |",
        calls.len()
    );
    println!(
        "| ... until a record was ready: median, longest, of the fair share ({share:.0} s for two calls of each) | {:.0} s, {longest:.0} s, {:.2} | 2 |",
        percentile(&waited, 50),
        longest / share
    );
    Ok(())
}

/// Adds a record and removes it; how long the first of it took, in seconds.
fn renew(broker: &Broker, client: usize) -> Result<f64> {
    let (begin, record) = (Instant::now(), challenge(client)?);
    ask_until_done(broker, "present", &record, client)?;
    let waited = begin.elapsed().as_secs_f64();
    ask_until_done(broker, "cleanup", &record, client)?;
    Ok(waited)
}

/// Asks again as long as it is "pending", or 503 with a time to come again.
fn ask_until_done(broker: &Broker, what: &str, record: &Challenge, client: usize) -> Result<()> {
    let begin = Instant::now();
    loop {
        let answer = broker.ask(&request(what, record, client))?.to_ascii_lowercase();
        let pause = match answer.get(9..12) {
            Some("200") if !answer.contains("pending") => return Ok(()),
            Some("200") => 1,
            Some("503") => {
                let after = answer.lines().find_map(|line| line.strip_prefix("retry-after:"));
                after.context("503 without Retry-After")?.trim().parse()?
            }
            _ => bail!("{what} of client {client}: {answer}"),
        };
        ensure!(begin.elapsed() < PATIENCE, "{what} of client {client} was never done");
        thread::sleep(Duration::from_secs(pause));
    }
}
