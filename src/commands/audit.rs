//! `audit`: the last requests to the broker, newest first. Needs neither key nor network.

use serde_json::json;

use super::Invocation;
use super::history::is_challenge_of;
use crate::cli::AuditArgs;
use crate::error::{Error, Kind, Result};
use crate::exit::Exit;
use crate::report::Table;
use crate::serve::audit::{Line, read};
use crate::settings::Settings;

/// Lists them.
pub(super) fn run(invocation: &Invocation<'_>, args: &AuditArgs) -> Result<Exit> {
    let settings = Settings::load(&invocation.sources()?)?;
    let Some(folder) = settings.state_dir else {
        let problem = "there is no state directory, and so no audit log";
        return Err(Error::new(Kind::NoPlace, problem).advise("name the broker's with --state-dir or IPV64_STATE_DIR"));
    };
    let is_wanted = |line: &Line| {
        let is_of_client = args.client.as_ref().is_none_or(|client| line.client.as_ref() == Some(client));
        is_of_client
            && args.name.as_ref().is_none_or(|name| line.name.as_ref().is_some_and(|of| is_challenge_of(of, name)))
    };
    let (mut lines, damaged) = read(&folder, args.limit, is_wanted)?;
    lines.reverse();
    if damaged > 0 {
        invocation.report.warning(&format!("{damaged} damaged lines of the audit log are left out"));
    }
    let mut table =
        Table::new(&["TIME", "CLIENT", "ADDRESS", "DIALECT", "ACTION", "NAME", "OUTCOME", "API CALLS", "SECONDS"]);
    lines.iter().for_each(|line| table.row(row(line)));
    invocation.report.table(&table);
    invocation.report.document(&json!({ "requests": lines, "damaged_lines": damaged }));
    Ok(Exit::Done)
}

fn row(line: &Line) -> [String; 9] {
    [
        line.time.clone(),
        line.client.clone().unwrap_or_default(),
        line.address.clone(),
        line.dialect.clone(),
        line.action.clone(),
        line.name.clone().unwrap_or_default(),
        line.outcome.clone(),
        line.calls.map_or_else(String::new, |calls| calls.to_string()),
        format!("{:.1}", line.wait_seconds),
    ]
}
