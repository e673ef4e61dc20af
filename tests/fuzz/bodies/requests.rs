//! Requests to the broker: the first byte chooses the dialect and the content type, or the header `Authorization`; the rest is
//! the body, or the header.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use ipv64_acme::name::DnsName;
use ipv64_acme::serve::clients::Clients;
use ipv64_acme::serve::dialect::{Asked, Malformed, Problem};
use ipv64_acme::serve::token::TokenHash;
use ipv64_acme::serve::{Peer, acme_dns, httpreq, identity, v1};
use serde_json::{Map, Value};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

pub(crate) fn run(input: &[u8]) {
    let (which, rest) = super::choose(input);
    match which % 8 {
        0 => httpreq_body(Some(JSON), rest),
        1 => httpreq_body(Some(FORM), rest),
        2 => httpreq_body(None, rest),
        3 => {
            let (end, rest) = super::choose(rest);
            let (content_type, body) = rest.split_at(end.min(rest.len()));
            httpreq_body(Some(&String::from_utf8_lossy(content_type)), body);
        }
        4 | 5 => acme_dns_body(rest),
        6 => v1_body(rest),
        _ => authorization(rest),
    }
}

/// What holds in every dialect: what is asked for is a challenge, and each answer is one line of JSON.
fn assert_asked(asked: &Asked) {
    assert!(asked.challenge.value.is_digest(), "{asked:?}");
    assert_eq!(DnsName::parse(asked.challenge.name.as_str()).as_ref(), Ok(&asked.challenge.name));
    super::assert_tame(&asked.program);
    assert!(asked.within.as_secs() < 30, "lego waits for 30 s");
}

fn assert_malformed(malformed: Malformed) {
    let problem = Problem::Malformed(malformed);
    assert!(matches!(problem.status().as_u16(), 400 | 415) && problem.retry_after().is_none(), "{problem:?}");
    super::assert_tame(problem.words());
}

/// The fields of an object, with the keys in lower case; nothing if a key that means something is there twice.
fn fields(object: &Map<String, Value>) -> Option<Map<String, Value>> {
    let mut lower = Map::new();
    for (key, value) in object {
        let key = key.to_ascii_lowercase();
        let means_something = ["fqdn", "value", "domain", "token", "keyauth"].contains(&key.as_str());
        if lower.insert(key, value.clone()).is_some() && means_something {
            return None;
        }
    }
    Some(lower)
}

/// A name is answered as it was sent, and whatever could be read in two ways is refused.
fn httpreq_body(content_type: Option<&str>, body: &[u8]) {
    let asked = match httpreq::read(content_type, body) {
        Ok(asked) => asked,
        Err(malformed) => return assert_malformed(malformed),
    };
    assert_asked(&asked);
    for is_pending in [false, true] {
        let done = httpreq::done(&asked, is_pending);
        assert_eq!((&done["fqdn"], done.get("state").is_some()), (&asked.sent_name.clone().into(), is_pending));
    }
    // A form is none of JSON; and a field that nobody reads may hold a number that nobody can.
    let Ok(Value::Object(object)) = serde_json::from_slice(body) else { return };
    let fields = fields(&object).unwrap_or_else(|| panic!("one key twice: {object:?}"));
    let of = |name: &str| fields.get(name).and_then(Value::as_str);
    match (of("fqdn"), of("domain")) {
        (Some(fqdn), None) => {
            assert_eq!((fqdn, of("value")), (asked.sent_name.as_str(), Some(asked.challenge.value.as_str())));
            assert_eq!(DnsName::parse(fqdn).as_ref(), Ok(&asked.challenge.name));
        }
        (None, Some(domain)) => {
            let domain = DnsName::parse(domain).unwrap();
            assert_eq!(asked.challenge.name.as_str().strip_prefix("_acme-challenge."), Some(domain.as_str()));
            assert!(of("keyauth").is_some_and(|text| text.contains('.')), "{object:?}");
        }
        both => panic!("two names or none: {both:?}"),
    }
}

/// The account alone says which record it is.
fn acme_dns_body(body: &[u8]) {
    let Some(update) = acme_dns::Update::read(body) else { return };
    let record = DnsName::parse("_acme-challenge.a.example").unwrap();
    match update.asked(record.clone()) {
        Ok(asked) => {
            assert_asked(&asked);
            assert_eq!(asked.challenge.name, record);
            assert_eq!(acme_dns::done(&asked, false)["txt"], asked.challenge.value.as_str());
        }
        Err(malformed) => assert_malformed(malformed),
    }
}

fn v1_body(body: &[u8]) {
    assert_eq!(v1::read(Some(FORM), body), Err(Malformed::ContentType));
    let asked = match v1::read(Some(JSON), body) {
        Ok(asked) => asked,
        Err(malformed) => return assert_malformed(malformed),
    };
    assert_asked(&asked);
    let document: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(document["value"], asked.challenge.value.as_str());
    assert_eq!(DnsName::parse(document["name"].as_str().unwrap()).as_ref(), Ok(&asked.challenge.name));
}

/// One client, `web` with the token `token`.
static CLIENTS: LazyLock<Clients> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("web.toml");
    fs::write(&file, format!("tokens = ['{}']\nallow = []\nuid = 7\n", TokenHash::of(b"token"))).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let (clients, errors) = Clients::load(Path::new(folder.path()));
    assert!(errors.is_empty() && clients.len() == 1, "{errors:?}");
    clients
});

/// Only who shows the token is the client, and whoever shows something else is not the user of the process.
fn authorization(line: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(line) else { return };
    let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
    let (scheme, rest) = line.split_at(line.iter().position(|byte| *byte == b' ').unwrap_or(line.len()));
    let expected = match scheme.to_ascii_lowercase().as_slice() {
        b"bearer" => rest.trim_ascii() == b"token",
        b"basic" => rest.trim_ascii() == b"d2ViOnRva2Vu", // web:token
        _ => false,
    };
    for peer in [Peer::User(7), Peer::Address([192, 0, 2, 1].into())] {
        assert_eq!(identity::of(&CLIENTS, &headers, peer).is_some(), expected, "{:?}", line.escape_ascii().to_string());
    }
}
