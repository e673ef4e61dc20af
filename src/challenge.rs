//! What a `dns-01` challenge asks for: one TXT value at one name (RFC 8555 section 8.4).
//! How the clients hand it over is in [`crate::hook`].

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::TryRng as _;

use crate::name::{DnsName, NameError};

/// The label that a CA puts before the validated name (RFC 8555 section 8.4).
pub const CHALLENGE_LABEL: &str = "_acme-challenge";
/// The length of a SHA-256 digest in base64url without padding, in characters.
pub const DIGEST: usize = 43;
/// The longest character-string of a TXT record in octets (RFC 1035 section 3.3.14).
const MAX_STRING: usize = 255;

/// Returns whether a text is a name, or the name of its challenge record.
#[must_use]
pub fn is_about(text: &str, name: &DnsName) -> bool {
    let bare = text.strip_prefix(CHALLENGE_LABEL).and_then(|rest| rest.strip_prefix('.'));
    [Some(text), bare].contains(&Some(name.as_str()))
}

/// The content of a challenge record: base64url text without padding (RFC 4648 section 5).
///
/// ACME clients pass the 43 characters of a SHA-256 digest ([`TxtValue::is_digest`]). Other lengths are values too, since such
/// a one may be in the account and has to be removed; with a dot it is a key authorization.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
pub struct TxtValue(String);

impl TxtValue {
    /// Takes a finished value.
    ///
    /// # Errors
    /// [`ValueError`] says which rule is broken; a key authorization is told apart from other mistakes.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        if text.is_empty() {
            return Err(ValueError::Empty);
        }
        if text.len() > MAX_STRING {
            return Err(ValueError::TooLong(text.len()));
        }
        if is_key_authorization(text) {
            return Err(ValueError::KeyAuthorization);
        }
        match text.chars().find(|c| !is_base64url(*c)) {
            Some(bad) => Err(ValueError::Character(bad)),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// Computes the value from a key authorization: `base64url(SHA-256(token "." thumbprint))`.
    ///
    /// # Errors
    /// [`ValueError::NoKeyAuthorization`] if the text is not two base64url parts joined by a dot
    /// (RFC 8555 section 8.1).
    pub fn from_key_authorization(text: &str) -> Result<Self, ValueError> {
        if !is_key_authorization(text) {
            return Err(ValueError::NoKeyAuthorization);
        }
        let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        Ok(Self(URL_SAFE_NO_PAD.encode(digest)))
    }

    /// Makes a value that nobody else has: for trying things out without a CA.
    ///
    /// # Errors
    /// Only where the system has no random numbers to give.
    pub fn random() -> Result<Self, rand::rngs::SysError> {
        let mut bytes = [0; 32];
        rand::rngs::SysRng.try_fill_bytes(&mut bytes)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Returns whether it is what a `dns-01` challenge asks for: a SHA-256 digest in base64url (RFC 8555 section 8.4).
    #[must_use]
    pub fn is_digest(&self) -> bool {
        self.0.len() == DIGEST
    }

    /// Returns the value as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TxtValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_base64url(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

fn is_key_authorization(text: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part.chars().all(is_base64url);
    text.split_once('.').is_some_and(|(token, thumbprint)| part(token) && part(thumbprint))
}

/// Returns the name of the record for a validated name: `*.` is dropped, `_acme-challenge.` put before it if it is not there.
///
/// # Errors
/// [`NameError`] if it would be too long.
pub fn record_name(identifier: &DnsName) -> Result<DnsName, NameError> {
    without_label(&identifier.without_wildcard()).prepend(CHALLENGE_LABEL)
}

/// Reads the name that a certificate is for, as a person may write it: also as the name of its challenge record.
///
/// # Errors
/// [`NameError`] says which rule is broken.
pub fn parse_identifier(text: &str) -> Result<DnsName, NameError> {
    // Read again, for an IP address behind the label.
    text.parse().and_then(|name| without_label(&name).as_str().parse())
}

/// Returns a name without the label of a challenge record: a name with two of them is never meant.
fn without_label(name: &DnsName) -> DnsName {
    let rest = name.parent().filter(|_| name.labels().next() == Some(CHALLENGE_LABEL));
    rest.unwrap_or_else(|| name.clone())
}

/// Why a text cannot be a challenge value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// No text at all.
    #[error("it is empty")]
    Empty,
    /// Longer than one character-string of a TXT record; holds the length in characters.
    #[error("it has {0} characters, {MAX_STRING} are allowed")]
    TooLong(usize),
    /// A character outside base64url.
    #[error("{0:?} is not a base64url character")]
    Character(char),
    /// `token.thumbprint`: what `http-01` publishes, and what `dns-01` publishes the digest of.
    #[error("it is a key authorization (it has a dot), not the digest that dns-01 publishes")]
    KeyAuthorization,
    /// A key authorization was expected.
    #[error("it is not a key authorization (TOKEN.THUMBPRINT)")]
    NoKeyAuthorization,
}

/// One TXT record that a CA will look for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
pub struct Challenge {
    /// The full name of the record, before any CNAME is followed.
    pub name: DnsName,
    /// Its content.
    pub value: TxtValue,
}

impl Challenge {
    /// Makes the challenge for a validated name.
    ///
    /// # Errors
    /// [`NameError`] if the record name would be too long.
    pub fn for_identifier(identifier: &DnsName, value: TxtValue) -> Result<Self, NameError> {
        Ok(Self { name: record_name(identifier)?, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_behind_the_label_is_no_domain() {
        assert!(parse_identifier("_acme-challenge.192.0.2.1").unwrap_err().to_string().contains("an IP address"));
        assert_eq!(parse_identifier("_acme-challenge.a.example").unwrap().as_str(), "a.example");
    }

    #[test]
    fn digest_is_that_of_rfc_8555() {
        // `printf %s KEYAUTH | openssl dgst -sha256 -binary | basenc --base64url`
        let key_authorization =
            "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA.NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
        let value = TxtValue::from_key_authorization(key_authorization).unwrap();
        assert_eq!(value.as_str(), "ZTRx1Ckl1-tM05o5zaizTTA0yUy5AGereMgSNWC6Ll8");
    }

    #[test]
    fn a_value_may_begin_with_a_dash() {
        for text in ["-5qEv-d0", "--help", "-", "_x", "-v"] {
            assert_eq!(TxtValue::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn a_key_authorization_is_no_value_and_the_reverse() {
        assert_eq!(TxtValue::parse("token.thumb"), Err(ValueError::KeyAuthorization));
        assert_eq!(TxtValue::from_key_authorization("digest"), Err(ValueError::NoKeyAuthorization));
    }

    #[test]
    fn refuses_other_characters_and_lengths() {
        assert_eq!(TxtValue::parse(""), Err(ValueError::Empty));
        assert_eq!(TxtValue::parse("a b"), Err(ValueError::Character(' ')));
        assert_eq!(TxtValue::parse("ab="), Err(ValueError::Character('=')));
        assert_eq!(TxtValue::parse(&"a".repeat(256)), Err(ValueError::TooLong(256)));
    }

    #[test]
    fn wildcard_and_apex_share_one_record_name() {
        let value = TxtValue::parse("v").unwrap();
        for identifier in ["*.Example.ORG.", "example.org", "_acme-challenge.example.org"] {
            let challenge = Challenge::for_identifier(&DnsName::parse(identifier).unwrap(), value.clone()).unwrap();
            assert_eq!(challenge.name.as_str(), "_acme-challenge.example.org");
        }
    }

    #[test]
    fn random_values_differ() {
        assert_ne!(TxtValue::random().unwrap(), TxtValue::random().unwrap());
    }
}
