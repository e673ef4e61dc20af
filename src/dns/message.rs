//! Questions and replies as plain values, and their form on the wire (RFC 1035, RFC 6891).
//! Sockets are left to [`super::exchange`].

use std::fmt;
use std::net::IpAddr;

use hickory_resolver::proto::ProtoError;
use hickory_resolver::proto::op::{
    Edns, Header, HeaderCounts, Message, MessageType, Metadata, Query as WireQuery, ResponseCode,
};
use hickory_resolver::proto::rr::rdata::opt::{EdnsCode, EdnsOption, NSIDPayload};
use hickory_resolver::proto::rr::{Name, RData, Record as WireRecord, RecordType};
use hickory_resolver::proto::serialize::binary::{BinEncodable as _, BinEncoder};

use crate::name::DnsName;

/// The largest UDP reply that is asked for, in bytes: what passes everywhere without fragments (DNS flag day 2020).
const MAX_UDP_PAYLOAD: u16 = 1232;
/// By how many bytes that size is varied; see [`Question::encode`].
const PAYLOAD_SPREAD: u16 = 32;

/// The record types that this program asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// IPv4 address.
    A,
    /// IPv6 address.
    Aaaa,
    /// Name servers of a zone.
    Ns,
    /// Start of authority.
    Soa,
    /// Text.
    Txt,
    /// Alias.
    Cname,
    /// Who may issue certificates (RFC 8659).
    Caa,
    /// The fingerprint of a signed zone's key, at its parent (RFC 4034 section 5).
    Ds,
    /// The keys of a signed zone (RFC 4034 section 2).
    Dnskey,
}

impl From<Kind> for RecordType {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::A => Self::A,
            Kind::Aaaa => Self::AAAA,
            Kind::Ns => Self::NS,
            Kind::Soa => Self::SOA,
            Kind::Txt => Self::TXT,
            Kind::Cname => Self::CNAME,
            Kind::Caa => Self::CAA,
            Kind::Ds => Self::DS,
            Kind::Dnskey => Self::DNSKEY,
        }
    }
}

/// Who is asked, and so whether the server may ask others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Recursion {
    /// A recursive resolver (RD set).
    Desired,
    /// An authoritative server (RD clear).
    None,
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    /// The name asked for.
    pub name: DnsName,
    /// The record type asked for.
    pub kind: Kind,
    /// Whether recursion is desired.
    pub recursion: Recursion,
}

impl Question {
    /// Makes a question to an authoritative server.
    #[must_use]
    pub fn authoritative(name: &DnsName, kind: Kind) -> Self {
        Self { name: name.clone(), kind, recursion: Recursion::None }
    }

    /// Makes a question to a recursive resolver.
    #[must_use]
    pub fn recursive(name: &DnsName, kind: Kind) -> Self {
        Self { name: name.clone(), kind, recursion: Recursion::Desired }
    }

    /// Makes a new query with a random id.
    ///
    /// Towards authoritative servers the case of the name is random, as the CA's own resolvers do it, and the size
    /// offered for UDP varies by a few bytes: a packet cache in front of several back ends (dnsdist has one) takes
    /// the query for a new one and has to ask one of them. NSID (RFC 5001) is asked for, to tell those back ends apart.
    ///
    /// # Errors
    /// [`WireError`] for a name that has no form on the wire.
    pub fn encode(&self) -> Result<Query, WireError> {
        let mut name = Name::from_ascii(self.name.as_str()).map_err(|_| WireError)?;
        name.set_fqdn(true);
        let mut metadata = Message::query().metadata;
        let mut edns = Edns::new();
        let spread = match self.recursion {
            Recursion::Desired => 0,
            Recursion::None => {
                name.randomize_label_case();
                edns.options_mut().insert(EdnsOption::NSID(NSIDPayload::new(Vec::new()).map_err(|_| WireError)?));
                metadata.id % PAYLOAD_SPREAD
            }
        };
        edns.set_max_payload(MAX_UDP_PAYLOAD - spread);
        metadata.recursion_desired = self.recursion == Recursion::Desired;
        let question = WireQuery::query(name, self.kind.into());
        let bytes = write(metadata, &question, &edns).map_err(|_| WireError)?;
        Ok(Query { id: metadata.id, question, bytes })
    }
}

/// Writes a query part by part. [`Message::to_vec`] gives the same bytes, but links the writers of all types of records.
fn write(metadata: Metadata, question: &WireQuery, edns: &Edns) -> Result<Vec<u8>, ProtoError> {
    let counts = HeaderCounts { queries: 1, additionals: 1, ..HeaderCounts::default() };
    let mut bytes = Vec::new();
    let mut encoder = BinEncoder::new(&mut bytes);
    Header { metadata, counts }.emit(&mut encoder)?;
    question.emit(&mut encoder)?;
    edns.emit(&mut encoder)?;
    Ok(bytes)
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
    /// the name may differ, since some servers lower it.
    ///
    /// # Errors
    /// [`WireError`] for bytes that are no message, and for a reply to something else.
    pub fn read(&self, bytes: &[u8]) -> Result<Reply, WireError> {
        let message = Message::from_vec(bytes).map_err(|_| WireError)?;
        let ours = message.metadata.id == self.id
            && message.metadata.message_type == MessageType::Response
            && matches!(message.queries.as_slice(), [question] if *question == self.question);
        if ours { Ok(Reply::from(&message)) } else { Err(WireError) }
    }
}

/// A message that cannot be written or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WireError;

/// What a server answered in the header's RCODE (RFC 1035 section 4.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rcode {
    /// No error.
    NoError,
    /// The name does not exist.
    NxDomain,
    /// The server could not answer.
    ServFail,
    /// The server does not want to answer.
    Refused,
    /// Any other code, by number.
    Other(u16),
}

impl fmt::Display for Rcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoError => f.write_str("NOERROR"),
            Self::NxDomain => f.write_str("NXDOMAIN"),
            Self::ServFail => f.write_str("SERVFAIL"),
            Self::Refused => f.write_str("REFUSED"),
            Self::Other(code) => write!(f, "RCODE {code}"),
        }
    }
}

/// The content of a record, as far as this program reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// An address, from A or AAAA.
    Address(IpAddr),
    /// The name of a name server.
    Ns(DnsName),
    /// The target of an alias.
    Cname(DnsName),
    /// A text, its character-strings joined (RFC 7208 section 3.3 gives the rule that all use).
    Txt(Vec<u8>),
    /// A zone's serial and its TTL for negative answers in seconds (RFC 2308 section 4).
    Soa {
        /// The version of the zone.
        serial: u32,
        /// The lesser of the record's TTL and its MINIMUM field.
        negative_ttl: u32,
    },
    /// A rule on who may issue certificates.
    Caa {
        /// Whether a CA that does not know the tag must not issue (RFC 8659 section 4.1).
        critical: bool,
        /// What the rule is about: `issue`, `issuewild`.
        tag: String,
        /// The CA with its parameters (RFC 8659 section 4.2).
        value: String,
    },
    /// A trace of DNSSEC, of which only the presence matters: DS or DNSKEY.
    Signing,
}

/// One record of a reply. Records of other types, and those at names that are no [`DnsName`], are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The name that has the record; `None` for the root.
    pub owner: Option<DnsName>,
    /// Seconds that it may be cached.
    pub ttl: u32,
    /// Its content.
    pub data: Data,
}

/// One reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The response code.
    pub rcode: Rcode,
    /// Whether the server claims authority for the name (AA).
    pub authoritative: bool,
    /// Whether the reply was cut (TC) and has to be asked for over TCP.
    pub truncated: bool,
    /// Whether the server offers recursion (RA): an authoritative server usually does not.
    pub recursion_available: bool,
    /// The answer section.
    pub answers: Vec<Record>,
    /// The authority section.
    pub authority: Vec<Record>,
    /// The additional section.
    pub additional: Vec<Record>,
    /// Who answered behind the address (NSID, RFC 5001), if the server tells.
    pub nsid: Option<Vec<u8>>,
}

impl Reply {
    /// Returns the texts at a name.
    pub fn texts<'a>(&'a self, name: &'a DnsName) -> impl Iterator<Item = &'a [u8]> {
        self.answers.iter().filter(|record| record.owner.as_ref() == Some(name)).filter_map(|record| {
            match &record.data {
                Data::Txt(text) => Some(text.as_slice()),
                _ => None,
            }
        })
    }

    /// Returns the alias target of a name.
    #[must_use]
    pub fn alias(&self, name: &DnsName) -> Option<&DnsName> {
        self.answers.iter().find_map(|record| match &record.data {
            Data::Cname(target) if record.owner.as_ref() == Some(name) => Some(target),
            _ => None,
        })
    }

    /// Returns the name server names of a section.
    pub fn name_servers(records: &[Record]) -> impl Iterator<Item = &DnsName> {
        records.iter().filter_map(|record| match &record.data {
            Data::Ns(name) => Some(name),
            _ => None,
        })
    }

    /// Returns the addresses of a name in a section.
    pub fn addresses<'a>(records: &'a [Record], name: &'a DnsName) -> impl Iterator<Item = IpAddr> + 'a {
        records.iter().filter(move |record| record.owner.as_ref() == Some(name)).filter_map(|record| {
            match record.data {
                Data::Address(address) => Some(address),
                _ => None,
            }
        })
    }

    /// Returns the zone that the reply's SOA record belongs to: the zone of the name asked for, whether the name
    /// exists (RFC 2308 section 2) or is the apex itself.
    #[must_use]
    pub fn zone(&self) -> Option<&DnsName> {
        let is_soa = |record: &&Record| matches!(record.data, Data::Soa { .. });
        self.answers.iter().chain(&self.authority).find(is_soa)?.owner.as_ref()
    }

    /// Returns the zone's serial and negative TTL, if the reply has a SOA record.
    #[must_use]
    pub fn soa(&self) -> Option<(u32, u32)> {
        self.answers.iter().chain(&self.authority).find_map(|record| match record.data {
            Data::Soa { serial, negative_ttl } => Some((serial, negative_ttl)),
            _ => None,
        })
    }

    /// Returns the zone that a referral leads to (RFC 1034 section 4.3.2, step 3b): no answer, no authority, but
    /// name servers of a zone below.
    #[must_use]
    pub fn referral(&self) -> Option<&DnsName> {
        if self.rcode != Rcode::NoError || self.authoritative || !self.answers.is_empty() || self.zone().is_some() {
            return None;
        }
        self.authority.iter().find(|record| matches!(record.data, Data::Ns(_)))?.owner.as_ref()
    }
}

impl From<&Message> for Reply {
    fn from(message: &Message) -> Self {
        let section = |records: &[WireRecord]| records.iter().filter_map(read_record).collect();
        let nsid = message.edns.as_ref().and_then(|edns| match edns.option(EdnsCode::NSID) {
            Some(EdnsOption::NSID(id)) if !id.as_ref().is_empty() => Some(id.as_ref().to_vec()),
            _ => None,
        });
        Self {
            rcode: match message.metadata.response_code {
                ResponseCode::NoError => Rcode::NoError,
                ResponseCode::NXDomain => Rcode::NxDomain,
                ResponseCode::ServFail => Rcode::ServFail,
                ResponseCode::Refused => Rcode::Refused,
                other => Rcode::Other(other.into()),
            },
            authoritative: message.metadata.authoritative,
            truncated: message.metadata.truncation,
            recursion_available: message.metadata.recursion_available,
            answers: section(&message.answers),
            authority: section(&message.authorities),
            additional: section(&message.additionals),
            nsid,
        }
    }
}

fn read_record(record: &WireRecord) -> Option<Record> {
    let data = match &record.data {
        RData::A(address) => Data::Address(IpAddr::V4(address.0)),
        RData::AAAA(address) => Data::Address(IpAddr::V6(address.0)),
        RData::NS(name) => Data::Ns(read_name(&name.0)?),
        RData::CNAME(name) => Data::Cname(read_name(&name.0)?),
        RData::TXT(text) => Data::Txt(text.txt_data.concat()),
        RData::SOA(soa) => Data::Soa { serial: soa.serial, negative_ttl: record.ttl.min(soa.minimum) },
        RData::CAA(caa) => {
            let value = String::from_utf8_lossy(&caa.value).into_owned();
            Data::Caa { critical: caa.issuer_critical, tag: caa.tag.to_ascii_lowercase(), value }
        }
        _ if matches!(record.record_type(), RecordType::DS | RecordType::DNSKEY) => Data::Signing,
        _ => return None,
    };
    let owner = if record.name.is_root() { None } else { Some(read_name(&record.name)?) };
    Some(Record { owner, ttl: record.ttl, data })
}

fn read_name(name: &Name) -> Option<DnsName> {
    DnsName::parse(&name.to_ascii()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> DnsName {
        DnsName::parse(text).unwrap()
    }

    fn answered(question: &Question, change: impl FnOnce(&mut Message)) -> Result<Reply, WireError> {
        let query = question.encode().unwrap();
        let mut message = Message::from_vec(query.bytes()).unwrap().into_response();
        change(&mut message);
        query.read(&message.to_vec().unwrap())
    }

    #[test]
    fn a_query_is_written_as_hickory_writes_it() {
        for question in [Question::authoritative, Question::recursive] {
            let query = question(&name("a.example"), Kind::Txt).encode().unwrap();
            let message = Message::from_vec(query.bytes()).unwrap();
            assert_eq!(message.queries.first(), Some(&query.question));
            assert!(message.edns.is_some());
            assert_eq!(message.to_vec().unwrap(), query.bytes());
        }
    }

    #[test]
    fn strings_of_one_record_are_joined() {
        let txt = hickory_resolver::proto::rr::rdata::TXT::new(vec!["ab".into(), "cd".into()]);
        let reply = answered(&Question::authoritative(&name("a.example"), Kind::Txt), |message| {
            let owner = Name::from_ascii("A.Example.").unwrap();
            message.add_answer(WireRecord::from_rdata(owner, 60, RData::TXT(txt)));
        })
        .unwrap();
        assert_eq!(reply.texts(&name("a.example")).collect::<Vec<_>>(), [b"abcd"]);
    }

    #[test]
    fn replies_to_other_questions_are_refused() {
        let question = Question::authoritative(&name("a.example"), Kind::Txt);
        assert!(answered(&question, |_| ()).is_ok());
        assert!(answered(&question, |message| message.metadata.id ^= 1).is_err());
        assert!(answered(&question, |message| message.metadata.message_type = MessageType::Query).is_err());
        assert!(answered(&question, |message| message.queries.clear()).is_err());
        let other = WireQuery::query(Name::from_ascii("b.example.").unwrap(), RecordType::TXT);
        assert!(answered(&question, |message| message.queries[0] = other).is_err());
    }

    #[test]
    fn a_server_may_change_the_case_of_the_name() {
        let question = Question::authoritative(&name("a.example"), Kind::Txt);
        let lower = WireQuery::query(Name::from_ascii("a.example.").unwrap(), RecordType::TXT);
        assert!(answered(&question, |message| message.queries[0] = lower).is_ok());
    }

    #[test]
    fn only_a_referral_is_one() {
        let question = Question::authoritative(&name("a.b.example"), Kind::Txt);
        let ns = |message: &mut Message| {
            let target = hickory_resolver::proto::rr::rdata::NS(Name::from_ascii("ns.b.example.").unwrap());
            let owner = Name::from_ascii("b.example.").unwrap();
            message.add_authority(WireRecord::from_rdata(owner, 60, RData::NS(target)));
        };
        assert_eq!(answered(&question, ns).unwrap().referral(), Some(&name("b.example")));
        let with_aa = |message: &mut Message| {
            ns(message);
            message.metadata.authoritative = true;
        };
        assert_eq!(answered(&question, with_aa).unwrap().referral(), None);
    }
}
