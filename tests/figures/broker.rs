//! The broker: what it takes more than a hook with the key, how much it answers, and what hostile clients cost. Rates are per
//! second of its CPU time, so that what else runs on the machine hardly counts. Many clients at once are in [`super::crowd`].

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
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
use ipv64_acme::sim::{Action, ApiFault, Config};
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
/// Connections of somebody who sends next to nothing.
const CONNECTIONS: usize = 5000;
/// The beginning of the tokens; the number of the client completes it.
const TOKEN: &str = "ipv64b_figures-figures-figures-figures-figures-";
/// The ticks of the system's clock in a second, of /proc/PID/stat (proc_pid_stat(5)).
const TICKS: f64 = 100.0;

pub(crate) fn measure(program: &Path) -> Result<()> {
    raise_descriptors()?;
    println!("The broker, servers that follow at once, no request window:\n");
    println!("| figure | measured | at most / at least |");
    println!("|---|---|---|");
    extra_time(program)?;
    rates(program)?;
    slow_loris(program)
}

/// Takes as many descriptors as the system gives, for thousands of connections.
pub(crate) fn raise_descriptors() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?)
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
            authorization: Some(&basic(0, &token(0))),
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
    ensure!(broker.ask(&request("present", &known, 0))?.starts_with("HTTP/1.1 200"));
    let calls = world.sim.api_calls().len();
    for (what, asked, status, least) in [
        ("refused requests", refused()?, "401", 2000),
        ("requests answered from the journal", request("present", &known, 0), "200", 200),
    ] {
        let (begin, before) = (Instant::now(), broker.cpu()?);
        let mut stream = BufReader::new(TcpStream::connect(&broker.address)?);
        for _ in 0..REQUESTS {
            stream.get_mut().write_all(asked.as_bytes())?;
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

/// How long it takes until the first request is told that IPv64 is away.
pub(crate) fn away(program: &Path) -> Result<()> {
    const RUNS: usize = 5;
    let deaf = TcpListener::bind("127.0.0.1:0")?;
    let address = deaf.local_addr()?;
    while TcpStream::connect_timeout(&address, Duration::from_millis(100)).is_ok() {}
    let url = format!("http://{address}/api");
    println!("| the first request while IPv64 …: medians of {RUNS} | answered 503 after | at most |\n|---|---|---|");
    for (what, action, variables) in [
        ("refuses connections", None, vec![("IPV64_API_URL", "http://127.0.0.1:1/api")]),
        ("swallows packets", None, vec![("IPV64_API_URL", url.as_str())]),
        ("resets connections", Some(Action::Reset), Vec::new()),
        ("answers 502", Some(Action::html(502, "")), Vec::new()),
    ] {
        let mut seconds = Vec::new();
        for _ in 0..RUNS {
            let world = World::start(program, Config::with_delays(&[Duration::ZERO; 2]))?;
            action.iter().for_each(|action| world.sim.fault(ApiFault::next(action.clone()).times(1000)));
            let broker = Broker::with(&world, Transport::Plain, 1, &variables)?;
            let begin = Instant::now();
            ensure!(broker.ask(&request("present", &challenge(0)?, 0))?.starts_with("HTTP/1.1 503"));
            seconds.push(begin.elapsed().as_secs_f64());
        }
        println!("| {what} | {:.2} s | 1 s |", percentile(&seconds, 50));
    }
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
                    ensure!(broker.ask(&refused()?)?.starts_with("HTTP/1.1 401"));
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Plain,
    Tls,
}

/// A broker with some clients.
pub(crate) struct Broker {
    child: Child,
    folder: tempfile::TempDir,
    pub(crate) address: String,
    admin: String,
}

impl Broker {
    fn start(world: &World<'_>, transport: Transport) -> Result<Self> {
        Self::with(world, transport, 1, &[])
    }

    /// Starts one with so many clients and these variables. Every other client is told 503 instead of "pending".
    pub(crate) fn with(
        world: &World<'_>,
        transport: Transport,
        clients: usize,
        variables: &[(&str, &str)],
    ) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut lines = "listen = '127.0.0.1:0'\nadmin_listen = '127.0.0.1:0'\n".to_owned();
        if transport == Transport::Tls {
            certificate(folder.path())?;
            lines.push_str("tls_cert = 'cert.pem'\ntls_key = 'key.pem'\n");
        }
        fs::write(folder.path().join("serve.toml"), lines)?;
        fs::create_dir(folder.path().join("clients"))?;
        for client in 0..clients {
            let hash = digest(&SHA256, token(client).as_bytes());
            let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            let not_ready = if client % 2 == 1 { "fail" } else { "pending" };
            private(
                &folder.path().join(format!("clients/client-{client}.toml")),
                &format!("tokens = ['{hash}']\nallow = ['*.name.ipv64.net']\nnot_ready = '{not_ready}'\n"),
            )?;
        }
        let mut command = world.unlimited(&[]);
        command.envs(variables.iter().copied());
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
    pub(crate) fn memory(&self) -> Result<u64> {
        self.status("VmRSS:")
    }

    /// A number of /proc/PID/status (proc_pid_status(5)).
    pub(crate) fn status(&self, name: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name}"))?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// How many descriptors it has open.
    pub(crate) fn descriptors(&self) -> Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.child.id()))?.count())
    }

    /// Its CPU time in seconds.
    pub(crate) fn cpu(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let [user, system] = [11, 12].map(|at| fields.get(at).and_then(|field| field.parse::<f64>().ok()));
        Ok((user.context("no time")? + system.context("no time")?) / TICKS)
    }

    pub(crate) fn metric(&self, name: &str) -> Result<f64> {
        let mut stream = TcpStream::connect(&self.admin)?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.with_context(|| format!("no {name} in {text}"))?.trim().parse().context("no number")
    }

    /// Sends a request on a connection of its own; the answer.
    pub(crate) fn ask(&self, request: &str) -> Result<String> {
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

fn token(client: usize) -> String {
    format!("{TOKEN}{client:03}")
}

fn basic(client: usize, token: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("client-{client}:{token}")))
}

fn document(challenge: &Challenge) -> String {
    json!({ "fqdn": format!("{}.", challenge.name), "value": challenge.value }).to_string()
}

/// The request of a client, to `present` or `cleanup`.
pub(crate) fn request(what: &str, challenge: &Challenge, client: usize) -> String {
    whole_request(what, challenge, &basic(client, &token(client)))
}

/// A request with a token that is none.
fn refused() -> Result<String> {
    Ok(whole_request("present", &challenge(0)?, &basic(0, "wrong")))
}

fn whole_request(what: &str, challenge: &Challenge, basic: &str) -> String {
    let body = document(challenge);
    let length = body.len();
    format!(
        "POST /{what} HTTP/1.1\r\nHost: b\r\nAuthorization: {basic}\r\nContent-Type: application/json\r\n\
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
