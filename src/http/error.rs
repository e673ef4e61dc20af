//! Why there is no answer, in words for users. ureq's own texts and types stay below this file.

use std::io::ErrorKind;
use std::time::Duration;

use super::Attempt;
use super::names::NotThisMachine;
use crate::error::{Explain, Kind};
use crate::excerpt::excerpt;
use crate::time::SystemClock;

/// Why a request has no complete answer. The text names the host, never the query or a header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct HttpError {
    kind: Kind,
    text: String,
    may_have_arrived: bool,
    /// What to do, where the kind does not tell it.
    remedy: Option<String>,
}

impl HttpError {
    /// Nothing has left.
    pub(super) fn unsent(kind: Kind, text: String) -> Self {
        Self { kind, text, may_have_arrived: false, remedy: None }
    }

    /// The request left, or may have.
    pub(super) fn perhaps_sent(kind: Kind, text: String) -> Self {
        Self { kind, text, may_have_arrived: true, remedy: None }
    }

    /// Says what to do instead of what helps most errors of the kind.
    pub(super) fn advise(self, remedy: String) -> Self {
        Self { remedy: Some(remedy), ..self }
    }

    /// Returns whether the other side may have acted on the request.
    #[must_use]
    pub fn may_have_arrived(&self) -> bool {
        self.may_have_arrived
    }

    /// Returns whether the same request may get an answer a moment later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        !matches!(self.kind, Kind::BadUrl | Kind::BadProxy | Kind::BadCaFile | Kind::Tls)
    }
}

impl Explain for HttpError {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn hint(&self) -> Option<String> {
        if self.remedy.is_some() {
            return self.remedy.clone();
        }
        let hint = match self.kind {
            Kind::BadUrl => "write the address as https://HOST/PATH; plain http works for a simulator on this machine",
            Kind::BadProxy => "write it as http://HOST:PORT, or list the host in NO_PROXY to go without a proxy",
            Kind::BadCaFile => "give a readable PEM file (-----BEGIN CERTIFICATE-----), or leave the setting out",
            Kind::Unreachable => "check the network, the firewall and the proxy variables",
            Kind::TimedOut => "try again later, or raise IPV64_HTTP_TIMEOUT on a slow line",
            Kind::Tls => {
                "check this machine's clock and its root certificates (the package `ca-certificates`); behind a proxy that opens \
                 TLS, name its CA file in IPV64_CA_FILE"
            }
            _ => "try again later; if it stays, a proxy or filter on the way may be the cause",
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
                let after = seconds(self.timeout.min(super::CONNECT_TIMEOUT));
                HttpError::unsent(Kind::TimedOut, format!("{peer} did not answer within {after}"))
            }
            ureq::Error::Timeout(_) => self.timed_out(),
            ureq::Error::Io(error) => self.explain_io(&error),
            ureq::Error::HostNotFound => self.unreachable("the name has no address"),
            ureq::Error::ConnectionFailed => self.unreachable("no connection"),
            ureq::Error::ConnectProxyFailed(said) => {
                self.unreachable(&format!("the proxy refuses: \"{}\"", excerpt(&said, 80)))
            }
            ureq::Error::Rustls(error) => self.explain_tls(&error),
            ureq::Error::Tls(_) | ureq::Error::Pem(_) | ureq::Error::TlsRequired => HttpError::unsent(
                Kind::Tls,
                format!("no secure connection to {peer}: the encryption could not be set up"),
            ),
            ureq::Error::BodyExceedsLimit(limit) => self.too_large(limit),
            ureq::Error::LargeResponseHeader(_, limit) => self.too_large(limit as u64),
            ureq::Error::Http(_) | ureq::Error::BadUri(_) => self.bad_url("no request can be made of it"),
            _ => HttpError::perhaps_sent(Kind::NotHttp, format!("{peer} does not answer in HTTP")),
        }
    }

    /// Translates an error that comes after the answer has begun, so that the request has arrived whatever ends it.
    pub(super) fn explain_rest(&self, error: ureq::Error) -> HttpError {
        match self.explain(error) {
            HttpError { kind: Kind::ConnectionClosed | Kind::Unreachable | Kind::Tls, .. } => {
                HttpError::perhaps_sent(Kind::AnswerTruncated, format!("the answer of {} broke off", self.peer()))
            }
            other => other,
        }
    }

    fn explain_io(&self, error: &std::io::Error) -> HttpError {
        if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return self.explain_tls(error);
        }
        if error.get_ref().and_then(|inner| inner.downcast_ref::<NotThisMachine>()).is_some() {
            return self.bad_url("plain http is allowed to this machine only, and the name leads to another");
        }
        match error.kind() {
            ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe => {
                let text = format!("{} closed the connection without an answer", self.peer());
                HttpError::perhaps_sent(Kind::ConnectionClosed, text)
            }
            ErrorKind::TimedOut | ErrorKind::WouldBlock => self.timed_out(),
            ErrorKind::ConnectionRefused => self.unreachable("nobody listens there (connection refused)"),
            // Everything else comes from the look-up of the name or from connect(2).
            _ => self.unreachable(&excerpt(&error.to_string(), 120)),
        }
    }

    /// A certificate and what the two sides have in common are looked at before anything is sent. Any other failure can come
    /// later too.
    fn explain_tls(&self, error: &rustls::Error) -> HttpError {
        use rustls::Error::{InvalidCertificate, NoCertificatesPresented, PeerIncompatible};
        let before = matches!(error, InvalidCertificate(_) | NoCertificatesPresented | PeerIncompatible(_));
        let text = format!("no secure connection to {}: {}", self.peer(), tls_cause(error));
        HttpError { kind: Kind::Tls, text, may_have_arrived: !before, remedy: None }
    }

    fn timed_out(&self) -> HttpError {
        let text = format!("{} did not answer within {}", self.peer(), seconds(self.timeout));
        HttpError::perhaps_sent(Kind::TimedOut, text)
    }

    fn unreachable(&self, said: &str) -> HttpError {
        HttpError::unsent(Kind::Unreachable, format!("cannot reach {}: {said}", self.peer()))
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
