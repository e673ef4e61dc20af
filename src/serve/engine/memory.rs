//! Additions that failed a moment ago: a client that asks again at once is answered from here, without a call.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::error::Kind;
use crate::name::DnsName;

/// The first pause and the longest one; each failure doubles it.
const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// So many failures are remembered; the oldest make room.
const MOST: usize = 4096;

/// Failures by client and name.
#[derive(Debug, Default)]
pub(super) struct Failures {
    of: HashMap<(String, DnsName), Failure>,
}

#[derive(Debug)]
struct Failure {
    kind: Kind,
    pause: Duration,
    at: Instant,
}

impl Failures {
    /// Returns what an addition is answered that may not be tried yet, and when it may be.
    pub(super) fn recall(&self, client: &str, name: &DnsName, now: Instant) -> Option<(Kind, Duration)> {
        let failure = self.of.get(&(client.to_owned(), name.clone()))?;
        let left = (failure.at + failure.pause).saturating_duration_since(now);
        (!left.is_zero()).then_some((failure.kind, left))
    }

    /// Remembers a failure, and returns the pause that follows it.
    pub(super) fn note(&mut self, client: &str, name: &DnsName, kind: Kind, now: Instant) -> Duration {
        self.of.retain(|_, failure| now.saturating_duration_since(failure.at) < 2 * LONGEST);
        if self.of.len() >= MOST {
            let oldest = self.of.iter().min_by_key(|(_, failure)| failure.at).map(|(key, _)| key.clone());
            oldest.and_then(|key| self.of.remove(&key));
        }
        let failure = self.of.entry((client.to_owned(), name.clone()));
        let failure = failure.and_modify(|old| old.pause = (2 * old.pause).min(LONGEST)).or_insert(Failure {
            kind,
            pause: FIRST,
            at: now,
        });
        (failure.kind, failure.at) = (kind, now);
        failure.pause
    }

    /// Forgets the failures of a name: it has succeeded.
    pub(super) fn forget(&mut self, client: &str, name: &DnsName) {
        self.of.remove(&(client.to_owned(), name.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_from_five_seconds_to_a_quarter_of_an_hour() {
        let (mut failures, name) = (Failures::default(), DnsName::parse("a.example").unwrap());
        let mut now = Instant::now();
        let mut pauses = Vec::new();
        for _ in 0..10 {
            assert_eq!(failures.recall("a", &name, now), None);
            let pause = failures.note("a", &name, Kind::NotPropagated, now);
            assert_eq!(failures.recall("a", &name, now), Some((Kind::NotPropagated, pause)));
            assert_eq!(failures.recall("b", &name, now), None, "another client's");
            now += pause;
            pauses.push(pause.as_secs());
        }
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
        failures.note("a", &name, Kind::NotPropagated, now);
        failures.forget("a", &name);
        assert_eq!(failures.recall("a", &name, now), None);
    }
}
