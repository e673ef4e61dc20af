//! `record list`, `record add`, `record delete`.

use serde_json::{Value, json};

use super::context::Context;
use super::domain::no_such_domain;
use super::invalid_argument;
use crate::account::AccountError;
use crate::api::{ApiError, Change, Domain, Record, RecordSpec, RecordType, RetryPolicy, check_content};
use crate::cli::{RecordAddArgs, RecordCommand, RecordDeleteArgs, RecordListArgs, SecretArgs};
use crate::error::{Context as _, Error, Result};
use crate::excerpt::{excerpt, visible};
use crate::exit::Exit;
use crate::name::DnsName;
use crate::report::ProgressReporter;
use crate::solver::Domains;

/// Runs one of the commands.
pub(super) fn run(context: &Context, command: &RecordCommand) -> Result<Exit> {
    match command {
        RecordCommand::List(args) => list(context, args),
        RecordCommand::Add(args) => add(context, args),
        RecordCommand::Delete(args) => delete(context, args),
    }
}

/// Checks what can be checked without settings, so that a mistake is told before anything else is looked at.
pub(super) fn check(command: &RecordCommand) -> Result<()> {
    match command {
        RecordCommand::List(RecordListArgs { record_type: Some(name), .. }) => record_type(name).map(drop),
        RecordCommand::List(_) => Ok(()),
        RecordCommand::Add(args) => {
            let wanted = record_type(&args.record_type)?;
            let hint = "--unchecked sends it anyway";
            if args.unchecked {
                return Ok(());
            }
            if !RecordType::DOCUMENTED.contains(&wanted.as_str()) {
                return Err(unknown_type(wanted.as_str(), hint));
            }
            check_content(&wanted, &args.content).map_err(|error| invalid_argument("CONTENT", &error.to_string(), hint))
        }
        RecordCommand::Delete(args) => Target::of(args).map(drop),
    }
}

fn record_type(name: &str) -> Result<RecordType> {
    let found = RecordType::from_name(name);
    if found.as_str().is_empty() || !found.as_str().bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(unknown_type(name, "a type has letters and digits, such as TXT"));
    }
    Ok(found)
}

fn unknown_type(name: &str, hint: &str) -> Error {
    let known = RecordType::DOCUMENTED.join(", ");
    invalid_argument("TYPE", &format!("`{}` is not one of {known}", excerpt(name, 40)), hint)
}

fn list(context: &Context, args: &RecordListArgs) -> Result<Exit> {
    let domains = context.domains(&RetryPolicy::interactive())?;
    if let Some(name) = args.of.as_ref().filter(|name| !domains.iter().any(|domain| domain.name == **name)) {
        return Err(no_such_domain(name, domains));
    }
    let wanted = args.record_type.as_deref().map(record_type).transpose()?;
    // A prefix can be written at IPv64 that is no name here; such a text is compared as it is.
    let spelled = |text: &String| DnsName::parse(text).map_or_else(|_| text.clone(), |name| name.to_string());
    let name = args.name.as_ref().map(spelled);
    let of = domains.iter().filter(|domain| args.of.as_ref().is_none_or(|name| domain.name == *name));
    let mut found: Vec<_> = of.flat_map(|domain| domain.records.iter().map(move |record| (domain, record))).collect();
    found.retain(|(domain, record)| {
        wanted.as_ref().is_none_or(|wanted| *wanted == record.record_type)
            && name.as_ref().is_none_or(|name| record.name_in(&domain.name).eq_ignore_ascii_case(name))
    });
    let mut columns = vec![("ID", "id"), ("NAME", "name"), ("TYPE", "type"), ("TTL", "ttl_seconds")];
    columns.extend([("LAST UPDATE", "last_update"), ("CONTENT", "content")]);
    columns.extend(args.secrets.show_secrets.then_some(("RECORD KEY", "key")));
    let entries: Vec<_> = found.iter().map(|(domain, record)| entry(domain, record, args.secrets)).collect();
    context.report.list("records", &columns, &entries);
    Ok(Exit::Done)
}

fn add(context: &Context, args: &RecordAddArgs) -> Result<Exit> {
    let wanted = record_type(&args.record_type)?;
    let policy = RetryPolicy::interactive();
    let spec = spec(context, &args.name, wanted.clone(), &args.content)?;
    let added = context.client()?.add_record(&spec, &policy).inspect_err(|error| {
        // The domain may have come from the cache and be gone.
        if matches!(error.cause(), ApiError::Rejected { .. }) {
            context.state.usage(|usage, _| usage.domains.forget());
        }
    });
    let added = added.with_context(|| format!("cannot add the {wanted} record `{}`", args.name))?;
    let (said, status) = match added {
        Change::Made => ("added", "added"),
        Change::HeldBefore => ("was there already", "already_there"),
    };
    context.report.line(&format!("{} {wanted} {}: {said}", args.name, visible(&args.content)));
    context.report.document(&json!({ "record": document(&args.name, &spec), "status": status }));
    Ok(Exit::Done)
}

/// What to delete.
enum Target {
    Id(u64),
    Record(DnsName, RecordType, String),
}

impl Target {
    fn of(args: &RecordDeleteArgs) -> Result<Self> {
        let (Some(name), Some(content)) = (&args.record_type, &args.content) else {
            let hint = "give a number as `record list` shows it, or NAME TYPE CONTENT";
            let problem = format!("`{}` is not a record number", excerpt(&args.target, 80));
            return args.target.parse().map(Self::Id).map_err(|_| invalid_argument("ID", &problem, hint));
        };
        let hint = "give the full name of the record, such as _acme-challenge.name.ipv64.net";
        let target = DnsName::parse(&args.target);
        let target = target.map_err(|error| invalid_argument("NAME", &error.to_string(), hint))?;
        if content.is_empty() {
            return Err(invalid_argument("CONTENT", "it is empty", "give it exactly as `record list` shows it"));
        }
        Ok(Self::Record(target, record_type(name)?, content.clone()))
    }
}

fn delete(context: &Context, args: &RecordDeleteArgs) -> Result<Exit> {
    let policy = RetryPolicy::interactive();
    let (deleted, label, record) = match Target::of(args)? {
        Target::Id(id) => {
            let deleted = context.client()?.delete_record_by_id(id, &policy);
            let deleted = deleted.with_context(|| format!("cannot delete the record {id}"))?;
            (deleted, format!("record {id}"), json!({ "id": id }))
        }
        Target::Record(name, wanted, content) => {
            let spec = spec(context, &name, wanted.clone(), &content)?;
            let deleted = context.client()?.delete_record(&spec, &policy);
            let deleted = deleted.with_context(|| format!("cannot delete the {wanted} record `{name}`"))?;
            (deleted, format!("{name} {wanted} {}", visible(&content)), document(&name, &spec))
        }
    };
    let (said, status) = match deleted {
        Change::Made => ("deleted", "deleted"),
        Change::HeldBefore => ("was not there", "missing"),
    };
    context.report.line(&format!("{label}: {said}"));
    context.report.document(&json!({ "record": record, "status": status }));
    Ok(Exit::Done)
}

/// Names a record to the API, with the domain of the account that holds it: that of the setting, of the cache, of the account.
fn spec(context: &Context, name: &DnsName, record_type: RecordType, content: &str) -> Result<RecordSpec> {
    let events = ProgressReporter::new(context.report);
    let domain = context.solver(&events).domain_of((name, None), Domains::Cached, &RetryPolicy::interactive())?;
    let outside = AccountError::NotBelow { name: name.clone(), domain: domain.clone() };
    Ok(RecordSpec::within(&domain, name, record_type, content).ok_or(outside)?)
}

fn document(name: &DnsName, spec: &RecordSpec) -> Value {
    json!({
        "name": name,
        "domain": spec.domain,
        "prefix": spec.prefix,
        "type": spec.record_type.as_str(),
        "content": spec.content,
    })
}

/// A record as `--json` gives it.
fn entry(domain: &Domain, record: &Record, secrets: SecretArgs) -> Value {
    json!({
        "id": record.id,
        "name": record.name_in(&domain.name),
        "domain": domain.name,
        "prefix": record.prefix,
        "type": record.record_type.as_str(),
        "content": record.content,
        "ttl_seconds": record.ttl,
        "last_update": record.last_update,
        "key": secrets.text(record.key.as_ref()),
        "failover_policy": record.failover_policy,
        "deactivated": record.deactivated,
    })
}
