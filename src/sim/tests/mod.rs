//! The simulation as a client sees it: raw sockets and messages, no code of the product.

mod api;
mod control;
mod disturbances;
mod dns;
mod dns_faults;
mod faults;
mod resolver;
mod tls;
mod truth;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    time::Duration,
};

use hickory_resolver::proto::{
    op::{Edns, Message, Query},
    rr::{Name, RData, Record, RecordType},
};

use super::{content::texts, *};

/// The name of the record that [`ADD`] makes.
const NAME: &str = "_acme-challenge.name.ipv64.net";
const ADD: &str = "add_record=name.ipv64.net&praefix=_acme-challenge&type=TXT&content=value-1";
const DELETE: &str = "del_record=name.ipv64.net&praefix=_acme-challenge&type=TXT&content=value-1";
/// For what must come: never waited for in full.
const PATIENCE: Duration = Duration::from_secs(10);
/// For what must not come.
const SILENCE: Duration = Duration::from_millis(300);

fn start() -> Sim {
    Sim::start(Config::default()).unwrap()
}

fn question(name: &str, kind: RecordType) -> Message {
    let mut name = Name::from_ascii(name).unwrap();
    name.set_fqdn(true);
    let mut message = Message::query();
    message.metadata.recursion_desired = false;
    message.add_query(Query::query(name, kind));
    let mut edns = Edns::new();
    edns.set_max_payload(1232);
    message.set_edns(edns);
    message
}

/// Sends one datagram and returns all packets that come back within a time, the first after any time.
fn packets(server: SocketAddr, query: &Message, time: Duration) -> Vec<Vec<u8>> {
    let socket = UdpSocket::bind(if server.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" }).unwrap();
    socket.set_read_timeout(Some(time)).unwrap();
    socket.send_to(&query.to_vec().unwrap(), server).unwrap();
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok((length, _)) = socket.recv_from(&mut buffer) {
        all.push(buffer[..length].to_vec());
        socket.set_read_timeout(Some(SILENCE)).unwrap();
    }
    all
}

fn ask_udp(server: SocketAddr, query: &Message) -> std::io::Result<Message> {
    let socket = UdpSocket::bind(if server.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" })?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(server)?;
    socket.send(&query.to_vec().unwrap())?;
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer)?;
    Ok(Message::from_vec(&buffer[..length]).unwrap())
}

fn ask_tcp(server: SocketAddr, query: &Message) -> std::io::Result<Message> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let bytes = query.to_vec().unwrap();
    stream.write_all(&u16::try_from(bytes.len()).unwrap().to_be_bytes())?;
    stream.write_all(&bytes)?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer)?;
    Ok(Message::from_vec(&answer).unwrap())
}

fn ask(server: SocketAddr, name: &str, kind: RecordType) -> Message {
    ask_udp(server, &question(name, kind)).unwrap()
}

fn ns(sim: &Sim, number: usize) -> SocketAddr {
    sim.addresses(&format!("ns{number}.ipv64.net"))[0]
}

/// Sends a request and reads until the server closes.
fn raw(sim: &Sim, request: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(sim.shared.api_address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn request(method: &str, target: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    )
}

fn split(answer: &str) -> (u16, String) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// Makes a call of the API with the first account's key.
fn call(sim: &Sim, method: &str, parameters: &str) -> (u16, String) {
    let key = format!("Authorization: Bearer {}\r\n", sim.key(0).unwrap());
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let text = match method {
        "GET" => request("GET", &format!("/api?{parameters}"), &key, ""),
        _ => request(method, "/api", &format!("{key}{form}"), parameters),
    };
    split(&raw(sim, &text).unwrap())
}

/// Reads a member of a JSON answer by its pointer (RFC 6901).
fn member(body: &str, pointer: &str) -> serde_json::Value {
    let value: serde_json::Value = serde_json::from_str(body).unwrap();
    value.pointer(pointer).cloned().unwrap_or(serde_json::Value::Null)
}

#[test]
fn a_record_is_served_everywhere_and_gone_after_its_deletion() {
    let sim = start();
    assert_eq!(call(&sim, "POST", ADD).0, 201);
    for server in [ns(&sim, 1), ns(&sim, 2), sim.addresses("system")[0], sim.addresses("ca")[0]] {
        assert_eq!(texts(&ask(server, NAME, RecordType::TXT)), ["value-1"]);
        assert_eq!(texts(&ask_tcp(server, &question(NAME, RecordType::TXT)).unwrap()), ["value-1"]);
    }
    assert_eq!(sim.records_left().len(), 1);
    assert_eq!(call(&sim, "DELETE", DELETE).0, 202);
    for server in [ns(&sim, 1), ns(&sim, 2), sim.addresses("ca")[0]] {
        assert!(texts(&ask(server, NAME, RecordType::TXT)).is_empty());
    }
    assert!(sim.records_left().is_empty());
}

#[test]
fn all_ports_are_free_after_the_end() {
    let sim = start();
    // Connections that nobody closes must not hold it up.
    let _idle = [TcpStream::connect(sim.shared.api_address).unwrap(), TcpStream::connect(ns(&sim, 1)).unwrap()];
    let addresses: Vec<_> = sim.dns_servers().into_iter().map(|(_, address)| address).collect();
    drop(sim);
    for address in addresses {
        UdpSocket::bind(address).unwrap();
    }
}

#[test]
fn two_simulations_live_side_by_side() {
    let sims = [start(), start()];
    assert_eq!(call(&sims[0], "POST", ADD).0, 201);
    assert_eq!(sims[0].records_left().len(), 1);
    assert!(sims[1].records_left().is_empty());
    assert!(texts(&ask(ns(&sims[1], 1), NAME, RecordType::TXT)).is_empty());
}
