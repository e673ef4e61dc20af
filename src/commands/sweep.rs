//! `sweep`: lists the challenge records that were left behind, and deletes them.
//! Those that hooks remove by themselves in passing are [`crate::solver`]'s.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::context::Context;
use super::status::{age, describe, progress};
use crate::api::{Change, Domain, Record, RecordSpec, RecordType, RetryPolicy};
use crate::challenge::CHALLENGE_LABEL;
use crate::cli::SweepArgs;
use crate::error::{Error, Kind, Result};
use crate::exit::Exit;
use crate::name::DnsName;
use crate::report::{ProgressReporter, Table, error_entry};
use crate::state::{Entry, EntryId, LEFT_OVER_AFTER};
use crate::time::Timestamp;

/// Lists or deletes.
pub(super) fn run(context: &Context, args: &SweepArgs) -> Result<Exit> {
    let mut found = own(context, args.older_than);
    if args.all {
        let domains = context.domains(&RetryPolicy::interactive())?;
        found.extend(of_account(context, args.older_than, &domains));
    }
    let exit = if args.yes { delete(context, args, &mut found) } else { list(context, args, &found) };
    context.report.document(&json!({ "records": found }));
    Ok(exit)
}

/// A record that is left over.
#[derive(Serialize)]
struct Leftover {
    name: String,
    value: String,
    domain: DnsName,
    #[serde(rename = "age_seconds")]
    age: Option<u64>,
    /// The ACME client; nothing for a record that was not added from here.
    client: Option<String>,
    /// How far it has come; nothing for such a record.
    progress: Option<&'static str>,
    #[serde(skip)]
    described: String,
    /// `left`, `removed`, `missing` or `failed`.
    status: &'static str,
    error: Option<Value>,
    #[serde(skip)]
    target: Target,
    #[serde(skip)]
    id: Option<EntryId>,
}

/// How the record is named to the API.
enum Target {
    /// One of the journal.
    Own(Box<Entry>),
    Spec(RecordSpec),
    /// For a name at IPv64 that is none in DNS.
    Number(u64),
}

/// The records of the journal. Those of other accounts are left to their own key.
fn own(context: &Context, older_than: Option<Duration>) -> Vec<Leftover> {
    let entries = context.state.journal(|journal, now| journal.leftovers(older_than, now));
    let (mine, others): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|entry| entry.account == *context.state.account());
    if !others.is_empty() {
        let more = format!("{} more in the journal were added with another API key: see `sweep --all`", others.len());
        context.report.step(&more);
    }
    mine.into_iter().map(|entry| Leftover::of_entry(context, entry)).collect()
}

/// The challenge records of the account that the journal does not have as its own: those that it has with another key
/// may be of this account all the same, since a key can be renewed.
fn of_account(context: &Context, older_than: Option<Duration>, domains: &[Domain]) -> Vec<Leftover> {
    let least = older_than.unwrap_or(LEFT_OVER_AFTER);
    let entries = context.state.journal(|journal, _| journal.entries().to_vec());
    let records = domains.iter().flat_map(|domain| domain.records.iter().map(move |record| (domain, record)));
    let leftover = |(domain, record)| {
        let mut leftover = Leftover::of_record(context, domain, record)?;
        let is_it =
            |entry: &&Entry| *entry.record.as_str() == *leftover.name && *entry.value.as_str() == *leftover.value;
        let known: Vec<&Entry> = entries.iter().filter(is_it).collect();
        let is_own = known.iter().any(|entry| entry.account == *context.state.account());
        leftover.id = known.first().map(|entry| entry.id.clone());
        // Without a known age it may be part of an order that is under way.
        let is_old = leftover.age.map_or_else(|| least.is_zero(), |age| age >= least.as_secs());
        Some(leftover).filter(|_| is_old && !is_own)
    };
    records.filter_map(leftover).collect()
}

impl Leftover {
    /// Whether it is only deleted where an age is given: what this journal does not know may be part of an order of another
    /// host, and the clock of either may be wrong.
    fn needs_age(&self) -> bool {
        self.id.is_none()
    }

    fn of_entry(context: &Context, entry: Entry) -> Self {
        Self {
            age: Some(context.state.age(entry.added_at).as_secs()),
            progress: Some(progress(&entry)),
            described: describe(&entry),
            name: entry.record.to_string(),
            value: entry.value.to_string(),
            domain: entry.domain.clone(),
            client: Some(entry.client.clone()),
            status: "left",
            error: None,
            id: Some(entry.id.clone()),
            target: Target::Own(Box::new(entry)),
        }
    }

    fn of_record(context: &Context, domain: &Domain, record: &Record) -> Option<Self> {
        let name = record.name_in(&domain.name).to_ascii_lowercase();
        if record.record_type != RecordType::TXT || name.split('.').next() != Some(CHALLENGE_LABEL) {
            return None;
        }
        let parsed = DnsName::parse(&name).ok();
        let spec = parsed.and_then(|name| RecordSpec::within(&domain.name, &name, RecordType::TXT, &record.content));
        let changed = record.last_update.as_deref().and_then(Timestamp::parse_provider);
        Some(Self {
            name,
            value: record.content.trim_matches('"').to_owned(),
            domain: domain.name.clone(),
            age: changed.map(|changed| context.state.age(changed).as_secs()),
            client: None,
            progress: None,
            described: "not added from here".to_owned(),
            status: "left",
            error: None,
            target: spec.map(Target::Spec).or_else(|| record.id.map(Target::Number))?,
            id: None,
        })
    }
}

fn list(context: &Context, args: &SweepArgs, found: &[Leftover]) -> Exit {
    let report = context.report;
    let mut table = Table::new(&["RECORD", "VALUE", "CLIENT", "AGE", "PROGRESS"]);
    for leftover in found {
        let age = leftover.age.map_or_else(|| "unknown".to_owned(), |seconds| age(Duration::from_secs(seconds)));
        let client = leftover.client.as_deref().unwrap_or("unknown");
        table.row([&leftover.name, &leftover.value, client, &age, &leftover.described]);
    }
    report.table(&table);
    report.paragraph(
        "",
        &match found.len() {
            0 => "nothing is left over".to_owned(),
            1 => format!("1 record is left over; `{}` deletes it", with_yes(args, found)),
            count => format!("{count} records are left over; `{}` deletes them", with_yes(args, found)),
        },
    );
    Exit::Done
}

/// Returns the command that deletes what this one lists.
fn with_yes(args: &SweepArgs, found: &[Leftover]) -> String {
    let needed = found.iter().any(Leftover::needs_age).then_some(LEFT_OVER_AFTER);
    let age = args.older_than.or(needed).map_or_else(String::new, |age| format!(" --older-than {}", age.as_secs_f64()));
    let all = if args.all { " --all" } else { "" };
    format!("ipv64-acme sweep{age}{all} --yes")
}

/// Deletes one after the other, until something fails that would fail for the next one too.
fn delete(context: &Context, args: &SweepArgs, found: &mut [Leftover]) -> Exit {
    let mut exit = Exit::Done;
    let is_spared = |leftover: &Leftover| leftover.needs_age() && args.older_than.is_none();
    let spared = found.iter().filter(|leftover| is_spared(leftover)).count();
    if spared > 0 {
        context.report.line(&format!(
            "not in this journal, and kept because another host may need them: {spared}; `{}` deletes them too",
            with_yes(args, found)
        ));
    }
    for leftover in found.iter_mut().filter(|leftover| !is_spared(leftover)) {
        if context.interrupted.load(Ordering::Relaxed) {
            context.report.warning("interrupted: the rest is still there");
            return Exit::Failed;
        }
        let Err(error) = delete_one(context, leftover) else {
            let what = if leftover.status == "removed" { "removed" } else { "was not there" };
            context.report.line(&format!("{} {}: {what}", leftover.name, leftover.value));
            continue;
        };
        leftover.status = "failed";
        let is_about_record = matches!(error.kind(), Kind::Rejected | Kind::BrokerNotAllowed);
        let error = error.context(format!("cannot remove the TXT record `{}`", leftover.name));
        leftover.error = Some(error_entry(&error));
        exit = context.report.error_text(&error);
        if !is_about_record {
            return exit;
        }
    }
    if found.is_empty() {
        context.report.line("nothing is left over");
    }
    exit
}

fn delete_one(context: &Context, leftover: &mut Leftover) -> Result<()> {
    let (state, policy) = (&context.state, RetryPolicy::interactive());
    let ids = leftover.id.as_slice();
    state.journal(|journal, now| journal.remove_asked(ids, now));
    let deleted = match &leftover.target {
        Target::Own(entry) => context.solver(&ProgressReporter::new(context.report)).delete(entry, &policy),
        Target::Spec(spec) => context.client()?.delete_record(spec, &policy).map_err(Error::from),
        Target::Number(number) => context.client()?.delete_record_by_id(*number, &policy).map_err(Error::from),
    };
    let deleted = deleted.inspect_err(|_| state.journal(|journal, now| journal.remove_failed(ids, now)))?;
    state.journal(|journal, now| journal.removed(ids, now));
    leftover.status = if deleted == Change::Made { "removed" } else { "missing" };
    Ok(())
}
