//! Record contents: from the text that the API takes to the data that the name servers give.
//! Owner names and times are in [`super::store`].

use hickory_resolver::proto::{
    op::Message,
    rr::{
        RData, Record, RecordType,
        rdata::{A, AAAA, CNAME, MX, NS, NULL, SRV, TXT},
    },
};

use super::names::host;

/// The longest character-string in octets (RFC 1035 section 3.3).
const MAX_STRING: usize = 255;
/// The preference of an MX record that names only its host, as the API document shows it. The value is unknown.
const MX_PREFERENCE: u16 = 10;

/// Reads a content as the API takes it; nothing if type or content are not acceptable.
///
/// Types: A, AAAA, TXT, CNAME, MX, NS, SRV ("IPv64 API document"), TLSA and CAA (newer copies of it).
pub(super) fn parse(kind: &str, content: &str) -> Option<RData> {
    let content = content.trim();
    Some(match kind {
        "A" => RData::A(A(content.parse().ok()?)),
        "AAAA" => RData::AAAA(AAAA(content.parse().ok()?)),
        "TXT" => RData::TXT(text(content)?),
        "CNAME" => RData::CNAME(CNAME(host(content)?)),
        "NS" => RData::NS(NS(host(content)?)),
        "MX" => mail(content)?,
        "SRV" => service(content)?,
        "TLSA" => association(content)?,
        "CAA" => authorization(content)?,
        _ => return None,
    })
}

fn text(content: &str) -> Option<TXT> {
    let bare = content.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(content);
    if bare.is_empty() {
        return None;
    }
    Some(TXT::from_bytes(bare.as_bytes().chunks(MAX_STRING).collect()))
}

fn mail(content: &str) -> Option<RData> {
    let (preference, exchange) = match content.split_once(' ') {
        Some((preference, exchange)) => (preference.parse().ok()?, exchange),
        None => (MX_PREFERENCE, content),
    };
    Some(RData::MX(MX::new(preference, host(exchange)?)))
}

fn service(content: &str) -> Option<RData> {
    let fields: Vec<_> = content.split(' ').collect();
    let [priority, weight, port, target] = fields[..] else { return None };
    let number = |field: &str| field.parse::<u16>().ok();
    Some(RData::SRV(SRV::new(number(priority)?, number(weight)?, number(port)?, host(target)?)))
}

fn association(content: &str) -> Option<RData> {
    let fields: Vec<_> = content.split(' ').collect();
    let [usage, selector, matching, digest] = fields[..] else { return None };
    let mut data = vec![usage.parse().ok()?, selector.parse().ok()?, matching.parse().ok()?];
    for pair in digest.as_bytes().chunks(2) {
        data.push(u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?);
    }
    Some(RData::Unknown { code: RecordType::TLSA, rdata: NULL::with(data) })
}

fn authorization(content: &str) -> Option<RData> {
    let mut fields = content.splitn(3, ' ');
    let (flags, tag, value) = (fields.next()?, fields.next()?, fields.next()?);
    let value = value.trim_matches('"');
    let mut data = vec![flags.parse().ok()?, u8::try_from(tag.len()).ok()?];
    data.extend(tag.as_bytes());
    data.extend(value.as_bytes());
    Some(RData::Unknown { code: RecordType::CAA, rdata: NULL::with(data) })
}

/// The TXT values of an answer.
pub(super) fn texts(message: &Message) -> Vec<String> {
    let value = |record: &Record| match &record.data {
        RData::TXT(text) => Some(joined(text)),
        _ => None,
    };
    message.answers.iter().filter_map(value).collect()
}

/// The text of a TXT record: its character-strings joined, as RFC 8555 section 8.4 and RFC 7208 section 3.3 read it.
pub(super) fn joined(data: &TXT) -> String {
    String::from_utf8_lossy(&data.txt_data.concat()).into_owned()
}
