//! What is kept of a hook call once it has ended, however it did: an entry of the history, a line in the system's log, and the
//! command of `on_failure`. None of them ever holds up or fails a call.

use std::cell::RefCell;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Invocation;
use super::context::Context;
use super::on_failure;
use crate::challenge::Challenge;
use crate::error::Error;
use crate::excerpt::excerpt;
use crate::exit::Exit;
use crate::order::{Action, Call};
use crate::propagation::{NotReady, Row};
use crate::report::{masked, seconds};
use crate::settings::Settings;
use crate::solver::{Failure, Outcome, RecordFailure};
use crate::state::{Account, PastCall, PastRecord, PastServer, State};
use crate::time::SystemClock;

/// The most records and servers of one call that are kept, and characters of a text.
const MOST_RECORDS: usize = 30;
const MOST_SERVERS: usize = 16;
const LONGEST: usize = 300;
/// The longest line for the system's log, in characters: some daemons cut at 1024 octets (RFC 3164 section 4.1).
const LONGEST_LINE: usize = 700;
/// Where the system's log listens; journald does too.
const SYSTEM_LOG: &str = "/dev/log";
/// Priorities of the facility "daemon" (3): error and information.
const ERROR: u8 = 3 * 8 + 3;
const INFORMATION: u8 = 3 * 8 + 6;

/// What is known of the call under way.
pub(super) struct Memory {
    began: Instant,
    call: RefCell<Option<PastCall>>,
    context: RefCell<Option<Arc<Context>>>,
}

impl Memory {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), call: RefCell::default(), context: RefCell::default() }
    }

    /// Hears what is asked for: until more is known, all of it has failed.
    pub(super) fn asked(&self, call: &Call) {
        let names = call.challenges.iter().take(MOST_RECORDS).map(|challenge| challenge.name.to_string());
        let records = names.map(|name| PastRecord { name, status: "failed".to_owned() }).collect();
        let action = match call.action {
            Action::Add => "add",
            Action::Remove => "remove",
        };
        let call =
            PastCall { client: call.client.to_owned(), action: action.to_owned(), records, ..PastCall::default() };
        *self.call.borrow_mut() = Some(call);
    }

    /// Hears that settings and key are there.
    pub(super) fn opened(&self, context: &Arc<Context>) {
        *self.context.borrow_mut() = Some(Arc::clone(context));
    }

    /// Returns what the call has waited for in vain.
    pub(super) fn waits(&self) -> Vec<String> {
        self.context.borrow().as_ref().map(|context| context.waits.notes()).unwrap_or_default()
    }

    /// Hears what was done, and why it was not all.
    pub(super) fn ended(&self, asked: &Call, done: &Outcome, failure: Option<&Failure>) {
        if let Some(call) = &mut *self.call.borrow_mut() {
            for (record, challenge) in call.records.iter_mut().zip(&asked.challenges) {
                record.status = status(challenge, done, failure).to_owned();
            }
            call.servers = done.ready.as_ref().map(|ready| servers(&ready.rows)).unwrap_or_default();
            if let Some(first) = failure.and_then(|failure| failure.failed.first()) {
                explain(call, &first.error);
            }
        }
    }

    /// Notes how the call has ended; nothing for one that was none of ours.
    pub(super) fn note(&self, invocation: &Invocation<'_>, exit: Exit, error: Option<&Error>) {
        let mut call = match (self.call.take(), error) {
            (Some(call), _) => call,
            (None, Some(_)) => PastCall { client: invocation.word().to_owned(), ..PastCall::default() },
            (None, None) => return,
        };
        if let Some(error) = error {
            explain(&mut call, error);
        }
        call.exit_code = exit as u8;
        call.seconds = seconds(self.began.elapsed());
        let context = self.context.take();
        let (state, command) = match &context {
            Some(context) => {
                call.account = context.state.account().clone();
                call.api_calls = context.requests();
                (Some(context.state.clone()), context.settings.on_failure.clone())
            }
            // The key is not known yet, or not to be had; now it is masked if it can be.
            None => without_key(invocation),
        };
        call.client = clean(&call.client);
        call.message = call.message.as_deref().map(clean);
        call.records.iter_mut().for_each(|record| record.name = clean(&record.name));
        tell_system(&call);
        state.inspect(|state| state.note_call(call.clone()));
        // A person who types a command sees what it says.
        if let Some(command) = command.filter(|_| exit != Exit::Done && invocation.word() != "test") {
            on_failure::start(&command, &call, invocation.environment);
        }
        if let Some(context) = context {
            context.tell_warnings();
        }
    }
}

/// Opens the state directory, in which the history is every account's, and looks what to run on a failure.
fn without_key(invocation: &Invocation<'_>) -> (Option<State>, Option<String>) {
    let settings = invocation.sources().and_then(|sources| Settings::load(&sources));
    let Ok(Settings { state_dir, on_failure, .. }) = settings else { return (None, None) };
    (Some(State::open(state_dir.as_deref(), Account::default(), Arc::new(SystemClock))), on_failure)
}

fn explain(call: &mut PastCall, error: &Error) {
    call.kind = Some(error.kind().as_str().to_owned());
    call.message = Some(error.to_string());
    if let Some(not_ready) = error.find::<NotReady>() {
        call.servers = servers(&not_ready.rows);
    }
}

/// What became of one record, in the words of `--json`.
fn status(challenge: &Challenge, done: &Outcome, failure: Option<&Failure>) -> &'static str {
    let is_about = |missed: &RecordFailure| missed.challenge.as_ref().is_none_or(|missed| missed == challenge);
    match done.records.iter().find(|solved| solved.challenge == *challenge) {
        Some(solved) => solved.status.as_str(),
        None if failure.is_some_and(|failure| failure.failed.iter().any(is_about)) => "failed",
        None => "not_tried",
    }
}

fn servers(rows: &[Row]) -> Vec<PastServer> {
    let server = |row: &Row| PastServer { server: row.host.to_string(), seconds: row.after.map(seconds) };
    rows.iter().take(MOST_SERVERS).map(server).collect()
}

fn clean(text: &str) -> String {
    excerpt(&masked(text), LONGEST)
}

/// Says what became of a call, in one line.
pub(super) fn summary(call: &PastCall) -> String {
    let what = [&call.client, &call.action, call.names().as_str()].map(str::trim).join(" ");
    let end = match (&call.kind, &call.message) {
        (Some(kind), Some(message)) => format!("failed [{kind}]: {message}"),
        _ if call.exit_code != 0 => format!("failed with exit code {}", call.exit_code),
        _ => "done".to_owned(),
    };
    let time = Duration::try_from_secs_f64(call.seconds).unwrap_or_default().as_secs_f64();
    format!("{}: {end} ({time:.1} s)", what.trim())
}

/// Tells the system's log, where there is one that takes it at once.
fn tell_system(call: &PastCall) {
    let priority = if call.exit_code == 0 { INFORMATION } else { ERROR };
    let line = format!("<{priority}>ipv64-acme[{}]: {}", std::process::id(), summary(call));
    let sent = UnixDatagram::unbound().and_then(|socket| {
        socket.set_nonblocking(true)?;
        socket.send_to(excerpt(&line, LONGEST_LINE).as_bytes(), SYSTEM_LOG)
    });
    // There is none, or it is busy: nothing waits for it.
    sent.ok();
}
