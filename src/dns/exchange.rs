//! One question to one address: a fresh socket each time, over UDP or TCP, with an exact deadline.
//! Standard sockets instead of hickory's resolver, because a connected UDP socket reports a closed port or a missing
//! route at once, and because authority (AA) has to be seen on negative answers too.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::message::{Query, Question, Reply};
use super::pace::{Pace, Turn};

/// Replies over UDP are read into a buffer of this size, in bytes; more than is ever asked for.
const UDP_BUFFER: usize = 4096;

/// Stack of a thread that asks one question, in bytes: it holds a packet buffer and little else.
pub const STACK: usize = 128 * 1024;

/// So many packets that do not answer the question are read, and no more: a flood of them would keep a processor busy until
/// the deadline, and each is one more guess at the id.
const MOST_FOREIGN: usize = 4096;

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
    #[error("not asked: too many open files here, or no memory")]
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

/// Asks one address one question and waits for the answer until the deadline. A truncated reply is returned as it is.
///
/// # Errors
/// [`AskError`], at the deadline at the latest.
pub fn ask(
    server: SocketAddr,
    question: &Question,
    transport: Transport,
    deadline: Instant,
) -> Result<Reply, AskError> {
    Exchange { server, deadline, sent: &|| () }.run(question, transport)
}

/// Asks as [`ask`] does, in a turn of the server's pace.
///
/// # Errors
/// [`AskError`], at the deadline at the latest.
pub fn ask_in_turn(
    turn: &Turn<'_>,
    question: &Question,
    transport: Transport,
    deadline: Instant,
) -> Result<Reply, AskError> {
    Exchange { server: turn.server, deadline, sent: &|| turn.sent() }.run(question, transport)
}

/// Asks over UDP and, if the reply was cut, once more over TCP within the same deadline.
///
/// # Errors
/// [`AskError`] of the last attempt.
pub fn ask_whole(server: SocketAddr, question: &Question, deadline: Instant) -> Result<Reply, AskError> {
    match ask(server, question, Transport::Udp, deadline) {
        Ok(reply) if reply.truncated => ask(server, question, Transport::Tcp, deadline),
        other => other,
    }
}

/// Asks as [`ask_whole`] does, but keeps the pace of the address: the repeat over TCP is a question too.
///
/// # Errors
/// [`AskError`] of the last attempt; [`AskError::TimedOut`] if its turn does not come by the deadline.
pub fn ask_paced(server: SocketAddr, question: &Question, pace: &Pace, deadline: Instant) -> Result<Reply, AskError> {
    let ask = |transport| {
        let turn = pace.wait(server, deadline).ok_or(AskError::TimedOut)?;
        ask_in_turn(&turn, question, transport, deadline)
    };
    match ask(Transport::Udp) {
        Ok(reply) if reply.truncated => ask(Transport::Tcp),
        other => other,
    }
}

/// One question on its way.
struct Exchange<'a> {
    server: SocketAddr,
    deadline: Instant,
    /// Called when the question has left.
    sent: &'a dyn Fn(),
}

impl Exchange<'_> {
    fn run(&self, question: &Question, transport: Transport) -> Result<Reply, AskError> {
        let query = question.encode().map_err(|_| AskError::Malformed)?;
        match transport {
            Transport::Udp => self.over_udp(&query),
            Transport::Tcp => self.over_tcp(&query),
        }
    }

    fn over_udp(&self, query: &Query) -> Result<Reply, AskError> {
        let any: SocketAddr = match self.server {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        // Bound to a port of the kernel's choice for each question, and connected: packets from elsewhere are dropped.
        let socket = when_free(self.deadline, || UdpSocket::bind(any))?;
        socket.connect(self.server)?;
        socket.send(query.bytes())?;
        (self.sent)();
        let mut buffer = [0; UDP_BUFFER];
        let mut malformed = false;
        for _ in 0..MOST_FOREIGN {
            let timed_out = if malformed { AskError::Malformed } else { AskError::TimedOut };
            socket.set_read_timeout(Some(left(self.deadline).ok_or(timed_out)?))?;
            match socket.recv(&mut buffer) {
                Ok(length) => match query.read(buffer.get(..length).unwrap_or_default()) {
                    Ok(reply) => return Ok(reply),
                    Err(_) => malformed = true,
                },
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(timed_out),
                Err(error) => return Err(error.into()),
            }
        }
        Err(AskError::Malformed)
    }

    fn over_tcp(&self, query: &Query) -> Result<Reply, AskError> {
        let deadline = self.deadline;
        let connect = || TcpStream::connect_timeout(&self.server, left(deadline).ok_or(io::ErrorKind::TimedOut)?);
        let mut stream = when_free(deadline, connect)?;
        let length = u16::try_from(query.bytes().len()).map_err(|_| AskError::Malformed)?;
        let mut framed = length.to_be_bytes().to_vec();
        framed.extend_from_slice(query.bytes());
        stream.set_write_timeout(Some(left(deadline).ok_or(AskError::TimedOut)?))?;
        stream.write_all(&framed)?;
        (self.sent)();
        let mut length = [0; 2];
        read_exact(&mut stream, &mut length, deadline)?;
        let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
        read_exact(&mut stream, &mut reply, deadline)?;
        query.read(&reply).map_err(|_| AskError::Malformed)
    }
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
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::dns::message::Kind;
    use crate::name::DnsName;

    fn question() -> Question {
        Question::authoritative(&DnsName::parse("a.example").unwrap(), Kind::Txt)
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(300)
    }

    /// Answers one datagram with the given packets, made from the query's bytes.
    fn answer_once(packets: fn(&[u8]) -> Vec<Vec<u8>>) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 2048];
            let (length, from) = socket.recv_from(&mut buffer).unwrap();
            for packet in packets(&buffer[..length]) {
                socket.send_to(&packet, from).unwrap();
            }
        });
        address
    }

    fn response(query: &[u8]) -> Vec<u8> {
        let mut bytes = query.to_vec();
        bytes[2] |= 0x84; // QR and AA
        bytes
    }

    #[test]
    fn a_right_answer_is_found_behind_wrong_ones() {
        let server = answer_once(|query| {
            let mut wrong_id = response(query);
            wrong_id[0] ^= 1;
            vec![b"junk".to_vec(), wrong_id, query.to_vec(), response(query)]
        });
        let reply = ask(server, &question(), Transport::Udp, Instant::now() + Duration::from_secs(5)).unwrap();
        assert!(reply.authoritative);
    }

    #[test]
    fn broken_packets_alone_are_told_from_silence() {
        let server = answer_once(|_| vec![b"junk".to_vec()]);
        assert_eq!(ask(server, &question(), Transport::Udp, soon()), Err(AskError::Malformed));
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = silent.local_addr().unwrap();
        assert_eq!(ask(address, &question(), Transport::Udp, soon()), Err(AskError::TimedOut));
    }

    #[test]
    fn a_flood_of_wrong_packets_is_not_read_until_the_deadline() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let server = socket.local_addr().unwrap();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let flood = std::thread::spawn(move || {
            let (_, from) = socket.recv_from(&mut [0; 2048]).unwrap();
            while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                socket.send_to(b"junk", from).ok();
            }
        });
        let deadline = Instant::now() + Duration::from_secs(60);
        assert_eq!(ask(server, &question(), Transport::Udp, deadline), Err(AskError::Malformed));
        assert!(Instant::now() < deadline);
        drop(stop);
        flood.join().unwrap();
    }

    #[test]
    fn a_closed_port_is_seen_at_once() {
        let address = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let late = Instant::now() + Duration::from_secs(60);
        assert_eq!(ask(address, &question(), Transport::Udp, late), Err(AskError::Refused));
        assert_eq!(ask(address, &question(), Transport::Tcp, late), Err(AskError::Refused));
    }

    #[test]
    fn a_machine_without_a_network_has_no_route() {
        for errno in [Errno::AFNOSUPPORT, Errno::NETDOWN, Errno::NETUNREACH, Errno::ADDRNOTAVAIL] {
            assert_eq!(AskError::from(io::Error::from(errno)), AskError::NoRoute, "{errno}");
        }
    }

    #[test]
    fn a_socket_is_waited_for_until_the_deadline() {
        let tries = std::cell::Cell::new(0);
        let open = |free_at: u32| {
            tries.set(tries.get() + 1);
            if tries.get() < free_at { Err(io::Error::from(Errno::MFILE)) } else { Ok(tries.get()) }
        };
        assert_eq!(when_free(Instant::now() + Duration::from_secs(60), || open(3)), Ok(3));
        assert_eq!(when_free(soon(), || open(u32::MAX)), Err(AskError::NoSocket));
        let refused = || Err::<(), _>(io::Error::from(ErrorKind::ConnectionRefused));
        assert_eq!(when_free(soon(), refused), Err(AskError::Refused));
    }

    #[test]
    fn the_repeat_over_tcp_takes_a_turn_too() {
        let server = answer_once(|query| {
            let mut cut = response(query);
            cut[2] |= 0x02; // TC
            vec![cut]
        });
        let pace = Pace::default();
        assert!(ask_paced(server, &question(), &pace, Instant::now() + Duration::from_secs(5)).is_err());
        assert_eq!(pace.free(server.ip(), Instant::now()), crate::dns::pace::MOST - 2);
    }

    #[test]
    fn a_slow_tcp_peer_does_not_stretch_the_deadline() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let peer = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(&[0xff, 0xff]).unwrap();
            while stopped.recv_timeout(Duration::from_millis(50)).is_err() && stream.write_all(&[0]).is_ok() {}
        });
        assert_eq!(ask(address, &question(), Transport::Tcp, soon()), Err(AskError::TimedOut));
        stop.send(()).ok();
        peer.join().unwrap();
    }
}
