//! `sim`: the embedded IPv64 and its name servers as a process of their own, until a signal ends it. Beside it [`demo`], the
//! other command of the feature `sim`.

pub(super) mod demo;
#[cfg(feature = "serve")]
pub(super) mod fleet;

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::context::watch_signals;
use super::invalid_argument;
use crate::cli::SimArgs;
use crate::error::Result;
use crate::exit::Exit;
use crate::report::Report;
use crate::sim::{Config, Limits, Sim};

/// How often the process checks whether a signal has come.
const TICK: Duration = Duration::from_millis(100);

/// Starts the simulation, prints the variables that programs need to use it, and serves until SIGINT or SIGTERM.
pub(super) fn run(args: &SimArgs, report: Report) -> Result<Exit> {
    let delays = args.delays.iter().map(|seconds| delay(*seconds)).collect::<Result<Vec<_>>>()?;
    let mut config = Config::with_delays(&delays);
    config.dns_port = args.dns_port.unwrap_or_default();
    if args.limits {
        config.limits = Limits::standard();
    }
    let interrupted = watch_signals()?;
    let sim = Sim::start(config)?;
    let variables = sim.env();
    for (name, value) in &variables {
        report.line(&format!("export {name}='{value}'"));
    }
    report.line(&format!("# control interface: {}state", sim.control_url()));
    for (name, address) in sim.dns_servers() {
        report.line(&format!("# {name}: {address}"));
    }
    let variables: Map<String, Value> = variables.into_iter().map(|(name, value)| (name, json!(value))).collect();
    let servers = sim.dns_servers();
    let servers: Vec<_> =
        servers.iter().map(|(name, address)| json!({ "name": name, "address": address.to_string() })).collect();
    report.document(&json!({ "environment": variables, "control": sim.control_url(), "servers": servers }));
    while !interrupted.load(Ordering::Relaxed) {
        std::thread::sleep(TICK);
    }
    Ok(Exit::Done)
}

fn delay(seconds: f64) -> Result<Duration> {
    let problem = |_| format!("`{seconds}` is not a number of seconds");
    Duration::try_from_secs_f64(seconds).map_err(|error| {
        invalid_argument("--delays", &problem(error), "give one for each name server, for example 3,5")
    })
}
