//! What became of the records of a call, as lines and for the document of `--json`, and what is told on the way there.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Live, Report};
use crate::propagation::{Basis, Ready, Row, ServerStatus};
use crate::solver::{Events, Outcome, Solved, Status};
use crate::time::Waiting;

impl Report {
    /// Prints a line for each record, and the notes.
    pub fn outcome(&self, outcome: &Outcome) {
        for solved in &outcome.records {
            self.line(&describe(solved, outcome));
        }
        for note in &outcome.notes {
            self.line(&format!("  note: {note}"));
        }
    }
}

fn describe(solved: &Solved, outcome: &Outcome) -> String {
    let name = &solved.challenge.name;
    let at = if solved.record == *name { String::new() } else { format!(" (at {})", solved.record) };
    match (solved.status, &outcome.ready) {
        (Status::Ready, Some(ready)) => {
            format!("{name}{at}: {} {:.1} s", readiness(ready), outcome.took.as_secs_f64())
        }
        (Status::Ready | Status::Added, _) => format!("{name}{at}: added"),
        (Status::Removed, _) => format!("{name}{at}: removed"),
        (Status::Missing, _) => format!("{name}{at}: was not there"),
    }
}

/// What the verdict rests on, in words that a time fits behind.
fn readiness(ready: &Ready) -> String {
    match ready.basis {
        Basis::Authoritative => {
            let servers = if ready.rows.len() == 1 { "name server" } else { "name servers" };
            format!("ready on {} of {} {servers} after", ready.serving(), ready.rows.len())
        }
        Basis::Resolvers => "ready according to the configured resolvers after".to_owned(),
        Basis::Https => "ready according to resolvers over HTTPS after".to_owned(),
        Basis::Blind => "added, not checked, after".to_owned(),
    }
}

/// Returns a time as `--json` gives it: in seconds, to the millisecond.
#[must_use]
pub fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}

/// Returns a record as it is in the document of `--json`.
#[must_use]
pub fn record_entry(solved: &Solved, outcome: &Outcome) -> Value {
    json!({
        "name": solved.challenge.name,
        "value": solved.challenge.value,
        "domain": solved.domain,
        "status": solved.status,
        "seconds": outcome.ready.as_ref().map(|_| seconds(outcome.took)),
        "error": null,
    })
}

/// Passes on what the solver tells: the table of servers as lines that are redrawn on a terminal, and with `-v` each
/// change in it.
#[derive(Debug)]
pub struct ProgressReporter {
    report: Report,
    shown: RefCell<Vec<Row>>,
    live: Live,
}

impl ProgressReporter {
    /// Makes one that has told nothing yet.
    #[must_use]
    pub fn new(report: Report) -> Self {
        Self { report, shown: RefCell::default(), live: Live::new(report) }
    }
}

impl Events for ProgressReporter {
    fn step(&self, text: &str) {
        self.live.clear();
        self.report.step(text);
    }

    fn warning(&self, text: &str) {
        self.live.clear();
        self.report.warning(text);
    }

    fn servers(&self, rows: &[Row], waiting: &Waiting) {
        let lines = rows.iter().map(|row| format!("{}: {}", row.host, row.describe()));
        self.live.draw(&std::iter::once(waiting.progress(Instant::now())).chain(lines).collect::<Vec<_>>());
        let shown = self.shown.replace(rows.to_vec());
        for row in rows.iter().filter(|row| row.status != ServerStatus::Unknown) {
            let before = shown.iter().find(|before| before.host == row.host);
            if before.is_none_or(|before| before.status != row.status) {
                self.report.step(&format!("  {}: {}", row.host, row.describe()));
            }
        }
    }
}
