//! A client's file of the broker: what it grants is what it says, and no message repeats a token. Each line is also read alone,
//! as a name, a network and a hash.

use std::path::Path;

use ipv64_acme::broker::pattern::Pattern;
use ipv64_acme::name::DnsName;
use ipv64_acme::serve::client_file::{ClientFile, parse_network, parse_record};
use ipv64_acme::serve::policy::{admit_name, admit_record};
use ipv64_acme::serve::token::TokenHash;

pub(crate) fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    match ClientFile::parse(Path::new("/etc/ipv64-acme/clients/web.toml"), &text) {
        Ok(file) => assert_grants(&file),
        Err(error) => {
            super::assert_error(&error);
            assert!(!error.to_string().contains("ipv64b_"), "{error}");
        }
    }
    text.lines().for_each(assert_line);
}

/// What is granted is written as it is read; a name passes if its labels say so, and no other does.
fn assert_grants(file: &ClientFile) {
    let grant = &file.grant;
    for pattern in &grant.allow {
        assert_eq!(Pattern::of_certificates(&pattern.to_string()).as_ref(), Ok(pattern));
        let text = pattern.to_string();
        let above = text.strip_prefix("*.").unwrap_or(&text);
        for name in [above.to_owned(), format!("x.{above}"), format!("x{above}"), "x.invalid".to_owned()] {
            let Ok(challenge) = DnsName::parse(&format!("_acme-challenge.{name}")) else { continue };
            let expected = grant.allow.iter().any(|pattern| covers(&pattern.to_string(), &name));
            assert_eq!(admit_name(grant, &challenge).is_ok(), expected, "{name}");
            assert_eq!(admit_record(grant, &challenge, &challenge), Ok(()));
        }
    }
}

fn covers(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(above) => name.len() > above.len() && name.ends_with(above),
        None => pattern == name,
    }
}

fn assert_line(line: &str) {
    if let Err(error) = line.parse::<Pattern>() {
        super::assert_tame(&error.to_string());
    }
    match parse_network(line) {
        Ok(network) => assert_eq!(parse_network(&network.to_string()), Ok(network)),
        Err(error) => super::assert_tame(&error),
    }
    match parse_record(line) {
        Ok(record) => assert_eq!(record.labels().next(), Some("_acme-challenge"), "{record}"),
        Err(error) => super::assert_tame(&error),
    }
    if let Ok(hash) = TokenHash::try_from(line.to_owned()) {
        assert_eq!(hash.to_string(), line.to_ascii_lowercase());
    }
}
