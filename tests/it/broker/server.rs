//! A broker of the test's own, as a process with a folder for its configuration.

use std::fs::{self, File, Permissions};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, CertifiedKey, DnType, KeyPair};
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::support::environment::TestEnvironment;
use crate::support::process;
use crate::support::programs;

/// How long anything may take. Far above what is needed: a busy machine is no failure.
const LIMIT: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(20);

/// A broker that runs. It is killed when this is dropped.
pub(crate) struct Broker {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

/// Writes a configuration for a broker, and returns the folder it is in.
pub(crate) fn configure(env: &TestEnvironment, lines: &str) -> PathBuf {
    configure_in(&env.path("broker"), lines)
}

/// Writes a configuration into a folder, and returns the folder.
pub(crate) fn configure_in(folder: &Path, lines: &str) -> PathBuf {
    fs::create_dir_all(folder.join("clients")).unwrap();
    // No test may take the port of the metrics from another one.
    let admin = if lines.contains("admin_listen") { "" } else { "admin_listen = ''\n" };
    fs::write(folder.join("serve.toml"), format!("{admin}{lines}")).unwrap();
    folder.to_owned()
}

/// The lines of a broker with TLS on a free port of an address.
pub(crate) fn tls_on(address: impl std::fmt::Display) -> String {
    format!("listen = '{address}:0'\ntls_cert = 'cert.pem'\ntls_key = 'key.pem'\n")
}

/// Puts a client into a folder that may get certificates for the account's domain and below it; returns its token.
pub(crate) fn client(folder: &Path, more: &str) -> &'static str {
    const TOKEN: &str = "ipv64b_of-a-test";
    let hash = ring::digest::digest(&ring::digest::SHA256, TOKEN.as_bytes());
    let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let file = format!("tokens = ['{hash}']\nallow = ['*.name.ipv64.net', 'name.ipv64.net']\n{more}");
    replace(&folder.join("clients/web.toml"), &file, 0o600);
    TOKEN
}

/// The command that starts the broker of a folder.
pub(crate) fn command(env: &TestEnvironment, folder: &Path) -> Command {
    let mut command = env.command(programs::hook());
    command.arg("serve").arg("--config-dir").arg(folder);
    command
}

impl Broker {
    /// Starts a broker with these lines in its `serve.toml`, and waits until it listens.
    pub(crate) fn start(env: &TestEnvironment, lines: &str) -> Self {
        let folder = configure(env, lines);
        Self::run(env, &mut command(env, &folder))
    }

    /// Starts a command that becomes a broker, and waits until it listens.
    pub(crate) fn run(env: &TestEnvironment, command: &mut Command) -> Self {
        Self::run_in(&env.path(""), command)
    }

    /// The same, with a folder for what it says.
    pub(crate) fn run_in(folder: &Path, command: &mut Command) -> Self {
        let (out, err) = (folder.join("broker.out"), folder.join("broker.err"));
        let child = command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap()).spawn().unwrap();
        let mut broker = Self { child, out, err };
        broker.wait_for("listening on");
        broker
    }

    /// Returns everything that it has said.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.out).unwrap() + &fs::read_to_string(&self.err).unwrap()
    }

    /// Waits until it has said something.
    pub(crate) fn wait_for(&mut self, text: &str) {
        self.wait_for_times(text, 1);
    }

    /// Waits until it has said something so often.
    pub(crate) fn wait_for_times(&mut self, text: &str, times: usize) {
        let until = Instant::now() + LIMIT;
        while self.said().matches(text).count() < times {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < until, "no `{text}`: {ended:?} {}", self.said());
            std::thread::sleep(TICK);
        }
    }

    /// Returns what follows `what` in a line that it has said: an address.
    pub(crate) fn told(&self, what: &str) -> String {
        let said = self.said();
        let line = said.lines().find_map(|line| line.split_once(what)).unwrap_or_else(|| panic!("{what}: {said}"));
        line.1.split_whitespace().next().unwrap().split('/').next().unwrap().to_owned()
    }

    pub(crate) fn signal(&self, name: &str) {
        assert!(process::signal(&self.child.id().to_string(), name));
    }

    /// How many connections to a port are open on its host, as the system sees them (proc_pid_net(5)).
    pub(crate) fn established(&self, port: u16) -> usize {
        const ESTABLISHED: &str = "01";
        let sockets = fs::read_to_string(format!("/proc/{}/net/tcp", self.child.id())).unwrap();
        let is_one = |line: &&str| {
            let mut fields = line.split_whitespace().skip(1);
            fields.next().is_some_and(|local| local.ends_with(&format!(":{port:04X}")))
                && fields.nth(1) == Some(ESTABLISHED)
        };
        sockets.lines().filter(is_one).count()
    }

    /// The kilobytes of memory that it takes.
    pub(crate) fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let until = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < until, "it does not end: {}", self.said());
            std::thread::sleep(TICK);
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Makes a certificate for 127.0.0.1, and for the other host of a test's network, whose time is around the years given, as `cert.pem` and `key.pem` in a folder. Returns it.
pub(crate) fn certificate(folder: &Path, name: &str, years: (i32, i32)) -> String {
    let mut params = CertificateParams::new(["127.0.0.1", "10.64.0.2", "fd64::2"].map(str::to_owned)).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
    params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
    let signing_key = KeyPair::generate().unwrap();
    let cert = params.self_signed(&signing_key).unwrap();
    let made = CertifiedKey { cert, signing_key };
    replace(&folder.join("cert.pem"), &made.cert.pem(), 0o644);
    replace(&folder.join("key.pem"), &made.signing_key.serialize_pem(), 0o600);
    made.cert.pem()
}

/// Replaces a file as ACME clients do.
pub(crate) fn replace(path: &Path, text: &str, mode: u32) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::set_permissions(&new, Permissions::from_mode(mode)).unwrap();
    fs::rename(&new, path).unwrap();
}

/// Sends a request over TLS, trusting one certificate; the answer, or why there is none.
pub(crate) fn ask_tls(address: &str, trusted: &str, request: &str) -> Result<String, String> {
    let stream = TcpStream::connect(address).map_err(|error| error.to_string())?;
    exchange(&mut tls_stream(stream, trusted), request)
}

/// A connection that begins TLS with its first octets.
pub(crate) fn tls_stream(stream: TcpStream, trusted: &str) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(rustls::pki_types::CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::from(stream.peer_addr().unwrap().ip());
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), stream)
}

/// Sends a request in plain text; the answer, or why there is none.
pub(crate) fn ask(address: &str, request: &str) -> Result<String, String> {
    exchange(&mut TcpStream::connect(address).map_err(|error| error.to_string())?, request)
}

/// Sends a request, and reads the answer to the end of the connection.
pub(crate) fn exchange(stream: &mut (impl std::io::Read + std::io::Write), request: &str) -> Result<String, String> {
    stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    if answer.is_empty() { Err(format!("{read:?}")) } else { Ok(answer) }
}

/// A GET request that asks for the end of the connection.
pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: broker\r\nConnection: close\r\n\r\n")
}

/// Runs a broker that cannot start; returns its stderr.
pub(crate) fn refused(env: &TestEnvironment, folder: &Path, code: i32) -> String {
    let finished = process::run(command(env, folder).stdin(Stdio::null()));
    assert_eq!(finished.status.code(), Some(code), "{}", finished.said());
    assert!(!finished.stdout.contains("listening"), "{}", finished.said());
    finished.stderr
}
