//! Looks into certificates, with the `openssl` program.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::process;
use super::programs;

/// Returns the DNS names in a certificate (subjectAltName).
pub(crate) fn names(certificate: &Path) -> BTreeSet<String> {
    let mut openssl = Command::new(programs::system("openssl"));
    openssl.args(["x509", "-noout", "-ext", "subjectAltName", "-in"]).arg(certificate);
    let finished = process::run(&mut openssl);
    assert!(finished.status.success(), "{}: {}", certificate.display(), finished.said());
    finished.stdout.split([',', '\n']).filter_map(|part| part.trim().strip_prefix("DNS:")).map(str::to_owned).collect()
}

/// Asserts that a chain (leaf first, PEM) leads to `root`.
pub(crate) fn assert_issued_by(root: &Path, chain: &Path) {
    let mut openssl = Command::new(programs::system("openssl"));
    openssl.arg("verify").arg("-CAfile").arg(root).arg("-untrusted").arg(chain).arg(chain);
    let finished = process::run(&mut openssl);
    assert!(finished.status.success(), "{}", finished.said());
}

/// Makes a key and a self-signed certificate for 127.0.0.1, as `key.pem` and `certificate.pem` in `folder`.
///
/// Made at run time, so that no certificate in the repository expires.
pub(crate) fn self_signed(folder: &Path) {
    let mut openssl = Command::new(programs::system("openssl"));
    openssl
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=loopback", "-addext", "subjectAltName=IP:127.0.0.1"])
        // rustls takes no CA certificate as a server's own; the system's openssl.cnf would make it one.
        .args(["-config", "/dev/null", "-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(folder.join("key.pem"))
        .arg("-out")
        .arg(folder.join("certificate.pem"));
    let finished = process::run(&mut openssl);
    assert!(finished.status.success(), "{}", finished.said());
}
