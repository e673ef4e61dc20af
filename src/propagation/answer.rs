//! What one reply says about the records that are waited for. Pure; what many answers of one address mean together is decided
//! in [`super::rule`].

use crate::challenge::TxtValue;
use crate::dns::exchange::AskError;
use crate::dns::message::{Reply, ResponseCode};
use crate::name::DnsName;

/// One answer, judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Authoritative, with every value that is waited for.
    Has,
    /// Authoritative, without it.
    Lacks {
        /// What there is instead.
        instead: String,
        /// The zone that the answer is of, as its SOA record says.
        zone: Option<DnsName>,
    },
    /// A reply, but not an authoritative one: no AA, a referral, REFUSED, SERVFAIL.
    Lame {
        /// What was wrong with it.
        reason: String,
        /// Whether it looks like the answer of a recursive resolver that sits in between (RA set, no AA).
        recursive: bool,
    },
    /// No reply.
    Silent(AskError),
}

/// Judges a reply to the question for the TXT records at a name: are all these values there, with authority?
#[must_use]
pub fn judge_reply(reply: &Reply, name: &DnsName, values: &[TxtValue]) -> Answer {
    if !reply.authoritative() || !reply.is_answer() {
        let reason = match reply.referral() {
            Some(zone) => format!("refers to the servers of `{zone}`"),
            None if reply.is_answer() => "answers without authority (no AA)".to_owned(),
            None => reply.code_name(),
        };
        return Answer::Lame { reason, recursive: reply.is_answer() && reply.recursion_available() };
    }
    let found: Vec<_> = reply.texts(name).collect();
    if has_all(&found, values) {
        return Answer::Has;
    }
    let alias = reply.alias(name);
    // Behind an alias the SOA record is that of its target's zone.
    let zone = reply.zone().filter(|_| alias.is_none());
    let instead = match (reply.code(), found.len(), alias) {
        (ResponseCode::NXDomain, ..) => "no such name".to_owned(),
        (_, _, Some(target)) => format!("an alias of `{target}`"),
        (_, 0, None) => "no TXT record".to_owned(),
        (_, 1, None) => "1 other TXT value".to_owned(),
        (_, count, None) => format!("{count} TXT values, not all that are needed"),
    };
    Answer::Lacks { instead, zone }
}

/// Returns whether all values are among the texts that were found.
pub(super) fn has_all(found: &[Vec<u8>], values: &[TxtValue]) -> bool {
    values.iter().all(|value| found.iter().any(|text| text == value.as_str().as_bytes()))
}
