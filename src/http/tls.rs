//! What rustls says of the other side, in words for users.

use std::io;

use crate::excerpt::excerpt;
use crate::time::SystemClock;

/// How much of the names in a certificate a message shows, in characters.
const SHOWN: usize = 120;

/// Returns what rustls said, if that is what an I/O error is about.
pub(super) fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// Where a certificate is out of its time, the clock may be what is wrong: it is named, so that a person can see it.
fn timed(cause: &str) -> String {
    format!("{cause} (the clock of this machine says {})", SystemClock::now())
}

/// webpki tells names as `DnsName("a.example")`.
fn bare_name(presented: &str) -> &str {
    let inner = presented.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(presented).trim_matches('"')
}

/// Returns why there is no secure connection.
pub(super) fn tls_cause(error: &rustls::Error) -> String {
    use rustls::CertificateError as Bad;
    let cause = match error {
        rustls::Error::InvalidCertificate(bad) => match bad {
            Bad::Expired | Bad::ExpiredContext { .. } => return timed("its certificate has expired"),
            Bad::NotValidYet | Bad::NotValidYetContext { .. } => return timed("its certificate is not valid yet"),
            Bad::UnknownIssuer if !super::trust::system_has_roots() => {
                "its certificate cannot be checked: this machine has no root certificates"
            }
            Bad::UnknownIssuer => "its certificate comes from an issuer that this machine does not trust",
            Bad::NotValidForNameContext { presented, .. } if !presented.is_empty() => {
                let names: Vec<_> = presented.iter().map(|name| bare_name(name)).collect();
                return format!("its certificate is for another name: {}", excerpt(&names.join(", "), SHOWN));
            }
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
