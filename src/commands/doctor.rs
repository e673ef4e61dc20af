//! `doctor`: checks machine, account and domains at once, and prints a line for each finding.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::io;

use serde_json::json;

use super::context::{self, Context};
use super::{Invocation, doctor_client};
use crate::cli::DoctorArgs;
use crate::dns::zone::Lookup;
use crate::doctor::domain::{Examined, examine};
use crate::doctor::{Finding, Level, account, broker, finding, machine, parallel, servers};
use crate::error::{Context as _, Kind, Result};
use crate::exit::Exit;
use crate::name::DnsName;
use crate::report::Report;
use crate::settings::{Settings, Sources};
use crate::solver::Upstream;

/// What failed where the system gives no thread.
const NO_THREAD: &str = "cannot check several things at once";

/// Checks, prints, and ends with the code of the worst finding.
pub(super) fn run(call: &Invocation<'_>, args: &DoctorArgs) -> Result<Exit> {
    if let Some(client) = &args.client {
        let here = call.sources().map(|sources| machine::settings(&sources)).unwrap_or_default();
        return Ok(conclude(doctor_client::findings(call, client, &here), &[], call.report));
    }
    let sources = call.sources()?;
    let settings = Settings::load(&sources)?;
    let mut findings = machine::settings(&sources);
    let has_key = finding::exit(&findings) == Exit::Done;
    #[cfg(feature = "serve")]
    findings.extend(broker_clients(&sources));
    findings.extend(machine::surroundings(&settings));
    if args.offline {
        return Ok(conclude(findings, &[], call.report));
    }
    let domains = &args.domains;
    let http = context::http_client(&settings)?;
    let (settings, lookup) = (&settings, &context::lookup(&settings, &http));
    let examine = |domain| examine(domain, lookup, settings.follow_cname);
    let account = || has_key.then(|| check_account(call, domains));
    let (way, (examined, account)) = parallel::both(
        || machine::way_to_api(settings),
        || parallel::both(|| parallel::each(domains, examine), account),
    )
    .and_then(|(way, both)| Ok((way?, both?)))
    .context(NO_THREAD)?;
    let examined = examined.and_then(|all| all.into_iter().collect::<io::Result<Vec<_>>>()).context(NO_THREAD)?;
    let account = account.transpose()?.unwrap_or_default();
    findings.extend(way);
    findings.extend(account.findings);
    let servers = check_servers(&examined, lookup).context(NO_THREAD)?;
    for examined in examined {
        findings.extend(examined.findings(account.domains.as_deref()));
    }
    findings.extend(servers);
    let causes = causes(&findings, &sources, (settings, lookup));
    findings.splice(..0, causes);
    Ok(conclude(findings, domains, call.report))
}

/// On the broker itself, whose files are beside the configuration: what its clients' files undo.
#[cfg(feature = "serve")]
fn broker_clients(sources: &Sources<'_>) -> Vec<Finding> {
    use crate::serve::clients::{Clients, FOLDER};
    use crate::serve::confusion;
    let beside = sources.file.as_ref().and_then(|file| Some(file.path().parent()?.to_owned()));
    let Some(folder) = beside.or_else(|| sources.environment.own_config_dir()) else { return Vec::new() };
    let (clients, _) = Clients::load(&folder.join(FOLDER));
    let of = |text: &String| Finding { level: Level::Warning, ..Finding::of("clients", confusion::warning(text)) };
    clients.confusions().iter().map(of).collect()
}

/// What may be behind errors: a fault of this machine, and settings that somebody has changed.
fn causes(findings: &[Finding], sources: &Sources<'_>, (settings, lookup): (&Settings, &Lookup)) -> Vec<Finding> {
    let mut causes = Vec::new();
    if finding::exit(findings) == Exit::NoAnswer {
        let unreached = Kind::NameServersUnreachable;
        let is_told = findings.iter().any(|finding| finding.kind == unreached.as_str());
        let kinds = is_told.then_some(unreached).into_iter().chain([Kind::Unreachable, Kind::Tls]);
        let broken = kinds.into_iter().find_map(|kind| machine::broken(settings, lookup, kind));
        causes.extend(broken.map(|text| {
            let finding = Finding::error("machine", "network", text).ending(Exit::NoAnswer);
            finding.advise("fix this first: the other errors may follow from it")
        }));
    }
    let is_error = |kind: Kind| findings.iter().any(|one| one.level == Level::Error && one.exit == kind.exit());
    causes.extend(
        sources
            .suspects(is_error)
            .into_iter()
            .map(|one| Finding::note("setting", "settings", format!("perhaps the cause: {one}"))),
    );
    causes
}

/// Asks the servers of each zone once, however many domains it holds.
fn check_servers(examined: &[Examined], lookup: &Lookup) -> io::Result<Vec<Finding>> {
    let zones: BTreeSet<_> = examined.iter().filter_map(Examined::zone).collect();
    let zones = zones.into_iter().filter_map(|zone| Some((zone.apex.as_ref()?, zone)));
    let checked = parallel::each(zones, |(apex, zone)| servers::check(apex, zone, &lookup.pace))?;
    let mut findings: Vec<Finding> = Vec::new();
    for finding in checked.into_iter().collect::<io::Result<Vec<_>>>()?.into_iter().flatten() {
        // Several zones have the same servers: one line for each address is enough, but for the times in a good one.
        let same = |other: &Finding| finding.kind == "server" || other.text == finding.text;
        let said = |other: &Finding| other.kind == finding.kind && other.subject == finding.subject && same(other);
        if !findings.iter().any(said) {
            findings.push(finding);
        }
    }
    Ok(findings)
}

fn check_account(call: &Invocation<'_>, domains: &[DnsName]) -> Result<account::AccountCheck> {
    let context = Context::open(call)?;
    let client = match &context.upstream {
        Upstream::Api(client) => client,
        Upstream::Broker(client) => {
            let findings = broker::check(client, domains);
            return Ok(account::AccountCheck { findings, ..account::AccountCheck::default() });
        }
    };
    let mut check = account::check(client);
    if let Some(since) = context.state.usage(|usage, now| usage.outage.down_since(now))
        && let Some(failed) = check.findings.iter_mut().find(|finding| finding.level == Level::Error)
    {
        failed.text.push_str(&format!(" (no answer since {since}: hooks try once in half a minute)"));
    }
    let kept = context.state.journal(|journal, _| journal.calls_owed(context.state.account(), &[]));
    if let Some(quota) = check.findings.iter_mut().find(|finding| finding.kind == "quota" && kept > 0) {
        quota.text.push_str(&format!("; open records still take {kept}"));
    }
    check.account.iter().for_each(|account| context.learn_quota(account));
    Ok(check)
}

/// Shows the findings, the worst first, and returns what they come to.
fn conclude(mut findings: Vec<Finding>, domains: &[DnsName], report: Report) -> Exit {
    findings.sort_by_key(|finding| Reverse(finding.level));
    let conclusion = finding::conclusion(&findings, domains);
    report.findings(&findings, &conclusion);
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let (errors, warnings) = (count(Level::Error), count(Level::Warning));
    report.document(&json!({ "conclusion": conclusion, "errors": errors, "findings": findings, "warnings": warnings }));
    finding::exit(&findings)
}
