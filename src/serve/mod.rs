//! The broker's server: one process holds the API key, and every other machine a token that can solve challenges for its
//! own names and nothing else. What a hook and a broker say to each other is [`crate::broker`]'s.
//!
//! This file is the vocabulary: a dialect turns a request into an [`Ask`], the engine turns that into an [`Answer`], and the
//! dialect turns the answer into a response.

pub mod acme_dns;
pub mod address;
pub mod audit;
pub mod broker;
pub mod client_file;
pub mod client_lines;
pub mod clients;
pub mod config;
pub mod confusion;
pub mod connections;
pub mod daemon;
pub mod dialect;
pub mod engine;
pub mod grant;
pub mod httpreq;
pub mod identity;
pub mod listen;
pub mod metrics;
pub mod policy;
pub mod register;
pub mod route;
pub mod router;
pub mod server;
pub mod systemd;
pub mod tls;
pub mod token;
pub mod v1;
pub mod watch;

use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::challenge::Challenge;
use crate::error::{Error, Explain, Kind};
use crate::name::DnsName;
use grant::Grant;
use token::TokenHash;

/// The largest body of a request, in bytes: no document that a client sends has a quarter of it.
const LARGEST_BODY: usize = 4 * 1024;

/// Tells a person what he may want to know.
pub type Note = Arc<dyn Fn(&str) + Send + Sync>;
/// Tells a person what is wrong, and what to do.
pub type Warn = Arc<dyn Fn(&Error) + Send + Sync>;

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Peer {
    /// A machine, by its address.
    Address(IpAddr),
    /// A process on this machine, by its user (the Unix socket).
    User(u32),
}

/// As in the audit log: an address, or `uid 1000`.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.to_canonical().fmt(f),
            Self::User(uid) => write!(f, "uid {uid}"),
        }
    }
}

/// One record that a client asks for, after it has shown who it is.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Which client, and what it may do.
    pub grant: Arc<Grant>,
    /// Where it is.
    pub peer: Peer,
    /// The hash of what it has shown, a token or the key of an account of acme-dns; none for a user on the Unix socket.
    pub shown: Option<TokenHash>,
    /// The name of the challenge and the value.
    pub challenge: Challenge,
    /// Which program asks, for the journal: `certbot`, `httpreq`. A value for `acme-dns` goes after some time, or with the third.
    pub program: String,
    /// The API calls of its record since a request for it was last answered, once this one is.
    pub calls: Arc<AtomicU64>,
    /// The record that it is about, for the audit log: whatever becomes of the request.
    pub found: FoundRecord,
}

impl Ask {
    /// Notes where the CNAMEs of the name end.
    pub fn found(&self, record: &DnsName) {
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(record.clone());
    }
}

/// The name of a record at the end of all CNAMEs, once it is known.
pub type FoundRecord = Arc<Mutex<Option<DnsName>>>;

/// Does what a client asks for.
pub trait Work: Send + Sync {
    /// Adds a record, and answers when the goal is reached or the time is over.
    fn present(&self, ask: Ask, goal: Goal, within: Duration) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>>;

    /// Removes a record, if this client has added it.
    fn cleanup(&self, ask: Ask, within: Duration) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>>;
}

/// When a present is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// When IPv64 has stored the record.
    Stored,
    /// When every authoritative server has it.
    Ready,
}

/// What became of an [`Ask`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is done.
    Done {
        /// The name of the record, at the end of all CNAMEs.
        record: DnsName,
        /// The account domain that holds it; none for a record that never was.
        domain: Option<DnsName>,
        /// Whether this request has changed anything at IPv64.
        changed: bool,
    },
    /// It goes on, and the time of this request is over.
    Pending,
    /// A removal that failed for a reason that passes: the client has done its part, and the journal finishes it.
    Postponed {
        /// The name of the record.
        record: DnsName,
    },
    /// The client may not do this; it has cost no API call.
    Refused(Refusal),
    /// It failed, for a reason that is not the client's.
    Failed {
        /// The kind of the error; its words in an answer are constant.
        kind: Kind,
        /// When it may be worth trying again.
        retry_after: Duration,
    },
}

/// Why a client may not do something. What it is told says nothing of others, and not which of its limits it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{}", self.words())]
pub enum Refusal {
    /// No client has this name and token.
    UnknownClient,
    /// The client may not come from this address.
    Address,
    /// The name is not granted to it.
    Name,
    /// The alias of the name ends at a record that is not granted to it.
    Record,
    /// Its calls of the day are used up.
    CallsUsedUp,
}

impl Refusal {
    /// Returns the words for the client.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::UnknownClient => "unknown client or wrong token",
            Self::Address | Self::Name | Self::Record => {
                "this client is not allowed to do this; `ipv64-acme audit` on the broker shows why"
            }
            Self::CallsUsedUp => "this client has used up its API calls for today",
        }
    }
}

impl Explain for Refusal {
    fn kind(&self) -> Kind {
        match self {
            Self::UnknownClient => Kind::BrokerUnauthorized,
            Self::Address | Self::Name | Self::Record => Kind::BrokerNotAllowed,
            Self::CallsUsedUp => Kind::BrokerCallsUsedUp,
        }
    }

    fn hint(&self) -> Option<String> {
        None
    }
}
