//! The documents of `/v1`. A request carries `Authorization: Bearer TOKEN`; an answer has the status 200, or another one and
//! an [`ErrorDocument`].

use crate::name::DnsName;
use crate::secret::MASK;

/// Where a record is added. The answer comes when IPv64 has stored it: the caller looks at the name servers itself.
pub const PRESENT: &str = "/v1/present";
/// Where a record is removed.
pub const CLEANUP: &str = "/v1/cleanup";
/// Where a client asks (`GET`) what it may do.
pub const CLIENT: &str = "/v1/client";
/// What every token begins with, so that people and scanners of secrets know one.
pub const TOKEN_PREFIX: &str = "ipv64b_";

/// Replaces every token in a text, for the message about one that is where none belongs.
#[must_use]
pub fn mask_tokens(text: &str) -> String {
    let mut parts = text.split(TOKEN_PREFIX);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |masked, part| {
        masked + MASK + part.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    })
}

/// A record to be added or removed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordRequest {
    /// The name of the challenge, before any CNAME is followed: `_acme-challenge.www.example.com`.
    pub name: DnsName,
    /// The value of dns-01: 43 characters of base64url.
    pub value: String,
    /// Which ACME client asks, in the words of its hook: `certbot`.
    pub client: String,
}

/// What became of the record.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RecordAnswer {
    /// The name of the record, at the end of all CNAMEs.
    pub record: DnsName,
    /// The account domain that holds it; none for a record that never was.
    pub domain: Option<DnsName>,
    /// Whether this call has added or removed it; `false` where it was there, or gone, before.
    pub changed: bool,
}

/// What a client may do, as its file says.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ClientAnswer {
    /// Its name.
    pub client: String,
    /// The names that it may get certificates for, each with its wildcard: `www.example.com`, `*.example.com`.
    pub allow: Vec<String>,
    /// The names of records, other than those of `allow`, where its aliases may end.
    pub alias: Vec<String>,
    /// The API calls it may cause in a day; none if there is no such limit.
    pub calls_per_day: Option<u32>,
}

/// Why nothing became of it, as `--json` prints errors.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ErrorDocument {
    /// The error.
    pub error: ErrorBody,
}

/// One error.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ErrorBody {
    /// The word of its kind ([`crate::error::Kind::as_str`]): the hook ends with its exit code.
    pub kind: String,
    /// One line; nothing of other clients.
    pub message: String,
    /// What to do now.
    pub hint: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_in_a_message_is_masked() {
        let text = format!("string \"{TOKEN_PREFIX}a-b_C\", then a.{TOKEN_PREFIX}0.");
        assert_eq!(mask_tokens(&text), "string \"********\", then a.********.");
        assert_eq!(mask_tokens("nothing"), "nothing");
    }
}
