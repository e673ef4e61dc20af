//! `history`: the last hook calls of this machine, newest first. Needs neither key nor network.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Invocation;
use crate::challenge;
use crate::cli::HistoryArgs;
use crate::error::Result;
use crate::exit::Exit;
use crate::name::DnsName;
use crate::report::Table;
use crate::settings::Settings;
use crate::state::{Account, PastCall, PastServer, State};
use crate::time::SystemClock;

/// Lists them.
pub(super) fn run(invocation: &Invocation<'_>, args: &HistoryArgs) -> Result<Exit> {
    let mut calls = calls(invocation)?;
    calls.retain(|call| args.name.as_ref().is_none_or(|name| is_about(call, name)));
    calls.truncate(args.limit);
    let mut table =
        Table::new(&["ENDED", "CLIENT", "ACTION", "NAMES", "OUTCOME", "SECONDS", "API CALLS", "SERVERS", "MESSAGE"]);
    calls.iter().for_each(|call| table.row(row(call)));
    invocation.report.table(&table);
    invocation.report.document(&json!({ "calls": calls.iter().map(entry).collect::<Vec<_>>() }));
    Ok(Exit::Done)
}

/// Returns the calls that this user's state directory has, newest first.
pub(super) fn calls(invocation: &Invocation<'_>) -> Result<Vec<PastCall>> {
    let settings = Settings::load(&invocation.sources()?)?;
    let state = State::open(settings.state_dir.as_deref(), Account::default(), Arc::new(SystemClock));
    let calls = state.past_calls();
    for warning in state.take_warnings() {
        invocation.report.warning_of(&warning.into());
    }
    Ok(calls)
}

/// Whether a call had this name, or was for the domain of this name.
pub(super) fn is_about(call: &PastCall, name: &DnsName) -> bool {
    let name = name.without_wildcard();
    call.records.iter().any(|record| challenge::is_about(&record.name, &name))
}

fn row(call: &PastCall) -> [String; 9] {
    let servers: Vec<_> = call.servers.iter().map(server).collect();
    [
        call.at.to_string(),
        call.client.clone(),
        call.action.clone(),
        call.names(),
        outcome(call).to_owned(),
        format!("{:.1}", call.seconds),
        call.api_calls.to_string(),
        servers.join(", "),
        call.message.clone().unwrap_or_default(),
    ]
}

/// The kind of the error, or that there was none.
fn outcome(call: &PastCall) -> &str {
    call.kind.as_deref().unwrap_or(if call.exit_code == 0 { "done" } else { "failed" })
}

fn server(server: &PastServer) -> String {
    match server.seconds {
        Some(seconds) => format!("{} {seconds:.1} s", server.server),
        None => format!("{} not in time", server.server),
    }
}

/// A call as `--json` gives it.
pub(super) fn entry(call: &PastCall) -> Value {
    json!({
        "ended_at": call.at.rfc3339(),
        "client": call.client,
        "action": call.action,
        "records": call.records,
        "outcome": outcome(call),
        "exit_code": call.exit_code,
        "message": call.message,
        "seconds": call.seconds,
        "servers": call.servers,
        "api_calls": call.api_calls,
    })
}
