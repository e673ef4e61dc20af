//! Name servers in virtual time, with all that a network does to their answers.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::TXT;
use hickory_resolver::proto::rr::rdata::opt::{EdnsOption, NSIDPayload};
use hickory_resolver::proto::rr::{RData, Record as WireRecord};

use super::super::super::outcome::{Basis, Row};
use super::super::super::plan::{Plan, Record};
use super::super::super::search::Search;
use super::super::{Action, Job, Ticket, Wait};
use crate::challenge::TxtValue;
use crate::dns::exchange::{AskError, Transport};
use crate::dns::message::{Question, Reply};
use crate::dns::recursive::Recursive;
use crate::dns::zone::{FoundBy, Lookup, Server, Zone};
use crate::name::DnsName;

/// Chance from a seed (splitmix64).
#[derive(Debug, Clone)]
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, most: u64) -> u64 {
        self.next() % most.max(1)
    }

    pub(super) fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from + 1))
    }

    pub(super) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// Which machine answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Balance {
    InTurn,
    Random,
}

/// Whether machines tell their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    Told,
    Same,
    Withheld,
}

/// One machine.
#[derive(Debug, Clone)]
pub(super) struct Replica {
    /// From the start to the moment when it shows each record.
    pub(super) visible: Vec<Duration>,
}

/// What is behind one address.
#[derive(Debug, Clone)]
pub(super) struct Address {
    pub(super) replicas: Vec<Replica>,
    pub(super) balance: Balance,
    pub(super) names: Names,
    /// Of a hundred questions so many get no answer.
    pub(super) loss: u64,
    /// From when to when it fails (SERVFAIL), and is not to be reached.
    pub(super) failing: (Duration, Duration),
    pub(super) away: (Duration, Duration),
    /// From question to answer, at least and at most, in milliseconds.
    pub(super) trip: (u64, u64),
    pub(super) tcp: bool,
    pub(super) edns: bool,
    pub(super) turn: usize,
}

impl Address {
    pub(super) fn new(replicas: Vec<Replica>) -> Self {
        Self {
            replicas,
            balance: Balance::Random,
            names: Names::Withheld,
            loss: 0,
            failing: (Duration::ZERO, Duration::ZERO),
            away: (Duration::ZERO, Duration::ZERO),
            trip: (1, 1),
            tcp: true,
            edns: true,
            turn: 0,
        }
    }

    fn answer(
        &mut self,
        (record, question): (usize, &Question),
        (after, transport): (Duration, Transport),
        chance: &mut Chance,
    ) -> Result<Reply, AskError> {
        let is_lost = chance.percent(self.loss) || (transport == Transport::Tcp && !self.tcp);
        if is_lost || (self.away.0..self.away.1).contains(&after) {
            return Err(AskError::TimedOut);
        }
        let fails = (self.failing.0..self.failing.1).contains(&after);
        self.turn += 1;
        let place = match self.balance {
            Balance::InTurn => self.turn % self.replicas.len(),
            Balance::Random => usize::try_from(chance.below(self.replicas.len() as u64)).unwrap(),
        };
        let has = after >= self.replicas[place].visible[record];
        let name = match self.names {
            Names::Told => Some(place.to_string()),
            Names::Same => Some("same".to_owned()),
            Names::Withheld => None,
        };
        let refuses = question.edns && !self.edns;
        Ok(reply(question, |message| {
            message.metadata.authoritative = !fails && !refuses;
            message.metadata.response_code = match (refuses, fails, has) {
                (true, ..) => ResponseCode::FormErr,
                (_, true, _) => ResponseCode::ServFail,
                (_, _, true) => ResponseCode::NoError,
                _ => ResponseCode::NXDomain,
            };
            let owner = message.queries[0].name().clone();
            if has && !fails && !refuses {
                let texts = TXT::new(vec![value(record).as_str().to_owned()]);
                message.add_answer(WireRecord::from_rdata(owner, 60, RData::TXT(texts)));
            }
            if let (Some(name), Some(edns)) = (name, message.edns.as_mut()) {
                edns.options_mut().insert(EdnsOption::NSID(NSIDPayload::new(name.into_bytes()).unwrap()));
            }
        }))
    }
}

fn reply(question: &Question, change: impl FnOnce(&mut Message)) -> Reply {
    let query = question.encode().unwrap();
    let asked = Message::from_vec(query.bytes()).unwrap();
    let edns = asked.edns.clone();
    let mut message = asked.into_response();
    message.edns = edns;
    change(&mut message);
    query.read(&message.to_vec().unwrap()).unwrap()
}

fn value(record: usize) -> TxtValue {
    TxtValue::parse(&format!("value-{record}")).unwrap()
}

/// How a wait ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// From the start to "ready"; nothing if it was not reached.
    pub(super) ready: Option<Duration>,
    pub(super) ended: Duration,
    /// When each address was asked.
    pub(super) asked: Vec<Vec<Duration>>,
    pub(super) rows: Vec<Row>,
}

/// One wait.
pub(super) struct World {
    chance: Chance,
    start: Instant,
    addresses: Vec<Address>,
    asked: Vec<Vec<Duration>>,
    /// What is on its way, by its arrival; the number keeps the order and finds the value.
    arrivals: BinaryHeap<Reverse<(Instant, usize)>>,
    events: Vec<Option<Event>>,
}

enum Event {
    Answer(Ticket, Box<Result<Reply, AskError>>),
    Found(Search),
    Resolved,
}

impl World {
    pub(super) fn run(addresses: Vec<Address>, timeout: Duration, seed: u64) -> Ended {
        let records = addresses[0].replicas[0].visible.len();
        Self::run_order(addresses, records, timeout, seed)
    }

    /// Runs a wait whose last `new` records are added now; the others were added by earlier calls.
    pub(super) fn run_order(addresses: Vec<Address>, new: usize, timeout: Duration, seed: u64) -> Ended {
        let start = Instant::now();
        let plan = plan(&addresses, new, timeout, start);
        let mut wait = Wait::new(&plan, start);
        let asked = vec![Vec::new(); addresses.len()];
        let (arrivals, events) = (BinaryHeap::new(), Vec::new());
        let mut world = Self { chance: Chance(seed), start, addresses, asked, arrivals, events };
        let mut now = start;
        loop {
            let jitter = world.chance.below(256) as f64 / 255.0;
            match wait.poll(now, jitter) {
                Action::Start(job) => world.begin(job, now),
                Action::Done(outcome) => {
                    let is_ready = outcome.as_ref().is_ok_and(|ready| ready.basis == Basis::Authoritative);
                    let ended = now - start;
                    return Ended { ready: is_ready.then_some(ended), ended, asked: world.asked, rows: wait.rows() };
                }
                Action::Until(until) => {
                    assert!(until > now, "a wait that does not move");
                    now = world.arrivals.peek().map_or(until, |Reverse((at, _))| until.min(*at));
                    world.deliver(&mut wait, now);
                }
            }
        }
    }

    fn begin(&mut self, job: Job, now: Instant) {
        let (after, event) = match job {
            Job::Query { ticket, question, permit, until } => {
                let address = usize::from(ticket.server.address.port());
                permit.sent(now);
                self.asked[address].push(now - self.start);
                let one = &mut self.addresses[address];
                let trip = self.chance.millis(one.trip.0, one.trip.1);
                let arrives = now + trip / 2 - self.start;
                let reply = one.answer((ticket.record, &question), (arrives, ticket.transport), &mut self.chance);
                let took = if reply.is_ok() { trip } else { until - now };
                (took, Event::Answer(ticket, Box::new(reply)))
            }
            Job::Discover { search, .. } => (Duration::from_secs(1), Event::Found(search)),
            Job::Resolvers { .. } => (Duration::from_secs(3), Event::Resolved),
        };
        self.arrivals.push(Reverse((now + after, self.events.len())));
        self.events.push(Some(event));
    }

    fn deliver(&mut self, wait: &mut Wait<'_>, now: Instant) {
        while let Some(Reverse((at, number))) = self.arrivals.peek().copied() {
            if at > now {
                return;
            }
            self.arrivals.pop();
            match self.events[number].take() {
                Some(Event::Answer(ticket, reply)) => wait.answered(now, ticket, *reply),
                Some(Event::Found(search)) => wait.discovered(now, search, None),
                Some(Event::Resolved) => wait.resolved(now, super::super::Round::Nobody, Basis::Https),
                None => {}
            }
        }
    }
}

fn plan(addresses: &[Address], new: usize, timeout: Duration, now: Instant) -> Plan {
    let records = addresses[0].replicas[0].visible.len();
    let name = |text: &str| DnsName::parse(text).unwrap();
    // Each address has an IP address of its own, since the pace is kept for each; its port is its number.
    let server = |number: usize| {
        let last = u8::try_from(number).unwrap();
        Server { name: None, address: ([192, 0, 2, last], u16::from(last)).into() }
    };
    let servers = (0..addresses.len()).map(server).collect();
    let zone = Zone { apex: Some(name("name.example")), servers, found_by: FoundBy::Settings, ..Zone::default() };
    let record = |number: usize| Record {
        name: name(&format!("_acme-challenge.n{number}.name.example")),
        value: value(number),
        zone: zone.clone(),
        added: (number + new >= records).then_some(now),
        doubtful_until: None,
    };
    let nobody = || Recursive::new(Vec::new(), Arc::new(|_, _, _| Err("not in this test".to_owned())));
    Plan {
        records: (0..records).map(record).collect(),
        timeout,
        confirmations: 12,
        polling_interval: Duration::from_secs(2),
        lookup: Lookup {
            resolvers: nobody(),
            fallback: nobody(),
            servers: Vec::new(),
            server_names: Vec::new(),
            roots: Vec::new(),
            port: 53,
            pace: Arc::default(),
            known: Arc::default(),
        },
        blind_wait: None,
        interrupted: Arc::new(AtomicBool::new(false)),
    }
}

/// The moment at which every machine shows every record.
pub(super) fn all_visible(addresses: &[Address]) -> Duration {
    let replicas = addresses.iter().flat_map(|address| &address.replicas);
    replicas.flat_map(|replica| &replica.visible).max().copied().unwrap()
}

/// The most questions within a span.
pub(super) fn busiest(asked: &[Duration], span: Duration) -> usize {
    let within = |first: &Duration| asked.iter().filter(|at| *at >= first && **at < *first + span).count();
    asked.iter().map(within).max().unwrap_or_default()
}
