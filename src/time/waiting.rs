//! A wait that says what it waits for: whoever has to pause says so through a [`Pause`], and never sleeps by itself.

use std::time::{Duration, Instant};

use super::Interrupted;

/// A wait, as people read about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// What for, as it fits behind "waiting for".
    pub what: String,
    /// When it began: all pauses of one wait have the same.
    pub since: Instant,
    /// How long it may take, all pauses included.
    pub limit: Duration,
}

/// Pauses the calling thread for a part of a wait, which may be zero; [`Interrupted`] soon after a signal.
pub type Pause = dyn Fn(&Waiting, Duration) -> Result<(), Interrupted> + Send + Sync;

impl Waiting {
    /// Says what is waited for, for how long already and for how long at most.
    #[must_use]
    pub fn progress(&self, now: Instant) -> String {
        let elapsed = now.saturating_duration_since(self.since).as_secs();
        format!("waiting for {}: {elapsed} s of at most {} s", self.what, up(self.limit).max(elapsed))
    }
}

/// Whole seconds, rounded up.
const fn up(duration: Duration) -> u64 {
    duration.as_millis().div_ceil(1000) as u64
}

/// Sleeps: for callers whom nobody watches.
///
/// # Errors
/// None: no signal ends it.
pub fn sleep(_: &Waiting, length: Duration) -> Result<(), Interrupted> {
    std::thread::sleep(length);
    Ok(())
}
