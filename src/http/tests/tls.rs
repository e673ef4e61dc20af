//! Encryption and proxies: certificates made on the spot, servers on loopback.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::scripted;
use crate::error::Explain;
use crate::exit::Exit;
use crate::http::*;

const SECRET: &str = "canary-secret";

/// A certification authority that only exists for one test.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A server that answers 200 with `{}` to every request, with a certificate for `name` valid until `last_year`.
    fn server(&self, name: &str, last_year: i32) -> TlsServer {
        TlsServer::start(self.config(name, last_year), answer)
    }

    fn config(&self, name: &str, last_year: i32) -> Arc<rustls::ServerConfig> {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2000, 1, 1), date_time_ymd(last_year, 1, 1));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        Arc::new(config)
    }
}

type TlsStream = rustls::StreamOwned<rustls::ServerConnection, TcpStream>;

struct TlsServer {
    port: u16,
    seen: Receiver<String>,
}

impl TlsServer {
    fn start(config: Arc<rustls::ServerConfig>, play: fn(TlsStream, &Sender<String>)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, seen) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
                play(rustls::StreamOwned::new(connection, stream), &sender);
            }
        });
        Self { port, seen }
    }
}

fn answer(mut stream: impl Read + Write, seen: &Sender<String>) {
    read_request(&mut stream, seen);
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}").ok();
}

fn read_request(stream: impl Read, seen: &Sender<String>) {
    let mut head = String::new();
    let mut reader = BufReader::new(stream);
    while !head.ends_with("\r\n\r\n") {
        match reader.read_line(&mut head) {
            Ok(1..) => {}
            _ => return,
        }
    }
    seen.send(head).ok();
}

/// A proxy that joins every CONNECT to one port, or refuses it.
fn proxy(target: Option<u16>) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, seen) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            join(stream, target, &sender);
        }
    });
    (address, seen)
}

fn join(mut client: TcpStream, target: Option<u16>, seen: &Sender<String>) {
    let mut head = String::new();
    let mut reader = BufReader::new(client.try_clone().unwrap());
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).is_ok_and(|read| read > 0) {}
    seen.send(head).ok();
    let Some(port) = target else {
        client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n").ok();
        return;
    };
    let mut server = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok();
    let (mut back, mut forth) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    std::thread::spawn(move || std::io::copy(&mut back, &mut forth));
    std::thread::spawn(move || std::io::copy(&mut client, &mut server));
}

fn client(authority: Option<&Authority>, proxy: ProxyEnv) -> HttpClient {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    if let Some(authority) = authority {
        // A second certificate and a comment: the whole file counts.
        std::fs::write(&path, format!("# test\n{}{}", Authority::new().0.pem(), authority.0.pem())).unwrap();
    }
    let ca_file = authority.map(|_| path);
    let timeout = Duration::from_secs(20);
    let (certificates, user_agent) = (CertEnv::default(), "ipv64-acme-test".to_owned());
    HttpClient::new(&HttpConfig { timeout, ca_file, certificates, proxy, user_agent }).unwrap()
}

fn fetch(client: &HttpClient, url: &str) -> Result<HttpResponse, HttpError> {
    client.send(&HttpRequest {
        method: Method::GET,
        endpoint: &Endpoint::parse(url).unwrap(),
        accept: "*/*",
        authorization: Some(&format!("Bearer {SECRET}")),
        payload: None,
        limit: 1000,
        timeout: Duration::from_secs(20),
    })
}

#[test]
fn a_certificate_of_the_ca_file_is_trusted() {
    let authority = Authority::new();
    let server = authority.server("localhost", 4000);
    let url = format!("https://localhost:{}/api", server.port);
    assert_eq!(fetch(&client(Some(&authority), ProxyEnv::default()), &url).unwrap().body, b"{}");
    assert!(server.seen.recv().unwrap().contains(SECRET));
}

#[test]
fn a_bad_certificate_is_told_apart_and_the_key_is_not_sent() {
    let authority = Authority::new();
    for (trusted, name, last_year, cause, hint) in [
        (Some(&authority), "localhost", 2001, "its certificate has expired", "set it"),
        (
            Some(&authority),
            "other.example",
            4000,
            "its certificate is for another name: other.example",
            "getent ahosts",
        ),
        (
            None,
            "localhost",
            4000,
            "its certificate comes from an issuer that this machine does not trust",
            "IPV64_CA_FILE",
        ),
    ] {
        let server = authority.server(name, last_year);
        let url = format!("https://localhost:{}/api", server.port);
        let error = fetch(&client(trusted, ProxyEnv::default()), &url).unwrap_err();
        let said = error.to_string();
        assert!(
            said.starts_with(&format!("no secure connection to `localhost:{}` at 127.0.0.1 (from ", server.port)),
            "{said}"
        );
        assert!(said.contains(&format!("): {cause}")), "{said}");
        assert_eq!(said.contains("the clock of this machine says 2"), last_year < 4000, "{said}");
        assert_eq!(
            (error.kind().as_str(), error.kind().exit(), error.may_have_arrived()),
            ("tls", Exit::NoAnswer, false)
        );
        assert!(!error.is_transient() && error.hint().unwrap().contains(hint), "{error:?}");
        assert!(server.seen.try_recv().is_err());
    }
}

/// As some firewalls do with what they do not want: the connection is there, and is reset by the first packet on it.
#[test]
fn a_connection_that_ends_in_the_handshake_has_carried_no_request() {
    let server = scripted::Scripted::start(vec![scripted::Step::Reset]);
    let url = format!("https://localhost:{}/api", server.endpoint().port());
    let error = fetch(&client(None, ProxyEnv::default()), &url).unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("` at 127.0.0.1 (from ") && said.ends_with("closed the connection while TLS was being set up"),
        "{said}"
    );
    assert_eq!((error.kind().as_str(), error.may_have_arrived()), ("connection_closed", false));
    assert!(error.is_transient() && error.hint().unwrap().contains("firewall"), "{error:?}");
}

#[test]
fn encryption_that_breaks_after_the_request_was_sent_does_not_undo_it() {
    let authority = Authority::new();
    let server = TlsServer::start(authority.config("localhost", 4000), |mut stream, seen| {
        read_request(&mut stream, seen);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{").ok();
        stream.sock.write_all(b"no record of TLS").ok();
    });
    let url = format!("https://localhost:{}/api", server.port);
    let error = fetch(&client(Some(&authority), ProxyEnv::default()), &url).unwrap_err();
    assert!(server.seen.recv().is_ok());
    assert!(error.may_have_arrived(), "{error:?}");
}

#[test]
fn a_proxy_sees_the_host_and_not_the_key() {
    let authority = Authority::new();
    let server = authority.server("api.ipv64.example", 4000);
    let (address, seen) = proxy(Some(server.port));
    let env = ProxyEnv { https: Some(format!("http://user:pass@{address}")), ..ProxyEnv::default() };
    let client = client(Some(&authority), env);
    assert_eq!(fetch(&client, "https://api.ipv64.example/api").unwrap().status, 200);
    let head = seen.recv().unwrap();
    assert!(head.starts_with("CONNECT api.ipv64.example:443 HTTP/1.1\r\n"), "{head}");
    assert!(head.to_lowercase().contains("proxy-authorization: basic dxnlcjpwyxnz\r\n"), "{head}");
    assert!(!head.contains(SECRET), "{head}");
    assert!(server.seen.recv().unwrap().contains(SECRET));
}

#[test]
fn a_proxy_that_refuses_or_is_away_is_named_without_its_password() {
    let (address, _seen) = proxy(None);
    let env = ProxyEnv { all: Some(format!("http://user:geheim@{address}")), ..ProxyEnv::default() };
    let error = fetch(&client(None, env), "https://api.ipv64.example/api").unwrap_err();
    let start = format!("cannot reach `api.ipv64.example` through the proxy `{address}`: ");
    assert_eq!(error.to_string(), start + "the proxy wants a user name and a password (407)");
    assert!(error.hint().unwrap().contains("http://USER:PASSWORD@HOST:PORT"), "{error:?}");
    assert!(!format!("{error:?}").contains("geheim"), "{error:?}");
    assert_eq!((error.kind().as_str(), error.may_have_arrived()), ("unreachable", false));

    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let env = ProxyEnv { https: Some(closed.clone()), ..ProxyEnv::default() };
    let error = fetch(&client(None, env), "https://api.ipv64.example/api").unwrap_err();
    assert!(error.to_string().contains(&format!("the proxy `{closed}`: nobody listens there")), "{error}");
}

#[test]
fn another_address_of_a_host_is_tried_after_a_dead_one() {
    // `localhost` is ::1 first and 127.0.0.1 second on most machines; the server listens on the second only.
    let server = scripted::Scripted::start(vec![scripted::Step::json(200, "{}")]);
    let url = server.endpoint().to_string().replace("127.0.0.1", "localhost");
    assert_eq!(fetch(&client(None, ProxyEnv::default()), &url).unwrap().status, 200);
}

#[test]
fn a_missing_ca_file_is_told_before_any_request() {
    let config = HttpConfig {
        timeout: Duration::from_secs(1),
        ca_file: Some(Path::new("does-not-exist.pem").to_owned()),
        certificates: CertEnv::default(),
        proxy: ProxyEnv::default(),
        user_agent: String::new(),
    };
    let error = HttpClient::new(&config).err().unwrap();
    assert!(error.to_string().starts_with("cannot read the CA certificates in `does-not-exist.pem`: "), "{error}");
}
