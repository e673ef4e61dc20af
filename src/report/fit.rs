//! Fits a text into so many columns of a terminal. Which texts are fitted is up to [`super::live`] and [`super::chart`].

/// What stands for characters that are left out.
const ELLIPSIS: char = '…';

/// Returns the text if it has at most `columns` characters, else its beginning and its end: a server's name stands at the
/// one, what is known of it at the other.
pub(super) fn fitted(text: &str, columns: usize) -> String {
    let length = text.chars().count();
    if length <= columns {
        return text.to_owned();
    }
    let kept = columns.saturating_sub(1);
    let (head, tail) = (kept / 3, kept - kept / 3);
    let sign = (columns > 0).then_some(ELLIPSIS);
    text.chars().take(head).chain(sign).chain(text.chars().skip(length - tail)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_keeps_its_beginning_and_its_end() {
        assert_eq!(fitted("ns1 has it", 10), "ns1 has it");
        assert_eq!(fitted("ns1 (192.0.2.1): has it", 13), "ns1 …: has it");
        assert_eq!(fitted("äöü", 2), "…ü");
        assert_eq!(fitted("abc", 0), "");
    }
}
