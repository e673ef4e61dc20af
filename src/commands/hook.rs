//! The verbs that ACME clients call: understand, solve, report.

use std::cell::RefCell;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::context::Context;
use super::stop::{clear_leftovers, run_stoppable};
use crate::cli::{Cli, ClientCall, HookArgs};
use crate::error::Result;
use crate::exit::Exit;
use crate::hook::{self, HookError, Request, lego::Form};
use crate::order::{Action, Call};
use crate::propagation::{Basis, Ready, Row, ServerStatus};
use crate::report::{Live, Report};
use crate::settings::Environment;
use crate::solver::{Events, Outcome, Solved, Status, is_about_api};

/// `auth`: certbot's manual auth hook.
pub(super) fn auth(cli: &Cli, args: &HookArgs, environment: &Environment, report: Report) -> Result<Exit> {
    if args.identifier || !args.args.is_empty() {
        let hint = "`auth` is certbot's and takes no arguments; use `ipv64-acme present NAME VALUE`";
        return Err(HookError::new("`auth` does not take arguments", hint).into());
    }
    let call = hook::certbot::parse(Action::Add, &|name| environment.get(name))?;
    solve(cli, &call, environment, report)
}

/// `present` and `cleanup`: by arguments, or for `cleanup` without any by certbot's variables.
pub(super) fn record(
    cli: &Cli,
    (action, hook): (Action, &HookArgs),
    (argv, environment): (&[OsString], &Environment),
    report: Report,
) -> Result<Exit> {
    let args = hook::texts(&hook.args)?;
    let call = if hook.identifier {
        hook::identifier::parse(action, &args)?
    } else if args.is_empty() && action == Action::Remove {
        hook::certbot::parse(action, &|name| environment.get(name))?
    } else {
        // No name and no value is `--`, so one in argv is the separator that only lego's RAW mode sends.
        let form = if argv.iter().any(|arg| arg == "--") { Form::Raw } else { Form::Record };
        hook::lego::parse(action, form, &args)?
    };
    solve(cli, &call, environment, report)
}

/// The verb of one client.
pub(super) fn client(cli: &Cli, call: &ClientCall, environment: &Environment, report: Report) -> Result<Exit> {
    let args = hook::texts(&call.args)?;
    let request = call.verb.parse(&args, &|name| environment.get(name))?;
    if !matches!(request, Request::Nothing(_)) {
        super::warn_of_unknown(environment, report);
    }
    match request {
        Request::Solve(call) => solve(cli, &call, environment, report),
        Request::Nothing(exit) => Ok(exit),
        Request::RemoveAllAt(name) => {
            let context = Context::open(cli, environment, report)?;
            let events = Told::new(report);
            let all = context.solver(&events).all_at(&name);
            solve_in(&Arc::new(context), &all)
        }
    }
}

fn solve(cli: &Cli, call: &Call, environment: &Environment, report: Report) -> Result<Exit> {
    solve_in(&Arc::new(Context::open(cli, environment, report)?), call)
}

fn solve_in(context: &Arc<Context>, call: &Call) -> Result<Exit> {
    let work = call.clone();
    let outcome = run_stoppable(context, call, move |solver| solver.run(&work));
    context.tell_warnings();
    if let Ok(outcome) = &outcome {
        show(outcome, context.report());
    }
    if !outcome.as_ref().is_err_and(is_about_api) {
        clear_leftovers(context, call);
    }
    outcome.map(|_| Exit::Done)
}

/// Prints what became of the records, as text or as the document of `--json`.
fn show(outcome: &Outcome, report: Report) {
    show_lines(outcome, report);
    report.document(&document(outcome));
}

/// Prints a line for each record, and the notes.
pub(super) fn show_lines(outcome: &Outcome, report: Report) {
    for solved in &outcome.records {
        report.line(&describe(solved, outcome));
    }
    for note in &outcome.notes {
        report.line(&format!("  note: {note}"));
    }
}

fn describe(solved: &Solved, outcome: &Outcome) -> String {
    let name = &solved.challenge.name;
    let at = if solved.record == *name { String::new() } else { format!(" (at {})", solved.record) };
    match (solved.status, &outcome.ready) {
        (Status::Ready, Some(ready)) => {
            format!("{name}{at}: {} {:.1} s", readiness(ready), ready.waited.as_secs_f64())
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
        Basis::Resolvers => "ready, as the configured resolvers see it, after".to_owned(),
        Basis::Https => "ready, as resolvers over HTTPS see it, after".to_owned(),
        Basis::Blind => "added, not checked, after".to_owned(),
    }
}

/// A time as `--json` gives it: in seconds, to the millisecond.
pub(super) fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}

fn document(outcome: &Outcome) -> Value {
    json!({ "records": outcome.records.iter().map(|solved| record_entry(solved, outcome)).collect::<Vec<_>>() })
}

/// One record in the document of `--json`.
pub(super) fn record_entry(solved: &Solved, outcome: &Outcome) -> Value {
    json!({
        "name": solved.challenge.name,
        "value": solved.challenge.value,
        "domain": solved.domain,
        "status": solved.status,
        "seconds": outcome.ready.as_ref().map(|ready| seconds(ready.waited)),
        "error": null,
    })
}

/// Passes on what the solver tells: the table of servers as lines that are redrawn on a terminal, and with `-v` each
/// change in it.
pub(super) struct Told {
    report: Report,
    shown: RefCell<Vec<Row>>,
    live: Live,
}

impl Told {
    pub(super) fn new(report: Report) -> Self {
        Self { report, shown: RefCell::default(), live: Live::new(report) }
    }
}

impl Events for Told {
    fn step(&self, text: &str) {
        self.live.clear();
        self.report.step(text);
    }

    fn warning(&self, text: &str) {
        self.live.clear();
        self.report.warning(text);
    }

    fn servers(&self, rows: &[Row]) {
        self.live.draw(&rows.iter().map(|row| format!("{}: {}", row.host, row.describe())).collect::<Vec<_>>());
        let shown = self.shown.replace(rows.to_vec());
        for row in rows.iter().filter(|row| row.status != ServerStatus::Unknown) {
            let before = shown.iter().find(|before| before.host == row.host);
            if before.is_none_or(|before| before.status != row.status) {
                self.report.step(&format!("  {}: {}", row.host, row.describe()));
            }
        }
    }
}
