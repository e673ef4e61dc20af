//! From an answer to the datagrams that go out: sizes, header bits, EDNS, and packets that are wrong in themselves.

use hickory_resolver::proto::{
    op::{Edns, Message, Query},
    rr::{
        Name,
        rdata::opt::{EdnsCode, EdnsOption, NSIDPayload},
    },
};

use super::{
    log::Transport,
    settings::{Backend, Packets},
    zone::Reply,
};

/// What an answer may have without EDNS (RFC 1035 section 2.3.4).
const PLAIN_PAYLOAD: u16 = 512;
/// The payload size that the servers offer (DNS flag day 2020).
const OWN_PAYLOAD: u16 = 1232;

/// One packet on its way.
#[derive(Debug, Clone)]
pub(super) struct Packet {
    pub(super) bytes: Vec<u8>,
    pub(super) route: Route,
}

/// Where a packet comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    /// The port that was asked.
    Asked,
    /// Another port of the same address.
    OtherPort,
}

/// Makes the message of a reply.
pub(super) fn message(reply: Reply, query: &Message, backend: Option<&Backend>) -> Message {
    let mut message = Message::response(query.metadata.id, query.metadata.op_code);
    message.metadata.response_code = reply.rcode;
    message.metadata.authoritative = reply.authoritative;
    message.metadata.recursion_desired = query.metadata.recursion_desired;
    message.add_queries(query.queries.iter().cloned());
    message.answers = reply.answers;
    message.authorities = reply.authorities;
    message.additionals = reply.additionals;
    if let Some(asked) = &query.edns {
        let mut edns = Edns::new();
        edns.set_max_payload(OWN_PAYLOAD);
        // The bit comes back as it was sent (RFC 3225 section 3).
        edns.set_dnssec_ok(asked.flags().dnssec_ok);
        let nsid = backend.and_then(|backend| backend.nsid.as_ref());
        let payload = nsid.and_then(|nsid| NSIDPayload::new(nsid.as_bytes()).ok());
        if let (Some(_), Some(payload)) = (asked.option(EdnsCode::NSID), payload) {
            edns.options_mut().insert(EdnsOption::NSID(payload));
        }
        message.set_edns(edns);
    }
    message
}

/// Cuts an answer that does not fit into the datagram that the asker takes.
pub(super) fn fit(message: Message, query: &Message, always: bool) -> Message {
    let limit = query.edns.as_ref().map_or(PLAIN_PAYLOAD, |edns| edns.max_payload().max(PLAIN_PAYLOAD));
    let fits = message.to_vec().is_ok_and(|bytes| bytes.len() <= usize::from(limit));
    if fits && !always { message } else { message.truncate() }
}

/// Makes the packets of an answer, sound or not.
pub(super) fn deliver(message: &Message, fault: Packets, transport: Transport) -> Vec<Packet> {
    let packet = |message: &Message, route| Packet { bytes: message.to_vec().unwrap_or_default(), route };
    let sound = packet(message, Route::Asked);
    let over_udp = transport == Transport::Udp;
    match fault {
        Packets::Sound => vec![sound],
        Packets::WrongIdFirst => vec![packet(&forged(message, 1), Route::Asked), sound],
        Packets::WrongQuestion => vec![packet(&other_question(message), Route::Asked)],
        Packets::Malformed => vec![Packet { bytes: broken(sound.bytes), route: Route::Asked }],
        Packets::Duplicate if over_udp => vec![sound.clone(), sound],
        Packets::OffPath if over_udp => vec![Packet { route: Route::OtherPort, ..sound }],
        Packets::ForgedFirst if over_udp => vec![packet(&forged(message, 0), Route::OtherPort), sound],
        Packets::Duplicate | Packets::OffPath | Packets::ForgedFirst => vec![sound],
    }
}

/// An empty answer that somebody made up, with an id that is off by `shift`.
fn forged(message: &Message, shift: u16) -> Message {
    let mut forged = message.clone();
    forged.metadata.id = message.metadata.id.wrapping_add(shift);
    forged.answers.clear();
    forged.authorities.clear();
    forged
}

fn other_question(message: &Message) -> Message {
    let mut other = message.clone();
    for query in &mut other.queries {
        let name = query.name().prepend_label("other").unwrap_or_else(|_| Name::root());
        *query = Query::query(name, query.query_type());
    }
    other
}

fn broken(mut bytes: Vec<u8>) -> Vec<u8> {
    let question_ends = 12 + 5;
    let kept = (bytes.len() * 2 / 3).max(question_ends.min(bytes.len()));
    bytes.truncate(kept);
    bytes
}
