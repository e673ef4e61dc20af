//! IPv64 does not answer: who asks is told so at once, one call in half a minute tries whether it does again, and where no
//! connection came about, one without a request tells that sooner.
//!
//! A slow answer is no outage. A call counts as unanswered within a second where one of its tries has failed, where there is an
//! outage already, or where a connection beside it does not come about; otherwise after five. Then all who wait for a call are
//! told, the one whose call it is too. The call goes on: the journal has its record, and a removal that is asked for meanwhile is
//! noted, answered, and made when the call has ended.

use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::job::Key;
use super::{Answer, Engine, SOON, TICK};
use crate::api::ApiError;
use crate::error::{Error, Kind};
use crate::http::accepts;
use crate::limiter::Silence;
use crate::state::{Entry, LimitError};
use crate::time::Timestamp;

/// After so long without an answer a failed try, or an outage that is known, counts.
const DOUBT: Duration = Duration::from_millis(800);
/// After so long without an answer IPv64 counts as away, although it accepts connections.
const SLOW: Duration = Duration::from_secs(5);
/// After so long without an answer a probe goes beside a call, and how long that one may take.
const BESIDE: Duration = Duration::from_millis(250);
const CONNECT_BESIDE: Duration = Duration::from_millis(500);
/// Between two probes.
const PROBE: Duration = Duration::from_secs(2);
/// How long any other probe may take.
const CONNECT: Duration = Duration::from_secs(1);
/// A probe that has said "reachable" in this time before a call that was not answered is not believed again.
const DISBELIEVED: Duration = Duration::from_secs(60);

/// Whether IPv64 can be reached, as far as this process knows.
#[derive(Debug, Default)]
pub(super) struct Reach {
    /// The last call met nobody, and a probe can tell that this has changed.
    is_unreachable: bool,
    /// When a probe last ended an outage, and since when that one was.
    probed: Option<(Instant, Timestamp)>,
    /// The last request of the last call got no answer, also where its last try could not leave in time.
    was_silent: bool,
    /// The call that is under way.
    attempt: Option<Attempt>,
    /// A call was answered beside which no connection came about: they take longer here.
    is_far: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Attempt {
    /// It tries whether an outage has ended.
    is_retry: bool,
    /// Whether IPv64 accepts connections was looked at, and it was too late for that.
    is_probed: bool,
    was_late: bool,
}

/// What is done about a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Wait,
    /// Look whether a connection comes about in this time.
    Probe(Duration),
    /// Tell those who wait.
    Tell,
}

impl Attempt {
    /// Decides about a call that has had no answer for so long. Where connections are known to take long, a probe may too.
    fn next(self, silent: Duration, has_failed: bool, is_far: bool) -> Next {
        let is_doubtful = has_failed || self.is_retry;
        let (begin, patience) = if is_far { (DOUBT, CONNECT) } else { (BESIDE, CONNECT_BESIDE) };
        if silent >= if is_doubtful { DOUBT } else { SLOW } {
            Next::Tell
        } else if silent >= begin && !is_doubtful && !self.is_probed {
            Next::Probe(patience)
        } else {
            Next::Wait
        }
    }
}

impl Engine {
    fn reach(&self) -> MutexGuard<'_, Reach> {
        self.reach.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn down_since(&self) -> Option<Timestamp> {
        self.parts.state.usage(|usage, now| usage.outage.down_since(now))
    }

    /// Makes sure that the day has calls left, and that IPv64 answers as far as is known. What a call tells that has just left
    /// is waited for.
    ///
    /// # Errors
    /// [`LimitError`]
    pub(super) fn check_reach(&self) -> Result<(), LimitError> {
        let is_away = self.desk().is_away;
        let is_trying = self.reach().attempt.is_some();
        self.parts.state.usage(|usage, now| match usage.check(now) {
            Err(LimitError::Down { .. }) if is_trying && !is_away => Ok(()),
            Ok(()) if is_away => Err(LimitError::Down { since: now, next: now + SOON }),
            checked => checked,
        })
    }

    /// Whether the next call that fails has shown a probe to be wrong: it is the only try, as in an outage.
    pub(super) fn is_on_probation(&self) -> bool {
        self.reach().probed.is_some_and(|(at, _)| at.elapsed() < DISBELIEVED)
    }

    /// Makes a call, has it watched, and counts its requests for the record that somebody asks for.
    pub(super) fn try_out<T>(&self, asked: Option<&Key>, call: impl FnOnce() -> T) -> T {
        let attempt = Attempt { is_retry: self.down_since().is_some(), ..Attempt::default() };
        let before = self.parts.traffic.passed();
        let mut desk = self.desk();
        desk.calls.begin(asked, before);
        self.reach().attempt = Some(attempt);
        drop(desk);
        self.changed.notify_all();
        let done = call();
        let requests = self.parts.traffic.passed();
        let was_silent = self.parts.traffic.settle().is_some();
        let is_answered = !was_silent && requests > before;
        let mut desk = self.desk();
        let mut reach = self.reach();
        reach.is_far |= is_answered && reach.attempt.is_some_and(|attempt| attempt.was_late);
        (reach.attempt, reach.was_silent) = (None, was_silent);
        reach.probed = reach.probed.filter(|_| !is_answered);
        drop(reach);
        desk.calls.end(requests);
        desk.be_back();
        done
    }

    /// Notes that a call got no answer: it was tried often enough for all. Who still waits for one is told so.
    pub(super) fn note_outage(&self, error: &Error) {
        let is_probation = self.is_on_probation();
        let mut reach = self.reach();
        if !reach.was_silent || self.is_stopping() {
            return;
        }
        let is_unreached = error.find().is_some_and(ApiError::is_unreached);
        let can_be_probed = is_unreached && matches!(error.kind(), Kind::Unreachable | Kind::TimedOut);
        reach.is_unreachable = can_be_probed && !is_probation;
        let known = reach.probed.filter(|_| is_probation).map(|(_, since)| since);
        drop(reach);
        self.parts.state.usage(|usage, now| usage.outage.give_up(known.unwrap_or(now), now));
        self.read_usage();
        self.desk().dismiss_queued();
        self.changed.notify_all();
    }

    /// Takes up an outage from before: an earlier run, or another process, may have got no answer. Takes a second at most.
    pub(super) fn resume_outage(&self) {
        let is_unreachable = self.down_since().is_some() && self.accepts(CONNECT) == Some(false);
        self.reach().is_unreachable = is_unreachable;
    }

    /// Watches the call under way, and looks whether an IPv64 that could not be reached can be again.
    pub(super) fn watch(self: &Arc<Self>) {
        let mut due = Instant::now();
        loop {
            let desk = self.desk();
            if self.is_stopping() {
                return;
            }
            let Reach { is_unreachable, attempt, .. } = *self.reach();
            let is_calling = attempt.is_some();
            if is_calling {
                drop(self.changed.wait_timeout(desk, TICK / 2));
                self.watch_call();
                if is_unreachable {
                    continue;
                }
            } else if !is_unreachable {
                drop(self.changed.wait(desk));
            } else if Instant::now() < due {
                drop(self.changed.wait_timeout(desk, due.saturating_duration_since(Instant::now())));
                continue;
            } else {
                drop(desk);
                self.probe();
            }
            due = Instant::now() + PROBE;
        }
    }

    /// Turns away those who wait, once the call under way has had no answer for too long, until it has one.
    fn watch_call(&self) {
        let Reach { attempt, is_far, .. } = *self.reach();
        let Some(attempt) = attempt else { return };
        let Some(Silence { since, has_failed }) = self.parts.traffic.silence() else { return self.desk().be_back() };
        if self.desk().is_away {
            return;
        }
        match attempt.next(since.elapsed(), has_failed, is_far) {
            Next::Wait => {}
            Next::Tell => self.turn_away(since, attempt),
            Next::Probe(patience) => {
                self.reach().attempt.iter_mut().for_each(|attempt| attempt.is_probed = true);
                let begun = Instant::now();
                match self.accepts(patience) {
                    Some(false) => self.turn_away(since, Attempt { is_probed: true, was_late: true, ..attempt }),
                    // Connections are fast: it was one lost packet before.
                    Some(true) if begun.elapsed() < CONNECT_BESIDE => self.reach().is_far = false,
                    _ => {}
                }
            }
        }
    }

    /// Tells those who wait that the call which has been without an answer since then goes on without them, unless it has ended.
    fn turn_away(&self, since: Instant, attempt: Attempt) {
        let mut desk = self.desk();
        let mut reach = self.reach();
        if reach.attempt.is_none() || self.parts.traffic.silence().is_none_or(|now| now.since != since) {
            return;
        }
        reach.attempt = Some(attempt);
        drop(reach);
        desk.turn_away();
        let removals = desk.awaited_removals();
        drop(desk);
        removals.iter().for_each(|key| self.postpone(key));
    }

    /// Whether IPv64 accepts a connection in this time. Behind a proxy nobody knows.
    fn accepts(&self, within: Duration) -> Option<bool> {
        accepts(&self.parts.settings.api_url, &self.parts.settings.proxy, within)
    }

    /// Tells those who wait for a removal that it is finished later, once the journal knows that it was asked for.
    pub(super) fn postpone(&self, key: &Key) {
        let entries = self.journalled(&key.client, &key.challenge);
        let record = entries.last().map_or(&key.challenge.name, |entry| &entry.record).clone();
        let open = entries.iter().filter(|entry| !entry.is_being_removed());
        let ids: Vec<_> = open.map(|Entry { id, .. }| id.clone()).collect();
        self.parts.state.journal(|journal, now| journal.remove_asked(&ids, now));
        self.desk().postponed(key, Answer::Postponed { record });
    }

    /// Ends an outage where a connection comes about, which costs no call.
    fn probe(&self) {
        match self.accepts(CONNECT) {
            Some(false) => return,
            None => self.reach().is_unreachable = false,
            Some(true) => {
                let since = self.parts.state.usage(|usage, now| {
                    let since = usage.outage.down_since(now).unwrap_or(now);
                    usage.outage.end();
                    since
                });
                let mut reach = self.reach();
                (reach.is_unreachable, reach.probed) = (false, Some((Instant::now(), since)));
            }
        }
        self.read_usage();
    }
}

/// What is answered while IPv64 does not answer.
pub(super) const fn away() -> Answer {
    Answer::Failed { kind: Kind::Unavailable, retry_after: SOON }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONCE_MORE: Attempt = Attempt { is_retry: true, is_probed: false, was_late: false };
    const PROBED: Attempt = Attempt { is_retry: false, is_probed: true, was_late: false };

    /// What is done first that is more than waiting, and after how many milliseconds.
    fn first(attempt: Attempt, has_failed: bool, is_far: bool) -> (u64, Next) {
        let at = |millis| attempt.next(Duration::from_millis(millis), has_failed, is_far);
        (0..).map(|millis| (millis, at(millis))).find(|(_, next)| *next != Next::Wait).unwrap()
    }

    #[test]
    fn whatever_shows_an_outage_is_told_within_a_second_and_a_slow_answer_is_waited_for() {
        let probe = |millis| Next::Probe(Duration::from_millis(millis));
        for (what, attempt, has_failed, is_far, expected) in [
            ("nothing yet", Attempt::default(), false, false, (250, probe(500))),
            ("the same where connections take long", Attempt::default(), false, true, (800, probe(1000))),
            ("IPv64 accepts connections", PROBED, false, false, (5000, Next::Tell)),
            ("the same where connections take long", PROBED, false, true, (5000, Next::Tell)),
            ("a try has failed", Attempt::default(), true, false, (800, Next::Tell)),
            ("a try has failed after a probe", PROBED, true, true, (800, Next::Tell)),
            ("an outage is known", ONCE_MORE, false, false, (800, Next::Tell)),
        ] {
            assert_eq!(first(attempt, has_failed, is_far), expected, "{what}");
        }
        assert!(BESIDE + CONNECT_BESIDE < DOUBT, "a probe ends in time");
    }
}
