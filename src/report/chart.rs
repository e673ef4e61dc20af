//! Times as bars: blocks for people, seconds for programs. Printing is left to [`super`].

use std::time::Duration;

use super::fit::fitted;
use crate::excerpt::visible;

/// The longest bar, in characters; narrow terminals get shorter ones.
const LONGEST: usize = 40;
/// The blanks and figures beside a bar.
const BESIDE: usize = 12;
/// What a narrow terminal leaves for the bars, and for the labels, in characters.
const LEAST: usize = 10;

/// One bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    /// What it belongs to.
    pub label: String,
    /// Its length; nothing if there is none to show.
    pub length: Option<Duration>,
    /// What stands there instead of a bar, and for programs as the last column.
    pub text: String,
}

/// Draws bars for a terminal of so many columns.
pub(super) fn draw(bars: &[Bar], columns: usize) -> Vec<String> {
    let labels: Vec<String> = bars.iter().map(|bar| visible(&bar.label)).collect();
    let longest_label = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
    let width = longest_label.min(columns.saturating_sub(BESIDE + LEAST).max(LEAST));
    let room = columns.saturating_sub(width + BESIDE).clamp(1, LONGEST);
    let longest = bars.iter().filter_map(|bar| bar.length).max().unwrap_or_default().as_secs_f64();
    let line = |(bar, label): (&Bar, &String)| {
        let label = fitted(label, width);
        let Some(length) = bar.length else { return format!("  {label:<width$}  {}", visible(&bar.text)) };
        let share = if longest > 0.0 { length.as_secs_f64() / longest } else { 1.0 };
        // At most `room`, and a share between 0 and 1.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 40")]
        let blocks = ((share * room as f64).ceil() as usize).clamp(1, room);
        format!("  {label:<width$}  {} {:.1} s", "█".repeat(blocks), length.as_secs_f64())
    };
    bars.iter().zip(&labels).map(line).collect()
}

/// Writes bars for a program: label, seconds, text, with tabs between.
pub(super) fn tabs(bars: &[Bar]) -> Vec<String> {
    let seconds = |bar: &Bar| bar.length.map_or_else(String::new, |length| format!("{:.3}", length.as_secs_f64()));
    bars.iter().map(|bar| format!("{}\t{}\t{}", visible(&bar.label), seconds(bar), visible(&bar.text))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(label: &str, seconds: Option<f64>) -> Bar {
        Bar { label: label.to_owned(), length: seconds.map(Duration::from_secs_f64), text: "silent".to_owned() }
    }

    #[test]
    fn the_slowest_fills_the_room_and_the_fastest_is_seen() {
        let lines = draw(&[bar("ns1", Some(4.0)), bar("ns2.x", Some(0.01)), bar("ns3", None)], 37);
        assert_eq!(lines, ["  ns1    ████████████████████ 4.0 s", "  ns2.x  █ 0.0 s", "  ns3    silent"]);
        assert_eq!(draw(&[bar("ns1", Some(0.0))], 0), ["  ns1  █ 0.0 s"]);
    }

    #[test]
    fn a_narrow_terminal_gets_short_labels() {
        let lines = draw(&[bar("ns1.example (192.0.2.1:53)", Some(4.0)), bar("ns2", None)], 32);
        assert_eq!(lines, ["  ns1….1:53)  ██████████ 4.0 s", "  ns2         silent"]);
    }

    #[test]
    fn programs_get_seconds() {
        assert_eq!(tabs(&[bar("ns1", Some(1.5)), bar("ns2", None)]), ["ns1\t1.500\tsilent", "ns2\t\tsilent"]);
    }
}
