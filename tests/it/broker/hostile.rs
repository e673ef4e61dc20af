//! A broker under attack: by a client with a good token, by whoever can reach it, by a machine that fails under it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use ipv64_acme::sim::Config;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::server::{Broker, client, command, configure, exchange, get};
use crate::support::environment::TestEnvironment;
use crate::support::programs;

const PLAIN: &str = "listen = '127.0.0.1:0'\n";

/// Name servers that never show a new record: whoever waits for them waits for long.
fn slow_environment() -> TestEnvironment {
    TestEnvironment::with(Config::with_delays(&[Duration::from_secs(3600); 2]))
}

fn request(path: &str, token: &str, name: &str) -> String {
    let body = format!("{{\"fqdn\": \"_acme-challenge.{name}.\", \"value\": \"{}\"}}", "v".repeat(43));
    format!(
        "POST {path} HTTP/1.1\r\nHost: b\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// One record asked for again and again costs no call: the connections are what a client could take from all others.
#[test]
fn a_client_with_more_requests_than_its_share_is_told_so() {
    const REQUESTS: usize = 600;
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let env = slow_environment();
    let folder = configure(&env, PLAIN);
    let request = request("/present", client(&folder, ""), "www.name.ipv64.net");
    let broker = Broker::run(&env, &mut command(&env, &folder));
    let address = broker.told("listening on http://");
    let held = (0..REQUESTS).map(|_| {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream
    });
    let mut held: Vec<_> = held.collect();
    let mut answer = String::new();
    held.last_mut().unwrap().read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("retry-after: "), "{answer}");
}

/// As many requests as there are places, all of them being served.
#[test]
fn a_client_whose_requests_take_all_places_makes_room_for_others() {
    let env = slow_environment();
    let socket = env.path("socket");
    let folder = configure(&env, &format!("{PLAIN}socket = '{}'\nadmin_listen = '127.0.0.1:0'\n", socket.display()));
    let request = request("/present", client(&folder, ""), "www.name.ipv64.net");
    let mut shell = env.command("/bin/sh");
    shell.args(["-c", "ulimit -n 100; exec \"$@\"", "sh"]).arg(programs::hook()).arg("serve").arg("--config-dir");
    let broker = Broker::run(&env, shell.arg(&folder));
    let address = broker.told("listening on http://");
    let held = (0..80).map(|_| {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(request.as_bytes()).ok();
        // The next one comes when this one is being served.
        std::thread::sleep(Duration::from_millis(5));
        stream
    });
    let _held: Vec<_> = held.collect();
    let answer = exchange(&mut UnixStream::connect(&socket).unwrap(), &get("/health")).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(fs::read_to_string(env.path("broker.err")).unwrap(), "");
}
