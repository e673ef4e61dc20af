//! Answers bent as a server's settings say: other values, other codes, other header bits.
//! Faults below the level of a message are in [`super::packets`].

use hickory_resolver::proto::{
    op::{Query, ResponseCode},
    rr::{
        Name, RData, Record, RecordType,
        rdata::{SOA, TXT},
    },
};

use super::{
    content,
    lookups::LookupAnswer,
    settings::{Authority, Missing, Rcode, ServerSettings},
    store::RECORD_TTL,
    zone::Reply,
};

/// The response code by its name.
pub(super) fn code(rcode: Rcode) -> ResponseCode {
    match rcode {
        Rcode::FormErr => ResponseCode::FormErr,
        Rcode::ServFail => ResponseCode::ServFail,
        Rcode::NxDomain => ResponseCode::NXDomain,
        Rcode::NotImp => ResponseCode::NotImp,
        Rcode::Refused => ResponseCode::Refused,
    }
}

/// What a question for an address gets that cannot be looked up; nothing if it is dropped.
pub(super) fn lookup(fault: LookupAnswer) -> Option<Reply> {
    match fault {
        LookupAnswer::ServFail => Some(Reply::code(ResponseCode::ServFail)),
        LookupAnswer::NxDomain => Some(Reply::code(ResponseCode::NXDomain)),
        LookupAnswer::Dropped => None,
    }
}

/// Bends one answer.
pub(super) fn reply(mut reply: Reply, settings: &ServerSettings, question: &Query) -> Reply {
    if settings.authority != Authority::Honest {
        reply.authoritative = false;
    }
    if settings.missing == Missing::ZoneAbove && reply.authoritative {
        reply = above(question.name());
    }
    if reply.answers.is_empty() && reply.authoritative {
        match settings.missing {
            Missing::Honest | Missing::ZoneAbove => {}
            Missing::NxDomain => reply.rcode = ResponseCode::NXDomain,
            Missing::NoData => reply.rcode = ResponseCode::NoError,
        }
    }
    if question.query_type() == RecordType::TXT {
        bend_values(&mut reply, settings, question.name());
    }
    if settings.upper_case {
        for record in reply.answers.iter_mut().chain(&mut reply.authorities) {
            record.name = capitals(&record.name);
        }
    }
    reply
}

/// NXDOMAIN with the SOA record of the top-level domain.
fn above(name: &Name) -> Reply {
    let apex = name.trim_to(1);
    let soa = SOA::new(apex.clone(), apex.clone(), 1, 60, 60, 60, 60);
    let soa = Record::from_rdata(apex, RECORD_TTL, RData::SOA(soa));
    Reply { rcode: ResponseCode::NXDomain, authoritative: true, authorities: vec![soa], ..Reply::default() }
}

/// A name in capitals.
pub(super) fn capitals(name: &Name) -> Name {
    Name::from_ascii(name.to_ascii().to_uppercase()).unwrap_or_else(|_| name.clone())
}

fn bend_values(reply: &mut Reply, settings: &ServerSettings, name: &Name) {
    let text = |value: &str| RData::TXT(TXT::from_bytes(vec![value.as_bytes()]));
    for record in &mut reply.answers {
        let RData::TXT(data) = &record.data else { continue };
        let value = content::joined(data);
        if let Some(wrong) = &settings.wrong_value {
            record.data = text(wrong);
        } else if settings.split {
            let half = value.len() / 2;
            record.data = RData::TXT(TXT::from_bytes(value.as_bytes().chunks(half.max(1)).collect()));
        }
    }
    if reply.authoritative && !settings.extra_values.is_empty() {
        if reply.answers.is_empty() {
            reply.rcode = ResponseCode::NoError;
            reply.authorities.clear();
        }
        let extra = settings.extra_values.iter().map(|value| Record::from_rdata(name.clone(), RECORD_TTL, text(value)));
        reply.answers.extend(extra);
    }
}
