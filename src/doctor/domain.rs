//! One domain: who holds it, where its challenge record belongs, who serves that, and what else a CA would trip over.

use std::io;
use std::time::{Duration, Instant};

use super::finding::{Finding, Level};
use super::{caa, parallel, zone};
use crate::account::{AccountError, holder};
use crate::api::Domain;
use crate::challenge::record_name;
use crate::dns::cname::{Follow, Place, PlaceError};
use crate::dns::zone::{Lookup, Zone};
use crate::exit::Exit;
use crate::name::DnsName;
use crate::provider;

/// How long DNS may take to tell where a record belongs; with the servers asked after it, all stays below 15 s.
const PLACE: Duration = Duration::from_secs(7);
/// How long a look-up at the same time, or after it, may take.
const LOOKUP: Duration = Duration::from_secs(3);

/// What DNS tells of one domain.
#[derive(Debug)]
pub struct Examined {
    domain: DnsName,
    challenge: DnsName,
    place: Option<Place>,
    zone: Option<Zone>,
    findings: Vec<Finding>,
}

/// Asks DNS about a domain; changes nothing, and asks no resolver for the challenge name.
///
/// # Errors
/// The system's, if it gives no thread.
pub fn examine(domain: &DnsName, lookup: &Lookup, follow: Follow) -> io::Result<Examined> {
    let base = domain.without_wildcard();
    let (challenge, error) = match record_name(&base) {
        Ok(challenge) => (challenge, None),
        Err(error) => (base, Some(Finding::error("name", domain, error.to_string()).ending(Exit::Usage))),
    };
    let is_name = error.is_none();
    let findings = error.into_iter().collect();
    let mut examined = Examined { domain: domain.clone(), challenge, place: None, zone: None, findings };
    if is_name {
        examined.ask(lookup, follow)?;
    }
    Ok(examined)
}

fn chain(domain: &DnsName, place: &Place) -> Vec<Finding> {
    let names: Vec<_> = place.chain.iter().map(DnsName::as_str).collect();
    let mut findings = Vec::new();
    if names.len() > 1 {
        findings.push(Finding::ok("alias", domain, format!("alias: {}", names.join(" -> "))));
    }
    let warn = |note: &String| {
        let advice = if note.contains("wildcard") {
            "nothing if the domain itself is at IPv64; else add a CNAME record for the challenge name alone"
        } else {
            "remove the one that is not needed: a CA may see either"
        };
        Finding::warning("alias_doubtful", domain, note.clone()).advise(advice)
    };
    findings.extend(place.notes.iter().map(warn));
    findings
}

/// Tells if all users of the domain's suffix share one limit.
fn suffix(domain: &DnsName) -> Option<Finding> {
    let suffix = provider::shared_suffix(domain)?;
    let text = format!("`{suffix}` is not on the Public Suffix List: all its users share the CA's weekly limit");
    Some(Finding::note("shared_limit", domain, text).advise(
        "if the CA says \"too many certificates already issued\", take a name below ipv64.net, ipv64.de or home64.de",
    ))
}

impl Examined {
    fn ask(&mut self, lookup: &Lookup, follow: Follow) -> io::Result<()> {
        let (domain, resolvers) = (&self.domain, [&lookup.resolvers, &lookup.fallback]);
        let (caa, place) = parallel::both(
            || caa::check(domain, &resolvers, Instant::now() + LOOKUP),
            || lookup.place(&self.challenge, follow, Instant::now() + PLACE),
        )?;
        match place {
            Ok(place) => {
                let place = self.place.insert(place);
                if let Some(missing) = zone::missing(domain, &place.zone) {
                    self.findings.push(missing);
                    return Ok(());
                }
                self.findings.extend(chain(domain, place));
                self.findings.extend(zone::check(domain, &place.zone, lookup, Instant::now() + LOOKUP));
                self.zone = Some(place.zone.clone());
            }
            Err(error) => {
                self.zone =
                    if let PlaceError::NoAnswer { zone, .. } = &error { zone.as_deref().cloned() } else { None };
                self.findings.push(Finding::of(domain, error));
            }
        }
        // Where validating resolvers refuse the zone, they refuse its CAA records for the same reason.
        let is_refused = self.findings.iter().any(|finding| finding.kind == "dnssec" && finding.level == Level::Error);
        if !(is_refused && caa.kind == "caa_unknown") {
            self.findings.push(caa);
        }
        self.findings.extend(suffix(&domain.without_wildcard()));
        Ok(())
    }

    /// Returns the zone that holds the challenge record, or would hold it but for an alias; nothing if nobody knows it.
    #[must_use]
    pub fn zone(&self) -> Option<&Zone> {
        self.zone.as_ref()
    }

    /// Returns all findings: those that need the list of the account's domains come first, but for a domain that does not exist.
    #[must_use]
    pub fn findings(self, domains: Option<&[Domain]>) -> Vec<Finding> {
        // Where DNS does not tell the place of the record, nobody can tell which domain would hold it.
        let known = domains.filter(|_| self.place.is_some());
        let held = known.map(|domains| self.held(domains)).unwrap_or_default();
        let exists = self.zone.is_some() || self.place.is_none();
        let [first, then] = if exists { [held, self.findings] } else { [self.findings, held] };
        first.into_iter().chain(then).collect()
    }

    fn held(&self, domains: &[Domain]) -> Vec<Finding> {
        let target = self.place.as_ref().map_or(&self.challenge, |place| place.target(&self.challenge));
        let names: Vec<_> = domains.iter().map(|domain| domain.name.clone()).collect();
        let subject = &self.domain;
        let held = holder(&names, target).and_then(|name| domains.iter().find(|domain| domain.name == *name));
        let Some(held) = held else {
            return vec![Finding::of(subject, AccountError::NoDomain { name: target.clone(), domains: names })];
        };
        let text = format!("the record `{target}` goes into the domain `{}` of the account", held.name);
        let mut findings = vec![Finding::ok("account_domain", subject, text)];
        if held.deactivated == Some(true) {
            let text = format!("the domain `{}` is deactivated", held.name);
            let advice = "activate it at IPv64.net";
            findings.push(Finding::error("deactivated", subject, text).ending(Exit::NoDomain).advise(advice));
        }
        findings.extend(left_over(subject, held, target));
        findings.extend(empty_non_terminal(subject, held, target));
        findings
    }
}

fn left_over(subject: &DnsName, held: &Domain, target: &DnsName) -> Option<Finding> {
    let at_target = |record: &&crate::api::Record| record.name_in(&held.name) == target.as_str();
    let texts = held.records.iter().filter(at_target).filter(|record| record.record_type.as_str() == "TXT").count();
    (texts > 0).then(|| {
        let texts = if texts == 1 { "a TXT record".to_owned() } else { format!("{texts} TXT records") };
        let text = format!("`{target}` has {texts} already");
        let advice = "if nobody is renewing right now, `ipv64-acme sweep --all` lists what was left behind";
        Finding::note("left_over", subject, text).advise(advice)
    })
}

/// While `_acme-challenge.foo` exists, `foo` exists too, as an empty name, and gets nothing from the wildcard
/// (RFC 4592 section 2.2.2).
fn empty_non_terminal(subject: &DnsName, held: &Domain, target: &DnsName) -> Option<Finding> {
    let above = target.parent().filter(|above| *above != held.name && above.is_within(&held.name))?;
    let exists = held.records.iter().any(|record| record.name_in(&held.name) == above.as_str());
    if held.wildcard != Some(true) || exists {
        return None;
    }
    let text =
        format!("while the record exists, `{above}` has no address: only the wildcard of `{}` gives it one", held.name);
    Some(Finding::note("wildcard_gap", subject, text).advise(format!("give `{above}` an A or AAAA record of its own")))
}
