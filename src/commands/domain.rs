//! `domain list`, `domain add`, `domain delete`.

use serde_json::{Value, json};

use super::confirm::confirm;
use super::context::Context;
use super::secrets::Secrets;
use crate::api::{Domain, RetryPolicy};
use crate::cli::{CliError, DomainCommand, SecretArgs};
use crate::error::{Context as _, Result};
use crate::exit::Exit;
use crate::name::DnsName;
use crate::report::Table;
use crate::setup::prompt::can_ask;

/// Runs one of the commands.
pub(super) fn run(context: &Context, command: &DomainCommand) -> Result<Exit> {
    match command {
        DomainCommand::List(args) => list(context, *args),
        DomainCommand::Add { name } => add(context, name),
        DomainCommand::Delete { name, yes: true } => delete(context, name, |_| Ok(())),
        DomainCommand::Delete { name, .. } if !can_ask() => Err(CliError::NeedsYes { what: name.to_string() }.into()),
        DomainCommand::Delete { name, .. } => delete(context, name, |question| confirm(context, question)),
    }
}

fn list(context: &Context, args: SecretArgs) -> Result<Exit> {
    let domains = context.domains(&RetryPolicy::interactive())?;
    let secrets = Secrets::from(args);
    let mut heads = vec!["NAME", "RECORDS", "WILDCARD", "UPDATES"];
    heads.extend((secrets == Secrets::Shown).then_some("UPDATE HASH"));
    let mut table = Table::new(&heads);
    for domain in &domains {
        let records = domain.records.len().to_string();
        let wildcard = domain.wildcard.map_or("", |wildcard| if wildcard { "yes" } else { "no" });
        let updates = domain.updates.map(|updates| updates.to_string()).unwrap_or_default();
        match secrets {
            Secrets::Masked => table.row([domain.name.as_str(), &records, wildcard, &updates]),
            Secrets::Shown => {
                let hash = secrets.text(domain.update_hash.as_ref()).unwrap_or_default();
                table.row([domain.name.as_str(), &records, wildcard, &updates, &hash]);
            }
        }
    }
    context.report.table(&table);
    let entries: Vec<_> = domains.iter().map(|domain| entry(domain, secrets)).collect();
    context.report.document(&json!({ "domains": entries }));
    Ok(Exit::Done)
}

fn add(context: &Context, name: &DnsName) -> Result<Exit> {
    let result = context.client.add_domain(name, &RetryPolicy::interactive());
    context.usage(|usage, _| usage.domains.forget());
    result.with_context(|| format!("cannot add the domain `{name}`"))?;
    context.report.line(&format!("{name}: added"));
    context.report.document(&json!({ "domain": name, "status": "added" }));
    Ok(Exit::Done)
}

/// Deletes a domain. The list is asked for first: to say how much goes with it, and because a name that is not the
/// account's has to be told from one that IPv64 does not delete.
fn delete(context: &Context, name: &DnsName, agree: impl FnOnce(&str) -> Result<(), CliError>) -> Result<Exit> {
    let domains = context.domains(&RetryPolicy::interactive())?;
    let Some(domain) = domains.iter().find(|domain| domain.name == *name) else {
        let domains = domains.into_iter().map(|domain| domain.name).collect();
        return Err(CliError::NoSuchDomain { name: name.clone(), domains }.into());
    };
    let records = domain.records.len();
    let counted = if records == 1 { "1 record".to_owned() } else { format!("{records} records") };
    agree(&format!("delete `{name}` with its {counted}?"))?;
    // The time that somebody takes to answer is not the command's.
    let result = context.client.delete_domain(name, &RetryPolicy::interactive());
    context.usage(|usage, _| usage.domains.forget());
    result.with_context(|| format!("cannot delete the domain `{name}`"))?;
    context.report.line(&format!("{name}: deleted with {counted}"));
    context.report.document(&json!({ "domain": name, "status": "deleted", "records": records }));
    Ok(Exit::Done)
}

/// A domain as `--json` gives it.
fn entry(domain: &Domain, secrets: Secrets) -> Value {
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
