//! Names and other short texts: parsed, printed, compared, and matched with suffixes. A second name follows a line end.

use ipv64_acme::account::holder;
use ipv64_acme::api::{RecordType, check_content};
use ipv64_acme::challenge::{Challenge, TxtValue};
use ipv64_acme::excerpt::{excerpt, visible};
use ipv64_acme::http::Endpoint;
use ipv64_acme::name::DnsName;
use ipv64_acme::settings::parse;
use ipv64_acme::state::Rate;
use ipv64_acme::time::Timestamp;

pub(crate) fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (first, second) = text.split_once('\n').unwrap_or((&text, ""));
    let names: Vec<DnsName> = [first, second].into_iter().filter_map(name).collect();
    names.iter().for_each(assert_family);
    if let [name, other] = names.as_slice() {
        assert_matches(name, other);
        assert_holder(name, other);
    }
    for text in [first, second] {
        assert_value(text);
        assert_other_texts(text);
    }
}

/// A name is printed as it is read, and all spellings of it are equal.
fn name(text: &str) -> Option<DnsName> {
    let name = match DnsName::parse(text) {
        Ok(name) => name,
        Err(error) => {
            super::assert_tame(&error.to_string());
            return None;
        }
    };
    assert!(name.as_str().is_ascii() && name.as_str().len() <= 253 && !name.as_str().ends_with('.'));
    assert!(name.labels().all(|label| (1..=63).contains(&label.len())));
    for spelling in [name.to_string(), format!("{name}."), name.as_str().to_ascii_uppercase()] {
        assert_eq!(DnsName::parse(&spelling).as_ref(), Ok(&name), "{spelling}");
    }
    let json = serde_json::to_string(&name).unwrap();
    assert_eq!(serde_json::from_str::<DnsName>(&json).unwrap(), name);
    // Whether a text has a final dot makes no difference, also where the dot is none of ASCII. A label that only looks like
    // an A-label is let through as it is, but not where something has to be converted.
    if !text.ends_with(['.', '。', '．', '｡']) && !name.as_str().contains("xn--") {
        for dot in ['.', '。'] {
            assert_eq!(DnsName::parse(&format!("{text}{dot}")).as_ref(), Ok(&name), "{text}{dot}");
        }
    }
    Some(name)
}

/// What stands before each of the names above, put before it again, is the name.
fn assert_family(name: &DnsName) {
    let count = name.labels().count();
    assert_eq!(name.ancestors().count(), count);
    for (cut, above) in name.ancestors().enumerate() {
        let before: Vec<_> = name.labels().take(cut).collect();
        assert_eq!(name.prefix_below(&above), Some(before.join(".").as_str()));
        assert_eq!(above.prefix_below(name).is_some(), cut == 0, "{above} is not below {name}");
        if cut > 0 && !before.contains(&"*") {
            assert_eq!(above.prepend(&before.join(".")).as_ref(), Ok(name));
        }
    }
    let bare = name.without_wildcard();
    assert_eq!(bare.without_wildcard(), bare);
    let value = TxtValue::parse("v").unwrap();
    if let Ok(challenge) = Challenge::for_identifier(name, value) {
        // What is a record's name already stays as it is.
        let is_record = bare.labels().count() > 1 && bare.labels().next() == Some("_acme-challenge");
        assert_eq!(if is_record { Some(challenge.name) } else { challenge.name.parent() }, Some(bare));
    }
}

/// Whether one name is within the other, by their labels alone.
fn is_within(name: &DnsName, zone: &DnsName) -> bool {
    let (name, zone): (Vec<_>, Vec<_>) = (name.labels().rev().collect(), zone.labels().rev().collect());
    name.starts_with(&zone)
}

fn assert_matches(name: &DnsName, other: &DnsName) {
    assert_eq!(name.is_within(other), is_within(name, other), "{name} {other}");
    assert_eq!(other.is_within(name), is_within(other, name), "{other} {name}");
    // Joined without a dot they share letters, and no label border.
    if let Ok(glued) = DnsName::parse(&format!("x{other}")) {
        assert!(!glued.is_within(other), "{glued} {other}");
    }
}

/// The domain that holds a name is the longest that it is within.
fn assert_holder(name: &DnsName, other: &DnsName) {
    let domains: Vec<DnsName> = other.ancestors().chain(name.ancestors().skip(1)).collect();
    let expected = domains.iter().filter(|domain| is_within(name, domain)).max_by_key(|domain| domain.labels().count());
    assert_eq!(holder(&domains, name), expected);
}

/// A value is what it was made of, and no key authorization.
fn assert_value(text: &str) {
    match TxtValue::parse(text) {
        Ok(value) => {
            assert_eq!(value.as_str(), text);
            assert!(!text.contains('.') && TxtValue::from_key_authorization(text).is_err());
        }
        Err(error) => super::assert_tame(&error.to_string()),
    }
    match TxtValue::from_key_authorization(text) {
        Ok(value) => assert_eq!((TxtValue::parse(value.as_str()), value.as_str().len()), (Ok(value.clone()), 43)),
        Err(error) => super::assert_tame(&error.to_string()),
    }
}

fn assert_other_texts(text: &str) {
    let shown = visible(text);
    assert_eq!(visible(&shown), shown);
    for longest in [0, 1, 7, 80] {
        let cut = excerpt(text, longest);
        assert_eq!(visible(&cut), cut);
        assert!(!cut.contains('\n') && cut.chars().count() <= longest * 10 + 1, "{cut:?}");
    }
    if let Err(error) = Endpoint::parse(text) {
        assert!(!error.is_empty() && !error.contains('\n'), "{error:?}");
    }
    if let Ok(time) = parse::duration(text) {
        assert!(time.as_secs() <= 366 * 86_400);
    }
    if let Ok(rate) = text.parse::<Rate>() {
        assert_eq!(rate.to_string().parse(), Ok(rate));
    }
    if let Some(time) = Timestamp::parse_provider(text) {
        assert!(!time.to_string().is_empty());
    }
    let known = RecordType::DOCUMENTED.into_iter().chain([text]).map(RecordType::from_name);
    for record_type in known {
        assert_eq!(RecordType::from_name(record_type.as_str()), record_type);
        if let Err(error) = check_content(&record_type, text) {
            assert!(!error.to_string().chars().any(char::is_control), "{error}");
        }
    }
}
