//! The lag from "every server serves it" to exit, and premature exits, over many runs with random delays and machines
//! behind an address. Each run is a first contact: the program knows nothing of the servers.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use ipv64_acme::sim::{Backend, Balance, Config, NameServer, ServerSettings};

use crate::world::{Busiest, World, challenge, percentile, side_by_side, succeed};

/// Runs whose lag is measured.
const LAGS: usize = 200;
/// Runs of each kind whose premature exits are counted.
const RUNS: usize = 500;
/// So many more of the kind that may end early once in a thousand.
const RARE: usize = 2;
/// Runs side by side; they mostly wait.
const AT_ONCE: usize = 30;

/// What is behind an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Servers {
    /// One machine.
    Plain,
    /// Two that take turns and do not tell their names.
    InTurn,
    /// Two of which chance picks one, and which tell their names (NSID).
    ByChanceNamed,
    /// Two of which chance picks one, and which tell the same name.
    ByChanceSameName,
    /// Two of which chance picks one, without names: the worst that a network can do to a client.
    ByChanceNameless,
}

impl Servers {
    const ALL: [Self; 5] =
        [Self::Plain, Self::InTurn, Self::ByChanceNamed, Self::ByChanceSameName, Self::ByChanceNameless];

    fn words(self) -> &'static str {
        match self {
            Self::Plain => "one machine",
            Self::InTurn => "two in turn",
            Self::ByChanceNamed => "two by chance, with names",
            Self::ByChanceSameName => "two by chance, the same name for both",
            Self::ByChanceNameless => "two by chance, without names",
        }
    }

    /// One address with delays of 1 to 8 s.
    fn settings(self) -> ServerSettings {
        let name = |number: usize| match self {
            Self::ByChanceNamed => Some(format!("machine-{number}")),
            Self::ByChanceSameName => Some("machine".to_owned()),
            Self::Plain | Self::InTurn | Self::ByChanceNameless => None,
        };
        let delay = || Duration::from_millis(rand::random_range(1000..8000));
        let machines = if self == Self::Plain { 1 } else { 2 };
        let backends = (0..machines).map(|number| Backend { delay: delay(), stale: false, nsid: name(number) });
        let balance = if matches!(self, Self::Plain | Self::InTurn) { Balance::RoundRobin } else { Balance::Random };
        ServerSettings { backends: backends.collect(), balance, ..ServerSettings::default() }
    }
}

/// One wait.
struct Run {
    /// In seconds; negative if it ended too early.
    lag: f64,
    busiest: Busiest,
}

/// The lag of the simplest kind.
pub(crate) fn lag(program: &Path) -> Result<()> {
    let runs = many(program, Servers::Plain, LAGS)?;
    let lags: Vec<_> = runs.iter().map(|run| run.lag).collect();
    let busiest = busiest(&runs);
    println!("First contact with two servers, delays of 1 to 8 s, {LAGS} runs:\n");
    println!("| figure | measured | at most |");
    println!("|---|---|---|");
    println!("| lag from \"served by all servers\" to exit, median | {:.2} s | 0.75 s |", percentile(&lags, 50));
    println!("| … 99 % | {:.2} s | 1.3 s |", percentile(&lags, 99));
    println!("| premature exits | {} | 0 |", premature_of(&runs));
    println!("| most queries to one address in any second | {} | 14 |", busiest.second);
    println!("| … in any three | {} | 18 |", busiest.three);
    Ok(())
}

/// Premature exits of every kind. `FIGURES_SERVERS` picks one by a part of its words.
pub(crate) fn premature(program: &Path) -> Result<()> {
    let only = std::env::var("FIGURES_SERVERS").unwrap_or_default();
    println!("First contact with two addresses, delays of 1 to 8 s:\n");
    println!(
        "| behind each address | runs | premature | at most | lag, median | 99 % | queries in a second | in three |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for servers in Servers::ALL.into_iter().filter(|servers| servers.words().contains(&only)) {
        let is_rare = servers == Servers::ByChanceNameless;
        let runs = many(program, servers, if is_rare { RUNS * RARE } else { RUNS })?;
        let lags: Vec<_> = runs.iter().map(|run| run.lag).collect();
        let most = if is_rare { "1 in 1,000" } else { "0" };
        let Busiest { second, three } = busiest(&runs);
        println!(
            "| {} | {} | {} | {most} | {:.2} s | {:.2} s | {second} | {three} |",
            servers.words(),
            runs.len(),
            premature_of(&runs),
            percentile(&lags, 50),
            percentile(&lags, 99),
        );
    }
    Ok(())
}

fn premature_of(runs: &[Run]) -> usize {
    runs.iter().filter(|run| run.lag < 0.0).count()
}

fn busiest(runs: &[Run]) -> Busiest {
    runs.iter().map(|run| run.busiest).fold(Busiest::default(), Busiest::max)
}

fn many(program: &Path, servers: Servers, runs: usize) -> Result<Vec<Run>> {
    side_by_side(runs, AT_ONCE, || one(program, servers))
}

fn one(program: &Path, servers: Servers) -> Result<Run> {
    let name_servers = ["ns1.ipv64.net", "ns2.ipv64.net"].map(|name| NameServer::with(name, vec![servers.settings()]));
    let config = Config { name_servers: name_servers.to_vec(), seed: rand::random(), ..Config::default() };
    let world = World::start(program, config)?;
    let challenge = challenge(0)?;
    succeed(world.command(&[]).args(["present", challenge.name.as_str(), challenge.value.as_str()]))?;
    let exit = Instant::now();
    let busiest = world.busiest();
    Ok(Run { lag: world.lag(&[challenge], exit), busiest })
}
