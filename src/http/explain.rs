//! Why there is no answer, in words for users: what is broken, at which address, and who says that the host is there. ureq's
//! own texts and types stay below this file.

use std::fmt::Write as _;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::connect::NoConnection;
use super::names::{NoAddress, NotThisMachine, is_in_hosts_file};
use super::race::NoneReached;
use super::tls::{tls_cause, tls_error};
use super::{Attempt, CONNECT_TIMEOUT, HttpError};
use crate::error::{Explain as _, Kind};
use crate::excerpt::excerpt;

/// How much of another's words a message shows, in characters.
const SHOWN: usize = 120;

fn seconds(duration: Duration) -> String {
    // Tenths are enough for a person, and a whole number needs none.
    format!("{} s", (duration.as_secs_f64() * 10.0).round() / 10.0)
}

impl Attempt<'_> {
    /// Translates ureq's error.
    pub(super) fn explain(&self, error: ureq::Error) -> HttpError {
        match error {
            ureq::Error::Timeout(_) => self.timed_out(),
            ureq::Error::Io(error) => self.explain_io(&error),
            ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => self.unreachable("no connection"),
            ureq::Error::ConnectProxyFailed(said) => self.proxy_refuses(&said),
            ureq::Error::Rustls(error) => self.explain_tls(&error, None),
            ureq::Error::Tls(_) | ureq::Error::Pem(_) | ureq::Error::TlsRequired => HttpError::unsent(
                Kind::Tls,
                format!("no secure connection to {}: the encryption could not be set up", self.peer()),
            ),
            ureq::Error::BodyExceedsLimit(limit) => self.too_large(limit),
            ureq::Error::LargeResponseHeader(_, limit) => self.too_large(limit as u64),
            ureq::Error::Http(_) | ureq::Error::BadUri(_) => self.bad_url("no request can be made of it"),
            ureq::Error::Other(other) => match other.downcast::<NoConnection>() {
                Ok(none) => self.explain_no_connection(*none).before_the_request(),
                Err(_) => self.not_http(),
            },
            _ => self.not_http(),
        }
    }

    /// Translates an error that comes after the answer has begun, so that the request has arrived whatever ends it.
    pub(super) fn explain_rest(&self, error: ureq::Error) -> HttpError {
        let explained = self.explain(error);
        match explained.kind() {
            Kind::ConnectionClosed | Kind::Unreachable | Kind::Tls => {
                HttpError::perhaps_sent(Kind::AnswerTruncated, format!("the answer of {} was cut off", self.peer()))
            }
            _ => explained,
        }
    }

    /// The proxy answers CONNECT with another status than 200; ureq tells it between a blank and a slash.
    fn proxy_refuses(&self, said: &str) -> HttpError {
        let status = said.split(['/', ' ']).find(|word| word.len() == 3 && word.parse::<u16>().is_ok());
        let (said, advice) = match status {
            Some("407") => (
                "the proxy wants a user name and a password (407)".to_owned(),
                Some("write them into the proxy variables: http://USER:PASSWORD@HOST:PORT".to_owned()),
            ),
            Some(status) => (
                format!("the proxy refuses the connection ({status})"),
                Some(format!("have the proxy allow CONNECT to `{}`, or {NO_PROXY}", self.endpoint.host())),
            ),
            None => (format!("the proxy refuses: \"{}\"", excerpt(said, SHOWN)), None),
        };
        self.unreachable(&said).advise(advice)
    }

    /// Nothing of the request has left. The address is the one that answered over TCP.
    fn explain_no_connection(&self, none: NoConnection) -> HttpError {
        let addresses: Vec<_> = none.address.into_iter().collect();
        let peer = || format!("{}{}", self.peer(), self.found_at(&addresses));
        let error = match none.error {
            ureq::Error::Timeout(_) if addresses.is_empty() => self.timed_out(),
            ureq::Error::Timeout(_) => {
                let after = seconds(self.timeout.min(CONNECT_TIMEOUT));
                let text =
                    format!("no secure connection to {} within {after}: it accepts, but does not answer", peer());
                HttpError::unsent(Kind::TimedOut, text).advise(BROKEN_OFF.to_owned())
            }
            ureq::Error::Rustls(error) => self.explain_tls(&error, none.address),
            ureq::Error::Io(error) if is_closed(error.kind()) => {
                let text = format!("{} closed the connection while TLS was being set up", peer());
                HttpError::unsent(Kind::ConnectionClosed, text).advise(BROKEN_OFF.to_owned())
            }
            ureq::Error::Io(error) => match tls_error(&error) {
                Some(error) => self.explain_tls(error, none.address),
                None => self.explain_io(&error),
            },
            error => self.explain(error),
        };
        error.advise(self.misled(&addresses))
    }

    fn none_reached(&self, failed: &[(SocketAddr, io::Error)]) -> HttpError {
        let addresses: Vec<_> = failed.iter().map(|(address, _)| *address).collect();
        let after = seconds(self.timeout.min(CONNECT_TIMEOUT));
        let causes: Vec<_> = failed.iter().map(|(_, error)| connect_cause(error, &after)).collect();
        let is_same = causes.windows(2).all(|pair| pair[0] == pair[1]);
        let peer = self.peer();
        if failed.iter().all(|(_, error)| error.kind() == ErrorKind::TimedOut) && !failed.is_empty() {
            let text = format!("{peer}{} did not answer within {after}", self.found_at(&addresses));
            return HttpError::unsent(Kind::TimedOut, text).advise(self.misled(&addresses));
        }
        let said = match causes.first() {
            Some(cause) if is_same => cause.clone(),
            _ => {
                let each = addresses.iter().zip(&causes).map(|(address, cause)| format!("{}: {cause}", address.ip()));
                each.collect::<Vec<_>>().join("; ")
            }
        };
        let found_at = self.found_at(if is_same { &addresses } else { &[] });
        HttpError::unsent(Kind::Unreachable, format!("cannot reach {peer}{found_at}: {said}"))
            .advise(self.misled(&addresses))
    }

    fn explain_io(&self, error: &io::Error) -> HttpError {
        if let Some(error) = tls_error(error) {
            return self.explain_tls(error, None);
        }
        let inner = error.get_ref();
        if let Some(cause) = inner.and_then(|inner| inner.downcast_ref::<NoAddress>()) {
            return self.no_address(*cause);
        }
        if let Some(NoneReached(failed)) = inner.and_then(|inner| inner.downcast_ref::<NoneReached>()) {
            return self.none_reached(failed);
        }
        if inner.and_then(|inner| inner.downcast_ref::<NotThisMachine>()).is_some() {
            return self.bad_url("plain http is allowed to this machine only, and the name resolves to another");
        }
        match error.kind() {
            kind if is_closed(kind) => {
                let text = format!("{} closed the connection without an answer", self.peer());
                HttpError::perhaps_sent(Kind::ConnectionClosed, text)
            }
            ErrorKind::TimedOut | ErrorKind::WouldBlock => self.timed_out(),
            _ => self.unreachable(&excerpt(&error.to_string(), SHOWN)),
        }
    }

    fn no_address(&self, cause: NoAddress) -> HttpError {
        let kind = if cause == NoAddress::TimedOut { Kind::TimedOut } else { Kind::Unreachable };
        let text = format!("cannot find an address of {}: {cause}", self.peer());
        HttpError::unsent(kind, text).advise(cause.advice(self.looked_up()))
    }

    /// A certificate and what the two sides have in common are looked at before anything is sent. Any other failure can come
    /// later too.
    fn explain_tls(&self, error: &rustls::Error, address: Option<SocketAddr>) -> HttpError {
        use rustls::Error::{InvalidCertificate, NoCertificatesPresented, PeerIncompatible};
        let before = matches!(error, InvalidCertificate(_) | NoCertificatesPresented | PeerIncompatible(_));
        let addresses: Vec<_> = address.into_iter().collect();
        let found_at = self.found_at(&addresses);
        let text = format!("no secure connection to {}{found_at}: {}", self.peer(), tls_cause(error));
        let error = HttpError::perhaps_sent(Kind::Tls, text).advise(self.tls_advice(error, &addresses));
        if before { error.before_the_request() } else { error }
    }

    fn tls_advice(&self, error: &rustls::Error, addresses: &[SocketAddr]) -> Option<String> {
        use rustls::CertificateError as Bad;
        let rustls::Error::InvalidCertificate(bad) = error else { return None };
        match bad {
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
                self.misled(addresses).or_else(|| Some(somebody_else(self.endpoint.host())))
            }
            Bad::Expired | Bad::ExpiredContext { .. } | Bad::NotValidYet | Bad::NotValidYetContext { .. } => Some(
                "if the clock is wrong, set it, for example with `timedatectl set-ntp true`; if it is right, the other side has \
                 to renew its certificate"
                    .to_owned(),
            ),
            _ => None,
        }
    }

    fn timed_out(&self) -> HttpError {
        let text = format!("{} did not answer within {}", self.peer(), seconds(self.timeout));
        HttpError::perhaps_sent(Kind::TimedOut, text)
    }

    fn unreachable(&self, said: &str) -> HttpError {
        HttpError::unsent(Kind::Unreachable, format!("cannot reach {}: {said}", self.peer()))
    }

    fn not_http(&self) -> HttpError {
        HttpError::perhaps_sent(Kind::NotHttp, format!("{} does not answer in HTTP", self.peer()))
    }

    fn too_large(&self, limit: u64) -> HttpError {
        let text = format!("the answer of {} is larger than {limit} bytes", self.peer());
        HttpError::perhaps_sent(Kind::AnswerTooLarge, text)
    }

    fn bad_url(&self, rule: &str) -> HttpError {
        HttpError::unsent(Kind::BadUrl, format!("`{}` cannot be used: {rule}", self.endpoint))
    }

    /// The host, with its port where that is not the usual one, and the proxy in between.
    fn peer(&self) -> String {
        let (host, port) = (self.endpoint.host(), self.endpoint.port());
        if self.endpoint.socket().is_some() {
            return format!("`{}`", self.endpoint);
        }
        let host = match (port, host.contains(':')) {
            (443, _) => host.to_owned(),
            (_, true) => format!("[{host}]:{port}"),
            (_, false) => format!("{host}:{port}"),
        };
        match &self.proxy {
            Some(proxy) => format!("`{host}` through the proxy `{}:{}`", proxy.host(), proxy.port()),
            None => format!("`{host}`"),
        }
    }

    /// The host whose address this machine looks up: the proxy looks up the other one.
    fn looked_up(&self) -> &str {
        self.proxy.as_ref().map_or_else(|| self.endpoint.host(), |proxy| proxy.host())
    }

    /// The addresses, and who says that the host is there; nothing for a host that is an address.
    fn found_at(&self, addresses: &[SocketAddr]) -> String {
        let host = self.looked_up();
        if addresses.is_empty() || host.parse::<IpAddr>().is_ok() {
            return String::new();
        }
        let mut text = " at ".to_owned();
        for (at, address) in addresses.iter().enumerate() {
            let _ = write!(text, "{}{}", if at == 0 { "" } else { ", " }, address.ip());
        }
        let source = if is_in_hosts_file(host) { "/etc/hosts" } else { "the DNS of this machine" };
        text + &format!(" (from {source})")
    }

    /// What helps where the name leads to an address that nobody on the internet has, as filters answer.
    fn misled(&self, addresses: &[SocketAddr]) -> Option<String> {
        let host = self.looked_up();
        let is_nowhere = |address: &SocketAddr| address.ip().is_unspecified() || address.ip().is_loopback();
        if host == "localhost" || host.parse::<IpAddr>().is_ok() || !addresses.iter().any(is_nowhere) {
            return None;
        }
        Some(if is_in_hosts_file(host) {
            format!("a line in /etc/hosts sends `{host}` there: remove it, or correct it")
        } else {
            format!(
                "a DNS filter (Pi-hole, AdGuard Home, the router) answers so for names that it blocks: allow `{host}` in it, and \
                 check with `getent ahosts {host}`"
            )
        })
    }
}

const NO_PROXY: &str = "list the host in NO_PROXY to go without a proxy";
const BROKEN_OFF: &str =
    "a firewall or filter on the way may do that: allow this machine to reach the host over HTTPS, or set HTTPS_PROXY";

fn somebody_else(host: &str) -> String {
    format!(
        "somebody else's server answers at this address: `getent ahosts {host}` shows where the name leads; a DNS filter, a captive \
         portal, or a search domain in /etc/resolv.conf may lead there"
    )
}

impl NoAddress {
    /// What helps.
    #[must_use]
    pub fn advice(self, host: &str) -> String {
        match self {
            Self::NoAnswer | Self::TimedOut => {
                format!(
                    "check the name servers in /etc/resolv.conf and the way to them: `getent ahosts {host}` has to show addresses"
                )
            }
            Self::NoResolver => {
                "put a line `nameserver ADDRESS` there; in a container, mount the /etc/resolv.conf of the host"
                    .to_owned()
            }
            Self::Unknown => {
                format!(
                    "check the spelling, and with `getent ahosts {host}` what /etc/resolv.conf leads to: a DNS filter may hide the name"
                )
            }
        }
    }
}

fn is_closed(kind: ErrorKind) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(kind, UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe)
}

fn connect_cause(error: &io::Error, after: &str) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => "nobody listens there (connection refused)".to_owned(),
        ErrorKind::TimedOut => format!("no answer within {after}"),
        ErrorKind::NetworkUnreachable => "this machine has no route there".to_owned(),
        ErrorKind::HostUnreachable => "no such host is in reach (no route to host)".to_owned(),
        ErrorKind::PermissionDenied => "a firewall of this machine forbids it".to_owned(),
        _ => excerpt(&error.to_string(), SHOWN),
    }
}
