//! Lines that are redrawn in place while a wait goes on, and gone when it ends. Only for a terminal that can move its
//! cursor; printing is left to [`super`].

use std::sync::atomic::{AtomicUsize, Ordering};

use super::Report;
use crate::excerpt::visible;

/// A block of lines on the terminal; it vanishes with the value.
#[derive(Debug)]
pub struct Live {
    report: Report,
    shown: AtomicUsize,
}

impl Live {
    /// Makes an empty block.
    #[must_use]
    pub fn new(report: Report) -> Self {
        Self { report, shown: AtomicUsize::new(0) }
    }

    /// Shows these lines in place of those before, each cut to the width of the terminal.
    pub fn draw(&self, lines: &[String]) {
        let Some(columns) = self.report.live_columns() else { return };
        let before = self.shown.swap(lines.len(), Ordering::Relaxed);
        self.report.raw(&frame(before, lines, (columns, self.report.ellipsis())));
    }

    /// Takes the lines away, for something else to be printed.
    pub fn clear(&self) {
        let before = self.shown.swap(0, Ordering::Relaxed);
        if before > 0 {
            self.report.raw(&frame(before, &[], (0, ' ')));
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The octets that replace so many lines by others: up, erase to the end of the screen (ECMA-48 CPL and ED), write.
fn frame(before: usize, lines: &[String], (columns, ellipsis): (usize, char)) -> String {
    let mut text = if before > 0 { format!("\u{1b}[{before}F\u{1b}[J") } else { String::new() };
    for line in lines {
        // A line that wraps would count twice; the last column is left free, since some terminals wrap there.
        text.push_str(&fitted(&visible(line), columns.saturating_sub(1), ellipsis));
        text.push('\n');
    }
    text
}

/// Returns the text if it has at most `columns` characters, else its beginning and its end: a server's name is at the one,
/// its status at the other.
fn fitted(text: &str, columns: usize, ellipsis: char) -> String {
    let length = text.chars().count();
    if length <= columns {
        return text.to_owned();
    }
    let kept = columns.saturating_sub(1);
    let (head, tail) = (kept / 3, kept - kept / 3);
    text.chars().take(head).chain([ellipsis]).chain(text.chars().skip(length - tail)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_take_the_place_of_those_before_and_never_wrap() {
        let lines = ["ns1 has it\u{1b}[31m".to_owned(), "ns2 lags".to_owned()];
        assert_eq!(frame(0, &lines, (6, '…')), "n…31m\nn…ags\n");
        assert_eq!(frame(0, &lines[1..], (6, '~')), "n~ags\n");
        assert_eq!(frame(2, &lines[1..], (80, '…')), "\u{1b}[2F\u{1b}[Jns2 lags\n");
        assert_eq!(frame(1, &[], (0, '…')), "\u{1b}[1F\u{1b}[J");
        assert!(!frame(0, &lines, (80, '…')).contains('\u{1b}'));
    }
}
