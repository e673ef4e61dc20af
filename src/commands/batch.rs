//! `batch`: the records of a whole order from stdin, one wait, and an answer for each record.

use std::io::Read as _;
use std::sync::Arc;

use serde_json::{Value, json};

use super::Invocation;
use super::context::Context;
use super::stop::{clear_leftovers, run_stoppable};
use crate::challenge::Challenge;
use crate::error::{Context as _, Result};
use crate::exit::Exit;
use crate::hook::batch;
use crate::order::Action;
use crate::report::{Report, error_entry, record_entry};
use crate::solver::{Failure, Outcome, RecordFailure, is_about_upstream};

/// Reads a batch from stdin and works through it.
pub(super) fn run(invocation: &Invocation<'_>, action: Action) -> Result<Exit> {
    let report = invocation.report;
    let call = batch::parse(action, &read()?)?;
    invocation.memory.asked(&call);
    let context = Arc::new(Context::open(invocation)?);
    invocation.memory.opened(&context);
    let outcome = run_stoppable(&context, &call, |call, solver| solver.run_in_parts(call));
    context.tell_warnings();
    let (done, failure) = match outcome {
        Ok(outcome) => (context.with_waits(outcome), None),
        Err(mut failure) => {
            let records = std::mem::take(&mut failure.done);
            // What is broken is told once, whatever the number of records.
            if !failure.failed.is_empty() {
                let RecordFailure { challenge, error } = failure.failed.remove(0);
                failure.failed.insert(0, RecordFailure { challenge, error: invocation.explained(error) });
            }
            (Outcome { records, ..Outcome::default() }, Some(failure))
        }
    };
    invocation.memory.ended(&call, &done, failure.as_ref());
    report.outcome(&done);
    if failure.is_some() && call.action == Action::Add && !done.records.is_empty() {
        report.warning("the records above are still there: remove them with `ipv64-acme batch cleanup`");
    }
    let entries = call.challenges.iter().map(|challenge| entry(challenge, &done, failure.as_ref()));
    report.document(&json!({ "records": entries.collect::<Vec<_>>() }));
    let mut missed = failure.iter().flat_map(|failure| &failure.failed);
    if !missed.any(|missed| is_about_upstream(&missed.error)) {
        clear_leftovers(&context, &call);
    }
    Ok(failure.map_or(Exit::Done, |failure| tell(&failure, report)))
}

/// Reads stdin, one octet further than allowed, so that more can be told from just enough.
fn read() -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let limit = batch::MOST_OCTETS as u64 + 1;
    std::io::stdin().lock().take(limit).read_to_end(&mut text).context("cannot read the batch from stdin")?;
    Ok(text)
}

/// What became of one record, for `--json`. Statuses besides those of a success are `failed` and `not_tried`.
fn entry(challenge: &Challenge, done: &Outcome, failure: Option<&Failure>) -> Value {
    let missed = failure.and_then(|failure| {
        let about = |missed: &&RecordFailure| missed.challenge.as_ref().is_none_or(|missed| missed == challenge);
        failure.failed.iter().find(about)
    });
    let error = missed.map(|missed| error_entry(&missed.error));
    if let Some(solved) = done.records.iter().find(|solved| solved.challenge == *challenge) {
        let mut entry = record_entry(solved, done);
        entry["error"] = error.into();
        return entry;
    }
    json!({
        "name": challenge.name,
        "value": challenge.value,
        "domain": null,
        "status": if error.is_some() { "failed" } else { "not_tried" },
        "seconds": null,
        "error": error,
    })
}

/// Prints every error, and returns the exit code of the worst.
fn tell(failure: &Failure, report: Report) -> Exit {
    let exits = failure.failed.iter().map(|missed| report.error_text(&missed.error));
    exits.max_by_key(|exit| severity(*exit)).unwrap_or(Exit::Failed)
}

/// What somebody has to change weighs more than what passes by itself; beyond that the code decides.
fn severity(exit: Exit) -> (bool, u8) {
    (!matches!(exit, Exit::RateLimit | Exit::NotPropagated | Exit::NoAnswer), exit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_is_worse_than_what_passes() {
        let worst = |exits: &[Exit]| exits.iter().copied().max_by_key(|exit| severity(*exit));
        assert_eq!(worst(&[Exit::NoAnswer, Exit::Key, Exit::RateLimit]), Some(Exit::Key));
        assert_eq!(worst(&[Exit::RateLimit, Exit::NoAnswer]), Some(Exit::NoAnswer));
    }
}
