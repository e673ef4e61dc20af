//! An account as the API knows it, with its two limits: so many calls in a short time, so many in a day.

use std::{
    collections::VecDeque,
    sync::Mutex,
    time::{Duration, Instant},
};

use super::{
    config::{Limits, RefusedCalls},
    log::LimitKind,
    threads::hold,
};

/// One account as the API knows it.
#[derive(Debug)]
pub(super) struct ApiAccount {
    pub(super) key: String,
    pub(super) status: u64,
    pub(super) counters: Counters,
}

/// The counters of one account. Both limits are those of the account, as IPv64 describes them.
#[derive(Debug)]
pub(super) struct Counters {
    limits: Mutex<Limits>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    recent: VecDeque<Instant>,
    today: usize,
}

impl Counters {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits: Mutex::new(limits), state: Mutex::default() }
    }

    /// The calls of today.
    pub(super) fn today(&self) -> usize {
        hold(&self.state).today
    }

    /// The limits in force.
    pub(super) fn limits(&self) -> Limits {
        *hold(&self.limits)
    }

    /// Changes the limits; what was counted stays.
    pub(super) fn set_limits(&self, limits: Limits) {
        *hold(&self.limits) = limits;
    }

    /// Sets the counter of the day, as if so many calls had been made before.
    pub(super) fn set_today(&self, calls: usize) {
        hold(&self.state).today = calls;
    }

    /// Starts anew.
    pub(super) fn reset(&self, limits: Limits) {
        self.set_limits(limits);
        *hold(&self.state) = State::default();
    }

    /// Counts a call.
    ///
    /// # Errors
    /// The limit that refuses it.
    pub(super) fn count(&self, now: Instant) -> Result<(), LimitKind> {
        let limits = self.limits();
        let mut state = hold(&self.state);
        let window = limits.burst.map_or(Duration::ZERO, |(_, window)| window);
        while state.recent.front().is_some_and(|first| now.duration_since(*first) >= window) {
            state.recent.pop_front();
        }
        let verdict = match limits {
            Limits { daily: Some(most), .. } if state.today >= most => Err(LimitKind::Daily),
            Limits { burst: Some((most, _)), .. } if state.recent.len() >= most => Err(LimitKind::Burst),
            _ => Ok(()),
        };
        if verdict.is_ok() || limits.refused_calls == RefusedCalls::Counted {
            state.recent.push_back(now);
            state.today += 1;
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(refused_calls: RefusedCalls) -> Counters {
        Counters::new(Limits { burst: Some((3, Duration::from_secs(10))), daily: Some(5), refused_calls })
    }

    #[test]
    fn a_fourth_call_in_ten_seconds_is_refused_and_the_window_slides() {
        let (counters, start) = (counters(RefusedCalls::Free), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        for second in [0, 1, 2] {
            assert_eq!(counters.count(at(second)), Ok(()));
        }
        assert_eq!(counters.count(at(9)), Err(LimitKind::Burst));
        assert_eq!(counters.count(at(10)), Ok(()));
        assert_eq!(counters.count(at(10)), Err(LimitKind::Burst));
        assert_eq!(counters.count(at(11)), Ok(()));
        assert_eq!(counters.count(at(40)), Err(LimitKind::Daily));
        assert_eq!(counters.today(), 5);
    }

    #[test]
    fn refused_calls_count_where_they_are_said_to() {
        let (counters, start) = (counters(RefusedCalls::Counted), Instant::now());
        for _ in 0..4 {
            let _ = counters.count(start);
        }
        assert_eq!(counters.today(), 4);
    }
}
