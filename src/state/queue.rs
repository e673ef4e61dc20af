//! Who may send the next request of one account: the pure rules, without files, clocks or sleeping.
//! `window` keeps the queue in a file that all processes share, and waits.

use std::time::Duration;

use super::rate::Rate;
use crate::time::Timestamp;

/// A waiter shows itself at least this often.
pub(super) const BEAT: Duration = Duration::from_secs(1);
/// A waiter that has not shown itself for so long was killed or stopped, and holds up nobody any more. Process ids
/// would tell sooner, but mean nothing between containers that share a directory.
const WAITER_LOST: Duration = Duration::from_secs(3);
/// So many requests are remembered at least, for a process with another rate than ours.
const KEPT: usize = 100;
/// Nothing makes us pause for longer: neither an answer, for that would be a daily limit, which `quota` knows, nor a
/// file that says so.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
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
    pub(super) joined: Timestamp,
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
    at: Timestamp,
}

/// Nobody sends; the length is kept and not the end, so that a jump of the clock cannot make it longer.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Pause {
    since: Timestamp,
    length: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Waiter {
    ticket: Ticket,
    seen: Timestamp,
}

impl Queue {
    /// Asks for the next turn. Whoever has to wait is put in the queue, and stays there by asking again.
    pub(super) fn ask(&mut self, ticket: &Ticket, rate: Rate, now: Timestamp) -> Turn {
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

    /// Returns whether one more request would make nobody wait.
    pub(super) fn is_idle(&mut self, rate: Rate, now: Timestamp) -> bool {
        self.normalise(now);
        self.waiting.is_empty() && self.delay(0, rate, now).is_zero()
    }

    /// Leaves the queue without having sent.
    pub(super) fn leave(&mut self, id: &str) {
        self.waiting.retain(|waiter| waiter.ticket.id != id);
    }

    /// Notes that a request has its answer, so it has reached the server before now.
    ///
    /// Until then the time of asking stands for it. A first request that spends a second on name look-up and TLS
    /// would otherwise let a later one, which is faster, arrive within the period of the server.
    pub(super) fn finish(&mut self, id: &str, now: Timestamp) {
        self.normalise(now);
        if let Some(position) = self.sent.iter().position(|sent| sent.id == id) {
            let mut sent = self.sent.remove(position);
            sent.at = now;
            self.sent.push(sent);
        }
    }

    /// Lets nobody send for so long, at most [`LONGEST_PAUSE`], unless a longer pause is on already.
    pub(super) fn pause(&mut self, length: Duration, now: Timestamp) {
        self.normalise(now);
        let length = length.min(LONGEST_PAUSE);
        if self.pause_left(now) < length {
            self.pause = Some(Pause { since: now, length });
        }
    }

    /// Returns when somebody with `ahead` others before him may send.
    fn delay(&self, ahead: usize, rate: Rate, now: Timestamp) -> Duration {
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

    fn pause_left(&self, now: Timestamp) -> Duration {
        self.pause.as_ref().map_or(Duration::ZERO, |pause| (pause.since + pause.length).since(now))
    }

    /// A clock that was set back makes times of the future; they become now, so nobody waits longer than once.
    fn normalise(&mut self, now: Timestamp) {
        for sent in &mut self.sent {
            sent.at = sent.at.min(now);
        }
        if let Some(pause) = &mut self.pause {
            pause.since = pause.since.min(now);
            pause.length = pause.length.min(LONGEST_PAUSE);
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

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_438_800_000);

    fn ticket(id: &str, priority: Priority, joined: Timestamp) -> Ticket {
        Ticket { id: id.to_owned(), priority, joined }
    }

    /// A queue in which three of three requests are used, at [`NOW`].
    fn full() -> Queue {
        let mut queue = Queue::default();
        for id in ["1", "2", "3"] {
            assert_eq!(queue.ask(&ticket(id, Priority::Read, NOW), Rate::default(), NOW), Turn::Now);
        }
        queue
    }

    fn is_now(turn: Turn) -> bool {
        turn == Turn::Now
    }

    #[test]
    fn removals_go_before_additions_and_these_before_reads() {
        let mut queue = full();
        let waiting = [Priority::Read, Priority::Addition, Priority::Removal].map(|p| ticket("x", p, NOW));
        let waiting: Vec<_> =
            waiting.into_iter().enumerate().map(|(i, t)| Ticket { id: format!("w{i}"), ..t }).collect();
        let rate: Rate = "1/10".parse().unwrap();
        waiting.iter().for_each(|ticket| assert!(!is_now(queue.ask(ticket, rate, NOW))));
        let mut order = Vec::new();
        let mut now = NOW;
        while order.len() < 3 {
            now = now + Duration::from_millis(500);
            for ticket in &waiting {
                if !order.contains(&ticket.priority) && is_now(queue.ask(ticket, rate, now)) {
                    order.push(ticket.priority);
                }
            }
        }
        assert_eq!(order, [Priority::Removal, Priority::Addition, Priority::Read]);
    }

    #[test]
    fn equals_go_in_the_order_in_which_they_came() {
        let mut queue = full();
        let first = ticket("b", Priority::Addition, NOW);
        let second = ticket("a", Priority::Addition, NOW + Duration::from_secs(9));
        let rate: Rate = "1/10".parse().unwrap();
        assert!(!is_now(queue.ask(&first, rate, second.joined)));
        assert!(!is_now(queue.ask(&second, rate, second.joined)));
        let free = NOW + rate.hold();
        assert!(!is_now(queue.ask(&second, rate, free)));
        assert!(is_now(queue.ask(&first, rate, free)));
    }

    #[test]
    fn a_killed_waiter_holds_up_nobody_for_longer_than_three_seconds() {
        let mut queue = full();
        let rate = Rate::default();
        let before = NOW + (rate.hold() - Duration::from_secs(1));
        let killed = ["x", "y", "z"].map(|id| ticket(id, Priority::Removal, before));
        killed.iter().for_each(|ticket| assert!(!is_now(queue.ask(ticket, rate, before))));
        let alive = ticket("alive", Priority::Addition, before);
        assert!(!is_now(queue.ask(&alive, rate, NOW + rate.hold())), "they may still come");
        assert!(is_now(queue.ask(&alive, rate, before + WAITER_LOST)));
    }

    #[test]
    fn the_wait_is_told_with_and_without_the_others() {
        let mut queue = full();
        let rate = Rate::default();
        let first = queue.ask(&ticket("a", Priority::Addition, NOW), rate, NOW);
        assert_eq!(first, Turn::Wait { turn: rate.hold(), soonest: rate.hold() });
        queue.pause(Duration::from_secs(60), NOW);
        let paused = queue.ask(&ticket("a", Priority::Addition, NOW), rate, NOW);
        assert_eq!(paused, Turn::Wait { turn: Duration::from_secs(60), soonest: Duration::from_secs(60) });
    }

    #[test]
    fn no_pause_in_a_file_is_longer_than_the_longest() {
        let file = r#"{"pause":{"since":0,"length":{"secs":18446744073709551615,"nanos":0}}}"#;
        let mut queue: Queue = serde_json::from_str(file).unwrap();
        assert!(is_now(queue.ask(&ticket("a", Priority::Read, NOW), Rate::default(), NOW)));
    }

    #[test]
    fn a_short_pause_does_not_shorten_a_long_one() {
        let mut queue = Queue::default();
        queue.pause(Duration::from_secs(60), NOW);
        queue.pause(Duration::from_secs(1), NOW);
        assert_eq!(queue.pause_left(NOW), Duration::from_secs(60));
    }

    /// xorshift64*: the same schedule for the same seed, on every machine.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, end: u64) -> u64 {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % end
        }

        fn once_in(&mut self, times: u64) -> bool {
            self.below(times) == 0
        }
    }

    /// What a simulated process does next.
    enum Step {
        Ask(Ticket),
        Finish(String),
    }

    /// Processes that come, wait, send, are slow, are killed and come again, on one queue.
    struct Schedule {
        dice: Dice,
        rate: Rate,
        queue: Queue,
        steps: std::collections::BTreeMap<(u64, u64), Step>,
        numbers: u64,
        arrivals: Vec<u64>,
        latest_wait: u64,
    }

    impl Schedule {
        fn new(seed: u64, rate: &str) -> Self {
            Self {
                dice: Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
                rate: rate.parse().unwrap(),
                queue: Queue::default(),
                steps: std::collections::BTreeMap::new(),
                numbers: 0,
                arrivals: Vec::new(),
                latest_wait: 0,
            }
        }

        fn plan(&mut self, at: u64, step: Step) {
            self.numbers += 1;
            self.steps.insert((at, self.numbers), step);
        }

        fn run(&mut self, processes: u64) {
            let period = self.rate.period().as_millis() as u64;
            for number in 0..processes {
                let at = self.dice.below(period * 4);
                let priority = [Priority::Removal, Priority::Addition, Priority::Read][self.dice.below(3) as usize];
                let joined = NOW + Duration::from_millis(at);
                self.plan(at, Step::Ask(ticket(&format!("{number:04}"), priority, joined)));
            }
            let most = processes * 10_000;
            for _ in 0..most {
                let Some(((at, _), step)) = self.steps.pop_first() else { return };
                self.take(at, step);
            }
            panic!("not done after {most} steps");
        }

        fn take(&mut self, at: u64, step: Step) {
            let now = NOW + Duration::from_millis(at);
            let ticket = match step {
                Step::Finish(id) => return self.queue.finish(&id, now),
                Step::Ask(ticket) => ticket,
            };
            match self.queue.ask(&ticket, self.rate, now) {
                Turn::Now => self.send(at, ticket),
                Turn::Wait { .. } if self.dice.once_in(200) => {} // killed in the queue
                Turn::Wait { turn, .. } => {
                    // Woken up late, as on a busy machine.
                    let late = self.dice.below(20);
                    let pause = (turn.min(BEAT).as_millis() as u64).max(5) + late;
                    self.plan(at + pause, Step::Ask(ticket));
                }
            }
        }

        fn send(&mut self, at: u64, ticket: Ticket) {
            self.latest_wait = self.latest_wait.max(at - (ticket.joined.as_millis() - NOW.as_millis()));
            let period = self.rate.period();
            if self.dice.once_in(10) {
                // Killed with the request on its way: nobody reports the answer, the margin has to do.
                let margin = (self.rate.hold() - period).as_millis() as u64;
                let way = self.dice.below(margin);
                self.arrivals.push(at + way);
                return;
            }
            let way = self.dice.below(period.as_millis() as u64 * 3 / 4);
            self.arrivals.push(at + way);
            let back = self.dice.below(100);
            self.plan(at + way + back, Step::Finish(ticket.id));
        }

        /// Finds the first arrival that the server would refuse.
        fn refused(&mut self) -> Option<(u64, u64)> {
            self.arrivals.sort_unstable();
            let period = self.rate.period().as_millis() as u64;
            let windows = self.arrivals.windows(self.rate.requests() + 1);
            windows.map(|window| (window[0], *window.last().unwrap())).find(|(first, last)| last - first < period)
        }
    }

    #[test]
    fn the_server_never_sees_too_many_requests_in_any_period() {
        for seed in 1..=100 {
            let rate = ["3/10", "1/1", "5/2", "2/0.5", "10/60"][seed as usize % 5];
            let mut schedule = Schedule::new(seed, rate);
            schedule.run(60);
            assert!(schedule.arrivals.len() > 20, "seed {seed}: only {} requests", schedule.arrivals.len());
            assert_eq!(schedule.refused(), None, "seed {seed}, rate {rate}");
        }
    }

    #[test]
    fn everybody_gets_a_turn_in_about_the_time_that_the_rate_needs() {
        for seed in 1..=20 {
            let mut schedule = Schedule::new(seed, "3/10");
            schedule.run(30);
            // Ten rounds of at most 10.3 s and 7.5 s on the way, and some killed waiters.
            assert!(schedule.latest_wait < 10 * 18_000 + 30_000, "seed {seed}: {} ms", schedule.latest_wait);
        }
    }
}
