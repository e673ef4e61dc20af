//! Why there is no answer, in words for users. ureq's own texts and types stay below this file.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use super::Attempt;
use super::names::NotThisMachine;
use crate::error::{Explain, Kind};
use crate::excerpt::{excerpt, visible_path};
use crate::time::SystemClock;

/// Whether the other side may have acted on a request that got no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// The request did not leave: no connection was made.
    No,
    /// It left, or may have.
    Perhaps,
}

/// Why a request has no complete answer. The texts name the host, never the query or a header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// An address that no request may go to.
    #[error("`{url}` cannot be used: {rule}")]
    BadUrl {
        /// The address, shortened, without its password.
        url: String,
        /// The broken rule.
        rule: &'static str,
    },
    /// A proxy variable that is no usable address. Its value is not shown, for it may hold a password.
    #[error("`{0}` does not hold the address of an http or https proxy")]
    Proxy(&'static str),
    /// A file of trusted certificates that cannot be used, and what is wrong with it.
    #[error("cannot read the CA certificates in `{path}`: {1}", path = visible_path(.0))]
    CaFile(PathBuf, String),
    /// No connection: the name is unknown, nobody listens, no route, or the proxy refuses. With the host, by way of its
    /// proxy if it has one, and with what the system said.
    #[error("cannot reach {0}: {1}")]
    Unreachable(String, String),
    /// No complete answer in time. With the host, how long was waited, and whether the request may have arrived.
    #[error("{0} did not answer within {after}", after = seconds(*.1))]
    TimedOut(String, Duration, Reached),
    /// The connection broke before the answer of this host began.
    #[error("{0} closed the connection without an answer")]
    Closed(String),
    /// The answer of this host began and broke off.
    #[error("the answer of {0} broke off")]
    Truncated(String),
    /// The answer of this host is larger than any that makes sense: more than so many bytes.
    #[error("the answer of {0} is larger than {1} bytes")]
    BodyTooLarge(String, u64),
    /// What came back from this host is no HTTP.
    #[error("{0} does not answer in HTTP")]
    NotHttp(String),
    /// No trustworthy encryption. With the host, what is wrong, usually with its certificate, and whether the request may
    /// have arrived: encryption can break after it has left.
    #[error("no secure connection to {0}: {1}")]
    Tls(String, String, Reached),
}

impl HttpError {
    /// Returns whether the other side may have acted on the request.
    #[must_use]
    pub fn reached(&self) -> Reached {
        match self {
            Self::BadUrl { .. } | Self::Proxy(_) | Self::CaFile(..) | Self::Unreachable(..) => Reached::No,
            Self::TimedOut(_, _, reached) | Self::Tls(_, _, reached) => *reached,
            Self::Closed(..) | Self::Truncated(..) | Self::BodyTooLarge(..) | Self::NotHttp(..) => Reached::Perhaps,
        }
    }

    /// Returns whether the same request may get an answer a moment later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::BadUrl { .. } | Self::Proxy { .. } | Self::CaFile { .. } | Self::Tls(..) => false,
            Self::Unreachable(..) | Self::TimedOut(..) | Self::Closed(..) | Self::Truncated(..) => true,
            Self::BodyTooLarge(..) | Self::NotHttp(..) => true,
        }
    }
}

impl Explain for HttpError {
    fn kind(&self) -> Kind {
        match self {
            Self::BadUrl { .. } => Kind::BadUrl,
            Self::Proxy(_) => Kind::BadProxy,
            Self::CaFile(..) => Kind::BadCaFile,
            Self::Unreachable(..) => Kind::Unreachable,
            Self::TimedOut(..) => Kind::TimedOut,
            Self::Closed(..) => Kind::ConnectionClosed,
            Self::Truncated(..) => Kind::AnswerTruncated,
            Self::BodyTooLarge(..) => Kind::AnswerTooLarge,
            Self::NotHttp(..) => Kind::NotHttp,
            Self::Tls(..) => Kind::Tls,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::BadUrl { .. } => {
                "write the address as https://HOST/PATH; plain http works for a simulator on this machine"
            }
            Self::Proxy(_) => "write it as http://HOST:PORT, or list the host in NO_PROXY to go without a proxy",
            Self::CaFile(..) => "give a readable PEM file (-----BEGIN CERTIFICATE-----), or leave the setting out",
            Self::Unreachable(..) => "check the network, the firewall and the proxy variables",
            Self::TimedOut(..) => "try again later, or raise IPV64_HTTP_TIMEOUT on a slow line",
            Self::Tls(..) => {
                "check this machine's clock and its root certificates (the package `ca-certificates`); behind a proxy that opens \
                 TLS, name its CA file in IPV64_CA_FILE"
            }
            Self::Closed(..) | Self::Truncated(..) | Self::NotHttp(..) | Self::BodyTooLarge(..) => {
                "try again later; if it stays, a proxy or filter on the way may be the cause"
            }
        };
        Some(hint.to_owned())
    }
}

fn seconds(duration: Duration) -> String {
    // Tenths are enough for a person, and a whole number needs none.
    format!("{} s", (duration.as_secs_f64() * 10.0).round() / 10.0)
}

impl Attempt<'_> {
    /// Translates ureq's error.
    pub(super) fn explain(&self, error: ureq::Error) -> HttpError {
        let peer = self.peer();
        match error {
            ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
                HttpError::TimedOut(peer, self.timeout.min(super::CONNECT_TIMEOUT), Reached::No)
            }
            ureq::Error::Timeout(_) => HttpError::TimedOut(peer, self.timeout, Reached::Perhaps),
            ureq::Error::Io(error) => self.explain_io(&error),
            ureq::Error::HostNotFound => HttpError::Unreachable(peer, "the name has no address".to_owned()),
            ureq::Error::ConnectionFailed => HttpError::Unreachable(peer, "no connection".to_owned()),
            ureq::Error::ConnectProxyFailed(said) => {
                HttpError::Unreachable(peer, format!("the proxy refuses: \"{}\"", excerpt(&said, 80)))
            }
            ureq::Error::Rustls(error) => tls(peer, &error),
            ureq::Error::Tls(_) | ureq::Error::Pem(_) | ureq::Error::TlsRequired => {
                HttpError::Tls(peer, "the encryption could not be set up".to_owned(), Reached::No)
            }
            ureq::Error::BodyExceedsLimit(limit) => HttpError::BodyTooLarge(peer, limit),
            ureq::Error::LargeResponseHeader(_, limit) => HttpError::BodyTooLarge(peer, limit as u64),
            ureq::Error::Http(_) | ureq::Error::BadUri(_) => self.bad_url("no request can be made of it"),
            _ => HttpError::NotHttp(peer),
        }
    }

    fn explain_io(&self, error: &std::io::Error) -> HttpError {
        let peer = self.peer();
        if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return tls(peer, error);
        }
        if error.get_ref().and_then(|inner| inner.downcast_ref::<NotThisMachine>()).is_some() {
            return self.bad_url("plain http is allowed to this machine only, and the name leads to another");
        }
        match error.kind() {
            ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe => HttpError::Closed(peer),
            ErrorKind::TimedOut | ErrorKind::WouldBlock => HttpError::TimedOut(peer, self.timeout, Reached::Perhaps),
            ErrorKind::ConnectionRefused => {
                HttpError::Unreachable(peer, "nobody listens there (connection refused)".to_owned())
            }
            // Everything else comes from the look-up of the name or from connect(2).
            _ => HttpError::Unreachable(peer, excerpt(&error.to_string(), 120)),
        }
    }

    fn bad_url(&self, rule: &'static str) -> HttpError {
        HttpError::BadUrl { url: self.endpoint.to_string(), rule }
    }

    /// The host, with its port where that is not the usual one, and the proxy in between.
    fn peer(&self) -> String {
        let (host, port) = (self.endpoint.host(), self.endpoint.port());
        let host = match (port, host.contains(':')) {
            (443, _) => host.to_owned(),
            (_, true) => format!("[{host}]:{port}"),
            (_, false) => format!("{host}:{port}"),
        };
        match &self.proxy {
            Some(proxy) => format!("`{host}` by way of the proxy `{}:{}`", proxy.host(), proxy.port()),
            None => format!("`{host}`"),
        }
    }
}

/// Where a certificate is out of its time, the clock may be what is wrong: it is named, so that a person can see it.
fn timed(cause: &str) -> String {
    format!("{cause} (the clock of this machine says {})", SystemClock::now())
}

/// A certificate and what the two sides have in common are looked at before anything is sent. Any other failure can come
/// later too.
fn tls(peer: String, error: &rustls::Error) -> HttpError {
    use rustls::Error::{InvalidCertificate, NoCertificatesPresented, PeerIncompatible};
    let before = matches!(error, InvalidCertificate(_) | NoCertificatesPresented | PeerIncompatible(_));
    HttpError::Tls(peer, tls_cause(error), if before { Reached::No } else { Reached::Perhaps })
}

fn tls_cause(error: &rustls::Error) -> String {
    use rustls::CertificateError as Bad;
    let cause = match error {
        rustls::Error::InvalidCertificate(bad) => match bad {
            Bad::Expired | Bad::ExpiredContext { .. } => return timed("its certificate has expired"),
            Bad::NotValidYet | Bad::NotValidYetContext { .. } => return timed("its certificate is not valid yet"),
            Bad::UnknownIssuer => "its certificate comes from an issuer that this machine does not trust",
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => "its certificate is for another name",
            Bad::Revoked => "its certificate was revoked",
            _ => "its certificate is not acceptable",
        },
        rustls::Error::InvalidMessage(_) => "it does not speak TLS on this port",
        rustls::Error::AlertReceived(_) => "it ended the handshake",
        rustls::Error::PeerIncompatible(_) => "it offers no version or cipher of TLS that is safe",
        _ => "the TLS handshake failed",
    };
    cause.to_owned()
}
