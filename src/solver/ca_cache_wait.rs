//! The wait for the CA's cache where one name gets two values, one after the other.
//! The wait for the name servers is [`crate::propagation`]'s.

use std::time::{Duration, Instant};

use super::Solver;
use super::locate::Placement;
use crate::time::{Interrupted, Waiting};

/// How long the CA's resolvers keep an answer: they honour a TTL up to about 60 s (stated by Let's Encrypt's community).
const CA_CACHE: Duration = Duration::from_secs(65);

impl Solver<'_> {
    /// Waits out the CA's cache where another value at the same name was reported ready a moment ago: the CA would be
    /// shown the RRset without the new value.
    ///
    /// # Errors
    /// [`Interrupted`]: the CA must not be asked yet.
    pub(super) fn ca_cache_wait(&self, placements: &[Placement]) -> Result<(), Interrupted> {
        let rest = self.state.journal(|journal, now| {
            let marks = placements.iter().flat_map(|one| journal.ready_marks(&one.entry.record, now));
            let of_others = marks.filter(|mark| placements.iter().all(|one| one.entry.value != mark.value));
            of_others.map(|mark| CA_CACHE.saturating_sub(now.since(mark.at))).max().unwrap_or_default()
        });
        if rest.is_zero() {
            return Ok(());
        }
        let what = "the CA's cache, which may still hold the previous value of this name".to_owned();
        (self.pause)(&Waiting { what, since: Instant::now(), limit: rest }, rest)
    }
}
