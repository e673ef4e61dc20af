//! When an address is looked at next, and with how many questions. Looks are sparse enough to leave room within the pace
//! for a burst: the moment a record appears, several answers can be asked for at once. What servers took in earlier waits
//! says for how long looks are dense.

use std::time::{Duration, Instant};

/// What a look may take of the pace.
pub(super) const MOST: usize = 5;
/// The span of [`MOST`].
pub(super) const PER: Duration = Duration::from_millis(1100);

/// From the start of the wait to the first look.
const FIRST: Duration = Duration::from_millis(150);
/// Between two looks while most records arrive: just over the span of the pace, so that the look that finds the record and
/// what confirms it make five answers within two round trips.
const DENSE: Duration = PER.saturating_add(Duration::from_millis(10));
/// Questions of the first look: nothing is to be expected so early, but the back ends behind an address get known.
const FIRST_BREADTH: usize = MOST;
/// Questions of a look while most records arrive: two at once often show two back ends of a balancer that differ.
const DENSE_BREADTH: usize = 2;
/// How long most records take at the longest, as long as nothing else is known.
const DENSE_FOR: Duration = Duration::from_secs(10);
/// For how long looks stay dense after the time that a server usually takes.
const DENSE_AFTER_USUAL: Duration = Duration::from_secs(5);
/// By which factor the pause grows afterwards.
const GROWTH: f64 = 1.3;
/// By how much of its length a pause varies, so that many waiting hosts do not ask in step.
const JITTER: f64 = 0.1;

/// The looks at one address. All addresses start on the same grid, so that the slowest phase does not add up.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    start: Instant,
    longest: Duration,
    pause: Duration,
    next: Instant,
    dense_until: Instant,
}

impl Schedule {
    /// Starts at `start`; `longest` is the polling interval of the settings, `usual` what the server took at most in nearly
    /// all earlier waits, if there were any.
    pub(super) fn new(start: Instant, longest: Duration, usual: Option<Duration>) -> Self {
        let dense = usual.map_or(DENSE_FOR, |usual| DENSE_FOR.max(usual + DENSE_AFTER_USUAL));
        Self { start, longest, pause: DENSE.min(longest), next: start + FIRST, dense_until: start + dense }
    }

    /// Returns how many questions a look at a moment takes.
    pub(super) fn breadth(&self, look: Instant) -> usize {
        if look <= self.start + FIRST {
            FIRST_BREADTH
        } else if look < self.dense_until {
            DENSE_BREADTH
        } else {
            1
        }
    }

    /// Returns the moment of the next look, and moves on. `jitter` is between 0 and 1.
    pub(super) fn advance(&mut self, now: Instant, jitter: f64) -> Instant {
        let look = self.next;
        if look >= self.dense_until {
            let grown = self.pause.mul_f64(GROWTH).min(self.longest.max(self.pause));
            self.pause = grown;
            self.next = look + grown.mul_f64(1.0 - JITTER * jitter);
        } else {
            self.next = look + self.pause;
        }
        if self.next <= now {
            // A slow answer has used up the pause: go on from now instead of catching up.
            self.next = now + self.pause;
        }
        look
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dense_at_first_then_up_to_the_polling_interval() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start, Duration::from_secs(5), None);
        let mut looks = vec![schedule.advance(start, 0.0)];
        for _ in 0..30 {
            let now = looks[looks.len() - 1];
            looks.push(schedule.advance(now, 0.0));
        }
        assert_eq!(looks[0], start + FIRST);
        assert_eq!(looks[1] - looks[0], DENSE);
        assert_eq!(looks[30] - looks[29], Duration::from_secs(5));
        assert!(looks.windows(2).all(|pair| pair[1] > pair[0]));
    }

    #[test]
    fn stays_dense_for_as_long_as_the_server_usually_takes() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start, Duration::from_secs(5), Some(Duration::from_secs(20)));
        let mut look = schedule.advance(start, 0.0);
        while look < start + Duration::from_secs(24) {
            let next = schedule.advance(look, 0.0);
            assert_eq!(next - look, DENSE);
            look = next;
        }
    }

    #[test]
    fn a_short_polling_interval_is_kept() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start, Duration::from_millis(200), None);
        let first = schedule.advance(start, 0.5);
        assert_eq!(schedule.advance(first, 0.5) - first, Duration::from_millis(200));
    }

    #[test]
    fn a_slow_answer_is_not_caught_up_with() {
        let start = Instant::now();
        let mut schedule = Schedule::new(start, Duration::from_secs(2), None);
        schedule.advance(start + Duration::from_secs(8), 0.0);
        assert!(schedule.advance(start + Duration::from_secs(8), 0.0) > start + Duration::from_secs(8));
    }
}
