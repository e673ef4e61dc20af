//! One authoritative server address: it chooses a backend, asks the zones, bends the answer as its settings say.
//! The sockets stand in [`super::listener`], the faults of single packets in [`super::packets`].

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use hickory_resolver::proto::{
    op::{Edns, Message, Query, ResponseCode},
    rr::{RData, Record, RecordType},
};

use super::{
    bend,
    cache::PacketCache,
    hierarchy::Role,
    listener::{Answer, Asked, Responder},
    log::{Question, Transport},
    packets,
    settings::{Authority, Balance, Listen, Packets, ServerSettings},
    threads::hold,
    world::World,
    zone::Reply,
};

/// One address of one authoritative server.
pub(super) struct Server {
    pub(super) name: String,
    pub(super) address: SocketAddr,
    pub(super) role: Role,
    timeline: Mutex<Vec<(Instant, Arc<ServerSettings>)>>,
    world: Weak<World>,
    asked: AtomicUsize,
    turn: AtomicUsize,
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
            world: Arc::downgrade(world),
            asked: AtomicUsize::new(0),
            turn: AtomicUsize::new(0),
            cache: Mutex::default(),
        }
    }

    /// The settings in force.
    pub(super) fn settings(&self) -> Arc<ServerSettings> {
        hold(&self.timeline).last().map(|(_, settings)| settings.clone()).unwrap_or_default()
    }

    /// All settings since the start, each with the moment it came into force.
    pub(super) fn timeline(&self) -> Vec<(Instant, Arc<ServerSettings>)> {
        hold(&self.timeline).clone()
    }

    /// Changes the settings and forgets what the packet cache holds.
    pub(super) fn set(&self, settings: ServerSettings) {
        hold(&self.timeline).push((Instant::now(), Arc::new(settings)));
        hold(&self.cache).clear();
    }

    /// Goes back to the settings of the start.
    pub(super) fn reset(&self) {
        let first = hold(&self.timeline).first().map(|(_, settings)| settings.clone());
        self.set((*first.unwrap_or_default()).clone());
    }

    /// Asks without sockets, as a resolver of the simulation does.
    pub(super) fn consult(&self, query: &Message, peer: SocketAddr) -> Option<Message> {
        let settings = self.settings();
        let mute = |port: Listen| port != Listen::Open;
        let bent = matches!(settings.packets, Packets::WrongQuestion | Packets::Malformed | Packets::OffPath);
        if bent || (mute(settings.udp) && mute(settings.tcp)) || (settings.truncate && mute(settings.tcp)) {
            return None;
        }
        self.reply(&Asked { query, transport: Transport::Internal, peer }, &settings)
    }

    fn reply(&self, asked: &Asked<'_>, settings: &ServerSettings) -> Option<Message> {
        let question = asked.query.queries.first()?;
        let world = self.world.upgrade()?;
        let number = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        let dropped = number.checked_rem(settings.drop as usize) == Some(0);
        if dropped {
            self.note(&world, asked, question, (None, None));
            return None;
        }
        let backend = self.backend(settings, asked.peer, &world);
        let fresh = || self.fresh(question, settings, backend, asked.query, &world);
        let mut message = match &settings.cache {
            Some(cache) => hold(&self.cache).answer(cache, asked.query, fresh),
            None => fresh(),
        };
        message.metadata.id = asked.query.metadata.id;
        if asked.transport == Transport::Udp {
            message = packets::fit(message, asked.query, settings.truncate);
        }
        self.note(&world, asked, question, (Some(backend), Some(&message)));
        Some(message)
    }

    fn fresh(
        &self,
        question: &Query,
        settings: &ServerSettings,
        backend: usize,
        query: &Message,
        world: &World,
    ) -> Message {
        let reply = match settings.rcode {
            Some(rcode) => Reply::code(bend::code(rcode)),
            None if settings.lame => self.upward(world),
            None => self.honest(question, settings, backend, world),
        };
        let reply = bend::reply(reply, settings, question);
        let mut message = packets::message(reply, query, settings.backends.get(backend));
        message.metadata.recursion_available = settings.authority == Authority::Intercepted;
        if settings.upper_case {
            for query in &mut message.queries {
                query.set_name(bend::capitals(query.name()));
            }
        }
        message
    }

    fn honest(&self, question: &Query, settings: &ServerSettings, backend: usize, world: &World) -> Reply {
        let as_of = self.as_of(settings, backend);
        let holdings = world.store.hold();
        let name = question.name().to_lowercase();
        match world.hierarchy.zone(self.role, &name, &holdings, as_of) {
            Some(zone) => zone.answer(&name, question.query_type()),
            None => Reply::code(ResponseCode::Refused),
        }
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

    fn upward(&self, world: &World) -> Reply {
        let root =
            world.hierarchy.zone(Role::Root, &hickory_resolver::proto::rr::Name::root(), &world.store.hold(), None);
        let is_server = |record: &Record| record.name.is_root() && record.record_type() == RecordType::NS;
        let authorities = root.map(|zone| zone.records.into_iter().filter(is_server).collect()).unwrap_or_default();
        Reply { authorities, ..Reply::default() }
    }

    fn backend(&self, settings: &ServerSettings, peer: SocketAddr, world: &World) -> usize {
        let count = settings.backends.len();
        match settings.balance {
            Balance::RoundRobin => self.turn.fetch_add(1, Ordering::Relaxed).checked_rem(count).unwrap_or_default(),
            Balance::Random => world.chance.below(count),
            // The lowest bits of ports that the system gives are not spread evenly (Linux hands out even ones first).
            Balance::SourcePort => ((usize::from(peer.port()) * 0x9E37) >> 8).checked_rem(count).unwrap_or_default(),
        }
    }

    fn note(&self, world: &World, asked: &Asked<'_>, question: &Query, answer: (Option<usize>, Option<&Message>)) {
        let (backend, message) = answer;
        world.log.question(Question {
            server: self.name.clone(),
            backend,
            ..describe(self.address, asked, question, message)
        });
    }
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

    fn mute(&self, asked: &Asked<'_>) {
        if let (Some(question), Some(world)) = (asked.query.queries.first(), self.world.upgrade()) {
            self.note(&world, asked, question, (None, None));
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
        values: answer.map(values).unwrap_or_default(),
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

fn values(message: &Message) -> Vec<String> {
    let value = |record: &Record| match &record.data {
        RData::TXT(text) => Some(super::content::joined(text)),
        _ => None,
    };
    message.answers.iter().filter_map(value).collect()
}

/// The longest delay among the backends: when a change is seen whoever answers.
pub(super) fn slowest(settings: &ServerSettings) -> Duration {
    settings.backends.iter().map(|backend| backend.delay).max().unwrap_or_default()
}
