//! Long lines on a terminal: broken between words, below the column where their text begins. Printing is left to [`super`].

use textwrap::{Options, WordSplitter, fill};

/// Narrower, an indent takes more room than it is worth.
const NARROW: usize = 40;
/// The indent of such a terminal.
const NARROW_INDENT: &str = "  ";
/// With so much room behind it, what stands before the text keeps its width, as a row of a table has to.
const ENOUGH: usize = 20;

/// Breaks the text after `head`, whose lines all begin below its first character. A word that is wider than a line stays whole,
/// so that a name or a command can be copied.
pub(super) fn hanging(head: &str, text: &str, columns: usize) -> String {
    let width = head.chars().count();
    let is_narrow = width > 0 && (columns < NARROW || width * 2 > columns);
    let indent = if is_narrow { NARROW_INDENT.to_owned() } else { " ".repeat(width) };
    let head = if is_narrow && width + ENOUGH > columns {
        format!("{}{NARROW_INDENT}", head.trim_end())
    } else {
        head.to_owned()
    };
    let options = Options::new(columns.max(1))
        .subsequent_indent(&indent)
        .break_words(false)
        .word_splitter(WordSplitter::NoHyphenation);
    let mut lines = text.lines();
    let first = fill(&format!("{head}{}", lines.next().unwrap_or_default()), &options);
    let options = options.initial_indent(&indent);
    lines.fold(first, |text, line| format!("{text}\n{}", fill(line, &options)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "the name server ns1.ipv64.net answers over UDP and TCP\n`ipv64-acme doctor name.ipv64.net` tells more";

    #[test]
    fn lines_hang_below_the_first_at_every_width() {
        for columns in 40..=200 {
            let shown = hanging("ok       ", TEXT, columns);
            for (number, line) in shown.lines().enumerate() {
                assert!(line.chars().count() <= columns, "{columns}: {line}");
                assert!(
                    number == 0 || (line.starts_with("         ") && !line[9..].starts_with(' ')),
                    "{columns}: {line}"
                );
            }
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(words(&shown), words(&format!("ok {TEXT}")), "nothing is lost");
        }
    }

    #[test]
    fn a_narrow_terminal_breaks_nothing() {
        assert_eq!(hanging("ok  name  ", "it works `a-long-command`", 12), "ok  name  it\n  works\n  `a-long-command`");
        let row = format!("{:41}", "deep.sub.example.org  1        no");
        assert_eq!(hanging(&row, "0", 80), format!("{row}0"), "a row of a table keeps its columns");
        for columns in 0..40 {
            assert!(hanging("ok  ", TEXT, columns).contains("ns1.ipv64.net"), "no word is broken");
        }
    }
}
