//! `demo --fleet`: three hosts of which one has the key. This same binary is the broker and the hooks of the other two. Each host is
//! a network name space with a folder, or a folder only where name spaces are not permitted; nothing leaves this machine.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::Ipv4Addr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::demo::{DELAYS, check, failed, random_value, summary, temporary_folder};
use crate::challenge::TxtValue;
use crate::commands::context::note_signals;
use crate::error::{Context as _, Result};
use crate::exit::Exit;
use crate::report::Report;
use crate::sim::network::{Host, Network};
use crate::sim::{Config, Limits, Sim};

/// The host with the key.
const KEY: &str = "key";
/// What the broker prints before its address.
const LISTENING: &str = "listening on ";
/// How often a running program and signals are looked at.
const TICK: Duration = Duration::from_millis(50);

/// Runs the demonstration; an error if anything is not as it should be.
pub(in crate::commands) fn run(report: Report) -> Result<Exit> {
    let interrupted = Arc::default();
    note_signals(&interrupted)?;
    // First, so that the simulation listens on the host with the key.
    let network = lay_out();
    let mut config = Config::with_delays(&DELAYS);
    config.limits = Limits::standard();
    let sim = Sim::start(config)?;
    let folder = temporary_folder()?;
    let (hosts, problem) = match network.as_ref() {
        Ok(([web, mail], _)) => ([Some(web), Some(mail)], None),
        Err(error) => ([None, None], Some(error)),
    };
    let [web, mail] = hosts;
    let machines =
        [Machine::new("web", "www.name.ipv64.net", web)?, Machine::new("mail", "mail.name.ipv64.net", mail)?];
    let fleet = Fleet { sim: &sim, folder: folder.path(), machines, interrupted: &interrupted, report };
    fleet.introduce(problem);
    let started = Instant::now();
    certificates(&fleet)?;
    summary(&sim, started.elapsed(), report)
}

/// Moves this thread to the host with the key, and adds the others.
fn lay_out() -> io::Result<([Host; 2], Network)> {
    let mut network = Network::enter()?;
    Ok(([network.add_host()?, network.add_host()?], network))
}

/// Both hosts renew at once, by way of the broker.
fn certificates(fleet: &Fleet<'_>) -> Result<()> {
    let report = fleet.report;
    report.line("\nThe host with the key says what the others may do, and starts the broker:");
    fleet.configure()?;
    for machine in &fleet.machines {
        fleet.add_client(machine)?;
    }
    let broker = Broker::start(fleet)?;
    report.line(&format!("{KEY}$ ipv64-acme serve\n{LISTENING}{}", broker.address));
    report.line(&format!("\nThe others have IPV64_BROKER={} and a file with their tokens", broker.address));
    report.line("(IPV64_BROKER_TOKEN_FILE). Both get their certificates at once:");
    fleet.each_machine(&broker, "present")?;
    for machine in &fleet.machines {
        let since = fleet.sim.visible_everywhere_since(&machine.record(), machine.value.as_str());
        if since.is_none_or(|since| since > Instant::now()) {
            return Err(failed("a hook said ready too early"));
        }
    }
    report.line("\nThe token of one host does not work for the name of the other:");
    let [web, mail] = &fleet.machines;
    let args = ["present", &mail.record(), web.value.as_str()];
    let refused = fleet.hook(&broker, web, &args)?;
    fleet.show(web, &args, &refused);
    if refused.status.code() != Some(Exit::Key as i32) {
        return Err(failed("the broker did not refuse the name of another host"));
    }
    report.line("\nThe CA has looked, and both clean up:");
    fleet.each_machine(&broker, "cleanup")?;
    report.line(&format!("\nWhat the broker has decided:\n{KEY}$ ipv64-acme audit"));
    let audit = fleet.output(fleet.program()?.arg("audit").env("IPV64_STATE_DIR", fleet.state()))?;
    report.line(String::from_utf8_lossy(&audit.stdout).trim_end());
    Ok(())
}

/// A host without the key.
struct Machine<'a> {
    name: &'static str,
    /// What it may get a certificate for.
    allow: &'static str,
    /// None on loopback.
    host: Option<&'a Host>,
    value: TxtValue,
}

impl<'a> Machine<'a> {
    fn new(name: &'static str, allow: &'static str, host: Option<&'a Host>) -> Result<Self> {
        Ok(Self { name, allow, host, value: random_value()? })
    }

    fn address(&self) -> Ipv4Addr {
        self.host.map_or(Ipv4Addr::LOCALHOST, Host::address)
    }

    fn record(&self) -> String {
        format!("_acme-challenge.{}", self.allow)
    }
}

struct Fleet<'a> {
    sim: &'a Sim,
    folder: &'a Path,
    machines: [Machine<'a>; 2],
    interrupted: &'a AtomicBool,
    report: Report,
}

impl Fleet<'_> {
    fn is_on_loopback(&self) -> bool {
        self.machines.iter().any(|machine| machine.host.is_none())
    }

    /// The address of the host with the key.
    fn address(&self) -> Ipv4Addr {
        if self.is_on_loopback() { Ipv4Addr::LOCALHOST } else { Network::FIRST }
    }

    /// Where the broker keeps its state.
    fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// The folder of a host.
    fn place(&self, machine: &Machine<'_>) -> PathBuf {
        self.folder.join("hosts").join(machine.name)
    }

    fn introduce(&self, problem: Option<&io::Error>) {
        let report = self.report;
        if let Some(error) = problem {
            report
                .line("Three hosts, all on the loopback of this machine; as root, or below `unshare --map-root-user`,");
            report.line(&format!("each is in a network name space of its own ({error}):"));
        } else {
            report.line("Three hosts, each in a network name space of its own; nothing leaves this machine:");
        }
        let key = "the API key, the broker; with it the simulated IPv64 and its name servers";
        report.line(&format!("  {KEY:<5} {:<10} {key}", self.address()));
        for machine in &self.machines {
            let Machine { name, allow, .. } = machine;
            report.line(&format!("  {name:<5} {:<10} a token that is good for {allow}", machine.address()));
        }
    }

    /// Makes a file that only its owner may read.
    fn write(&self, path: &Path, text: &str) -> Result<()> {
        let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
        written.with_context(|| format!("cannot write {}", path.display()))
    }

    /// Writes `serve.toml`, with a certificate for the broker's address.
    fn configure(&self) -> Result<()> {
        let address = self.address().to_string();
        // In a network of its own the port is free.
        let port = if self.is_on_loopback() { 0 } else { 8443 };
        let made = rcgen::generate_simple_self_signed([address.clone()])
            .map_err(|error| failed(&format!("cannot make a certificate: {error}")))?;
        self.write(&self.folder.join("cert.pem"), &made.cert.pem())?;
        self.write(&self.folder.join("key.pem"), &made.signing_key.serialize_pem())?;
        let lines = "tls_cert = \"cert.pem\"\ntls_key = \"key.pem\"\nadmin_listen = \"\"";
        self.write(&self.folder.join("serve.toml"), &format!("listen = \"{address}:{port}\"\n{lines}\n"))
    }

    fn program(&self) -> Result<Command> {
        let mut command = Command::new(std::env::current_exe().context("cannot find this program")?);
        command.env_clear();
        Ok(command)
    }

    /// Runs a program to its end, and passes a signal on: this process may have it alone, or had it before the program started.
    fn output(&self, command: &mut Command) -> Result<Output> {
        check(self.interrupted)?;
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = piped.spawn().context("cannot run this program")?;
        while let Ok(None) = process.try_wait() {
            if self.interrupted.load(Ordering::Relaxed) {
                kill_process(Pid::from_child(&process), Signal::TERM).ok();
            }
            std::thread::sleep(TICK);
        }
        let output = process.wait_with_output().context("cannot read what this program says")?;
        check(self.interrupted).map(|()| output)
    }

    fn add_client(&self, machine: &Machine<'_>) -> Result<()> {
        let args = format!("client add {} --allow {} --from {}", machine.name, machine.allow, machine.address());
        self.report.line(&format!("{KEY}$ ipv64-acme {args}"));
        let mut command = self.program()?;
        command.args(args.split(' ')).args(["--json", "--config-dir"]).arg(self.folder);
        let output = self.output(&mut command)?;
        let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let Some(token) = document.get("token").and_then(Value::as_str) else {
            return Err(failed(&format!("no token: {}", String::from_utf8_lossy(&output.stderr))));
        };
        let place = self.place(machine);
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&place);
        made.with_context(|| format!("cannot make {}", place.display()))?;
        self.write(&place.join("token"), token)
    }

    /// Runs a hook on one host: with its token, and without the key.
    fn hook(&self, broker: &Broker, machine: &Machine<'_>, args: &[&str]) -> Result<Output> {
        let place = self.place(machine);
        let network = self.sim.env().into_iter().filter(|(name, _)| !name.starts_with("IPV64_API_"));
        let mut command = self.program()?;
        command.args(args).envs(network).env("IPV64_STATE_DIR", place.join("state"));
        command.env("IPV64_BROKER", &broker.address).env("IPV64_BROKER_TOKEN_FILE", place.join("token"));
        command.env("IPV64_CA_FILE", self.folder.join("cert.pem"));
        if let Some(host) = machine.host {
            command = host.command(&command);
        }
        self.output(&mut command)
    }

    /// Runs the same hook on both hosts at once.
    fn each_machine(&self, broker: &Broker, verb: &str) -> Result<()> {
        std::thread::scope(|scope| {
            let running = self.machines.each_ref().map(|machine| {
                let args = [verb.to_owned(), machine.record(), machine.value.to_string()];
                let work = move || {
                    let args = args.each_ref().map(String::as_str);
                    self.hook(broker, machine, &args).inspect(|output| self.show(machine, &args, output))
                };
                (machine, scope.spawn(work))
            });
            for (machine, work) in running {
                let output = work.join().map_err(|_| failed("a hook of the demonstration panicked"))??;
                if !output.status.success() {
                    return Err(failed(&format!("the {verb} hook of `{}` failed ({})", machine.name, output.status)));
                }
            }
            Ok(())
        })
    }

    fn show(&self, machine: &Machine<'_>, args: &[&str], output: &Output) {
        let mut text = format!("{}$ ipv64-acme {}\n", machine.name, args.join(" "));
        for said in [&output.stdout, &output.stderr] {
            text += &String::from_utf8_lossy(said);
        }
        self.report.line(text.trim_end());
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
        command.env("IPV64_STATE_DIR", fleet.state()).stdout(Stdio::piped());
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
