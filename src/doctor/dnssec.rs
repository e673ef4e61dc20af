//! Whether resolvers that validate believe a zone: a fingerprint at its parent (DS) has to be followed by keys and
//! signatures. Nothing is validated here: a resolver that does is asked what it thinks.

use std::time::{Duration, Instant};

use super::Finding;
use crate::dns::exchange::ask_paced;
use crate::dns::message::{Data, Kind, Question, Rcode, Reply};
use crate::dns::recursive::Recursive;
use crate::dns::zone::{Lookup, Zone};
use crate::exit::Exit;
use crate::name::DnsName;

/// How long one name server is waited for.
const ATTEMPT: Duration = Duration::from_secs(1);

/// Looks at one zone; nothing if nobody tells what its parent says.
#[must_use]
pub fn look(domain: &DnsName, (apex, zone): (&DnsName, &Zone), lookup: &Lookup, deadline: Instant) -> Option<Finding> {
    let ask = |set: &Recursive, kind| set.ask(&Question::recursive(apex, kind), deadline, is_answer).ok();
    let mut sets = [&lookup.resolvers, &lookup.fallback].into_iter();
    let (set, parent) = sets.find_map(|set| Some((set, ask(set, Kind::Ds)?)))?;
    let subject = domain.as_str();
    if !has_trace(&parent) {
        return Some(Finding::ok("dnssec", subject, format!("`{apex}` is not signed, and need not be")));
    }
    let refuse = |what: &str, advice: &str| {
        let text = format!("`{apex}` has a DS record at its parent, but {what}");
        Some(Finding::error("dnssec", subject, text).ending(Exit::NotPropagated).advise(advice))
    };
    if !has_trace(&keys(apex, zone, lookup, deadline)?) {
        return refuse("no keys", "remove the DS record at the registrar: until then CAs refuse what the zone says");
    }
    if ask(set, Kind::Soa).is_none() {
        return refuse(
            "resolvers refuse its answers: its signatures do not hold",
            "CAs refuse them too: let the operator of the zone sign it anew, or remove the DS record at the registrar",
        );
    }
    Some(Finding::ok("dnssec", subject, format!("`{apex}` is signed")))
}

/// What the servers of a zone tell of its keys.
fn keys(apex: &DnsName, zone: &Zone, lookup: &Lookup, deadline: Instant) -> Option<Reply> {
    let question = Question::authoritative(apex, Kind::Dnskey);
    let ask = |address| ask_paced(address, &question, &lookup.pace, deadline.min(Instant::now() + ATTEMPT)).ok();
    let asked = zone.servers.iter().take_while(|_| Instant::now() < deadline);
    asked.filter_map(|server| ask(server.address)).find(|reply| reply.authoritative)
}

fn is_answer(reply: &Reply) -> bool {
    matches!(reply.rcode, Rcode::NoError | Rcode::NxDomain)
}

fn has_trace(reply: &Reply) -> bool {
    reply.answers.iter().any(|record| record.data == Data::Signing)
}
