//! A server for tests that plays a script: one step per request, over real sockets on loopback.
//! What a provider would answer is not known here; see the simulator for that.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::http::{Endpoint, HttpClient, HttpConfig, ProxyEnv};

/// What the server does with one request.
pub(crate) enum Step {
    /// Answers with this status, these further headers, and this body.
    Answer(u16, &'static [(&'static str, &'static str)], String),
    /// Sends these bytes and closes the connection.
    Raw(Vec<u8>),
    /// Closes the connection without a byte.
    Close,
    /// Closes it before the request was read, so that the other side sees a reset.
    Reset,
    /// Keeps silent until the client goes away.
    Stall,
    /// Sends a body that does not end.
    Endless,
    /// Sends one byte of the body now and then, for longer than any test waits.
    Drip,
}

impl Step {
    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self::Answer(status, &[("Content-Type", "application/json")], body.to_owned())
    }
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// The first line and the headers.
    pub(crate) head: String,
    /// The body.
    pub(crate) body: String,
    /// The number of the connection, from 0.
    pub(crate) connection: usize,
}

pub(crate) struct Scripted {
    port: u16,
    seen: Receiver<Seen>,
}

impl Scripted {
    pub(crate) fn start(steps: Vec<Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, seen) = channel();
        let steps = Arc::new(Mutex::new(VecDeque::from(steps)));
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().flatten().enumerate() {
                let (steps, sender) = (Arc::clone(&steps), sender.clone());
                std::thread::spawn(move || serve(stream, number, &steps, &sender));
            }
        });
        Self { port, seen }
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::parse(&format!("http://127.0.0.1:{}/api", self.port)).unwrap()
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.try_iter().collect()
    }
}

/// A client with a short timeout that reads no proxy from anywhere.
pub(crate) fn client(timeout: Duration) -> HttpClient {
    HttpClient::new(&HttpConfig {
        timeout,
        ca_file: None,
        certificates: crate::http::CertEnv::default(),
        proxy: ProxyEnv::default(),
        user_agent: "ipv64-acme-test".to_owned(),
    })
    .unwrap()
}

fn serve(mut stream: TcpStream, connection: usize, steps: &Mutex<VecDeque<Step>>, seen: &Sender<Seen>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        if !matches!(stream.peek(&mut [0]), Ok(1..)) {
            return;
        }
        let Some(step) = steps.lock().unwrap().pop_front() else { return };
        if matches!(step, Step::Reset) {
            // Closed with the request unread in the socket: close(2) sends a reset then.
            return;
        }
        let Some(request) = read_request(&mut reader, connection) else { return };
        seen.send(request).ok();
        if play(&mut stream, step).is_err() {
            return;
        }
    }
}

fn read_request(reader: &mut BufReader<TcpStream>, connection: usize) -> Option<Seen> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Seen { head, body: String::from_utf8(body).ok()?, connection })
}

fn play(stream: &mut TcpStream, step: Step) -> std::io::Result<()> {
    const CLOSED: std::io::ErrorKind = std::io::ErrorKind::ConnectionAborted;
    match step {
        Step::Answer(status, headers, body) => {
            let mut head = format!("HTTP/1.1 {status} Whatever\r\nContent-Length: {}\r\n", body.len());
            for (name, value) in headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            stream.write_all(format!("{head}\r\n{body}").as_bytes())
        }
        Step::Raw(bytes) => {
            stream.write_all(&bytes)?;
            Err(CLOSED.into())
        }
        Step::Close | Step::Reset => Err(CLOSED.into()),
        Step::Stall => {
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest)?;
            Err(CLOSED.into())
        }
        Step::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            loop {
                stream.write_all(format!("10000\r\n{}\r\n", "a".repeat(0x10000)).as_bytes())?;
            }
        }
        Step::Drip => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")?;
            loop {
                stream.write_all(b"a")?;
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}
