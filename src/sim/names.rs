//! Names in the form of DNS messages, and which of them are the provider's.

use hickory_resolver::proto::rr::Name;

use crate::name::DnsName;
use crate::provider;

/// Reads a host name, with or without the final dot.
pub(super) fn host(text: &str) -> Option<Name> {
    if text.is_empty() || text.contains(char::is_whitespace) {
        return None;
    }
    let mut name = Name::from_ascii(text).ok()?.to_lowercase();
    name.set_fqdn(true);
    Some(name)
}

/// A name in the form of DNS messages.
pub(super) fn dns(name: &DnsName) -> Option<Name> {
    host(name.as_str())
}

/// The provider's suffixes.
pub(super) fn suffixes() -> impl Iterator<Item = Name> {
    provider::suffixes().filter_map(host)
}

/// Whether a name is one label below a suffix of the provider.
pub(super) fn is_provider_name(name: &DnsName) -> bool {
    name.parent().is_some_and(|parent| provider::suffixes().any(|suffix| suffix == parent.as_str()))
}
