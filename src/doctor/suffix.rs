//! Whose limit a domain shares at the CA: the provider's suffixes and the Public Suffix List.

use super::Finding;
use crate::name::DnsName;

/// The provider's suffixes on the Public Suffix List (observed, since July 2026): each domain below them counts alone.
const LISTED: [&str; 3] = ["ipv64.net", "ipv64.de", "home64.de"];
/// The provider's other suffixes (observed): all their users share one weekly limit of the CA.
const SHARED: [&str; 16] = [
    "any64.de",
    "api64.de",
    "dns64.de",
    "dyndns64.de",
    "dynipv6.de",
    "eth64.de",
    "iot64.de",
    "lan64.de",
    "nas64.de",
    "root64.de",
    "route64.de",
    "srv64.de",
    "tcp64.de",
    "udp64.de",
    "vpn64.de",
    "wan64.de",
];

/// Returns whether a name is one of the provider's suffixes or below one.
#[must_use]
pub fn is_providers(name: &DnsName) -> bool {
    name.ancestors().any(|name| LISTED.contains(&name.as_str()) || SHARED.contains(&name.as_str()))
}

/// Tells if all users of the domain's suffix share one limit.
#[must_use]
pub fn look(domain: &DnsName) -> Option<Finding> {
    let suffix = domain.ancestors().find(|name| SHARED.contains(&name.as_str()))?;
    let text = format!("`{suffix}` is not on the Public Suffix List: all its users share the CA's weekly limit");
    Some(Finding::note("shared_limit", domain.as_str(), text).advise(
        "if the CA says \"too many certificates already issued\", take a name below ipv64.net, ipv64.de or home64.de",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_suffixes_off_the_list_share_a_limit() {
        for (name, shared) in [
            ("name.any64.de", true),
            ("a.b.name.wan64.de", true),
            ("name.ipv64.net", false),
            ("name.home64.de", false),
            ("notany64.de", false),
            ("example.com", false),
        ] {
            assert_eq!(look(&DnsName::parse(name).unwrap()).is_some(), shared, "{name}");
        }
    }
}
