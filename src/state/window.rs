//! The request window of one account: when the next request may leave. Pure rules, without files, clocks or sleeping.

use std::collections::BTreeMap;
use std::time::Duration;

use super::limit::{CallKind, LimitError};
use super::rate::Rate;
use crate::time::Timestamp;

/// So many requests are remembered at least, for a process with another rate than ours.
const KEPT: usize = 100;
/// Nothing makes us pause for longer: neither an answer, for that would be a daily limit, which `quota` knows, nor a
/// file that says so.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// How late somebody who waits may ask again, on a busy machine, before others go first.
const LATE: Duration = Duration::from_secs(1);

/// Requests that were sent, and what others wait for.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Window {
    sent: Vec<Timestamp>,
    /// Nobody sends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pause: Option<Interval>,
    /// Until when somebody waits for a request of a kind: so long, requests that are less urgent wait too.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    waiting: BTreeMap<CallKind, Interval>,
}

/// A length from a moment on; not its end, which a clock that is set back would put far away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Interval {
    since: Timestamp,
    length: Duration,
}

/// The answer to [`Window::ask`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Send now; it is noted as sent at this time.
    Now(Timestamp),
    /// Ask again after this.
    Wait(Duration),
}

impl Interval {
    /// How much of it is left, but for a file that says more than could be.
    fn left(&self, now: Timestamp) -> Duration {
        (self.since + self.length.min(LONGEST_PAUSE + LATE)).since(now)
    }
}

impl Window {
    /// Asks for a request to be allowed now. Whoever is told to wait, and has the patience for it, is waited for by those
    /// whose requests are less urgent.
    pub(super) fn ask(
        &mut self,
        kind: CallKind,
        rate: Rate,
        patience: Duration,
        now: Timestamp,
    ) -> Result<Turn, LimitError> {
        let soonest = self.delay(rate, now);
        let wait = soonest.max(self.others_wait(kind, now));
        if wait.is_zero() {
            self.sent.push(now);
            let surplus = self.sent.len().saturating_sub(KEPT.max(rate.requests()));
            self.sent.drain(..surplus);
            self.waiting.retain(|_, interval| !interval.left(now).is_zero());
            return Ok(Turn::Now(now));
        }
        if patience.is_zero() || soonest > patience {
            return Err(LimitError::TooLate { soonest, rate });
        }
        let interval = Interval { since: now, length: wait + LATE };
        let known = self.waiting.entry(kind).or_insert(interval);
        if known.left(now) < interval.length {
            *known = interval;
        }
        Ok(Turn::Wait(wait))
    }

    /// Returns how long a request of this kind would have to wait now.
    pub(super) fn free_in(&self, kind: CallKind, rate: Rate, now: Timestamp) -> Duration {
        self.delay(rate, now).max(self.others_wait(kind, now))
    }

    /// How long requests of a more urgent kind are waited for.
    fn others_wait(&self, kind: CallKind, now: Timestamp) -> Duration {
        self.waiting.range(..kind).map(|(_, interval)| interval.left(now)).max().unwrap_or_default()
    }

    /// Returns whether one more request would make nobody wait.
    pub(super) fn is_idle(&self, rate: Rate, now: Timestamp) -> bool {
        self.delay(rate, now).is_zero() && self.waiting.values().all(|interval| interval.left(now).is_zero())
    }

    /// Notes that a request has its answer, or will have none, so it has reached the server before now.
    ///
    /// Until then it counts from when it was allowed. A first request that spends a second on name look-up and TLS would
    /// otherwise let a later, faster one arrive within the period of the server.
    pub fn finish(&mut self, sent_at: Timestamp, now: Timestamp) {
        if let Some(position) = self.sent.iter().position(|sent| *sent == sent_at) {
            self.sent.remove(position);
            self.sent.push(now);
        }
    }

    /// Lets nobody send for so long, at most an hour, unless a longer pause is on already.
    pub fn pause(&mut self, length: Duration, now: Timestamp) {
        let pause = Interval { since: now, length: length.min(LONGEST_PAUSE) };
        if self.pause_left(now) < pause.length {
            self.pause = Some(pause);
        }
    }

    fn pause_left(&self, now: Timestamp) -> Duration {
        self.pause.map_or(Duration::ZERO, |pause| pause.left(now).min(LONGEST_PAUSE))
    }

    /// Returns when the rate allows one more request.
    fn delay(&self, rate: Rate, now: Timestamp) -> Duration {
        let mut held: Vec<_> = self.sent.iter().map(|sent| (*sent + rate.hold()).since(now)).collect();
        held.retain(|left| !left.is_zero());
        held.sort_unstable();
        // As many have to expire as are too many for one more.
        let last_to_expire = held.len().checked_sub(rate.requests()).and_then(|surplus| held.get(surplus));
        let free = last_to_expire.copied().unwrap_or_default();
        free.max(self.pause_left(now))
    }

    pub(super) fn each_time(&mut self, change: &mut dyn FnMut(&mut Timestamp)) {
        self.sent.iter_mut().for_each(&mut *change);
        self.pause.iter_mut().chain(self.waiting.values_mut()).for_each(|interval| change(&mut interval.since));
    }
}

#[cfg(test)]
mod tests;
