//! How one DNS server address behaves: delays, backends, caches and faults, all of them settable while it runs.
//! The same types are the JSON of the control interface; times are seconds there, fractions allowed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The behaviour of one authoritative server address. The default is a healthy server without delay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerSettings {
    /// The machines behind the address; at least one.
    pub backends: Vec<Backend>,
    /// Who of them answers.
    pub balance: Balance,
    /// The time from question to answer.
    #[serde(with = "seconds")]
    pub reply_delay: Duration,
    /// Drops every nth question: 0 none, 1 all of them.
    pub drop: u32,
    /// So many of a hundred datagrams are lost, by the seed of the simulation; TCP is spared.
    pub loss: f64,
    /// What the UDP port does.
    pub udp: Listen,
    /// What the TCP port does.
    pub tcp: Listen,
    /// What it makes of questions with EDNS.
    pub edns: EdnsSupport,
    /// The response code that every answer has instead of its own, without records.
    pub rcode: Option<Rcode>,
    /// Knows none of its zones: refers upward to the root (AA = 0).
    pub lame: bool,
    /// What is in the header bits AA and RA.
    pub authority: Authority,
    /// Answers every question over UDP with TC and no records.
    pub truncate: bool,
    /// What is said of names that do not exist.
    pub missing: Missing,
    /// The text in place of every TXT value.
    pub wrong_value: Option<String>,
    /// Further TXT values beside the right ones.
    pub extra_values: Vec<String>,
    /// Splits each TXT value into several character-strings (RFC 1035 section 3.3.14).
    pub split: bool,
    /// Writes the names of questions and answers in capitals.
    pub upper_case: bool,
    /// What is wrong with the packets themselves.
    pub packets: Packets,
    /// The packet cache in front of the backends.
    pub cache: Option<CacheSettings>,
    /// Whom all this meets.
    pub meets: Meets,
    /// How long all this holds from when it was set; then only backends and balance stay. Zero means for ever.
    #[serde(with = "seconds")]
    pub lasts: Duration,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            backends: vec![Backend::default()],
            balance: Balance::default(),
            reply_delay: Duration::ZERO,
            drop: 0,
            loss: 0.0,
            udp: Listen::Open,
            tcp: Listen::Open,
            edns: EdnsSupport::Full,
            rcode: None,
            lame: false,
            authority: Authority::Honest,
            truncate: false,
            missing: Missing::Honest,
            wrong_value: None,
            extra_values: Vec::new(),
            split: false,
            upper_case: false,
            packets: Packets::Sound,
            cache: None,
            meets: Meets::Everybody,
            lasts: Duration::ZERO,
        }
    }
}

impl ServerSettings {
    /// A healthy server that shows each change this long after the API took it.
    #[must_use]
    pub fn delayed(delay: Duration) -> Self {
        Self::balanced(&[delay])
    }

    /// Several healthy machines behind one address, each with its own delay.
    #[must_use]
    pub fn balanced(delays: &[Duration]) -> Self {
        let backends = delays.iter().map(|&delay| Backend { delay, ..Backend::default() }).collect();
        Self { backends, ..Self::default() }
    }

    /// A server that never sees a change after the start.
    #[must_use]
    pub fn stale() -> Self {
        Self { backends: vec![Backend { stale: true, ..Backend::default() }], ..Self::default() }
    }

    /// The same server without its faults.
    pub(super) fn undisturbed(&self) -> Self {
        Self { backends: self.backends.clone(), balance: self.balance, ..Self::default() }
    }

    /// Whether whoever asks often enough gets the truth of its backends: what "every server serves it" counts.
    pub(super) fn is_honest(&self) -> bool {
        if self.meets == Meets::Sockets {
            return self.undisturbed().is_honest();
        }
        let reachable = self.udp == Listen::Open || self.tcp == Listen::Open;
        let whole = !self.truncate || self.tcp == Listen::Open;
        let speaks = self.drop != 1
            && self.loss < 100.0
            && self.rcode.is_none()
            && !self.lame
            && self.authority == Authority::Honest;
        let sound = !matches!(self.packets, Packets::WrongQuestion | Packets::Malformed | Packets::OffPath);
        let truthful = self.wrong_value.is_none() && !self.backends.iter().any(|backend| backend.stale);
        let truthful = truthful && self.missing != Missing::ZoneAbove;
        reachable && whole && speaks && sound && truthful
    }
}

/// Whom the faults of a server meet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meets {
    /// All who ask.
    #[default]
    Everybody,
    /// Those who ask over sockets, but not the simulation's own resolvers: a disturbance in the network of the client.
    Sockets,
}

/// One machine behind an address.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Backend {
    /// How long after the API call a change is seen here.
    #[serde(with = "seconds")]
    pub delay: Duration,
    /// Sees no change after the start.
    pub stale: bool,
    /// What it answers to a question for its name (NSID, RFC 5001).
    pub nsid: Option<String>,
}

/// Which backend answers a question.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// One after the other.
    #[default]
    RoundRobin,
    /// Any, from the seed of the simulation.
    Random,
    /// Always the same for one source port.
    SourcePort,
}

/// What a port does with what arrives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Listen {
    /// It is served.
    #[default]
    Open,
    /// Nothing comes back; a TCP connection opens and stays mute.
    Silent,
    /// The port is closed: ICMP port unreachable or a TCP reset.
    Closed,
}

/// What a server makes of EDNS (RFC 6891).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdnsSupport {
    /// It answers as it should.
    #[default]
    Full,
    /// FORMERR to each question with EDNS, as servers from before it (RFC 6891 section 7).
    FormErr,
    /// It answers as if the question had none.
    Ignored,
}

/// A response code of RFC 1035 section 4.1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rcode {
    /// The server could not read the question.
    FormErr,
    /// The server failed.
    ServFail,
    /// There is no such name.
    NxDomain,
    /// The server does not support this kind of question.
    NotImp,
    /// The server does not want to answer.
    Refused,
}

/// The header bits AA (authoritative answer) and RA (recursion available).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Authority {
    /// AA as deserved, no RA.
    #[default]
    Honest,
    /// AA is missing from every answer.
    Missing,
    /// No AA, but RA: a resolver has taken the place of the server.
    Intercepted,
}

/// What is said of names and types that do not exist.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// NXDOMAIN for a missing name, no data for a missing type (RFC 2308 section 2).
    #[default]
    Honest,
    /// NXDOMAIN for both.
    NxDomain,
    /// No data for both.
    NoData,
    /// NXDOMAIN for everything, from the zone above: the server has no copy of the right one.
    ZoneAbove,
}

/// What is wrong with the packets of a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Packets {
    /// Nothing.
    #[default]
    Sound,
    /// An answer with a wrong id and other values comes first, then the right one.
    WrongIdFirst,
    /// Each answer repeats another question than it got.
    WrongQuestion,
    /// The answer breaks off in the middle of a record.
    Malformed,
    /// Each answer comes twice.
    Duplicate,
    /// The answer comes from another port (UDP); over TCP it is sound.
    OffPath,
    /// A forged answer from another port comes first, then the right one from the right port.
    ForgedFirst,
}

/// A packet cache like that of a DNS load balancer: whole answers, keyed by the question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CacheSettings {
    /// Keeps answers with records.
    pub positive: bool,
    /// Keeps answers without.
    pub negative: bool,
    /// How long it keeps an answer at most; TTLs in it count down.
    #[serde(with = "seconds")]
    pub ttl: Duration,
    /// Looks only at name and type, and not at flags and EDNS, when it compares questions.
    pub coarse: bool,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self { positive: true, negative: true, ttl: Duration::from_secs(5), coarse: false }
    }
}

/// What a recursive resolver does.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResolverSettings {
    /// How it treats its clients.
    pub mode: ResolverMode,
    /// Keeps answers for their TTL.
    pub positive_cache: bool,
    /// Keeps "no such name" and "no data" for the SOA minimum (RFC 2308 section 5).
    pub negative_cache: bool,
    /// The time from question to answer.
    #[serde(with = "seconds")]
    pub reply_delay: Duration,
    /// How long the mode holds from when it was set; then it is honest. Zero means for ever.
    #[serde(with = "seconds")]
    pub lasts: Duration,
}

/// How a resolver treats its clients.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResolverMode {
    /// It resolves what it is asked.
    #[default]
    Honest,
    /// It resolves all but SOA, which it refuses, as the resolvers of some container systems do.
    NoSoa,
    /// SERVFAIL for everything.
    ServFail,
    /// NXDOMAIN for everything, with no SOA.
    NxDomain,
    /// It never answers.
    Silent,
    /// It answers from a list of its own where the name is on it, else honestly: split horizon.
    Lies(Vec<StaticRecord>),
}

/// A record that is in no account: of a foreign zone, or a lie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaticRecord {
    /// The full name.
    pub name: String,
    /// The type, in capitals.
    pub kind: String,
    /// The content in the form that the API takes.
    pub content: String,
}

impl StaticRecord {
    /// Makes one from its three parts.
    #[must_use]
    pub fn new(name: &str, kind: &str, content: &str) -> Self {
        Self { name: name.into(), kind: kind.into(), content: content.into() }
    }
}

/// Durations as seconds with fractions.
pub(super) mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(in crate::sim) fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(value.as_secs_f64())
    }

    pub(in crate::sim) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let value = f64::deserialize(deserializer)?;
        Duration::try_from_secs_f64(value).map_err(|_| D::Error::custom("not a number of seconds"))
    }
}
