//! Why there is no answer, in words for users. ureq's own texts and types stay below this file.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use super::Attempt;
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
    #[error("`{variable}` does not hold the address of an http or https proxy")]
    Proxy {
        /// The variable.
        variable: &'static str,
    },
    /// A file of trusted certificates that cannot be used.
    #[error("cannot read the CA certificates in `{}`: {cause}", visible_path(path))]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// No connection: the name is unknown, nobody listens, no route, or the proxy refuses.
    #[error("cannot reach {peer}: {cause}")]
    Unreachable {
        /// The host, or the host by way of its proxy.
        peer: String,
        /// What the system said.
        cause: String,
    },
    /// No complete answer in time.
    #[error("{peer} did not answer within {}", seconds(*.after))]
    TimedOut {
        /// The host, or the host by way of its proxy.
        peer: String,
        /// How long was waited.
        after: Duration,
        /// Whether the request may have arrived.
        reached: Reached,
    },
    /// The connection broke before the answer began.
    #[error("{peer} closed the connection without an answer")]
    Closed {
        /// The host, or the host by way of its proxy.
        peer: String,
    },
    /// The answer began and broke off.
    #[error("the answer of {peer} broke off")]
    Truncated {
        /// The host, or the host by way of its proxy.
        peer: String,
    },
    /// The answer is larger than any that makes sense.
    #[error("the answer of {peer} is larger than {limit} bytes")]
    BodyTooLarge {
        /// The host, or the host by way of its proxy.
        peer: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// What came back is no HTTP.
    #[error("{peer} does not answer in HTTP")]
    NotHttp {
        /// The host, or the host by way of its proxy.
        peer: String,
    },
    /// No trustworthy encryption.
    #[error("no secure connection to {peer}: {cause}")]
    Tls {
        /// The host, or the host by way of its proxy.
        peer: String,
        /// What is wrong, usually with the certificate.
        cause: String,
        /// Whether the request may have arrived: encryption can break after it has left.
        reached: Reached,
    },
}

impl HttpError {
    /// Returns whether the other side may have acted on the request.
    #[must_use]
    pub fn reached(&self) -> Reached {
        match self {
            Self::BadUrl { .. } | Self::Proxy { .. } | Self::CaFile { .. } | Self::Unreachable { .. } => Reached::No,
            Self::TimedOut { reached, .. } | Self::Tls { reached, .. } => *reached,
            Self::Closed { .. } | Self::Truncated { .. } | Self::BodyTooLarge { .. } | Self::NotHttp { .. } => {
                Reached::Perhaps
            }
        }
    }

    /// Returns whether the same request may get an answer a moment later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::TimedOut { .. }
                | Self::Closed { .. }
                | Self::Truncated { .. }
                | Self::NotHttp { .. }
        )
    }
}

impl Explain for HttpError {
    fn kind(&self) -> Kind {
        match self {
            Self::BadUrl { .. } => Kind::BadUrl,
            Self::Proxy { .. } => Kind::BadProxy,
            Self::CaFile { .. } => Kind::BadCaFile,
            Self::Unreachable { .. } => Kind::Unreachable,
            Self::TimedOut { .. } => Kind::TimedOut,
            Self::Closed { .. } => Kind::ConnectionClosed,
            Self::Truncated { .. } => Kind::AnswerTruncated,
            Self::BodyTooLarge { .. } => Kind::AnswerTooLarge,
            Self::NotHttp { .. } => Kind::NotHttp,
            Self::Tls { .. } => Kind::Tls,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::BadUrl { .. } => {
                "write the address as https://HOST/PATH; plain http works for a simulator on this machine"
            }
            Self::Proxy { .. } => "write it as http://HOST:PORT, or list the host in NO_PROXY to go without a proxy",
            Self::CaFile { .. } => "give a readable PEM file (-----BEGIN CERTIFICATE-----), or leave the setting out",
            Self::Unreachable { .. } => "check the network, the firewall and the proxy variables",
            Self::TimedOut { .. } => "try again later, or raise IPV64_HTTP_TIMEOUT on a slow line",
            Self::Tls { .. } => {
                "check this machine's clock and its root certificates (the package `ca-certificates`); behind a proxy that opens \
                 TLS, name its CA file in IPV64_CA_FILE"
            }
            Self::Closed { .. } | Self::Truncated { .. } | Self::NotHttp { .. } | Self::BodyTooLarge { .. } => {
                "try again later; if it stays, a proxy or filter on the way may be the cause"
            }
        };
        Some(hint.to_owned())
    }
}

fn seconds(duration: Duration) -> String {
    // Tenths are enough for a person, and a whole number needs none.
    let tenths = (duration.as_millis() + 50) / 100;
    if tenths.is_multiple_of(10) { format!("{} s", tenths / 10) } else { format!("{}.{} s", tenths / 10, tenths % 10) }
}

impl Attempt<'_> {
    /// Translates ureq's error.
    pub(super) fn explain(&self, error: ureq::Error) -> HttpError {
        let peer = self.peer();
        match error {
            ureq::Error::Timeout(phase) => {
                let connecting = matches!(phase, ureq::Timeout::Connect | ureq::Timeout::Resolve);
                let after = if connecting { self.timeout.min(super::CONNECT_TIMEOUT) } else { self.timeout };
                HttpError::TimedOut { peer, after, reached: if connecting { Reached::No } else { Reached::Perhaps } }
            }
            ureq::Error::Io(error) => self.explain_io(&error),
            ureq::Error::HostNotFound => HttpError::Unreachable { peer, cause: "the name has no address".to_owned() },
            ureq::Error::ConnectionFailed => HttpError::Unreachable { peer, cause: "no connection".to_owned() },
            ureq::Error::ConnectProxyFailed(said) => {
                HttpError::Unreachable { peer, cause: format!("the proxy refuses: \"{}\"", excerpt(&said, 80)) }
            }
            ureq::Error::Rustls(error) => tls(peer, &error),
            ureq::Error::Tls(_) | ureq::Error::Pem(_) | ureq::Error::TlsRequired => {
                HttpError::Tls { peer, cause: "the encryption could not be set up".to_owned(), reached: Reached::No }
            }
            ureq::Error::BodyExceedsLimit(limit) => HttpError::BodyTooLarge { peer, limit },
            ureq::Error::LargeResponseHeader(_, limit) => HttpError::BodyTooLarge { peer, limit: limit as u64 },
            ureq::Error::Http(_) | ureq::Error::BadUri(_) => {
                HttpError::BadUrl { url: self.endpoint.to_string(), rule: "no request can be made of it" }
            }
            _ => HttpError::NotHttp { peer },
        }
    }

    fn explain_io(&self, error: &std::io::Error) -> HttpError {
        let peer = self.peer();
        if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return tls(peer, error);
        }
        match error.kind() {
            ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe => HttpError::Closed { peer },
            ErrorKind::TimedOut | ErrorKind::WouldBlock => {
                HttpError::TimedOut { peer, after: self.timeout, reached: Reached::Perhaps }
            }
            ErrorKind::ConnectionRefused => {
                HttpError::Unreachable { peer, cause: "nobody listens there (connection refused)".to_owned() }
            }
            // Everything else comes from the look-up of the name or from connect(2).
            _ => HttpError::Unreachable { peer, cause: excerpt(&error.to_string(), 120) },
        }
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
    HttpError::Tls { peer, cause: tls_cause(error), reached: if before { Reached::No } else { Reached::Perhaps } }
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
