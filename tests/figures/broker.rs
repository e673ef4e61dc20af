//! The broker: what it takes more than a hook with the key, how much it answers, and what many waits and hostile clients cost.
//! Rates are per second of its CPU time, so that what else runs on the machine hardly counts.

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use ipv64_acme::challenge::Challenge;
use ipv64_acme::http::{Endpoint, HttpClient, HttpConfig, HttpRequest, Method, Payload};
use ipv64_acme::sim::Config;
use rcgen::{CertificateParams, KeyPair};
use ring::digest::{SHA256, digest};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::json;

use crate::world::{World, challenge, percentile, succeed};

/// Pairs of calls, one through each.
const PAIRS: usize = 50;
const PACE: Duration = Duration::from_secs(3);
/// Requests that are answered without a call.
const REQUESTS: usize = 20_000;
/// Waits at once.
const WAITS: usize = 1000;
/// How long the name servers take while they wait.
const DELAY: Duration = Duration::from_secs(90);
/// Connections of somebody who sends next to nothing.
const CONNECTIONS: usize = 5000;
const TOKEN: &str = "ipv64b_figures-figures-figures-figures-figures-fig";
/// The ticks of the system's clock in a second, of /proc/PID/stat (proc_pid_stat(5)).
const TICKS: f64 = 100.0;

pub(crate) fn measure(program: &Path) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    println!("The broker, servers that follow at once, no request window:\n");
    println!("| figure | measured | at most / at least |");
    println!("|---|---|---|");
    extra_time(program)?;
    rates(program)?;
    slow_loris(program)?;
    waits(program)
}

/// One call after the other by the hook with the key and by lego's protocol over TLS, each with a connection of its own.
fn extra_time(program: &Path) -> Result<()> {
    let world = World::start(program, Config::with_delays(&[Duration::ZERO; 2]))?;
    let broker = Broker::start(&world, Transport::Tls)?;
    let client = HttpClient::new(&HttpConfig {
        timeout: Duration::from_secs(60),
        ca_file: Some(broker.folder.path().join("cert.pem")),
        certificates: Default::default(),
        proxy: Default::default(),
        user_agent: "figures".to_owned(),
    })?;
    let endpoint = Endpoint::parse(&format!("https://{}/present", broker.address)).map_err(anyhow::Error::msg)?;
    let mut extra = Vec::new();
    for number in 0..PAIRS {
        let own = challenge(2 * number)?;
        let begin = Instant::now();
        succeed(world.unlimited(&[]).args(["present", own.name.as_str(), own.value.as_str()]))?;
        let by_hook = begin.elapsed();
        let theirs = challenge(2 * number + 1)?;
        // All waits of the broker share the pace of queries to one address, of three seconds.
        thread::sleep(PACE);
        let begin = Instant::now();
        let response = client.send(&HttpRequest {
            method: Method::POST,
            endpoint: &endpoint,
            accept: "application/json",
            authorization: Some(&basic(TOKEN)),
            payload: Some(Payload { content_type: "application/json", bytes: document(&theirs).as_bytes() }),
            limit: 10_000,
            timeout: Duration::from_secs(60),
        })?;
        let by_broker = begin.elapsed();
        ensure!(response.status == 200, "{response:?}");
        extra.push((by_broker.as_secs_f64() - by_hook.as_secs_f64()) * 1000.0);
    }
    println!(
        "| lego's protocol over TLS, compared with a hook that has the key, {PAIRS} pairs | median {:.0} ms more, 99 % {:.0} ms | 20 / 60 ms |",
        percentile(&extra, 50),
        percentile(&extra, 99)
    );
    Ok(())
}

/// What is refused, and what is answered from the journal.
fn rates(program: &Path) -> Result<()> {
    let world = World::start(program, Config::with_delays(&[Duration::ZERO; 2]))?;
    let broker = Broker::start(&world, Transport::Plain)?;
    println!("| memory, idle | {} KiB | 15 MB |", broker.memory()?);
    let known = challenge(0)?;
    ensure!(broker.ask(&request(&known, TOKEN))?.starts_with("HTTP/1.1 200"));
    let calls = world.sim.api_calls().len();
    for (what, token, status, least) in
        [("refused requests", "wrong", "401", 2000), ("requests answered from the journal", TOKEN, "200", 200)]
    {
        let (begin, before) = (Instant::now(), broker.cpu()?);
        let mut stream = BufReader::new(TcpStream::connect(&broker.address)?);
        for _ in 0..REQUESTS {
            stream.get_mut().write_all(request(&known, token).as_bytes())?;
            let answered = read_answer(&mut stream)?;
            ensure!(answered == status, "{what}: {answered}");
        }
        let (took, cpu) = (begin.elapsed().as_secs_f64(), broker.cpu()? - before);
        println!(
            "| {what} | {:.0} a second of CPU time, {:.0} a second here | {least} |",
            REQUESTS as f64 / cpu,
            REQUESTS as f64 / took
        );
    }
    ensure!(world.sim.api_calls().len() == calls, "they cost calls");
    Ok(())
}

/// Thousands of connections that send the beginning of a request and no more.
fn slow_loris(program: &Path) -> Result<()> {
    const HEAD: &str = "POST /present HTTP/1.1\r\nHost: b";
    let body = format!("{HEAD}\r\nContent-Length: 4000\r\n\r\n{}", "x".repeat(3900));
    for (what, transport, beginning) in [
        ("a part of a head", Transport::Plain, HEAD),
        ("a head and a part of a body", Transport::Plain, &body),
        ("a part of a TLS handshake", Transport::Tls, "\u{16}\u{3}"),
        ("a TLS handshake and a part of a body", Transport::Tls, &body),
    ] {
        let world = World::start(program, Config::with_delays(&[Duration::ZERO; 2]))?;
        let broker = Broker::start(&world, transport)?;
        let tls = (what.contains("handshake and")).then(|| trusting(broker.folder.path())).transpose()?;
        let (mut held, mut most, mut slowest) = (Vec::new(), 0, Duration::ZERO);
        for number in 0..CONNECTIONS {
            held.push(hold(&broker.address, tls.as_ref(), beginning)?);
            if number % 500 == 499 {
                most = most.max(broker.memory()?);
                let begin = Instant::now();
                if transport == Transport::Plain {
                    ensure!(broker.ask(&request(&challenge(0)?, "wrong"))?.starts_with("HTTP/1.1 401"));
                } else {
                    drop(hold(&broker.address, Some(&trusting(broker.folder.path())?), "")?);
                }
                slowest = slowest.max(begin.elapsed());
            }
        }
        println!(
            "| {CONNECTIONS} connections that send {what}: memory; another one is served within | {most} KiB; {slowest:.0?} | 64 MB |"
        );
    }
    Ok(())
}

/// Opens a connection and sends something on it. That it was closed meanwhile is no failure.
fn hold(address: &str, tls: Option<&Arc<ClientConfig>>, beginning: &str) -> Result<Box<dyn std::any::Any>> {
    let mut stream = TcpStream::connect(address)?;
    let Some(tls) = tls else {
        stream.write_all(beginning.as_bytes()).ok();
        return Ok(Box::new(stream));
    };
    let connection = ClientConnection::new(Arc::clone(tls), ServerName::try_from("127.0.0.1")?)?;
    let mut stream = StreamOwned::new(connection, stream);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    stream.write_all(beginning.as_bytes()).ok();
    stream.flush().ok();
    Ok(Box::new(stream))
}

/// How to speak TLS with the broker of a folder.
fn trusting(folder: &Path) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&fs::read(folder.join("cert.pem"))?).context("no certificate")?)?;
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let config = config.with_safe_default_protocol_versions()?.with_root_certificates(roots).with_no_client_auth();
    Ok(Arc::new(config))
}

/// Many waits for slow name servers at once.
fn waits(program: &Path) -> Result<()> {
    let world = World::start(program, Config::with_delays(&[DELAY; 2]))?;
    let broker = Broker::start(&world, Transport::Plain)?;
    let mut open = Vec::new();
    for number in 0..WAITS {
        let mut stream = TcpStream::connect(&broker.address)?;
        stream.write_all(request(&challenge(number)?, TOKEN).as_bytes())?;
        open.push(stream);
    }
    let (begin, mut at_once, mut memory) = (Instant::now(), 0, 0);
    while begin.elapsed() < DELAY && at_once < WAITS {
        let waits = broker.metric("ipv64_acme_waits")? as usize;
        at_once = at_once.max(waits);
        memory = memory.max(broker.memory()?);
        thread::sleep(Duration::from_millis(200));
    }
    println!("| {WAITS} requests at once, of which {at_once} came as far as a wait: memory | {memory} KiB | 64 MB |");
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    Plain,
    Tls,
}

/// A broker with one client.
struct Broker {
    child: Child,
    folder: tempfile::TempDir,
    address: String,
    admin: String,
}

impl Broker {
    fn start(world: &World<'_>, transport: Transport) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut lines = "listen = '127.0.0.1:0'\nadmin_listen = '127.0.0.1:0'\n".to_owned();
        if transport == Transport::Tls {
            certificate(folder.path())?;
            lines.push_str("tls_cert = 'cert.pem'\ntls_key = 'key.pem'\n");
        }
        fs::write(folder.path().join("serve.toml"), lines)?;
        fs::create_dir(folder.path().join("clients"))?;
        let hash: String =
            digest(&SHA256, TOKEN.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        private(
            &folder.path().join("clients/web.toml"),
            &format!("tokens = ['{hash}']\nallow = ['*.name.ipv64.net']\n"),
        )?;
        let mut command = world.unlimited(&[]);
        // A thousand look-ups of aliases at once would be held up by the pace of queries to one address.
        command.env("IPV64_FOLLOW_CNAME", if transport == Transport::Tls { "true" } else { "false" });
        command.arg("serve").arg("--config-dir").arg(folder.path()).env("IPV64_STATE_DIR", folder.path().join("state"));
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut said = BufReader::new(child.stdout.take().context("no stdout")?);
        let mut told = |what: &str| -> Result<String> {
            loop {
                let mut line = String::new();
                ensure!(said.read_line(&mut line)? > 0, "the broker has ended");
                if let Some((_, address)) = line.split_once(what) {
                    return Ok(address.trim().split('/').next().unwrap_or_default().to_owned());
                }
            }
        };
        let scheme = if transport == Transport::Tls { "https" } else { "http" };
        let address = told(&format!("listening on {scheme}://"))?;
        let admin = told("metrics on http://")?;
        // What it says later has somewhere to go.
        thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Ok(Self { child, folder, address, admin })
    }

    /// Its memory in KiB.
    fn memory(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// Its CPU time in seconds.
    fn cpu(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let [user, system] = [11, 12].map(|at| fields.get(at).and_then(|field| field.parse::<f64>().ok()));
        Ok((user.context("no time")? + system.context("no time")?) / TICKS)
    }

    fn metric(&self, name: &str) -> Result<f64> {
        let mut stream = TcpStream::connect(&self.admin)?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.with_context(|| format!("no {name} in {text}"))?.trim().parse().context("no number")
    }

    /// Sends a request on a connection of its own; the answer.
    fn ask(&self, request: &str) -> Result<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.write_all(request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn certificate(folder: &Path) -> Result<()> {
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])?.self_signed(&key)?;
    fs::write(folder.join("cert.pem"), certificate.pem())?;
    private(&folder.join("key.pem"), &key.serialize_pem())
}

fn private(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text)?;
    Ok(fs::set_permissions(path, Permissions::from_mode(0o600))?)
}

fn basic(token: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("web:{token}")))
}

fn document(challenge: &Challenge) -> String {
    json!({ "fqdn": format!("{}.", challenge.name), "value": challenge.value }).to_string()
}

fn request(challenge: &Challenge, token: &str) -> String {
    let (body, basic) = (document(challenge), basic(token));
    let length = body.len();
    format!(
        "POST /present HTTP/1.1\r\nHost: b\r\nAuthorization: {basic}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

/// Reads one answer, and returns its status.
fn read_answer(stream: &mut BufReader<TcpStream>) -> Result<String> {
    let (mut status, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        ensure!(stream.read_line(&mut line)? > 0, "the connection has ended");
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(rest) = line.strip_prefix("http/1.1 ") {
            rest.get(..3).unwrap_or_default().clone_into(&mut status);
        }
        if let Some(rest) = line.strip_prefix("content-length:") {
            length = rest.trim().parse()?;
        }
    }
    stream.read_exact(&mut vec![0; length])?;
    if status.is_empty() {
        bail!("no status");
    }
    Ok(status)
}
