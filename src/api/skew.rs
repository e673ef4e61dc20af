//! How far the clock of this machine is off. Every answer tells it in passing; what it means is left to the caller.

use std::time::{Duration, SystemTime};

/// The difference between the clock of this machine and that of the API, by the `Date` of an answer (RFC 9110 section
/// 6.6.1): to the second, and the time that the answer took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skew {
    /// It shows a later time.
    Ahead(Duration),
    /// It shows an earlier time, or the same.
    Behind(Duration),
}

impl Skew {
    pub(super) fn between(here: SystemTime, there: SystemTime) -> Self {
        match here.duration_since(there) {
            Ok(ahead) => Self::Ahead(ahead),
            Err(error) => Self::Behind(error.duration()),
        }
    }

    /// Returns how far it is off, in either direction.
    #[must_use]
    pub fn amount(self) -> Duration {
        match self {
            Self::Ahead(amount) | Self::Behind(amount) => amount,
        }
    }
}
