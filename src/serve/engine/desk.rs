//! What is under way, for all threads of the engine: one place behind one lock. Nobody sends or waits for anything while
//! holding it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

use super::memory::Failures;
use super::queue::FairQueue;
use super::{Answer, Ask, Engine, Goal, SOON, stopped};
use crate::challenge::Challenge;
use crate::error::Kind;

/// The most additions and removals at once, and those of one client.
const MOST_JOBS: usize = 4096;
const MOST_OF_CLIENT: usize = 256;

/// One record of one client.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) client: String,
    pub(super) challenge: Challenge,
}

/// How far an addition has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Looking,
    Queued,
    Adding,
    Waiting,
}

/// What those who wait for an addition are told.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    stored: Option<Answer>,
    ready: Option<Answer>,
}

impl Told {
    pub(super) const fn of(&self, goal: Goal) -> Option<&Answer> {
        match goal {
            Goal::Stored => self.stored.as_ref(),
            Goal::Ready => self.ready.as_ref(),
        }
    }
}

/// An addition that is under way.
pub(super) struct Job {
    pub(super) ask: Ask,
    pub(super) step: Step,
    /// Whether somebody waits for the name servers.
    pub(super) is_awaited: bool,
    /// Set when a removal overtakes it.
    pub(super) cancelled: Arc<AtomicBool>,
    told: watch::Sender<Told>,
}

/// What a thread that looks things up does next.
pub(super) enum Look {
    Addition(Key),
    Removal(Key),
}

/// Everything that is under way.
#[derive(Default)]
pub(super) struct Desk {
    pub(super) jobs: HashMap<Key, Job>,
    pub(super) removals: HashMap<Key, watch::Sender<Option<Answer>>>,
    pub(super) looks: VecDeque<Look>,
    pub(super) queue: FairQueue<Key>,
    pub(super) failures: Failures,
    /// How many additions have failed, by kind.
    pub(super) failed: BTreeMap<&'static str, u64>,
    is_closed: bool,
}

impl Key {
    pub(super) fn of(ask: &Ask) -> Self {
        Self { client: ask.grant.client.clone(), challenge: ask.challenge.clone() }
    }
}

impl Desk {
    /// Tells that IPv64 has stored the record of a job.
    pub(super) fn stored(&self, key: &Key, answer: Answer) {
        if let Some(job) = self.jobs.get(key) {
            job.told.send_modify(|told| told.stored = Some(answer));
        }
    }

    /// Ends a job with an answer for all who still wait.
    pub(super) fn finish(&mut self, key: &Key, answer: Answer) {
        if let Some(job) = self.jobs.remove(key) {
            job.told.send_modify(|told| {
                told.stored.get_or_insert_with(|| answer.clone());
                told.ready = Some(answer);
            });
        }
    }

    /// Ends a removal.
    pub(super) fn removed(&mut self, key: &Key, answer: Answer) {
        if let Some(told) = self.removals.remove(key) {
            told.send_replace(Some(answer));
        }
    }

    /// Ends everything, and takes nothing more.
    pub(super) fn dismiss(&mut self, answer: &Answer) {
        self.is_closed = true;
        let keys: Vec<_> = self.jobs.keys().cloned().collect();
        for key in keys {
            if let Some(job) = self.jobs.get(&key) {
                job.cancelled.store(true, Ordering::Relaxed);
            }
            self.finish(&key, answer.clone());
        }
        let keys: Vec<_> = self.removals.keys().cloned().collect();
        keys.iter().for_each(|key| self.removed(key, answer.clone()));
    }

    /// Makes sure that there is room for one more.
    fn check_room(&self, client: &str) -> Result<(), Answer> {
        if self.is_closed {
            return Err(stopped());
        }
        let all = self.jobs.len() + self.removals.len();
        let of_client = || self.jobs.keys().chain(self.removals.keys()).filter(|key| key.client == client).count();
        if all >= MOST_JOBS || of_client() >= MOST_OF_CLIENT {
            return Err(Answer::Failed { kind: Kind::BrokerUnusable, retry_after: SOON });
        }
        Ok(())
    }
}

impl Engine {
    /// Begins an addition, or joins the one that is under way.
    pub(super) fn begin(&self, ask: Ask, goal: Goal) -> Result<watch::Receiver<Told>, Answer> {
        let key = Key::of(&ask);
        let mut desk = self.desk();
        if let Some(job) = desk.jobs.get_mut(&key) {
            job.is_awaited |= goal == Goal::Ready;
            return Ok(job.told.subscribe());
        }
        desk.check_room(&key.client)?;
        let (told, receiver) = watch::channel(Told::default());
        let (is_awaited, cancelled) = (goal == Goal::Ready, Arc::default());
        desk.jobs.insert(key.clone(), Job { ask, step: Step::Looking, is_awaited, cancelled, told });
        desk.looks.push_back(Look::Addition(key));
        drop(desk);
        self.changed.notify_all();
        Ok(receiver)
    }

    /// Begins a removal, or joins the one that is under way. An addition that has not left is not sent any more, and one that is
    /// waited for is not waited for any longer.
    pub(super) fn begin_removal(&self, ask: &Ask) -> Result<watch::Receiver<Option<Answer>>, Answer> {
        let key = Key::of(ask);
        let mut desk = self.desk();
        if let Some(told) = desk.removals.get(&key) {
            return Ok(told.subscribe());
        }
        desk.check_room(&key.client)?;
        if let Some(job) = desk.jobs.get(&key) {
            job.cancelled.store(true, Ordering::Relaxed);
            if matches!(job.step, Step::Looking | Step::Queued) {
                desk.queue.withdraw(&key.client, &key);
                desk.finish(&key, overtaken());
            }
        }
        let (told, receiver) = watch::channel(None);
        desk.removals.insert(key.clone(), told);
        desk.looks.push_back(Look::Removal(key));
        drop(desk);
        self.changed.notify_all();
        Ok(receiver)
    }
}

/// What an addition is answered whose removal was asked for meanwhile.
pub(super) const fn overtaken() -> Answer {
    Answer::Failed { kind: Kind::Interrupted, retry_after: SOON }
}
