//! The broker's process: its configuration, its sockets, its certificate, its signals, its service manager.

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use ipv64_acme::sim::{Action, ApiFault, CallKind, Config};

use super::server::{Broker, ask, ask_tls, certificate, client, command, configure, exchange, get, refused, replace};
use crate::support::environment::TestEnvironment;
use crate::support::programs;

const TLS: &str = "listen = '127.0.0.1:0'\ntls_cert = 'cert.pem'\ntls_key = 'key.pem'\n";
const PLAIN: &str = "listen = '127.0.0.1:0'\n";

/// Asserts that a broker with these lines does not start, with this exit code and these words.
fn assert_refused(lines: &str, code: i32, words: &[&str]) {
    let env = TestEnvironment::new();
    let said = refused(&env, &configure(&env, lines), code);
    for word in words {
        assert!(said.contains(word), "{lines}: no `{word}` in {said}");
    }
    assert_eq!(env.calls(), []);
}

#[test]
fn a_missing_file_is_told_with_one_to_paste() {
    let env = TestEnvironment::new();
    let said = refused(&env, &env.path("nowhere"), 2);
    assert!(said.contains("nowhere/serve.toml") && said.contains("listen = \"0.0.0.0:8443\""), "{said}");
}

#[test]
fn mistakes_in_serve_toml_are_told() {
    assert_refused("lisen = '127.0.0.1:0'", 2, &["`lisen` in", "did you mean `listen`?"]);
    assert_refused("listen = '8443'", 2, &["`8443` is not an address with a port", "hint: write ADDRESS:PORT"]);
    assert_refused("", 2, &["neither `listen` nor `socket`", "hint: add a line"]);
    assert_refused("tls_cert = 'cert.pem'\nlisten = '127.0.0.1:0'", 2, &["there is no `tls_key` beside it"]);
}

#[test]
fn plain_http_leaves_loopback_for_nothing() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8080"] {
        let words = [format!("no plain HTTP on {address}"), "hint: set tls_cert and tls_key".to_owned()];
        assert_refused(&format!("listen = '{address}'"), 2, &words.each_ref().map(String::as_str));
    }
}

#[test]
fn an_address_that_cannot_be_had_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let words = [
        format!("cannot listen on {address}: another program listens there"),
        format!("ss -ltnp 'sport = :{}'", address.port()),
    ];
    assert_refused(&format!("listen = '{address}'"), 1, &words.each_ref().map(String::as_str));
    let words = [format!("cannot listen on {address}"), "set `admin_listen`".to_owned()];
    let lines = format!("{PLAIN}admin_listen = '{address}'");
    assert_refused(&lines, 1, &words.each_ref().map(String::as_str));
    let env = TestEnvironment::new();
    let folder = configure(&env, &format!("{TLS}\n").replace("127.0.0.1", "192.0.2.1"));
    certificate(&folder, "one", (2020, 2040));
    let said = refused(&env, &folder, 1);
    assert!(said.contains("this machine has no such address") && said.contains("ip address"), "{said}");
}

#[test]
fn a_certificate_that_cannot_be_shown_is_told() {
    assert_refused(TLS, 2, &["cannot read the TLS certificate in", "cert.pem`: No such file", "hint: check tls_cert"]);
    let env = TestEnvironment::new();
    let folder = configure(&env, TLS);
    let says = |words: &str| {
        let said = refused(&env, &folder, 2);
        assert!(said.contains(words) && said.contains("hint: "), "no `{words}` in {said}");
    };
    certificate(&folder, "one", (2020, 2040));
    let key = fs::read_to_string(folder.join("key.pem")).unwrap();
    certificate(&folder, "two", (2020, 2040));
    let own = fs::read_to_string(folder.join("key.pem")).unwrap();
    replace(&folder.join("key.pem"), &key, 0o600);
    says("certificate and key do not belong together");
    replace(&folder.join("key.pem"), &own, 0o644);
    says("can be read by others (mode 644)");
    replace(&folder.join("key.pem"), "no key", 0o600);
    says("it contains no private key in PEM");
    replace(&folder.join("cert.pem"), "", 0o644);
    says("it contains no PEM certificate");
    fs::remove_file(folder.join("key.pem")).unwrap();
    certificate(&folder, "three", (2020, 2040));
    fs::remove_file(folder.join("key.pem")).unwrap();
    says("key.pem`: No such file");
    fs::set_permissions(folder.join("serve.toml"), Permissions::from_mode(0o666)).unwrap();
    says("others may write to it");
}

#[test]
fn an_expired_certificate_is_shown_with_a_warning() {
    let env = TestEnvironment::new();
    let folder = configure(&env, TLS);
    certificate(&folder, "old", (2019, 2020));
    let mut broker = Broker::run(&env, &mut command(&env, &folder));
    broker.wait_for("expired on 2020-01-01 00:00:00 UTC: clients refuse it");
}

#[test]
fn a_renewed_certificate_is_taken_up_and_a_broken_one_is_not() {
    let env = TestEnvironment::new();
    let folder = configure(&env, TLS);
    let first = certificate(&folder, "first", (2020, 2040));
    let mut broker = Broker::run(&env, &mut command(&env, &folder));
    let address = broker.told("listening on https://");
    let shows = |certificate: &str| ask_tls(&address, certificate, &get("/")).is_ok();
    assert!(shows(&first));
    replace(&folder.join("cert.pem"), "broken", 0o644);
    broker.wait_for("the previous certificate stays in use");
    assert!(shows(&first));
    let second = certificate(&folder, "second", (2020, 2041));
    broker.wait_for("uses a new certificate, valid until 2041-01-01 00:00:00 UTC");
    assert!(shows(&second) && !shows(&first));
}

#[test]
fn a_reload_takes_up_what_is_good_and_keeps_what_was_before() {
    let env = TestEnvironment::new();
    let folder = configure(&env, TLS);
    let first = certificate(&folder, "first", (2020, 2040));
    let mut broker = Broker::run(&env, &mut command(&env, &folder));
    let address = broker.told("listening on https://");
    fs::write(folder.join("serve.toml"), "lisen = 1").unwrap();
    broker.signal("HUP");
    broker.wait_for("the previous configuration stays in force: `lisen` in");
    assert!(!broker.said().contains("was read again"), "{}", broker.said());
    assert!(ask_tls(&address, &first, &get("/")).is_ok());
    let other = folder.join("other");
    fs::create_dir(&other).unwrap();
    let second = certificate(&other, "second", (2020, 2041));
    let lines = TLS.replace("cert.pem", "other/cert.pem").replace("key.pem", "other/key.pem");
    fs::write(folder.join("serve.toml"), format!("admin_listen = ''\n{lines}").replace("1:0", "1:1")).unwrap();
    broker.signal("HUP");
    broker.wait_for("uses a new certificate");
    broker.wait_for("take effect after a restart");
    assert!(ask_tls(&address, &second, &get("/")).is_ok());
}

#[test]
fn a_reload_compares_with_the_addresses_in_force() {
    let env = TestEnvironment::new();
    let mut broker = Broker::start(&env, PLAIN);
    let (file, warning) = (env.path("broker/serve.toml"), "take effect after a restart");
    let first = fs::read_to_string(&file).unwrap();
    for (read, lines, warned) in [(1, "listen = '127.0.0.1:1'", 1), (2, "listen = '127.0.0.1:1'", 2), (3, &first, 2)] {
        fs::write(&file, lines).unwrap();
        broker.signal("HUP");
        broker.wait_for_times("the configuration was read again", read);
        broker.wait_for_times(warning, warned);
        assert_eq!(broker.said().matches(warning).count(), warned, "{lines}: {}", broker.said());
    }
}

#[test]
fn signals_end_it_and_its_socket_goes() {
    for signal in ["TERM", "INT"] {
        let env = TestEnvironment::new();
        let socket = env.path("socket");
        let mut broker = Broker::start(&env, &format!("socket = '{}'\n", socket.display()));
        assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o666);
        assert!(exchange(&mut UnixStream::connect(&socket).unwrap(), &get("/")).is_ok());
        // One that says nothing does not hold it up.
        let _silent = UnixStream::connect(&socket).unwrap();
        broker.signal(signal);
        assert!(broker.wait().success(), "{}", broker.said());
        assert!(!socket.exists() && broker.said().contains("stopping"), "{}", broker.said());
    }
}

#[test]
fn a_socket_that_a_killed_process_has_left_is_taken_over() {
    let env = TestEnvironment::new();
    let socket = env.path("socket");
    drop(UnixListener::bind(&socket).unwrap());
    let lines = format!("socket = '{}'\n", socket.display());
    let broker = Broker::start(&env, &lines);
    let said = refused(&env, &env.path("broker"), 1);
    assert!(said.contains("another program listens there"), "{said}");
    drop(broker);
    fs::remove_file(&socket).unwrap();
    fs::write(&socket, "precious").unwrap();
    let said = refused(&env, &env.path("broker"), 1);
    assert!(said.contains("a file that is not a socket is there already"), "{said}");
    assert_eq!(fs::read_to_string(&socket).unwrap(), "precious");
}

#[test]
fn a_socket_of_another_kind_is_left_alone() {
    let env = TestEnvironment::new();
    let socket = env.path("socket");
    let other = UnixDatagram::bind(&socket).unwrap();
    let said = refused(&env, &configure(&env, &format!("socket = '{}'\n", socket.display())), 1);
    assert!(said.contains("another program listens there"), "{said}");
    UnixDatagram::unbound().unwrap().send_to(b"still there", &socket).unwrap();
    drop(other);
}

#[test]
fn a_broker_that_ends_leaves_the_socket_of_its_successor() {
    let (env, other) = (TestEnvironment::new(), TestEnvironment::new());
    let never = Action::Delay(Duration::from_secs(3600));
    env.sim.fault(ApiFault::on(CallKind::AddRecord, never));
    let socket = env.path("socket");
    let lines = format!("{PLAIN}socket = '{}'\n", socket.display());
    let credentials = credentials(&configure(&env, &lines), "");
    let mut first = Broker::run(&env, &mut command(&env, &env.path("broker")));
    let address = first.told("listening on http://");
    let waiting = std::thread::spawn(move || ask(&address, &present(&credentials)));
    wait_for_addition(&env, &first);
    first.signal("TERM");
    first.wait_for("stopping");
    while UnixStream::connect(&socket).is_ok() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let _second = Broker::start(&other, &lines);
    assert!(first.wait().success());
    waiting.join().unwrap().ok();
    assert!(exchange(&mut UnixStream::connect(&socket).unwrap(), &get("/")).is_ok());
}

#[test]
fn live_and_ready_are_told_apart() {
    let env = TestEnvironment::new();
    let broker = Broker::start(&env, &format!("{PLAIN}admin_listen = '127.0.0.1:0'\n"));
    let admin = broker.told("metrics on http://");
    assert!(ask(&admin, &get("/livez")).unwrap().starts_with("HTTP/1.1 200"));
    assert!(ask(&admin, &get("/readyz")).unwrap().starts_with("HTTP/1.1 200"));
    // A file in the place of which stands something else: from here on nothing can be kept.
    fs::remove_file(env.path("state/usage.json")).ok();
    fs::create_dir(env.path("state/usage.json")).unwrap();
    // It is seen when a file is used next, within seconds.
    let until = Instant::now() + Duration::from_secs(60);
    let mut answer = ask(&admin, &get("/readyz")).unwrap();
    while answer.starts_with("HTTP/1.1 200") && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(100));
        answer = ask(&admin, &get("/readyz")).unwrap();
    }
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("state directory"), "{answer}");
    assert!(ask(&admin, &get("/livez")).unwrap().starts_with("HTTP/1.1 200"));
}

#[test]
fn without_a_state_directory_there_is_no_broker() {
    let mut env = TestEnvironment::new();
    env.set("IPV64_STATE_DIR", "/proc/nowhere");
    let said = refused(&env, &configure(&env, PLAIN), 1);
    assert!(said.contains("the broker needs its state directory") && said.contains("hint: "), "{said}");
}

#[test]
fn sockets_of_systemd_are_used() {
    let env = TestEnvironment::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    // What serve.toml names is not opened then: nobody has this address.
    let folder = configure(&env, "listen = '192.0.2.1:8443'\n");
    let mut shell = env.command("/bin/sh");
    let script = "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$@\"";
    shell.args(["-c", script, "sh"]).arg(programs::hook()).arg("serve").arg("--config-dir").arg(&folder);
    let broker = Broker::run(&env, shell.stdin(Stdio::from(OwnedFd::from(listener))));
    assert_eq!(broker.told("listening on http://"), address);
    assert!(ask(&address, &get("/")).is_ok());
}

#[test]
fn what_systemd_hands_over_has_to_be_a_socket() {
    let env = TestEnvironment::new();
    let folder = configure(&env, PLAIN);
    let mut shell = env.command("/bin/sh");
    let script = "exec 3</dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$@\"";
    shell.args(["-c", script, "sh"]).arg(programs::hook()).arg("serve").arg("--config-dir").arg(&folder);
    let finished = crate::support::process::run(&mut shell);
    assert_eq!(finished.status.code(), Some(1), "{}", finished.said());
    assert!(finished.stderr.contains("neither a TCP nor a Unix socket"), "{}", finished.said());
}

#[test]
fn systemd_is_told() {
    let env = TestEnvironment::new();
    let path = env.path("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let hear = |text: &str| {
        let mut heard = String::new();
        while !heard.contains(text) {
            let mut buffer = [0; 4096];
            let length = manager.recv(&mut buffer).unwrap_or_else(|error| panic!("no {text}: {error}, {heard}"));
            heard.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
        heard
    };
    let folder = configure(&env, PLAIN);
    let mut started = command(&env, &folder);
    let mut broker = Broker::run(&env, started.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000"));
    hear("READY=1");
    hear("WATCHDOG=1");
    broker.signal("HUP");
    let heard = hear("RELOADING=1");
    assert!(heard.contains("MONOTONIC_USEC="), "{heard}");
    hear("READY=1");
    broker.signal("TERM");
    hear("STOPPING=1");
    assert!(broker.wait().success());
}

/// More connections than there are places, all from one address; each has sent the beginning of a request.
#[test]
fn who_opens_connections_and_sends_nothing_takes_the_place_of_nobody() {
    const CONNECTIONS: usize = 1800;
    const KILOBYTES: u64 = 64 * 1024;
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let env = TestEnvironment::new();
    let broker = Broker::start(&env, PLAIN);
    let address = broker.told("listening on http://");
    let mut held: Vec<TcpStream> = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(&address).unwrap();
        // Whoever was there longest may be gone already.
        stream.write_all(b"POST /present HTTP/1.1\r\nHost: bro").ok();
        held.push(stream);
    }
    let started = Instant::now();
    assert!(ask(&address, &get("/")).is_ok());
    assert!(started.elapsed() < Duration::from_secs(30), "it was served when the others had gone");
    assert!(broker.memory() < KILOBYTES, "{} kB", broker.memory());
}

#[test]
fn a_few_descriptors_are_enough() {
    let env = TestEnvironment::new();
    let folder = configure(&env, PLAIN);
    let mut shell = env.command("/bin/sh");
    shell.args(["-c", "ulimit -n 100; exec \"$@\"", "sh"]).arg(programs::hook()).arg("serve").arg("--config-dir");
    let broker = Broker::run(&env, shell.arg(&folder));
    let address = broker.told("listening on http://");
    let _held: Vec<_> = (0..200).map(|_| TcpStream::connect(&address).unwrap()).collect();
    assert!(ask(&address, &get("/")).is_ok(), "{}", broker.said());
    assert!(!broker.said().contains("cannot accept"), "{}", broker.said());
}

#[test]
fn a_request_without_end_is_cut() {
    let env = TestEnvironment::new();
    let broker = Broker::start(&env, PLAIN);
    let address = broker.told("listening on http://");
    let head = format!("GET / HTTP/1.1\r\nX-Long: {}", "x".repeat(100_000));
    assert!(
        ask(&address, &head).is_ok_and(|answer| answer.starts_with("HTTP/1.1 431")) || ask(&address, &head).is_err()
    );
    let body = format!("POST /present HTTP/1.1\r\nHost: b\r\nContent-Length: 10000000\r\n\r\n{}", "x".repeat(100_000));
    let answer = ask(&address, &body);
    // Nobody is known before it is read, and whoever sends that much has a line in the log all the same.
    assert!(answer.is_err() || answer.unwrap().starts_with("HTTP/1.1 401"));
    let log = fs::read_to_string(env.path("state/audit.jsonl")).unwrap();
    assert!(log.contains("unknown_client"), "{log}");
    assert!(ask(&address, &get("/")).is_ok());
}

#[test]
fn a_client_file_that_cannot_be_used_is_told_once_and_others_count() {
    let env = TestEnvironment::new();
    let folder = configure(&env, PLAIN);
    let file = |name: &str| folder.join("clients").join(name);
    let hash = "0".repeat(64);
    replace(&file("good.toml"), &format!("tokens = ['{hash}']\nallow = ['a.example.com']\n"), 0o600);
    replace(&file("open.toml"), "allow = ['b.example.com']\n", 0o644);
    replace(&file("odd.toml"), "alow = ['c.example.com']\n", 0o600);
    let mut broker = Broker::run(&env, &mut command(&env, &folder));
    broker.wait_for("clients: 1");
    broker.wait_for("open.toml` can be read by others (mode 644)");
    broker.wait_for("odd.toml");
    replace(&file("new.toml"), "allow = ['d.example.com']\n", 0o600);
    broker.wait_for("clients: 2");
    fs::set_permissions(file("open.toml"), Permissions::from_mode(0o600)).unwrap();
    broker.wait_for("clients: 3");
    assert_eq!(broker.said().matches("odd.toml").count(), 1, "{}", broker.said());
}

#[test]
#[ignore = "needs systemd-analyze: run tests/run"]
fn systemd_accepts_the_unit_and_rates_it_below_two() {
    let env = TestEnvironment::new();
    let hooks = concat!(env!("CARGO_MANIFEST_DIR"), "/hooks/ipv64-acme-broker");
    let analyze = |command: &[&str], unit: &str| {
        let mut analyze = env.command(programs::system("systemd-analyze"));
        crate::support::process::run(analyze.args(command).args(["--man=no", unit]))
    };
    // It looks for the program too, and for the service beside its socket.
    let service = fs::read_to_string(format!("{hooks}.service")).unwrap();
    let service = service.replace("/usr/bin/ipv64-acme", &programs::hook().display().to_string());
    let copies = ["service", "socket"].map(|kind| env.path(&format!("ipv64-acme-broker.{kind}")));
    fs::write(&copies[0], service).unwrap();
    fs::copy(format!("{hooks}.socket"), &copies[1]).unwrap();
    for copy in &copies {
        let said = analyze(&["verify"], copy.to_str().unwrap()).stderr;
        assert!(!said.contains("ipv64-acme"), "{said}");
    }
    let graded = analyze(&["security", "--offline=true", "--threshold=19"], copies[0].to_str().unwrap());
    assert!(graded.status.success(), "{}", graded.said());
    let graded = analyze(&["security", "--offline=true", "--threshold=5"], copies[0].to_str().unwrap());
    assert!(!graded.status.success(), "nothing is graded here: {}", graded.said());
}

/// A hook's own path cannot start a runtime: nothing but the broker's files knows of one.
#[test]
fn only_the_broker_knows_the_runtime() {
    fn sources(folder: &Path) -> Vec<std::path::PathBuf> {
        let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        paths.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (brokers, others): (Vec<_>, Vec<_>) = sources(&root)
        .into_iter()
        .partition(|path| path.starts_with(root.join("serve")) || path.ends_with("commands/serve.rs"));
    let knows = |path: &std::path::PathBuf| fs::read_to_string(path).unwrap().contains("tokio");
    assert!(brokers.iter().any(knows));
    assert_eq!(others.into_iter().filter(knows).collect::<Vec<_>>(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn without_the_feature_no_runtime_is_in_the_tree() {
    let tree = |arguments: &[&str]| {
        let mut cargo = std::process::Command::new(env!("CARGO"));
        cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args(["tree", "--offline", "--locked", "--edges=normal"]);
        crate::support::process::run(cargo.args(["--prefix=none"]).args(arguments)).stdout
    };
    assert!(tree(&[]).contains("\ntokio "));
    let without = tree(&["--no-default-features"]);
    assert!(without.contains("\nureq ") && !without.contains("tokio") && !without.contains("axum"), "{without}");
}

/// Puts a client into a folder, and returns its credentials for Basic.
fn credentials(folder: &Path, more: &str) -> String {
    BASE64_STANDARD.encode(format!("web:{}", client(folder, more)))
}

pub(super) fn present(credentials: &str) -> String {
    let body = format!("{{\"fqdn\": \"_acme-challenge.www.name.ipv64.net.\", \"value\": \"{}\"}}", "v".repeat(43));
    let authorization =
        if credentials.is_empty() { String::new() } else { format!("Authorization: Basic {credentials}\r\n") };
    format!(
        "POST /present HTTP/1.1\r\nHost: b\r\n{authorization}Content-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn a_client_is_served_over_tls_and_counted() {
    let env = TestEnvironment::new();
    let folder = configure(&env, &format!("{TLS}admin_listen = '127.0.0.1:0'\n"));
    let trusted = certificate(&folder, "one", (2020, 2040));
    let credentials = credentials(&folder, "");
    let broker = Broker::run(&env, &mut command(&env, &folder));
    let address = broker.told("listening on https://");
    let answer = ask_tls(&address, &trusted, &present(&credentials)).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("_acme-challenge.www.name.ipv64.net."), "{answer}");
    let answer = ask_tls(&address, &trusted, &present("d3JvbmcK")).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    let metrics = ask(&broker.told("metrics on http://"), &get("/metrics")).unwrap();
    for line in [
        "ipv64_acme_requests_total{dialect=\"httpreq\",action=\"present\",outcome=\"done\"} 1",
        "ipv64_acme_clients 1",
        "ipv64_acme_certificate_end_timestamp_seconds 2208988800",
        "ipv64_acme_down_since_timestamp_seconds 0",
    ] {
        assert!(metrics.contains(line), "no {line} in {metrics}");
    }
    assert!(metrics.contains("ipv64_acme_api_calls_today ") && metrics.contains("ipv64_acme_waits 0"), "{metrics}");
}

#[test]
fn a_user_of_this_machine_needs_no_token_on_the_unix_socket() {
    let env = TestEnvironment::new();
    let socket = env.path("socket");
    let folder = configure(&env, &format!("socket = '{}'\n", socket.display()));
    let uid = fs::metadata("/proc/self").unwrap().uid();
    client(&folder, &format!("uid = {uid}\n"));
    let mut broker = Broker::run(&env, &mut command(&env, &folder));
    let answer = exchange(&mut UnixStream::connect(&socket).unwrap(), &present("")).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    client(&folder, &format!("uid = {}\n", uid + 1));
    replace(&folder.join("clients/other.toml"), "allow = ['a.example.com']\n", 0o600);
    broker.wait_for("clients: 2");
    let answer = exchange(&mut UnixStream::connect(&socket).unwrap(), &present("")).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}

/// Else the next run would make the same call once more.
#[test]
fn a_stop_in_the_middle_of_a_call_waits_for_its_answer() {
    let env = TestEnvironment::new();
    env.sim.fault(ApiFault::on(CallKind::AddRecord, Action::Delay(Duration::from_millis(600))).after_commit());
    assert!(answer_of_a_stop(&env).starts_with("HTTP/1.1 503"));
    let journal = fs::read_to_string(env.path("state/journal.json")).unwrap();
    assert!(journal.contains("\"confirmed\""), "{journal}");
}

/// Stops a broker as soon as it has made the call for an addition; what its client is answered.
fn answer_of_a_stop(env: &TestEnvironment) -> String {
    let folder = configure(env, PLAIN);
    let credentials = credentials(&folder, "");
    let mut broker = Broker::run(env, &mut command(env, &folder));
    let address = broker.told("listening on http://");
    let waiting = std::thread::spawn(move || ask(&address, &present(&credentials)));
    wait_for_addition(env, &broker);
    broker.signal("TERM");
    assert!(broker.wait().success(), "{}", broker.said());
    waiting.join().unwrap().unwrap()
}

fn wait_for_addition(env: &TestEnvironment, broker: &Broker) {
    let until = Instant::now() + Duration::from_secs(60);
    while env.sim.api_calls().iter().all(|call| call.call != Some(CallKind::AddRecord)) {
        assert!(Instant::now() < until, "nothing was added: {}", broker.said());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Name servers that take far longer than the broker waits for its end; its client is answered, and nothing is forgotten.
#[test]
fn a_stop_in_the_middle_of_a_wait_answers_and_loses_nothing() {
    let env = TestEnvironment::with(Config::with_delays(&[Duration::from_secs(3600); 2]));
    let answer = answer_of_a_stop(&env);
    assert!(answer.starts_with("HTTP/1.1 503") && answer.to_ascii_lowercase().contains("retry-after: "), "{answer}");
    let journal = fs::read_to_string(env.path("state/journal.json")).unwrap();
    assert!(journal.contains("_acme-challenge.www.name.ipv64.net"), "{journal}");
}
