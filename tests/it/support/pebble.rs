//! Pebble, the small CA of Let's Encrypt for tests, as a process of its own.
//! It knows nothing of the hook: it asks the DNS server that it is given.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::{certificate, programs};

/// How long Pebble may take to start; it makes RSA keys first.
const START: Duration = Duration::from_secs(20);
/// The pause between two looks at a starting Pebble.
const LOOK: Duration = Duration::from_millis(50);
/// How often Pebble is started on other ports, should somebody take one between our look and its bind.
const TRIES: usize = 3;

/// A running CA with a root of its own; ends with the value.
pub(crate) struct Pebble {
    process: Child,
    folder: TempDir,
    ports: [u16; 2],
}

impl Pebble {
    /// Starts a CA that asks `dns`, over UDP, and nobody else.
    ///
    /// Pebble 2.4 makes `-dnsserver` the only address that Go's resolver dials, so the system's resolver is
    /// not asked, also not when this one fails (observed).
    pub(crate) fn start(dns: SocketAddr) -> Self {
        let mut reasons = Vec::new();
        for _ in 0..TRIES {
            let mut pebble = Self::spawn(dns);
            match pebble.wait_until_up() {
                Ok(()) => return pebble,
                Err(error) => reasons.push(format!("{error}\n{}", pebble.log())),
            }
        }
        panic!("pebble did not start: {}", reasons.join("\n"))
    }

    /// Returns the address of the ACME directory.
    pub(crate) fn directory(&self) -> String {
        format!("https://127.0.0.1:{}/dir", self.ports[0])
    }

    /// Returns the file with the certificate that the ACME server itself shows: for the clients to trust.
    pub(crate) fn server_certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    /// Returns the file with the root of the certificates that it issues.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }

    /// Returns what it logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Returns how often it was told to look for a challenge.
    pub(crate) fn validations(&self) -> usize {
        self.log().matches("Pulled a task from the Tasks queue").count()
    }

    fn spawn(dns: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        certificate::self_signed(folder.path());
        let ports = free_ports();
        let log = File::create(folder.path().join("log")).unwrap();
        let process = Command::new(programs::system("pebble"))
            .args(["-strict", "-dnsserver", &dns.to_string(), "-config"])
            .arg(write_config(folder.path(), ports))
            .env_clear()
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_WFE_NONCEREJECT", "0")
            .env("PEBBLE_AUTHZREUSE", "0")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { process, folder, ports }
    }

    /// Waits until the CA answers, and fetches its root. A stranger on the same port does not have its certificate.
    fn wait_until_up(&mut self) -> Result<(), ureq::Error> {
        let agent = agent_trusting(&self.server_certificate());
        let management = format!("https://127.0.0.1:{}/roots/0", self.ports[1]);
        let until = Instant::now() + START;
        loop {
            match get(&agent, &self.directory()).and_then(|_| get(&agent, &management)) {
                Ok(root) => return Ok(fs::write(self.root(), root)?),
                Err(error) if Instant::now() > until || self.process.try_wait()?.is_some() => return Err(error),
                Err(_) => std::thread::sleep(LOOK),
            }
        }
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn write_config(folder: &Path, [acme, management]: [u16; 2]) -> PathBuf {
    let config = serde_json::json!({ "pebble": {
        "listenAddress": format!("127.0.0.1:{acme}"),
        "managementListenAddress": format!("127.0.0.1:{management}"),
        "certificate": folder.join("certificate.pem"),
        "privateKey": folder.join("key.pem"),
        // Ports on which it would look for challenges of the other types: nobody listens there.
        "httpPort": 9,
        "tlsPort": 9,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": false,
    }});
    let path = folder.join("config.json");
    fs::write(&path, config.to_string()).unwrap();
    path
}

/// Returns two ports that were free a moment ago.
fn free_ports() -> [u16; 2] {
    let listeners = [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

fn agent_trusting(certificate: &Path) -> Agent {
    let certificate = Certificate::from_pem(&fs::read(certificate).unwrap()).unwrap();
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .root_certs(RootCerts::new_with_certs(&[certificate]))
        .build();
    let builder = Agent::config_builder().tls_config(tls).proxy(None).timeout_global(Some(START));
    builder.build().into()
}

fn get(agent: &Agent, url: &str) -> Result<String, ureq::Error> {
    agent.get(url).call()?.body_mut().read_to_string()
}
