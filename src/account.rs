//! Which domain of the account holds a name: the longest one on label borders; and what to do if none does.
//! Where the list of domains comes from is the business of the solver.

use crate::error::{Explain, Kind};
use crate::name::DnsName;
use crate::provider;

/// What stands before a country's label in suffixes that nobody can own: `co.uk`, `or.at`.
const SECOND_LEVELS: [&str; 11] = ["ac", "co", "com", "edu", "go", "gov", "gv", "ne", "net", "or", "org"];

/// Returns the longest domain that a name is at or below.
pub fn holder<'a>(domains: &'a [DnsName], name: &DnsName) -> Option<&'a DnsName> {
    domains.iter().filter(|domain| name.is_within(domain)).max_by_key(|domain| domain.as_str().len())
}

/// Why a record has no place in the account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// No domain covers the name.
    #[error("no domain in this IPv64 account covers `{name}`")]
    NoDomain {
        /// The name of the record.
        name: DnsName,
        /// The account's domains.
        domains: Vec<DnsName>,
    },
    /// The domain that the user set does not cover the name.
    #[error("`{name}` is not below `{domain}`, which IPV64_DOMAIN names")]
    NotBelow {
        /// The name of the record.
        name: DnsName,
        /// The domain of the setting.
        domain: DnsName,
    },
}

impl Explain for AccountError {
    fn kind(&self) -> Kind {
        Kind::NoDomain
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoDomain { name, domains } => {
                if let Some(domain) = misspelt(domains, name) {
                    return Some(format!("did you mean `{domain}`, the nearest domain of the account?"));
                }
                let own = registered_guess(name).map_or_else(|| "the domain".to_owned(), |guess| format!("`{guess}`"));
                let target = domains.first().map_or("a domain of the account", DnsName::as_str);
                format!(
                    "add {own} at IPv64.net, or make `{name}` a CNAME to a name below one of these, for example:\n  \
                     {name}. CNAME {}.{target}.",
                    name.as_str().trim_start_matches("_acme-challenge.").replace('.', "-")
                )
            }
            Self::NotBelow { .. } => "remove IPV64_DOMAIN: the domain is found without it".to_owned(),
        })
    }

    fn details(&self) -> Vec<String> {
        match self {
            Self::NoDomain { domains, .. } => vec![listed(domains)],
            Self::NotBelow { .. } => Vec::new(),
        }
    }
}

/// Returns in words which domains an account has: the first few.
pub fn listed(domains: &[DnsName]) -> String {
    if domains.is_empty() {
        "the account has no domains".to_owned()
    } else {
        format!("the account has: {}", few(domains))
    }
}

/// Returns the first few of a list of domains, and how many there are besides.
pub fn few(domains: &[DnsName]) -> String {
    const SHOWN: usize = 10;
    let names: Vec<_> = domains.iter().take(SHOWN).map(DnsName::as_str).collect();
    let more = domains.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    names.join(", ") + &more
}

/// Returns the domain of the account that a name may have been meant to be at or below: at most two letters are wrong.
fn misspelt<'a>(domains: &'a [DnsName], name: &DnsName) -> Option<&'a DnsName> {
    const MOST_WRONG: usize = 2;
    let wrong = |domain: &&DnsName| {
        let end = name.ancestors().find(|end| end.labels().count() == domain.labels().count());
        end.map_or(usize::MAX, |end| strsim::levenshtein(end.as_str(), domain.as_str()))
    };
    domains.iter().min_by_key(wrong).filter(|domain| wrong(domain) <= MOST_WRONG)
}

/// The last two labels, or three where two are surely a suffix that nobody owns: good enough for a hint, and used for
/// nothing else. Nothing for such a suffix itself.
fn registered_guess(name: &DnsName) -> Option<String> {
    let name = name.as_str().trim_start_matches("_acme-challenge.");
    let labels: Vec<_> = name.split('.').collect();
    let is_suffix = match labels.as_slice() {
        [.., second, top] => {
            SECOND_LEVELS.contains(second) && top.len() == 2
                || DnsName::parse(&format!("{second}.{top}")).is_ok_and(|suffix| provider::owns(&suffix))
        }
        _ => true,
    };
    let count = if is_suffix { 3 } else { 2 };
    Some(labels.get(labels.len().checked_sub(count)?..)?.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(texts: &[&str]) -> Vec<DnsName> {
        texts.iter().map(|text| DnsName::parse(text).unwrap()).collect()
    }

    #[test]
    fn picks_the_longest_domain_on_label_borders() {
        let domains = names(&["name.ipv64.net", "example.com", "sub.example.com", "x.y.name.home64.de", "bücher.de"]);
        let table = [
            ("_acme-challenge.name.ipv64.net", Some("name.ipv64.net")),
            ("_acme-challenge.a.b.name.ipv64.net", Some("name.ipv64.net")),
            ("_acme-challenge.example.com", Some("example.com")),
            ("_acme-challenge.sub.example.com", Some("sub.example.com")),
            ("_acme-challenge.a.sub.example.com", Some("sub.example.com")),
            ("example.com", Some("example.com")),
            ("_acme-challenge.evilname.ipv64.net", None),
            ("_acme-challenge.ipv64.net", None),
            ("_acme-challenge.name.home64.de", None),
            ("_acme-challenge.x.y.name.home64.de", Some("x.y.name.home64.de")),
            ("_acme-challenge.xn--bcher-kva.de", Some("xn--bcher-kva.de")),
        ];
        for (name, expected) in table {
            let found = holder(&domains, &DnsName::parse(name).unwrap());
            assert_eq!(found.map(DnsName::as_str), expected, "{name}");
        }
    }

    #[test]
    fn nobody_is_told_to_add_a_suffix() {
        for (name, guess) in [
            ("_acme-challenge.www.example.org", Some("example.org")),
            ("_acme-challenge.www.foo.ipv64.net", Some("foo.ipv64.net")),
            ("_acme-challenge.ipv64.net", None),
            ("_acme-challenge.foo.any64.de", Some("foo.any64.de")),
            ("_acme-challenge.www.example.co.uk", Some("example.co.uk")),
            ("_acme-challenge.co.uk", None),
            ("_acme-challenge.org", None),
        ] {
            assert_eq!(registered_guess(&DnsName::parse(name).unwrap()).as_deref(), guess, "{name}");
        }
    }

    #[test]
    fn a_misspelt_domain_is_named_with_the_nearest() {
        let domains = names(&["name.ipv64.net", "example.com"]);
        for (name, nearest) in [
            ("_acme-challenge.namee.ipv64.net", Some("name.ipv64.net")),
            ("_acme-challenge.www.name.ipv64.ne", Some("name.ipv64.net")),
            ("_acme-challenge.exmaple.com", Some("example.com")),
            ("_acme-challenge.other.ipv64.net", None),
            ("_acme-challenge.shop.example.org", None),
        ] {
            let name = DnsName::parse(name).unwrap();
            assert_eq!(misspelt(&domains, &name).map(DnsName::as_str), nearest, "{name}");
        }
    }

    #[test]
    fn says_which_domains_there_are_and_which_alias_would_help() {
        let error = AccountError::NoDomain {
            name: DnsName::parse("_acme-challenge.shop.example.org").unwrap(),
            domains: names(&["name.ipv64.net"]),
        };
        assert!(error.details()[0].contains("name.ipv64.net"));
        let hint = error.hint().unwrap();
        assert!(hint.contains("`example.org`"), "{hint}");
        assert!(hint.contains("_acme-challenge.shop.example.org. CNAME shop-example-org.name.ipv64.net."), "{hint}");
    }
}
