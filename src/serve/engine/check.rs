//! What is decided before anything is sent: whether an addition is in the journal already or has failed a moment ago, and
//! whether its client may place a record where the alias ends. None of this costs a call.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::checks::Check;
use super::job::{Key, Task, Ticket};
use super::{Answer, Ask, Engine, Goal, SOON};
use crate::api::ApiError;
use crate::dns::cname::{Place, PlaceError};
use crate::error::{Error, Result};
use crate::serve::{Refusal, policy};
use crate::state::{CallKind, Entry, LimitError, Progress};
use crate::time::{Interrupted, SystemClock};

/// How long the end of an alias may be looked for: whoever waits has half a minute.
const PLACE: Duration = Duration::from_secs(10);
/// Who would wait longer than this for a turn is told so.
const LONGEST_TURN: Duration = Duration::from_secs(30);

impl Engine {
    /// A thread that checks.
    pub(super) fn run_checks(self: &Arc<Self>) {
        let mut desk = self.desk();
        while !self.is_stopping() {
            let Some(check) = desk.checks.next() else {
                desk = self.changed.wait(desk).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(desk);
            match &check {
                Check::Addition(ticket) => self.check_addition(ticket),
                Check::Removal(key) => self.check_removal(key),
            }
            desk = self.desk();
            desk.checks.ended(&check);
            self.changed.notify_all();
        }
    }

    /// Answers an addition from the journal or from memory, refuses it, or lets it queue.
    fn check_addition(self: &Arc<Self>, ticket: &Ticket) {
        let Some((ask, goal)) = self.asked(ticket) else { return };
        let entry =
            self.journalled(&ticket.key.client, &ask.challenge).into_iter().rfind(|one| !one.is_being_removed());
        let is_done = |progress: &Progress| match progress {
            Progress::Ready { .. } => true,
            Progress::Confirmed => goal == Goal::Stored,
            _ => false,
        };
        if let Some(entry) = entry.as_ref().filter(|entry| is_done(&entry.progress)) {
            return self.finish(ticket, done(entry, false));
        }
        let recalled = self.desk().failures.recall(&ticket.key.client, &ask.challenge.name, Instant::now());
        if let Some((kind, retry_after)) = recalled {
            return self.finish(ticket, Answer::Failed { kind, retry_after });
        }
        if let Some(entry) = entry.filter(|entry| entry.progress == Progress::Confirmed) {
            return self.take_up(ticket, &ask, entry);
        }
        match self.check_limits(&ask).and_then(|_| self.find_place(&ask)) {
            Ok(place) => self.desk().queue_up(ticket, (Instant::now(), place)),
            Err(error) => self.finish(ticket, self.failure(&ask, &error)),
        }
    }

    fn asked(&self, ticket: &Ticket) -> Option<(Ask, Goal)> {
        let mut desk = self.desk();
        let job = desk.job(ticket)?;
        Some((job.ask.clone(), if job.is_awaited { Goal::Ready } else { Goal::Stored }))
    }

    pub(super) fn finish(&self, ticket: &Ticket, answer: Answer) {
        self.desk().finish(ticket, answer);
    }

    /// Waits for a record that is stored already, as after a restart.
    fn take_up(self: &Arc<Self>, ticket: &Ticket, ask: &Ask, entry: Entry) {
        ask.found(&entry.record);
        let (answer, lookup) = (done(&entry, false), self.lookup());
        match self.solver(&lookup, None, &Arc::default()).stored_before(entry, Instant::now() + PLACE) {
            Ok(stored) => {
                self.desk().stored(ticket, answer);
                self.wait(ticket, stored);
            }
            Err(error) => self.finish(ticket, self.failure(ask, &error)),
        }
    }

    /// Makes sure that a call could leave soon, that one more is worth a try, and that the client may cause it. Returns how many
    /// calls it may cause now.
    pub(super) fn check_limits(&self, ask: &Ask) -> Result<u32> {
        self.check_reach()?;
        let rate = self.parts.settings.api_rate;
        let soonest = self.parts.state.turn_in(CallKind::Addition, rate);
        if soonest > LONGEST_TURN {
            return Err(LimitError::TooLate { soonest, rate }.into());
        }
        Ok(self.check_calls(ask)?)
    }

    /// Returns how many calls are left for the addition of one more record today: its removal counts, and those of its others.
    fn check_calls(&self, ask: &Ask) -> Result<u32, Refusal> {
        let Some(limit) = ask.grant.calls_per_day else { return Ok(u32::MAX) };
        let client = ask.grant.client.as_str();
        let used = self.parts.state.usage(|usage, _| usage.daily.calls_of(client));
        let owed = self.parts.state.journal(|journal, _| {
            let is_other =
                |entry: &&Entry| entry.owner.as_deref() == Some(client) && entry.challenge() != ask.challenge;
            journal.entries().iter().filter(is_other).count() as u64
        });
        let others = u32::try_from(used + owed + 1).unwrap_or(u32::MAX);
        limit.checked_sub(others).filter(|left| *left > 0).ok_or(Refusal::CallsUsedUp)
    }

    /// Finds the end of the alias, and decides whether this client may place a record there.
    fn find_place(&self, ask: &Ask) -> Result<Place> {
        let name = &ask.challenge.name;
        let place = self.lookup().place(name, self.parts.settings.follow_cname, Instant::now() + PLACE)?;
        let record = place.target(name);
        ask.found(record);
        policy::admit_record(&ask.grant, name, record)?;
        Ok(place)
    }

    /// What a client is told of an error, and what is remembered of it. What passes for all at once is not.
    pub(super) fn failure(&self, ask: &Ask, error: &Error) -> Answer {
        let mut desk = self.desk();
        if let Some(refusal) = error.find::<Refusal>() {
            return Answer::Refused(*refusal);
        }
        let kind = error.kind();
        *desk.failed.entry(kind.as_str()).or_default() += 1;
        let is_passing = error.find::<Interrupted>().is_some()
            || error.find().is_some_and(PlaceError::is_passing)
            || error.find().is_some_and(ApiError::is_transient);
        let retry_after = match limit_of(error) {
            Some(limit) => self.until_next(limit),
            None if is_passing => SOON,
            None => desk.failures.note(&ask.grant.client, &ask.challenge.name, kind, Instant::now()),
        };
        Answer::Failed { kind, retry_after }
    }

    fn until_next(&self, limit: &LimitError) -> Duration {
        match limit {
            LimitError::TooLate { soonest, .. } => *soonest,
            LimitError::UsedUp { reset: next }
            | LimitError::Reserved { reset: next, .. }
            | LimitError::Refused { next, .. }
            | LimitError::Down { next, .. } => self.parts.state.until(*next),
            LimitError::Interrupted(_) => SOON,
        }
    }

    /// Answers a removal of what this client has not added, or lets it queue.
    fn check_removal(&self, key: &Key) {
        // Before the journal is read, which has the record of an addition that ends meanwhile.
        let was_adding = self.desk().is_adding(key);
        let entries = self.journalled(&key.client, &key.challenge);
        let now = SystemClock::now();
        let mut desk = self.desk();
        if !was_adding && entries.iter().all(|entry| entry.rests(now)) {
            // None, or one that has failed a moment ago, and is finished later.
            let postponed = entries.last().map(|entry| Answer::Postponed { record: entry.record.clone() });
            return desk.removed(key, postponed.unwrap_or_else(|| nothing(key)));
        }
        desk.queue.push_urgent(Task::Remove(key.clone()));
        let is_away = desk.is_away;
        drop(desk);
        if is_away {
            self.postpone(key);
        }
    }
}

/// The limit that kept a request from leaving, if it was one.
fn limit_of(error: &Error) -> Option<&LimitError> {
    match error.find().map(ApiError::cause) {
        Some(ApiError::NoPermit(limit)) => Some(limit),
        _ => error.find(),
    }
}

/// The answer for a record that this client has not added.
pub(super) fn nothing(key: &Key) -> Answer {
    Answer::Done { record: key.challenge.name.clone(), domain: None, changed: false }
}

/// The answer for a record of the journal.
pub(super) fn done(entry: &Entry, changed: bool) -> Answer {
    Answer::Done { record: entry.record.clone(), domain: Some(entry.domain.clone()), changed }
}
