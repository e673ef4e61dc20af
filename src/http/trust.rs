//! Which certificates are believed: the system's, and those of a CA file.

use std::path::Path;

use rustls::crypto::ring;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::HttpError;
use crate::error::Kind;
use crate::excerpt::visible_path;

/// Reads every certificate of a PEM file; other blocks in it are skipped.
pub(super) fn read_ca_file(path: &Path) -> Result<Vec<Certificate<'static>>, HttpError> {
    let shown = visible_path(path);
    let refuse = |cause: &str| {
        HttpError::unsent(Kind::BadCaFile, format!("cannot read the CA certificates in `{shown}`: {cause}"))
    };
    let bytes = std::fs::read(path).map_err(|error| refuse(&error.to_string()))?;
    let certificates = parse_pem(&bytes)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
            Ok(_) => None,
            Err(_) => Some(Err(refuse("one of its PEM blocks is damaged"))),
        })
        .collect::<Result<Vec<_>, _>>()?;
    if certificates.is_empty() {
        return Err(refuse("it holds no PEM certificate"));
    }
    for certificate in &certificates {
        // A certificate that rustls cannot read would be left out in silence, and every request fail.
        rustls::RootCertStore::empty()
            .add(certificate.der().into())
            .map_err(|_| refuse("one of its certificates is damaged"))?;
    }
    Ok(certificates)
}

/// Collects the roots. The system's store honours `SSL_CERT_FILE` and `SSL_CERT_DIR` (rustls-native-certs). A container
/// without one needs its package `ca-certificates`, as it does for curl; a list of our own would age in the binary.
pub(super) fn tls_config(extra: &[Certificate<'static>]) -> TlsConfig {
    let system = rustls_native_certs::load_native_certs().certs;
    let mut roots: Vec<_> = system.iter().map(|root| Certificate::from_der(root).to_owned()).collect();
    roots.extend_from_slice(extra);
    TlsConfig::builder()
        .root_certs(RootCerts::from(roots))
        .unversioned_rustls_crypto_provider(ring::default_provider().into())
        .build()
}
