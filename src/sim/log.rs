//! What the simulation saw: every question and every API call, in the order of arrival.
//! Judging them is left to [`super::truth`] and to the tests.

use std::{net::SocketAddr, sync::Mutex, time::Instant};

use serde::Serialize;

use super::threads::hold;

/// How a question came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// One datagram.
    Udp,
    /// A TCP connection.
    Tcp,
    /// DNS over HTTPS, on the listener of the API.
    Https,
    /// No socket: a resolver of the simulation asks a server of the simulation.
    Internal,
}

/// One question to a DNS server.
#[derive(Debug, Clone)]
pub struct Question {
    /// When it arrived.
    pub at: Instant,
    /// The server's name: a host name, `root`, `tld`, `foreign`, or the name of a resolver.
    pub server: String,
    /// The address that was asked.
    pub address: SocketAddr,
    /// Which backend answered, where there is one.
    pub backend: Option<usize>,
    /// How it came.
    pub transport: Transport,
    /// Who asked.
    pub peer: SocketAddr,
    /// The name as it was written, without the final dot.
    pub name: String,
    /// The type, as `TXT`.
    pub kind: String,
    /// Whether recursion was desired.
    pub recursion_desired: bool,
    /// The EDNS payload size, where EDNS was used.
    pub edns: Option<u16>,
    /// The answer in short: `NOERROR aa TXT`, or `dropped`.
    pub answer: String,
    /// The TXT values of the answer.
    pub values: Vec<String>,
}

/// How a call showed its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthWay {
    /// `Authorization: Bearer`.
    Bearer,
    /// HTTP Basic, the key as password.
    Basic,
    /// The parameter `apikey`.
    ApiKey,
    /// The parameter `token`.
    Token,
}

/// Which limit refused a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    /// Too many calls in a short time.
    Burst,
    /// Too many calls in a day.
    Daily,
}

/// The calls of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallKind {
    /// `get_account_info`
    GetAccountInfo,
    /// `get_logs`
    GetLogs,
    /// `get_domains`
    GetDomains,
    /// `add_domain`
    AddDomain,
    /// `del_domain`
    DelDomain,
    /// `add_record`
    AddRecord,
    /// `del_record`
    DelRecord,
}

/// One request to the API.
#[derive(Debug, Clone)]
pub struct ApiCall {
    /// When it was read to its end.
    pub at: Instant,
    /// The HTTP method.
    pub method: String,
    /// The path without the query string.
    pub path: String,
    /// Which call it is, if any.
    pub call: Option<CallKind>,
    /// The parameters of query string and body, without the key.
    pub parameters: Vec<(String, String)>,
    /// How the key was shown.
    pub auth: Option<AuthWay>,
    /// The header `User-Agent`.
    pub user_agent: Option<String>,
    /// The status that went out; nothing if no answer did.
    pub status: Option<u16>,
    /// Whether the store changed.
    pub committed: bool,
    /// Which limit refused it.
    pub refused_by: Option<LimitKind>,
    /// Whether an injected fault shaped the answer.
    pub faulty: bool,
    /// The number of the TCP connection, counted from 1.
    pub connection: u64,
}

/// Both lists.
#[derive(Debug, Default)]
pub(super) struct Log {
    questions: Mutex<Vec<Question>>,
    calls: Mutex<Vec<ApiCall>>,
}

impl Log {
    pub(super) fn question(&self, question: Question) {
        hold(&self.questions).push(question);
    }

    pub(super) fn call(&self, call: ApiCall) {
        hold(&self.calls).push(call);
    }

    pub(super) fn questions(&self) -> Vec<Question> {
        hold(&self.questions).clone()
    }

    pub(super) fn calls(&self) -> Vec<ApiCall> {
        hold(&self.calls).clone()
    }

    pub(super) fn clear(&self) {
        hold(&self.questions).clear();
        hold(&self.calls).clear();
    }
}
