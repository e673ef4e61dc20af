use std::net::TcpListener;

use super::*;
use crate::dns::message::RecordType;
use crate::name::DnsName;

fn question() -> Question {
    Question::authoritative(&DnsName::parse("a.example").unwrap(), RecordType::TXT)
}

fn ask(server: SocketAddr, question: &Question, transport: Transport, deadline: Instant) -> Result<Reply, AskError> {
    super::ask(server, question, transport, deadline, || {})
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
    assert!(reply.authoritative());
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
    let pace = Arc::new(Pace::default());
    let all = pace.free(server.ip(), Instant::now());
    assert!(ask_whole(server, &question(), Some(&pace), Instant::now() + Duration::from_secs(5)).is_err());
    // Nobody listens over TCP, so that query never left.
    assert_eq!(pace.free(server.ip(), Instant::now()), all - 1);
}

#[test]
fn who_refuses_edns_is_asked_again_without_it() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let server = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let mut reply = response(&buffer[..length]);
            if reply[11] > 0 {
                // FORMERR, and nothing but the header.
                reply.truncate(12);
                reply[3] |= 1;
                reply[4..].fill(0);
            }
            socket.send_to(&reply, from).unwrap();
        }
    });
    let pace = Arc::new(Pace::default());
    let deadline = Instant::now() + Duration::from_secs(5);
    let all = pace.free(server.ip(), Instant::now());
    assert!(ask_whole(server, &question(), Some(&pace), deadline).unwrap().is_answer());
    assert_eq!(pace.free(server.ip(), Instant::now()), all - 2);
    let once = ask(server, &question(), Transport::Udp, deadline);
    assert!(once.unwrap().refuses_edns());
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
