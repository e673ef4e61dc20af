//! The tokens of clients, and the accounts of acme-dns: made here, shown once, and kept as hashes. They are compared in
//! constant time; over all clients, by [`super::clients`].

use std::fmt;
use std::io;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::TryRng as _;
use rand::rngs::SysRng;
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use subtle::{Choice, ConstantTimeEq as _};

use crate::broker::protocol::TOKEN_PREFIX;
use crate::secret::Secret;

/// The random bytes of a token.
const TOKEN: usize = 32;
/// The random bytes of a key of acme-dns, which has 40 characters.
const ACME_DNS_KEY: usize = 30;

/// Makes a token.
///
/// # Errors
/// Only where the system has no random numbers to give.
pub fn generate() -> io::Result<Secret> {
    Ok(Secret::from_answer(format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(random::<TOKEN>()?))))
}

/// Makes the key of an account of acme-dns.
///
/// # Errors
/// As [`generate`].
pub fn acme_dns_key() -> io::Result<Secret> {
    Ok(Secret::from_answer(URL_SAFE_NO_PAD.encode(random::<ACME_DNS_KEY>()?)))
}

/// Makes a name in the form of those of acme-dns: a random UUID (RFC 9562 section 5.4).
///
/// # Errors
/// As [`generate`].
pub fn uuid() -> io::Result<String> {
    let bits = u128::from_be_bytes(random()?) & !(0xf << 76) & !(0b11 << 62) | 0x4 << 76 | 0b10 << 62;
    let hex = format!("{bits:032x}");
    Ok([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    SysRng.try_fill_bytes(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

/// The SHA-256 hash of a token: in files, 64 hexadecimal digits. A token is random, so its hash needs no salt and no stretching.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct TokenHash([u8; SHA256_OUTPUT_LEN]);

impl TokenHash {
    /// Computes the hash of a text.
    #[must_use]
    pub fn of(text: &[u8]) -> Self {
        let mut hash = [0; SHA256_OUTPUT_LEN];
        hash.copy_from_slice(digest(&SHA256, text).as_ref());
        Self(hash)
    }

    /// Compares two hashes; how long it takes says nothing of them.
    #[must_use]
    pub fn is(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl TryFrom<String> for TokenHash {
    type Error = &'static str;

    /// Never repeats the text: it may be a token.
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let malformed = "a hash is the SHA-256 of a token in 64 hexadecimal digits";
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let bytes: Option<Vec<u8>> = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
        let bytes = bytes.filter(|_| rest.is_empty()).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or(malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_recognised_never_printed_and_never_the_same() {
        let (one, other) = (generate().unwrap(), generate().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.expose().len(), TOKEN_PREFIX.len() + 43);
        assert!(one.expose().starts_with(TOKEN_PREFIX));
        assert_eq!(format!("{one} {one:?}"), "******** ********");
        assert_eq!(acme_dns_key().unwrap().expose().len(), 40);
    }

    #[test]
    fn the_hash_of_a_file_is_that_of_the_token() {
        let hash = TokenHash::of(b"abc");
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; // FIPS 180-2, appendix B.1
        assert_eq!(hash.to_string(), hex);
        assert_eq!(TokenHash::try_from(hex.to_uppercase()), Ok(hash));
        assert!(bool::from(hash.is(&TokenHash::of(b"abc"))) && !bool::from(hash.is(&TokenHash::of(b"abd"))));
        for text in ["", "ab", &hex[1..], &format!("{hex}0"), &format!("{hex}00"), &hex.replace('b', "g"), "ipv64b_abc"]
        {
            let error = TokenHash::try_from(text.to_owned()).unwrap_err();
            assert!(error.contains("64 hexadecimal") && !error.contains("ipv64b_"), "{text}: {error}");
        }
    }

    #[test]
    fn a_uuid_has_its_version_and_its_variant() {
        for _ in 0..100 {
            let uuid = uuid().unwrap();
            let parts: Vec<_> = uuid.split('-').collect();
            assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{uuid}");
            assert!(parts[2].starts_with('4') && parts[3].starts_with(['8', '9', 'a', 'b']), "{uuid}");
        }
    }
}
