//! What is under way, for all threads of the engine: one place behind one lock. Nobody sends or waits for anything while
//! holding it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tokio::sync::watch;

use super::calls::Calls;
use super::checks::Checks;
use super::job::{Answers, Job, Key, Step, Task, Ticket};
use super::memory::Failures;
use super::outage::away;
use super::queue::FairQueue;
use super::{Answer, Ask, Goal, SOON, interrupted};
use crate::dns::cname::Place;
use crate::error::Kind;
use crate::serve::grant::Grant;
use crate::serve::{Refusal, policy};

/// The most additions at once, and those of one client; as many removals.
const MOST_JOBS: usize = 4096;
const MOST_OF_CLIENT: usize = 256;
/// The most requests of one client that wait for an answer to either: each takes a connection.
const MOST_REQUESTS: usize = 2 * MOST_OF_CLIENT;

/// So often an addition gives up its turn where nobody answers when its alias is looked up again: all share the queries that a
/// name server may get, and a busy moment passes.
const MOST_RETURNS: u32 = 4;

/// Everything that is under way.
#[derive(Default)]
pub(super) struct Desk {
    jobs: HashMap<Key, Job>,
    removals: HashMap<Key, watch::Sender<Option<Answer>>>,
    pub(super) checks: Checks,
    pub(super) queue: FairQueue<Task>,
    pub(super) failures: Failures,
    /// How many additions have failed, by kind.
    pub(super) failed: BTreeMap<&'static str, u64>,
    /// The call under way has had no answer for too long.
    pub(super) is_away: bool,
    pub(super) calls: Calls,
    numbers: u64,
    is_closed: bool,
}

/// A place to hear from, and whether what is heard of ends because of a removal.
pub(super) struct Joined {
    pub(super) answers: watch::Receiver<Answers>,
    pub(super) is_ending: bool,
}

impl Desk {
    /// Begins an addition, or joins the one that is under way.
    pub(super) fn begin(&mut self, ask: &Ask, goal: Goal) -> Result<Joined, Answer> {
        let key = Key::of(ask);
        check_requests(&key.client, self.jobs.iter().map(|(key, job)| (key, job.answers.receiver_count())))?;
        if let Some(job) = self.jobs.get_mut(&key) {
            job.is_awaited |= goal == Goal::Ready;
            if let Some(record) = job.ask.found.lock().ok().and_then(|found| found.clone()) {
                ask.found(&record);
            }
            job.ask = ask.clone();
            let joined = Joined { answers: job.answers.subscribe(), is_ending: job.is_cancelled() };
            return if joined.is_ending && self.is_away { Err(away()) } else { Ok(joined) };
        }
        if self.is_away && self.removals.contains_key(&key) {
            return Err(away());
        }
        self.check_room(&key.client, self.jobs.keys())?;
        self.numbers += 1;
        let (number, (answers, receiver)) = (self.numbers, watch::channel(Answers::default()));
        let step = if self.removals.contains_key(&key) { Step::Parked } else { Step::Checking };
        let (is_awaited, cancelled) = (goal == Goal::Ready, Arc::default());
        let job = Job { ask: ask.clone(), step, is_awaited, cancelled, place: None, returns: 0, number, answers };
        self.jobs.insert(key.clone(), job);
        if step == Step::Checking {
            self.checks.push_addition(Ticket { key, number });
        }
        Ok(Joined { answers: receiver, is_ending: false })
    }

    /// Begins a removal, or joins the one that is under way. An addition that has not left is not sent any more, and one that is
    /// waited for is not waited for any longer.
    pub(super) fn begin_removal(&mut self, ask: &Ask) -> Result<watch::Receiver<Option<Answer>>, Answer> {
        let key = Key::of(ask);
        if let Some(job) = self.jobs.get(&key) {
            job.cancelled.store(true, Ordering::Relaxed);
            self.withdraw(&key, interrupted());
        }
        check_requests(&key.client, self.removals.iter().map(|(key, answer)| (key, answer.receiver_count())))?;
        if let Some(answer) = self.removals.get(&key) {
            return Ok(answer.subscribe());
        }
        self.check_room(&key.client, self.removals.keys())?;
        let (answer, receiver) = watch::channel(None);
        self.removals.insert(key.clone(), answer);
        self.checks.push_removal(key);
        Ok(receiver)
    }

    /// Returns the job of a ticket, unless it has ended.
    pub(super) fn job(&mut self, ticket: &Ticket) -> Option<&mut Job> {
        self.jobs.get_mut(&ticket.key).filter(|job| job.number == ticket.number)
    }

    /// Lets a job take its next step, unless it has ended; tells what it is about.
    pub(super) fn step(&mut self, ticket: &Ticket, step: Step) -> Option<(Ask, Arc<AtomicBool>)> {
        let job = self.job(ticket)?;
        job.step = step;
        Some((job.ask.clone(), Arc::clone(&job.cancelled)))
    }

    /// Tells that IPv64 has stored the record of a job.
    pub(super) fn stored(&mut self, ticket: &Ticket, answer: Answer) {
        if let Some(job) = self.job(ticket) {
            job.answers.send_modify(|answers| answers.stored = Some(answer));
        }
    }

    /// Ends a job with an answer for all who still wait.
    pub(super) fn finish(&mut self, ticket: &Ticket, answer: Answer) {
        if self.job(ticket).is_some() {
            if matches!(answer, Answer::Done { .. }) {
                self.failures.forget(&ticket.key.client, &ticket.key.challenge.name);
            }
            self.end(&ticket.key, answer);
        }
    }

    fn end(&mut self, key: &Key, answer: Answer) {
        if let Some(job) = self.jobs.remove(key) {
            let answer = if job.is_cancelled() { interrupted() } else { answer };
            job.answers.send_modify(|answers| {
                answers.stored.get_or_insert_with(|| answer.clone());
                answers.ended = Some(answer);
            });
        }
    }

    /// Ends an addition that has not left.
    fn withdraw(&mut self, key: &Key, answer: Answer) {
        let Some(job) = self.jobs.get(key).filter(|job| !job.is_on_its_way()) else { return };
        let ticket = Ticket { key: key.clone(), number: job.number };
        self.checks.withdraw(&ticket);
        self.queue.withdraw(&key.client, &Task::Add(ticket));
        self.end(key, answer);
    }

    /// Puts other grants in force: an addition that has not left ends if whoever has asked for it last may not do that any more.
    pub(super) fn regrant(&mut self, again: impl Fn(&Ask) -> Option<Arc<Grant>>) {
        let keys: Vec<_> = self.jobs.keys().cloned().collect();
        for key in keys {
            let Some(job) = self.jobs.get_mut(&key) else { continue };
            let grant = again(&job.ask).ok_or(Refusal::UnknownClient);
            let admitted = grant.and_then(|grant| {
                policy::admit_address(&grant, job.ask.peer)?;
                policy::admit_name(&grant, &key.challenge.name)?;
                Ok(grant)
            });
            match admitted {
                Ok(grant) => job.ask.grant = grant,
                Err(refusal) => self.withdraw(&key, Answer::Refused(refusal)),
            }
        }
    }

    /// Ends a removal, and lets the addition go on that has waited for its end.
    pub(super) fn removed(&mut self, key: &Key, answer: Answer) {
        if let Some(waiting) = self.removals.remove(key) {
            waiting.send_replace(Some(answer));
        }
        if let Some(job) = self.jobs.get_mut(key).filter(|job| job.step == Step::Parked) {
            job.step = Step::Checking;
            let ticket = Ticket { key: key.clone(), number: job.number };
            self.checks.push_addition(ticket);
        }
    }

    /// Returns how many additions and removals wait for a check or a call.
    pub(super) fn waiting(&self) -> usize {
        self.checks.len() + self.queue.len()
    }

    pub(super) fn is_adding(&self, key: &Key) -> bool {
        self.jobs.get(key).is_some_and(Job::is_on_its_way)
    }

    /// Lets a job queue whose place is found, unless a removal has overtaken it meanwhile.
    pub(super) fn queue_up(&mut self, ticket: &Ticket, place: (Instant, Place)) {
        if self.is_away {
            return self.finish(ticket, away());
        }
        if let Some(job) = self.job(ticket) {
            (job.step, job.place) = (Step::Queued, Some(place));
            self.queue.push(&ticket.key.client, Task::Add(ticket.clone()));
        }
    }

    /// Takes the place that was found for a job, and when.
    pub(super) fn take_place(&mut self, ticket: &Ticket) -> Option<(Instant, Place)> {
        self.job(ticket)?.place.take()
    }

    /// Lets a job queue once more, if it may.
    pub(super) fn queue_again(&mut self, ticket: &Ticket) -> bool {
        let Some(job) = self.job(ticket).filter(|job| job.returns < MOST_RETURNS && !job.is_cancelled()) else {
            return false;
        };
        (job.returns, job.step) = (job.returns + 1, Step::Queued);
        self.queue.push(&ticket.key.client, Task::Add(ticket.clone()));
        true
    }

    /// Ends all additions that have not begun: IPv64 does not answer.
    pub(super) fn dismiss_queued(&mut self) {
        self.queue.take_others();
        let is_over = |job: &Job| matches!(job.step, Step::Queued | Step::Parked);
        let keys: Vec<_> = self.jobs.iter().filter(|(_, job)| is_over(job)).map(|(key, _)| key.clone()).collect();
        for key in keys {
            *self.failed.entry(Kind::Unavailable.as_str()).or_default() += 1;
            self.end(&key, away());
        }
    }

    /// Answers all who wait for a call while the one under way has no answer; that one goes on.
    pub(super) fn turn_away(&mut self) {
        self.is_away = true;
        self.dismiss_queued();
        for job in self.jobs.values().filter(|job| job.step == Step::Adding) {
            job.answers.send_modify(|answers| answers.meanwhile = Some(away()));
        }
    }

    /// Lets those who ask wait again for the call under way.
    pub(super) fn be_back(&mut self) {
        if std::mem::take(&mut self.is_away) {
            self.jobs.values().for_each(|job| job.answers.send_modify(|answers| answers.meanwhile = None));
        }
    }

    /// Returns the records whose removal somebody waits for.
    pub(super) fn awaited_removals(&self) -> Vec<Key> {
        self.removals.keys().cloned().collect()
    }

    /// Tells those who wait for a removal that it is finished later.
    pub(super) fn postponed(&self, key: &Key, answer: Answer) {
        if let Some(waiting) = self.removals.get(key) {
            waiting.send_replace(Some(answer));
        }
    }

    /// Ends everything, and takes nothing more.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
        let keys: Vec<_> = self.jobs.keys().cloned().collect();
        for key in keys {
            if let Some(job) = self.jobs.get(&key) {
                job.cancelled.store(true, Ordering::Relaxed);
            }
            self.end(&key, interrupted());
        }
        let keys: Vec<_> = self.removals.keys().cloned().collect();
        keys.iter().for_each(|key| self.removed(key, interrupted()));
    }

    /// Makes sure that there is room for one more of a kind: a client that adds too much can still remove.
    fn check_room<'a>(&self, client: &str, all: impl ExactSizeIterator<Item = &'a Key> + Clone) -> Result<(), Answer> {
        if self.is_closed {
            return Err(interrupted());
        }
        let of_client = all.clone().filter(|key| key.client == client).count();
        if all.len() >= MOST_JOBS || of_client >= MOST_OF_CLIENT {
            return Err(Answer::Failed { kind: Kind::BrokerBusy, retry_after: SOON });
        }
        Ok(())
    }
}

/// Makes sure that a client does not have all the connections.
fn check_requests<'a>(client: &str, all: impl Iterator<Item = (&'a Key, usize)>) -> Result<(), Answer> {
    let own: usize = all.filter(|(key, _)| key.client == client).map(|(_, requests)| requests).sum();
    if own < MOST_REQUESTS { Ok(()) } else { Err(Answer::Failed { kind: Kind::BrokerBusy, retry_after: SOON }) }
}

#[cfg(test)]
mod tests;
