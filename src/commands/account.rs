//! `account` and `logs`: what the account is and what happened to it.

use serde::Serialize;

use super::context::Context;
use super::secrets::Secrets;
use crate::api::{Account, AccountClass, LogEntry, RetryPolicy};
use crate::cli::SecretArgs;
use crate::error::{Context as _, Result};
use crate::exit::Exit;
use crate::report::Table;

/// `account`: class, limits, and what is used of them.
pub(super) fn show(context: &Context, args: SecretArgs) -> Result<Exit> {
    let account = context.client().account(&RetryPolicy::interactive()).context("cannot read the account")?;
    context.learn_quota(&account);
    let view = View::new(&account, Secrets::from(args));
    context.report().table(&view.table());
    context.report().document(&view);
    Ok(Exit::Done)
}

/// `logs`: the last entries of the account's log, as they come.
pub(super) fn logs(context: &Context) -> Result<Exit> {
    let logs = context.client().logs(&RetryPolicy::interactive()).context("cannot read the log of the account")?;
    let mut table = Table::new(&["TIME", "DOMAIN", "EVENT", "TEXT"]);
    for entry in &logs {
        table.row([&entry.time, &entry.subdomain, &entry.header, &entry.content]);
    }
    context.report().table(&table);
    context.report().document(&Logs { logs: logs.iter().map(LogView::from).collect() });
    Ok(Exit::Done)
}

/// The account as `--json` gives it.
#[derive(Serialize)]
struct View {
    class: Option<String>,
    registered: Option<String>,
    email: Option<String>,
    api_key: Option<String>,
    update_hash: Option<String>,
    status: Option<u64>,
    api_calls: Usage,
    /// Nothing if there is no limit, or none is known.
    api_calls_left: Option<u64>,
    dyndns_updates: Usage,
    dyndns_domains: Usage,
    own_domains: Usage,
    health_checks: Usage,
    health_check_updates: Usage,
    sms: Usage,
    dyndns_ttl: Option<u64>,
}

/// What is used of a limit. A limit of 0 for API calls means none (observed).
#[derive(Serialize)]
struct Usage {
    used: Option<u64>,
    limit: Option<u64>,
}

impl View {
    fn new(account: &Account, secrets: Secrets) -> Self {
        let usage = |used, limit| Usage { used, limit };
        let AccountClass { name, dyndns_domain_limit, dyndns_update_limit, api_limit, own_domain_limit, .. } =
            account.class.clone();
        Self {
            class: name,
            registered: account.registered.clone(),
            email: secrets.text(account.email.as_ref()),
            api_key: secrets.text(account.api_key.as_ref()),
            update_hash: secrets.text(account.update_hash.as_ref()),
            status: account.status,
            api_calls: usage(account.api_updates, api_limit),
            api_calls_left: account.api_calls_left(),
            dyndns_updates: usage(account.dyndns_updates, dyndns_update_limit),
            dyndns_domains: usage(account.dyndns_subdomains, dyndns_domain_limit),
            own_domains: usage(account.own_domains, own_domain_limit),
            health_checks: usage(account.health_checks, account.class.health_check_limit),
            health_check_updates: usage(account.health_check_updates, account.class.health_check_update_limit),
            sms: usage(account.sms_count, account.class.sms_limit),
            dyndns_ttl: account.class.dyndns_ttl,
        }
    }

    /// The rows that the answer has something for.
    fn table(&self) -> Table {
        let unlimited = self.api_calls.limit == Some(0);
        let calls = match self.api_calls.used {
            Some(used) if unlimited => Some(format!("{used} today, no limit")),
            _ => self.api_calls.text(" today"),
        };
        let rows = [
            ("class", self.class.clone()),
            ("registered", self.registered.clone()),
            ("e-mail", self.email.clone()),
            ("API calls", calls),
            ("DynDNS updates", self.dyndns_updates.text(" today")),
            ("DynDNS domains", self.dyndns_domains.text("")),
            ("own domains", self.own_domains.text("")),
            ("health checks", self.health_checks.text("")),
            ("health check updates", self.health_check_updates.text(" today")),
            ("text messages", self.sms.text("")),
            ("DynDNS TTL", self.dyndns_ttl.map(|seconds| format!("{seconds} s"))),
            ("API key", self.api_key.clone()),
            ("update hash", self.update_hash.clone()),
        ];
        let mut table = Table::default();
        for (label, text) in rows {
            if let Some(text) = text {
                table.row([label, &text]);
            }
        }
        table
    }
}

impl Usage {
    /// `3 of 64`, `3`, `up to 64`, or nothing.
    fn text(&self, suffix: &str) -> Option<String> {
        match (self.used, self.limit) {
            (Some(used), Some(limit)) => Some(format!("{used} of {limit}{suffix}")),
            (Some(used), None) => Some(format!("{used}{suffix}")),
            (None, Some(limit)) => Some(format!("up to {limit}")),
            (None, None) => None,
        }
    }
}

#[derive(Serialize)]
struct Logs<'a> {
    logs: Vec<LogView<'a>>,
}

#[derive(Serialize)]
struct LogView<'a> {
    time: &'a str,
    domain: &'a str,
    header: &'a str,
    content: &'a str,
}

impl<'a> From<&'a LogEntry> for LogView<'a> {
    fn from(entry: &'a LogEntry) -> Self {
        Self { time: &entry.time, domain: &entry.subdomain, header: &entry.header, content: &entry.content }
    }
}
