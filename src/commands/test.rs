//! `test`: a whole challenge without a CA. Adds a random value, waits as a hook would, shows the time of each server, and
//! deletes the record again, also where the wait has failed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};

use super::context::Context;
use super::stop::{clear_leftovers, run_stoppable};
use super::{Invocation, invalid_argument};
use crate::challenge::{Challenge, TxtValue};
use crate::error::{Context as _, Kind, Result};
use crate::exit::Exit;
use crate::name::DnsName;
use crate::order::{Action, Call};
use crate::propagation::Row;
use crate::report::{ProgressReporter, Report, Table, error_entry, record_entry, seconds};
use crate::solver::Outcome;

/// How long after a signal the removal may begin; one that has begun has the time of [`run_stoppable`].
const MOMENT: Duration = Duration::from_millis(300);

/// Tries a challenge for each domain, all at once.
pub(super) fn run(invocation: &Invocation<'_>, domains: &[DnsName]) -> Result<Exit> {
    let context = Arc::new(Context::open(invocation)?);
    if context.settings.propagation_timeout.is_zero() {
        let hint = "set it to the seconds that a hook may wait, for example --propagation-timeout 180";
        let problem = "0 means do not wait, and `test` tries the wait";
        return Err(invalid_argument("IPV64_PROPAGATION_TIMEOUT", problem, hint));
    }
    let add = Call::new("test", Action::Add, challenges(domains)?);
    invocation.memory.asked(&add);
    invocation.memory.opened(&context);
    let added: Result<Outcome> = run_stoppable(&context, &add, |call, solver| solver.run(call));
    let added = added.map(|done| context.with_waits(done));
    let removed = if added.is_ok() || is_open(&context, &add) { Some(remove(&context, &add)) } else { None };
    context.tell_warnings();
    let added = added.map_err(|error| match error.kind() {
        // What is open has changed since.
        Kind::Interrupted => context.solver(&ProgressReporter::new(context.report)).interruption(&add, &[]).into(),
        _ => error,
    })?;
    invocation.memory.ended(&add, &added, None);
    let exit = show(&added, removed, invocation.report);
    clear_leftovers(&context, &add);
    exit
}

/// One random value for each domain; a domain and its wildcard share one record name, and one value is enough to see it.
fn challenges(domains: &[DnsName]) -> Result<Vec<Challenge>> {
    let bare: BTreeSet<_> = domains.iter().map(DnsName::without_wildcard).collect();
    let challenge = |domain: &DnsName| {
        let value = TxtValue::random().map_err(|_| std::io::Error::other("the system has no random numbers"))?;
        Challenge::for_identifier(domain, value).map_err(|error| std::io::Error::other(error).into())
    };
    bare.iter().map(challenge).collect()
}

fn is_open(context: &Context, call: &Call) -> bool {
    let account = context.state.account();
    context.state.journal(|journal, _| {
        let is_open = |one: &Challenge| !journal.find(account, &one.name, Some(&one.value)).is_empty();
        call.challenges.iter().any(is_open)
    })
}

fn remove(context: &Arc<Context>, add: &Call) -> Result<Outcome> {
    // After a signal there is a moment for it.
    if context.interrupted.swap(false, Ordering::Relaxed) {
        let interrupted = Arc::clone(&context.interrupted);
        let end = move || {
            std::thread::sleep(MOMENT);
            interrupted.store(true, Ordering::Relaxed);
        };
        std::thread::Builder::new().spawn(end).context("cannot start a thread")?;
    }
    let call = Call { action: Action::Remove, ..add.clone() };
    run_stoppable(context, &call, |call, solver| solver.run(call))
}

fn show(added: &Outcome, removed: Option<Result<Outcome>>, report: Report) -> Result<Exit> {
    let rows = added.ready.as_ref().map(|ready| ready.rows.as_slice()).unwrap_or_default();
    report.outcome(added);
    let mut table = Table::default();
    for row in rows {
        table.row([&row.host.to_string(), &row.describe()]);
    }
    report.table(&table);
    let removed = removed.transpose();
    if let Ok(Some(removed)) = &removed {
        report.outcome(removed);
    }
    let servers: Vec<Value> = rows.iter().map(server_entry).collect();
    report.document(&json!({
        "records": added.records.iter().map(|solved| record_entry(solved, added)).collect::<Vec<_>>(),
        "servers": servers,
        "notes": added.notes,
        "removed": removed.is_ok(),
        "error": removed.as_ref().err().map(error_entry),
    }));
    // The document has told of the error already.
    Ok(removed.map_or_else(|error| report.error_text(&error), |_| Exit::Done))
}

fn server_entry(row: &Row) -> Value {
    json!({
        "name": row.host.name(),
        "address": row.host.address().map(|address| address.ip().to_string()),
        "seconds": row.after.map(seconds),
        "status": row.status,
        "text": row.describe(),
    })
}
