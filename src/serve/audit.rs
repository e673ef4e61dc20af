//! The audit log: one JSON line for each decision, in the state directory. Nothing in it is a secret, everything from outside
//! is cleaned, and a log that cannot be written fails no request.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::Warn;
use crate::error::{Error, Kind, Result};
use crate::excerpt::visible_path;
use crate::ownership;
use crate::time::SystemClock;

/// The log, and what it was before it grew too large.
const FILE: &str = "audit.jsonl";
const OLDER: &str = "audit.jsonl.1";
/// The largest log, in bytes.
const LARGEST: u64 = 10_000_000;
/// The longest line that is read, in bytes.
const LONGEST: u64 = 16 * 1024;
/// At most this many addresses of unknown clients have a line in one minute.
const MOST_UNKNOWN: usize = 10;
/// At most this many lines a client has in one hour for what causes no call.
const MOST_OF_CLIENT: u32 = 600;
/// Where the hour and the minute end in a time (RFC 3339), in bytes.
const HOUR: usize = 13;
const MINUTE: usize = 16;

/// One decision.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// When it was made, in UTC (RFC 3339).
    pub time: String,
    /// The client; none for one that is unknown.
    pub client: Option<String>,
    /// The address, or the user on this machine (`uid 1000`).
    pub address: String,
    /// The dialect: `v1`, `httpreq`, `acme-dns`.
    pub dialect: String,
    /// What was asked for: `present`, `cleanup`, `client`, `register`.
    pub action: String,
    /// The name of the challenge.
    pub name: Option<String>,
    /// The name of the record, at the end of all CNAMEs.
    pub record: Option<String>,
    /// What became of it: `done`, `unchanged`, `pending`, `postponed`, `abandoned`, a rule that refuses it, or a kind of error.
    pub outcome: String,
    /// The API calls that were made for its record since the line before.
    pub calls: u64,
    /// How long the answer took, in seconds.
    pub wait_seconds: f64,
    /// How many lines of this client, or of unknown ones, were left out before this one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
}

/// The log of a broker.
pub struct Audit {
    folder: PathBuf,
    warn: Warn,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    /// Whether a person knows that it cannot be written.
    is_told: bool,
    /// How many lines could not be written.
    lost: u64,
    decisions: BTreeMap<[String; 3], u64>,
    shares: Shares,
}

/// Who has had how many lines: whoever sends thousands of requests must not push the lines of others out of the log, nor
/// those of its own that somebody should see.
#[derive(Default)]
struct Shares {
    hour: String,
    of: BTreeMap<Option<String>, Share>,
    minute: String,
    unknown: Vec<String>,
}

#[derive(Default)]
struct Share {
    written: u32,
    left_out: u64,
}

impl Audit {
    /// Opens the log in a state directory. `warn` hears once that it cannot be written any more.
    ///
    /// # Errors
    /// [`Kind::Unwritable`]
    pub fn open(state_dir: &Path, warn: Warn) -> Result<Self> {
        to_append(&state_dir.join(FILE)).map_err(|error| unwritable(state_dir, &error))?;
        Ok(Self { folder: state_dir.to_owned(), warn, log: Mutex::default() })
    }

    /// Writes a line, with the time of now.
    pub fn note(&self, line: &Line) {
        let mut line = Line { time: SystemClock::now().rfc3339(), ..line.clone() };
        let mut log = self.log();
        let decision = [&line.dialect, &line.action, &line.outcome].map(String::clone);
        *log.decisions.entry(decision).or_default() += 1;
        if !log.shares.admit(&mut line) {
            return;
        }
        match append(&self.folder, &line) {
            Ok(()) => log.is_told = false,
            Err(error) => {
                log.lost += 1;
                if !std::mem::replace(&mut log.is_told, true) {
                    drop(log);
                    (self.warn)(
                        &unwritable(&self.folder, &error).context("requests are served without a line in the log"),
                    );
                }
            }
        }
    }

    /// Returns how many lines could not be written since the start.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.log().lost
    }

    /// Returns how many requests there were since the start, by dialect, action and outcome: also those without a line.
    #[must_use]
    pub fn decisions(&self) -> BTreeMap<[String; 3], u64> {
        self.log().decisions.clone()
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shares {
    /// Decides about a line. What has caused a call always has one: the calls are limited themselves.
    fn admit(&mut self, line: &mut Line) -> bool {
        let (hour, minute) = (line.time.get(..HOUR), line.time.get(..MINUTE));
        if hour != Some(&self.hour) {
            hour.unwrap_or_default().clone_into(&mut self.hour);
            self.of.values_mut().for_each(|share| share.written = 0);
        }
        if minute != Some(&self.minute) {
            minute.unwrap_or_default().clone_into(&mut self.minute);
            self.unknown.clear();
        }
        let share = self.of.entry(line.client.clone()).or_default();
        let has_room = if line.client.is_some() {
            share.written < MOST_OF_CLIENT || line.calls > 0
        } else {
            self.unknown.len() < MOST_UNKNOWN && !self.unknown.contains(&line.address)
        };
        if !has_room {
            share.left_out += 1;
            return false;
        }
        if line.client.is_none() {
            self.unknown.push(line.address.clone());
        }
        share.written += 1;
        line.left_out = std::mem::take(&mut share.left_out);
        true
    }
}

/// Appends a line to the file that has the name now: somebody may have moved the one of before away.
fn append(folder: &Path, line: &Line) -> io::Result<()> {
    let path = folder.join(FILE);
    let mut file = to_append(&path)?;
    if file.metadata()?.len() >= LARGEST {
        fs::rename(&path, folder.join(OLDER))?;
        file = to_append(&path)?;
    }
    // A full disk or a power cut may have torn the last line.
    let mut last = [b'\n'];
    if file.metadata()?.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    let end_of_torn = if last == [b'\n'] { "" } else { "\n" };
    file.write_all(format!("{end_of_torn}{}\n", serde_json::to_string(line)?).as_bytes())
}

fn to_append(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)
}

fn unwritable(folder: &Path, error: &io::Error) -> Error {
    let file = visible_path(&folder.join(FILE));
    Error::new(Kind::Unwritable, format!("cannot write the audit log `{file}`: {error}"))
        .advise("make room on its disk, and let the user that runs the broker write to its state directory")
}

/// Reads the last lines that are wanted, the oldest first, and how many lines are damaged.
///
/// # Errors
/// If a log cannot be read; one that is not there is empty.
pub fn read(state_dir: &Path, most: usize, is_wanted: impl Fn(&Line) -> bool) -> Result<(Vec<Line>, u64)> {
    let (mut lines, mut damaged) = (VecDeque::new(), 0);
    for name in [OLDER, FILE] {
        let path = state_dir.join(name);
        let mut each = |line: Option<Line>| match line {
            Some(line) if is_wanted(&line) => {
                lines.push_back(line);
                if lines.len() > most {
                    lines.pop_front();
                }
            }
            Some(_) => {}
            None => damaged += 1,
        };
        match read_file(&path, &mut each) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let problem = format!("cannot read the audit log `{}`: {error}", visible_path(&path));
                return Err(Error::new(Kind::Failed, problem).advise("run this as root, or as the user of the broker"));
            }
            _ => {}
        }
    }
    Ok((lines.into(), damaged))
}

fn read_file(path: &Path, each: &mut impl FnMut(Option<Line>)) -> io::Result<()> {
    let mut file = BufReader::new(ownership::open_regular(path)?);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        if (&mut file).take(LONGEST).read_until(b'\n', &mut bytes)? == 0 {
            return Ok(());
        }
        if !bytes.trim_ascii().is_empty() {
            each(serde_json::from_slice(&bytes).ok());
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde wants")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests;
