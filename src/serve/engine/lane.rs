//! Additions up to the moment at which IPv64 has stored them: the look before the queue, the lane that makes all calls one
//! after the other, and the probe of an IPv64 that cannot be reached.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::desk::{Key, Look, Step, overtaken};
use super::queue::Next;
use super::{ACME_DNS, Answer, Ask, Engine, TICK, call};
use crate::api::{ApiError, CallKind, RetryPolicy};
use crate::error::{Error, Kind, Result};
use crate::http::look_up;
use crate::order::Action;
use crate::serve::{Goal, policy};
use crate::solver::Stored;
use crate::state::{Entry, Progress};
use crate::time::Interrupted;

/// How long a look at the alias may take: whoever waits has half a minute.
const LOOK: Duration = Duration::from_secs(10);
/// How long the call itself may take, all of its tries included.
const CALL: Duration = Duration::from_secs(20);
/// How often a call is tried. The next one is the client's; five tries would keep everybody else waiting.
const TRIES: u32 = 2;
/// How long the lane waits for its turn before it looks again at what is most urgent.
const TURN: Duration = Duration::from_millis(500);
/// Between two rounds of tidying.
const TIDY: Duration = Duration::from_secs(5);
/// Between two probes, and how long one may take.
const PROBE: Duration = Duration::from_secs(2);

impl Engine {
    /// A thread that looks things up.
    pub(super) fn look_things_up(self: &Arc<Self>) {
        loop {
            let mut desk = self.desk();
            let look = loop {
                if self.is_stopping() {
                    return;
                }
                match desk.looks.pop_front() {
                    Some(look) => break look,
                    None => {
                        desk = self.changed.wait(desk).unwrap_or_else(std::sync::PoisonError::into_inner);
                    }
                }
            };
            drop(desk);
            match look {
                Look::Addition(key) => self.look(&key),
                Look::Removal(key) => self.look_at_removal(&key),
            }
        }
    }

    /// Answers an addition from the journal or from memory, refuses it, or lets it queue.
    fn look(self: &Arc<Self>, key: &Key) {
        let Some((ask, goal)) = self.ask_of(key) else { return };
        let entries = self.journalled(&key.client, &key.challenge);
        let open = entries.into_iter().rfind(|entry| !entry.is_being_removed());
        match open.as_ref().map(|entry| entry.progress) {
            Some(Progress::Ready { .. }) => return self.finish(key, open.as_ref().map_or_else(overtaken, answered)),
            Some(Progress::Confirmed) if goal == Goal::Stored => {
                return self.finish(key, open.as_ref().map_or_else(overtaken, answered));
            }
            _ => {}
        }
        let recalled = self.desk().failures.recall(&key.client, &key.challenge.name, Instant::now());
        if let Some((kind, retry_after)) = recalled {
            return self.finish(key, Answer::Failed { kind, retry_after });
        }
        if let Some(entry) = open.filter(|entry| entry.progress == Progress::Confirmed) {
            return self.take_up(key, &ask, entry);
        }
        if let Err(refusal) = self.check_calls(&ask) {
            return self.finish(key, Answer::Refused(refusal));
        }
        if let Err(error) = self.look_at_alias(&ask) {
            let answer = self.failed(&ask, &error);
            return self.finish(key, answer);
        }
        let mut desk = self.desk();
        // A removal may have overtaken it meanwhile.
        if let Some(job) = desk.jobs.get_mut(key).filter(|job| job.step == Step::Looking) {
            job.step = Step::Queued;
            desk.queue.push_addition(&key.client, key.clone());
        }
        drop(desk);
        self.changed.notify_all();
    }

    /// Waits for a record that is stored already.
    fn take_up(self: &Arc<Self>, key: &Key, ask: &Ask, entry: Entry) {
        let answer = answered(&entry);
        let never = |_: &_, _: &_| Ok(());
        let lookup = self.lookup();
        let solver = self.solver((&key.client, &lookup), &never, &Arc::default());
        let stored = solver.stored_before(entry, Instant::now() + LOOK);
        match stored {
            Ok(stored) => {
                self.desk().stored(key, answer);
                self.wait(key, stored);
            }
            Err(error) => {
                let answer = self.failed(ask, &error);
                self.finish(key, answer);
            }
        }
    }

    /// Finds the end of the alias, and decides whether this client may place a record there.
    fn look_at_alias(&self, ask: &Ask) -> Result<()> {
        let name = &ask.challenge.name;
        let place = self.lookup().place(name, self.parts.settings.follow_cname, Instant::now() + LOOK)?;
        Ok(policy::admit_record(&ask.grant, name, place.target(name))?)
    }

    /// The lane: makes each call when the request window has room for it.
    pub(super) fn make_calls(self: &Arc<Self>) {
        let mut tidied = Instant::now();
        while !self.is_stopping() {
            let next = self.desk().queue.next_is_removal();
            let Some(is_removal) = next else {
                if tidied.elapsed() >= TIDY {
                    self.tidy();
                    tidied = Instant::now();
                }
                self.wait_for_change(TIDY);
                continue;
            };
            let kind = if is_removal { CallKind::Removal } else { CallKind::Addition };
            let turn = self.parts.state.turn_in(kind, self.parts.settings.api_rate);
            if !turn.is_zero() {
                self.wait_for_change(turn.min(TURN));
                continue;
            }
            let work = self.desk().queue.pop();
            let client = match &work {
                Some(Next::Removal(key) | Next::Addition(key)) => key.client.clone(),
                None => continue,
            };
            let before = self.parts.requests.load(Ordering::Relaxed);
            match work {
                Some(Next::Removal(key)) => self.remove(&key),
                Some(Next::Addition(key)) => self.add(&key),
                None => {}
            }
            let calls = self.parts.requests.load(Ordering::Relaxed) - before;
            self.parts.state.usage(|usage, _| usage.daily.count_for(&client, calls));
        }
    }

    fn wait_for_change(&self, longest: Duration) {
        let desk = self.desk();
        drop(self.changed.wait_timeout(desk, longest));
    }

    fn add(self: &Arc<Self>, key: &Key) {
        let mut desk = self.desk();
        let Some(job) = desk.jobs.get_mut(key) else { return };
        job.step = Step::Adding;
        let (ask, cancelled) = (job.ask.clone(), Arc::clone(&job.cancelled));
        drop(desk);
        if let Err(refusal) = self.check_calls(&ask) {
            return self.finish(key, Answer::Refused(refusal));
        }
        // The alias may have changed while it queued.
        let grant = &ask.grant;
        let allowed = |challenge: &crate::challenge::Challenge, record: &crate::name::DnsName| {
            Ok(policy::admit_record(grant, &challenge.name, record)?)
        };
        let lookup = self.lookup();
        let solver = self.solver((&key.client, &lookup), &allowed, &cancelled);
        let policy = RetryPolicy::until(Instant::now() + CALL).with_tries(TRIES).reading_for(CallKind::Addition);
        match solver.store_records(&call(Action::Add, &ask.program, &key.challenge), &policy) {
            Ok(stored) => self.stored(key, &ask, stored),
            Err(failure) => {
                let error = Error::from(failure);
                self.note_outage(&error);
                self.drop_unsent(key);
                let answer = self.failed(&ask, &error);
                self.finish(key, answer);
            }
        }
    }

    fn stored(self: &Arc<Self>, key: &Key, ask: &Ask, stored: Stored) {
        self.is_unreachable.store(false, Ordering::Relaxed);
        let mut desk = self.desk();
        desk.failures.forget(&key.client, &key.challenge.name);
        let answer = stored.records().next().map_or(Answer::Pending, |(entry, changed)| Answer::Done {
            record: entry.record.clone(),
            domain: Some(entry.domain.clone()),
            changed,
        });
        let Some(job) = desk.jobs.get(key) else { return };
        if !job.is_awaited || job.cancelled.load(Ordering::Relaxed) {
            let answer = if job.cancelled.load(Ordering::Relaxed) { overtaken() } else { answer };
            desk.finish(key, answer);
        } else {
            desk.stored(key, answer);
            drop(desk);
            self.wait(key, stored);
        }
        if ask.program == ACME_DNS {
            self.make_room(key);
        }
    }

    /// An outage is told to all processes: what follows is tried once each half minute.
    fn note_outage(&self, error: &Error) {
        if error.find().is_some_and(ApiError::is_no_answer) && error.find::<Interrupted>().is_none() {
            self.is_unreachable.store(error.kind() == Kind::Unreachable, Ordering::Relaxed);
            self.parts.state.usage(|usage, now| usage.outage.give_up(now, now));
        }
    }

    /// A record that was never sent needs no entry: its client is told so.
    fn drop_unsent(&self, key: &Key) {
        let (account, challenge) = (self.parts.state.account(), &key.challenge);
        self.parts.state.journal(|journal, now| {
            if journal.was_never_sent(&challenge.name, &challenge.value, now) {
                journal.forget(account, challenge);
            }
        });
    }

    /// Looks whether an IPv64 that could not be reached can be again, which costs no call.
    pub(super) fn probe(self: &Arc<Self>) {
        let endpoint = self.parts.settings.api_url.clone();
        let mut probed = Instant::now();
        while !self.is_stopping() {
            std::thread::sleep(TICK);
            if probed.elapsed() < PROBE || !self.is_unreachable.load(Ordering::Relaxed) {
                continue;
            }
            probed = Instant::now();
            let addresses = look_up(endpoint.host(), endpoint.port(), PROBE).unwrap_or_default();
            if addresses.iter().any(|address| TcpStream::connect_timeout(address, PROBE).is_ok()) {
                self.is_unreachable.store(false, Ordering::Relaxed);
                self.parts.state.usage(|usage, _| usage.outage.end());
            }
        }
    }

    fn ask_of(&self, key: &Key) -> Option<(Ask, Goal)> {
        let desk = self.desk();
        let job = desk.jobs.get(key)?;
        Some((job.ask.clone(), if job.is_awaited { Goal::Ready } else { Goal::Stored }))
    }

    pub(super) fn finish(&self, key: &Key, answer: Answer) {
        self.desk().finish(key, answer);
    }
}

/// The answer for a record that the journal has.
fn answered(entry: &Entry) -> Answer {
    Answer::Done { record: entry.record.clone(), domain: Some(entry.domain.clone()), changed: false }
}
