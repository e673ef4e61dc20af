//! Name servers for the tests of this room: a function answers what comes over UDP.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType, rdata};

use super::pace::Pace;
use super::recursive::{DohPost, Recursive, Resolver};
use super::zone::Lookup;

/// Starts a server that answers each question (name without the last dot, in lower case) with the reply that `answer`
/// makes of an empty one. It ends with the process.
pub(super) fn serve(
    address: &str,
    answer: impl Fn(&str, RecordType, Message) -> Message + Send + 'static,
) -> SocketAddr {
    let socket = UdpSocket::bind(address).unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let query = Message::from_vec(&buffer[..length]).unwrap();
            let asked = query.queries[0].clone();
            let name = asked.name().to_ascii().trim_end_matches('.').to_ascii_lowercase();
            let reply = answer(&name, asked.query_type(), query.into_response());
            socket.send_to(&reply.to_vec().unwrap(), from).unwrap();
        }
    });
    address
}

/// Look-ups that ask one resolver and one root server; all servers have the port of the root server.
pub(super) fn lookup(resolver: Option<SocketAddr>, root: SocketAddr) -> Lookup {
    Lookup {
        resolvers: Recursive::new(resolver.map(Resolver::Plain).into_iter().collect(), no_post()),
        fallback: Recursive::new(Vec::new(), no_post()),
        servers: Vec::new(),
        server_names: Vec::new(),
        roots: vec![root.ip()],
        port: root.port(),
        pace: Arc::new(Pace::default()),
        known: Arc::default(),
    }
}

/// Nothing goes over HTTPS.
pub(super) fn no_post() -> DohPost {
    Arc::new(|_, _, _| Err("not in this test".to_owned()))
}

/// A later moment that no healthy test reaches.
pub(super) fn late() -> std::time::Instant {
    std::time::Instant::now() + Duration::from_secs(30)
}

fn name(text: &str) -> Name {
    Name::from_ascii(format!("{text}.")).unwrap()
}

pub(super) fn ns(zone: &str, server: &str) -> Record {
    Record::from_rdata(name(zone), 60, RData::NS(rdata::NS(name(server))))
}

pub(super) fn soa(zone: &str) -> Record {
    Record::from_rdata(name(zone), 60, RData::SOA(rdata::SOA::new(name(zone), name(zone), 1, 2, 3, 4, 5)))
}

pub(super) fn a(host: &str, address: [u8; 4]) -> Record {
    Record::from_rdata(name(host), 60, RData::A(rdata::A(address.into())))
}

pub(super) fn cname(alias: &str, target: &str) -> Record {
    Record::from_rdata(name(alias), 60, RData::CNAME(rdata::CNAME(name(target))))
}
