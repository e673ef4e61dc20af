//! The API key and whatever else is secret, as a type that cannot be printed by accident.
//! Where the key comes from is the business of the settings; how it is sent, of the API client.

use std::fmt;

/// The longest text in octets that is taken for a key, with the blanks around it; keys have 32 characters (observed).
/// Whoever reads a key from a file or a pipe reads one octet more, so that a longer text is refused and not cut.
pub const LONGEST_KEY: u64 = 4096;
/// The shortest text that is masked inside other text: a shorter "key" would blank out ordinary words.
const SHORTEST_MASKED: usize = 4;

/// What is shown in place of a secret.
pub const MASK: &str = "********";

/// A text that must not reach a log, an error, a process list or another host.
///
/// `Debug` and `Display` print [`MASK`]; the only way to the text is [`Secret::expose`], which is easy
/// to find in a review. There is no `Serialize`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a key as read from a file or a variable; blanks and line ends around it are dropped, and so is what people copy
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
    let text = text.trim_start_matches('\u{feff}').trim();
    let text = text.strip_prefix("export ").unwrap_or(text).trim_start();
    let text = ["IPV64_API_KEY=", "IPV64_API_TOKEN=", "IPv64_Token=", "Authorization:"]
        .iter()
        .find_map(|name| text.strip_prefix(name))
        .unwrap_or(text)
        .trim();
    let text = text.strip_prefix("Bearer ").unwrap_or(text).trim();
    let unquoted = |quote| text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote));
    unquoted('"').or_else(|| unquoted('\'')).unwrap_or(text).trim()
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
    /// Blanks, control characters or non-ASCII characters.
    #[error("it holds blanks or characters outside printable ASCII")]
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
        assert_eq!(Secret::parse("IPV64_API_KEY=\n"), Err(SecretError::Empty));
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
