//! The wait for the name servers: a thread for each record, and one pace for all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use super::check::done;
use super::job::{Step, Ticket};
use super::solving::addition;
use super::{Answer, Ask, Engine, SOON};
use crate::api::{CallKind, RetryPolicy};
use crate::error::{Error, Kind};
use crate::solver::Stored;

/// The most waits at once.
const MOST_WAITS: usize = 1024;
/// The stack of a thread that waits: a state machine without recursion, in bytes.
const STACK: usize = 256 * 1024;

impl Engine {
    /// Waits for a stored record, and tells when it is ready.
    pub(super) fn wait(self: &Arc<Self>, ticket: &Ticket, stored: Stored) {
        let taken = self.desk().step(ticket, Step::Waiting);
        let Some((ask, cancelled)) = taken else { return };
        let (engine, waited) = (Arc::clone(self), ticket.clone());
        let work = move || {
            let answer = engine.wait_here(&ask, stored, &cancelled);
            engine.waits.fetch_sub(1, Ordering::Relaxed);
            engine.finish(&waited, answer);
        };
        let builder = std::thread::Builder::new().name("wait".to_owned()).stack_size(STACK);
        let begun = has_room(&self.waits).then(|| builder.spawn(work));
        if matches!(begun, Some(Err(_))) {
            self.waits.fetch_sub(1, Ordering::Relaxed);
        }
        if !matches!(begun, Some(Ok(_))) {
            // The record stays: the client that asks again waits for it then.
            self.finish(ticket, Answer::Failed { kind: Kind::BrokerBusy, retry_after: SOON });
        }
    }

    fn wait_here(&self, ask: &Ask, stored: Stored, cancelled: &Arc<AtomicBool>) -> Answer {
        let lookup = self.lookup();
        let ready = stored.records().next().map_or(Answer::Pending, |(entry, is_new)| done(entry, is_new));
        let policy = RetryPolicy::until(Instant::now()).reading_for(CallKind::Addition);
        let solver = self.solver(&lookup, None, cancelled);
        match solver.wait_for(&addition(ask), stored, &policy) {
            Ok(_) => ready,
            Err(failure) => self.failure(ask, &Error::from(failure)),
        }
    }
}

/// Takes one of the places for waits, if there is one left.
fn has_room(waits: &AtomicUsize) -> bool {
    let one_more = |waits| (waits < MOST_WAITS).then_some(waits + 1);
    waits.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_waits_at_once_than_there_are_places() {
        let waits = AtomicUsize::new(0);
        assert_eq!((0..2000).filter(|_| has_room(&waits)).count(), 1024);
        waits.fetch_sub(1, Ordering::Relaxed);
        assert!(has_room(&waits) && !has_room(&waits), "one has ended");
    }
}
