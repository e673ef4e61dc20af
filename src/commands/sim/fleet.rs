//! `demo --fleet`: three hosts of which one has the key. This same binary is the broker and the hooks of the other two, each in a
//! folder of its own on this machine; nothing leaves it.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::demo::{DELAYS, failed, summary, temporary_folder};
use crate::challenge::TxtValue;
use crate::error::{Context as _, Result};
use crate::exit::Exit;
use crate::report::Report;
use crate::sim::{Config, Limits, Sim};

/// The hosts without the key, and the name that each may get a certificate for.
const HOSTS: [(&str, &str); 2] = [("web", "www.name.ipv64.net"), ("mail", "mail.name.ipv64.net")];
/// What the broker prints before its address.
const LISTENING: &str = "listening on ";

/// Runs the demonstration; an error if anything is not as it should be.
pub(in crate::commands) fn run(report: Report) -> Result<Exit> {
    let mut config = Config::with_delays(&DELAYS);
    config.limits = Limits::standard();
    let sim = Sim::start(config)?;
    let folder = temporary_folder()?;
    let started = Instant::now();
    let outcome = certificates(&Fleet { sim: &sim, folder: &folder, report });
    fs::remove_dir_all(&folder).ok();
    outcome?;
    summary(&sim, started.elapsed(), report)
}

/// Both hosts renew at once, by way of the broker.
fn certificates(fleet: &Fleet<'_>) -> Result<()> {
    let report = fleet.report;
    report.line("The host with the key says what the others may do, and starts the broker:");
    fleet.write(&fleet.folder.join("serve.toml"), "listen = \"127.0.0.1:0\"\nadmin_listen = \"\"\n")?;
    for (host, name) in HOSTS {
        fleet.add_client(host, name)?;
    }
    let broker = Broker::start(fleet)?;
    report.line(&format!("$ ipv64-acme serve\n{LISTENING}{}", broker.address));
    let values = [TxtValue::random(), TxtValue::random()].map(|value| value.map_err(|_| failed("no random numbers")));
    let [web, mail] = values;
    let values = [web?, mail?];
    report.line("\nBoth hosts get their certificates at once; neither has the key:");
    fleet.each_host(&broker, "present", &values)?;
    for ((_, name), value) in HOSTS.iter().zip(&values) {
        let since = fleet.sim.visible_everywhere_since(&format!("_acme-challenge.{name}"), value.as_str());
        if since.is_none_or(|since| since > Instant::now()) {
            return Err(failed("a hook said ready too early"));
        }
    }
    report.line("\nThe token of one host does not work for the name of the other:");
    let refused = fleet.hook(&broker, HOSTS[0].0, &["present", &record(HOSTS[1].1), values[0].as_str()])?;
    fleet.show(HOSTS[0].0, &["present", &record(HOSTS[1].1), values[0].as_str()], &refused);
    if refused.status.code() != Some(Exit::Key as i32) {
        return Err(failed("the broker did not refuse the name of another host"));
    }
    report.line("\nThe CA has looked, and both clean up:");
    fleet.each_host(&broker, "cleanup", &values)
}

fn record(name: &str) -> String {
    format!("_acme-challenge.{name}")
}

struct Fleet<'a> {
    sim: &'a Sim,
    folder: &'a Path,
    report: Report,
}

impl Fleet<'_> {
    /// Makes a file that only its owner may read.
    fn write(&self, path: &Path, text: &str) -> Result<()> {
        let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
        written.with_context(|| format!("cannot write {}", path.display()))
    }

    /// A place for one host.
    fn place(&self, host: &str) -> PathBuf {
        self.folder.join("hosts").join(host)
    }

    fn program(&self) -> Result<Command> {
        let mut command = Command::new(std::env::current_exe().context("cannot find this program")?);
        command.env_clear();
        Ok(command)
    }

    fn add_client(&self, host: &str, name: &str) -> Result<()> {
        self.report.line(&format!("$ ipv64-acme client add {host} --allow {name}"));
        let mut command = self.program()?;
        command.args(["client", "add", host, "--allow", name, "--json", "--config-dir"]).arg(self.folder);
        let output = command.output().context("cannot run this program")?;
        let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let Some(token) = document.get("token").and_then(Value::as_str) else {
            return Err(failed(&format!("no token: {}", String::from_utf8_lossy(&output.stderr))));
        };
        let place = self.place(host);
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&place);
        made.with_context(|| format!("cannot make {}", place.display()))?;
        self.write(&place.join("token"), token)
    }

    /// Runs a hook on one host: with its token, and without the key.
    fn hook(&self, broker: &Broker, host: &str, args: &[&str]) -> Result<Output> {
        let place = self.place(host);
        let network = self.sim.env().into_iter().filter(|(name, _)| !name.starts_with("IPV64_API_"));
        let mut command = self.program()?;
        command.args(args).envs(network).env("IPV64_STATE_DIR", place.join("state"));
        command.env("IPV64_BROKER", &broker.address).env("IPV64_BROKER_TOKEN_FILE", place.join("token"));
        command.output().context("cannot run this program as a hook")
    }

    /// Runs the same hook on both hosts at once.
    fn each_host(&self, broker: &Broker, verb: &str, values: &[TxtValue]) -> Result<()> {
        std::thread::scope(|scope| {
            let start = |((host, name), value): (&(&'static str, &str), &TxtValue)| {
                let args = [verb.to_owned(), record(name), value.to_string()];
                let host = *host;
                let work = scope.spawn({
                    let args = args.clone();
                    move || self.hook(broker, host, &args.each_ref().map(String::as_str))
                });
                (host, args, work)
            };
            let running: Vec<_> = HOSTS.iter().zip(values).map(start).collect();
            for (host, args, work) in running {
                let output = work.join().map_err(|_| failed("a hook of the demonstration panicked"))??;
                self.show(host, &args.each_ref().map(String::as_str), &output);
                if !output.status.success() {
                    return Err(failed(&format!("the {verb} hook of `{host}` failed ({})", output.status)));
                }
            }
            Ok(())
        })
    }

    fn show(&self, host: &str, args: &[&str], output: &Output) {
        self.report.line(&format!("{host}$ ipv64-acme {}", args.join(" ")));
        for text in [&output.stdout, &output.stderr] {
            String::from_utf8_lossy(text).lines().for_each(|line| self.report.line(line));
        }
    }
}

/// The broker's process, which ends with this value.
struct Broker {
    process: Child,
    address: String,
}

impl Broker {
    fn start(fleet: &Fleet<'_>) -> Result<Self> {
        let mut command = fleet.program()?;
        command.args(["serve", "--config-dir"]).arg(fleet.folder).envs(fleet.sim.env());
        command.env("IPV64_STATE_DIR", fleet.folder.join("state")).stdout(Stdio::piped());
        let mut broker =
            Self { process: command.spawn().context("cannot run this program as a broker")?, address: String::new() };
        let stdout = broker.process.stdout.take().ok_or_else(|| failed("the broker has no output"))?;
        let mut lines = BufReader::new(stdout).lines();
        let address =
            lines.by_ref().map_while(Result::ok).find_map(|line| Some(line.strip_prefix(LISTENING)?.to_owned()));
        broker.address = address.ok_or_else(|| failed("the broker ended before it listened"))?;
        // Nobody reads the rest, and a full pipe would hold it up.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(broker)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        kill_process(Pid::from_child(&self.process), Signal::TERM).ok();
        self.process.wait().ok();
    }
}
