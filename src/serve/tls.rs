//! The certificate that the broker shows: read from files that are looked at again and again, so that a renewed one is taken
//! up without a restart. One that cannot be used never takes the place of one that can.

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, RootCertStore, ServerConfig};

use super::config::TlsFiles;
use super::watch::{Stamp, stamp};
use crate::error::{Context as _, Error, Kind, Result};
use crate::excerpt::visible_path;
use crate::ownership::{self, Exposure, Readers, Unusable};
use crate::settings::key;
use crate::time::{SystemClock, Timestamp};

/// The longest certificate or key file that is read, in bytes.
const LONGEST: u64 = 256 * 1024;
/// A moment after the end of every certificate: 9999-12-31, the last that one can name (RFC 5280 section 4.1.2.5).
const END_OF_TIME: Duration = Duration::from_secs(253_402_300_799);
/// After so many attempts in a row to use them, changed files are complained about: whoever renews a certificate
/// writes one file after the other.
const PATIENCE: u32 = 2;

/// The certificate in force and where it comes from.
#[derive(Debug)]
pub struct Certificate {
    /// `$CREDENTIALS_DIRECTORY`: what systemd has put there may have other modes than a file of ours.
    credentials: Option<String>,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    files: TlsFiles,
    stamps: Stamps,
    misses: u32,
    /// What was said of the changed files.
    complaint: Option<String>,
    key: Arc<CertifiedKey>,
    not_after: Option<Timestamp>,
}

impl Held {
    /// Whether this is what was last read from these files, as they are now.
    fn is_of(&self, files: &TlsFiles, stamps: &Stamps) -> bool {
        self.misses == 0 && self.files == *files && self.stamps == *stamps
    }
}

type Stamps = [Option<Stamp>; 2];

/// What became of the certificate when its files were read again.
#[derive(Debug)]
pub enum Reloaded {
    /// Nothing new.
    Same,
    /// Another certificate is shown from now on; it ends at this time, if that can be told.
    Renewed(Option<Timestamp>),
    /// The files were changed and cannot be used; the certificate from before is still shown.
    Kept(Error),
}

impl Certificate {
    /// Reads both files.
    ///
    /// # Errors
    /// [`Kind::CertificateUnusable`], or [`Kind::KeyExposed`] for a private key that others can read.
    pub fn read(files: TlsFiles, credentials: Option<String>) -> Result<Arc<Self>> {
        let stamps = stamps(&files);
        let (key, not_after) = load(&files, credentials.as_deref())?;
        Ok(Arc::new(Self {
            credentials,
            held: Mutex::new(Held { files, stamps, misses: 0, complaint: None, key, not_after }),
        }))
    }

    /// Takes up changed files; `now` does so without waiting for more attempts, and from other files if the configuration
    /// names others.
    pub fn reload(&self, now: Option<TlsFiles>) -> Reloaded {
        let patience = if now.is_some() { 0 } else { PATIENCE };
        let files = now.unwrap_or_else(|| self.held().files.clone());
        let stamps = stamps(&files);
        if patience > 0 && self.held().is_of(&files, &stamps) {
            return Reloaded::Same;
        }
        // Without the lock: the disk may be slow, and every handshake takes it.
        let loaded = load(&files, self.credentials.as_deref());
        let mut held = self.held();
        match loaded {
            Ok((key, not_after)) => {
                let is_new = key.cert != held.key.cert;
                *held = Held { files, stamps, misses: 0, complaint: None, key, not_after };
                if is_new { Reloaded::Renewed(not_after) } else { Reloaded::Same }
            }
            Err(error) => {
                // They are read again although they do not change: a folder above them may be mended, or the disk.
                held.misses = held.misses.saturating_add(1);
                let words = Some(format!("{error:#}"));
                if held.misses < patience || (patience > 0 && held.complaint == words) {
                    return Reloaded::Same;
                }
                held.complaint = words;
                Reloaded::Kept(error)
            }
        }
    }

    /// Returns when the certificate ends, if that can be told.
    #[must_use]
    pub fn not_after(&self) -> Option<Timestamp> {
        self.held().not_after
    }

    /// Returns what a person should know of the certificate: that it has expired.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        let held = self.held();
        let end = held.not_after.filter(|end| *end <= SystemClock::now())?;
        let shown = visible_path(&held.files.certificate);
        Some(format!(
            "the certificate in `{shown}` expired on {end}: clients refuse it; a renewed one is used as soon as it is there"
        ))
    }

    /// Returns how TLS is spoken with it.
    ///
    /// # Errors
    /// If the library offers no version of TLS.
    pub fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>> {
        let unusable = |error: rustls::Error| Error::new(Kind::CertificateUnusable, error.to_string());
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.held().key))
    }
}

fn stamps(files: &TlsFiles) -> Stamps {
    [&files.certificate, &files.key].map(|path| stamp(path))
}

fn load(files: &TlsFiles, credentials: Option<&str>) -> Result<(Arc<CertifiedKey>, Option<Timestamp>)> {
    let provider = ring::default_provider();
    let certificate = "the TLS certificate";
    let text = read(certificate, &files.certificate, |path| ownership::open(path, Readers::Anybody))?;
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|_| unusable(certificate, &files.certificate, "one of its PEM blocks is damaged"))?;
    let first =
        chain.first().ok_or_else(|| unusable(certificate, &files.certificate, "it contains no PEM certificate"))?;
    let not_after = end_of(first, provider.clone());
    let private = "the key of the TLS certificate";
    let text = read(private, &files.key, |path| key::open(path, Readers::Group, credentials))?;
    let key = PrivateKeyDer::from_pem_slice(&text)
        .map_err(|_| unusable(private, &files.key, "it contains no private key in PEM that is not encrypted"))?;
    let certified = certified(chain, key, &provider)
        .with_context(|| format!("cannot use the certificate in `{}`", visible_path(&files.certificate)))?;
    Ok((Arc::new(certified), not_after))
}

fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<CertifiedKey> {
    CertifiedKey::from_der(chain, key, provider).map_err(|error| {
        let problem = match error {
            rustls::Error::InconsistentKeys(_) => "certificate and key do not belong together".to_owned(),
            rustls::Error::InvalidCertificate(_) => "the certificate is damaged".to_owned(),
            other => format!("the key is of a kind that is not supported ({other})"),
        };
        Error::new(Kind::CertificateUnusable, problem).advise(
            "set tls_cert and tls_key in serve.toml to the two files of one certificate, such as fullchain.pem and \
             privkey.pem",
        )
    })
}

/// Returns when a certificate ends. The library tells that only where it refuses one that has: here, at the end of time.
fn end_of(certificate: &CertificateDer<'static>, provider: CryptoProvider) -> Option<Timestamp> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).ok()?;
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::new(provider)).build().ok()?;
    let name = ServerName::try_from("any.invalid").ok()?;
    let late = UnixTime::since_unix_epoch(END_OF_TIME + Duration::from_secs(1));
    match verifier.verify_server_cert(certificate, &[], &name, &[], late) {
        Err(rustls::Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
            Some(Timestamp::from_millis(not_after.as_secs().saturating_mul(1000)))
        }
        _ => None,
    }
}

fn read(what: &str, path: &Path, open: impl Fn(&Path) -> Result<File, Unusable>) -> Result<Vec<u8>> {
    let file = open(path).map_err(|error| match error {
        Unusable::Unreadable(error) => unusable(what, path, &error.to_string()),
        Unusable::Exposed(Exposure { problem, remedy }) => {
            Error::new(Kind::CertificateUnusable, format!("{what} {problem}")).advise(remedy)
        }
    })?;
    ownership::read_whole(file, LONGEST).map_err(|error| unusable(what, path, &error.to_string()))
}

fn unusable(what: &str, path: &Path, cause: &str) -> Error {
    let shown = visible_path(path);
    Error::new(Kind::CertificateUnusable, format!("cannot read {what} in `{shown}`: {cause}"))
        .advise("check tls_cert and tls_key in serve.toml, and that the user of this process may read both files")
}
