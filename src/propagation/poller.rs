//! Asks one address, at the right moments, and writes what it hears on the board that all pollers share.
//! It decides nothing: when to stop is up to [`super::wait`].

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::answer::{Answer, Observation, Texts};
use super::evidence::Evidence;
use super::look;
use super::schedule::{MOST, Schedule};
use crate::dns::exchange::{AskError, STACK, Transport, ask_with};
use crate::dns::message::{Question, RecordType, Reply};
use crate::dns::pace::{Pace, QueryPermit};
use crate::dns::zone::Server;

/// How long one answer is waited for.
pub(super) const ATTEMPT: Duration = Duration::from_secs(2);
/// How long the last look, at the deadline, may take.
pub(super) const LAST_LOOK: Duration = Duration::from_millis(700);
/// Rounds of confirmation within one look; what is not decided then waits for the next look.
const MOST_ROUNDS: usize = 30;

/// One address with what is known about it.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) server: Server,
    pub(super) evidence: Evidence,
    /// When the questions without an answer yet were sent.
    pub(super) open: Vec<Instant>,
}

/// What all pollers and the waiting thread share.
#[derive(Debug)]
pub(super) struct Board {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) slots: Vec<Slot>,
    /// Pollers that may still add to what is known.
    pub(super) pollers: usize,
    pub(super) stop: bool,
}

impl Board {
    pub(super) fn new(slots: Vec<Slot>) -> Self {
        let pollers = slots.len();
        Self { state: Mutex::new(State { slots, pollers, stop: false }), changed: Condvar::new() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a change, or until a moment.
    pub(super) fn wait<'a>(&self, state: MutexGuard<'a, State>, until: Instant) -> MutexGuard<'a, State> {
        let left = until.saturating_duration_since(Instant::now());
        self.changed.wait_timeout(state, left).map_or_else(|error| error.into_inner().0, |(state, _)| state)
    }

    pub(super) fn stop(&self) {
        self.lock().stop = true;
        self.changed.notify_all();
    }

    /// Notes that a poller has had its last look.
    fn leave(&self) {
        let mut state = self.lock();
        state.pollers = state.pollers.saturating_sub(1);
        drop(state);
        self.changed.notify_all();
    }

    /// Sleeps until a moment; returns whether to go on.
    fn sleep_until(&self, moment: Instant) -> bool {
        let mut state = self.lock();
        while !state.stop && Instant::now() < moment {
            state = self.wait(state, moment);
        }
        !state.stop
    }
}

/// One address's poller.
#[derive(Clone)]
pub(super) struct Poller {
    pub(super) board: Arc<Board>,
    pub(super) slot: usize,
    pub(super) server: Server,
    pub(super) texts: Arc<Vec<Texts>>,
    pub(super) pace: Arc<Pace>,
    pub(super) deadline: Instant,
}

impl Poller {
    /// Runs in a thread of its own, which ends by itself soon after the board says stop.
    pub(super) fn start(self, schedule: Schedule) -> std::io::Result<()> {
        let builder = thread::Builder::new().name("poller".to_owned()).stack_size(STACK);
        builder.spawn(move || self.run(schedule)).map(drop)
    }

    fn run(&self, mut schedule: Schedule) {
        loop {
            let look = schedule.advance(Instant::now(), jitter());
            let last = look >= self.deadline;
            if !self.board.sleep_until(look.min(self.deadline)) {
                return;
            }
            // One more look at the deadline: a record that arrived during the last pause is not late.
            self.look(schedule.breadth(look));
            if last {
                self.board.leave();
                return;
            }
        }
    }

    /// One look: a few questions at once and, if the record has appeared, as many more as the pace has room for.
    fn look(&self, breadth: usize) {
        let mut round = look::opening(&self.board.lock().slots[self.slot].evidence, breadth.min(self.free()));
        for number in 0..MOST_ROUNDS {
            if !self.ask_all(&round) || Instant::now() >= self.deadline + LAST_LOOK {
                return;
            }
            let next = look::next(&self.board.lock().slots[self.slot].evidence, number, self.free());
            let Some(next) = next else { return };
            round = next;
        }
    }

    fn free(&self) -> usize {
        self.pace.free(self.server.address.ip(), Instant::now()).min(MOST)
    }

    /// Asks several questions at once, as the pace allows, and returns when all are answered or given up; false if the
    /// wait is over.
    fn ask_all(&self, round: &[look::Asked]) -> bool {
        for (record, transport) in round {
            let Some(permit) = self.take_permit() else { return false };
            self.board.lock().slots[self.slot].open.push(Instant::now());
            let (poller, record, transport) = (self.clone(), *record, *transport);
            let builder = thread::Builder::new().name("question".to_owned()).stack_size(STACK);
            if builder.spawn(move || poller.ask(record, transport, Some(permit))).is_err() {
                // No thread to be had (a limit on processes): ask from here, one after the other.
                self.ask(record, transport, self.take_permit());
            }
        }
        let mut state = self.board.lock();
        while !state.stop && !state.slots[self.slot].open.is_empty() {
            let until = Instant::now() + ATTEMPT;
            state = self.board.wait(state, until);
        }
        !state.stop
    }

    /// Waits until the address may be asked once more; nothing if the wait is over.
    fn take_permit(&self) -> Option<QueryPermit> {
        let server = self.server.address;
        while self.board.sleep_until(self.pace.next_free(server.ip(), Instant::now())) {
            if let Some(permit) = self.pace.try_take(server, Instant::now()) {
                return Some(permit);
            }
        }
        None
    }

    fn ask(&self, record: usize, transport: Transport, permit: Option<QueryPermit>) {
        let sent = Instant::now();
        let observation = self.observe(record, transport, permit);
        let mut state = self.board.lock();
        let slot = &mut state.slots[self.slot];
        // Any of the open questions will do: only their number and the oldest moment matter.
        let place = slot.open.iter().position(|open| *open <= sent).unwrap_or_default();
        if place < slot.open.len() {
            slot.open.remove(place);
        }
        slot.evidence.observe(Instant::now(), observation);
        if slot.evidence.shows_several_back_ends() {
            // One balancer: the other addresses of this wait are taken for balancers too, before they show it.
            for slot in &mut state.slots {
                slot.evidence.suspect();
            }
        }
        drop(state);
        self.board.changed.notify_all();
    }

    fn observe(&self, record: usize, mut transport: Transport, permit: Option<QueryPermit>) -> Observation {
        let texts = &self.texts[record];
        let question = Question::authoritative(&texts.name, RecordType::TXT);
        let limit = (Instant::now() + ATTEMPT).min(self.deadline.max(Instant::now()) + LAST_LOOK);
        let ask = |permit: Option<QueryPermit>, transport| {
            ask_with(permit.ok_or(AskError::TimedOut)?, &question, transport, limit)
        };
        let mut reply = ask(permit, transport);
        if transport == Transport::Udp && reply.as_ref().is_ok_and(Reply::truncated) {
            transport = Transport::Tcp;
            reply = ask(self.pace.wait(self.server.address, limit), transport);
        }
        match reply {
            Ok(reply) => {
                let backend = reply.nsid().map(<[u8]>::to_vec);
                Observation { record, transport, answer: texts.judge(&reply), backend }
            }
            Err(error) => Observation { record, transport, answer: Answer::Silent(error), backend: None },
        }
    }
}

/// A number between 0 and 1; not for secrets.
fn jitter() -> f64 {
    ring::rand::generate::<[u8; 1]>(&ring::rand::SystemRandom::new())
        .map_or(0.5, |bytes| f64::from(bytes.expose()[0]) / 255.0)
}
