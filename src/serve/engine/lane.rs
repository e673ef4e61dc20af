//! The lane: every call to IPv64, one after the other. A task is taken from the queue when the request window lets a call out, so
//! that removals go first and clients take turns at the moment of sending.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::check::done;
use super::job::{Step, Task, Ticket};
use super::solving::addition;
use super::{ACME_DNS, Answer, Ask, Engine};
use crate::api::{CallKind, RetryPolicy};
use crate::challenge::Challenge;
use crate::dns::cname::PlaceError;
use crate::error::Error;
use crate::name::DnsName;
use crate::serve::policy;
use crate::solver::{Owner, Stored};

/// How long a call may take, all of its tries included.
const CALL: Duration = Duration::from_secs(20);
/// How often a call is tried. The next try is the client's: five would keep everybody else waiting.
const TRIES: u32 = 2;
/// The pause between the two: short, since everybody is to hear of an outage within a second.
const PAUSE: Duration = Duration::from_millis(400);
/// How long the end of an alias may be looked for once more, while everybody waits.
const PLACE_AGAIN: Duration = Duration::from_secs(3);
/// How long the lane waits for its turn before it asks again what is most urgent.
const TURN: Duration = Duration::from_millis(500);
/// How often the lane looks for records that are to go although nobody asks for it.
const TIDY: Duration = Duration::from_secs(5);

impl Engine {
    /// Makes each call when the request window has room for it.
    pub(super) fn make_calls(self: &Arc<Self>) {
        let mut tidied = Instant::now();
        loop {
            if tidied.elapsed() >= TIDY {
                self.tidy();
                self.read_usage();
                tidied = Instant::now();
            }
            let desk = self.desk();
            if self.is_stopping() {
                return;
            }
            let Some(is_urgent) = desk.queue.next_is_urgent() else {
                drop(self.changed.wait_timeout(desk, TIDY));
                continue;
            };
            drop(desk);
            let turn = self.turn_in(if is_urgent { CallKind::Removal } else { CallKind::Addition });
            if !turn.is_zero() {
                drop(self.changed.wait_timeout(self.desk(), turn.min(TURN)));
                continue;
            }
            let task = self.desk().queue.pop(|_| true);
            if let Some(task) = task {
                self.carry_out(&task);
            }
        }
    }

    /// How long a call would wait now. One that may not leave at all waits for nothing.
    fn turn_in(&self, kind: CallKind) -> Duration {
        let state = &self.parts.state;
        let is_barred = state.usage(|usage, now| usage.check(now).is_err());
        if is_barred { Duration::ZERO } else { state.turn_in(kind, self.parts.settings.api_rate) }
    }

    /// Carries out a task, and counts its calls for its client.
    fn carry_out(self: &Arc<Self>, task: &Task) {
        let before = self.parts.traffic.passed();
        let client = match task {
            Task::Add(ticket) => {
                self.add(ticket);
                Some(&ticket.key.client)
            }
            Task::Remove(key) => {
                self.remove(key);
                Some(&key.client)
            }
            Task::Clear(entry) => {
                self.clear(entry);
                entry.owner.as_ref()
            }
        };
        let calls = self.parts.traffic.passed().saturating_sub(before);
        if let Some(client) = client.filter(|_| calls > 0) {
            self.parts.state.usage(|usage, _| usage.daily.count_for(client, calls));
        }
        self.read_usage();
        self.changed.notify_all();
    }

    /// How a call is tried for which so many are left.
    pub(super) fn call_policy(&self, left: u32) -> RetryPolicy {
        let tries = if self.is_on_probation() { 1 } else { TRIES };
        let policy =
            RetryPolicy::until(Instant::now() + CALL).with_tries(tries.min(left)).reading_for(CallKind::Addition);
        RetryPolicy { longest_pause: PAUSE, ..policy }
    }

    fn add(self: &Arc<Self>, ticket: &Ticket) {
        let taken = self.desk().step(ticket, Step::Adding);
        let Some((ask, cancelled)) = taken else { return };
        let policy = match self.check_limits(&ask) {
            Ok(left) => self.call_policy(left),
            Err(error) => return self.finish(ticket, self.failure(&ask, &error)),
        };
        // The alias may have changed while it queued: a place that was found a while ago is looked up again.
        let allowed = |challenge: &Challenge, record: &DnsName| {
            ask.found(record);
            Ok(policy::admit_record(&ask.grant, &challenge.name, record)?)
        };
        let place = self.desk().take_place(ticket);
        let owner = Owner { name: &ticket.key.client, allowed: &allowed, patience: PLACE_AGAIN, place };
        let lookup = self.lookup();
        let solver = self.solver(&lookup, Some(&owner), &cancelled);
        let stored = self.try_out(Some(&ticket.key), || solver.store_records(&addition(&ask), &policy));
        match stored {
            Ok(stored) => self.stored(ticket, &ask, stored),
            Err(failure) => {
                let error = Error::from(failure);
                if error.find().is_some_and(PlaceError::is_passing) && self.desk().queue_again(ticket) {
                    return;
                }
                self.note_outage(&error);
                self.drop_unsent(&ask.challenge);
                self.finish(ticket, self.failure(&ask, &error));
            }
        }
    }

    fn stored(self: &Arc<Self>, ticket: &Ticket, ask: &Ask, stored: Stored) {
        stored.records().filter(|(_, is_new)| !is_new).for_each(|(entry, _)| self.disown(entry));
        let answer = stored.records().next().map_or(Answer::Pending, |(entry, is_new)| done(entry, is_new));
        let mut desk = self.desk();
        match desk.job(ticket).map(|job| job.is_awaited && !job.is_cancelled()) {
            Some(true) => {
                desk.stored(ticket, answer);
                drop(desk);
                self.wait(ticket, stored);
            }
            _ => {
                desk.finish(ticket, answer);
                drop(desk);
            }
        }
        if ask.program == ACME_DNS {
            self.make_room(&ticket.key);
        }
    }

    /// A record that was never sent needs no entry: its client is told so.
    fn drop_unsent(&self, challenge: &Challenge) {
        let account = self.parts.state.account();
        self.parts.state.journal(|journal, now| {
            if journal.was_never_sent(&challenge.name, &challenge.value, now) {
                journal.forget(account, challenge);
            }
        });
    }
}
