//! Text from outside, cleaned until it can be part of a message: cut, on one line, with nothing in it that acts on a terminal.
//! Masking secrets is left to [`crate::secret`].

/// Cuts a text to `longest` characters, folds blanks and line ends into single blanks, and makes control and
/// direction characters visible, so that a remote text can neither move the cursor nor hide what it says.
#[must_use]
pub fn excerpt(text: &str, longest: usize) -> String {
    let mut words = text.split_whitespace();
    let mut shown = String::new();
    let mut left = longest;
    while let Some(word) = words.next().filter(|_| left > 0) {
        if !shown.is_empty() {
            shown.push(' ');
            left -= 1;
        }
        let cut: String = word.chars().take(left).collect();
        shown.push_str(&visible(&cut));
        let length = word.chars().count();
        if length > left || (length == left && words.clone().next().is_some()) {
            shown.push('…');
            break;
        }
        left -= length;
    }
    shown
}

/// Makes control and direction characters visible; everything else stays.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_invisible(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

/// Returns a path as a message shows it, as [`visible`] does with a text.
#[must_use]
pub fn visible_path(path: &std::path::Path) -> String {
    visible(&path.to_string_lossy())
}

/// Returns whether a character acts on what is around it, or hides: controls, line and paragraph separators, and the
/// format characters that change the direction, join, annotate or tag (Unicode categories `Cc`, `Zl`, `Zp` and `Cf`; UAX 9
/// section 2 lists those of direction).
#[must_use]
pub fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::excerpt;

    #[test]
    fn keeps_words_and_folds_blanks() {
        assert_eq!(excerpt("  <html>\r\n\t<title>Ö</title>\n", 200), "<html> <title>Ö</title>");
    }

    #[test]
    fn shows_what_would_act_on_the_terminal() {
        assert_eq!(excerpt("a\u{1b}[31mb\0\u{202e}c", 200), "a\\u{1b}[31mb\\u{0}\\u{202e}c");
        assert_eq!(excerpt("a\u{9b}31mb\u{61c}c\u{e0041}", 200), "a\\u{9b}31mb\\u{61c}c\\u{e0041}");
    }

    #[test]
    fn cuts_between_characters_and_says_so() {
        assert_eq!(excerpt("öööö", 3), "ööö…");
        assert_eq!(excerpt("abc def", 3), "abc…");
        assert_eq!(excerpt("abc def", 4), "abc …");
        assert_eq!(excerpt("abc def", 7), "abc def");
        assert_eq!(excerpt("abc", 3), "abc");
        assert_eq!(excerpt("", 3), "");
    }
}
