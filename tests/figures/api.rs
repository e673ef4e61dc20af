//! The commands for the API beside curl doing the same.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use ipv64_acme::sim::{Account, Certificate, Config, Sim, StaticRecord};

use crate::world::last_line;

/// How often each of the two is run; they take turns, so that both see the same machine.
const REPEATS: usize = 40;
/// The records of the large account.
const RECORDS: usize = 10_000;

pub(crate) fn measure(program: &Path) -> Result<()> {
    println!("The commands for the API beside curl doing the same:\n");
    println!("| figure | ipv64-acme | curl | ratio of medians |");
    println!("|---|---|---|---|");
    let small = Bench::start(program, Config::default())?;
    small.compare("`account`, plain HTTP", &["account"], "get_account_info", Way::Plain)?;
    small.compare("`account`, TLS", &["account"], "get_account_info", Way::Tls)?;
    let large = Bench::start(program, with_many_records())?;
    let list = ["record", "list"];
    large.compare("`record list` of 10,000 records, plain HTTP", &list, "get_domains", Way::Plain)?;
    println!("| peak memory of `record list` | {} KiB | | |", large.peak_memory(&list)?);
    let list = ["record", "list", "--json"];
    println!("| peak memory of `record list --json` | {} KiB | | |", large.peak_memory(&list)?);
    Ok(())
}

fn with_many_records() -> Config {
    let record = |number| StaticRecord::new(&format!("host-{number}.name.ipv64.net"), "A", "203.0.113.64");
    let account = Account { records: (0..RECORDS).map(record).collect(), ..Account::default() };
    Config { accounts: vec![account], ..Config::default() }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Plain,
    Tls,
}

struct Bench<'a> {
    sim: Sim,
    folder: tempfile::TempDir,
    tls_url: String,
    program: &'a Path,
}

impl<'a> Bench<'a> {
    fn start(program: &'a Path, config: Config) -> Result<Self> {
        let sim = Sim::start(config)?;
        let folder = tempfile::tempdir()?;
        let tls = sim.tls(Certificate::Good)?;
        std::fs::write(folder.path().join("ca.pem"), tls.authority())?;
        Ok(Self { tls_url: tls.api_url(), sim, folder, program })
    }

    fn ours(&self, args: &[&str], way: Way) -> Command {
        let mut command = Command::new(self.program);
        command.args(args).env_clear().envs(self.sim.env()).env("IPV64_API_RATE", "1000/1");
        command.env("IPV64_STATE_DIR", self.folder.path().join("state"));
        if way == Way::Tls {
            command.env("IPV64_API_URL", &self.tls_url).env("IPV64_CA_FILE", self.folder.path().join("ca.pem"));
        }
        command
    }

    fn curl(&self, call: &str, way: Way) -> Command {
        let mut command = Command::new("curl");
        let url = if way == Way::Tls { self.tls_url.clone() } else { self.sim.api_url() };
        let key = self.sim.key(0).unwrap_or_default();
        command.args(["--silent", "--fail", "--header", &format!("Authorization: Bearer {key}")]);
        if way == Way::Tls {
            command.arg("--cacert").arg(self.folder.path().join("ca.pem"));
        }
        command.arg(format!("{url}?{call}"));
        command
    }

    fn compare(&self, figure: &str, args: &[&str], call: &str, way: Way) -> Result<()> {
        let (mut ours, mut curls) = (Vec::new(), Vec::new());
        for _ in 0..REPEATS {
            ours.push(time(self.ours(args, way))?);
            curls.push(time(self.curl(call, way))?);
        }
        let (ours, curls) = (median(ours), median(curls));
        let ratio = ours.as_secs_f64() / curls.as_secs_f64();
        println!("| {figure} | {ours:.1?} | {curls:.1?} | {ratio:.2} |");
        Ok(())
    }

    fn peak_memory(&self, args: &[&str]) -> Result<u64> {
        let mut command = self.ours(args, Way::Plain);
        let program = std::mem::replace(&mut command, Command::new("/usr/bin/time"));
        command.args(["-f", "%M"]).arg(program.get_program()).args(program.get_args());
        command.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = command.stdout(Stdio::null()).output()?;
        ensure!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8(output.stderr)?;
        Ok(last_line(&said)?.parse()?)
    }
}

fn time(mut command: Command) -> Result<Duration> {
    let begin = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status()?;
    ensure!(status.success(), "{}: {status}", command.get_program().display());
    Ok(begin.elapsed())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
