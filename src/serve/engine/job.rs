//! What is under way, piece by piece: records of clients, additions and how far they have come, and what is done next for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tokio::sync::watch;

use super::{Answer, Ask, Goal};
use crate::challenge::Challenge;
use crate::dns::cname::Place;
use crate::state::Entry;

/// One record of one client.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) client: String,
    pub(super) challenge: Challenge,
}

/// One addition: the same record may be added again after its removal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) key: Key,
    pub(super) number: u64,
}

/// How far an addition has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// An equal record is being removed.
    Parked,
    Checking,
    Queued,
    Adding,
    Waiting,
}

/// The answers for those who wait for an addition.
#[derive(Debug, Clone, Default)]
pub(super) struct Answers {
    pub(super) stored: Option<Answer>,
    pub(super) ended: Option<Answer>,
    /// While its call goes on without an answer of IPv64.
    pub(super) meanwhile: Option<Answer>,
}

impl Answers {
    pub(super) fn of(&self, goal: Goal) -> Option<&Answer> {
        let answer = match goal {
            Goal::Stored => self.stored.as_ref(),
            Goal::Ready => self.ended.as_ref(),
        };
        answer.or(self.meanwhile.as_ref())
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
    /// Where its record belongs, and when that was found.
    pub(super) place: Option<(Instant, Place)>,
    /// How often it went back into the queue, since its alias could not be looked up again.
    pub(super) returns: u32,
    pub(super) number: u64,
    pub(super) answers: watch::Sender<Answers>,
}

impl Job {
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    pub(super) fn is_on_its_way(&self) -> bool {
        matches!(self.step, Step::Adding | Step::Waiting)
    }
}

/// What the lane does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Task {
    Add(Ticket),
    /// A client has asked for it.
    Remove(Key),
    /// Nobody asks, or nobody asks any more.
    Clear(Entry),
}

impl Key {
    pub(super) fn of(ask: &Ask) -> Self {
        Self { client: ask.grant.client.clone(), challenge: ask.challenge.clone() }
    }
}
