//! Runs a wait: starts each job of the machine in a thread of its own, brings what becomes of it back over one channel, and
//! tells whoever watches. What is done when is up to [`super::wait`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::fallback;
use super::outcome::{Cause, NotReady, Ready, Row};
use super::plan::Plan;
use super::rule::ServerStatus;
use super::target::Host;
use super::wait::{Action, GRACE, Job, Wait};
use crate::dns::exchange::{STACK, ask};
use crate::dns::signing::Signing;
use crate::dns::zone::{FoundBy, Lookup, Zone};
use crate::name::DnsName;

/// How often the stop flag of the process is looked at.
const TICK: Duration = Duration::from_millis(100);
/// How long a look for a cause may take at least, after the deadline.
const LEAST_LOOK: Duration = Duration::from_millis(200);

/// Tells the machine what became of a job, with the moment at which it is told.
type Event = Box<dyn FnOnce(&mut Wait<'_>, Instant) + Send>;

/// Waits until every authoritative address of every zone serves the records. `changed` is called with the table at the
/// start, whenever the status of an address has changed, and each second.
///
/// # Errors
/// [`NotReady`] with the table of servers.
pub fn wait(plan: &Plan, changed: &mut dyn FnMut(&[Row])) -> Result<Ready, NotReady> {
    let mut wait = Wait::new(plan, Instant::now());
    let lookup = Arc::new(plan.lookup.clone());
    let (sender, events) = channel();
    let begin = Instant::now();
    let mut shown: (u64, Vec<(Host, ServerStatus)>) = Default::default();
    // A broker has a thousand of these waits: a table that cannot have changed is not made again.
    let mut is_news = true;
    loop {
        let now = Instant::now();
        if plan.interrupted.load(Ordering::Relaxed) {
            return Err(wait.not_ready(now, Cause::Interrupted));
        }
        let until = match wait.poll(now, rand::random()) {
            Action::Start(job) => {
                start(&lookup, job, &sender);
                continue;
            }
            Action::Done(Ok(ready)) => return Ok(ready),
            Action::Done(Err(not_ready)) => return Err(explained(not_ready, plan, &wait)),
            Action::Until(until) => until,
        };
        let seconds = begin.elapsed().as_secs();
        if is_news || shown.0 != seconds {
            let rows = wait.rows();
            let state = (seconds, rows.iter().map(|row| (row.host.clone(), row.status)).collect());
            if shown != state {
                changed(&rows);
                shown = state;
            }
        }
        let event = next(&events, until.min(begin + Duration::from_secs(seconds + 1)), &plan.interrupted);
        is_news = event.is_some();
        event.into_iter().chain(events.try_iter()).for_each(|event| event(&mut wait, Instant::now()));
    }
}

/// Returns the next event; nothing if there is none by `until`, or if the process is to stop.
fn next(events: &Receiver<Event>, until: Instant, interrupted: &AtomicBool) -> Option<Event> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match events.recv_timeout(left.min(TICK)) {
            Ok(event) => return Some(event),
            Err(_) if left.is_zero() || interrupted.load(Ordering::Relaxed) => return None,
            // The sender of `wait` is still there: nothing came within the tick.
            Err(_) => {}
        }
    }
}

/// Does a job.
fn run(lookup: &Lookup, job: Job) -> Event {
    match job {
        Job::Query { ticket, question, permit, until } => {
            let reply = ask(permit.server(), &question, ticket.transport, until, || permit.sent(Instant::now()));
            Box::new(move |wait, now| wait.answered(now, ticket, reply))
        }
        Job::Discover { search, name, until } => {
            let found = if search.from_roots {
                lookup.zone_by(FoundBy::Roots, &name, until).ok()
            } else {
                lookup.discover(&name, until)
            };
            Box::new(move |wait, now| wait.discovered(now, search, found))
        }
        Job::Resolvers { texts, https_only, until } => {
            let (round, basis) = fallback::ask(lookup, &texts, https_only, until);
            Box::new(move |wait, now| wait.resolved(now, round, basis))
        }
    }
}

/// Starts a thread that does a job; its end is not waited for, since its result may come too late for anybody.
fn start(lookup: &Arc<Lookup>, job: Job, sender: &Sender<Event>) {
    let (stack, name) = match &job {
        Job::Query { .. } => (STACK, "query"),
        Job::Discover { .. } => (4 * STACK, "discovery"),
        Job::Resolvers { .. } => (4 * STACK, "resolvers"),
    };
    // The job goes over a channel, so that it is not lost where there is no thread for it.
    let (hand_over, taken) = sync_channel(1);
    let (one, answer) = (Arc::clone(lookup), sender.clone());
    let work = move || {
        if let Ok(job) = taken.recv() {
            answer.send(run(&one, job)).ok();
        }
    };
    let spawned = thread::Builder::new().name(name.to_owned()).stack_size(stack).spawn(work);
    if let Err(unsent) = hand_over.send(job) {
        debug_assert!(spawned.is_err(), "only a thread that was not started takes nothing");
        // No thread to be had (a limit on processes): done from here, one after the other.
        sender.send(run(lookup, unsent.0)).ok();
    }
}

/// Adds what would come next after a server that lags: zones that a CA cannot validate.
fn explained(not_ready: NotReady, plan: &Plan, wait: &Wait<'_>) -> NotReady {
    if not_ready.cause != Cause::TimedOut {
        return not_ready;
    }
    let until = Instant::now() + LEAST_LOOK.max(GRACE / 2);
    let refused = |zone: &&Zone| matches!(plan.lookup.signing(zone, until), Some(Signing::NoKeys | Signing::Refused));
    let bogus: Vec<DnsName> =
        wait.zones.iter().map(|zone| &zone.zone).filter(refused).filter_map(|zone| zone.apex.clone()).collect();
    NotReady { bogus, ..not_ready }
}
