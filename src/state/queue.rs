//! Who may send the next request of one account: the pure rules, without files, clocks or sleeping.
//! `window` keeps the queue in a file that all processes share, and waits.

use std::time::Duration;

use super::clock::UnixTime;
use super::rate::Rate;

/// A waiter shows itself at least this often.
pub(super) const BEAT: Duration = Duration::from_secs(1);
/// A waiter that has not shown itself for so long was killed or stopped, and holds up nobody any more. Process ids
/// would tell sooner, but mean nothing between containers that share a directory.
const WAITER_LOST: Duration = Duration::from_secs(3);
/// So many requests are remembered at least, for a process with another rate than ours.
const KEPT: usize = 100;
/// More processes than this do not wait at once; the rest is garbage.
const MOST_WAITERS: usize = 1000;

/// What a request is for; the first in this list goes first when several wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Deletes a record: what is there must be able to go, or it stays for ever.
    Removal,
    /// Adds a record, or is needed for that.
    Addition,
    /// Anything else that can wait.
    Read,
}

/// One process's place in the queue.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Ticket {
    pub(super) id: String,
    pub(super) priority: Priority,
    pub(super) joined: UnixTime,
}

/// The answer to [`Queue::ask`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Send now; it is noted.
    Now,
    /// Ask again later.
    Wait {
        /// When it is your turn, as things stand.
        turn: Duration,
        /// Before this nobody can send, whatever the others do.
        soonest: Duration,
    },
}

/// Requests that were sent and processes that wait.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub(super) struct Queue {
    sent: Vec<Sent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pause: Option<Pause>,
    waiting: Vec<Waiter>,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Sent {
    id: String,
    at: UnixTime,
}

/// Nobody sends; the length is kept and not the end, so that a jump of the clock cannot make it longer.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Pause {
    since: UnixTime,
    length: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Waiter {
    ticket: Ticket,
    seen: UnixTime,
}

impl Queue {
    /// Asks for the next turn. Whoever has to wait is put in the queue, and stays there by asking again.
    pub(super) fn ask(&mut self, ticket: &Ticket, rate: Rate, now: UnixTime) -> Turn {
        self.normalise(now);
        let ahead = self.waiting.iter().filter(|waiter| goes_before(&waiter.ticket, ticket)).count();
        let soonest = self.delay(0, rate, now);
        let turn = self.delay(ahead, rate, now);
        self.leave(&ticket.id);
        if turn.is_zero() {
            self.sent.push(Sent { id: ticket.id.clone(), at: now });
            let surplus = self.sent.len().saturating_sub(KEPT.max(rate.requests()));
            self.sent.drain(..surplus);
            return Turn::Now;
        }
        if self.waiting.len() < MOST_WAITERS {
            self.waiting.push(Waiter { ticket: ticket.clone(), seen: now });
        }
        Turn::Wait { turn, soonest }
    }

    /// Leaves the queue without having sent.
    pub(super) fn leave(&mut self, id: &str) {
        self.waiting.retain(|waiter| waiter.ticket.id != id);
    }

    /// Notes that a request has its answer, so it has reached the server before now.
    ///
    /// Until then the time of asking stands for it. A first request that spends a second on name look-up and TLS
    /// would otherwise let a later one, which is faster, arrive within the period of the server.
    pub(super) fn finish(&mut self, id: &str, now: UnixTime) {
        self.normalise(now);
        if let Some(position) = self.sent.iter().position(|sent| sent.id == id) {
            let mut sent = self.sent.remove(position);
            sent.at = now;
            self.sent.push(sent);
        }
    }

    /// Lets nobody send for so long, unless a longer pause is on already.
    pub(super) fn pause(&mut self, length: Duration, now: UnixTime) {
        self.normalise(now);
        if self.pause_left(now) < length {
            self.pause = Some(Pause { since: now, length });
        }
    }

    /// Returns when somebody with `ahead` others before him may send.
    fn delay(&self, ahead: usize, rate: Rate, now: UnixTime) -> Duration {
        let hold = rate.hold();
        let mut held: Vec<_> = self.sent.iter().map(|sent| (sent.at + hold).since(now)).collect();
        held.retain(|left| !left.is_zero());
        held.sort_unstable();
        let must_expire = (held.len() + ahead + 1).saturating_sub(rate.requests());
        let turn = match must_expire.checked_sub(1) {
            None => Duration::ZERO,
            // Those ahead have not sent yet, so when their requests expire is not known: ask again.
            Some(last) => held.get(last).copied().unwrap_or(hold),
        };
        turn.max(self.pause_left(now))
    }

    fn pause_left(&self, now: UnixTime) -> Duration {
        self.pause.as_ref().map_or(Duration::ZERO, |pause| (pause.since + pause.length).since(now))
    }

    /// A clock that was set back makes times of the future; they become now, so nobody waits longer than once.
    fn normalise(&mut self, now: UnixTime) {
        for sent in &mut self.sent {
            sent.at = sent.at.min(now);
        }
        if let Some(pause) = &mut self.pause {
            pause.since = pause.since.min(now);
        }
        for waiter in &mut self.waiting {
            waiter.seen = waiter.seen.min(now);
            waiter.ticket.joined = waiter.ticket.joined.min(now);
        }
        self.waiting.retain(|waiter| now.since(waiter.seen) < WAITER_LOST);
    }
}

fn goes_before(a: &Ticket, b: &Ticket) -> bool {
    (a.priority, a.joined, &a.id) < (b.priority, b.joined, &b.id)
}
