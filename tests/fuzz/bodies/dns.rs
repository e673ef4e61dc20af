//! Replies of name servers. Of the first byte the upper bits choose the question and the lowest one whether the input is the
//! whole datagram, or only what follows the header's id and the question: with those of the query in place, the fuzzer
//! gets past the check that a reply belongs to its question.

use std::time::Instant;

use ipv64_acme::challenge::TxtValue;
use ipv64_acme::dns::exchange::Transport;
use ipv64_acme::dns::message::{Query, Question, RecordType, Reply};
use ipv64_acme::name::DnsName;
use ipv64_acme::propagation::ServerStatus;
use ipv64_acme::propagation::answer::{Answer, judge_reply};
use ipv64_acme::propagation::evidence::{Evidence, Observation};

const KINDS: [RecordType; 9] = [
    RecordType::TXT,
    RecordType::A,
    RecordType::AAAA,
    RecordType::NS,
    RecordType::SOA,
    RecordType::CNAME,
    RecordType::CAA,
    RecordType::DS,
    RecordType::DNSKEY,
];
const NAME: &str = "_acme-challenge.name.ipv64.net";
const VALUE: &str = "-5qEv-d0";
/// Octets of the header (RFC 1035 section 4.1.1).
const HEADER: usize = 12;

pub(crate) fn run(input: &[u8]) {
    let (choice, rest) = super::choose(input);
    let name = DnsName::parse(NAME).unwrap();
    let kind = KINDS[(choice >> 2) % KINDS.len()];
    let ask = if choice & 2 == 0 { Question::authoritative } else { Question::recursive };
    let query = ask(&name, kind).encode().unwrap();
    let bytes = if choice & 1 == 0 { fitting(&query, rest) } else { rest.to_vec() };
    let Ok(reply) = query.read(&bytes) else { return };

    assert_eq!(bytes[..2], query.bytes()[..2], "the id is that of the query");
    assert_ne!(bytes[2] & 0x80, 0, "it is a response");
    assert_eq!(reply.authoritative(), bytes[2] & 0x04 != 0);
    assert_eq!(reply.truncated(), bytes[2] & 0x02 != 0);
    if bytes[4..6] != [0, 0] || !reply.refuses_edns() {
        assert_same_question(&query, &bytes);
    }
    assert_readable(&reply, &name);
    assert_judged(&reply, &name, &bytes);
}

/// The input with the id of the query and its question; whatever the header says stands.
fn fitting(query: &Query, rest: &[u8]) -> Vec<u8> {
    let mut bytes = query.bytes()[..2].to_vec();
    let (header, rest) = rest.split_at(rest.len().min(HEADER - 2));
    bytes.extend(header);
    bytes.resize(HEADER, 0);
    bytes.extend(question(query.bytes()));
    bytes.extend(rest);
    bytes
}

/// The one question of a query: its name, which is not compressed, type and class.
fn question(query: &[u8]) -> &[u8] {
    let mut end = HEADER;
    while query[end] != 0 {
        end += usize::from(query[end]) + 1;
    }
    &query[HEADER..end + 5]
}

/// Bytes, and not the parser, tell that the question is repeated; servers may change the case of the name.
fn assert_same_question(query: &Query, bytes: &[u8]) {
    assert_eq!(bytes[4..6], [0, 1], "one question");
    let asked = question(query.bytes());
    let repeated = bytes[HEADER..].iter().zip(asked);
    // Up to the first pointer of a compressed name.
    let differs = repeated.clone().position(|(there, asked)| !there.eq_ignore_ascii_case(asked));
    assert!(differs.is_none_or(|at| bytes[HEADER + at] >= 0xc0), "{:?} is not {asked:?}", &bytes[HEADER..]);
}

/// Every name that comes out is one, and nothing that is read from the reply trips over its records.
fn assert_readable(reply: &Reply, name: &DnsName) {
    let is_name = |name: &DnsName| assert_eq!(DnsName::parse(name.as_str()).as_ref(), Ok(name));
    let zone = reply.zone().into_iter().chain(reply.referral()).chain([name.clone()]);
    for zone in zone {
        is_name(&zone);
        for server in reply.name_servers(&zone) {
            is_name(&server);
            assert!(reply.addresses(&server).len() < usize::from(u16::MAX));
        }
    }
    reply.alias(name).iter().for_each(is_name);
    assert!(reply.referral().is_none() || !reply.authoritative(), "a referral has no authority");
    assert!(reply.serial().is_some() || reply.zone().is_none());
    reply.caa().for_each(|caa| assert!(reply.has_answers() && !caa.tag.is_empty()));
    super::assert_tame(&reply.code_name());
}

fn assert_judged(reply: &Reply, name: &DnsName, bytes: &[u8]) {
    let values = [TxtValue::parse(VALUE).unwrap()];
    let answer = judge_reply(reply, name, &values);
    match &answer {
        Answer::Has => {
            assert!(reply.authoritative(), "without authority");
            assert!(matches!(bytes[3] & 0x0f, 0 | 3), "an error that serves the value");
            // The characters of the value stand in the packet in their order, though perhaps in several strings.
            let mut rest = bytes.iter();
            assert!(VALUE.bytes().all(|wanted| rest.any(|byte| *byte == wanted)), "a value from nowhere");
        }
        Answer::Lacks { instead: words, .. } => {
            assert!(reply.authoritative());
            super::assert_tame(words);
        }
        Answer::Lame { reason, .. } => super::assert_tame(reason),
        Answer::Silent(_) => panic!("a reply is not silence"),
    }
    assert_counted(&answer, reply.nsid().map(<[u8]>::to_vec));
}

/// One answer leads to the status that it deserves, and never to more.
fn assert_counted(answer: &Answer, replica: Option<Vec<u8>>) {
    let expected = match answer {
        Answer::Has => ServerStatus::Serving,
        Answer::Lacks { .. } => ServerStatus::Lagging,
        Answer::Lame { .. } | Answer::Silent(_) => ServerStatus::Lame,
    };
    assert_eq!(status_after(1, answer, replica.clone()), expected, "named: {}", replica.is_some());
    assert_ne!(status_after(3, answer, replica), ServerStatus::Serving, "one answer is not three");
}

fn status_after(confirmations: u32, answer: &Answer, replica: Option<Vec<u8>>) -> ServerStatus {
    let now = Instant::now();
    let mut evidence = Evidence::new(confirmations, 1);
    evidence.observe(
        now,
        Observation { record: 0, transport: Transport::Tcp, asked: now, replica, answer: answer.clone() },
    );
    evidence.status()
}
