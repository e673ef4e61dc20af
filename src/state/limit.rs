//! What a request is for, and why one may not leave.

use std::fmt;
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

/// The calls that an order still takes, those that have to be left for others included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallsNeeded {
    /// Records to be added; each of them has to be removed too.
    pub additions: usize,
    /// Whether the list of domains need not be asked for.
    pub has_list: bool,
    /// Whether earlier calls of the same order were made.
    pub is_begun: bool,
    /// Calls that are kept for records that are there, or about to be.
    pub kept: usize,
}

impl CallsNeeded {
    /// Returns how many calls the order itself takes.
    #[must_use]
    pub const fn own(&self) -> u64 {
        (self.additions as u64).saturating_mul(2).saturating_add(!self.has_list as u64)
    }

    /// Returns how many calls have to be left today.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.own().saturating_add(self.kept as u64)
    }

    /// Says how many calls have to be left for others, if any.
    fn reserve(&self) -> String {
        if self.kept == 0 { String::new() } else { format!(", and open records still take {}", self.kept) }
    }
}

impl fmt::Display for CallsNeeded {
    /// Writes `2 names need 4 API calls, an addition and a removal each`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.additions {
            1 => write!(f, "1 name needs {} API calls, an addition and a removal", self.own())?,
            names => write!(f, "{names} names need {} API calls, an addition and a removal each", self.own())?,
        }
        f.write_str(if self.has_list { "" } else { " and the list of domains" })
    }
}

/// Why a request was not allowed to leave.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// The requests of this and other processes fill the window until after the deadline.
    #[error("the request limit of {rate} (requests/seconds) allows no request in time; the next one is allowed in {} s", up(.soonest))]
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
    /// What is left of the day's calls does not pay for all that is to be added, and for the removals.
    #[error("{needed}; {remaining} of {limit} are left until {reset} (midnight in Germany){}", needed.reserve())]
    Reserved {
        /// What the order takes.
        needed: CallsNeeded,
        /// Calls left.
        remaining: u64,
        /// The account's calls a day.
        limit: u64,
        /// When the new day begins, as far as known.
        reset: Timestamp,
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
                "the next renewal will try again; see `ipv64-acme status`, and find out what else uses the key"
            }
            Self::Refused { .. } => {
                "perhaps another program that uses this key uses up the limit, perhaps the calls of the day are used up: \
                see \
                 `ipv64-acme status`, which asks at once"
            }
            Self::Down { .. } => {
                "between the tries calls fail at once, so that an outage does not use up the calls of the day; \
                `ipv64-acme doctor` asks at once and checks the connection"
            }
            Self::Reserved { .. } => {
                "request fewer names per certificate, spread certificates over several days, or wait for the new day; \
                 `ipv64-acme status` shows what is left and what is kept"
            }
            Self::Interrupted(_) => return None,
        };
        Some(hint.to_owned())
    }
}

/// Whole seconds, rounded up.
fn up(duration: &Duration) -> u64 {
    duration.as_millis().div_ceil(1000) as u64
}
