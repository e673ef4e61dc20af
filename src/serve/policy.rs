//! Who may do what: pure decisions from a grant. Who a client is decides [`super::clients`]; whether a value is one, and the
//! calls of the day, are the dialects' and the engine's.

use super::grant::Grant;
use super::{Peer, Refusal};
use crate::challenge::CHALLENGE_LABEL;
use crate::name::DnsName;

/// Decides whether a client may come from where it is.
///
/// # Errors
/// [`Refusal::Address`] outside the client's networks; a peer on the Unix socket has no address.
pub fn admit_address(grant: &Grant, peer: Peer) -> Result<(), Refusal> {
    // A socket for both families shows IPv4 addresses in IPv6 form (RFC 4291 section 2.5.5.2).
    if let Peer::Address(address) = peer
        && !grant.from.is_empty()
        && !grant.from.iter().any(|network| network.contains(&address.to_canonical()))
    {
        return Err(Refusal::Address);
    }
    Ok(())
}

/// Decides whether a client may ask for the challenge record with a name.
///
/// # Errors
/// [`Refusal::Name`] unless the name is `_acme-challenge.` and a name that is granted.
pub fn admit_name(grant: &Grant, name: &DnsName) -> Result<(), Refusal> {
    let certificate = name.parent().filter(|_| name.labels().next() == Some(CHALLENGE_LABEL)).ok_or(Refusal::Name)?;
    if grant.allow.iter().any(|pattern| pattern.matches(&certificate)) { Ok(()) } else { Err(Refusal::Name) }
}

/// Decides whether a challenge may be answered with the record at the end of its aliases. Else whoever controls one zone could
/// point its challenge at the name of another client.
///
/// # Errors
/// [`Refusal::Record`] unless it is the name of the challenge itself, or in the client's `alias`.
pub fn admit_record(grant: &Grant, name: &DnsName, record: &DnsName) -> Result<(), Refusal> {
    if record == name || grant.alias.iter().any(|pattern| pattern.matches(record)) {
        Ok(())
    } else {
        Err(Refusal::Record)
    }
}

#[cfg(test)]
mod tests;
