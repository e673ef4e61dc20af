//! The request limits as the limiter of the API client: the client knows no files, and the limits no requests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::api::{Limit, Permit, RateLimiter};
use crate::state::{AccountUsage, CallKind, LimitError, Rate, State};
use crate::time::Pause;

/// The requests of this process, for whoever watches them.
#[derive(Debug, Default)]
pub struct Traffic {
    passed: AtomicU64,
    silence: Mutex<Option<Silence>>,
}

/// Requests that have left, and no answer that can be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// When the first of them left.
    pub since: Instant,
    /// Whether one of them has failed; else the first is still under way.
    pub has_failed: bool,
}

impl Traffic {
    /// Returns how many requests were let pass.
    #[must_use]
    pub fn passed(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }

    /// Returns since when there has been no answer, if the last request has none.
    #[must_use]
    pub fn silence(&self) -> Option<Silence> {
        *self.lock()
    }

    /// Ends a silence, if there is one: its call has ended.
    pub fn settle(&self) -> Option<Silence> {
        self.lock().take()
    }

    fn begin(&self) {
        self.passed.fetch_add(1, Ordering::Relaxed);
        self.lock().get_or_insert(Silence { since: Instant::now(), has_failed: false });
    }

    fn finish(&self, is_answered: bool) {
        let mut silence = self.lock();
        *silence = silence.filter(|_| !is_answered).map(|silence| Silence { has_failed: true, ..silence });
    }

    fn lock(&self) -> MutexGuard<'_, Option<Silence>> {
        self.silence.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets requests pass as the limits of the account allow, over all processes that share the state directory.
pub struct SharedLimiter {
    /// Where the account's requests are counted.
    pub state: State,
    /// How many in how much time.
    pub rate: Rate,
    /// The requests that were let pass.
    pub traffic: Arc<Traffic>,
    /// How a request waits.
    pub pause: Arc<Pause>,
}

impl RateLimiter for SharedLimiter {
    fn acquire(&self, kind: CallKind, deadline: Instant) -> Result<Permit, LimitError> {
        let sent_at = self.state.take_turn(kind, self.rate, deadline, &*self.pause)?;
        self.traffic.begin();
        let is_only_try = self.state.usage(|usage, now| usage.outage.down_since(now).is_some());
        let (state, traffic) = (self.state.clone(), Arc::clone(&self.traffic));
        let done = move |is_answered| {
            traffic.finish(is_answered);
            state.usage(|usage, now| {
                usage.window.finish(sent_at, now);
                if is_answered {
                    usage.outage.end();
                }
            });
        };
        Ok(Permit { is_only_try, done: Box::new(done) })
    }

    fn refused(&self, retry_after: Option<Duration>, limit: Limit) {
        match limit {
            Limit::Daily => self.state.usage(|usage, now| usage.daily.refuse(now)),
            Limit::Lasting => self.state.usage(|usage, now| usage.daily.refuse_for_now(now)),
            Limit::Burst | Limit::Unknown => self.state.refused(retry_after, self.rate),
        }
    }

    fn insist(&self) {
        self.state.usage(AccountUsage::insist);
    }

    fn gave_up(&self, after: Duration) {
        let ago = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
        self.state.usage(|usage, now| usage.outage.give_up(now.moved_by(-ago), now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Explain;
    use crate::exit::Exit;
    use crate::secret::Secret;
    use crate::state::Account;
    use crate::time::{SystemClock, sleep};

    fn limits(rate: &str) -> SharedLimiter {
        let account = Account::of(&Secret::parse("canary-key").unwrap());
        let state = State::in_memory(account, Arc::new(SystemClock));
        SharedLimiter { state, rate: rate.parse().unwrap(), traffic: Arc::default(), pause: Arc::new(sleep) }
    }

    #[test]
    fn a_full_window_is_told_in_its_own_words() {
        let limiter = limits("1/1000");
        let soon = Instant::now() + Duration::from_millis(10);
        drop(limiter.acquire(CallKind::Read, soon).unwrap());
        let error = limiter.acquire(CallKind::Removal, soon).err().unwrap();
        assert_eq!((error.kind().exit(), error.kind().as_str()), (Exit::RateLimit, "rate_limited"));
        assert!(error.to_string().contains("1/1000"), "{error}");
    }

    #[test]
    fn a_used_up_day_stops_the_next_request() {
        let limiter = limits("3/10");
        limiter.refused(None, Limit::Daily);
        let error = limiter.acquire(CallKind::Removal, Instant::now() + Duration::from_secs(60)).err().unwrap();
        assert_eq!(error.kind(), "quota_used_up");
    }
}
