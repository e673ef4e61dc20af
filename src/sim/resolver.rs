//! A recursive resolver that walks the simulation's own zones, asking each server as its sockets would answer.
//! It can keep answers, refuse, stay silent and lie.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use hickory_resolver::proto::{
    op::{Message, Query, ResponseCode},
    rr::{Name, RData, Record, RecordType},
};

use super::{
    bend, content,
    listener::{Answer, Asked, Responder},
    log::{Question, Transport},
    names::host,
    packets,
    server::{Server, describe},
    settings::{Listen, Packets, ResolverMode, ResolverSettings, StaticRecord},
    store::RECORD_TTL,
    threads::hold,
    world::World,
    zone::Reply,
};

/// The resolver that sees what a CA would see, whatever is wrong in the network of the client.
const CA: &str = "ca";
/// How many aliases are followed (as many as common resolvers do).
const MAX_ALIASES: usize = 12;
/// How many referrals lead to one answer.
const MAX_REFERRALS: usize = 16;
/// How deep the look-up of a server's address may call for another.
const MAX_DEPTH: usize = 6;

/// One resolver.
pub(super) struct Resolver {
    pub(super) name: String,
    pub(super) address: SocketAddr,
    settings: Mutex<(Instant, Arc<ResolverSettings>)>,
    world: Arc<World>,
    servers: Arc<[Arc<Server>]>,
    kept: Mutex<HashMap<(Name, RecordType), (Instant, Reply)>>,
}

impl Resolver {
    pub(super) fn new(
        name: &str,
        address: SocketAddr,
        settings: ResolverSettings,
        world: &Arc<World>,
        servers: &Arc<[Arc<Server>]>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            address,
            settings: Mutex::new((Instant::now(), Arc::new(settings))),
            world: world.clone(),
            servers: servers.clone(),
            kept: Mutex::default(),
        }
    }

    /// The settings in force.
    pub(super) fn settings(&self) -> Arc<ResolverSettings> {
        let (begun, settings) = hold(&self.settings).clone();
        if settings.lasts.is_zero() || begun.elapsed() < settings.lasts {
            return settings;
        }
        Arc::new(ResolverSettings { mode: ResolverMode::Honest, ..(*settings).clone() })
    }

    /// Changes the settings and forgets all kept answers.
    pub(super) fn set(&self, settings: ResolverSettings) {
        *hold(&self.settings) = (Instant::now(), Arc::new(settings));
        hold(&self.kept).clear();
    }

    /// Answers one question; nothing from a silent resolver.
    pub(super) fn answer(&self, asked: &Asked<'_>) -> Option<Message> {
        let question = asked.query.queries.first()?;
        let world = &self.world;
        let reply = match world.lookups.answer(question).filter(|_| self.name != CA) {
            Some(fault) => bend::lookup(fault),
            None => self.reply(question, &self.settings(), world),
        };
        let message = reply.map(|reply| {
            let mut message = packets::message(reply, asked.query, None);
            message.metadata.authoritative = false;
            message.metadata.recursion_available = true;
            if asked.transport == Transport::Udp { packets::fit(message, asked.query, false) } else { message }
        });
        let entry = describe(self.address, asked, question, message.as_ref());
        world.log.question(Question { server: self.name.clone(), ..entry });
        message
    }

    fn reply(&self, question: &Query, settings: &ResolverSettings, world: &World) -> Option<Reply> {
        let name = question.name().to_lowercase();
        let kind = question.query_type();
        match &settings.mode {
            ResolverMode::Silent => None,
            ResolverMode::ServFail => Some(Reply::code(ResponseCode::ServFail)),
            ResolverMode::NxDomain => Some(Reply::code(ResponseCode::NXDomain)),
            ResolverMode::NoSoa if kind == RecordType::SOA => Some(Reply::code(ResponseCode::Refused)),
            ResolverMode::Lies(lies) => Some(lie(lies, &name, kind).unwrap_or_else(|| self.kept(&name, kind, world))),
            ResolverMode::Honest | ResolverMode::NoSoa => Some(self.kept(&name, kind, world)),
        }
    }

    /// The kept answer, or a new one that is kept if the settings say so.
    fn kept(&self, name: &Name, kind: RecordType, world: &World) -> Reply {
        let settings = self.settings();
        let key = (name.clone(), kind);
        let now = Instant::now();
        if let Some((_, reply)) = hold(&self.kept).get(&key).filter(|(until, _)| now < *until) {
            return reply.clone();
        }
        let reply = self.resolve(name, kind, world, 0);
        if let Some(length) = lifetime(&reply, &settings) {
            hold(&self.kept).insert(key, (now + length, reply.clone()));
        }
        reply
    }

    /// Follows aliases from zone to zone.
    fn resolve(&self, name: &Name, kind: RecordType, world: &World, depth: usize) -> Reply {
        let mut whole = Reply::default();
        let mut name = name.clone();
        for _ in 0..MAX_ALIASES {
            // What cannot be trusted is answered like what cannot be had (RFC 4035 section 5.5).
            let step = self.walk(&name, kind, world, depth).filter(|_| !world.hierarchy.is_bogus(&name, kind));
            let Some(step) = step else { return Reply::code(ResponseCode::ServFail) };
            let next = if kind == RecordType::CNAME { None } else { open_alias(&step, kind) };
            whole.rcode = step.metadata.response_code;
            whole.answers.extend(step.answers);
            whole.authorities = step.authorities;
            let Some(next) = next else { return whole };
            name = next;
        }
        Reply::code(ResponseCode::ServFail)
    }

    /// Walks from the root to the servers that have authority over a name.
    fn walk(&self, name: &Name, kind: RecordType, world: &World, depth: usize) -> Option<Message> {
        if depth > MAX_DEPTH {
            return None;
        }
        let mut zone = Name::root();
        let mut servers = world.hierarchy.root.addresses.clone();
        for _ in 0..MAX_REFERRALS {
            let message = self.ask_any(servers, (name, kind), &zone, world)?;
            if message.metadata.authoritative {
                return Some(message);
            }
            zone = referral(&message, &zone, name)?;
            servers = self.server_addresses(&message, world, depth);
        }
        None
    }

    /// Asks servers in an order by chance until one gives an answer that leads on.
    fn ask_any(
        &self,
        mut servers: Vec<IpAddr>,
        question: (&Name, RecordType),
        zone: &Name,
        world: &World,
    ) -> Option<Message> {
        let mut query = Message::query();
        query.add_query(Query::query(question.0.clone(), question.1));
        while !servers.is_empty() {
            let address = servers.swap_remove(world.chance.below(servers.len()));
            let server = self.servers.iter().find(|server| server.address.ip() == address);
            let answer = server.and_then(|server| server.consult(&query, self.address));
            let leads_on = |message: &Message| {
                let known = matches!(message.metadata.response_code, ResponseCode::NoError | ResponseCode::NXDomain);
                known && (message.metadata.authoritative || referral(message, zone, question.0).is_some())
            };
            if let Some(message) = answer.filter(leads_on) {
                return Some(message);
            }
        }
        None
    }

    fn server_addresses(&self, message: &Message, world: &World, depth: usize) -> Vec<IpAddr> {
        let glue: Vec<_> = message.additionals.iter().filter_map(address).collect();
        if !glue.is_empty() {
            return glue;
        }
        let hosts = message.authorities.iter().filter_map(|record| match &record.data {
            RData::NS(host) => Some(&host.0),
            _ => None,
        });
        let look_up = |host| self.resolve(host, RecordType::A, world, depth + 1).answers;
        hosts.flat_map(look_up).filter_map(|record| address(&record)).collect()
    }
}

impl Responder for Resolver {
    fn respond(&self, asked: &Asked<'_>) -> Option<Answer> {
        let message = self.answer(asked)?;
        let packets = packets::deliver(&message, Packets::Sound, asked.transport);
        Some(Answer { after: self.settings().reply_delay, packets })
    }

    fn port(&self, _: Transport) -> Listen {
        Listen::Open
    }

    fn port_is(&self, _: Transport, _: bool) {}

    fn mute(&self, _: &Asked<'_>) {}
}

/// The zone that a message refers to: deeper than the one before, and above the name.
fn referral(message: &Message, zone: &Name, name: &Name) -> Option<Name> {
    let is_server = |record: &&Record| record.record_type() == RecordType::NS;
    let cut = &message.authorities.iter().find(is_server)?.name;
    (cut.num_labels() > zone.num_labels() && zone.zone_of(cut) && cut.zone_of(name)).then(|| cut.to_lowercase())
}

/// The target of an alias whose own records are not in the answer.
fn open_alias(message: &Message, kind: RecordType) -> Option<Name> {
    if message.metadata.response_code != ResponseCode::NoError {
        return None;
    }
    let last = message.answers.last()?;
    match &last.data {
        RData::CNAME(target) if kind != RecordType::CNAME => Some(target.0.to_lowercase()),
        _ => None,
    }
}

fn address(record: &Record) -> Option<IpAddr> {
    match &record.data {
        RData::A(address) => Some(address.0.into()),
        RData::AAAA(address) => Some(address.0.into()),
        _ => None,
    }
}

fn lie(lies: &[StaticRecord], name: &Name, kind: RecordType) -> Option<Reply> {
    let of_name = |lie: &&StaticRecord| host(&lie.name).is_some_and(|lied| lied == *name);
    let mut own = lies.iter().filter(of_name).peekable();
    own.peek()?;
    let records = own.filter_map(|lie| content::parse(&lie.kind, &lie.content));
    let answers = records.map(|data| Record::from_rdata(name.clone(), RECORD_TTL, data));
    Some(Reply { answers: answers.filter(|record| record.record_type() == kind).collect(), ..Reply::default() })
}

/// How long a resolver keeps an answer: the least TTL, or the minimum of the SOA (RFC 2308 section 5).
fn lifetime(reply: &Reply, settings: &ResolverSettings) -> Option<Duration> {
    let found = reply.answers.iter().map(|record| record.ttl).min();
    let seconds = match found {
        Some(ttl) if settings.positive_cache => ttl,
        None if settings.negative_cache => reply.authorities.iter().find_map(|record| match &record.data {
            RData::SOA(soa) => Some(soa.minimum.min(record.ttl)),
            _ => None,
        })?,
        _ => return None,
    };
    Some(Duration::from_secs(seconds.into()))
}
