//! Recursive resolvers, over port 53 or over HTTPS (RFC 8484), each asked on its own and all at once.
//! A dead or lying one costs nothing as long as another one gives a useful reply. They are asked about zones and
//! addresses of name servers; about a challenge record only where no authoritative server can be asked.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use super::exchange::{AskError, ask_whole};
use super::message::{Question, Rcode, Reply};

/// How long one attempt waits for a datagram before it is sent again.
const ATTEMPT: Duration = Duration::from_secs(2);
/// After the deadline, how long outcomes that are just coming in are still taken.
const GRACE: Duration = Duration::from_millis(50);
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
            Self::Https(url) => f.write_str(url),
        }
    }
}

/// What one resolver did with a question, where it was of no use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoUse {
    /// Who was asked.
    pub resolver: Resolver,
    /// What came back, in words: `SERVFAIL`, `no answer`.
    pub outcome: String,
}

impl fmt::Display for NoUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.resolver, self.outcome)
    }
}

/// A set of resolvers that are asked together.
#[derive(Clone)]
pub struct Recursive {
    resolvers: Vec<Resolver>,
    post: DohPost,
}

impl fmt::Debug for Recursive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.resolvers).finish()
    }
}

impl Recursive {
    /// Makes a set; `post` carries the queries of the resolvers that are asked over HTTPS.
    #[must_use]
    pub fn new(resolvers: Vec<Resolver>, post: DohPost) -> Self {
        Self { resolvers, post }
    }

    /// Returns the resolvers of the set.
    #[must_use]
    pub fn resolvers(&self) -> &[Resolver] {
        &self.resolvers
    }

    /// Asks all resolvers at once and returns the first reply that `useful` accepts.
    ///
    /// # Errors
    /// If no reply is useful by the deadline: what each resolver did instead.
    pub fn ask(
        &self,
        question: &Question,
        deadline: Instant,
        useful: impl Fn(&Reply) -> bool,
    ) -> Result<Reply, Vec<NoUse>> {
        let mut no_use = Vec::new();
        for (resolver, outcome) in self.replies(question, deadline) {
            match outcome {
                Ok(reply) if useful(&reply) => return Ok(reply),
                Ok(reply) => no_use.push(NoUse { resolver, outcome: describe(&reply) }),
                Err(outcome) => no_use.push(NoUse { resolver, outcome }),
            }
        }
        Err(no_use)
    }

    /// Asks all resolvers at once and returns every reply that comes by the deadline.
    #[must_use]
    pub fn ask_each(&self, question: &Question, deadline: Instant) -> Vec<Reply> {
        self.replies(question, deadline).filter_map(|(_, outcome)| outcome.ok()).collect()
    }

    /// Returns the outcomes as they come in, until all are there or the deadline has passed.
    fn replies(
        &self,
        question: &Question,
        deadline: Instant,
    ) -> impl Iterator<Item = (Resolver, Result<Reply, String>)> + use<> {
        let (sender, replies) = mpsc::channel();
        for resolver in &self.resolvers {
            let (resolver, question, post) = (resolver.clone(), question.clone(), Arc::clone(&self.post));
            let sender = sender.clone();
            // Not joined: a resolver that hangs must not hold up the others; the deadline ends the thread.
            let spawned = thread::Builder::new().name("resolver".to_owned()).spawn(move || {
                let outcome = ask_one(&resolver, &question, &post, deadline);
                sender.send((resolver, outcome)).ok();
            });
            drop(spawned);
        }
        std::iter::from_fn(move || {
            let left = deadline.saturating_duration_since(Instant::now());
            replies.recv_timeout(left + GRACE).ok()
        })
    }
}

fn describe(reply: &Reply) -> String {
    match reply.rcode {
        Rcode::NoError if reply.answers.is_empty() => "an empty answer".to_owned(),
        Rcode::NoError => "an answer without what was asked for".to_owned(),
        other => other.to_string(),
    }
}

fn ask_one(resolver: &Resolver, question: &Question, post: &DohPost, deadline: Instant) -> Result<Reply, String> {
    match resolver {
        Resolver::Plain(address) => ask_plain(*address, question, deadline).map_err(|error| error.to_string()),
        Resolver::Https(url) => {
            let (query, bytes) = question.encode().map_err(|_| "the name cannot be asked for".to_owned())?;
            let reply = post(url, &bytes, deadline)?;
            Reply::decode(&reply, &query).map_err(|_| "something that is not a DNS message".to_owned())
        }
    }
}

/// Asks until something comes back: a datagram may get lost.
fn ask_plain(address: SocketAddr, question: &Question, deadline: Instant) -> Result<Reply, AskError> {
    loop {
        let attempt = deadline.min(Instant::now() + ATTEMPT);
        match ask_whole(address, question, attempt) {
            Err(AskError::TimedOut | AskError::Malformed) if Instant::now() < deadline => {}
            other => return other,
        }
    }
}

/// Returns the resolvers that the system is configured with; none if its configuration cannot be read.
#[must_use]
pub fn of_system() -> Vec<Resolver> {
    const PORT: u16 = 53;
    let Ok((config, _)) = hickory_resolver::system_conf::read_system_conf() else { return Vec::new() };
    config.name_servers().iter().map(|server| Resolver::Plain((server.ip, PORT).into())).collect()
}
