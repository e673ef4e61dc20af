//! Whose limit a domain shares at the CA. The suffixes themselves stand in [`crate::provider`].

use super::Finding;
use crate::name::DnsName;
use crate::provider;

/// Tells if all users of the domain's suffix share one limit.
#[must_use]
pub fn look(domain: &DnsName) -> Option<Finding> {
    let suffix = provider::shared_suffix(domain)?;
    let text = format!("`{suffix}` is not on the Public Suffix List: all its users share the CA's weekly limit");
    Some(Finding::note("shared_limit", domain.as_str(), text).advise(
        "if the CA says \"too many certificates already issued\", take a name below ipv64.net, ipv64.de or home64.de",
    ))
}
