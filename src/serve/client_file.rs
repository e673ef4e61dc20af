//! One client's file, `clients/NAME.toml`: read, and checked. Finding a client among all is left to [`super::clients`].

use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::path::Path;

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Deserializer, de};

use super::grant::{Grant, NotReady};
use super::token::TokenHash;
use crate::broker::pattern::Pattern;
use crate::broker::protocol::mask_tokens;
use crate::challenge::{parse_identifier, record_name};
use crate::error::{Error, Kind, Result};
use crate::excerpt::{visible, visible_path};
use crate::name::DnsName;
use crate::ownership::{self, Readers, Unusable};
use crate::settings::key;

/// What the names of client files end with.
pub const EXTENSION: &str = "toml";
/// The longest file that is read, in bytes.
const LONGEST: u64 = 64 * 1024;
/// The longest name of a client.
const LONGEST_NAME: usize = 64;

/// What is in the file of one client.
#[derive(Debug)]
pub struct ClientFile {
    /// What it may do.
    pub grant: Grant,
    /// The hashes of its tokens, the newest first.
    pub tokens: Vec<TokenHash>,
    /// The user that needs no token on the Unix socket.
    pub uid: Option<u32>,
    /// Its accounts of acme-dns.
    pub acme_dns: Vec<AcmeDnsAccount>,
}

/// An account of acme-dns, which stands for one record.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcmeDnsAccount {
    /// What the client sends as `X-Api-User`.
    pub username: String,
    /// The hash of what it sends as `X-Api-Key`.
    pub key: TokenHash,
    /// What it sends as `subdomain`.
    pub subdomain: String,
    /// The name of the challenge record, `_acme-challenge.` included.
    #[serde(deserialize_with = "challenge_name")]
    pub record: DnsName,
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    tokens: Vec<TokenHash>,
    #[serde(deserialize_with = "certificates")]
    allow: Vec<Pattern>,
    #[serde(default, deserialize_with = "records")]
    alias: Vec<Pattern>,
    #[serde(default, deserialize_with = "networks")]
    from: Vec<IpNet>,
    calls_per_day: Option<u32>,
    #[serde(default)]
    not_ready: NotReady,
    uid: Option<u32>,
    #[serde(default)]
    acme_dns: Vec<AcmeDnsAccount>,
}

impl ClientFile {
    /// Reads a file that nobody but root and this user can change, and nobody outside its group can read.
    ///
    /// # Errors
    /// [`Kind::ClientUnreadable`], [`Kind::ClientExposed`] or [`Kind::ClientMalformed`], with what to do.
    pub fn read(path: &Path) -> Result<Self> {
        Self::parse(path, &Self::text(path)?)
    }

    /// Returns the text of a file, as [`ClientFile::read`] reads it.
    ///
    /// # Errors
    /// As there.
    pub fn text(path: &Path) -> Result<String> {
        let shown = visible_path(path);
        let unreadable = |error: io::Error| {
            Error::new(Kind::ClientUnreadable, format!("cannot read the client file `{shown}`: {error}")).advise(
                format!("let the user that runs this program read `{shown}`: `chgrp` it to that user's group, `chmod 640` it"),
            )
        };
        let file = key::open(path, Readers::Group, None).map_err(|error| match error {
            Unusable::Unreadable(error) => unreadable(error),
            Unusable::Exposed(exposure) => {
                Error::new(Kind::ClientExposed, format!("the client file {}", exposure.problem)).advise(exposure.remedy)
            }
        })?;
        ownership::read_text(file, LONGEST).map_err(|error| match error.kind() {
            ErrorKind::FileTooLarge | ErrorKind::InvalidData => malformed(path, &error.to_string()),
            _ => unreadable(error),
        })
    }

    /// Reads the text of a file that is, or would be, at a path.
    ///
    /// # Errors
    /// [`Kind::ClientMalformed`] with the line; never with a token.
    pub fn parse(path: &Path, text: &str) -> Result<Self> {
        let client = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        check_name(&client).map_err(|rule| {
            malformed(path, &rule).advise("rename the file: its name without `.toml` is the client's user name")
        })?;
        let document: Document = toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            malformed(path, &format!("line {line}: {}", error.message()))
        })?;
        let Document { tokens, allow, alias, from, calls_per_day, not_ready, uid, acme_dns } = document;
        let grant = Grant { client, allow, alias, from, calls_per_day, not_ready };
        Ok(Self { grant, tokens, uid, acme_dns })
    }
}

/// Checks the name of a client: it is a file name, and a user name in URLs and logs.
///
/// # Errors
/// What to choose instead.
pub fn check_name(name: &str) -> Result<(), String> {
    let is_letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > LONGEST_NAME || name.starts_with(['.', '-']) || !name.chars().all(is_letter) {
        let lower = name.to_ascii_lowercase();
        // Names that differ in case only would be two clients with one name to people.
        let instead =
            if lower != name && check_name(&lower).is_ok() { format!(": write `{lower}`") } else { String::new() };
        return Err(format!(
            "the name of a client has lower case letters, digits, `-`, `_` and `.`, at most {LONGEST_NAME}, and begins with a \
             letter or a digit{instead}"
        ));
    }
    Ok(())
}

/// Reads a network, or one address. One of IPv4 in IPv6 form is taken for what it is.
///
/// # Errors
/// What to write.
pub fn parse_network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let network = network.map_err(|_| {
        format!("`{}` is not a network: write `192.0.2.0/24`, `2001:db8::/32` or one address", visible(text))
    })?;
    let mapped = match network {
        IpNet::V6(network) => network.addr().to_ipv4_mapped().zip(network.prefix_len().checked_sub(96)),
        IpNet::V4(_) => None,
    };
    Ok(mapped.and_then(|(address, length)| Ipv4Net::new(address, length).ok()).map_or(network, IpNet::V4))
}

/// Reads the name that an account of acme-dns is for, also as the name of its challenge record.
///
/// # Errors
/// Which rule is broken.
pub fn parse_record(text: &str) -> Result<DnsName, String> {
    parse_identifier(text).and_then(|name| record_name(&name)).map_err(|error| error.to_string())
}

fn challenge_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DnsName, D::Error> {
    parse_record(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

fn certificates<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Pattern>, D::Error> {
    list(deserializer, Pattern::of_certificates)
}

fn records<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Pattern>, D::Error> {
    list(deserializer, str::parse::<Pattern>)
}

fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    list(deserializer, parse_network)
}

fn list<'de, T, E: std::fmt::Display, D: Deserializer<'de>>(
    deserializer: D,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Vec<T>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| parse(text).map_err(de::Error::custom)).collect()
}

fn malformed(path: &Path, reason: &str) -> Error {
    // A token may be where its hash belongs.
    let reason = mask_tokens(&visible(reason));
    Error::new(Kind::ClientMalformed, format!("the client file `{}` cannot be used: {reason}", visible_path(path))).advise(
        "correct the line, or write the file again: `ipv64-acme client remove`, then `ipv64-acme client add`; docs/broker.md \
         has an example",
    )
}

#[cfg(test)]
mod tests;
