//! The limiter that every request passes before it leaves, so that all processes together keep the provider's limits.
//! How it counts, and where, is left to its owner; this file only says what the two have to tell each other.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{Explain, Kind};
use crate::exit::Exit;
use crate::state::CallKind;

/// Which limit a 429 stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Too many calls within some seconds: over after a pause.
    Burst,
    /// The calls of the day. Never stated by the API as far as is known; taken from a `Retry-After` of an hour and more.
    Daily,
    /// It outlasts the pauses of a burst: the calls of the day, or another program with the same key that keeps on.
    Lasting,
    /// The answer does not tell.
    Unknown,
}

/// Decides when a request may leave.
pub trait RateLimiter: Send + Sync {
    /// Returns when a request of this kind may leave, at the latest at the deadline. The permit is dropped when the answer
    /// is there, or when there will be none.
    ///
    /// # Errors
    /// [`PermitError`] when there is no room until then, or none today.
    fn before(&self, kind: CallKind, deadline: Instant) -> Result<Permit, PermitError>;

    /// Hears of a 429 and of the pause that the answer asked for.
    fn refused(&self, retry_after: Option<Duration>, limit: Limit);
}

/// The right to send one request.
#[must_use = "the request counts as under way until this is dropped"]
#[derive(Default)]
pub struct Permit(Option<Box<dyn FnOnce()>>);

impl Permit {
    /// Makes a permit that tells its limiter when the request is over.
    pub fn ending_with(end: impl FnOnce() + 'static) -> Self {
        Self(Some(Box::new(end)))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            end();
        }
    }
}

/// Lets everything pass: for tests, and for programs that call seldom.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unlimited;

impl RateLimiter for Unlimited {
    fn before(&self, _: CallKind, _: Instant) -> Result<Permit, PermitError> {
        Ok(Permit::default())
    }

    fn refused(&self, _: Option<Duration>, _: Limit) {}
}

/// Why a request may not leave, in the words of the limiter. Nothing was sent.
#[derive(Debug, Clone)]
pub struct PermitError(Arc<dyn Explain + Send + Sync>);

impl PermitError {
    /// Takes the limiter's own error, with its exit code and its hint.
    pub fn new(error: impl Explain + Send + Sync + 'static) -> Self {
        Self(Arc::new(error))
    }
}

impl PartialEq for PermitError {
    fn eq(&self, other: &Self) -> bool {
        (self.kind(), self.to_string()) == (other.kind(), other.to_string())
    }
}

impl Eq for PermitError {}

impl fmt::Display for PermitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl std::error::Error for PermitError {}

impl Explain for PermitError {
    fn exit(&self) -> Exit {
        self.0.exit()
    }

    fn kind(&self) -> Kind {
        self.0.kind()
    }

    fn hint(&self) -> Option<String> {
        self.0.hint()
    }

    fn details(&self) -> Vec<String> {
        self.0.details()
    }
}
