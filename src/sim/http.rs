//! HTTP/1.1 on a plain socket, as far as the API needs it. The socket stays at hand, because faults need it.
//! What is answered is in [`super::api`] and [`super::control`].

use std::{
    io::{self, ErrorKind, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use super::threads::Stop;

/// The longest request that is read.
const MAX_REQUEST: usize = 1024 * 1024;
/// How often a waiting connection looks whether it should go on.
const LOOK: Duration = Duration::from_millis(50);
/// How long a connection may be idle. Shorter than the idle time of common clients, so that they meet closed
/// connections too.
const IDLE: Duration = Duration::from_secs(12);

/// A request, read to its end but for its last octet: see [`Connection`].
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    /// The value of a header; names compare without case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether the peer wants the connection closed afterwards (RFC 9112 section 9.6).
    pub(super) fn wants_close(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Response {
    pub(super) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: vec![("Content-Type".into(), content_type.into())], body: body.into() }
    }

    /// The bytes on the wire.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.head(Some(self.body.len()));
        bytes.extend(&self.body);
        bytes
    }

    /// The head alone; without a length the body ends with the connection.
    pub(super) fn head(&self, length: Option<usize>) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        match length {
            Some(length) => head.push_str(&format!("Content-Length: {length}\r\n\r\n")),
            None => head.push_str("Connection: close\r\n\r\n"),
        }
        head.into_bytes()
    }
}

/// The reason phrase of a status (RFC 9110 section 15).
pub(super) fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        301 => "Moved Permanently",
        302 => "Found",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Unknown",
    }
}

/// One connection of a client.
///
/// The last octet of each request stays in the socket's buffer until [`Connection::finish`]: a socket that is closed
/// with unread input sends a reset (RFC 2525 section 2.17), and that is how a fault resets a connection at any moment.
pub(super) struct Connection<'a> {
    stream: TcpStream,
    stop: &'a Stop,
}

impl<'a> Connection<'a> {
    pub(super) fn new(stream: TcpStream, stop: &'a Stop) -> io::Result<Self> {
        stream.set_read_timeout(Some(LOOK))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, stop })
    }

    /// Reads the next request; nothing when the peer has closed the connection.
    pub(super) fn request(&mut self) -> io::Result<Option<Request>> {
        let Some(head) = self.head()? else { return Ok(None) };
        let text = String::from_utf8_lossy(&head).into_owned();
        let mut request = parse_head(&text).ok_or(ErrorKind::InvalidData)?;
        let length = match request.header("content-length") {
            Some(length) => length.trim().parse::<usize>().map_err(|_| ErrorKind::InvalidData)?,
            None => 0,
        };
        if length > MAX_REQUEST {
            return Err(ErrorKind::InvalidData.into());
        }
        if length > 0 {
            // The head's own last octet was left as well.
            self.take(1)?;
            request.body = self.take(length - 1)?;
            request.body.extend(self.peek(1)?.first());
        }
        Ok(Some(request))
    }

    /// Takes the last octet of the request: from now on closing is no reset.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.take(1).map(drop)
    }

    /// Sends bytes.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Reads up to the empty line that ends the head, leaving its last octet.
    fn head(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut seen = 0;
        loop {
            let more = self.peek(seen + 1);
            let ready = match more {
                Err(error) if error.kind() == ErrorKind::UnexpectedEof && seen == 0 => return Ok(None),
                other => other?,
            };
            seen = ready.len();
            if let Some(end) = ready.windows(4).position(|window| window == b"\r\n\r\n") {
                return self.take(end + 3).map(Some);
            }
            if seen >= MAX_REQUEST {
                return Err(ErrorKind::InvalidData.into());
            }
        }
    }

    /// Looks at what has arrived without taking it, waiting for at least `least` octets.
    fn peek(&mut self, least: usize) -> io::Result<Vec<u8>> {
        let end = Instant::now() + IDLE;
        let mut buffer = vec![0; least.max(64 * 1024)];
        loop {
            match self.stream.peek(&mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) if count >= least => {
                    buffer.truncate(count);
                    return Ok(buffer);
                }
                // A peek returns at once while there is anything: wait for the rest without turning hot.
                Ok(_) => self.wait(end, Duration::from_millis(1))?,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    self.wait(end, Duration::ZERO)?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn take(&mut self, count: usize) -> io::Result<Vec<u8>> {
        use std::io::Read;
        let end = Instant::now() + IDLE;
        let mut buffer = vec![0; count];
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.stream.read(rest) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => filled += count,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    self.wait(end, Duration::ZERO)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(buffer)
    }

    fn wait(&self, end: Instant, pause: Duration) -> io::Result<()> {
        if self.stop.is_set() || Instant::now() > end || self.stop.pause(pause) {
            return Err(ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}

fn parse_head(text: &str) -> Option<Request> {
    let mut lines = text.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?, first.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect();
    Some(Request { method: method.into(), path: path.into(), query: query.into(), headers, body: Vec::new() })
}
