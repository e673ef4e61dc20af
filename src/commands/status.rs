//! `status`: the calls left today, what is open in the journal, and the last hook calls.

use std::time::Duration;

use serde_json::json;

use super::context::Context;
use super::{history, memory};
use crate::api::{Client, RetryPolicy};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::report::Table;
use crate::solver::Upstream;
use crate::state::{Account, Entry, PastCall, Progress, Quota};
use crate::time::Timestamp;

/// So many of the last hook calls are shown.
const LAST_CALLS: usize = 5;

/// Shows all of it. The account is read for the quota, since others may use the same key; where it cannot be read, what
/// is known here has to do.
pub(super) fn run(context: &Context) -> Result<Exit> {
    if let Upstream::Api(client) = &context.upstream {
        read_quota(context, client)?;
    }
    let broker = context.settings.broker.as_ref().map(ToString::to_string);
    let state = &context.state;
    let (quota, down_since) = state.usage(|usage, now| (usage.daily.quota(), usage.outage.down_since(now)));
    let mut open = state.journal(|journal, _| journal.entries().to_vec());
    open.retain(|entry| entry.account == *context.state.account());
    let kept = state.journal(|journal, _| journal.calls_owed(state.account(), &[]));
    let directory = state.directory().map(|path| path.display().to_string());
    let from =
        broker.as_deref().map_or_else(|| calls_left(&quota, kept), |broker| ["broker", broker].map(str::to_owned));
    context.report.table(&summary(from, down_since, directory.as_deref(), open.len()));
    let mut records = Table::new(&["RECORD", "VALUE", "CLIENT", "AGE", "PROGRESS"]);
    let mut entries = Vec::new();
    for entry in &open {
        let age_of = state.age(entry.added_at);
        records.row([entry.record.as_str(), entry.value.as_str(), &entry.client, &age(age_of), &describe(entry)]);
        entries.push(json!({
            "name": entry.name,
            "value": entry.value,
            "record": entry.record,
            "client": entry.client,
            "age_seconds": age_of.as_secs(),
            "progress": progress(entry),
        }));
    }
    context.report.table(&records);
    let calls = state.past_calls();
    // A call that found no key has no account, and is this one's as far as anybody knows.
    let is_ours = |call: &&PastCall| [state.account(), &Account::default()].contains(&&call.account);
    let calls: Vec<_> = calls.iter().filter(is_ours).collect();
    let failure = calls.iter().enumerate().find(|(at, call)| is_standing_failure(call, &calls[..*at]));
    let failure = failure.map(|(_, call)| *call);
    let mut last = Table::default();
    failure.into_iter().for_each(|call| last.row(["last failure", &call.at.to_string(), &memory::summary(call)]));
    let recent = &calls[..calls.len().min(LAST_CALLS)];
    recent.iter().for_each(|call| last.row(["last calls", &call.at.to_string(), &memory::summary(call)]));
    context.report.table(&last);
    context.report.document(&json!({
        // Nothing where this machine has the key; with a broker, nothing is known here of the calls.
        "broker": broker,
        "api_calls": {
            // Nothing if there is no limit, or none is known.
            "left": quota.remaining,
            "limit": quota.limit,
            // For open records: nothing is added at their expense.
            "kept": kept,
            "made_from_here_today": quota.calls_today,
            // Nothing unless the API has refused a call for this reason in the last quarter of an hour.
            "used_up_until": quota.used_up_until.map(Timestamp::rfc3339),
        },
        // Nothing unless calls have given up since, and none has got an answer.
        "no_answer_since": down_since.map(Timestamp::rfc3339),
        "state_directory": directory,
        "open_records": entries,
        // As `history` has them; nothing where each name has succeeded since.
        "last_failure": failure.map(history::entry),
        "last_calls": recent.iter().map(|call| history::entry(call)).collect::<Vec<_>>(),
    }));
    Ok(Exit::Done)
}

/// Whether a call failed, and none of the later ones that succeeded did the same for one of its names.
fn is_standing_failure(call: &PastCall, later: &[&PastCall]) -> bool {
    let is_mended = |other: &&PastCall| {
        let has = |name: &str| other.records.iter().any(|record| record.name == name);
        let is_same = || other.action == call.action && call.records.iter().any(|record| has(&record.name));
        other.exit_code == 0 && (call.records.is_empty() || is_same())
    };
    call.exit_code != 0 && !later.iter().any(is_mended)
}

fn read_quota(context: &Context, client: &Client) -> Result<()> {
    match client.account(&RetryPolicy::interactive().with_tries(1)) {
        Ok(account) => context.learn_quota(&account),
        // A key that is refused, or an address that is wrong, does not mend itself.
        Err(error) if !error.is_transient() => {
            return Err(Error::from(error).context("cannot read the account"));
        }
        Err(error) => {
            context.report.warning(&format!("cannot read the account: {error}; these are the last known values"));
        }
    }
    Ok(())
}

/// Says what is left of the day's calls.
fn calls_left(quota: &Quota, kept: usize) -> [String; 2] {
    let made = quota.calls_today;
    let calls = match (quota.remaining, quota.limit, &quota.used_up_until) {
        (_, _, Some(until)) => format!("used up until {until} (midnight in Germany)"),
        (Some(left), Some(limit), None) => {
            format!("{left} of {limit} left today, {made} made from here; open records still take {kept}")
        }
        _ => format!("no limit known, {made} made from here today"),
    };
    ["API calls".to_owned(), calls]
}

fn summary(from: [String; 2], down_since: Option<Timestamp>, directory: Option<&str>, open: usize) -> Table {
    let open = if open == 0 { "none".to_owned() } else { open.to_string() };
    let mut table = Table::default();
    table.row(from.each_ref().map(String::as_str));
    if let Some(since) = down_since {
        table.row(["IPv64", &format!("no answer since {since}: hooks try once in half a minute")]);
    }
    table.row(["state directory", directory.unwrap_or("none: nothing is kept between calls")]);
    table.row(["open records", &open]);
    table
}

/// How far a record has come, for programs.
pub(super) const fn progress(entry: &Entry) -> &'static str {
    match entry.progress {
        Progress::Intended => "intended",
        Progress::Confirmed => "added",
        Progress::Ready { .. } => "ready",
        Progress::RemoveAsked { failed: true, .. } => "remove_failed",
        Progress::RemoveAsked { failed: false, .. } => "removing",
    }
}

/// Says how far a record has come.
pub(super) fn describe(entry: &Entry) -> String {
    match entry.progress {
        Progress::Intended => "perhaps added".to_owned(),
        Progress::Confirmed => "added".to_owned(),
        Progress::Ready { .. } => "served by all name servers".to_owned(),
        Progress::RemoveAsked { failed: true, tries: 1, .. } => "removal failed once".to_owned(),
        Progress::RemoveAsked { failed: true, tries, .. } => format!("removal failed {tries} times"),
        Progress::RemoveAsked { failed: false, .. } => "being removed".to_owned(),
    }
}

/// Writes an age as people say it: its largest unit, and the next one.
pub(super) fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short() {
        let table =
            [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (3661, "1 h 1 min"), (180_000, "2 d 2 h")];
        for (seconds, text) in table {
            assert_eq!(age(Duration::from_secs(seconds)), text);
        }
    }
}
