//! `status`: the calls left today, and what is open in the journal.

use std::time::Duration;

use serde::Serialize;

use super::context::Context;
use crate::api::RetryPolicy;
use crate::challenge::TxtValue;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::name::DnsName;
use crate::report::Table;
use crate::state::{Entry, Progress, Quota};

/// Shows all of it. The account is read for the quota, since others may use the same key; where it cannot be read, what
/// is known here has to do.
pub(super) fn run(context: &Context) -> Result<Exit> {
    match context.client().account(&RetryPolicy::interactive().with_tries(1)) {
        Ok(account) => context.learn_quota(&account),
        // A key that is refused, or an address that is wrong, does not mend itself.
        Err(error) if !error.is_transient() => {
            return Err(Error::from(error).context("cannot read the account"));
        }
        Err(error) => {
            context.report().warning(&format!("cannot read the account: {error}; this is what is known here"));
        }
    }
    let view = View::new(context);
    let report = context.report();
    report.table(&view.summary());
    report.table(&view.records());
    report.document(&view);
    Ok(Exit::Done)
}

/// All of it, as `--json` gives it. Times are seconds.
#[derive(Serialize)]
struct View {
    api_calls: Calls,
    state_directory: Option<String>,
    open_records: Vec<Open>,
}

#[derive(Serialize)]
struct Calls {
    /// Nothing if there is no limit, or none is known.
    left: Option<u64>,
    limit: Option<u64>,
    made_from_here_today: u64,
    /// Nothing unless the API has refused a call for this reason in the last quarter of an hour.
    used_up_until: Option<String>,
}

#[derive(Serialize)]
struct Open {
    name: DnsName,
    value: TxtValue,
    /// The name that holds the record.
    record: DnsName,
    client: String,
    age: u64,
    progress: String,
}

impl View {
    fn new(context: &Context) -> Self {
        let state = context.state();
        let Quota { remaining, limit, calls_today, used_up_until, .. } =
            context.usage(|usage, now| usage.daily.quota(now));
        let entries = state.journal(|journal, _| journal.entries().to_vec()).into_iter();
        let entries = entries.filter(|entry| entry.account == *context.account());
        let open = |entry: Entry| Open {
            age: state.age(entry.added_at).as_secs(),
            progress: describe(&entry),
            name: entry.name,
            value: entry.value,
            record: entry.record,
            client: entry.client,
        };
        Self {
            api_calls: Calls {
                left: remaining,
                limit,
                made_from_here_today: calls_today,
                used_up_until: used_up_until.map(|until| until.to_string()),
            },
            state_directory: state.directory().map(|path| path.display().to_string()),
            open_records: entries.map(open).collect(),
        }
    }

    fn summary(&self) -> Table {
        let Calls { left, limit, made_from_here_today, used_up_until } = &self.api_calls;
        let calls = match (left, limit, used_up_until) {
            (_, _, Some(until)) => format!("used up until {until} (midnight in Germany)"),
            (Some(left), Some(limit), None) => {
                format!("{left} of {limit} left today, {made_from_here_today} made from here")
            }
            _ => format!("no limit known, {made_from_here_today} made from here today"),
        };
        let open = if self.open_records.is_empty() { "none".to_owned() } else { self.open_records.len().to_string() };
        let mut table = Table::default();
        table.row(["API calls", &calls]);
        table.row(["state directory", self.state_directory.as_deref().unwrap_or("none: nothing outlives a call")]);
        table.row(["open records", &open]);
        table
    }

    fn records(&self) -> Table {
        let mut table = Table::new(&["RECORD", "VALUE", "CLIENT", "AGE", "PROGRESS"]);
        for open in &self.open_records {
            let age = age(Duration::from_secs(open.age));
            table.row([open.record.as_str(), open.value.as_str(), &open.client, &age, &open.progress]);
        }
        table
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
