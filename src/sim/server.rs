//! One authoritative server address: it chooses a backend, asks the zones, bends the answer as its settings say.
//! The sockets are in [`super::listener`], the faults of single packets in [`super::packets`].

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use hickory_resolver::proto::{
    op::{Edns, Message, OpCode, Query, ResponseCode},
    rr::{DNSClass, Name, Record, RecordType},
};

use super::{
    bend,
    cache::PacketCache,
    content,
    hierarchy::Role,
    listener::{self, Answer, Asked, Responder},
    log::{Question, Transport},
    lookups::LookupAnswer,
    packets,
    settings::{Authority, Balance, EdnsSupport, Listen, Meets, Packets, ServerSettings},
    threads::hold,
    world::World,
    zone::Reply,
};

/// How long a port may take to open or close before the settings count as changed anyhow.
const PORTS_SETTLE: Duration = Duration::from_secs(2);

/// One address of one authoritative server.
pub(super) struct Server {
    pub(super) name: String,
    pub(super) address: SocketAddr,
    pub(super) role: Role,
    timeline: Mutex<Vec<(Instant, Arc<ServerSettings>)>>,
    world: Arc<World>,
    asked: AtomicUsize,
    turn: AtomicUsize,
    udp_bound: AtomicBool,
    tcp_bound: AtomicBool,
    pub(super) cache: Mutex<PacketCache>,
}

impl Server {
    pub(super) fn new(
        name: &str,
        address: SocketAddr,
        role: Role,
        settings: ServerSettings,
        world: &Arc<World>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            address,
            role,
            timeline: Mutex::new(vec![(world.started, Arc::new(settings))]),
            world: world.clone(),
            asked: AtomicUsize::new(0),
            turn: AtomicUsize::new(0),
            udp_bound: AtomicBool::new(true),
            tcp_bound: AtomicBool::new(true),
            cache: Mutex::default(),
        }
    }

    /// The settings in force.
    pub(super) fn settings(&self) -> Arc<ServerSettings> {
        let last = hold(&self.timeline).last().cloned();
        last.map(|(begun, settings)| lasting(begun, &settings).map_or(settings, |(_, after)| after)).unwrap_or_default()
    }

    /// All settings since the start, each with the moment it came into force.
    pub(super) fn timeline(&self) -> Vec<(Instant, Arc<ServerSettings>)> {
        let mut all = hold(&self.timeline).clone();
        all.extend(all.last().and_then(|(begun, settings)| lasting(*begun, settings)));
        all
    }

    /// Changes the settings, forgets what the packet cache holds, and waits until the ports are as they should be.
    pub(super) fn set(&self, settings: ServerSettings) {
        let wanted = [settings.udp != Listen::Closed, settings.tcp != Listen::Closed];
        hold(&self.timeline).push((Instant::now(), Arc::new(settings)));
        hold(&self.cache).clear();
        let end = Instant::now() + PORTS_SETTLE;
        let ports = || [self.udp_bound.load(Ordering::Acquire), self.tcp_bound.load(Ordering::Acquire)];
        while ports() != wanted && Instant::now() < end {
            listener::wake(self.address);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Goes back to the settings of the start.
    pub(super) fn reset(&self) {
        let first = hold(&self.timeline).first().map(|(_, settings)| settings.clone());
        self.set((*first.unwrap_or_default()).clone());
    }

    /// Asks without sockets, as a resolver of the simulation does.
    pub(super) fn consult(&self, query: &Message, peer: SocketAddr) -> Option<Message> {
        let mut settings = self.settings();
        if settings.meets == Meets::Sockets {
            settings = Arc::new(settings.undisturbed());
        }
        let mute = |port: Listen| port != Listen::Open;
        let bent = matches!(settings.packets, Packets::WrongQuestion | Packets::Malformed | Packets::OffPath);
        if bent || (mute(settings.udp) && mute(settings.tcp)) || (settings.truncate && mute(settings.tcp)) {
            return None;
        }
        self.reply(&Asked { query, transport: Transport::Internal, peer }, &settings)
    }

    fn reply(&self, asked: &Asked<'_>, settings: &ServerSettings) -> Option<Message> {
        let question = asked.query.queries.first()?;
        let world = &*self.world;
        let is_outside = asked.transport != Transport::Internal;
        let fault = world.lookups.answer(question).filter(|_| is_outside);
        if self.is_lost(asked, settings) || fault == Some(LookupAnswer::Dropped) {
            self.note(asked, question, (None, None));
            return None;
        }
        if let Some(reply) = fault.and_then(bend::lookup) {
            let message = packets::message(reply, asked.query, None);
            self.note(asked, question, (None, Some(&message)));
            return Some(message);
        }
        let backend = self.backend(settings, asked.peer);
        let case = Case { question, query: asked.query, settings, backend, world };
        let mut message = match &settings.cache {
            Some(cache) => hold(&self.cache).answer(cache, asked.query, || self.fresh(&case)),
            None => self.fresh(&case),
        };
        message.metadata.id = asked.query.metadata.id;
        if is_outside {
            world.lookups.hide_glue(&mut message);
        }
        if asked.transport == Transport::Udp {
            message = packets::fit(message, asked.query, settings.truncate);
        }
        self.note(asked, question, (Some(backend), Some(&message)));
        Some(message)
    }

    fn is_lost(&self, asked: &Asked<'_>, settings: &ServerSettings) -> bool {
        let number = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        let by_turn = number.checked_rem(settings.drop as usize) == Some(0);
        by_turn || (asked.transport == Transport::Udp && self.world.chance.percent(settings.loss))
    }

    /// The answer of a backend, bent as the settings say.
    fn fresh(&self, case: &Case<'_>) -> Message {
        let reply = match case.settings.rcode {
            _ if case.query.metadata.op_code != OpCode::Query => Reply::code(ResponseCode::NotImp),
            _ if case.settings.edns == EdnsSupport::FormErr && case.query.edns.is_some() => {
                Reply::code(ResponseCode::FormErr)
            }
            Some(rcode) => Reply::code(bend::code(rcode)),
            None if case.settings.lame => upward(case.world),
            None => self.honest(case),
        };
        let reply = bend::reply(reply, case.settings, case.question);
        let mut message = packets::message(reply, case.query, case.settings.backends.get(case.backend));
        if case.settings.edns != EdnsSupport::Full {
            message.edns = None;
        }
        message.metadata.recursion_available = case.settings.authority == Authority::Intercepted;
        if case.settings.upper_case {
            for query in &mut message.queries {
                query.set_name(bend::capitals(query.name()));
            }
        }
        message
    }

    fn honest(&self, case: &Case<'_>) -> Reply {
        let as_of = self.as_of(case.settings, case.backend);
        let name = case.question.name().to_lowercase();
        let zone = case.world.hierarchy.zone(self.role, &name, &case.world.store.hold(), as_of);
        let zone = zone.filter(|_| case.question.query_class() == DNSClass::IN);
        zone.map_or_else(|| Reply::code(ResponseCode::Refused), |zone| zone.answer(&name, case.question.query_type()))
    }

    /// From when the copy is that a backend has of the store.
    fn as_of(&self, settings: &ServerSettings, backend: usize) -> Option<Instant> {
        let now = self.frozen_since(backend).unwrap_or_else(Instant::now);
        let backend = settings.backends.get(backend).cloned().unwrap_or_default();
        now.checked_sub(backend.delay)
    }

    /// When a backend last became stale: it keeps what it had then.
    fn frozen_since(&self, backend: usize) -> Option<Instant> {
        let timeline = hold(&self.timeline);
        let is_stale = |settings: &ServerSettings| settings.backends.get(backend).is_some_and(|backend| backend.stale);
        timeline.iter().rev().take_while(|(_, settings)| is_stale(settings)).last().map(|(since, _)| *since)
    }

    fn backend(&self, settings: &ServerSettings, peer: SocketAddr) -> usize {
        let count = settings.backends.len();
        match settings.balance {
            Balance::RoundRobin => self.turn.fetch_add(1, Ordering::Relaxed).checked_rem(count).unwrap_or_default(),
            Balance::Random => self.world.chance.below(count),
            // The lowest bits of ports that the system gives are not spread evenly (Linux hands out even ones first).
            Balance::SourcePort => ((usize::from(peer.port()) * 0x9E37) >> 8).checked_rem(count).unwrap_or_default(),
        }
    }

    fn note(&self, asked: &Asked<'_>, question: &Query, answer: (Option<usize>, Option<&Message>)) {
        let (backend, message) = answer;
        self.world.log.question(Question {
            server: self.name.clone(),
            backend,
            ..describe(self.address, asked, question, message)
        });
    }
}

/// What stays of settings whose time has run out, and since when.
fn lasting(begun: Instant, settings: &ServerSettings) -> Option<(Instant, Arc<ServerSettings>)> {
    let end = begun + settings.lasts;
    let is_over = !settings.lasts.is_zero() && end <= Instant::now();
    is_over.then(|| (end, Arc::new(settings.undisturbed())))
}

/// A question on its way through a server.
struct Case<'a> {
    question: &'a Query,
    query: &'a Message,
    settings: &'a ServerSettings,
    backend: usize,
    world: &'a World,
}

/// What a server says of zones that it does not know: ask the root.
fn upward(world: &World) -> Reply {
    let root = world.hierarchy.zone(Role::Root, &Name::root(), &world.store.hold(), None);
    let is_server = |record: &Record| record.name.is_root() && record.record_type() == RecordType::NS;
    let authorities = root.map(|zone| zone.records.into_iter().filter(is_server).collect()).unwrap_or_default();
    Reply { authorities, ..Reply::default() }
}

impl Responder for Server {
    fn respond(&self, asked: &Asked<'_>) -> Option<Answer> {
        let settings = self.settings();
        let message = self.reply(asked, &settings)?;
        let packets = packets::deliver(&message, settings.packets, asked.transport);
        Some(Answer { after: settings.reply_delay, packets })
    }

    fn port(&self, transport: Transport) -> Listen {
        let settings = self.settings();
        if transport == Transport::Tcp { settings.tcp } else { settings.udp }
    }

    fn port_is(&self, transport: Transport, bound: bool) {
        let port = if transport == Transport::Tcp { &self.tcp_bound } else { &self.udp_bound };
        port.store(bound, Ordering::Release);
    }

    fn mute(&self, asked: &Asked<'_>) {
        if let Some(question) = asked.query.queries.first() {
            self.note(asked, question, (None, None));
        }
    }
}

/// The entry of the log for a question and its answer; without an answer it was dropped.
pub(super) fn describe(address: SocketAddr, asked: &Asked<'_>, question: &Query, answer: Option<&Message>) -> Question {
    Question {
        at: Instant::now(),
        server: String::new(),
        address,
        backend: None,
        transport: asked.transport,
        peer: asked.peer,
        name: question.name().to_ascii().trim_end_matches('.').to_owned(),
        kind: question.query_type().to_string(),
        recursion_desired: asked.query.metadata.recursion_desired,
        edns: asked.query.edns.as_ref().map(Edns::max_payload),
        answer: answer.map_or_else(|| "dropped".to_owned(), summary),
        values: answer.map(content::texts).unwrap_or_default(),
    }
}

fn summary(message: &Message) -> String {
    let mut words = vec![match message.metadata.response_code {
        ResponseCode::NoError => "NOERROR".to_owned(),
        ResponseCode::NXDomain => "NXDOMAIN".to_owned(),
        ResponseCode::ServFail => "SERVFAIL".to_owned(),
        ResponseCode::Refused => "REFUSED".to_owned(),
        other => format!("{other:?}").to_uppercase(),
    }];
    let bits = &message.metadata;
    for (bit, word) in [(bits.authoritative, "aa"), (bits.truncation, "tc"), (bits.recursion_available, "ra")] {
        if bit {
            words.push(word.to_owned());
        }
    }
    words.extend(message.answers.iter().map(|record| record.record_type().to_string()));
    words.join(" ")
}

/// The longest delay among the backends: when a change is seen whoever answers.
pub(super) fn slowest(settings: &ServerSettings) -> Duration {
    settings.backends.iter().map(|backend| backend.delay).max().unwrap_or_default()
}
