//! `demo`: the main job on one page, against an embedded IPv64. This same binary is run as certbot runs it for a name and
//! its wildcard; nothing leaves the machine.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use crate::challenge::TxtValue;
use crate::cli::OutputArgs;
use crate::commands::context::note_signals;
use crate::error::{Context as _, Error, Kind, Result};
use crate::exit::Exit;
use crate::report::Report;
use crate::sim::{Config, Limits, Sim};

/// The name that the demonstration gets a "certificate" for.
const NAME: &str = "name.ipv64.net";
/// How long the two name servers take to serve a change.
pub(super) const DELAYS: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(5)];

/// Runs the demonstration; an error if anything is not as it should be.
pub(in crate::commands) fn run(output: OutputArgs, report: Report) -> Result<Exit> {
    let interrupted = Arc::default();
    note_signals(&interrupted)?;
    let mut config = Config::with_delays(&DELAYS);
    config.limits = Limits::standard();
    let sim = Sim::start(config)?;
    let state = temporary_folder()?;
    report.line("IPv64 and its name servers, simulated on this machine:");
    report.line(&format!("  API               {}", sim.api_url()));
    for (server, delay) in sim.dns_servers().iter().filter(|(name, _)| name.ends_with("ipv64.net")).zip(DELAYS) {
        report.line(&format!("  {:<17} {}, serves a change after {} s", server.0, server.1, delay.as_secs()));
    }
    let hook = Hook { sim: &sim, state: state.path(), interrupted: &interrupted, output, report };
    let started = Instant::now();
    certificate(&hook)?;
    summary(&sim, started.elapsed(), report)
}

/// The calls that certbot makes for `-d NAME -d *.NAME`: all auth hooks, then it asks the CA, then all cleanup hooks.
fn certificate(hook: &Hook<'_>) -> Result<()> {
    let values = [random_value()?, random_value()?];
    hook.report.line(&format!("\ncertbot certonly -d {NAME} -d '*.{NAME}' would call:"));
    for (value, remaining) in values.iter().zip(["1", "0"]) {
        hook.call("auth", value, remaining)?;
    }
    for value in &values {
        let since = hook.sim.visible_everywhere_since(&format!("_acme-challenge.{NAME}"), value.as_str());
        if since.is_none_or(|since| since > Instant::now()) {
            return Err(failed("a hook said ready too early"));
        }
    }
    hook.report.line("\nNow certbot asks the CA, which finds both values on every name server. Then it cleans up:");
    for (value, remaining) in values.iter().zip(["1", "0"]) {
        hook.call("cleanup", value, remaining)?;
    }
    Ok(())
}

pub(super) fn summary(sim: &Sim, took: Duration, report: Report) -> Result<Exit> {
    let calls = sim.api_calls();
    let refused = calls.iter().filter(|call| call.status == Some(429)).count();
    let left: Vec<_> = sim
        .records_left()
        .into_iter()
        .filter(|record| record.name().as_str().starts_with("_acme-challenge."))
        .collect();
    report.line("\nWhat IPv64 saw:");
    for call in &calls {
        let parameters: Vec<_> = call.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let status = call.status.map_or_else(String::new, |status| status.to_string());
        report.line(&format!("  {:<6} {status}  {}", call.method, parameters.join(" ")));
    }
    report.line(&format!(
        "{} API calls (one list, then two for each of two values), {refused} refused; {} challenge records left; {:.1} s in all",
        calls.len(),
        left.len(),
        took.as_secs_f64()
    ));
    report.document(&json!({
        "api_calls": calls.len(),
        "refused": refused,
        "records_left": left.len(),
        "seconds": took.as_secs_f64(),
    }));
    if left.is_empty() { Ok(Exit::Done) } else { Err(failed("challenge records are left at the simulated IPv64")) }
}

/// Runs this binary as certbot's hook.
struct Hook<'a> {
    sim: &'a Sim,
    state: &'a std::path::Path,
    interrupted: &'a AtomicBool,
    output: OutputArgs,
    report: Report,
}

impl Hook<'_> {
    fn call(&self, verb: &str, value: &TxtValue, remaining: &str) -> Result<()> {
        self.report.line(&format!("\n$ CERTBOT_DOMAIN={NAME} CERTBOT_VALIDATION={value} ipv64-acme {verb}"));
        let program = std::env::current_exe().context("cannot find this program")?;
        let mut command = Command::new(program);
        command.args(self.flags()).arg(verb).env_clear().envs(self.sim.env()).env("IPV64_STATE_DIR", self.state);
        command.envs([
            ("CERTBOT_DOMAIN", NAME),
            ("CERTBOT_VALIDATION", value.as_str()),
            ("CERTBOT_REMAINING_CHALLENGES", remaining),
            ("CERTBOT_ALL_DOMAINS", &format!("{NAME},{NAME}")),
        ]);
        if self.report.is_json() {
            command.stdout(Stdio::null());
        }
        let status = command.status().context("cannot run this program as a hook")?;
        check(self.interrupted)?;
        if status.success() { Ok(()) } else { Err(failed(&format!("the {verb} hook failed ({status})"))) }
    }

    /// How much the hooks say: as much as this process, and their steps where nobody has said otherwise.
    fn flags(&self) -> Vec<&'static str> {
        let OutputArgs { json, quiet, verbose } = self.output;
        match verbose {
            0 if quiet => vec!["-q"],
            0 if json => Vec::new(),
            times => vec!["-v"; usize::from(times.max(1))],
        }
    }
}

pub(super) fn failed(text: &str) -> Error {
    std::io::Error::other(text).into()
}

/// Ends the demonstration after a signal, once nothing of it runs any more.
pub(super) fn check(interrupted: &AtomicBool) -> Result<()> {
    let is_interrupted = interrupted.load(Ordering::Relaxed);
    if is_interrupted {
        Err(Error::new(Kind::Interrupted, "interrupted; nothing of the demonstration is left"))
    } else {
        Ok(())
    }
}

pub(super) fn random_value() -> Result<TxtValue> {
    TxtValue::random().map_err(|_| failed("the system has no random numbers"))
}

/// A place for the files of this demonstration alone, which goes with the value.
pub(super) fn temporary_folder() -> Result<TempDir> {
    tempfile::Builder::new().prefix("ipv64-acme-demo-").tempdir().context("cannot make a temporary folder")
}
