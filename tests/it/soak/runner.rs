//! Runs one call of the binary: kills it when the plan says so, and counts its descriptors meanwhile.

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a call may take: its deadlines, and much patience with a busy machine.
const LIMIT: Duration = Duration::from_secs(240);
/// The pause between two checks of a running call.
const CHECK: Duration = Duration::from_millis(20);
/// After so many checks the descriptors are counted too.
const COUNT: u32 = 10;
/// More descriptors than this no call has any use for: each address gets at most 14 queries in a second, which wait for two.
const MOST_DESCRIPTORS: usize = 100;

/// What befalls one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It may work.
    Left,
    /// It gets this signal after this time, if it still runs.
    Killed(&'static str, Duration),
    /// The client does not make it: it was killed itself.
    NotMade,
}

/// How a call ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// The exit code; nothing if a signal ended it.
    pub(super) code: Option<i32>,
    /// Whether it got a signal.
    pub(super) signalled: bool,
    /// When it was seen to have ended.
    pub(super) at: Instant,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Ended {
    /// Returns everything that the call said.
    pub(super) fn said(&self) -> String {
        format!("{}--- stderr\n{}", self.stdout, self.stderr)
    }
}

/// Runs a command to its end.
///
/// # Errors
/// What is wrong with it, whatever it was to do.
pub(super) fn run(command: &mut Command, stdin: &str, fate: Fate) -> Result<Ended, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("in"), stdin).unwrap();
    command.stdin(File::open(path("in")).unwrap());
    command.stdout(File::create(path("out")).unwrap()).stderr(File::create(path("err")).unwrap());
    let mut child = command.spawn().unwrap();
    let (signalled, most) = watch(&mut child, fate)?;
    let at = Instant::now();
    let status = child.wait().unwrap();
    let [stdout, stderr] =
        ["out", "err"].map(|name| String::from_utf8_lossy(&fs::read(path(name)).unwrap()).into_owned());
    let ended = Ended { code: status.code(), signalled, at, stdout, stderr };
    if most > MOST_DESCRIPTORS {
        return Err(format!("{most} descriptors were open: {}", ended.said()));
    }
    Ok(ended)
}

/// Waits for the end; returns whether a signal was sent, and the most descriptors seen.
fn watch(child: &mut Child, fate: Fate) -> Result<(bool, usize), String> {
    let started = Instant::now();
    let (mut signalled, mut most, mut before) = (false, 0, 0);
    let descriptors = format!("/proc/{}/fd", child.id());
    let mut checks = 0;
    while child.try_wait().unwrap().is_none() {
        checks += 1;
        if checks % COUNT == 0 {
            // Of two counts the lesser holds: a process that is just being started still has those of this one.
            let now = fs::read_dir(&descriptors).map_or(0, Iterator::count);
            most = most.max(now.min(before));
            before = now;
        }
        match fate {
            Fate::Killed(signal, after) if !signalled && started.elapsed() >= after => {
                signalled = true;
                send(child, signal);
            }
            _ if started.elapsed() > LIMIT => {
                child.kill().unwrap();
                child.wait().unwrap();
                return Err(format!("it did not end within {LIMIT:?}"));
            }
            _ => {}
        }
        thread::sleep(CHECK);
    }
    Ok((signalled, most))
}

fn send(child: &mut Child, signal: &str) {
    if signal == "KILL" {
        return child.kill().unwrap();
    }
    // It may have ended by itself meanwhile, but is not reaped: the number is still its own.
    let kill = format!("kill -s {signal} {}", child.id());
    Command::new("sh").args(["-c", &kill]).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
}
