//! The inside of one run: a simulated IPv64 that is `https://ipv64.net` here, a CA that asks its servers, one client, and
//! what can be said afterwards. It changes mounts and takes privileged ports, so it runs in name spaces of its own.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use ipv64_acme::sim::{Certificate, Config, Limits, Question, ResolverSettings, Sim, StoredRecord, Transport};
use tempfile::TempDir;

use super::Programs;
use super::client::{self, Place};
use super::outcome::Outcome;
use super::plan::{Run, Window};
use super::support::{certificate, pebble::Pebble};

/// When a client is given up.
const LIMIT: Duration = Duration::from_secs(15 * 60);
/// The pause between two looks at a running client.
const LOOK: Duration = Duration::from_millis(50);
/// Where Debian keeps the certificates to trust.
const TRUSTED: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Obtains one certificate.
pub(crate) fn run(run: &Run, programs: &Programs) -> Result<Outcome> {
    let names = run.scenario.names();
    let world = World::start(run)?;
    let place = world.place(programs);
    let mut client = client::command(run.method, &names, &place)?;
    let begin = Instant::now();
    let status = world.carry_out(run, &mut client)?;
    let seconds = begin.elapsed().as_secs_f64();
    let chain = client::chain(run.method, &names[0], world.folder.path());
    let failure = world.failure(status, &chain, &names);
    Ok(Outcome { failure, seconds, ..world.account_for(run, &names)? })
}

struct World {
    sim: Sim,
    pebble: Pebble,
    folder: TempDir,
}

impl World {
    fn start(run: &Run) -> Result<Self> {
        do_or_say("ip", &["link", "set", "lo", "up"])?;
        // Real resolvers remember, what is not there as well as what is.
        let cache = ResolverSettings { positive_cache: true, negative_cache: true, ..ResolverSettings::default() };
        let limits = if run.scenario.window == Window::On { Limits::standard() } else { Limits::default() };
        let sim = Sim::start(Config {
            resolvers: ["system", "ca"].map(|name| (name.to_owned(), cache.clone())).to_vec(),
            limits,
            dns_port: 53,
            seed: run.repetition,
            ..Config::with_delays(&run.scenario.delays(run.repetition))
        })?;
        let first = |name| sim.addresses(name).first().copied().context("no such resolver");
        let (resolver, pebble, folder) = (first("system")?, Pebble::start(first("ca")?), tempfile::tempdir()?);
        let world = Self { pebble, folder, sim };
        world.furnish(resolver)?;
        Ok(world)
    }

    /// Makes the simulation `https://ipv64.net`, its resolver the system's, and its certificates trusted.
    fn furnish(&self, resolver: SocketAddr) -> Result<()> {
        let tls = self.sim.tls(Certificate::Good)?;
        let inside = tls.api_url().trim_start_matches("https://").trim_end_matches("/api").parse()?;
        relay(TcpListener::bind("127.0.0.1:443")?, inside);
        let trusted = fs::read_to_string(self.pebble.server_certificate())? + tls.authority();
        let files = [
            (TRUSTED, trusted),
            ("/etc/hosts", "127.0.0.1 localhost ipv64.net\n".to_owned()),
            ("/etc/resolv.conf", format!("nameserver {}\n", resolver.ip())),
        ];
        for (number, (place, text)) in files.into_iter().enumerate() {
            let path = self.folder.path().join(format!("mount-{number}"));
            fs::write(&path, text)?;
            do_or_say("mount", &["--bind", &path.display().to_string(), place])?;
        }
        Ok(())
    }

    fn place<'a>(&'a self, programs: &'a Programs) -> Place<'a> {
        Place {
            folder: self.folder.path(),
            directory: self.pebble.directory(),
            key: self.sim.key(0).unwrap_or_default(),
            trusted: TRUSTED.into(),
            programs,
        }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Runs a client to its end. It sees nothing of the environment of this process.
    fn carry_out(&self, run: &Run, client: &mut Command) -> Result<Option<ExitStatus>> {
        let mut command = Command::new("/usr/bin/time");
        command.args(["-f", "%U %S %M", "-o"]).arg(self.folder.path().join("time"));
        command.arg(client.get_program()).args(client.get_args()).env_clear();
        command.env("PATH", format!("{}/bin:/usr/bin:/bin", self.folder.path().display()));
        command.env("HOME", self.folder.path()).env("TMPDIR", self.folder.path());
        command.env("IPV64_API_KEY", self.sim.key(0).unwrap_or_default());
        command.env("IPV64_STATE_DIR", self.folder.path().join("state"));
        // There is no way out of here, but our program need not find that out.
        let roots = self.sim.env().into_iter().filter(|(name, _)| name == "IPV64_ROOT_SERVERS" || name == "IPV64_DOH");
        if run.scenario.window == Window::Off {
            // An account without limits: who owns one says so, since the program cannot know.
            command.env("IPV64_API_RATE", "1000/1");
        }
        command.envs(roots).envs(client.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let log = File::create(self.log())?;
        command.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let mut child = command.spawn()?;
        let until = Instant::now() + LIMIT;
        while Instant::now() < until {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            std::thread::sleep(LOOK);
        }
        // What it has started ends with our name space.
        child.kill()?;
        child.wait()?;
        Ok(None)
    }

    fn failure(&self, status: Option<ExitStatus>, chain: &Path, names: &[String]) -> Option<String> {
        let Some(status) = status else { return Some(format!("not done after {} min", LIMIT.as_secs() / 60)) };
        if status.success() && chain.is_file() {
            certificate::assert_issued_by(&self.pebble.root(), chain);
            let wanted: BTreeSet<_> = names.iter().cloned().collect();
            return (certificate::names(chain) != wanted).then(|| "a certificate of other names".to_owned());
        }
        let said = fs::read_to_string(self.log()).unwrap_or_default();
        // For those who carry out a single run.
        eprintln!("{said}");
        Some(reason(&said).unwrap_or_else(|| status.to_string()))
    }

    fn account_for(&self, run: &Run, names: &[String]) -> Result<Outcome> {
        let slowest = run.scenario.delays(run.repetition).into_iter().max().unwrap_or_default();
        let (questions, records, calls) = (self.sim.questions(), self.sim.records(), self.sim.api_calls());
        let asked = |question: &&Question| question.server != "ca" && question.transport != Transport::Internal;
        let looks = looks(&questions, &records, names, slowest);
        let used = fs::read_to_string(self.folder.path().join("time")).unwrap_or_default();
        let used: Vec<f64> = used.lines().last().unwrap_or_default().split(' ').flat_map(str::parse).collect();
        // A client that was given up is in no account.
        let [user, system, memory] = used.try_into().unwrap_or_default();
        Ok(Outcome {
            calls: calls.len(),
            refused: calls.iter().filter(|call| call.refused_by.is_some()).count(),
            questions: questions.iter().filter(asked).count(),
            lags: looks.iter().flatten().map(Duration::as_secs_f64).collect(),
            premature: looks.iter().filter(|look| look.is_none()).count(),
            left: self.sim.records_left().len(),
            cpu: user + system,
            memory: memory as u64,
            ..Outcome::default()
        })
    }
}

/// For each name that the CA looked at, how long before the first look all that stood had come to every server. Nothing if
/// what was added for this name had not, or if there was nothing.
fn looks(
    questions: &[Question],
    records: &[StoredRecord],
    names: &[String],
    slowest: Duration,
) -> Vec<Option<Duration>> {
    let bare = |name: &String| format!("_acme-challenge.{}", name.trim_start_matches("*."));
    let mut looks = Vec::new();
    for host in names.iter().map(bare).collect::<BTreeSet<_>>() {
        let about = |question: &&Question| {
            question.server == "ca" && question.kind == "TXT" && question.name.eq_ignore_ascii_case(&host)
        };
        // A name and its wildcard are asked for together, or one after the other with a deletion in between.
        let mut seen = Vec::new();
        for at in questions.iter().filter(about).map(|question| question.at) {
            let all: Vec<_> = records.iter().filter(|record| stands(record, at)).collect();
            let own: Vec<_> = all.iter().copied().filter(|record| record.name() == host).collect();
            let ids: Vec<_> = own.iter().map(|record| record.id).collect();
            if seen.last() != Some(&ids) {
                let since = |records: &[&StoredRecord]| {
                    let added = records.iter().filter_map(|record| record.life.added).max()?;
                    at.checked_duration_since(added + slowest)
                };
                looks.push(since(&own).map(|_| since(&all).unwrap_or_default()));
                seen.push(ids);
            }
        }
    }
    looks
}

/// Whether a record that a client added stood at a moment.
fn stands(record: &StoredRecord, at: Instant) -> bool {
    record.life.added.is_some_and(|added| added <= at) && record.life.deleted.is_none_or(|gone| at <= gone)
}

/// The line of a client's output that says best what was wrong.
fn reason(said: &str) -> Option<String> {
    const WORDS: [&str; 6] = ["429", "Incorrect TXT", "No TXT", "time limit exceeded", "rror", "ailed"];
    let line = WORDS.iter().find_map(|word| said.lines().find(|line| line.contains(word)))?;
    let line: String = line.trim().chars().filter(|letter| !letter.is_control() && *letter != '|').collect();
    Some(line.chars().take(160).collect())
}

/// Carries connections on, for as long as this process lives.
fn relay(listener: TcpListener, inside: SocketAddr) {
    std::thread::spawn(move || {
        for outer in listener.incoming().flatten() {
            // A broken connection is seen by its ends.
            std::thread::spawn(move || drop(carry(outer, inside)));
        }
    });
}

fn carry(mut outer: TcpStream, inside: SocketAddr) -> io::Result<()> {
    let mut inner = TcpStream::connect(inside)?;
    for stream in [&outer, &inner] {
        stream.set_nodelay(true)?;
    }
    let (mut to, mut from) = (inner.try_clone()?, outer.try_clone()?);
    std::thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to).and_then(|_| to.shutdown(std::net::Shutdown::Write));
    });
    io::copy(&mut inner, &mut outer)?;
    outer.shutdown(std::net::Shutdown::Both)
}

fn do_or_say(program: &str, args: &[&str]) -> Result<()> {
    let output = Command::new(program).args(args).output().with_context(|| format!("cannot run `{program}`"))?;
    ensure!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
