//! A hook whose record waits for its turn at a broker, behind those of many other machines.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ipv64_acme::broker::client::Client;
use ipv64_acme::challenge::{Challenge, TxtValue};
use ipv64_acme::dns::recursive::Recursive;
use ipv64_acme::dns::zone::Lookup;
use ipv64_acme::http::{Endpoint, HttpClient, HttpConfig};
use ipv64_acme::name::DnsName;
use ipv64_acme::order::{Action, CaAsked, Call, OnFailure, Wait};
use ipv64_acme::propagation::Row;
use ipv64_acme::secret::Secret;
use ipv64_acme::settings::{Environment, Settings, Sources};
use ipv64_acme::solver::{Events, Solver, Upstream};
use ipv64_acme::state::{Account, State};
use ipv64_acme::time::{SystemClock, Waiting};

const NAME: &str = "_acme-challenge.name.ipv64.net";

/// Reads a request to its end.
fn read(stream: &TcpStream) {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(rest) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = rest.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    reader.read_exact(&mut vec![0; length]).unwrap();
}

/// A broker that says "not your turn yet" so many times, each for so long; its address.
fn broker(busy: usize, pause: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for number in 0..=busy {
            let mut stream = listener.accept().unwrap().0;
            read(&stream);
            let (head, body) = if number < busy {
                let head = format!("503 Service Unavailable\r\nRetry-After: {}", pause.as_secs());
                (head, r#"{"error": {"kind": "broker_busy", "message": "not yet"}}"#.to_owned())
            } else {
                ("200 OK".to_owned(), format!(r#"{{"record": "{NAME}", "domain": "name.ipv64.net", "changed": true}}"#))
            };
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {head}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    address
}

struct Quiet;

impl Events for Quiet {
    fn step(&self, _: &str) {}
    fn warning(&self, _: &str) {}
    fn servers(&self, _: &[Row], _: &Waiting) {}
}

#[test]
fn a_hook_that_does_not_wait_for_name_servers_waits_for_its_turn_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("empty.toml");
    std::fs::write(&config, "").unwrap();
    // As acme.sh calls it, which asks the name servers itself.
    let variables = [
        ("IPV64_CONFIG", config.to_str().unwrap()),
        ("IPV64_PROPAGATION_TIMEOUT", "0"),
        ("IPV64_FOLLOW_CNAME", "false"),
    ];
    let environment = Environment::new(variables.map(|(name, value)| (name.into(), value.into())));
    let settings = Settings::load(&Sources::read(&[], None, &environment).unwrap()).unwrap();
    let http = HttpClient::new(&HttpConfig {
        timeout: settings.http_timeout,
        ca_file: None,
        certificates: settings.certificates.clone(),
        proxy: settings.proxy.clone(),
        user_agent: "test".into(),
    });
    let token = Secret::parse("ipv64b_turns-turns-turns-turns-turns-turns-turns-turns").unwrap();
    let state = State::open(Some(&folder.path().join("state")), Account::of(&token), Arc::new(SystemClock));
    let address = Endpoint::parse(&broker(6, Duration::from_secs(45))).unwrap();
    let pauses = Arc::<Mutex<Vec<Duration>>>::default();
    let paused = Arc::clone(&pauses);
    let client =
        Client::new(Arc::new(http.unwrap()), address, token).pausing_with(Arc::new(move |_: &Waiting, length| {
            paused.lock().unwrap().push(length);
            Ok(())
        }));
    let nobody: ipv64_acme::dns::recursive::DohPost = Arc::new(|_, _, _| Err("no DoH in this test".into()));
    let nothing = Recursive::new(Vec::new(), nobody);
    let lookup = Lookup {
        resolvers: nothing.clone(),
        fallback: nothing,
        servers: Vec::new(),
        server_names: Vec::new(),
        roots: Vec::new(),
        port: 53,
        pace: Arc::default(),
        known: Arc::default(),
    };
    let solver = Solver {
        settings: &settings,
        upstream: &Upstream::Broker(client),
        lookup: &lookup,
        state: &state,
        events: &Quiet,
        pause: &|_, _| Ok(()),
        owner: None,
        interrupted: Arc::<AtomicBool>::default(),
    };
    let call = Call {
        client: "acme.sh",
        action: Action::Add,
        challenges: vec![Challenge { name: DnsName::parse(NAME).unwrap(), value: TxtValue::random().unwrap() }],
        wait: Wait::Now,
        on_failure: OnFailure::Undo,
        ca_asked: CaAsked::AfterAll,
    };
    solver.run(&call).unwrap();
    assert_eq!(*pauses.lock().unwrap(), [Duration::from_secs(45); 6]);
}
