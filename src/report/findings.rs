//! The findings of `doctor` as text: what is bad comes first, on a terminal with a mark and a colour. Which findings there are,
//! and what they come to, is decided in [`crate::doctor`].

use super::harmless;
use super::look::Look;
use super::wrap::hanging;
use crate::doctor::{Finding, Level};

/// The longest word for a level.
const LEVEL: usize = "warning".len();

/// How to show them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// The columns of the terminal, if it is one.
    pub(super) columns: Option<usize>,
    /// What it can show.
    pub(super) look: Look,
}

/// A mark for each level, as UTF-8 and as ASCII, and its colour (ECMA-48 SGR).
fn mark(level: Level) -> (&'static str, &'static str, u8) {
    match level {
        Level::Error => ("✗", "x", 31),
        Level::Warning => ("!", "!", 33),
        Level::Note => ("·", "-", 36),
        Level::Ok => ("✓", "+", 32),
    }
}

/// Returns the lines of all findings. Those for a pipe have neither marks nor breaks.
pub(super) fn text(findings: &[Finding], style: Style) -> Vec<String> {
    let width = findings.iter().map(|finding| finding.subject.chars().count()).max().unwrap_or(0);
    findings.iter().map(|finding| one(finding, width, style)).collect()
}

fn one(finding: &Finding, width: usize, style: Style) -> String {
    let Finding { level, kind, subject, text, advice, .. } = finding;
    let (utf8, ascii, colour) = mark(*level);
    let sign = match style.columns {
        None => String::new(),
        Some(_) => format!("{} ", if style.look.is_utf8 { utf8 } else { ascii }),
    };
    let word = format!("{sign}{}", level.as_str());
    let indent = sign.chars().count() + LEVEL + 2;
    let named = if *level >= Level::Warning { format!("{text} [{kind}]") } else { text.clone() };
    let show = |head: &str, text: &str| match style.columns {
        Some(columns) => hanging(head, &harmless::lines(text), columns),
        None => format!("{head}{}", harmless::lines(text).replace('\n', &format!("\n{:indent$}", ""))),
    };
    let head = format!("{word}{:1$}{subject:<width$}  ", "", indent - word.chars().count());
    let mut shown = show(&harmless::lines(&head), &named);
    if let Some(advice) = advice {
        shown.push('\n');
        shown.push_str(&show(&format!("{:indent$}hint: ", ""), advice));
    }
    if style.columns.is_some() && style.look.has_colour {
        let rest = shown.split_off(word.len());
        return format!("\u{1b}[{colour}m{word}\u{1b}[0m{rest}");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<Finding> {
        vec![
            Finding::error(
                "key_missing",
                "API key",
                "no API key given; looked at: IPV64_API_KEY, /etc/ipv64-acme/api-key",
            )
            .advise("save the key with `ipv64-acme init`\nor set IPV64_API_KEY_FILE"),
            Finding::ok("server", "ns1.ipv64.net (192.0.2.1)", "UDP 1 ms, TCP 1 ms"),
        ]
    }

    #[test]
    fn a_pipe_gets_words_and_whole_lines() {
        let style = Style { columns: None, look: Look { has_cursor: true, has_colour: true, is_utf8: true } };
        assert_eq!(
            text(&sample(), style),
            [
                "error    API key                    no API key given; looked at: IPV64_API_KEY, /etc/ipv64-acme/api-key \
                 [key_missing]\n         hint: save the key with `ipv64-acme init`\n         or set IPV64_API_KEY_FILE",
                "ok       ns1.ipv64.net (192.0.2.1)  UDP 1 ms, TCP 1 ms",
            ]
        );
    }

    #[test]
    fn a_terminal_gets_marks_and_colours_as_far_as_it_has_them() {
        let shown = |has_colour, is_utf8| {
            let look = Look { has_cursor: true, has_colour, is_utf8 };
            text(&sample(), Style { columns: Some(200), look }).concat()
        };
        assert!(shown(true, true).starts_with("\u{1b}[31m✗ error\u{1b}[0m    API key  "), "{}", shown(true, true));
        assert!(shown(true, true).contains("\u{1b}[32m✓ ok\u{1b}[0m       ns1"));
        assert!(shown(false, true).starts_with("✗ error    API key  "));
        assert!(shown(false, false).starts_with("x error    API key  ") && shown(false, false).is_ascii());
    }

    #[test]
    fn lines_hang_and_fit_at_every_width() {
        for columns in 40..=200 {
            let shown = text(&sample(), Style { columns: Some(columns), look: Look::default() });
            for line in shown.iter().flat_map(|finding| finding.lines().skip(1)) {
                assert!(line.starts_with("  ") && line.chars().count() <= columns, "{columns}: {line}");
            }
        }
        let narrow = text(&sample(), Style { columns: Some(20), look: Look::default() }).join("\n");
        assert!(narrow.contains("x error") && narrow.contains("`ipv64-acme init`"), "{narrow}");
    }
}
