//! A stand-in for a broker: `/v1` as its documents have it, in front of the simulated IPv64, with answers that a test sets.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ipv64_acme::api::{
    Access, AuthMethod, CallKind, Client, Limit, Permit, RateLimiter, RecordSpec, RecordType, RetryPolicy,
};
use ipv64_acme::broker::protocol::RecordRequest;
use ipv64_acme::http::{CertEnv, Endpoint, HttpClient, HttpConfig, ProxyEnv};
use ipv64_acme::name::DnsName;
use ipv64_acme::secret::Secret;
use ipv64_acme::sim::Sim;
use ipv64_acme::state::LimitError;
use serde_json::{Value, json};

pub(super) const TOKEN: &str = "ipv64b_c4n4ry-0123456789_abcdefghijklmnopqrstuvwxyz0";

/// What is done with one request in place of what a broker does.
#[derive(Clone)]
pub(super) enum Fault {
    /// Answers so.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// Does it, and closes the connection without an answer.
    LoseReply,
}

impl Fault {
    /// A refusal as a broker words it.
    pub(super) fn refusal(status: u16, kind: &str) -> Self {
        let error = json!({ "error": { "kind": kind, "message": "words of the broker", "hint": null } });
        Self::Answer(status, Vec::new(), error.to_string())
    }
}

pub(super) struct StandIn {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    api: Client,
    domains: Vec<DnsName>,
    /// Where names lead that are no names of records themselves.
    aliases: BTreeMap<DnsName, DnsName>,
    held: Mutex<BTreeSet<(DnsName, String)>>,
    faults: Mutex<VecDeque<Fault>>,
    seen: Mutex<Vec<String>>,
}

struct Unlimited;

impl RateLimiter for Unlimited {
    fn acquire(&self, _: CallKind, _: Instant) -> Result<Permit, LimitError> {
        Ok(Permit { is_only_try: false, done: Box::new(|_| ()) })
    }

    fn refused(&self, _: Option<Duration>, _: Limit) {}

    fn insist(&self) {}

    fn gave_up(&self, _: Duration) {}
}

impl StandIn {
    pub(super) fn start(sim: &Sim, aliases: &[(&str, &str)]) -> Self {
        let config = HttpConfig {
            timeout: Duration::from_secs(20),
            ca_file: None,
            certificates: CertEnv::default(),
            proxy: ProxyEnv::default(),
            user_agent: "stand-in".to_owned(),
        };
        let access = Access {
            endpoint: Endpoint::parse(&sim.api_url()).unwrap(),
            key: Secret::parse(sim.key(0).unwrap()).unwrap(),
            auth: AuthMethod::Bearer,
        };
        let api = Client::new(Arc::new(HttpClient::new(&config).unwrap()), access, Box::new(Unlimited));
        let shared = Arc::new(Shared {
            api,
            domains: ["name.ipv64.net", "example.com"].map(name).to_vec(),
            aliases: aliases.iter().map(|(from, to)| (name(from), name(to))).collect(),
            held: Mutex::default(),
            faults: Mutex::default(),
            seen: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&served);
                std::thread::spawn(move || shared.serve(stream));
            }
        });
        Self { port, shared }
    }

    pub(super) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The next requests meet these faults, one each.
    pub(super) fn fault(&self, faults: impl IntoIterator<Item = Fault>) {
        self.shared.faults.lock().unwrap().extend(faults);
    }

    /// The requests since the last time, as `PATH NAME`.
    pub(super) fn seen(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.seen.lock().unwrap())
    }
}

fn name(text: &str) -> DnsName {
    DnsName::parse(text).unwrap()
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while let Some((head, body)) = read_request(&mut reader) {
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            let request: Option<RecordRequest> = serde_json::from_slice(&body).ok();
            let name = request.as_ref().map_or_else(String::new, |request| format!(" {}", request.name));
            self.seen.lock().unwrap().push(format!("{path}{name}"));
            let fault = self.faults.lock().unwrap().pop_front();
            let (status, headers, body) = match fault {
                Some(Fault::Answer(status, headers, body)) => (status, headers, body),
                Some(Fault::LoseReply) => {
                    self.answer(&path, request.as_ref());
                    return;
                }
                None if !head.contains(&format!("Bearer {TOKEN}\r\n")) => {
                    let Fault::Answer(status, headers, body) = Fault::refusal(401, "broker_unauthorized") else {
                        return;
                    };
                    (status, headers, body)
                }
                None => (200, Vec::new(), self.answer(&path, request.as_ref()).to_string()),
            };
            let mut head = format!("HTTP/1.1 {status} Whatever\r\nContent-Length: {}\r\n", body.len());
            headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
            if stream.write_all(format!("{head}\r\n{body}").as_bytes()).is_err() {
                return;
            }
        }
    }

    fn answer(&self, path: &str, request: Option<&RecordRequest>) -> Value {
        let Some(request) = request else {
            return json!({
                "client": "web1",
                "allow": ["name.ipv64.net", "*.example.com"],
                "alias": ["_acme-challenge.b.example.com"],
                "calls_per_day": 20,
            });
        };
        let record = self.aliases.get(&request.name).unwrap_or(&request.name);
        let domain = self.domains.iter().find(|domain| record.is_within(domain)).unwrap();
        let spec = RecordSpec::within(domain, record, RecordType::TXT, &request.value).unwrap();
        let policy = RetryPolicy::until(Instant::now() + Duration::from_secs(10));
        let key = (request.name.clone(), request.value.clone());
        let mut held = self.held.lock().unwrap();
        let changed = match path {
            "/v1/present" if held.insert(key.clone()) => self.api.add_record(&spec, &policy).is_ok(),
            "/v1/cleanup" if held.remove(&key) => self.api.delete_record(&spec, &policy).is_ok(),
            _ => false,
        };
        json!({ "record": record, "domain": domain, "changed": changed })
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some((head, body))
}
