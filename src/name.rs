//! Domain names in the one form that all other rooms use: lower case, A-labels, no final dot.
//! Nothing here asks DNS or knows which names belong to whom.

use std::borrow::Cow;
use std::fmt;

use crate::excerpt::excerpt;

/// The longest name in octets on the wire is 255 (RFC 1035 section 2.3.4): 253 characters as text.
const MAX_NAME: usize = 253;
/// The longest label in octets (RFC 1035 section 2.3.4).
const MAX_LABEL: usize = 63;
/// Why an IP address is refused.
const ADDRESS: &str = "it is an IP address, and dns-01 proves names only";
/// How much of a refused text a message shows, in characters.
const SHOWN: usize = 80;

/// A fully qualified domain name: lower case, A-labels (RFC 5890), without the final dot.
///
/// Underscores are allowed in every label (`_acme-challenge`), `*` as the whole first label. Two spellings of one
/// name are equal: `Bücher.Example.` and `xn--bcher-kva.example`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DnsName(String);

impl DnsName {
    /// Reads a name in any usual spelling.
    ///
    /// # Errors
    /// [`NameError`] names the text and the broken rule.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let refuse = |rule: Cow<'static, str>| {
            let rule = host(text).map_or(rule, |host| format!("write `{host}`").into());
            NameError { text: excerpt(text, SHOWN), rule }
        };
        let mut ascii = if text.is_ascii() {
            text.to_ascii_lowercase()
        } else {
            idna::domain_to_ascii(text).map_err(|_| refuse("it cannot be written in A-labels (RFC 5891)".into()))?
        };
        // Now, since other scripts have full stops of their own (RFC 5895 section 2).
        if ascii.ends_with('.') {
            ascii.pop();
        }
        if ascii.is_empty() {
            return Err(refuse("it is empty".into()));
        }
        if ascii.len() > MAX_NAME {
            return Err(refuse(too_long("it", ascii.len(), MAX_NAME)));
        }
        for (position, label) in ascii.split('.').enumerate() {
            check_label(position, label).map_err(refuse)?;
        }
        Ok(Self(ascii))
    }

    /// Returns the name as text, without a final dot.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the labels, leftmost first.
    pub fn labels(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('.')
    }

    /// Returns the name one label up, or nothing for a name of one label.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.0.split_once('.').map(|(_, rest)| Self(rest.to_owned()))
    }

    /// Returns the name and all names above it, the name itself first.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> {
        std::iter::successors(Some(self.clone()), Self::parent)
    }

    /// Returns what comes before `zone`: `a.b` of `a.b.example.org` below `example.org`, and an empty text for
    /// the zone itself. Nothing if the name is not at or below the zone; label borders count.
    #[must_use]
    pub fn prefix_below(&self, zone: &Self) -> Option<&str> {
        let before = self.0.strip_suffix(zone.as_str())?;
        if before.is_empty() { Some(before) } else { before.strip_suffix('.') }
    }

    /// Returns whether the name is `zone` or below it.
    #[must_use]
    pub fn is_within(&self, zone: &Self) -> bool {
        self.prefix_below(zone).is_some()
    }

    /// Returns the name without a leading `*.`, as an ACME identifier of a wildcard is validated (RFC 8555
    /// section 7.1.3).
    #[must_use]
    pub fn without_wildcard(&self) -> Self {
        self.0.strip_prefix("*.").map_or_else(|| self.clone(), |rest| Self(rest.to_owned()))
    }

    /// Puts one or more labels before the name.
    ///
    /// # Errors
    /// [`NameError`] if the result is no name, usually because it is too long.
    pub fn prepend(&self, labels: &str) -> Result<Self, NameError> {
        Self::parse(&format!("{labels}.{}", self.0))
    }
}

impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for DnsName {
    type Err = NameError;

    /// As [`DnsName::parse`], for what a person writes: an IP address is refused.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_address = |text: &str| text.parse::<std::net::IpAddr>().is_ok();
        // Also an address in another spelling: with a final dot, or in digits of another script.
        match Self::parse(text) {
            Ok(name) if !is_address(&name.0) => Ok(name),
            Err(error) if !is_address(text) => Err(error),
            _ => Err(NameError { text: excerpt(text, SHOWN), rule: ADDRESS.into() }),
        }
    }
}

impl serde::Serialize for DnsName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for DnsName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Returns the name in a URL, or in a name with a port.
fn host(text: &str) -> Option<DnsName> {
    let after_scheme = text.split_once("://").map_or(text, |(_, rest)| rest);
    let host = after_scheme.split(['/', ':']).next()?;
    if host == text { None } else { DnsName::parse(host).ok() }
}

fn check_label(position: usize, label: &str) -> Result<(), Cow<'static, str>> {
    let wildcard = position == 0 && label == "*";
    let letter = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if label.is_empty() {
        Err("it has an empty label (two dots in a row, or a dot at the start)".into())
    } else if label.len() > MAX_LABEL {
        Err(too_long("one label", label.len(), MAX_LABEL))
    } else if let Some(bad) = label.chars().find(|c| !letter(c) && !wildcard) {
        Err(format!("{bad:?} is not allowed in a label (letters, digits, hyphen and underscore are)").into())
    } else if label.starts_with('-') || label.ends_with('-') {
        Err("a label begins or ends with a hyphen".into())
    } else {
        Ok(())
    }
}

fn too_long(what: &str, characters: usize, most: usize) -> Cow<'static, str> {
    format!("{what} has {characters} characters, {most} are allowed").into()
}

/// A text that is not a domain name, and the rule that it breaks (RFC 1035 section 2.3, RFC 5891).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a domain name: {rule}")]
pub struct NameError {
    text: String,
    rule: Cow<'static, str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> DnsName {
        DnsName::parse(text).unwrap()
    }

    #[test]
    fn all_spellings_of_one_name_are_equal() {
        for text in ["Bücher.Example", "bücher.example.", "XN--BCHER-KVA.example", "xn--bcher-kva.example."] {
            assert_eq!(name(text).as_str(), "xn--bcher-kva.example", "{text}");
            let challenge = name(&format!("_ACME-Challenge.{text}"));
            assert_eq!(challenge.as_str(), "_acme-challenge.xn--bcher-kva.example", "{text}");
            assert_eq!(name(&format!("*.{text}")).without_wildcard(), name(text), "{text}");
        }
    }

    #[test]
    fn a_full_stop_of_another_script_is_one() {
        assert_eq!(name("例え。テスト。"), name("例え.テスト"));
        assert!(DnsName::parse("。").unwrap_err().to_string().contains("empty"));
    }

    #[test]
    fn refuses_what_is_no_name_and_says_why() {
        let long_label = format!("{}.example", "a".repeat(64));
        let long_name = vec!["abcdefghi"; 26].join(".");
        let table: [(&str, &str); 15] = [
            ("", "empty"),
            (".", "empty"),
            ("a..b", "empty label"),
            (".a", "empty label"),
            ("a b.example", "' '"),
            ("https://a.example/", "write `a.example`"),
            ("a.example:443", "write `a.example`"),
            ("a.example/b", "write `a.example`"),
            ("a b:443", "' '"),
            ("a.*.example", "'*'"),
            ("-a.example", "hyphen"),
            ("a-.example", "hyphen"),
            ("a\u{1b}[31m.example", "\\u{1b}"),
            (&long_label, "64"),
            (&long_name, "259"),
        ];
        for (text, word) in table {
            let message = DnsName::parse(text).unwrap_err().to_string();
            assert!(message.contains(word), "{text:?}: {message}");
            assert!(!message.contains('\u{1b}'), "{message:?}");
        }
    }

    #[test]
    fn an_address_is_no_name_that_a_person_may_write() {
        for text in ["192.0.2.1", "2001:db8::1", "192.0.2.1.", "１９２.0.2.1"] {
            assert!(text.parse::<DnsName>().unwrap_err().to_string().contains("an IP address"), "{text}");
        }
    }

    #[test]
    fn prefix_stops_at_label_borders() {
        let zone = name("name.ipv64.net");
        assert_eq!(name("_acme-challenge.a.name.ipv64.net").prefix_below(&zone), Some("_acme-challenge.a"));
        assert_eq!(zone.prefix_below(&zone), Some(""));
        assert_eq!(name("evilname.ipv64.net").prefix_below(&zone), None);
        assert_eq!(name("ipv64.net").prefix_below(&zone), None);
    }

    #[test]
    fn wildcard_is_one_first_label() {
        assert_eq!(name("*.a.example").without_wildcard(), name("a.example"));
        assert_eq!(name("a.example").without_wildcard(), name("a.example"));
    }

    #[test]
    fn ancestors_end_at_the_last_label() {
        let all: Vec<_> = name("a.b.example").ancestors().map(|n| n.to_string()).collect();
        assert_eq!(all, ["a.b.example", "b.example", "example"]);
    }
}
