//! Do resolvers that validate believe a zone? A fingerprint at its parent (DS) has to be followed by keys and signatures that
//! hold, or they refuse its answers (RFC 4035 section 5.5), and so does every CA. Nothing is validated here: a resolver that
//! does is asked what it thinks.

use std::time::Instant;

use super::authority::ask_servers;
use super::message::{Question, RecordType, Reply};
use super::recursive::Recursive;
use super::zone::{Lookup, Zone};

/// What parent, zone and resolvers say about signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    /// The parent has no fingerprint of a key of the zone.
    Unsigned,
    /// It has one, the zone has keys, and the resolver that was asked does not refuse the answers.
    Signed,
    /// It has one, and the zone has no keys.
    NoKeys,
    /// It has one, and the resolver refuses the answers.
    Refused,
}

impl Lookup {
    /// Finds out whether a zone can be believed. Nothing if nobody tells by the deadline what its parent says or which keys
    /// it has, or if its name is not known.
    #[must_use]
    pub fn signing(&self, zone: &Zone, deadline: Instant) -> Option<Signing> {
        let apex = zone.apex.as_ref()?;
        let ask = |set: &Recursive, kind| set.ask(&Question::recursive(apex, kind), deadline, Reply::is_answer).ok();
        let mut sets = [&self.resolvers, &self.fallback].into_iter();
        let (set, parent) = sets.find_map(|set| Some((set, ask(set, RecordType::DS)?)))?;
        let question = Question::authoritative(apex, RecordType::DNSKEY);
        let keys = || ask_servers((Some(apex), &zone.servers), &question, &self.pace, deadline).ok();
        let keys = || keys().filter(Reply::authoritative);
        Some(if !parent.has(RecordType::DS) {
            Signing::Unsigned
        } else if !keys()?.has(RecordType::DNSKEY) {
            Signing::NoKeys
        } else if ask(set, RecordType::SOA).is_none() {
            Signing::Refused
        } else {
            Signing::Signed
        })
    }
}

#[cfg(test)]
mod tests;
