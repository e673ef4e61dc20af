//! The waits of one process: a line that is redrawn on a terminal, a step with `-v`, and afterwards a note for each that was
//! long.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Live, Report};
use crate::time::{Interrupted, Waiting};

/// How often a pause checks whether a signal has come.
const TICK: Duration = Duration::from_millis(100);
/// Waits that took longer than this are worth a note.
const LONG: Duration = Duration::from_secs(10);
/// So many waits are remembered: a process may live long.
const MOST_PAST: usize = 256;

/// Pauses, and says what for.
#[derive(Debug)]
pub struct Waits {
    report: Report,
    interrupted: Arc<AtomicBool>,
    live: Live,
    past: Mutex<Vec<(Waiting, Instant)>>,
}

impl Waits {
    /// Makes one whose pauses end when `interrupted` is set.
    #[must_use]
    pub fn new(report: Report, interrupted: Arc<AtomicBool>) -> Self {
        Self { report, interrupted, live: Live::new(report), past: Mutex::default() }
    }

    /// Pauses for a part of a wait.
    ///
    /// # Errors
    /// [`Interrupted`], soon after a signal.
    pub fn pause(&self, waiting: &Waiting, length: Duration) -> Result<(), Interrupted> {
        let begun = Instant::now();
        if self.note(waiting, begun) {
            self.report.step(&waiting.progress(begun));
        }
        let until = begun + length;
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            if self.is_interrupted() {
                break;
            }
            self.live.draw(&[waiting.progress(Instant::now())]);
            std::thread::sleep(left.min(TICK));
        }
        self.live.clear();
        self.note(waiting, Instant::now());
        if self.is_interrupted() { Err(Interrupted) } else { Ok(()) }
    }

    /// Returns a line for each wait that was long, all waits for the same taken together.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        long(&past).into_iter().map(|(what, length)| format!("waited {} s for {what}", length.as_secs())).collect()
    }

    /// Notes that a wait has lasted until now, and returns whether it is a new one.
    fn note(&self, waiting: &Waiting, now: Instant) -> bool {
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        let known = past.iter_mut().find(|(known, _)| known.since == waiting.since);
        let is_new = known.is_none();
        match known {
            Some(known) => *known = (waiting.clone(), now),
            None => {
                if past.len() >= MOST_PAST {
                    past.remove(0);
                }
                past.push((waiting.clone(), now));
            }
        }
        is_new
    }

    fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }
}

/// The waits that were long. One that went on inside of another is a part of that.
fn long(past: &[(Waiting, Instant)]) -> BTreeMap<&str, Duration> {
    let mut lengths = BTreeMap::new();
    for (at, (one, end)) in past.iter().enumerate() {
        let is_inside = |(other, (outer, until)): (usize, &(Waiting, Instant))| {
            other != at && outer.since <= one.since && end <= until
        };
        if !past.iter().enumerate().any(is_inside) {
            *lengths.entry(one.what.as_str()).or_default() += end.saturating_duration_since(one.since);
        }
    }
    lengths.retain(|_, length: &mut Duration| *length > LONG);
    lengths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(what: &str, start: Instant, (from, to): (u64, u64)) -> (Waiting, Instant) {
        let since = start + Duration::from_secs(from);
        (Waiting { what: what.to_owned(), since, limit: Duration::from_secs(60) }, start + Duration::from_secs(to))
    }

    #[test]
    fn waits_for_the_same_count_together_and_a_part_of_another_does_not_count() {
        let start = Instant::now();
        let past = [
            wait("a turn", start, (0, 6)),
            wait("a turn", start, (7, 12)),
            wait("DNS", start, (20, 30)),
            wait("IPv64", start, (40, 60)),
            wait("a name server", start, (41, 55)),
        ];
        let expected = [("IPv64", Duration::from_secs(20)), ("a turn", Duration::from_secs(11))];
        assert_eq!(long(&past), BTreeMap::from(expected), "10 s are not long");
    }

    #[test]
    fn a_wait_says_what_for_since_when_and_of_how_much() {
        let (waiting, end) = wait("a turn", Instant::now(), (1, 13));
        assert_eq!(waiting.progress(end), "waiting for a turn: 12 s of at most 60 s");
    }
}
