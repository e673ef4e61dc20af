//! `audit`: what the broker on this machine has decided, the oldest line first. Needs neither key nor network.

use serde_json::json;

use super::Invocation;
use crate::challenge;
use crate::cli::AuditArgs;
use crate::error::Result;
use crate::exit::Exit;
use crate::name::DnsName;
use crate::report::Table;
use crate::serve::audit::{self, Line};
use crate::settings::Settings;

/// Lists the lines.
pub(super) fn run(call: &Invocation<'_>, args: &AuditArgs) -> Result<Exit> {
    let settings = Settings::load(&call.sources()?)?;
    let name = args.name.as_ref().map(DnsName::without_wildcard);
    let is_wanted = |line: &Line| {
        let is_client = args.client.as_ref().is_none_or(|client| line.client.as_ref() == Some(client));
        let is_named =
            |name: &DnsName| line.name.iter().chain(&line.record).any(|text| challenge::is_about(text, name));
        is_client && name.as_ref().is_none_or(is_named)
    };
    let (lines, damaged) = match &settings.state_dir {
        Some(folder) => audit::read(folder, args.last, is_wanted)?,
        None => (Vec::new(), 0),
    };
    if damaged > 0 {
        call.report.warning(&format!("damaged lines in the audit log, which are left out: {damaged}"));
    }
    let mut table = Table::new(&[
        "TIME", "CLIENT", "ADDRESS", "DIALECT", "ACTION", "NAME", "OUTCOME", "CALLS", "SECONDS", "RECORD",
    ]);
    lines.iter().for_each(|line| table.row(row(line)));
    call.report.table(&table);
    call.report.document(&json!({ "decisions": lines, "damaged": damaged }));
    Ok(Exit::Done)
}

fn row(line: &Line) -> [String; 10] {
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let left_out = if line.left_out > 0 { format!(" (and {} before)", line.left_out) } else { String::new() };
    [
        line.time.clone(),
        text(&line.client),
        line.address.clone(),
        line.dialect.clone(),
        line.action.clone(),
        text(&line.name),
        format!("{}{left_out}", line.outcome),
        line.calls.to_string(),
        format!("{:.1}", line.wait_seconds),
        text(&line.record),
    ]
}
