//! The name of an account in files, made from its key without giving it away.
//! Which domains an account has is [`super::DomainCache`]'s.

use std::fmt;

use crate::secret::Secret;

/// Bytes of the digest that are kept: 64 bits tell accounts apart, and no key can be computed from them.
const KEPT: usize = 8;
/// Goes into the digest before the key, so that it equals no other program's digest of the same key.
const TAG: &[u8] = b"ipv64-acme account\0";

/// The same for a client of a broker.
const BROKER_TAG: &[u8] = b"ipv64-acme broker\0";

/// An account, known by 16 hexadecimal digits from a SHA-256 over a fixed tag and its API key; none of them by default, where
/// no key is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Account(String);

impl Account {
    /// Computes the fingerprint of the account that `key` opens.
    #[must_use]
    pub fn of(key: &Secret) -> Self {
        Self::digest(&[TAG, key.expose().as_bytes()])
    }

    /// Computes the fingerprint of what a broker lets the client with this token do.
    #[must_use]
    pub fn at_broker(address: &str, token: &Secret) -> Self {
        Self::digest(&[BROKER_TAG, address.as_bytes(), b"\0", token.expose().as_bytes()])
    }

    fn digest(parts: &[&[u8]]) -> Self {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        parts.iter().for_each(|part| context.update(part));
        let digest = context.finish();
        Self(digest.as_ref().iter().take(KEPT).map(|byte| format!("{byte:02x}")).collect())
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_same_for_one_key_and_another_for_another() {
        let account = |key| Account::of(&Secret::parse(key).unwrap());
        // `printf 'ipv64-acme account\0key' | sha256sum`
        assert_eq!(account("key").to_string(), "feb7a6bff97d510d");
        assert_ne!(account("key"), account("kez"));
        let at_broker = |address, token| Account::at_broker(address, &Secret::parse(token).unwrap());
        assert_ne!(at_broker("https://a.example/", "token"), at_broker("https://b.example/", "token"));
        assert_ne!(at_broker("https://a.example/", "token"), at_broker("https://a.example/", "tokem"));
    }
}
