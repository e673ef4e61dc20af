//! The last filter of what is printed: nothing that acts on a terminal passes, whoever composed it. A single text from
//! outside is cleaned before, by [`crate::excerpt`], where its line ends and tabs mean nothing either.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::excerpt::is_invisible;

/// Lines for people: all that acts on a terminal becomes visible, except line ends and tabs, which our own tables need.
pub(super) fn lines(text: &str) -> Cow<'_, str> {
    let acts = |c: char| is_invisible(c) && c != '\n' && c != '\t';
    clean(text, acts, |c, clean| clean.extend(c.escape_default()))
}

/// A JSON document with escapes in place of the same characters (RFC 8259 section 7): it means what it meant. Such
/// characters stand only inside of its strings, where the JSON writer leaves all but those below U+0020 as they are.
pub(super) fn json(document: &str) -> Cow<'_, str> {
    clean(document, is_invisible, |c, clean| {
        for unit in c.encode_utf16(&mut [0; 2]) {
            write!(clean, "\\u{unit:04x}").ok();
        }
    })
}

/// Replaces some characters; most texts have none of them and are returned as they are.
fn clean(text: &str, acts: impl Fn(char) -> bool, replace: impl Fn(char, &mut String)) -> Cow<'_, str> {
    if !text.contains(&acts) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if acts(c) { replace(c, &mut clean) } else { clean.push(c) }
    }
    Cow::Owned(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVIL: &str = "a\u{1b}]0;title\u{7}b\u{9b}31mc\u{202e}d\u{7f}\re\u{e0041}";

    #[test]
    fn lines_and_columns_stay_and_nothing_else_acts() {
        let shown = lines("one\ttwo\n\u{1b}[2Jthree\u{202e}");
        assert_eq!(shown, "one\ttwo\n\\u{1b}[2Jthree\\u{202e}");
        assert!(!lines(EVIL).chars().any(is_invisible));
    }

    #[test]
    fn a_document_means_what_it_meant() {
        let document = serde_json::to_string(EVIL).unwrap();
        let shown = json(&document);
        assert!(!shown.chars().any(is_invisible), "{shown:?}");
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), EVIL);
    }

    #[test]
    fn what_is_harmless_is_not_copied() {
        assert!(matches!(lines("_acme-challenge.ä.example: ready"), Cow::Borrowed(_)));
    }
}
