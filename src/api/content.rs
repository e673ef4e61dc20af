//! Checks of record contents before a call is spent on them. What cannot be known here, IPv64 decides.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::excerpt::excerpt;
use crate::name::DnsName;

use super::RecordType;

/// The longest TXT content in octets that is let through: no answer of DNS holds more (RFC 1035 section 4.2.2).
const MAX_TXT: usize = 65_000;
/// How much of a type or content an error shows, in characters.
const SHOWN: usize = 80;

/// What a check says: nothing, or the broken rule.
type Checked = Result<(), Cow<'static, str>>;

/// Checks the content of a record for its type. Types without rules here take any text.
///
/// # Errors
/// [`ContentError`] names the content and the broken rule.
pub fn check_content(record_type: &RecordType, content: &str) -> Result<(), ContentError> {
    check(record_type, content).map_err(|rule| ContentError {
        record_type: excerpt(record_type.as_str(), SHOWN),
        content: excerpt(content, SHOWN),
        rule,
    })
}

fn check(record_type: &RecordType, content: &str) -> Checked {
    ensure(!content.trim().is_empty(), "it is empty")?;
    ensure(!content.chars().any(char::is_control), "it contains a control character")?;
    match record_type.as_str() {
        "A" => ensure(content.parse::<Ipv4Addr>().is_ok(), "it is not an IPv4 address such as 192.0.2.1"),
        "AAAA" => ensure(content.parse::<Ipv6Addr>().is_ok(), "it is not an IPv6 address such as 2001:db8::1"),
        "CNAME" | "NS" => host(content),
        "MX" => mail_server(content),
        "SRV" => service(content),
        "TXT" => text(content),
        "TLSA" => tls_association(content),
        "CAA" => certification_authority(content),
        _ => Ok(()),
    }
}

fn ensure(holds: bool, rule: &'static str) -> Checked {
    if holds { Ok(()) } else { Err(rule.into()) }
}

fn host(content: &str) -> Checked {
    DnsName::parse(content).map(drop).map_err(|error| error.to_string().into())
}

/// The target, and in some zone files a priority before it. IPv64 documents the target alone.
fn mail_server(content: &str) -> Checked {
    match content.split_once(' ') {
        Some((priority, target)) if priority.parse::<u16>().is_ok() => host(target.trim()),
        _ => host(content),
    }
}

/// `PRIORITY WEIGHT PORT TARGET` (documented; RFC 2782). A target of `.` says that there is no such service.
fn service(content: &str) -> Checked {
    let fields: Vec<&str> = content.split_whitespace().collect();
    let numbers = fields.iter().take(3).all(|number| number.parse::<u16>().is_ok());
    let rule = "it needs four fields, PRIORITY WEIGHT PORT TARGET, the first three from 0 to 65535";
    ensure(fields.len() == 4 && numbers, rule)?;
    fields.last().filter(|target| **target != ".").map_or(Ok(()), |target| host(target))
}

/// Plain text, or one or more texts in quotes of at most 255 octets each (RFC 1035 section 3.3.14).
fn text(content: &str) -> Checked {
    ensure(content.len() <= MAX_TXT, "it is longer than 65000 octets")?;
    if !content.starts_with('"') {
        return Ok(());
    }
    let pairs = "its quotes do not pair up, or there is text outside them";
    let mut inside = 0;
    let mut quoted = false;
    let mut characters = content.chars();
    while let Some(c) = characters.next() {
        match (quoted, c) {
            (_, '"') => (quoted, inside) = (!quoted, 0),
            (false, ' ') => {}
            (false, _) => return Err(pairs.into()),
            (true, '\\') => inside += characters.next().ok_or(pairs)?.len_utf8(),
            (true, c) => inside += c.len_utf8(),
        }
        ensure(inside <= 255, "one of its texts in quotes is longer than 255 octets (RFC 1035 section 3.3.14)")?;
    }
    ensure(!quoted, pairs)
}

/// `USAGE SELECTOR MATCHING HEX` (RFC 6698 section 2.2).
fn tls_association(content: &str) -> Checked {
    let fields: Vec<&str> = content.split_whitespace().collect();
    let numbers = fields.iter().take(3).all(|number| number.parse::<u8>().is_ok());
    let digits = fields.get(3..).unwrap_or_default().concat();
    let hex = !digits.is_empty() && digits.len().is_multiple_of(2) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    ensure(numbers && hex, "it needs four fields, USAGE SELECTOR MATCHING HEX (RFC 6698 section 2.2)")
}

/// `FLAGS TAG VALUE` (RFC 8659 section 4.1.1).
fn certification_authority(content: &str) -> Checked {
    let mut fields = content.splitn(3, ' ');
    let flags = fields.next().is_some_and(|flags| flags.parse::<u8>().is_ok());
    let tag = fields.next().is_some_and(|tag| !tag.is_empty() && tag.bytes().all(|b| b.is_ascii_alphanumeric()));
    let value = fields.next().is_some_and(|value| !value.trim().is_empty());
    ensure(flags && tag && value, "it needs three fields, FLAGS TAG VALUE (RFC 8659 section 4.1.1)")
}

/// A content that does not fit its record type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{content}` cannot be the content of a record of type {record_type}: {rule}")]
pub struct ContentError {
    record_type: String,
    content: String,
    rule: Cow<'static, str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_fits() {
        let long = format!("\"{}\" \"{}\"", "a".repeat(255), "b".repeat(255));
        for (name, content) in [
            ("A", "192.0.2.1"),
            ("AAAA", "2001:db8::1"),
            ("AAAA", "::ffff:192.0.2.1"),
            ("TXT", "-5qEv_d0"),
            ("TXT", "\"v=spf1 -all\""),
            ("TXT", "v=spf1 \"x\""),
            ("TXT", "\"a\\\"b\""),
            ("TXT", "schön 🦀"),
            ("TXT", &long),
            ("CNAME", "target.example."),
            ("NS", "ns1.ipv64.net"),
            ("MX", "mail.example"),
            ("MX", "10 mail.example"),
            ("SRV", "0 5 5060 sip.example.org."),
            ("SRV", "0 0 0 ."),
            ("TLSA", "3 1 1 0123456789abcdef"),
            ("CAA", "0 issue \"letsencrypt.org\""),
            ("HTTPS", "1 . alpn=h2"),
        ] {
            check_content(&RecordType::from_name(name), content).unwrap_or_else(|error| panic!("{error}"));
        }
    }

    #[test]
    fn refuses_what_does_not_and_names_the_rule() {
        let long = format!("\"{}\"", "a".repeat(256));
        for (name, content, word) in [
            ("A", "2001:db8::1", "IPv4"),
            ("A", "192.0.2.256", "IPv4"),
            ("A", "192.0.2.01", "IPv4"),
            ("AAAA", "192.0.2.1", "IPv6"),
            ("AAAA", "fe80::1%eth0", "IPv6"),
            ("TXT", "", "empty"),
            ("TXT", " ", "empty"),
            ("TXT", "a\u{1b}[31m", "control"),
            ("TXT", "\"open", "quotes"),
            ("TXT", "\"a\" b", "quotes"),
            ("TXT", "\"a\\", "quotes"),
            ("TXT", &long, "255"),
            ("CNAME", "a b", "not a domain name"),
            ("NS", "https://ns.example/", "not a domain name"),
            ("MX", "ten mail.example", "not a domain name"),
            ("SRV", "0 5 5060", "four fields"),
            ("SRV", "0 5 99999 sip.example", "four fields"),
            ("SRV", "0 5 5060 s ip", "four fields"),
            ("SRV", "0 5 5060 -", "not a domain name"),
            ("TLSA", "3 1 1 xyz", "four fields"),
            ("CAA", "issue letsencrypt.org", "three fields"),
            ("HTTPS", "", "empty"),
            ("\u{1b}[31m", "", "\\u{1b}[31M"),
        ] {
            let message = check_content(&RecordType::from_name(name), content).unwrap_err().to_string();
            assert!(message.contains(word), "{name} {content:?}: {message}");
            assert!(!message.contains('\u{1b}'), "{message:?}");
        }
    }
}
