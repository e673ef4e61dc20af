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
    let account = context.client.account(&RetryPolicy::interactive()).context("cannot read the account")?;
    context.learn_quota(&account);
    context.report.table(&table(&account, args));
    context.report.document(&document(&account, args));
    Ok(Exit::Done)
}

/// `logs`: the last entries of the account's log, as they come.
pub(super) fn logs(context: &Context) -> Result<Exit> {
    let logs = context.client.logs(&RetryPolicy::interactive()).context("cannot read the log of the account")?;
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

/// Something that has a limit.
struct Usage {
    /// Its name in the document of `--json`, and for people.
    names: (&'static str, &'static str),
    used: Option<u64>,
    limit: Option<u64>,
    /// Since when it is counted, in words.
    since: &'static str,
}

fn usages(account: &Account) -> [Usage; 7] {
    let class = &account.class;
    let usage = |names, used, limit, since| Usage { names, used, limit, since };
    [
        usage(("api_calls", "API calls"), account.api_updates, class.api_limit, " today"),
        usage(("dyndns_updates", "DynDNS updates"), account.dyndns_updates, class.dyndns_update_limit, " today"),
        usage(("dyndns_domains", "DynDNS domains"), account.dyndns_subdomains, class.dyndns_domain_limit, ""),
        usage(("own_domains", "own domains"), account.own_domains, class.own_domain_limit, ""),
        usage(("health_checks", "health checks"), account.health_checks, class.health_check_limit, ""),
        usage(
            ("health_check_updates", "health check updates"),
            account.health_check_updates,
            class.health_check_update_limit,
            " today",
        ),
        usage(("sms", "text messages"), account.sms_count, class.sms_limit, ""),
    ]
}

impl Usage {
    /// `3 of 64`, `3`, `up to 64`, or nothing. A limit of 0 for API calls means none (observed).
    fn text(&self) -> Option<String> {
        let since = self.since;
        match (self.used, self.limit) {
            (Some(used), Some(0)) if self.names.0 == "api_calls" => Some(format!("{used}{since}, no limit")),
            (Some(used), Some(limit)) => Some(format!("{used} of {limit}{since}")),
            (Some(used), None) => Some(format!("{used}{since}")),
            (None, Some(limit)) => Some(format!("up to {limit}")),
            (None, None) => None,
        }
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
        "dyndns_ttl": account.class.dyndns_ttl,
    });
    for usage in usages(account) {
        document[usage.names.0] = json!({ "used": usage.used, "limit": usage.limit });
    }
    document
}

/// The rows that the answer has something for.
fn table(account: &Account, secrets: SecretArgs) -> Table {
    let mut rows = vec![
        ("class", account.class.name.clone()),
        ("registered", account.registered.clone()),
        ("e-mail", secrets.text(account.email.as_ref())),
    ];
    rows.extend(usages(account).map(|usage| (usage.names.1, usage.text())));
    rows.extend([
        ("DynDNS TTL", account.class.dyndns_ttl.map(|seconds| format!("{seconds} s"))),
        ("API key", secrets.text(account.api_key.as_ref())),
        ("update hash", secrets.text(account.update_hash.as_ref())),
    ]);
    let mut table = Table::default();
    for (label, text) in rows {
        if let Some(text) = text {
            table.row([label, &text]);
        }
    }
    table
}
