//! Whether and when a failed call is tried again. Which calls may be repeated at all is decided by the client.

use std::time::{Duration, Instant};

use super::wire::Call;
use super::{ApiError, CallKind, Limit};
use crate::http::{MOST_TRIES, backoff};

/// The window of the burst limit: some calls per 10 s (observed), so that after it all of them are free again.
const BURST_WINDOW: Duration = Duration::from_secs(10);
/// How often a 429 is tried again: a limit that outlasts two windows is not a burst of ours.
const TRIES_AFTER_429: u32 = 2;
/// How long people at a terminal are kept waiting.
const INTERACTIVE: Duration = Duration::from_secs(30);

/// How long and how often a call is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// No pause ends after this and no request runs beyond it, but for one second that the last one always gets.
    pub deadline: Instant,
    /// The most requests for one call, the first one included.
    pub tries: u32,
    /// What a call that only reads is needed for, and as early as which it leaves.
    pub reads_for: CallKind,
    /// The longest pause before a further request, unless the API asks for a longer one.
    pub longest_pause: Duration,
    /// Whether the first request leaves also where earlier failures speak against it.
    pub insists: bool,
}

impl RetryPolicy {
    /// For hooks: nobody is watching, and a certificate depends on it.
    #[must_use]
    pub fn until(deadline: Instant) -> Self {
        Self { deadline, tries: MOST_TRIES, reads_for: CallKind::Read, longest_pause: Duration::MAX, insists: false }
    }

    /// For people: at most 30 s and three requests, and one at least.
    #[must_use]
    pub fn interactive() -> Self {
        Self { tries: 3, insists: true, ..Self::until(Instant::now() + INTERACTIVE) }
    }

    /// The same for a call whose answer is needed before a record can be added or removed.
    #[must_use]
    pub fn reading_for(self, kind: CallKind) -> Self {
        Self { reads_for: kind, ..self }
    }

    /// The same with so many requests at most.
    #[must_use]
    pub fn with_tries(self, tries: u32) -> Self {
        Self { tries, ..self }
    }
}

/// The tries of one call so far.
#[derive(Debug)]
pub(super) struct Tries {
    policy: RetryPolicy,
    started: Instant,
    is_patient: bool,
    made: u32,
    refused: u32,
    lost: bool,
}

impl Tries {
    pub(super) fn new(policy: RetryPolicy) -> Self {
        Self {
            policy,
            started: Instant::now(),
            is_patient: policy.tries >= MOST_TRIES,
            made: 0,
            refused: 0,
            lost: false,
        }
    }

    /// Lets the try that is about to be made be the last one.
    pub(super) const fn end_with_this(&mut self) {
        self.policy.tries = self.made + 1;
    }

    /// Whether an earlier try may have been acted on.
    pub(super) const fn may_be_done(&self) -> bool {
        self.lost
    }

    /// How long ago the first try of a call left that has just given up. Nothing for one that may not be tried as often as
    /// any, since a blip ends it.
    pub(super) fn gave_up(&self, error: &ApiError) -> Option<Duration> {
        (self.is_patient && error.is_no_answer()).then(|| self.started.elapsed())
    }

    /// Decides about a call that just failed: its error, and the pause before the next try, if there is to be one.
    pub(super) fn after(&mut self, error: ApiError, call: &Call<'_>) -> (ApiError, Option<Duration>) {
        self.made += 1;
        self.lost |= error.may_have_been_stored();
        let left = self.policy.deadline.saturating_duration_since(Instant::now());
        let pause = match &error {
            ApiError::RateLimited { limit: Limit::Daily, .. } => None,
            ApiError::RateLimited { retry_after, .. } => {
                self.refused += 1;
                let pause = retry_after.unwrap_or(BURST_WINDOW);
                (self.refused <= TRIES_AFTER_429).then(|| pause + BURST_WINDOW.mul_f64(rand::random_range(0.0..0.1)))
            }
            error if error.is_transient() && (call.is_repeatable() || !self.lost) => {
                backoff(self.made, self.policy.tries, left).map(|pause| pause.min(self.policy.longest_pause))
            }
            _ => None,
        };
        match pause.filter(|pause| self.made < self.policy.tries && *pause < left) {
            Some(pause) => (error, Some(pause)),
            None => (self.conclude(error), None),
        }
    }

    /// Puts what the earlier tries taught into the last error.
    pub(super) fn conclude(&self, error: ApiError) -> ApiError {
        let error = match error {
            // Two windows passed and nothing became free.
            ApiError::RateLimited { limit: Limit::Unknown, words, retry_after } if self.refused > TRIES_AFTER_429 => {
                ApiError::RateLimited { limit: Limit::Lasting, words, retry_after }
            }
            other => other,
        };
        if self.lost && !error.may_have_been_stored() { ApiError::AfterLostReply(Box::new(error)) } else { error }
    }
}
