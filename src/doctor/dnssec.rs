//! Whether resolvers that validate believe a zone, and what to do if not. Finding it out is [`crate::dns::signing`]'s.

use std::time::Instant;

use super::Finding;
use crate::dns::signing::Signing;
use crate::dns::zone::{Lookup, Zone};
use crate::exit::Exit;
use crate::name::DnsName;

/// Looks at one zone; nothing if nobody tells what its parent says.
#[must_use]
pub fn look(domain: &DnsName, (apex, zone): (&DnsName, &Zone), lookup: &Lookup, deadline: Instant) -> Option<Finding> {
    let subject = domain.as_str();
    let refuse = |what: &str, advice: &str| {
        let text = format!("`{apex}` has a DS record at its parent, but {what}");
        Finding::error("dnssec", subject, text).ending(Exit::NotPropagated).advise(advice)
    };
    Some(match lookup.signing(zone, deadline)? {
        Signing::Unsigned => Finding::ok("dnssec", subject, format!("`{apex}` is not signed, and need not be")),
        Signing::Signed => Finding::ok("dnssec", subject, format!("`{apex}` is signed")),
        Signing::NoKeys => {
            refuse("no keys", "remove the DS record at the registrar: until then CAs refuse what the zone says")
        }
        Signing::Refused => refuse(
            "resolvers refuse its answers: its signatures do not hold",
            "CAs refuse them too: let the operator of the zone sign it anew, or remove the DS record at the registrar",
        ),
    })
}
