//! Asks one address, at the right moments, and writes what it hears on the board that all pollers share.
//! It decides nothing: when to stop is up to [`super::wait`].

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::evidence::{Answer, Evidence, Observation, Standing};
use super::schedule::Schedule;
use crate::challenge::TxtValue;
use crate::dns::exchange::{Transport, ask};
use crate::dns::message::{Kind, Question, Rcode, Reply};
use crate::dns::pace::Pace;
use crate::dns::zone::Server;
use crate::name::DnsName;

/// How long one answer is waited for.
const ATTEMPT: Duration = Duration::from_secs(2);
/// How long the last look, at the deadline, may take.
const LAST_LOOK: Duration = Duration::from_millis(700);
/// Questions beyond the required ones that are asked in the round in which a record appears.
const EXTRA: u32 = 2;
/// Rounds of confirmation within one look; what is not decided then waits for the next look.
const MOST_ROUNDS: usize = 30;
/// Stack of a poller in bytes: it holds one packet buffer and little else.
const STACK: usize = 128 * 1024;

/// What has to be at a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Texts {
    pub(super) name: DnsName,
    pub(super) values: Vec<TxtValue>,
    /// How many times each address has to show them.
    pub(super) looks: u32,
}

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
    pub(super) confirmations: u32,
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
        let round = self.first_round(breadth);
        self.ask_all(&round);
        let mut extra = EXTRA;
        for _ in 0..MOST_ROUNDS {
            let Some(round) = self.next_round(extra) else { return };
            extra = 0;
            if !self.ask_all(&round) {
                return;
            }
        }
    }

    fn first_round(&self, breadth: usize) -> Vec<(usize, Transport)> {
        let state = self.board.lock();
        let evidence = &state.slots[self.slot].evidence;
        let next = evidence.next_record();
        if evidence.udp_is_silent() {
            let tcp = (!evidence.tcp_is_broken()).then_some((next, Transport::Tcp));
            return std::iter::once((next, Transport::Udp)).chain(tcp).collect();
        }
        // Whoever wants one confirmation, or has all, is served with one question.
        let plenty = self.confirmations > 1 && evidence.standing() != Standing::Serving;
        let count =
            if plenty { breadth.min(self.pace.free(self.server.address.ip(), Instant::now())).max(1) } else { 1 };
        let records = evidence.missing().chain(std::iter::repeat(next));
        records.take(count).map(|record| (record, Transport::Udp)).collect()
    }

    /// Returns what to ask next to confirm a record that has appeared; nothing if it has not, or if all is confirmed.
    fn next_round(&self, extra: u32) -> Option<Vec<(usize, Transport)>> {
        let state = self.board.lock();
        let evidence = &state.slots[self.slot].evidence;
        if state.stop || Instant::now() >= self.deadline + LAST_LOOK || evidence.standing() != Standing::Confirming {
            return None;
        }
        // A single confirmation is what the user asked for: no extras then.
        let extra = if self.confirmations > 1 { extra } else { 0 };
        let wanted = evidence.still_needed().max(1).saturating_add(extra);
        let free = self.pace.free(self.server.address.ip(), Instant::now()).max(1);
        let count = usize::try_from(wanted).unwrap_or(free).min(free);
        let mut records = evidence.wanting().chain(std::iter::repeat(evidence.next_record()));
        // If UDP is silent all goes over TCP; else one question does, the others stay cheap.
        let all_tcp = evidence.udp_is_silent();
        let mut tcp = evidence.wants_tcp() || all_tcp;
        let transport = || {
            let this = if tcp { Transport::Tcp } else { Transport::Udp };
            tcp = all_tcp;
            this
        };
        Some(records.by_ref().take(count).zip(std::iter::repeat_with(transport)).collect())
    }

    /// Asks several questions at once, as the pace allows, and returns when all are answered or given up; false if the
    /// wait is over.
    fn ask_all(&self, round: &[(usize, Transport)]) -> bool {
        for (record, transport) in round {
            let slot = self.pace.book(self.server.address.ip(), Instant::now());
            if !self.board.sleep_until(slot) {
                return false;
            }
            self.board.lock().slots[self.slot].open.push(Instant::now());
            let (poller, record, transport) = (self.clone(), *record, *transport);
            let builder = thread::Builder::new().name("question".to_owned()).stack_size(STACK);
            if builder.spawn(move || poller.ask(record, transport, slot)).is_err() {
                // No thread to be had (a limit on processes): ask from here, one after the other.
                self.ask(record, transport, slot);
            }
        }
        let mut state = self.board.lock();
        while !state.stop && !state.slots[self.slot].open.is_empty() {
            let until = Instant::now() + ATTEMPT;
            state = self.board.wait(state, until);
        }
        !state.stop
    }

    fn ask(&self, record: usize, transport: Transport, booked: Instant) {
        let sent = Instant::now();
        self.pace.sent(self.server.address.ip(), booked, sent);
        let observation = self.observe(record, transport);
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

    fn observe(&self, record: usize, transport: Transport) -> Observation {
        let texts = &self.texts[record];
        let question = Question::authoritative(&texts.name, Kind::Txt);
        let limit = (Instant::now() + ATTEMPT).min(self.deadline.max(Instant::now()) + LAST_LOOK);
        let address = self.server.address;
        let mut transport = transport;
        let mut reply = ask(address, &question, transport, limit);
        if transport == Transport::Udp && reply.as_ref().is_ok_and(|reply| reply.truncated) {
            transport = Transport::Tcp;
            self.pace.wait(address.ip(), limit);
            reply = ask(address, &question, transport, limit);
        }
        match reply {
            Ok(reply) => Observation {
                record,
                transport,
                answer: judge_reply(&reply, &texts.name, &texts.values),
                backend: reply.nsid,
            },
            Err(error) => Observation { record, transport, answer: Answer::Silent(error), backend: None },
        }
    }
}

/// A number between 0 and 1; not for secrets.
fn jitter() -> f64 {
    ring::rand::generate::<[u8; 1]>(&ring::rand::SystemRandom::new())
        .map_or(0.5, |bytes| f64::from(bytes.expose()[0]) / 255.0)
}

/// Judges one reply to the question of an authoritative server for TXT records: are all these values there?
#[must_use]
pub fn judge_reply(reply: &Reply, name: &DnsName, values: &[TxtValue]) -> Answer {
    if !reply.authoritative || !matches!(reply.rcode, Rcode::NoError | Rcode::NxDomain) {
        let reason = match (reply.rcode, reply.referral()) {
            (_, Some(zone)) => format!("refers to the servers of `{zone}`"),
            (Rcode::NoError | Rcode::NxDomain, None) => "answers without authority (no AA)".to_owned(),
            (rcode, None) => rcode.to_string(),
        };
        let answered = matches!(reply.rcode, Rcode::NoError | Rcode::NxDomain);
        return Answer::Lame { reason, recursive: answered && reply.recursion_available };
    }
    let found: Vec<_> = reply.texts(name).collect();
    if values.iter().all(|value| found.contains(&value.as_str().as_bytes())) {
        return Answer::Has;
    }
    Answer::Lacks(match (reply.rcode, found.len(), reply.alias(name)) {
        (Rcode::NxDomain, ..) => "no such name".to_owned(),
        (_, _, Some(target)) => format!("an alias of `{target}`"),
        (_, 0, None) => "no TXT record".to_owned(),
        (_, 1, None) => "1 other TXT value".to_owned(),
        (_, count, None) => format!("{count} TXT values, not all that are needed"),
    })
}
