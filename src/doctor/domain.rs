//! One domain: who holds it, where its challenge record belongs, who serves that, and what else a CA would trip over.

use std::time::{Duration, Instant};

use super::{Finding, Level, beside, caa, dnssec, suffix};
use crate::account::{AccountError, holder};
use crate::api::Domain;
use crate::challenge::CHALLENGE_LABEL;
use crate::dns::cname::{Follow, Place, PlaceError};
use crate::dns::zone::{FoundBy, Lookup, Zone};
use crate::exit::Exit;
use crate::name::DnsName;

/// How long DNS may take to tell where a record belongs; with the servers asked after it, all stays below 15 s.
const PLACE: Duration = Duration::from_secs(7);
/// How long the look-ups beside it may take.
const BESIDE: Duration = Duration::from_secs(6);
/// The name that all name servers of the provider are below (observed).
const PROVIDER: &str = "ipv64.net";

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
#[must_use]
pub fn examine(domain: &DnsName, lookup: &Lookup, follow: Follow) -> Examined {
    let base = domain.without_wildcard();
    let challenge = match base.prepend(CHALLENGE_LABEL) {
        Ok(challenge) => challenge,
        Err(error) => {
            let finding = Finding::error("name", domain.as_str(), error.to_string()).ending(Exit::Usage);
            return Examined {
                domain: domain.clone(),
                challenge: base,
                place: None,
                zone: None,
                findings: vec![finding],
            };
        }
    };
    let (placed, caa) = std::thread::scope(|scope| {
        let resolvers = [&lookup.resolvers, &lookup.fallback];
        let caa = beside::begin(scope, move || caa::look(domain, &resolvers, Instant::now() + BESIDE / 2));
        (lookup.place(&challenge, follow, Instant::now() + PLACE), caa.end())
    });
    let mut findings = Vec::new();
    let (place, zone) = match placed {
        Ok(place) => {
            findings.extend(chain(domain, &place));
            findings.extend(about_zone(domain, &place.zone, lookup));
            let zone = place.zone.clone();
            (Some(place), Some(zone))
        }
        Err(error) => {
            findings.push(Finding::of(domain.as_str(), &error));
            let unheard = if let PlaceError::NoAnswer { zone, .. } = error { zone } else { None };
            (None, unheard.map(|zone| *zone))
        }
    };
    // Where validating resolvers refuse the zone, they refuse its CAA records for the same reason.
    let is_refused = findings.iter().any(|finding| finding.kind == "dnssec" && finding.level == Level::Error);
    findings.extend(caa.filter(|caa| !(is_refused && caa.kind == "caa_unknown")));
    findings.extend(suffix::look(&base));
    Examined { domain: domain.clone(), challenge, place, zone, findings }
}

fn chain(domain: &DnsName, place: &Place) -> Vec<Finding> {
    let names: Vec<_> = place.chain.iter().map(DnsName::as_str).collect();
    let mut findings = Vec::new();
    if names.len() > 1 {
        findings.push(Finding::ok("alias", domain.as_str(), format!("alias: {}", names.join(" -> "))));
    }
    let warn = |note: &String| {
        let advice = if note.contains("wildcard") {
            "nothing if the domain itself is at IPv64; else add a CNAME record for the challenge name alone"
        } else {
            "remove the one that is not needed: a CA may see either"
        };
        Finding::warning("alias_doubtful", domain.as_str(), note.clone()).advise(advice)
    };
    findings.extend(place.notes.iter().map(warn));
    findings
}

fn about_zone(domain: &DnsName, zone: &Zone, lookup: &Lookup) -> Vec<Finding> {
    let Some(apex) = &zone.apex else {
        return vec![Finding::note("zone", domain.as_str(), "the name servers are those of IPV64_NAMESERVERS")];
    };
    let mut findings = vec![delegation(domain, apex, zone)];
    let dnssec = dnssec::look(domain, (apex, zone), lookup, Instant::now() + BESIDE / 2);
    // A broken zone explains why the resolvers do not find it.
    if dnssec.as_ref().is_none_or(|finding| finding.level != Level::Error) {
        findings.extend(way(domain, zone.found_by));
    }
    findings.extend(dnssec);
    findings
}

fn delegation(domain: &DnsName, apex: &DnsName, zone: &Zone) -> Finding {
    if apex.parent().is_none() {
        let text = format!("there is no zone for it below `{apex}`: it is not registered, or has no name servers");
        let finding = Finding::error("no_zone", domain.as_str(), text).ending(Exit::NotPropagated);
        return finding.advise("check the spelling, and at its registrar that it has name servers");
    }
    let mut names: Vec<_> = zone.servers.iter().filter_map(|server| server.name.as_ref()).collect();
    names.dedup();
    let provider = |name: &&DnsName| name.as_str().ends_with(PROVIDER);
    let shown: Vec<_> = names.iter().map(|name| name.as_str()).collect();
    let shown = shown.join(", ");
    let foreign = names.iter().filter(|name| !provider(name)).count();
    if foreign == 0 {
        return Finding::ok("delegation", domain.as_str(), format!("zone `{apex}`, served by {shown}"));
    }
    let advice = format!(
        "records at IPv64 are not seen there: delegate `{apex}` to ns1.ipv64.net and ns2.ipv64.net at its registrar, or \
         make the challenge name a CNAME to a name below a domain that is at IPv64"
    );
    let finding = if foreign == names.len() {
        let text = format!("its zone `{apex}` is not served by IPv64, but by {shown}");
        Finding::error("delegation", domain.as_str(), text).ending(Exit::NotPropagated)
    } else {
        let text = format!("its zone `{apex}` is served by {shown}, which are not all of IPv64");
        Finding::warning("delegation", domain.as_str(), text)
    };
    finding.advise(advice)
}

fn way(domain: &DnsName, found_by: FoundBy) -> Option<Finding> {
    let instead = match found_by {
        FoundBy::Settings | FoundBy::Resolvers => return None,
        FoundBy::Roots => "the root servers did",
        FoundBy::Https => "resolvers over HTTPS did",
    };
    let text = format!("the configured resolvers did not find its name servers; {instead}");
    let advice = "it works, but slower: check /etc/resolv.conf, or set IPV64_RESOLVERS";
    Some(Finding::warning("resolvers", domain.as_str(), text).advise(advice))
}

impl Examined {
    /// Returns the zone that holds the challenge record, or would hold it but for an alias; nothing if nobody knows it.
    #[must_use]
    pub fn zone(&self) -> Option<&Zone> {
        self.zone.as_ref()
    }

    /// Returns all findings, those that need the list of the account's domains first.
    #[must_use]
    pub fn findings(self, domains: Option<&[Domain]>) -> Vec<Finding> {
        // Where DNS does not tell the place of the record, nobody can tell which domain would hold it.
        let known = domains.filter(|_| self.place.is_some());
        let held = known.map(|domains| self.held(domains)).unwrap_or_default();
        held.into_iter().chain(self.findings).collect()
    }

    fn held(&self, domains: &[Domain]) -> Vec<Finding> {
        let target = self.place.as_ref().map_or(&self.challenge, |place| place.target(&self.challenge));
        let names: Vec<_> = domains.iter().map(|domain| domain.name.clone()).collect();
        let subject = self.domain.as_str();
        let held = holder(&names, target).and_then(|name| domains.iter().find(|domain| domain.name == *name));
        let Some(held) = held else {
            return vec![Finding::of(subject, &AccountError::NoDomain { name: target.clone(), domains: names })];
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

fn left_over(subject: &str, held: &Domain, target: &DnsName) -> Option<Finding> {
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
fn empty_non_terminal(subject: &str, held: &Domain, target: &DnsName) -> Option<Finding> {
    let above = target.parent().filter(|above| *above != held.name && above.is_within(&held.name))?;
    let exists = held.records.iter().any(|record| record.name_in(&held.name) == above.as_str());
    if held.wildcard != Some(true) || exists {
        return None;
    }
    let text =
        format!("while the record stands, `{above}` has no address: only the wildcard of `{}` gives it one", held.name);
    Some(Finding::note("wildcard_gap", subject, text).advise(format!("give `{above}` an A or AAAA record of its own")))
}
