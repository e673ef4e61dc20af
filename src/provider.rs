//! What is known of the names that the provider itself owns: the suffixes below which its users have names.
//! Which names belong to an account is known to [`crate::account`].

use crate::name::DnsName;

/// The suffixes on the Public Suffix List (observed, since July 2026): each domain below them counts alone at a CA.
const LISTED: [&str; 3] = ["ipv64.net", "ipv64.de", "home64.de"];
/// The other suffixes (observed): all their users share one weekly limit of the CA.
const SHARED: &str = "any64.de api64.de dns64.de dyndns64.de dynipv6.de eth64.de iot64.de lan64.de nas64.de root64.de \
    route64.de srv64.de tcp64.de udp64.de vpn64.de wan64.de";

/// Returns all suffixes of the provider.
pub fn suffixes() -> impl Iterator<Item = &'static str> {
    LISTED.into_iter().chain(SHARED.split_whitespace())
}

/// Returns whether a name is one of the provider's suffixes or below one.
#[must_use]
pub fn owns(name: &DnsName) -> bool {
    name.ancestors().any(|name| suffixes().any(|suffix| suffix == name.as_str()))
}

/// Returns the suffix of a name, if all names below it share one limit at a CA.
#[must_use]
pub fn shared_suffix(name: &DnsName) -> Option<DnsName> {
    name.ancestors().find(|name| SHARED.split_whitespace().any(|suffix| suffix == name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_suffixes_off_the_list_share_a_limit() {
        for (name, owned, shared) in [
            ("name.any64.de", true, true),
            ("a.b.name.wan64.de", true, true),
            ("name.ipv64.net", true, false),
            ("home64.de", true, false),
            ("notany64.de", false, false),
            ("example.com", false, false),
        ] {
            let name = DnsName::parse(name).unwrap();
            assert_eq!((owns(&name), shared_suffix(&name).is_some()), (owned, shared), "{name}");
        }
    }
}
