//! The broker and its clients on different hosts: what a client's address decides, and what becomes of one that vanishes.

use std::fmt::Display;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use ipv64_acme::sim::Config;
use serde_json::Value;

use super::serve::present;
use super::server::{Broker, ask_tls, certificate, client, command, configure, get, replace, tls_on, tls_stream};
use crate::support::environment::TestEnvironment;
use crate::support::network::TwoHosts;
use crate::support::process;
use crate::support::values::{FIRST, SECOND};

const RECORD: &str = "_acme-challenge.www.name.ipv64.net";
/// An address that no host of the test has.
const ELSEWHERE: &str = "192.0.2.1";

/// A host with a token, and the broker on the other host.
struct Pair {
    env: TestEnvironment,
    broker: Broker,
    folder: PathBuf,
    port: String,
}

impl Pair {
    /// Starts a broker that listens on an address, and lets its client come from a network.
    fn start(hosts: &TwoHosts, listen: impl Display, from: &str) -> Self {
        Self::start_in(TestEnvironment::new(), hosts, listen, from)
    }

    fn start_in(mut env: TestEnvironment, hosts: &TwoHosts, listen: impl Display, from: &str) -> Self {
        let folder = configure(&env, &tls_on(listen));
        certificate(&folder, "broker", (2020, 2040));
        let token = env.path("token");
        replace(&token, client(&folder, &format!("from = ['{from}']\n")), 0o600);
        let mut serve = command(&env, &folder);
        serve.env("IPV64_STATE_DIR", env.path("broker/state"));
        let broker = Broker::run(&env, &mut hosts.move_to_far(serve));
        env.set("IPV64_API_KEY", "");
        env.set("IPV64_API_URL", "http://127.0.0.1:1/api");
        env.set("IPV64_BROKER_TOKEN_FILE", token.to_str().unwrap());
        env.set("IPV64_CA_FILE", folder.join("cert.pem").to_str().unwrap());
        let port = broker.told("listening on https://").rsplit(':').next().unwrap().to_owned();
        let mut pair = Self { env, broker, folder, port };
        pair.ask_at(hosts.far());
        pair
    }

    /// Lets the hook ask the broker at an address.
    fn ask_at(&mut self, address: impl Display) {
        self.env.set("IPV64_BROKER", &format!("https://{address}:{}", self.port));
    }

    /// What the log has: where a request came from, and what became of it.
    fn log(&self) -> Vec<(String, String)> {
        let log = std::fs::read_to_string(self.env.path("broker/state/audit.jsonl")).unwrap();
        let lines = log.lines().map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            let text = |name: &str| line[name].as_str().unwrap().to_owned();
            (text("address"), text("outcome"))
        });
        lines.collect()
    }
}

#[test]
fn a_client_from_its_network_is_served() {
    let hosts = TwoHosts::enter();
    let pair = Pair::start(&hosts, hosts.far(), &format!("{}/24", hosts.near()));
    pair.env.succeed(&["present", RECORD, FIRST]);
    assert!(pair.env.sim.visible_everywhere_since(RECORD, FIRST).is_some(), "{}", pair.broker.said());
    pair.env.succeed(&["cleanup", RECORD, FIRST]);
    assert!(pair.env.sim.records_left().is_empty());
    let done = (hosts.near().to_string(), "done".to_owned());
    assert_eq!(pair.log(), [done.clone(), done]);
}

#[test]
fn a_client_from_elsewhere_is_refused_and_costs_no_call() {
    let hosts = TwoHosts::enter();
    let pair = Pair::start(&hosts, hosts.far(), ELSEWHERE);
    let said = pair.env.fail(&["present", RECORD, SECOND], 3);
    assert!(said.contains("error[broker_not_allowed]"), "{said}");
    assert_eq!(pair.log(), [(hosts.near().to_string(), "address_not_allowed".to_owned())]);
    assert_eq!(pair.env.calls(), []);
}

/// The two hosts alone on a network: there is a way to the broker, and none to the internet.
#[test]
#[ignore = "waits for the tries of a request: run tests/run"]
fn a_broker_that_has_ended_is_told_as_such() {
    let hosts = TwoHosts::enter();
    let Pair { env, broker, .. } = Pair::start(&hosts, hosts.far(), &hosts.near().to_string());
    drop(broker);
    let said = env.fail(&["present", RECORD, FIRST], 6);
    assert!(said.starts_with("error[unreachable]: cannot add the TXT record"), "{said}");
    assert!(said.contains("check that `ipv64-acme serve` runs"), "{said}");
}

/// The same network, whose name servers answer: neither of them is at fault.
#[test]
fn doctor_finds_no_fault_with_a_network_that_has_no_way_to_the_internet() {
    let hosts = TwoHosts::enter();
    let Pair { env, broker, .. } = Pair::start(&hosts, hosts.far(), &hosts.near().to_string());
    drop(broker);
    let finished = env.run(&["doctor", "name.ipv64.net"]);
    assert_eq!(finished.status.code(), Some(6), "{}", finished.said());
    assert!(finished.stdout.contains("no answer from the broker"), "{}", finished.said());
    assert!(!finished.stdout.contains("[machine]"), "{}", finished.said());
}

/// One socket for both families: IPv4 addresses come as such to the log and to `from`.
#[test]
fn clients_of_both_families_come_to_one_socket() {
    let hosts = TwoHosts::enter();
    let Some([near, far]) = hosts.ipv6() else { return };
    let families = [(hosts.near().to_string(), hosts.far().to_string()), (near.to_string(), format!("[{far}]"))];
    let [first, second] = &families;
    for [good, bad] in [[first, second], [second, first]] {
        let mut pair = Pair::start(&hosts, "[::]", &good.0);
        pair.ask_at(&good.1);
        pair.env.succeed(&["present", RECORD, FIRST]);
        pair.ask_at(&bad.1);
        pair.env.fail(&["present", RECORD, SECOND], 3);
        let expected = [(good, "done"), (bad, "address_not_allowed")];
        assert_eq!(pair.log(), expected.map(|((near, _), outcome)| (near.clone(), outcome.to_owned())));
    }
}

/// Hosts that vanish without a farewell, each at another moment: none of them keeps its connection.
#[test]
#[ignore = "waits for time limits: run tests/run"]
fn hosts_that_vanish_are_forgotten() {
    let hosts = TwoHosts::enter();
    if hosts.near().is_loopback() {
        return;
    }
    let env = TestEnvironment::with(Config::with_delays(&[Duration::from_secs(3600); 2]));
    let pair = Pair::start_in(env, &hosts, hosts.far(), &hosts.near().to_string());
    let address: SocketAddr = format!("{}:{}", hosts.far(), pair.port).parse().unwrap();
    let connect = || TcpStream::connect(address).unwrap();
    let trusted = std::fs::read_to_string(pair.folder.join("cert.pem")).unwrap();
    let encrypted = |request: &str| {
        let mut stream = tls_stream(connect(), &trusted);
        stream.write_all(request.as_bytes()).unwrap();
        stream.flush().unwrap();
        stream
    };
    let silent = connect();
    let mut torn = connect();
    torn.write_all(&[22, 3, 1]).unwrap();
    let without_end = encrypted("GET /readyz HTTP/1.1\r\nHost:");
    let without_body = encrypted("POST /present HTTP/1.1\r\nHost: b\r\nContent-Length: 100\r\n\r\n{");
    let mut answered = encrypted(&get("/v1/client").replace("Connection: close\r\n", ""));
    let mut start = [0; 12];
    answered.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 401");
    let token = std::fs::read_to_string(pair.env.path("token")).unwrap();
    let waiting =
        encrypted(&present(&BASE64_STANDARD.encode(format!("web:{token}"))).replace("Connection: close\r\n", ""));
    let open = || pair.broker.established(address.port());
    let until = Instant::now() + Duration::from_secs(8);
    while pair.env.sim.api_calls().is_empty() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(open() > 0);
    let link = |state: &str| process::run(Command::new("ip").args(["link", "set", "near2", state])).status.success();
    assert!(link("down"));
    let until = Instant::now() + Duration::from_secs(60);
    while open() != 0 {
        assert!(Instant::now() < until, "{} connections are still open", open());
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(link("up"));
    let served = ask_tls(&address.to_string(), &trusted, &get("/v1/client")).unwrap();
    assert!(served.starts_with("HTTP/1.1 401"), "{served}");
    drop((silent, torn, without_end, without_body, answered, waiting));
}
