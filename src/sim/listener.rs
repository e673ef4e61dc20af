//! The sockets of a DNS server: datagrams and TCP connections in, packets out.
//! What is answered is the business of a [`Responder`].

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::Arc,
    time::{Duration, Instant},
};

use hickory_resolver::proto::op::{Message, MessageType};

use super::{
    log::Transport,
    packets::{Packet, Route},
    settings::Listen,
    threads::Crew,
};

/// How often a waiting thread looks whether it should go on.
const LOOK: Duration = Duration::from_millis(100);
/// How often a closed port is tried again after it was opened.
const RETRY: Duration = Duration::from_millis(10);
/// How long a TCP connection may be idle.
const IDLE: Duration = Duration::from_secs(10);

/// A question and where it came from.
pub(super) struct Asked<'a> {
    pub(super) query: &'a Message,
    pub(super) transport: Transport,
    pub(super) peer: SocketAddr,
}

/// What goes out for one question, and how long after it.
pub(super) struct Answer {
    pub(super) after: Duration,
    pub(super) packets: Vec<Packet>,
}

/// A server behind the sockets.
pub(super) trait Responder: Send + Sync + 'static {
    /// Answers a question, or does not.
    fn respond(&self, asked: &Asked<'_>) -> Option<Answer>;

    /// What a port does at the moment.
    fn port(&self, transport: Transport) -> Listen;

    /// Is told that a port was opened or closed.
    fn port_is(&self, transport: Transport, bound: bool);

    /// Takes note of a question that a silent port swallowed.
    fn mute(&self, asked: &Asked<'_>);
}

/// Both sockets of an address, bound.
pub(super) struct Sockets {
    udp: UdpSocket,
    tcp: TcpListener,
}

impl Sockets {
    /// Takes the port of an address for UDP and TCP.
    pub(super) fn bind(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { udp: UdpSocket::bind(address)?, tcp: TcpListener::bind(address)? })
    }
}

/// Starts the threads of a server.
pub(super) fn serve(sockets: Sockets, address: SocketAddr, server: &Arc<impl Responder>, crew: &Arc<Crew>) {
    crew.on_stop(move || wake(address));
    let (for_udp, udp_crew) = (server.clone(), crew.clone());
    crew.spawn(move || serve_udp(sockets.udp, address, &for_udp, &udp_crew));
    let (for_tcp, tcp_crew) = (server.clone(), crew.clone());
    crew.spawn(move || serve_tcp(sockets.tcp, address, &for_tcp, &tcp_crew));
}

/// Lets the threads of an address look at their settings again.
pub(super) fn wake(address: SocketAddr) {
    let any: SocketAddr = if address.is_ipv6() { ([0; 8], 0).into() } else { ([0; 4], 0).into() };
    // Where nobody listens nobody sleeps: a failure needs no care.
    let _ = UdpSocket::bind(any).and_then(|socket| socket.send_to(&[], address));
    let _ = TcpStream::connect_timeout(&address, LOOK);
}

fn serve_udp(socket: UdpSocket, address: SocketAddr, server: &Arc<impl Responder>, crew: &Arc<Crew>) {
    let mut open = Some(Arc::new(socket));
    let mut buffer = vec![0; usize::from(u16::MAX)];
    while !crew.stop().is_set() {
        if server.port(Transport::Udp) == Listen::Closed {
            open = None;
        } else if open.is_none() {
            open = UdpSocket::bind(address).ok().map(Arc::new);
        }
        server.port_is(Transport::Udp, open.is_some());
        let Some(socket) = &open else {
            crew.stop().pause(RETRY);
            continue;
        };
        let Ok((length, peer)) = socket.recv_from(&mut buffer) else { continue };
        if let Some(query) = buffer.get(..length).and_then(question) {
            serve_datagram(socket, &Asked { query: &query, transport: Transport::Udp, peer }, server, crew);
        }
    }
}

fn serve_datagram(socket: &Arc<UdpSocket>, asked: &Asked<'_>, server: &Arc<impl Responder>, crew: &Arc<Crew>) {
    if server.port(Transport::Udp) != Listen::Open {
        return server.mute(asked);
    }
    let Some(answer) = server.respond(asked) else { return };
    if answer.after.is_zero() {
        return send(socket, &answer.packets, asked.peer);
    }
    let (socket, peer, pausing) = (socket.clone(), asked.peer, crew.clone());
    crew.spawn(move || {
        if !pausing.stop().pause(answer.after) {
            send(&socket, &answer.packets, peer);
        }
    });
}

fn send(socket: &UdpSocket, packets: &[Packet], peer: SocketAddr) {
    for packet in packets {
        // An asker who has gone away is no concern of a name server.
        let _ = match packet.route {
            Route::Asked => socket.send_to(&packet.bytes, peer),
            Route::OtherPort => send_from_other_port(socket, &packet.bytes, peer),
        };
    }
}

fn send_from_other_port(socket: &UdpSocket, bytes: &[u8], peer: SocketAddr) -> io::Result<usize> {
    UdpSocket::bind((socket.local_addr()?.ip(), 0))?.send_to(bytes, peer)
}

/// Reads a packet as a question; anything else is nobody's business.
fn question(packet: &[u8]) -> Option<Message> {
    Message::from_vec(packet).ok().filter(|message| message.metadata.message_type == MessageType::Query)
}

fn serve_tcp(listener: TcpListener, address: SocketAddr, server: &Arc<impl Responder>, crew: &Arc<Crew>) {
    let mut open = Some(listener);
    while !crew.stop().is_set() {
        if server.port(Transport::Tcp) == Listen::Closed {
            open = None;
        } else if open.is_none() {
            open = TcpListener::bind(address).ok();
        }
        server.port_is(Transport::Tcp, open.is_some());
        let Some(listener) = &open else {
            crew.stop().pause(RETRY);
            continue;
        };
        let Ok((stream, peer)) = listener.accept() else { continue };
        if server.port(Transport::Tcp) == Listen::Closed {
            continue;
        }
        let (for_connection, connection_crew) = (server.clone(), crew.clone());
        // The peer of a broken connection sees that it is broken.
        crew.spawn(move || drop(serve_connection(stream, peer, &for_connection, &connection_crew)));
    }
}

fn serve_connection(
    mut stream: TcpStream,
    peer: SocketAddr,
    server: &Arc<impl Responder>,
    crew: &Arc<Crew>,
) -> io::Result<()> {
    stream.set_read_timeout(Some(LOOK))?;
    stream.set_nodelay(true)?;
    loop {
        let mut length = [0; 2];
        read_full(&mut stream, &mut length, crew)?;
        let mut packet = vec![0; usize::from(u16::from_be_bytes(length))];
        read_full(&mut stream, &mut packet, crew)?;
        let Some(query) = question(&packet) else { continue };
        let asked = Asked { query: &query, transport: Transport::Tcp, peer };
        if server.port(Transport::Tcp) != Listen::Open {
            server.mute(&asked);
            continue;
        }
        let Some(answer) = server.respond(&asked) else { continue };
        if crew.stop().pause(answer.after) {
            return Ok(());
        }
        for packet in &answer.packets {
            let length = u16::try_from(packet.bytes.len()).map_err(|_| ErrorKind::InvalidData)?;
            stream.write_all(&[&length.to_be_bytes(), packet.bytes.as_slice()].concat())?;
        }
    }
}

/// Fills a buffer unless the simulation ends or the peer is idle for too long.
fn read_full(stream: &mut TcpStream, buffer: &mut [u8], crew: &Crew) -> io::Result<()> {
    let end = Instant::now() + IDLE;
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match stream.read(rest) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => filled += count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if crew.stop().is_set() || Instant::now() > end {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
