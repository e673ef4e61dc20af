//! Rows and columns as text: aligned for people, separated by tabs for programs. Printing is left to [`super`].

use super::wrap::hanging;
use crate::excerpt::visible;

/// The blanks between two aligned columns.
const GAP: &str = "  ";
/// Where the last cell would have less room than this, each cell gets a line of its own.
const LEAST: usize = 20;

/// How a table is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// For a terminal with so many columns: cells of equal width below their heads, and a row that is too long goes on below
    /// its last cell.
    Aligned(usize),
    /// For a pipe: one tab between two columns, no heads.
    Tabs,
}

/// A table of texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    heads: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Makes a table with these heads; without heads it has none on a terminal either.
    #[must_use]
    pub fn new(heads: &[&'static str]) -> Self {
        Self { heads: heads.to_vec(), rows: Vec::new() }
    }

    /// Adds a row. Control characters become visible, so that a cell is one cell.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl AsRef<str>>) {
        self.rows.push(cells.into_iter().map(|cell| visible(cell.as_ref())).collect());
    }

    /// Lays the table out; empty if it has no rows.
    pub(super) fn text(&self, layout: Layout) -> String {
        match layout {
            Layout::Tabs => self.rows.iter().map(|row| row.join("\t")).collect::<Vec<_>>().join("\n"),
            Layout::Aligned(_) if self.rows.is_empty() => String::new(),
            Layout::Aligned(columns) => self.aligned(columns),
        }
    }

    fn aligned(&self, terminal: usize) -> String {
        let heads: Vec<String> = self.heads.iter().map(ToString::to_string).collect();
        let rows = || Some(&heads).filter(|heads| !heads.is_empty()).into_iter().chain(&self.rows);
        let columns = rows().map(Vec::len).max().unwrap_or(0);
        let width =
            |column| rows().filter_map(|row: &Vec<String>| row.get(column)).map(|cell: &String| length(cell)).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        let (last, before) = widths.split_last().map_or((0, &[][..]), |(last, before)| (*last, before));
        if before.iter().map(|width| width + GAP.len()).sum::<usize>() + last.min(LEAST) > terminal {
            return self.stacked(terminal);
        }
        let line = |row: &Vec<String>| {
            let (last, before) = row.split_last().map_or(("", &[][..]), |(last, before)| (last.as_str(), before));
            let head: String = before.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}{GAP}")).collect();
            hanging(&head, last, terminal).trim_end().to_owned()
        };
        rows().map(line).collect::<Vec<_>>().join("\n")
    }

    /// Each cell on a line of its own, behind the head of its column; without heads behind the first cell.
    fn stacked(&self, terminal: usize) -> String {
        let block = |row: &Vec<String>| match row.split_first() {
            Some((first, rest)) if self.heads.is_empty() => hanging(first, &rest.join(GAP), terminal),
            _ => {
                let cells = self.heads.iter().zip(row).filter(|(_, cell)| !cell.is_empty());
                let lines = cells.map(|(head, cell)| hanging(&format!("{head}: "), cell, terminal));
                lines.collect::<Vec<_>>().join("\n")
            }
        };
        self.rows.iter().map(block).collect::<Vec<_>>().join(if self.heads.is_empty() { "\n" } else { "\n\n" })
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = Table::new(&["NAME", "TYPE", "CONTENT"]);
        table.row(["ä.example", "A", "192.0.2.1"]);
        table.row(["example", "TXT", "a\tb\u{1b}[31m"]);
        table.row(["x", "", ""]);
        table
    }

    #[test]
    fn people_get_aligned_columns_below_heads() {
        let expected = "NAME       TYPE  CONTENT\nä.example  A     192.0.2.1\nexample    TXT   a\\tb\\u{1b}[31m\nx";
        assert_eq!(sample().text(Layout::Aligned(80)), expected);
    }

    #[test]
    fn a_row_that_is_too_long_goes_on_below_its_last_cell() {
        let mut table = Table::new(&["NAME", "MESSAGE"]);
        table.row(["a.example", "no domain of the account covers the name that was asked for"]);
        let expected = "NAME       MESSAGE\na.example  no domain of the account\n           covers the name that was\n           \
                        asked for";
        assert_eq!(table.text(Layout::Aligned(40)), expected);
        for columns in 40..=200 {
            let text = table.text(Layout::Aligned(columns));
            assert!(text.lines().all(|line| line.chars().count() <= columns), "{columns}: {text}");
        }
        assert!(table.text(Layout::Aligned(20)).contains("a.example"));
    }

    #[test]
    fn a_terminal_that_is_too_narrow_gets_a_line_for_each_cell() {
        let shown = sample().text(Layout::Aligned(20));
        assert!(shown.starts_with("NAME:  ä.example\nTYPE:  A\nCONTENT:  192.0.2.1\n\nNAME:  example\n"), "{shown}");
        let mut table = Table::default();
        table.row(["state directory", "/var/lib/ipv64-acme"]);
        table.row(["open records", "none"]);
        let expected = "state directory\n  /var/lib/ipv64-acme\nopen records  none";
        assert_eq!(table.text(Layout::Aligned(20)), expected);
        assert_eq!(table.text(Layout::Aligned(60)), "state directory  /var/lib/ipv64-acme\nopen records     none");
    }

    #[test]
    fn programs_get_one_tab_between_two_cells() {
        assert_eq!(sample().text(Layout::Tabs), "ä.example\tA\t192.0.2.1\nexample\tTXT\ta\\tb\\u{1b}[31m\nx\t\t");
    }

    #[test]
    fn nothing_is_nothing() {
        assert_eq!(Table::new(&["NAME"]).text(Layout::Aligned(80)), "");
        assert_eq!(Table::new(&["NAME"]).text(Layout::Tabs), "");
    }
}
