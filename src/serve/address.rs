//! Where clients reach the broker, as far as its own files tell: the port of `listen`, and the name in the certificate.

use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use webpki::EndEntityCert;

use super::config::ServeConfig;
use crate::ownership;

/// The longest certificate file that is read, in bytes.
const LONGEST: u64 = 256 * 1024;

/// Returns the URL of the broker whose `serve.toml` is in a folder; nothing if that cannot be told, such as behind a proxy.
#[must_use]
pub fn find(folder: &Path) -> Option<String> {
    let config = ServeConfig::read(folder).ok()?;
    let listen = config.listen.first()?;
    let Some(tls) = &config.tls else { return Some(format!("http://{listen}")) };
    let host = name_in(&tls.certificate)?;
    Some(if listen.port() == 443 { format!("https://{host}") } else { format!("https://{host}:{}", listen.port()) })
}

/// The first name in a certificate that is no wildcard.
fn name_in(certificate: &Path) -> Option<String> {
    let pem = ownership::read_whole(ownership::open_regular(certificate).ok()?, LONGEST).ok()?;
    let der = CertificateDer::from_pem_slice(&pem).ok()?;
    let certificate = EndEntityCert::try_from(&der).ok()?;
    let name = certificate.valid_dns_names().find(|name| !name.starts_with('*'))?;
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Returns what is found where `serve.toml` has this text, and `cert.pem` these names.
    fn found(text: &str, names: &[&str]) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let signed = rcgen::generate_simple_self_signed(names).unwrap();
        fs::write(folder.path().join("cert.pem"), signed.cert.pem()).unwrap();
        fs::write(folder.path().join("serve.toml"), text).unwrap();
        find(folder.path())
    }

    #[test]
    fn the_name_is_that_of_the_certificate_and_the_port_that_of_the_listener() {
        let tls = "tls_cert = \"cert.pem\"\ntls_key = \"key.pem\"\n";
        let listen = |address: &str| format!("listen = \"{address}\"\n{tls}");
        let broker = ["*.example.com", "broker.example.com"];
        assert_eq!(found(&listen("0.0.0.0:8443"), &broker).as_deref(), Some("https://broker.example.com:8443"));
        assert_eq!(found(&listen("[::]:443"), &broker).as_deref(), Some("https://broker.example.com"));
        assert_eq!(found("listen = \"127.0.0.1:8080\"", &broker).as_deref(), Some("http://127.0.0.1:8080"));
        assert_eq!(found(&listen("0.0.0.0:8443"), &["*.example.com", "192.0.2.1"]), None);
        assert_eq!(found(tls, &broker), None);
        assert_eq!(found("nonsense", &broker), None);
        assert_eq!(find(Path::new("/nowhere")), None);
    }
}
