//! The simulation as a client sees it: raw sockets, no code of the product.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    time::{Duration, Instant},
};

use hickory_resolver::proto::{
    op::{Edns, Message, Query, ResponseCode},
    rr::{Name, RData, Record, RecordType},
};

use super::*;

fn question(name: &str, kind: RecordType) -> Message {
    let mut message = Message::query();
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    let mut edns = Edns::new();
    edns.set_max_payload(1232);
    message.set_edns(edns);
    message
}

fn ask_udp(server: SocketAddr, query: &Message) -> Option<Message> {
    let socket = UdpSocket::bind(if server.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" }).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(1500))).unwrap();
    socket.connect(server).unwrap();
    socket.send(&query.to_vec().unwrap()).unwrap();
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).ok()?;
    Message::from_vec(&buffer[..length]).ok()
}

fn ask(server: SocketAddr, name: &str, kind: RecordType) -> Message {
    ask_udp(server, &question(name, kind)).unwrap()
}

fn texts(message: &Message) -> Vec<String> {
    let text = |record: &Record| match &record.data {
        RData::TXT(data) => Some(content::joined(data)),
        _ => None,
    };
    message.answers.iter().filter_map(text).collect()
}

fn call(sim: &Sim, method: &str, body: &str) -> (u16, String) {
    let key = sim.key(0).unwrap();
    let (target, body) = if method == "GET" { (format!("/api?{body}"), "") } else { ("/api".to_owned(), body) };
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(sim.api_address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

const ADD: &str = "add_record=name.ipv64.net&praefix=_acme-challenge&type=TXT&content=value-1";
const NAME: &str = "_acme-challenge.name.ipv64.net.";

#[test]
fn a_record_is_served_everywhere_and_gone_after_its_deletion() {
    let sim = Sim::start(Config::default()).unwrap();
    let ns = [sim.addresses("ns1.ipv64.net")[0], sim.addresses("ns2.ipv64.net")[0]];
    let missing = ask(ns[0], "_acme-challenge.example.com.", RecordType::TXT);
    assert_eq!((missing.metadata.response_code, missing.metadata.authoritative), (ResponseCode::NXDomain, true));
    assert_eq!(
        call(&sim, "POST", ADD),
        (201, r#"{"add_record":"name.ipv64.net","info":"success","status":"201 Created"}"#.into())
    );
    for server in ns {
        let answer = ask(server, NAME, RecordType::TXT);
        assert_eq!(texts(&answer), ["value-1"]);
        assert!(answer.metadata.authoritative);
    }
    for resolver in ["system", "ca"] {
        assert_eq!(texts(&ask(sim.addresses(resolver)[0], NAME, RecordType::TXT)), ["value-1"]);
    }
    assert_eq!(sim.records_left().len(), 1);
    assert!(sim.visible_everywhere_since(NAME, "value-1").unwrap() <= Instant::now());
    assert_eq!(call(&sim, "DELETE", &ADD.replace("add_", "del_")).0, 202);
    assert!(texts(&ask(ns[1], NAME, RecordType::TXT)).is_empty());
    assert!(sim.records_left().is_empty());
}
