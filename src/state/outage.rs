//! Since when the API has not answered, and when it may be tried next: an outage is not to use up the calls of the day.
//! Pure rules, as `window` and `quota` are.

use std::time::Duration;

use super::limit::LimitError;
use crate::time::Timestamp;

/// After a call that gave up, all processes together try once in this time.
const BETWEEN_TRIES: Duration = Duration::from_secs(30);
/// Where nobody has tried for so long, nothing is known any more, and a call is tried as often as any other.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3600);

/// An outage of the API, if there is one.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Outage {
    /// When the first of the tries left that got no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    down_since: Option<Timestamp>,
    /// When a call last gave up, or was let try.
    tried_at: Timestamp,
}

impl Outage {
    /// Returns since when the API has not answered; nothing where it has, as far as is known.
    #[must_use]
    pub fn down_since(&self, now: Timestamp) -> Option<Timestamp> {
        self.down_since.filter(|_| now.since(self.tried_at) < FORGOTTEN_AFTER)
    }

    /// Makes sure that it is time for a try.
    ///
    /// # Errors
    /// [`LimitError::Down`]
    pub(super) fn check(&self, now: Timestamp) -> Result<(), LimitError> {
        let next = self.tried_at + BETWEEN_TRIES;
        match self.down_since(now) {
            Some(since) if !next.since(now).is_zero() => Err(LimitError::Down { since, next }),
            _ => Ok(()),
        }
    }

    /// Notes that a request is let leave. While an outage lasts it is the only try of its call.
    pub(super) fn note_try(&mut self, now: Timestamp) {
        self.down_since = self.down_since(now);
        self.tried_at = now;
    }

    /// Notes that a call has given up whose first try left at `since`.
    pub fn give_up(&mut self, since: Timestamp, now: Timestamp) {
        self.down_since = Some(self.down_since(now).unwrap_or(since));
        self.tried_at = now;
    }

    /// Notes an answer.
    pub const fn end(&mut self) {
        self.down_since = None;
    }

    /// Lets the next request leave at once.
    pub(super) fn hurry(&mut self, now: Timestamp) {
        if self.down_since(now).is_some() {
            self.tried_at = now.moved_by(-(BETWEEN_TRIES.as_millis() as i64));
        }
    }

    pub(super) fn each_time(&mut self, change: &mut dyn FnMut(&mut Timestamp)) {
        self.down_since.iter_mut().for_each(&mut *change);
        change(&mut self.tried_at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_try_each_half_minute_until_an_answer_or_an_hour_of_silence() {
        let at = |seconds: u64| Timestamp::from_millis(1_795_438_800_000 + seconds * 1000);
        let mut outage = Outage::default();
        outage.note_try(at(0));
        assert!(outage.check(at(1)).is_ok(), "a request is no outage");
        outage.give_up(at(0), at(70));
        assert_eq!(outage.check(at(99)), Err(LimitError::Down { since: at(0), next: at(100) }));
        assert!(outage.check(at(100)).is_ok());
        outage.note_try(at(100));
        assert!(outage.check(at(129)).is_err(), "for everybody else");
        outage.give_up(at(100), at(101));
        assert_eq!(outage.down_since(at(102)), Some(at(0)), "the first failure counts");
        outage.hurry(at(102));
        assert!(outage.check(at(102)).is_ok(), "for a person");
        let mut ended = outage.clone();
        ended.end();
        assert_eq!((ended.check(at(103)), ended.down_since(at(103))), (Ok(()), None));
        assert_eq!(outage.down_since(at(102 + 3600)), None);
        outage.note_try(at(102 + 3600));
        assert_eq!(outage.down_since(at(102 + 3601)), None);
    }
}
