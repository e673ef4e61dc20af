//! The request limits as the limiter of the API client: the client knows no files, and the limits no requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::api::{Limit, Permit, RateLimiter};
use crate::state::{AccountUsage, CallKind, LimitError, Rate, State};
use crate::time::Pause;

/// Lets requests pass as the limits of the account allow, over all processes that share the state directory.
pub struct SharedLimiter {
    /// Where the account's requests are counted.
    pub state: State,
    /// How many in how much time.
    pub rate: Rate,
    /// How many requests were let pass.
    pub passed: Arc<AtomicU64>,
    /// How a request waits.
    pub pause: Arc<Pause>,
}

impl RateLimiter for SharedLimiter {
    fn acquire(&self, kind: CallKind, deadline: Instant) -> Result<Permit, LimitError> {
        let sent_at = self.state.take_turn(kind, self.rate, deadline, &*self.pause)?;
        self.passed.fetch_add(1, Ordering::Relaxed);
        let is_only_try = self.state.usage(|usage, now| usage.outage.down_since(now).is_some());
        let state = self.state.clone();
        let done = move |is_answered| {
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
        SharedLimiter { state, rate: rate.parse().unwrap(), passed: Arc::default(), pause: Arc::new(sleep) }
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
