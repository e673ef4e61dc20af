//! The wait for the CA's cache where one name gets two values, one after the other.
//! The wait for the name servers is [`crate::propagation`]'s.

use std::time::{Duration, Instant};

use super::Solver;
use super::locate::Placement;
use crate::state::RecordMark;
use crate::time::Interrupted;

/// How long the CA's resolvers keep an answer: they honour a TTL up to about 60 s (stated by Let's Encrypt's community).
const CA_CACHE: Duration = Duration::from_secs(65);

impl Solver<'_> {
    /// Waits out the CA's cache where another value at the same name was reported ready a moment ago: the CA would be
    /// shown the RRset without the new value.
    ///
    /// # Errors
    /// [`Interrupted`]: the CA must not be asked yet.
    pub(super) fn ca_cache_wait(&self, placements: &[Placement]) -> Result<(), Interrupted> {
        let is_of_others = |mark: &RecordMark| !placements.iter().any(|placement| placement.entry.value == mark.value);
        let marks = |record| self.state.journal(|journal, now| journal.ready_marks(record, now));
        let marks = placements.iter().flat_map(|placement| marks(&placement.entry.record));
        let rest = |mark: RecordMark| CA_CACHE.saturating_sub(self.state.age(mark.at));
        let rest = marks.filter(is_of_others).map(rest).max().unwrap_or_default();
        if rest.is_zero() {
            return Ok(());
        }
        self.events.step(&format!(
            "waiting {:.0} s more: the CA may still have the previous value of this name in its cache",
            rest.as_secs_f64()
        ));
        self.pause_until(Instant::now() + rest)
    }
}
