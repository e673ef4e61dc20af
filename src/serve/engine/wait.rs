//! The wait for the name servers: a thread for each record, and one pace for all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::desk::{Key, Step, overtaken};
use super::{Answer, Engine, SOON, call};
use crate::api::{CallKind, RetryPolicy};
use crate::error::{Error, Kind};
use crate::order::Action;
use crate::solver::Stored;

/// The most waits at once.
const MOST_WAITS: usize = 1024;
/// The stack of a thread that waits: a state machine without recursion, in bytes.
const STACK: usize = 256 * 1024;

impl Engine {
    /// Waits for a stored record, and tells when it is ready.
    pub(super) fn wait(self: &Arc<Self>, key: &Key, stored: Stored) {
        let (engine, waited) = (Arc::clone(self), key.clone());
        let Some(cancelled) = self.begin_wait(key) else { return };
        let work = move || {
            let answer = engine.wait_here(&waited, stored, &cancelled);
            engine.waits.fetch_sub(1, Ordering::Relaxed);
            engine.finish(&waited, answer);
        };
        let thread = if self.waits.fetch_add(1, Ordering::Relaxed) < MOST_WAITS {
            std::thread::Builder::new().name("wait".to_owned()).stack_size(STACK).spawn(work).ok()
        } else {
            None
        };
        if thread.is_none() {
            // The record stays: the client that asks again waits for it then.
            self.waits.fetch_sub(1, Ordering::Relaxed);
            self.finish(key, Answer::Failed { kind: Kind::BrokerUnusable, retry_after: SOON });
        }
    }

    fn begin_wait(&self, key: &Key) -> Option<Arc<AtomicBool>> {
        let mut desk = self.desk();
        let job = desk.jobs.get_mut(key)?;
        job.step = Step::Waiting;
        Some(Arc::clone(&job.cancelled))
    }

    fn wait_here(&self, key: &Key, stored: Stored, cancelled: &Arc<AtomicBool>) -> Answer {
        let Some(ask) = self.desk().jobs.get(key).map(|job| job.ask.clone()) else { return overtaken() };
        let never = |_: &_, _: &_| Ok(());
        let lookup = self.lookup();
        let solver = self.solver((&key.client, &lookup), &never, cancelled);
        let done = stored.records().next().map_or(Answer::Pending, |(entry, changed)| Answer::Done {
            record: entry.record.clone(),
            domain: Some(entry.domain.clone()),
            changed,
        });
        let policy = RetryPolicy::until(Instant::now()).reading_for(CallKind::Addition);
        match solver.wait_for(&call(Action::Add, &ask.program, &key.challenge), stored, &policy) {
            Ok(_) => done,
            Err(_) if cancelled.load(Ordering::Relaxed) => overtaken(),
            Err(failure) => self.failed(&ask, &Error::from(failure)),
        }
    }
}
