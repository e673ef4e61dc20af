//! One question to one address: a fresh socket each time, over UDP or TCP, with an exact deadline.
//! Standard sockets instead of hickory's resolver, because a connected UDP socket reports a closed port or a missing
//! route at once, and because authority (AA) has to be seen on negative answers too.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::message::{Query, Question, Reply};
use super::pace::Pace;

/// Replies over UDP are read into a buffer of this size, in bytes; more than is ever asked for.
const UDP_BUFFER: usize = 4096;

/// Stack of a thread that asks one question, in bytes: it holds a packet buffer and little else.
pub const STACK: usize = 128 * 1024;

/// So many packets that do not answer the question are read, and no more: a flood of them would keep a processor busy until
/// the deadline, and each is one more guess at the id.
const MOST_FOREIGN: usize = 4096;

/// How long an answer is waited for, from when the query left: one that waits for the pace says nothing about the server.
pub(super) const ANSWER: Duration = Duration::from_millis(1800);

/// How long to wait for another question to give its socket back, where there are no more of them.
const SOCKET_PAUSE: Duration = Duration::from_millis(20);

/// How a question travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// One datagram each way.
    Udp,
    /// A connection of its own (RFC 7766).
    Tcp,
}

/// Why there was no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// Nothing came in time.
    #[error("no answer")]
    TimedOut,
    /// Only broken packets, or packets that answer another question, came in time, or too many of them.
    #[error("only malformed or foreign packets")]
    Malformed,
    /// The host refused: nothing listens there.
    #[error("connection refused")]
    Refused,
    /// This machine has no way there, for example no IPv6.
    #[error("no route")]
    NoRoute,
    /// This process or this machine has no socket to spare, which says nothing about the server.
    #[error("not queried: too many open files here, or no memory")]
    NoSocket,
    /// The connection broke, or the system refused a socket.
    #[error("connection failed ({0})")]
    Failed(ErrorKind),
}

impl From<io::Error> for AskError {
    fn from(error: io::Error) -> Self {
        // std has no kinds for these; without IPv6 in the kernel there is no such socket.
        match Errno::from_io_error(&error) {
            Some(Errno::AFNOSUPPORT) => return Self::NoRoute,
            Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => return Self::NoSocket,
            _ => {}
        }
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Self::TimedOut,
            ErrorKind::ConnectionRefused => Self::Refused,
            ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::AddrNotAvailable
            | ErrorKind::Unsupported => Self::NoRoute,
            other => Self::Failed(other),
        }
    }
}

/// Returns whether this machine has a way to an address, as far as its own routes tell; sends nothing.
#[must_use]
pub fn has_route(address: SocketAddr) -> bool {
    let socket = UdpSocket::bind(any_address(address));
    socket.and_then(|socket| socket.connect(address)).map_err(AskError::from) != Err(AskError::NoRoute)
}

/// The address to bind to of the same family.
fn any_address(peer: SocketAddr) -> SocketAddr {
    match peer {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}

/// Asks one address one question and waits for the answer until the deadline; `sent` is called when the query has left. A
/// truncated reply is returned as it is.
///
/// # Errors
/// [`AskError`], at the deadline at the latest.
pub fn ask(
    server: SocketAddr,
    question: &Question,
    transport: Transport,
    deadline: Instant,
    sent: impl FnOnce(),
) -> Result<Reply, AskError> {
    // Nothing leaves whose answer nobody would wait for.
    left(deadline).ok_or(AskError::TimedOut)?;
    let query = question.encode().map_err(|_| AskError::Malformed)?;
    match transport {
        Transport::Udp => over_udp(server, &query, deadline, sent),
        Transport::Tcp => over_tcp(server, &query, deadline, sent),
    }
}

/// Asks over UDP and, if the reply was cut, once more over TCP within the same deadline; each as `ask_over` does.
///
/// # Errors
/// As `ask_over`, of the last attempt.
pub fn ask_whole(
    server: SocketAddr,
    question: &Question,
    pace: Option<&Arc<Pace>>,
    deadline: Instant,
) -> Result<Reply, AskError> {
    match ask_over(Transport::Udp, server, question, pace, deadline) {
        Ok(reply) if reply.truncated() => ask_over(Transport::Tcp, server, question, pace, deadline),
        other => other,
    }
}

/// Asks, and repeats without EDNS what a server refuses with it (RFC 6891 section 7). Each of them keeps the pace, if there
/// is one, and is then waited for as long as [`ANSWER`].
///
/// # Errors
/// [`AskError`] of the last attempt; [`AskError::TimedOut`] if there is no permit by the deadline.
pub(super) fn ask_over(
    transport: Transport,
    server: SocketAddr,
    question: &Question,
    pace: Option<&Arc<Pace>>,
    deadline: Instant,
) -> Result<Reply, AskError> {
    let ask_once = |question: &Question| match pace {
        Some(pace) => {
            let permit = pace.wait(server, deadline).ok_or(AskError::TimedOut)?;
            let until = deadline.min(Instant::now() + ANSWER);
            ask(server, question, transport, until, || permit.sent(Instant::now()))
        }
        None => ask(server, question, transport, deadline, || {}),
    };
    match ask_once(question) {
        Ok(reply) if question.edns && reply.refuses_edns() => ask_once(&question.without_edns()),
        other => other,
    }
}

fn over_udp(server: SocketAddr, query: &Query, deadline: Instant, sent: impl FnOnce()) -> Result<Reply, AskError> {
    // Bound to a port of the kernel's choice for each question, and connected: packets from elsewhere are dropped.
    let socket = when_free(deadline, || UdpSocket::bind(any_address(server)))?;
    socket.connect(server)?;
    socket.send(query.bytes())?;
    sent();
    let mut buffer = [0; UDP_BUFFER];
    let mut outcome = AskError::TimedOut;
    for _ in 0..MOST_FOREIGN {
        socket.set_read_timeout(Some(left(deadline).ok_or(outcome)?))?;
        match socket.recv(&mut buffer) {
            Ok(length) => match query.read(buffer.get(..length).unwrap_or_default()) {
                Ok(reply) => return Ok(reply),
                Err(_) => outcome = AskError::Malformed,
            },
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(outcome),
            Err(error) => return Err(error.into()),
        }
    }
    Err(AskError::Malformed)
}

fn over_tcp(server: SocketAddr, query: &Query, deadline: Instant, sent: impl FnOnce()) -> Result<Reply, AskError> {
    let connect = || TcpStream::connect_timeout(&server, left(deadline).ok_or(ErrorKind::TimedOut)?);
    let mut stream = when_free(deadline, connect)?;
    let length = u16::try_from(query.bytes().len()).map_err(|_| AskError::Malformed)?;
    stream.set_write_timeout(Some(left(deadline).ok_or(AskError::TimedOut)?))?;
    stream.write_all(&[&length.to_be_bytes(), query.bytes()].concat())?;
    sent();
    let mut length = [0; 2];
    read_exact(&mut stream, &mut length, deadline)?;
    let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
    read_exact(&mut stream, &mut reply, deadline)?;
    query.read(&reply).map_err(|_| AskError::Malformed)
}

/// Fills the buffer by the deadline: a peer that sends a byte now and then must not stretch it.
fn read_exact(stream: &mut TcpStream, buffer: &mut [u8], deadline: Instant) -> Result<(), AskError> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        stream.set_read_timeout(Some(left(deadline).ok_or(AskError::TimedOut)?))?;
        match stream.read(rest) {
            Ok(0) => return Err(AskError::Failed(ErrorKind::UnexpectedEof)),
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Opens a socket, and waits for one where the limit on open files is reached: a server that could not be asked must not
/// pass for one that is silent.
fn when_free<S>(deadline: Instant, open: impl Fn() -> io::Result<S>) -> Result<S, AskError> {
    loop {
        match open().map_err(AskError::from) {
            Err(AskError::NoSocket) if left(deadline).is_some_and(|left| left > SOCKET_PAUSE) => {
                std::thread::sleep(SOCKET_PAUSE);
            }
            other => return other,
        }
    }
}

/// Returns the time left; nothing if it is up (a socket timeout of zero would mean "for ever").
fn left(deadline: Instant) -> Option<Duration> {
    deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
}

#[cfg(test)]
mod tests;
