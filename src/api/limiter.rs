//! What every request passes before it leaves, so that all processes together keep the provider's limits.
//! How it counts, and where, is left to its owner; this file only says what the two have to tell each other.

use std::time::{Duration, Instant};

use crate::state::{CallKind, LimitError};

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
    /// Waits until a request of this kind may leave, at the latest until the deadline.
    ///
    /// # Errors
    /// [`LimitError`] when there is no room until then, or none today; nothing was sent.
    fn acquire(&self, kind: CallKind, deadline: Instant) -> Result<Permit, LimitError>;

    /// Hears of a 429 and of the pause that the answer asked for.
    fn refused(&self, retry_after: Option<Duration>, limit: Limit);

    /// Hears that a person waits for the next request: it is to leave also where earlier failures speak against it.
    fn insist(&self);

    /// Hears that a call has given up which was tried as often as any is: it began so long ago and got no answer.
    fn gave_up(&self, after: Duration);
}

/// The right to send one request.
pub struct Permit {
    /// Whether the call may not be tried again: the API has not answered for a while.
    pub is_only_try: bool,
    /// To be called when the answer is there, or, with `false`, when there will be none that can be understood: until then the
    /// request counts as under way.
    pub done: Box<dyn FnOnce(bool)>,
}
