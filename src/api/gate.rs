//! The gate that every request passes before it leaves, so that all processes together keep the provider's limits.
//! How it counts, and where, is left to its owner; this file only says what the two have to tell each other.

use std::time::{Duration, Instant};

use crate::exit::{Exit, Explain};

/// What a request is for: when calls are scarce, removals go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallKind {
    /// Changes nothing.
    Read,
    /// Adds a record or a domain.
    Addition,
    /// Deletes a record or a domain.
    Removal,
}

/// Which limit a 429 stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Too many calls within some seconds: over after a pause.
    Burst,
    /// The calls of the day. Never stated by the API as far as is known; taken from a `Retry-After` of an hour and more,
    /// or from refusals that outlast the pauses of a burst.
    Daily,
    /// The answer does not tell.
    Unknown,
}

/// Decides when a request may leave.
pub trait Gate: Send + Sync {
    /// Returns when a request of this kind may leave, at the latest at the deadline.
    ///
    /// # Errors
    /// [`GateError`] when there is no room until then, or none today.
    fn before(&self, kind: CallKind, deadline: Instant) -> Result<(), GateError>;

    /// Hears that the answer to the request that was let through is there, or that there will be none.
    fn after(&self) {}

    /// Hears of a 429 and of the pause that the answer asked for.
    fn refused(&self, retry_after: Option<Duration>, limit: Limit);
}

/// Lets everything pass: for tests, and for programs that call seldom.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenGate;

impl Gate for OpenGate {
    fn before(&self, _: CallKind, _: Instant) -> Result<(), GateError> {
        Ok(())
    }

    fn refused(&self, _: Option<Duration>, _: Limit) {}
}

/// Why a request may not leave. Nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// Other calls fill the request window until after the deadline.
    #[error("no API call is allowed for another {} s, which is too late", wait.as_secs().max(1))]
    Full {
        /// How long until there is room.
        wait: Duration,
    },
    /// The process was asked to stop while it waited.
    #[error("interrupted while waiting for a turn")]
    Interrupted,
    /// The calls of the day are used up, or what is left of them is kept for removals.
    #[error("{reason}")]
    Daily {
        /// What was counted, in words for users.
        reason: String,
    },
}

impl Explain for GateError {
    fn exit(&self) -> Exit {
        match self {
            Self::Interrupted => Exit::Failed,
            Self::Full { .. } | Self::Daily { .. } => Exit::RateLimit,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Full { .. } => "request_window_full",
            Self::Daily { .. } => "daily_quota",
            Self::Interrupted => "interrupted",
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Interrupted => return None,
            Self::Full { .. } => "try again in a minute; other processes with this key may be at work",
            Self::Daily { .. } => "wait for the next day, or ask IPv64 for a class with more API calls",
        };
        Some(hint.to_owned())
    }
}
