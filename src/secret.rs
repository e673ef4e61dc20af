//! The API key and whatever else is secret, as a type that cannot be printed by accident.
//! Where the key comes from is the business of the settings; how it is sent, of the API client.

use std::fmt;

use crate::excerpt::is_invisible;

/// The longest text in octets that is taken for a key, with the blanks around it; keys have 32 characters (observed).
/// Whoever reads a key from a file or a pipe reads one octet more, so that a longer text is refused and not cut.
pub const LONGEST_KEY: u64 = 4096;
/// The shortest text that is masked inside other text: a shorter "key" would blank out ordinary words.
const SHORTEST_MASKED: usize = 4;

/// What people copy along with a key, in the order in which it comes before it; a key has no blanks and no sign of these.
const COPIED_ALONG: [&str; 7] =
    ["export ", "IPV64_API_KEY", "IPV64_API_TOKEN", "IPv64_Token", "Authorization:", "=", "Bearer"];
/// Quotes around a key, also those of word processors.
const QUOTES: &str = "\"'`\u{201c}\u{201d}\u{201e}\u{2018}\u{2019}\u{201a}";

/// What is shown in place of a secret.
pub const MASK: &str = "********";

/// A text that must not reach a log, an error, a process list or another host.
///
/// `Debug` and `Display` print [`MASK`]; the only way to the text is [`Secret::expose`], which is easy
/// to find in a review. There is no `Serialize`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a key as the bytes of a file: UTF-8, or UTF-16 with a byte order mark, which editors of Windows write.
    ///
    /// # Errors
    /// As [`Secret::parse`]; [`SecretError::Encoding`] for other bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, SecretError> {
        if bytes.len() as u64 > LONGEST_KEY {
            return Err(SecretError::TooLong);
        }
        let utf16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
            let (units, rest) = bytes.as_chunks();
            String::from_utf16(&units.iter().copied().map(unit).collect::<Vec<_>>()).ok().filter(|_| rest.is_empty())
        };
        let text = match bytes {
            [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
            [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
            _ => String::from_utf8(bytes.to_vec()).ok(),
        };
        Self::parse(&text.ok_or(SecretError::Encoding)?)
    }

    /// Takes a key as read from a variable or a terminal; blanks and line ends around it are dropped, and so is what people copy
    /// along with it: a byte order mark, quotes, the name of a variable, `Bearer`.
    ///
    /// # Errors
    /// [`SecretError`] for an empty text, a very long one, and one with blanks or control characters inside:
    /// no IPv64 key has them, and they could not be sent in a header.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        if text.len() as u64 > LONGEST_KEY {
            return Err(SecretError::TooLong);
        }
        let text = bare(text);
        if text.is_empty() {
            return Err(SecretError::Empty);
        }
        if text.lines().count() > 1 {
            return Err(SecretError::SeveralLines);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SecretError::Characters);
        }
        Ok(Self(text.to_owned()))
    }

    /// Takes a field of an answer as it came: an update hash, a record key, an e-mail address.
    #[must_use]
    pub fn from_answer(text: String) -> Self {
        Self(text)
    }

    /// Returns the text itself: for the request to the API, for users who asked to see secrets, and for nothing else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Replaces every occurrence of the secret in a text from outside, for an API that echoes it; in upper and lower case, since
    /// names are printed in lower case.
    #[must_use]
    pub fn mask_in(&self, text: &str) -> String {
        if self.0.len() < SHORTEST_MASKED {
            return text.to_owned();
        }
        let (mut masked, mut end) = (String::new(), 0);
        for (at, found) in text.to_ascii_lowercase().match_indices(&self.0.to_ascii_lowercase()) {
            masked.push_str(&text[end..at]);
            masked.push_str(MASK);
            end = at + found.len();
        }
        masked + &text[end..]
    }
}

/// Returns a key without what is copied along with it.
fn bare(text: &str) -> &str {
    let mut text = trimmed(text);
    for word in COPIED_ALONG {
        text = text.strip_prefix(word).map_or(text, trimmed);
    }
    text
}

/// Drops blanks, quotes and what cannot be seen, such as a byte order mark, from both ends of a text.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || QUOTES.contains(c) || (is_invisible(c) && !c.is_control()))
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// Why a text is not a key. Never holds the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Nothing but blanks.
    #[error("it is empty")]
    Empty,
    /// Longer than [`LONGEST_KEY`].
    #[error("it has more than {LONGEST_KEY} bytes")]
    TooLong,
    /// More than one line, for example a whole configuration file.
    #[error("it has more than one line")]
    SeveralLines,
    /// Bytes that are no text in an encoding that is read.
    #[error("it is text neither in UTF-8 nor in UTF-16 with a byte order mark")]
    Encoding,
    /// Blanks, control characters or non-ASCII characters.
    #[error("it contains blanks or characters outside printable ASCII")]
    Characters,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_never_printed() {
        let key = Secret::parse("canary-0123456789").unwrap();
        assert_eq!(format!("{key} {key:?} {key:#?}"), "******** ******** ********");
    }

    #[test]
    fn drops_blanks_and_line_ends_around_it() {
        assert_eq!(Secret::parse(" abcd\r\n").unwrap().expose(), "abcd");
    }

    #[test]
    fn what_is_copied_along_with_a_key_is_read_over() {
        for text in ["\u{feff}abcd\n", "\"abcd\"", "IPV64_API_KEY=abcd", "export IPV64_API_KEY='abcd'", "Bearer abcd"] {
            assert_eq!(Secret::parse(text).unwrap().expose(), "abcd", "{text:?}");
        }
        for text in
            ["\u{a0}abcd\u{a0}\n", "Bearer\u{a0}abcd", "IPV64_API_KEY = “abcd”", "Authorization: Bearer abcd\u{200b}"]
        {
            assert_eq!(Secret::parse(text).unwrap().expose(), "abcd", "{text:?}");
        }
        assert_eq!(Secret::parse("IPV64_API_KEY=\n"), Err(SecretError::Empty));
    }

    #[test]
    fn a_file_of_windows_is_understood() {
        let utf16 = |mark: char, unit: fn(u16) -> [u8; 2]| {
            format!("{mark}abcd\r\n").encode_utf16().flat_map(unit).collect::<Vec<u8>>()
        };
        let (little, big) = (utf16('\u{feff}', u16::to_le_bytes), utf16('\u{feff}', u16::to_be_bytes));
        for bytes in [&little[..], &big, b"\xef\xbb\xbfabcd\r\n", b"abcd"] {
            assert_eq!(Secret::decode(bytes).unwrap().expose(), "abcd", "{bytes:?}");
        }
        for bytes in [&little[..little.len() - 1], b"\xff\xfe\x00\xd8", b"abcd\xa0"] {
            assert_eq!(Secret::decode(bytes), Err(SecretError::Encoding), "{bytes:?}");
        }
        let long = [&b"\xff\xfe"[..], &b"a\0".repeat(3000)].concat();
        assert_eq!(Secret::decode(&long), Err(SecretError::TooLong), "it would be cut");
    }

    #[test]
    fn refuses_what_cannot_be_a_key() {
        assert_eq!(Secret::parse(" \n"), Err(SecretError::Empty));
        assert_eq!(Secret::parse("one\ntwo"), Err(SecretError::SeveralLines));
        assert_eq!(Secret::parse("one two"), Err(SecretError::Characters));
        assert_eq!(Secret::parse("schlüssel"), Err(SecretError::Characters));
    }

    #[test]
    fn masks_an_echo() {
        let key = Secret::parse("canary").unwrap();
        assert_eq!(key.mask_in("bad key canary, canary!"), "bad key ********, ********!");
        assert_eq!(Secret::parse("a").unwrap().mask_in("a cat"), "a cat");
    }
}
