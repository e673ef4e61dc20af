//! Recursive resolvers, over port 53 or over HTTPS (RFC 8484), each asked on its own and all at once.
//! A dead or lying one costs nothing as long as another one gives a useful reply. They are asked about zones and
//! addresses of name servers; about a challenge record only where no authoritative server can be asked.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Read as _};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use super::exchange::{AskError, ask_whole};
use super::message::{Question, Reply, ResponseCode};
use crate::ownership;

/// How long one attempt waits for a datagram before it is sent again.
const ATTEMPT: Duration = Duration::from_secs(2);
/// How long the others are still waited for once one resolver has answered that it does not know.
const PATIENCE: Duration = Duration::from_secs(1);
/// After the deadline, how long outcomes that are just coming in are still taken.
const GRACE: Duration = Duration::from_millis(50);
/// How much of resolv.conf is read, in bytes.
const MAX_RESOLV_CONF: u64 = 64 * 1024;
/// Replies over HTTPS larger than this are refused, in bytes: no DNS message is larger (RFC 1035 section 4.2.2).
pub const MAX_MESSAGE: usize = 65_535;

/// Sends the bytes of a query to a URL and returns the bytes of the reply, by the deadline; the error is a text for people.
pub type DohPost = Arc<dyn Fn(&str, &[u8], Instant) -> Result<Vec<u8>, String> + Send + Sync>;

/// One recursive resolver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolver {
    /// Over UDP, and TCP where a reply was cut.
    Plain(SocketAddr),
    /// Over HTTPS, by URL.
    Https(String),
}

impl fmt::Display for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(address) if address.port() == 53 => write!(f, "{}", address.ip()),
            Self::Plain(address) => write!(f, "{address}"),
            Self::Https(url) => f.write_str(&crate::http::without_secrets(url)),
        }
    }
}

/// A set of resolvers that are asked together.
#[derive(Clone)]
pub struct Recursive {
    source: Source,
    post: DohPost,
}

/// Where the resolvers of a set are named.
#[derive(Clone)]
enum Source {
    Settings(Vec<Resolver>),
    /// A file like resolv.conf(5): read for each question, since a network that comes up late changes it.
    File(PathBuf),
}

impl fmt::Debug for Recursive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.resolvers().as_ref()).finish()
    }
}

impl Recursive {
    /// Makes a set; `post` carries the queries of the resolvers that are asked over HTTPS.
    #[must_use]
    pub fn new(resolvers: Vec<Resolver>, post: DohPost) -> Self {
        Self { source: Source::Settings(resolvers), post }
    }

    /// Makes a set of the resolvers that the system is configured with, now and later; none while its configuration cannot be
    /// read.
    #[must_use]
    pub fn of_system(post: DohPost) -> Self {
        Self { source: Source::File(PathBuf::from("/etc/resolv.conf")), post }
    }

    /// Returns the resolvers of the set.
    #[must_use]
    pub fn resolvers(&self) -> Cow<'_, [Resolver]> {
        match &self.source {
            Source::Settings(resolvers) => resolvers.into(),
            Source::File(file) => resolvers_in(file).unwrap_or_default().into(),
        }
    }

    /// Asks all resolvers at once and returns the first reply that `useful` accepts. Once one has answered that there is
    /// nothing, the others get a second more: a dead one must not use up the time of the questions that follow.
    ///
    /// # Errors
    /// If no reply is useful by the deadline: what each resolver did instead, a line for people each.
    pub fn ask(
        &self,
        question: &Question,
        deadline: Instant,
        useful: impl Fn(&Reply) -> bool,
    ) -> Result<Reply, Vec<String>> {
        self.start(question, deadline).first(useful)
    }

    /// Asks all resolvers at once and returns every reply that comes by the deadline.
    #[must_use]
    pub fn ask_each(&self, question: &Question, deadline: Instant) -> Vec<Reply> {
        let asked = self.start(question, deadline);
        std::iter::from_fn(|| asked.next(deadline)).filter_map(|(_, outcome)| outcome.ok()).collect()
    }

    /// Sends a question to all resolvers; what they answer is looked at later.
    pub(super) fn start(&self, question: &Question, deadline: Instant) -> Asked {
        let (sender, outcomes) = mpsc::channel();
        for resolver in self.resolvers().as_ref() {
            let (name, question, post) = (resolver.clone(), question.clone(), Arc::clone(&self.post));
            let answer = sender.clone();
            // Not joined: a resolver that hangs must not hold up the others; the deadline ends the thread.
            let spawned = thread::Builder::new().name("resolver".to_owned()).spawn(move || {
                let outcome = ask_one(&name, &question, &post, deadline);
                answer.send((name, outcome)).ok();
            });
            if spawned.is_err() {
                sender.send((resolver.clone(), Err("not queried: the system starts no more threads".to_owned()))).ok();
            }
        }
        Asked { outcomes, deadline }
    }
}

/// What one resolver answered, or in words why it did not.
type Outcome = (Resolver, Result<Reply, String>);

/// A question that is under way.
pub(super) struct Asked {
    outcomes: mpsc::Receiver<Outcome>,
    deadline: Instant,
}

impl Asked {
    /// Waits as [`Recursive::ask`] does.
    pub(super) fn first(self, useful: impl Fn(&Reply) -> bool) -> Result<Reply, Vec<String>> {
        let mut until = self.deadline;
        let mut failures = Vec::new();
        while let Some((resolver, outcome)) = self.next(until) {
            let outcome = match outcome {
                Ok(reply) if useful(&reply) => return Ok(reply),
                Ok(reply) => {
                    if reply.is_answer() {
                        until = until.min(Instant::now() + PATIENCE);
                    }
                    describe(&reply)
                }
                Err(outcome) => outcome,
            };
            failures.push(format!("{resolver}: {outcome}"));
        }
        Err(failures)
    }

    /// Returns the next outcome; nothing when all are there or the time is up.
    fn next(&self, until: Instant) -> Option<Outcome> {
        let left = until.saturating_duration_since(Instant::now());
        self.outcomes.recv_timeout(left + GRACE).ok()
    }
}

fn describe(reply: &Reply) -> String {
    match reply.code() {
        ResponseCode::NoError if reply.has_answers() => "an answer without the record that was asked for".to_owned(),
        ResponseCode::NoError => "an empty answer".to_owned(),
        _ => reply.code_name(),
    }
}

fn ask_one(resolver: &Resolver, question: &Question, post: &DohPost, deadline: Instant) -> Result<Reply, String> {
    match resolver {
        Resolver::Plain(address) => ask_plain(*address, question, deadline).map_err(|error| error.to_string()),
        Resolver::Https(url) => {
            let query = question.encode().map_err(|_| "the name cannot be queried".to_owned())?;
            let reply = post(url, query.bytes(), deadline)?;
            query.read(&reply).map_err(|_| "something that is not a DNS message".to_owned())
        }
    }
}

/// Asks until something comes back: a datagram may get lost.
fn ask_plain(address: SocketAddr, question: &Question, deadline: Instant) -> Result<Reply, AskError> {
    loop {
        let attempt = deadline.min(Instant::now() + ATTEMPT);
        match ask_whole(address, question, None, attempt) {
            Err(AskError::TimedOut) if Instant::now() < deadline => {}
            other => return other,
        }
    }
}

/// Reads a file as resolv.conf(5). Not by hickory, which refuses the whole file for an odd `search` line and drops the
/// interface of `fe80::1%eth0`.
fn resolvers_in(file: &Path) -> io::Result<Vec<Resolver>> {
    let mut text = Vec::new();
    ownership::open_regular(file)?.take(MAX_RESOLV_CONF).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).lines().filter_map(nameserver).map(Resolver::Plain).collect())
}

/// Reads a `nameserver` line of resolv.conf(5); every other line is of no concern here.
fn nameserver(line: &str) -> Option<SocketAddr> {
    const PORT: u16 = 53;
    let mut words = line.split_whitespace();
    let address = words.next().filter(|word| *word == "nameserver").and_then(|_| words.next())?;
    if let Ok(ip) = address.parse::<IpAddr>() {
        return Some((ip, PORT).into());
    }
    // A link-local address names its interface; the system knows the number that belongs to it.
    let (ip, _) = address.split_once('%')?;
    ip.parse::<Ipv6Addr>().ok()?;
    (address, PORT).to_socket_addrs().ok()?.next()
}

#[cfg(test)]
mod tests;
