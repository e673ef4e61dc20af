//! The engine of the broker: from an [`Ask`] to an [`Answer`], whatever the dialect. Threads and no runtime: a few
//! check, one (the lane) makes all API calls, and each wait for the name servers has one of its own.
//!
//! An addition passes four steps: *checking* (is it in the journal, may this client place a record where the alias ends?),
//! *queued* until the request window lets a call out and it is this client's turn, *adding*, *waiting*. A second present of the
//! same record joins the first one. The journal has each record before its request leaves, so that a restart loses nothing.
//!
//! - `job`: one addition, and what is done next
//! - `desk`: all that is under way
//! - `queue`: whose turn it is
//! - `solving`: the solver for one record
//! - `check`: what is decided before anything is sent
//! - `checks`: which check is next
//! - `lane`: every call, one after the other
//! - `calls`: which record each was for
//! - `removal`: what a client asks to be removed, what expires, what was left behind
//! - `wait`: the name servers
//! - `outage`: IPv64 does not answer
//! - `memory`: additions that failed a moment ago

mod calls;
mod check;
mod checks;
mod desk;
mod job;
mod lane;
mod memory;
mod outage;
mod queue;
mod removal;
mod solving;
mod wait;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::grant::Grant;
use super::{Answer, Ask, Goal, Work};
use crate::dns::zone::Lookup;
use crate::error::{Context as _, Kind, Result};
use crate::limiter::Traffic;
use crate::settings::Settings;
use crate::solver::Upstream;
use crate::state::{Quota, State};
use crate::time::{Interrupted, Pause, Timestamp};
use checks::CHECKERS;
use desk::Desk;
use job::Key;
use outage::Reach;

/// The program of an [`Ask`] in the dialect of acme-dns, whose clients never ask for a removal.
pub const ACME_DNS: &str = "acme-dns";
/// What is said about when to come again where nobody knows.
const SOON: Duration = Duration::from_secs(5);
/// How often a thread that sleeps looks whether the broker stops.
const TICK: Duration = Duration::from_millis(100);

/// What the engine works with.
pub struct Parts {
    /// The settings in force.
    pub settings: Settings,
    /// The IPv64 API.
    pub upstream: Upstream,
    /// DNS, with one pace for all waits.
    pub lookup: Lookup,
    /// The journal, and what the account has used of its limits.
    pub state: State,
    /// The requests to IPv64: those of the client's limiter.
    pub traffic: Arc<Traffic>,
}

/// What the engine is doing, and has done since its start, for those who watch it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Additions and removals that wait for a check or a call.
    pub queued: usize,
    /// Waits for name servers.
    pub waits: usize,
    /// Requests that have left for IPv64.
    pub requests: u64,
    /// Additions that failed, by the word of their kind.
    pub failures: BTreeMap<&'static str, u64>,
}

/// Solves challenges for all clients of the broker.
pub struct Engine {
    parts: Parts,
    pause: Box<Pause>,
    desk: Mutex<Desk>,
    changed: Condvar,
    /// Shared with whatever pauses.
    stopping: Arc<AtomicBool>,
    zones: Mutex<(Instant, Lookup)>,
    reach: Mutex<Reach>,
    /// What was last read of the account's usage.
    usage: Mutex<(Option<Timestamp>, Quota)>,
    waits: AtomicUsize,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Engine {
    /// Starts the threads of the engine, which take up what an earlier run was asked to remove.
    ///
    /// # Errors
    /// If a thread cannot be had.
    pub fn start(parts: Parts) -> Result<Arc<Self>> {
        let stopping = Arc::<AtomicBool>::default();
        let stop = Arc::clone(&stopping);
        let usage = Mutex::new((None, parts.state.usage(|usage, _| usage.daily.quota())));
        let engine = Arc::new(Self {
            zones: Mutex::new((Instant::now(), parts.lookup.clone())),
            parts,
            pause: Box::new(move |_, length| pause(length, &stop)),
            desk: Mutex::default(),
            changed: Condvar::new(),
            stopping,
            reach: Mutex::default(),
            usage,
            waits: AtomicUsize::new(0),
            threads: Mutex::default(),
        });
        engine.read_usage();
        engine.resume_outage();
        engine.resume_removals();
        for _ in 0..CHECKERS {
            engine.spawn("check", Self::run_checks)?;
        }
        engine.spawn("calls", Self::make_calls)?;
        engine.spawn("outage", Self::watch)?;
        Ok(engine)
    }

    fn spawn(self: &Arc<Self>, name: &str, work: fn(&Arc<Self>)) -> Result<()> {
        let engine = Arc::clone(self);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || work(&engine));
        let thread = thread.context("cannot start a thread: is there a limit on processes (`ulimit -u`)?")?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    /// Adds a record; the answer comes when the goal is reached, or [`Answer::Pending`] when the time is over, while the work
    /// goes on.
    pub async fn present(&self, ask: Ask, goal: Goal, within: Duration) -> Answer {
        let _bill = Bill { engine: self, ask: &ask };
        let until = tokio::time::Instant::now() + within;
        loop {
            let begun = self.desk().begin(&ask, goal);
            self.changed.notify_all();
            let mut joined = match begun {
                Ok(joined) => joined,
                Err(answer) => return answer,
            };
            // What a removal has ended is not this request's answer.
            let awaited = if joined.is_ending { Goal::Ready } else { goal };
            match tokio::time::timeout_at(until, joined.answers.wait_for(|answers| answers.of(awaited).is_some())).await
            {
                Ok(Ok(_)) if joined.is_ending => {}
                Ok(Ok(answers)) => return answers.of(awaited).cloned().unwrap_or(Answer::Pending),
                Ok(Err(_)) => return interrupted(),
                Err(_) => return Answer::Pending,
            }
        }
    }

    /// Removes a record that this client has added. One that the journal does not know as this client's is not touched.
    pub async fn cleanup(&self, ask: Ask, within: Duration) -> Answer {
        let _bill = Bill { engine: self, ask: &ask };
        let begun = self.desk().begin_removal(&ask);
        self.changed.notify_all();
        let mut answer = match begun {
            Ok(answer) => answer,
            Err(answer) => return answer,
        };
        match tokio::time::timeout(within, answer.wait_for(Option::is_some)).await {
            Ok(Ok(answer)) => answer.clone().unwrap_or(Answer::Pending),
            Ok(Err(_)) => interrupted(),
            Err(_) => Answer::Pending,
        }
    }

    /// Returns since when IPv64 has not answered, if it does not, and what is used of the day's calls: as they were some seconds
    /// ago at most, since other processes may have the lock of the state directory.
    #[must_use]
    pub fn usage(&self) -> (Option<Timestamp>, Quota) {
        *self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what [`Engine::usage`] returns.
    fn read_usage(&self) {
        let read = self.parts.state.usage(|usage, now| (usage.outage.down_since(now), usage.daily.quota()));
        *self.usage.lock().unwrap_or_else(PoisonError::into_inner) = read;
    }

    /// Returns what is going on.
    #[must_use]
    pub fn numbers(&self) -> Numbers {
        let desk = self.desk();
        Numbers {
            queued: desk.waiting(),
            waits: self.waits.load(Ordering::Relaxed),
            requests: self.parts.traffic.passed(),
            failures: desk.failed.clone(),
        }
    }

    /// Puts other grants in force, also for what is under way: an addition that has not left for IPv64 ends if its client may not
    /// do that any more, or has asked for it with a token that is no longer good.
    pub fn regrant(&self, again: impl Fn(&Ask) -> Option<Arc<Grant>>) {
        self.desk().regrant(again);
        self.changed.notify_all();
    }

    /// Takes no new work and ends what is under way, for so long at most. What is open then is in the journal.
    pub fn stop(&self, within: Duration) {
        self.stopping.store(true, Ordering::Relaxed);
        let deadline = Instant::now() + within;
        self.desk().close();
        self.changed.notify_all();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            while !thread.is_finished() && Instant::now() < deadline {
                std::thread::sleep(TICK / 10);
            }
            if thread.is_finished() {
                thread.join().ok();
            }
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

/// A request that gets the calls of its record when it is answered, or when its client goes: those since the last one.
struct Bill<'a> {
    engine: &'a Engine,
    ask: &'a Ask,
}

impl Drop for Bill<'_> {
    fn drop(&mut self) {
        let calls = self.engine.desk().calls.take(&Key::of(self.ask), self.engine.parts.traffic.passed());
        self.ask.calls.fetch_add(calls, Ordering::Relaxed);
    }
}

impl Work for Engine {
    fn present(&self, ask: Ask, goal: Goal, within: Duration) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>> {
        Box::pin(self.present(ask, goal, within))
    }

    fn cleanup(&self, ask: Ask, within: Duration) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>> {
        Box::pin(self.cleanup(ask, within))
    }
}

/// What is answered while the broker ends, and for an addition whose removal was asked for meanwhile.
const fn interrupted() -> Answer {
    Answer::Failed { kind: Kind::Interrupted, retry_after: SOON }
}

fn pause(length: Duration, stop: &AtomicBool) -> Result<(), Interrupted> {
    let until = Instant::now() + length;
    while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        if stop.load(Ordering::Relaxed) {
            return Err(Interrupted);
        }
        std::thread::sleep(left.min(TICK));
    }
    Ok(())
}
