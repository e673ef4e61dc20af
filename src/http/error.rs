//! The error of a request: what kind it is, whether the request may have arrived, what helps. Its words are made in
//! [`super::explain`].

use crate::error::{Explain, Kind};

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

    /// Nothing of the request has left, as is known of errors before it.
    pub(super) fn before_the_request(self) -> Self {
        Self { may_have_arrived: false, ..self }
    }

    /// Says what to do instead of what helps most errors of the kind, unless that is said already.
    pub(super) fn advise(self, remedy: impl Into<Option<String>>) -> Self {
        Self { remedy: self.remedy.or_else(|| remedy.into()), ..self }
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
            _ => "try again later; if it persists, a proxy or filter on the way may be the cause",
        };
        Some(hint.to_owned())
    }
}
