//! Questions and replies: hickory's messages (RFC 1035, RFC 6891) with the few readers that this program needs.
//! Sockets are left to [`super::exchange`].

use std::collections::BTreeSet;
use std::net::IpAddr;

pub use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::op::{Edns, Message, MessageType, Query as WireQuery};
pub use hickory_resolver::proto::rr::RecordType;
pub use hickory_resolver::proto::rr::rdata::CAA;
use hickory_resolver::proto::rr::rdata::opt::{EdnsCode, EdnsOption, NSIDPayload};
use hickory_resolver::proto::rr::{Name, RData, Record};

use crate::name::DnsName;

/// The largest UDP reply that is asked for, in bytes: what passes everywhere without fragments (DNS flag day 2020).
const MAX_UDP_PAYLOAD: u16 = 1232;
/// By how many bytes that size is varied; see [`Question::encode`].
const PAYLOAD_SPREAD: u16 = 32;

/// One question.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    /// The name asked for.
    pub name: DnsName,
    /// The record type asked for.
    pub kind: RecordType,
    /// Whether a recursive resolver is asked (RD), which may ask others.
    pub recursive: bool,
    /// Whether EDNS (RFC 6891) is used, and NSID asked for.
    pub edns: bool,
}

impl Question {
    /// Makes a question to an authoritative server, with EDNS.
    #[must_use]
    pub fn authoritative(name: &DnsName, kind: RecordType) -> Self {
        Self { name: name.clone(), kind, recursive: false, edns: true }
    }

    /// Makes a question to a recursive resolver, with EDNS.
    #[must_use]
    pub fn recursive(name: &DnsName, kind: RecordType) -> Self {
        Self { recursive: true, ..Self::authoritative(name, kind) }
    }

    /// Returns the same question without EDNS, for a server that [refuses](Reply::refuses_edns) it.
    #[must_use]
    pub fn without_edns(&self) -> Self {
        Self { edns: false, ..self.clone() }
    }

    /// Makes a new query with a random id.
    ///
    /// Towards authoritative servers the case of the name is random, as the CA's own resolvers do it, and the size
    /// offered for UDP varies by a few bytes: a packet cache in front of several replicas (dnsdist has one) takes
    /// the query for a new one and has to ask one of them. NSID (RFC 5001) is asked for, to tell the replicas apart.
    ///
    /// # Errors
    /// [`WireError`] for a name that has no form on the wire.
    pub fn encode(&self) -> Result<Query, WireError> {
        let mut name = Name::from_ascii(self.name.as_str()).map_err(|_| WireError)?;
        name.set_fqdn(true);
        if !self.recursive {
            name.randomize_label_case();
        }
        let question = WireQuery::query(name, self.kind);
        let mut message = Message::query();
        message.metadata.recursion_desired = self.recursive;
        message.add_query(question.clone());
        let id = message.metadata.id;
        if self.edns {
            let mut edns = Edns::new();
            edns.set_max_payload(MAX_UDP_PAYLOAD);
            if !self.recursive {
                edns.set_max_payload(MAX_UDP_PAYLOAD - id % PAYLOAD_SPREAD);
                edns.options_mut().insert(EdnsOption::NSID(NSIDPayload::new(Vec::new()).map_err(|_| WireError)?));
            }
            message.set_edns(edns);
        }
        let bytes = message.to_vec().map_err(|_| WireError)?;
        Ok(Query { id, question, bytes })
    }
}

/// A question in the form in which it is sent once.
#[derive(Debug, Clone)]
pub struct Query {
    id: u16,
    question: WireQuery,
    bytes: Vec<u8>,
}

impl Query {
    /// Returns what is sent.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Reads a reply and checks that it belongs to this query: id, QR bit, question (RFC 5452 section 9.1). The case of
    /// the name may differ, since some servers lower it; servers that do not know EDNS may leave out the question.
    ///
    /// # Errors
    /// [`WireError`] for bytes that are no message, and for a reply to something else.
    pub fn read(&self, bytes: &[u8]) -> Result<Reply, WireError> {
        let reply = Reply(Message::from_vec(bytes).map_err(|_| WireError)?);
        let is_same_question = match reply.0.queries.as_slice() {
            [question] => *question == self.question,
            [] => matches!(reply.code(), ResponseCode::FormErr | ResponseCode::NotImp),
            _ => false,
        };
        let metadata = &reply.0.metadata;
        let is_ours = metadata.id == self.id && metadata.message_type == MessageType::Response && is_same_question;
        if is_ours { Ok(reply) } else { Err(WireError) }
    }
}

/// A message that cannot be written or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WireError;

/// One reply. Names that are no [`DnsName`] are passed over, and so is the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply(Message);

impl Reply {
    /// Returns the response code, with the upper bits that EDNS adds.
    #[must_use]
    pub fn code(&self) -> ResponseCode {
        self.0.metadata.response_code
    }

    /// Returns the response code as operators write it: `SERVFAIL`, and `RCODE 9` for the rarer ones.
    #[must_use]
    pub fn code_name(&self) -> String {
        match self.code() {
            ResponseCode::NoError => "NOERROR".to_owned(),
            ResponseCode::NXDomain => "NXDOMAIN".to_owned(),
            ResponseCode::ServFail => "SERVFAIL".to_owned(),
            ResponseCode::Refused => "REFUSED".to_owned(),
            other => format!("RCODE {}", u16::from(other)),
        }
    }

    /// Whether the server answered the question, be it with nothing: NOERROR or NXDOMAIN.
    #[must_use]
    pub fn is_answer(&self) -> bool {
        matches!(self.code(), ResponseCode::NoError | ResponseCode::NXDomain)
    }

    /// Whether the server does not take queries with EDNS: such a one is asked again without it (RFC 6891 section 7).
    #[must_use]
    pub fn refuses_edns(&self) -> bool {
        // hickory has two names for 16, and reads it as the other one.
        let is_bad_version = matches!(self.code(), ResponseCode::BADVERS | ResponseCode::BADSIG);
        is_bad_version || matches!(self.code(), ResponseCode::FormErr | ResponseCode::NotImp)
    }

    /// Whether the server claims authority for the name (AA).
    #[must_use]
    pub fn authoritative(&self) -> bool {
        self.0.metadata.authoritative
    }

    /// Whether the reply was cut (TC) and has to be asked for over TCP.
    #[must_use]
    pub fn truncated(&self) -> bool {
        self.0.metadata.truncation
    }

    /// Whether the server offers recursion (RA): an authoritative server usually does not.
    #[must_use]
    pub fn recursion_available(&self) -> bool {
        self.0.metadata.recursion_available
    }

    /// Returns who answered behind the address (NSID, RFC 5001), if the server tells.
    #[must_use]
    pub fn nsid(&self) -> Option<&[u8]> {
        match self.0.edns.as_ref()?.option(EdnsCode::NSID) {
            Some(EdnsOption::NSID(id)) => Some(id.as_ref()).filter(|id| !id.is_empty()),
            _ => None,
        }
    }

    /// Whether there is a record in the answer section.
    #[must_use]
    pub fn has_answers(&self) -> bool {
        !self.0.answers.is_empty()
    }

    /// Whether there is a record of a type in the answer section.
    #[must_use]
    pub fn has(&self, kind: RecordType) -> bool {
        self.0.answers.iter().any(|record| record.record_type() == kind)
    }

    /// Returns the texts at a name, the character-strings of each joined (RFC 7208 section 3.3 gives the rule that all use).
    pub fn texts(&self, name: &DnsName) -> impl Iterator<Item = Vec<u8>> {
        at(&self.0.answers, name).filter_map(|record| match &record.data {
            RData::TXT(text) => Some(text.txt_data.concat()),
            _ => None,
        })
    }

    /// Returns the alias target of a name.
    #[must_use]
    pub fn alias(&self, name: &DnsName) -> Option<DnsName> {
        at(&self.0.answers, name).find_map(|record| match &record.data {
            RData::CNAME(target) => read_name(&target.0),
            _ => None,
        })
    }

    /// Returns the CAA records of the answer.
    pub fn caa(&self) -> impl Iterator<Item = &CAA> {
        self.0.answers.iter().filter_map(|record| match &record.data {
            RData::CAA(caa) => Some(caa),
            _ => None,
        })
    }

    /// Returns the name servers of a zone: those of an answer, or those that a referral names.
    #[must_use]
    pub fn name_servers(&self, zone: &DnsName) -> BTreeSet<DnsName> {
        let records = at(&self.0.answers, zone).chain(at(&self.0.authorities, zone));
        records
            .filter_map(|record| if let RData::NS(name) = &record.data { read_name(&name.0) } else { None })
            .collect()
    }

    /// Returns the addresses of a name: those of an answer, or the glue of a referral.
    #[must_use]
    pub fn addresses(&self, name: &DnsName) -> BTreeSet<IpAddr> {
        let records = at(&self.0.answers, name).chain(at(&self.0.additionals, name));
        records.filter_map(|record| record.data.ip_addr()).collect()
    }

    /// Returns the zone that the reply's SOA record belongs to: the zone of the name asked for, whether the name
    /// exists (RFC 2308 section 2) or is the apex itself.
    #[must_use]
    pub fn zone(&self) -> Option<DnsName> {
        read_name(&self.soa()?.name)
    }

    /// Returns the version of the zone, if the reply has a SOA record.
    #[must_use]
    pub fn serial(&self) -> Option<u32> {
        if let RData::SOA(soa) = &self.soa()?.data { Some(soa.serial) } else { None }
    }

    fn soa(&self) -> Option<&Record> {
        self.0.answers.iter().chain(&self.0.authorities).find(|record| matches!(record.data, RData::SOA(_)))
    }

    /// Returns the zone that a referral leads to (RFC 1034 section 4.3.2, step 3b): no answer, no authority, but
    /// name servers of a zone below.
    #[must_use]
    pub fn referral(&self) -> Option<DnsName> {
        if self.code() != ResponseCode::NoError || self.authoritative() || self.has_answers() || self.soa().is_some() {
            return None;
        }
        self.0.authorities.iter().find(|record| matches!(record.data, RData::NS(_))).and_then(|ns| read_name(&ns.name))
    }
}

/// The records at a name.
fn at<'a>(records: &'a [Record], name: &DnsName) -> impl Iterator<Item = &'a Record> {
    records.iter().filter(move |record| read_name(&record.name).as_ref() == Some(name))
}

fn read_name(name: &Name) -> Option<DnsName> {
    DnsName::parse(&name.to_ascii()).ok()
}

#[cfg(test)]
mod tests;
