//! The TLS side, seen by a client that trusts its CA.

use std::{io, sync::Arc};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

use super::*;

fn fetch(side: &TlsSide, request: &str) -> io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(side.authority().as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let address: SocketAddr = side.api_url().split('/').nth(2).unwrap().parse().unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(address)?);
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[test]
fn a_good_certificate_leads_to_the_api_and_its_faults() {
    let sim = start();
    let side = sim.tls(Certificate::Good).unwrap();
    let headers = format!("Authorization: Bearer {}\r\n", sim.key(0).unwrap());
    let text = request("POST", "/api", &headers, ADD);
    assert_eq!(split(&fetch(&side, &text).unwrap()).0, 201);
    sim.fault(ApiFault::next(Action::Reset));
    fetch(&side, &text).unwrap_err();
    sim.fault(ApiFault::next(Action::Close));
    assert_eq!(fetch(&side, &text).unwrap(), "");
}

#[test]
fn bad_certificates_are_refused_for_what_is_bad_about_them() {
    let sim = start();
    for (certificate, word) in [(Certificate::WrongName, "other.example"), (Certificate::Expired, "expired")] {
        let side = sim.tls(certificate).unwrap();
        let message = fetch(&side, &request("GET", "/api?get_domains", "", "")).unwrap_err().to_string();
        assert!(message.contains(word), "{message}");
    }
    assert!(sim.api_calls().is_empty());
}
