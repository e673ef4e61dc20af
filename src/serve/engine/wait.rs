//! The wait for the name servers: a thread for each record, and one pace for all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::desk::{Step, Ticket};
use super::look::done;
use super::{Answer, Ask, Engine, SOON, addition};
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
        let has_room = self.waits.fetch_add(1, Ordering::Relaxed) < MOST_WAITS;
        let builder = std::thread::Builder::new().name("wait".to_owned()).stack_size(STACK);
        if !has_room || builder.spawn(work).is_err() {
            // The record stays: the client that asks again waits for it then.
            self.waits.fetch_sub(1, Ordering::Relaxed);
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
