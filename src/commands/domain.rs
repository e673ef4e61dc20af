//! `domain list`, `domain add`, `domain delete`.

use serde::Serialize;
use serde_json::json;

use super::confirm::{can_ask, confirm};
use super::context::Context;
use super::secrets::Secrets;
use crate::api::{Domain, RetryPolicy};
use crate::cli::{CliError, DomainCommand, SecretArgs};
use crate::error::{Context as _, Result};
use crate::exit::Exit;
use crate::name::DnsName;
use crate::report::Table;

/// Runs one of the commands.
pub(super) fn run(context: &Context, command: &DomainCommand) -> Result<Exit> {
    match command {
        DomainCommand::List(args) => list(context, *args),
        DomainCommand::Add { name } => add(context, name),
        DomainCommand::Delete { name, yes } => {
            delete(context, name, if *yes { Consent::Given } else { Consent::Asked })
        }
    }
}

/// Who agrees to a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Consent {
    /// The user did, by `--yes`.
    Given,
    /// The user has to be asked.
    Asked,
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
    context.report().table(&table);
    let views: Vec<_> = domains.iter().map(|domain| View::new(domain, secrets)).collect();
    context.report().document(&Views { domains: views });
    Ok(Exit::Done)
}

fn add(context: &Context, name: &DnsName) -> Result<Exit> {
    let result = context.client().add_domain(name, &RetryPolicy::interactive());
    context.usage(|usage, _| usage.domains.forget());
    result.with_context(|| format!("cannot add the domain `{name}`"))?;
    context.report().line(&format!("{name}: added"));
    context.report().document(&json!({ "domain": name, "status": "added" }));
    Ok(Exit::Done)
}

/// Deletes a domain. The list is asked for first: to say how much goes with it, and because a name that is not the
/// account's has to be told from one that IPv64 does not delete.
fn delete(context: &Context, name: &DnsName, consent: Consent) -> Result<Exit> {
    if consent == Consent::Asked && !can_ask() {
        return Err(CliError::NeedsYes { what: name.to_string() }.into());
    }
    let policy = RetryPolicy::interactive();
    let domains = context.domains(&policy)?;
    let Some(domain) = domains.iter().find(|domain| domain.name == *name) else {
        let domains = domains.into_iter().map(|domain| domain.name).collect();
        return Err(CliError::NoSuchDomain { name: name.clone(), domains }.into());
    };
    let records = domain.records.len();
    let counted = if records == 1 { "1 record".to_owned() } else { format!("{records} records") };
    let policy = match consent {
        Consent::Given => policy,
        Consent::Asked => {
            confirm(context, &format!("delete `{name}` with its {counted}?"))?;
            // The time that somebody takes to answer is not the command's.
            RetryPolicy::interactive()
        }
    };
    let result = context.client().delete_domain(name, &policy);
    context.usage(|usage, _| usage.domains.forget());
    result.with_context(|| format!("cannot delete the domain `{name}`"))?;
    context.report().line(&format!("{name}: deleted with {counted}"));
    context.report().document(&json!({ "domain": name, "status": "deleted", "records": records }));
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Views<'a> {
    domains: Vec<View<'a>>,
}

/// A domain as `--json` gives it.
#[derive(Serialize)]
struct View<'a> {
    name: &'a DnsName,
    records: usize,
    updates: Option<u64>,
    wildcard: Option<bool>,
    update_hash: Option<String>,
    ipv6_prefix: Option<&'a str>,
    dualstack: Option<bool>,
    deactivated: Option<bool>,
}

impl<'a> View<'a> {
    fn new(domain: &'a Domain, secrets: Secrets) -> Self {
        Self {
            name: &domain.name,
            records: domain.records.len(),
            updates: domain.updates,
            wildcard: domain.wildcard,
            update_hash: secrets.text(domain.update_hash.as_ref()),
            ipv6_prefix: domain.ipv6_prefix.as_deref(),
            dualstack: domain.dualstack,
            deactivated: domain.deactivated,
        }
    }
}
