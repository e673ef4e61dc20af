//! `doctor`: looks at machine, account and domains at once, and prints a line for each finding.

use std::thread;

use serde_json::json;

use super::context::{self, Context};
use crate::cli::{Cli, DoctorArgs};
use crate::distinct::distinct;
use crate::dns::zone::Lookup;
use crate::doctor::domain::{Examined, examine};
use crate::doctor::{Finding, account, beside, finding, machine, servers};
use crate::error::Result;
use crate::exit::Exit;
use crate::report::Report;
use crate::settings::{ConfigFile, Environment, Settings, Sources};

/// Looks, prints, and ends with the code of the worst finding.
pub(super) fn run(cli: &Cli, args: &DoctorArgs, environment: &Environment, report: Report) -> Result<Exit> {
    let file = ConfigFile::find(cli.config.as_deref(), environment)?;
    let sources = Sources { flags: &cli.settings.0, environment, file: file.as_ref() };
    let settings = Settings::load(&sources)?;
    let mut findings = machine::settings(&sources);
    findings.extend(machine::surroundings(&settings));
    let has_key = finding::exit(&findings) != Exit::Key;
    let http = context::http_client(&settings)?;
    let (settings, lookup) = (&settings, &context::lookup(&settings, &http));
    let (examined, way, told) = thread::scope(|scope| {
        let way = beside::begin(scope, move || machine::way_to_api(settings));
        let look = |domain| beside::begin(scope, move || examine(domain, lookup, settings.follow_cname));
        let domains: Vec<_> = args.domains.iter().map(look).collect();
        let told = has_key.then(|| ask_account(cli, environment, report));
        let examined: Vec<Examined> = domains.into_iter().filter_map(beside::Begun::end).collect();
        (examined, way.end().unwrap_or_default(), told)
    });
    let told = told.transpose()?.unwrap_or_default();
    findings.extend(way);
    findings.extend(told.findings);
    let servers = look_at_servers(&examined, lookup);
    for examined in examined {
        findings.extend(examined.findings(told.domains.as_deref()));
    }
    findings.extend(servers);
    show(&findings, report);
    Ok(finding::exit(&findings))
}

/// Asks the servers of each zone once, however many domains it holds.
fn look_at_servers(examined: &[Examined], lookup: &Lookup) -> Vec<Finding> {
    let zones = distinct(examined.iter().filter_map(Examined::zone))
        .into_iter()
        .filter_map(|zone| Some((zone.apex.as_ref()?, zone)));
    thread::scope(|scope| {
        let look = |(apex, zone)| beside::begin(scope, move || servers::look(apex, zone, &lookup.pace));
        let begun: Vec<_> = zones.map(look).collect();
        let mut findings: Vec<Finding> = Vec::new();
        for finding in begun.into_iter().filter_map(beside::Begun::end).flatten() {
            // Several zones have the same servers: one line for each address is enough, but for the times in a good one.
            let same = |other: &Finding| finding.kind == "server" || other.text == finding.text;
            let said = |other: &Finding| other.kind == finding.kind && other.subject == finding.subject && same(other);
            if !findings.iter().any(said) {
                findings.push(finding);
            }
        }
        findings
    })
}

fn ask_account(cli: &Cli, environment: &Environment, report: Report) -> Result<account::Told> {
    let context = Context::open(cli, environment, report)?;
    let told = account::ask(context.client());
    told.account.iter().for_each(|account| context.learn_quota(account));
    Ok(told)
}

fn show(findings: &[Finding], report: Report) {
    let width = findings.iter().map(|finding| finding.subject.chars().count()).max().unwrap_or(0);
    for finding in findings {
        let Finding { level, subject, text, advice, .. } = finding;
        report.line(&format!("{:<7}  {subject:<width$}  {text}", level.as_str()));
        if let Some(advice) = advice {
            report.line(&format!("         hint: {}", advice.replace('\n', "\n         ")));
        }
    }
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let (errors, warnings) = (count(crate::doctor::Level::Error), count(crate::doctor::Level::Warning));
    let counted = |count, word| if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") };
    report.line(&format!("{}, {}", counted(errors, "error"), counted(warnings, "warning")));
    report.document(&json!({ "findings": findings, "errors": errors, "warnings": warnings }));
}
