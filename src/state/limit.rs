//! What a request is for, and why one may not leave.

use std::time::Duration;

use super::rate::Rate;
use crate::error::{Explain, Kind};
use crate::time::{Interrupted, Timestamp};

/// What a request is for; the first in this list goes first when several wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallKind {
    /// Deletes a record or a domain: what is there must be able to go, or it stays for ever.
    Removal,
    /// Adds a record or a domain, or is needed for that.
    Addition,
    /// Changes nothing, and can wait.
    Read,
}

/// Why a request was not allowed to leave.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// The requests of this and other processes fill the window until after the deadline.
    #[error("the request limit of {rate} (requests/seconds) leaves no turn in time; the next one is in {} s", up(.soonest))]
    TooLate {
        /// When the next request of anybody is allowed.
        soonest: Duration,
        /// The limit.
        rate: Rate,
    },
    /// The API said that the day's calls are used up.
    #[error("the API calls of this account are used up until {reset} (midnight in Germany)")]
    UsedUp {
        /// When the new day begins, as far as known.
        reset: Timestamp,
    },
    /// What is left of the day's calls is kept for removing what is there.
    #[error("{remaining} API calls are left for today, kept for removing records ({open} to be removed)")]
    Reserved {
        /// Calls left.
        remaining: u64,
        /// Records that have to be removed.
        open: usize,
    },
    /// The process was asked to stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl Explain for LimitError {
    fn kind(&self) -> Kind {
        match self {
            Self::TooLate { .. } => Kind::RateLimited,
            Self::UsedUp { .. } => Kind::QuotaUsedUp,
            Self::Reserved { .. } => Kind::QuotaReserved,
            Self::Interrupted(_) => Kind::Interrupted,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::TooLate { .. } => Some(
                "wait until the other hooks are done, give more time with IPV64_PROPAGATION_TIMEOUT, or set \
                 IPV64_API_RATE if your account may send more"
                    .to_owned(),
            ),
            Self::UsedUp { .. } => Some(
                "the next renewal will try again; see `ipv64-acme status`, and look for what else uses the key"
                    .to_owned(),
            ),
            Self::Reserved { .. } => {
                Some("try again tomorrow, or raise the limit of the account at IPv64.net".to_owned())
            }
            Self::Interrupted(_) => None,
        }
    }
}

/// Whole seconds, rounded up.
fn up(duration: &Duration) -> u64 {
    duration.as_millis().div_ceil(1000) as u64
}
