//! Which certificates are believed: the system's, and those of a CA file.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use rustls::crypto::ring;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::HttpError;
use crate::error::Kind;
use crate::excerpt::visible_path;
use crate::ownership::{self, Exposure, Readers, Unusable};

/// The largest file of certificates that is read, in bytes; all those of a system together have a quarter of a megabyte.
const LARGEST: u64 = 4 << 20;

/// The variables with which people name the system's certificates for all programs, as rustls-native-certs reads them.
#[derive(Debug, Clone, Default)]
pub struct CertEnv {
    file: Option<PathBuf>,
    folders: Vec<PathBuf>,
}

impl CertEnv {
    /// Takes the variables from a look-up.
    pub fn from_lookup(variable: impl Fn(&str) -> Option<String>) -> Self {
        let folders = variable("SSL_CERT_DIR").unwrap_or_default();
        Self { file: variable("SSL_CERT_FILE").map(PathBuf::from), folders: std::env::split_paths(&folders).collect() }
    }

    /// Refuses what would not be read to its end: rustls-native-certs opens whatever it is. Owners are not looked at: other
    /// programs share these files, and who sets these variables can set the address of the API too. What is not there is
    /// passed over as it is there: nix sets `SSL_CERT_FILE` so.
    pub(super) fn check(&self) -> Result<(), HttpError> {
        let entries = |folder| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let in_folders = self.folders.iter().flat_map(entries).filter(|path| path.is_file());
        for path in self.file.iter().cloned().chain(in_folders) {
            let cause = match fs::metadata(&path) {
                Ok(metadata) if !metadata.is_file() => "it is not a regular file".to_owned(),
                Ok(metadata) if metadata.len() > LARGEST => too_large(),
                _ => continue,
            };
            let shown = visible_path(&path);
            let problem = format!(
                "cannot read the CA certificates in `{shown}`, which SSL_CERT_FILE or SSL_CERT_DIR names: {cause}"
            );
            return Err(HttpError::unsent(Kind::BadCaFile, problem));
        }
        Ok(())
    }
}

fn too_large() -> String {
    format!("it has more than {} MB", LARGEST >> 20)
}

/// Reads every certificate of a PEM file; other blocks in it are skipped.
pub(super) fn read_ca_file(path: &Path) -> Result<Vec<Certificate<'static>>, HttpError> {
    let shown = visible_path(path);
    let refuse = |cause: &str| {
        HttpError::unsent(Kind::BadCaFile, format!("cannot read the CA certificates in `{shown}`: {cause}"))
    };
    let unreadable = |error: std::io::Error| refuse(&error.to_string());
    let file = ownership::open(path, Readers::Anybody).map_err(|error| match error {
        Unusable::Unreadable(error) => unreadable(error),
        Unusable::Exposed(Exposure { problem, remedy }) => {
            HttpError::unsent(Kind::BadCaFile, format!("the file of CA certificates {problem}")).advise(remedy)
        }
    })?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST {
        return Err(refuse(&too_large()));
    }
    let certificates = parse_pem(&bytes)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
            Ok(_) => None,
            Err(_) => Some(Err(refuse("one of its PEM blocks is damaged"))),
        })
        .collect::<Result<Vec<_>, _>>()?;
    if certificates.is_empty() {
        return Err(refuse("it contains no PEM certificate"));
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

/// Returns whether the system has any root certificate; a container often has none. Read anew: only an error asks.
pub(super) fn system_has_roots() -> bool {
    !rustls_native_certs::load_native_certs().certs.is_empty()
}
