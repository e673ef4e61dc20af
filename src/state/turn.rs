//! Waits until a request may leave. When that is, is decided by [`super::Window`] and [`super::DailyUsage`], over all
//! processes that share the directory.

use std::time::{Duration, Instant};

use super::limit::{CallKind, LimitError};
use super::rate::Rate;
use super::store::State;
use super::window::Turn;
use crate::time::{Interrupted, Timestamp, Waiting};

/// The shortest sleep, so that nobody asks again at once whose turn is near.
const SHORTEST_SLEEP: Duration = Duration::from_millis(5);
/// A part of the period, at most, is added to a pause after a refusal by chance, so that hooks on several machines do not
/// all come back at once.
const JITTER_DIVISOR: u32 = 4;

impl State {
    /// Waits until a request may be sent, and returns when that was, for [`super::Window::finish`]; it is to be sent at
    /// once. `pause` is how it waits.
    ///
    /// Removals go first; apart from that it goes as it comes. No lock is held meanwhile. A free turn is taken even when the
    /// deadline has passed.
    ///
    /// # Errors
    /// [`LimitError::TooLate`] as soon as it is certain that there is no turn before `deadline`,
    /// [`LimitError::UsedUp`], [`LimitError::Refused`] and [`LimitError::Down`] at once while the day's calls are used up, or
    /// seem to be, and between two tries of an outage; [`LimitError::Interrupted`].
    pub fn take_turn(
        &self,
        kind: CallKind,
        rate: Rate,
        deadline: Instant,
        pause: &dyn Fn(&Waiting, Duration) -> Result<(), Interrupted>,
    ) -> Result<Timestamp, LimitError> {
        let mut waiting: Option<Waiting> = None;
        loop {
            let left = deadline.saturating_duration_since(self.clock.instant());
            let wait = match self.usage(|usage, now| usage.ask(kind, rate, left, now))? {
                Turn::Now(sent_at) => return Ok(sent_at),
                Turn::Wait(wait) => wait,
            };
            let waiting = waiting.get_or_insert_with(|| Waiting {
                what: format!("the request window ({rate}, IPV64_API_RATE)"),
                since: self.clock.instant(),
                limit: wait,
            });
            // Additions come a little late, and not all at the same moment: removals find the first free turn.
            let late = if kind == CallKind::Removal { Duration::ZERO } else { random_part(rate.margin()) };
            pause(waiting, (wait + late).max(SHORTEST_SLEEP).min(left))?;
        }
    }

    /// Returns how long a request of this kind would wait for its turn; nothing is taken or reserved.
    #[must_use]
    pub fn turn_in(&self, kind: CallKind, rate: Rate) -> Duration {
        self.usage(|usage, now| usage.window.free_in(kind, rate, now))
    }

    /// Notes a 429: nobody of this account sends for `retry_after`, or else for a full period and a little more.
    pub fn refused(&self, retry_after: Option<Duration>, rate: Rate) {
        let length = retry_after.unwrap_or_else(|| rate.period() + random_part(rate.period() / JITTER_DIVISOR));
        self.usage(|usage, now| usage.window.pause(length, now));
    }
}

fn random_part(most: Duration) -> Duration {
    most.mul_f64(rand::random::<f64>())
}

#[cfg(test)]
mod tests;
