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
    /// The API has refused calls for longer than a burst lasts. What for is a guess.
    #[error("IPv64 refused calls at {since}, for longer than a burst lasts; the next try is due at {next}")]
    Refused {
        /// When that was.
        since: Timestamp,
        /// When the next request may leave.
        next: Timestamp,
    },
    /// The API has not answered, and it is too early to try again.
    #[error("IPv64 has not answered since {since}; the next try is due at {next}")]
    Down {
        /// When the first of the tries left that got no answer.
        since: Timestamp,
        /// When the next request may leave.
        next: Timestamp,
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
            Self::TooLate { .. } | Self::Refused { .. } => Kind::RateLimited,
            Self::Down { .. } => Kind::Unavailable,
            Self::UsedUp { .. } => Kind::QuotaUsedUp,
            Self::Reserved { .. } => Kind::QuotaReserved,
            Self::Interrupted(_) => Kind::Interrupted,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::TooLate { .. } => {
                "wait until the other hooks are done, give more time with IPV64_PROPAGATION_TIMEOUT, or set IPV64_API_RATE if \
                 your account may send more"
            }
            Self::UsedUp { .. } => {
                "the next renewal will try again; see `ipv64-acme status`, and look for what else uses the key"
            }
            Self::Refused { .. } => {
                "perhaps another program that uses this key keeps the limit busy, perhaps the calls of the day are used up: see \
                 `ipv64-acme status`, which asks at once"
            }
            Self::Down { .. } => {
                "between the tries calls fail at once, or an outage would use up the calls of the day; `ipv64-acme doctor` asks \
                 at once, and looks at the way there"
            }
            Self::Reserved { .. } => "try again tomorrow, or raise the limit of the account at IPv64.net",
            Self::Interrupted(_) => return None,
        };
        Some(hint.to_owned())
    }
}

/// Whole seconds, rounded up.
fn up(duration: &Duration) -> u64 {
    duration.as_millis().div_ceil(1000) as u64
}
