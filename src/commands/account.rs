//! `account` and `logs`: what the account is and what happened to it.

use serde_json::{Value, json};

use super::context::Context;
use crate::api::{Account, LogEntry, RetryPolicy};
use crate::cli::SecretArgs;
use crate::error::{Context as _, Result};
use crate::exit::Exit;
use crate::report::Table;

/// `account`: class, limits, and what is used of them.
pub(super) fn show(context: &Context, args: SecretArgs) -> Result<Exit> {
    let account = context.client()?.account(&RetryPolicy::interactive()).context("cannot read the account")?;
    context.learn_quota(&account);
    context.report.table(&table(&account, args));
    context.report.document(&document(&account, args));
    Ok(Exit::Done)
}

/// `logs`: the last entries of the account's log, as they come.
pub(super) fn logs(context: &Context) -> Result<Exit> {
    let logs = context.client()?.logs(&RetryPolicy::interactive()).context("cannot read the log of the account")?;
    let entry = |entry: &LogEntry| {
        json!({
            "time": entry.time,
            "domain": entry.subdomain,
            "header": entry.header,
            "content": entry.content,
        })
    };
    let columns = [("TIME", "time"), ("DOMAIN", "domain"), ("EVENT", "header"), ("TEXT", "content")];
    context.report.list("logs", &columns, &logs.iter().map(entry).collect::<Vec<_>>());
    Ok(Exit::Done)
}

/// What has a limit: its name in the document of `--json`, and for people; what is used of it; the limit; and since when it is
/// counted, in words.
type Usage = (&'static str, &'static str, Option<u64>, Option<u64>, &'static str);

fn usages(account: &Account) -> [Usage; 7] {
    let (used, limits) = (account, &account.class);
    [
        ("api_calls", "API calls", used.api_updates, limits.api_limit, " today"),
        ("dyndns_updates", "DynDNS updates", used.dyndns_updates, limits.dyndns_update_limit, " today"),
        ("dyndns_domains", "DynDNS domains", used.dyndns_subdomains, limits.dyndns_domain_limit, ""),
        ("own_domains", "own domains", used.own_domains, limits.own_domain_limit, ""),
        ("health_checks", "health checks", used.health_checks, limits.health_check_limit, ""),
        (
            "health_check_updates",
            "health check updates",
            used.health_check_updates,
            limits.health_check_update_limit,
            " today",
        ),
        ("sms", "text messages", used.sms_count, limits.sms_limit, ""),
    ]
}

/// `3 of 64`, `3`, `up to 64`, or nothing. A limit of 0 for API calls means none (observed).
fn describe((name, _, used, limit, since): Usage) -> Option<String> {
    match (used, limit) {
        (Some(used), Some(0)) if name == "api_calls" => Some(format!("{used}{since}, no limit")),
        (Some(used), Some(limit)) => Some(format!("{used} of {limit}{since}")),
        (Some(used), None) => Some(format!("{used}{since}")),
        (None, limit) => limit.map(|limit| format!("up to {limit}")),
    }
}

/// The account as `--json` gives it.
fn document(account: &Account, secrets: SecretArgs) -> Value {
    let mut document = json!({
        "class": account.class.name,
        "registered": account.registered,
        "email": secrets.text(account.email.as_ref()),
        "api_key": secrets.text(account.api_key.as_ref()),
        "update_hash": secrets.text(account.update_hash.as_ref()),
        "status": account.status,
        // Nothing if there is no limit, or none is known.
        "api_calls_left": account.api_calls_left(),
        "dyndns_ttl_seconds": account.class.dyndns_ttl,
    });
    for (name, _, used, limit, _) in usages(account) {
        document[name] = json!({ "used": used, "limit": limit });
    }
    document
}

/// The rows that the answer has something for.
fn table(account: &Account, secrets: SecretArgs) -> Table {
    let before = [
        ("class", account.class.name.clone()),
        ("registered", account.registered.clone()),
        ("e-mail", secrets.text(account.email.as_ref())),
    ];
    let usages = usages(account).map(|usage| (usage.1, describe(usage)));
    let after = [
        ("DynDNS TTL", account.class.dyndns_ttl.map(|seconds| format!("{seconds} s"))),
        ("API key", secrets.text(account.api_key.as_ref())),
        ("update hash", secrets.text(account.update_hash.as_ref())),
    ];
    let mut table = Table::default();
    for (label, text) in before.into_iter().chain(usages).chain(after) {
        text.iter().for_each(|text| table.row([label, text]));
    }
    table
}
