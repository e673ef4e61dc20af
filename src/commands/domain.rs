//! `domain list`, `domain add`, `domain delete`.

use std::sync::atomic::AtomicBool;

use serde_json::{Value, json};

use super::context::Context;
use crate::account::listed;
use crate::api::{Domain, RetryPolicy};
use crate::cli::{DomainCommand, SecretArgs};
use crate::error::{Context as _, Error, Kind, Result};
use crate::exit::Exit;
use crate::name::DnsName;
use crate::report::Report;
use crate::setup::prompt;

/// Runs one of the commands.
pub(super) fn run(context: &Context, command: &DomainCommand) -> Result<Exit> {
    match command {
        DomainCommand::List(args) => list(context, *args),
        DomainCommand::Add { name } => add(context, name),
        DomainCommand::Delete { name, yes: true } => delete(context, name, |_| Ok(())),
        DomainCommand::Delete { name, .. } if !prompt::can_ask() => Err(needs_yes(name)),
        DomainCommand::Delete { name, .. } => {
            let ask = |question: &str| confirm(context.report, &context.interrupted, question, "nothing was deleted");
            delete(context, name, ask)
        }
    }
}

fn list(context: &Context, secrets: SecretArgs) -> Result<Exit> {
    let domains = context.domains(&RetryPolicy::interactive())?;
    let mut columns = vec![("NAME", "name"), ("RECORDS", "records"), ("WILDCARD", "wildcard"), ("UPDATES", "updates")];
    columns.extend(secrets.show_secrets.then_some(("UPDATE HASH", "update_hash")));
    let entries: Vec<_> = domains.iter().map(|domain| entry(domain, secrets)).collect();
    context.report.list("domains", &columns, &entries);
    Ok(Exit::Done)
}

fn add(context: &Context, name: &DnsName) -> Result<Exit> {
    let result = context.client()?.add_domain(name, &RetryPolicy::interactive());
    context.state.usage(|usage, _| usage.domains.forget());
    result.with_context(|| format!("cannot add the domain `{name}`"))?;
    context.report.line(&format!("{name}: added"));
    context.report.document(&json!({ "domain": name, "status": "added" }));
    Ok(Exit::Done)
}

/// Deletes a domain. The list is asked for first: to say how much goes with it, and because a name that is not the
/// account's has to be told from one that IPv64 does not delete.
fn delete(context: &Context, name: &DnsName, agree: impl FnOnce(&str) -> Result<()>) -> Result<Exit> {
    let domains = context.domains(&RetryPolicy::interactive())?;
    let Some(domain) = domains.iter().find(|domain| domain.name == *name) else {
        return Err(no_such_domain(name, domains));
    };
    let records = domain.records.len();
    let counted = if records == 1 { "1 record".to_owned() } else { format!("{records} records") };
    agree(&format!("delete `{name}` with its {counted}?"))?;
    // The time that somebody takes to answer is not the command's.
    let result = context.client()?.delete_domain(name, &RetryPolicy::interactive());
    context.state.usage(|usage, _| usage.domains.forget());
    result.with_context(|| format!("cannot delete the domain `{name}`"))?;
    context.report.line(&format!("{name}: deleted with {counted}"));
    context.report.document(&json!({ "domain": name, "status": "deleted", "records": records }));
    Ok(Exit::Done)
}

/// Asks; what is told after anything but a yes is in `declined`.
pub(super) fn confirm(
    report: Report,
    interrupted: &AtomicBool,
    question: &str,
    declined: impl Into<String>,
) -> Result<()> {
    report.question(&format!("{question} [y/N]"));
    let agrees = prompt::agrees(interrupted);
    if agrees { Ok(()) } else { Err(Error::new(Kind::Declined, declined)) }
}

fn needs_yes(name: &DnsName) -> Error {
    Error::new(Kind::NeedsYes, format!("deleting `{name}` needs --yes where there is no terminal"))
        .advise("add --yes to delete it with all its records")
}

/// The error for a domain that has to be the account's, and is not.
pub(super) fn no_such_domain(name: &DnsName, domains: Vec<Domain>) -> Error {
    let domains: Vec<_> = domains.into_iter().map(|domain| domain.name).collect();
    Error::new(Kind::NoDomain, format!("`{name}` is not a domain of this IPv64 account"))
        .advise("`ipv64-acme domain list` shows the domains of the account")
        .observed(vec![listed(&domains)])
}

/// A domain as `--json` gives it.
fn entry(domain: &Domain, secrets: SecretArgs) -> Value {
    json!({
        "name": domain.name,
        "records": domain.records.len(),
        "updates": domain.updates,
        "wildcard": domain.wildcard,
        "update_hash": secrets.text(domain.update_hash.as_ref()),
        "ipv6_prefix": domain.ipv6_prefix,
        "dualstack": domain.dualstack,
        "deactivated": domain.deactivated,
    })
}
