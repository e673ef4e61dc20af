//! The request window as the gate of the API client: the client knows no files, and the window no requests.

use std::time::{Duration, Instant};

use crate::api::{CallKind, Gate, GateError, Limit, Pass};
use crate::state::{Priority, RequestWindow};

/// Lets requests pass as the window of the account allows, over all processes that share the state directory.
pub struct WindowGate(RequestWindow);

impl WindowGate {
    /// Takes the window of the account that the client calls for.
    #[must_use]
    pub fn new(window: RequestWindow) -> Self {
        Self(window)
    }
}

impl Gate for WindowGate {
    fn before(&self, kind: CallKind, deadline: Instant) -> Result<Pass, GateError> {
        let priority = match kind {
            CallKind::Read => Priority::Read,
            CallKind::Addition => Priority::Addition,
            CallKind::Removal => Priority::Removal,
        };
        let slot = self.0.acquire(priority, deadline).map_err(GateError::new)?;
        Ok(Pass::ending_with(|| slot.finish()))
    }

    fn refused(&self, retry_after: Option<Duration>, limit: Limit) {
        match limit {
            Limit::Daily | Limit::Lasting => self.0.daily_exhausted(),
            Limit::Burst | Limit::Unknown => self.0.refused(retry_after),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::error::Explain;
    use crate::exit::Exit;
    use crate::secret::Secret;
    use crate::state::{Account, State};

    #[test]
    fn a_full_window_is_told_in_its_own_words() {
        let account = Account::of(&Secret::parse("canary-key").unwrap());
        let gate = WindowGate::new(State::in_memory().window(account, "1/1000".parse().unwrap()));
        let soon = Instant::now() + Duration::from_millis(10);
        drop(gate.before(CallKind::Read, soon).unwrap());
        let error = gate.before(CallKind::Removal, soon).err().unwrap();
        assert_eq!((error.exit(), error.kind().as_str()), (Exit::RateLimit, "rate_limited"));
        assert!(error.to_string().contains("1/1000"), "{error}");
    }

    #[test]
    fn a_used_up_day_stops_the_next_request() {
        let account = Account::of(&Secret::parse("canary-key").unwrap());
        let gate = WindowGate::new(State::in_memory().window(account, "3/10".parse().unwrap()));
        gate.refused(None, Limit::Daily);
        let error = gate.before(CallKind::Removal, Instant::now() + Duration::from_secs(60)).err().unwrap();
        assert_eq!(error.kind(), "quota_used_up");
    }
}
