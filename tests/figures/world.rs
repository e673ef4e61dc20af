//! What all figures need: a simulation with a program that sees nothing else, many runs side by side, and statistics.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use ipv64_acme::challenge::{Challenge, TxtValue};
use ipv64_acme::name::DnsName;
use ipv64_acme::sim::{Config, Sim};

/// A simulation, and a program that runs in it with a state directory of its own.
pub(crate) struct World<'a> {
    pub(crate) sim: Sim,
    pub(crate) state: tempfile::TempDir,
    program: &'a Path,
}

impl<'a> World<'a> {
    pub(crate) fn start(program: &'a Path, config: Config) -> Result<Self> {
        Ok(Self { sim: Sim::start(config)?, state: tempfile::tempdir()?, program })
    }

    /// Makes a command that sees the simulation only. A wrapper, if there is one, gets the program as argument.
    pub(crate) fn command(&self, wrapper: &[&str]) -> Command {
        let words: Vec<&OsStr> = wrapper.iter().map(OsStr::new).chain([self.program.as_os_str()]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).env_clear().env("PATH", "/usr/bin:/bin").envs(self.sim.env());
        command.env("IPV64_STATE_DIR", self.state.path()).env("IPV64_DOH", "off").stdin(Stdio::null());
        command
    }

    /// The same without a narrow request window.
    pub(crate) fn unlimited(&self, wrapper: &[&str]) -> Command {
        let mut command = self.command(wrapper);
        command.env("IPV64_API_RATE", "1000/1");
        command
    }

    /// Returns for how long every server has served these records at this moment, in seconds: negative if that is yet to
    /// come, which is waited for.
    pub(crate) fn lag(&self, challenges: &[Challenge], exit: Instant) -> f64 {
        let lags = challenges.iter().map(|challenge| {
            let since = loop {
                match self.sim.visible_everywhere_since(challenge.name.as_str(), challenge.value.as_str()) {
                    Some(since) => break since,
                    None => thread::sleep(Duration::from_millis(20)),
                }
            };
            match exit.checked_duration_since(since) {
                Some(lag) => lag.as_secs_f64(),
                None => -since.duration_since(exit).as_secs_f64(),
            }
        });
        lags.fold(f64::INFINITY, f64::min)
    }

    /// The most queries that one address of the zone's name servers got in any second and in any three.
    pub(crate) fn busiest(&self) -> Busiest {
        let servers = self.sim.dns_servers().into_iter().filter(|(name, _)| name.ends_with(".ipv64.net"));
        let most = |address, seconds| self.sim.busiest(address, Duration::from_secs(seconds));
        let counts = servers.map(|(_, address)| Busiest { second: most(address, 1), three: most(address, 3) });
        counts.fold(Busiest::default(), Busiest::max)
    }
}

/// The most queries to one address in any one second, and in any three.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Busiest {
    pub(crate) second: usize,
    pub(crate) three: usize,
}

impl Busiest {
    pub(crate) fn max(self, other: Self) -> Self {
        Self { second: self.second.max(other.second), three: self.three.max(other.three) }
    }
}

/// Makes a challenge of its own for a number. A second value at one name would be held back for a minute, because
/// the CA may still have the first in its cache.
pub(crate) fn challenge(number: usize) -> Result<Challenge> {
    let value = TxtValue::random().map_err(|_| anyhow!("the system has no random numbers"))?;
    Ok(Challenge::for_identifier(&DnsName::parse(&format!("n{number}.name.ipv64.net"))?, value)?)
}

/// Runs something so many times, so many of them side by side.
pub(crate) fn side_by_side<R: Send>(runs: usize, at_once: usize, run: impl Fn() -> Result<R> + Sync) -> Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<Vec<R>> {
        let mut done = Vec::new();
        while next.fetch_add(1, Ordering::Relaxed) < runs {
            done.push(run()?);
        }
        Ok(done)
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..at_once.min(runs)).map(|_| scope.spawn(work)).collect();
        let joined = workers.into_iter().map(|worker| worker.join().map_err(|_| anyhow!("a run panicked"))?);
        Ok(joined.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    })
}

/// Runs a command that has to succeed.
pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let status = command.stdout(Stdio::null()).status()?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}

/// Returns the value below which so many of a hundred lie.
pub(crate) fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    sorted.get((sorted.len() * percent / 100).min(last)).copied().unwrap_or_default()
}

/// The median and the greatest of some times, in words.
pub(crate) fn spread(times: &[Duration]) -> String {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let show = |time: Option<&Duration>| time.map_or_else(|| "none".to_owned(), |time| format!("{time:.1?}"));
    format!("median {}, at most {}", show(sorted.get(sorted.len() / 2)), show(sorted.last()))
}

/// The last line of what a wrapper said.
pub(crate) fn last_line(text: &str) -> Result<&str> {
    text.trim().lines().last().context("the wrapper said nothing")
}
