//! A broker under attack: by a client with a good token, by whoever can reach it, by a machine that fails under it.

use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use ipv64_acme::sim::{Action, ApiFault, CallKind, Config};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::server::{Broker, ask, certificate, client, command, configure, exchange, get};
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

/// Neither file has changed when the folder above it is mended, as the hint says.
#[test]
fn what_was_mended_beside_a_file_is_taken_up() {
    let env = TestEnvironment::new();
    let tls = env.path("broker/tls");
    let lines = "listen = '127.0.0.1:0'\ntls_cert = 'tls/cert.pem'\ntls_key = 'tls/key.pem'\n";
    let folder = configure(&env, lines);
    fs::create_dir(&tls).unwrap();
    certificate(&tls, "first", (2020, 2040));
    client(&folder, "");
    let mut broker = Broker::run(&env, &mut command(&env, &folder));
    let set_mode = |mode| fs::set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
    set_mode(0o777);
    certificate(&tls, "second", (2020, 2041));
    client(&folder, "calls_per_day = 5\n");
    broker.wait_for("clients: 0");
    broker.wait_for("the previous certificate stays in use");
    let told = broker.said().matches("warning").count();
    set_mode(0o755);
    broker.wait_for("uses a new certificate, valid until 2041-01-01");
    let until = Instant::now() + Duration::from_secs(20);
    while broker.said().rfind("clients: 1") < broker.said().rfind("clients: 0") {
        assert!(Instant::now() < until, "{}", broker.said());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(broker.said().matches("warning").count(), told, "{}", broker.said());
}

/// Whoever has taken a token could ask for hundreds of names, and get them although the token was ended meanwhile.
fn what_waits_for_its_turn_ends_after(change: impl Fn(&TestEnvironment, &str)) {
    let mut env = TestEnvironment::new();
    env.set("IPV64_API_RATE", "2/28");
    let folder = configure(&env, PLAIN);
    let token = client(&folder, "");
    let broker = Broker::run(&env, &mut command(&env, &folder));
    let address = broker.told("listening on http://");
    // The list of domains and this one are the two calls.
    let first = ask(&address, &request("/present", token, "one.name.ipv64.net")).unwrap();
    assert!(first.starts_with("HTTP/1.1 200"), "{first}");
    let request = request("/present", token, "two.name.ipv64.net");
    let waiting = std::thread::spawn(move || ask(&address, &request).unwrap());
    let looks_at = |name: &str| env.sim.questions().iter().any(|question| question.name.contains(name));
    let until = Instant::now() + Duration::from_secs(20);
    while !looks_at("two.name") && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    change(&env, folder.to_str().unwrap());
    let answer = waiting.join().unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert_eq!(env.calls(), [CallKind::GetDomains, CallKind::AddRecord]);
}

#[test]
fn what_a_removed_client_has_asked_for_does_not_leave_any_more() {
    what_waits_for_its_turn_ends_after(|env, folder| {
        env.succeed(&["client", "remove", "web", "--yes", "--config-dir", folder]);
    });
}

#[test]
fn what_was_asked_for_with_a_dropped_token_does_not_leave_any_more() {
    what_waits_for_its_turn_ends_after(|env, folder| {
        env.succeed(&["client", "rotate", "web", "--config-dir", folder]);
        env.succeed(&["client", "rotate", "web", "--drop-old", "--config-dir", folder]);
    });
}

/// Else a client that repeats it uses up the calls of the day, whatever it may cause: a removal is never refused.
#[test]
fn a_removal_that_keeps_failing_does_not_cost_a_call_each_time() {
    let env = TestEnvironment::new();
    let folder = configure(&env, PLAIN);
    let token = client(&folder, "calls_per_day = 4\n");
    let broker = Broker::run(&env, &mut command(&env, &folder));
    let address = broker.told("listening on http://");
    let send = |path: &str| ask(&address, &request(path, token, "www.name.ipv64.net")).unwrap();
    let added = send("/present");
    assert!(added.starts_with("HTTP/1.1 200"), "{added}");
    env.calls();
    let refusal = Action::json(403, r#"{"info": "error", "status": "403 Forbidden"}"#);
    env.sim.fault(ApiFault::on(CallKind::DelRecord, refusal).times(1000));
    let answers: Vec<_> = (0..30).map(|_| send("/cleanup")).collect();
    assert!(answers[0].starts_with("HTTP/1.1 503") && answers[1].starts_with("HTTP/1.1 200"), "{answers:?}");
    let calls = env.calls();
    assert!(calls.len() <= 4, "{calls:?}");
}

/// A broker runs for months: what failed for a moment is no reason to keep the journal in memory until it ends.
#[test]
fn a_journal_that_could_not_be_written_for_a_moment_is_written_again() {
    let env = TestEnvironment::new();
    let folder = configure(&env, &format!("{PLAIN}admin_listen = '127.0.0.1:0'\n"));
    let token = client(&folder, "");
    let mut broker = Broker::run(&env, &mut command(&env, &folder));
    let (address, admin) = (broker.told("listening on http://"), broker.told("metrics on http://"));
    let is_ready = || ask(&admin, &get("/readyz")).unwrap().starts_with("HTTP/1.1 200");
    // Stands in for a disk without room: nothing can be written there, by root either.
    let blocked = env.path("state/journal.json.new");
    fs::create_dir(&blocked).unwrap();
    let answer = ask(&address, &request("/present", token, "www.name.ipv64.net")).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && !is_ready(), "{answer}");
    broker.wait_for("warning");
    fs::remove_dir(&blocked).unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while !is_ready() {
        assert!(Instant::now() < until, "{}", broker.said());
        std::thread::sleep(Duration::from_millis(100));
    }
    let journal = fs::read_to_string(env.path("state/journal.json")).unwrap();
    assert!(journal.contains("_acme-challenge.www.name.ipv64.net"), "{journal}");
}
