//! When an address is polled: twice a second while most records arrive, then with growing pauses. The pauses leave room within
//! the limits of [`crate::dns::pace`] for the burst that confirms a record the moment it is seen.

use std::time::{Duration, Instant};

/// Between two polls while most records arrive. Six of them and a burst of twelve stay within the limits.
pub(super) const DENSE: Duration = Duration::from_millis(520);
/// For how long polls are dense: most records are everywhere by then.
const DENSE_FOR: Duration = Duration::from_secs(10);
/// By which factor the pause grows afterwards.
const GROWTH: f64 = 1.3;
/// By how much of its length a pause varies, so that many waiting hosts do not ask in step.
const JITTER: f64 = 0.1;

/// The polls of one address. All addresses start together, so that the slowest phase does not add up.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    longest: Duration,
    /// Between two polls.
    pub(super) pause: Duration,
    /// When the next poll is due.
    pub(super) next: Instant,
    dense_until: Instant,
}

impl Schedule {
    /// Starts now; `longest` is the polling interval of the settings.
    pub(super) fn new(now: Instant, longest: Duration) -> Self {
        Self { longest, pause: DENSE.min(longest), next: now, dense_until: now + DENSE_FOR }
    }

    /// Notes a poll; `jitter` is between 0 and 1.
    pub(super) fn polled(&mut self, now: Instant, jitter: f64) {
        let pause = if now < self.dense_until {
            self.pause
        } else {
            self.pause = self.pause.mul_f64(GROWTH).min(self.longest.max(self.pause));
            self.pause.mul_f64(1.0 - JITTER * jitter)
        };
        // On the grid as long as that is possible; a poll that had to wait is not caught up with.
        self.next = if self.next + pause > now { self.next + pause } else { now + pause };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dense_at_first_then_up_to_the_polling_interval() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start, Duration::from_secs(5));
        let mut polls = Vec::new();
        for _ in 0..40 {
            polls.push(schedule.next);
            schedule.polled(schedule.next, 0.0);
        }
        assert_eq!(polls[0], start);
        assert_eq!(polls[1] - polls[0], DENSE);
        assert_eq!(polls[39] - polls[38], Duration::from_secs(5));
        assert!(polls.windows(2).all(|pair| pair[1] > pair[0]));
    }

    #[test]
    fn a_short_polling_interval_is_kept() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start, Duration::from_millis(200));
        schedule.polled(start, 0.5);
        assert_eq!(schedule.next - start, Duration::from_millis(200));
    }

    #[test]
    fn a_poll_that_had_to_wait_is_not_caught_up_with() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start, Duration::from_secs(2));
        let late = start + Duration::from_secs(8);
        schedule.polled(late, 0.0);
        assert_eq!(schedule.next, late + DENSE);
    }
}
