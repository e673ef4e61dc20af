//! Who serves a domain: whether that is IPv64, whether both sides of the zone cut agree, whether resolvers believe it.

use std::time::Instant;

use super::finding::{Finding, Level};
use crate::dns::signing::Signing;
use crate::dns::zone::{FoundBy, Lookup, Zone};
use crate::exit::Exit;
use crate::name::DnsName;
use crate::provider;

/// Tells that no zone holds the domain; nothing if one does, or if the settings name the servers.
pub(super) fn missing(domain: &DnsName, zone: &Zone) -> Option<Finding> {
    let text = match &zone.apex {
        Some(apex) if apex.parent().is_none() => {
            format!("there is no zone for it below `{apex}`: it is not registered, or has no name servers")
        }
        None if zone.found_by != FoundBy::Settings => {
            "there is no zone for it: it does not exist, or no server says who serves it".to_owned()
        }
        _ => return None,
    };
    let finding = Finding::error("no_zone", domain, text).ending(Exit::NotPropagated);
    Some(finding.advise("check the spelling, and at its registrar that it has name servers"))
}

/// Checks the zone of a domain by the deadline.
pub(super) fn check(domain: &DnsName, zone: &Zone, lookup: &Lookup, deadline: Instant) -> Vec<Finding> {
    let Some(apex) = &zone.apex else {
        return vec![Finding::note("zone", domain, "the name servers are those of IPV64_NAMESERVERS")];
    };
    let mut findings = vec![delegation(domain, apex, zone)];
    findings.extend(difference(domain, apex, zone));
    findings.extend(zone.not_asked().into_iter().map(|line| {
        Finding::warning("server_not_asked", domain, line)
            .advise("a CA may still query it: fix its address record, or remove it from the delegation and the zone")
    }));
    let dnssec = lookup.signing(zone, deadline).map(|signing| dnssec(domain, apex, signing));
    // A broken zone explains why the resolvers do not find it.
    if dnssec.as_ref().is_none_or(|finding| finding.level != Level::Error) {
        findings.extend(way(domain, zone.found_by));
    }
    findings.extend(dnssec);
    findings
}

fn delegation(domain: &DnsName, apex: &DnsName, zone: &Zone) -> Finding {
    let mut names: Vec<_> = zone.servers.iter().filter_map(|server| server.name.clone()).collect();
    names.dedup();
    let shown = list(&names);
    let foreign = names.iter().filter(|name| !provider::owns(name)).count();
    if foreign == 0 {
        return Finding::ok("delegation", domain, format!("zone `{apex}`, served by {shown}"));
    }
    let advice = format!(
        "records at IPv64 are not seen there: delegate `{apex}` to ns1.ipv64.net and ns2.ipv64.net at its registrar, or \
         make the challenge name a CNAME to a name below a domain that is at IPv64"
    );
    let finding = if foreign == names.len() {
        let text = format!("its zone `{apex}` is not served by IPv64, but by {shown}");
        Finding::error("delegation", domain, text).ending(Exit::NotPropagated)
    } else {
        let text = format!("its zone `{apex}` is served by {shown}, which are not all of IPv64");
        Finding::warning("delegation", domain, text)
    };
    finding.advise(advice)
}

/// A zone and its parent that name different servers (RFC 1034 section 4.2.2).
fn difference(domain: &DnsName, apex: &DnsName, zone: &Zone) -> Option<Finding> {
    let side = |who: &str, names: &[DnsName]| (!names.is_empty()).then(|| format!("only {who} names {}", list(names)));
    let sides = [side("its delegation", &zone.only_parent), side("the zone itself", &zone.only_zone)];
    let sides: Vec<_> = sides.into_iter().flatten().collect();
    (!sides.is_empty()).then(|| {
        let text = format!("the name servers of `{apex}` differ on both sides of the zone cut: {}", sides.join(", "));
        Finding::warning("delegation_differs", domain, text).advise(
            "CAs may query any of them, so all of them have to be ready: name the same ones at the registrar and in the \
            zone",
        )
    })
}

fn dnssec(domain: &DnsName, apex: &DnsName, signing: Signing) -> Finding {
    let refuse = |what: &str, advice: &str| {
        let text = format!("`{apex}` has a DS record at its parent, but {what}");
        Finding::error("dnssec", domain, text).ending(Exit::NotPropagated).advise(advice)
    };
    match signing {
        Signing::Unsigned => Finding::ok("dnssec", domain, format!("`{apex}` is not signed, and need not be")),
        Signing::Signed => Finding::ok("dnssec", domain, format!("`{apex}` is signed")),
        Signing::NoKeys => {
            refuse("no keys", "remove the DS record at the registrar: until then CAs reject the answers of the zone")
        }
        Signing::Refused => refuse(
            "resolvers reject its answers: its signatures are not valid",
            "CAs reject them too: ask the operator of the zone to sign it again, or remove the DS record at the registrar",
        ),
    }
}

fn way(domain: &DnsName, found_by: FoundBy) -> Option<Finding> {
    let instead = match found_by {
        FoundBy::Settings | FoundBy::Resolvers => return None,
        FoundBy::Roots => "the root servers did",
        FoundBy::Https => "resolvers over HTTPS did",
    };
    let text = format!("the configured resolvers did not find its name servers; {instead}");
    let advice = "it works, but slower: check /etc/resolv.conf, or set IPV64_RESOLVERS";
    Some(Finding::warning("resolvers", domain, text).advise(advice))
}

fn list(names: &[DnsName]) -> String {
    names.iter().map(DnsName::as_str).collect::<Vec<_>>().join(", ")
}
