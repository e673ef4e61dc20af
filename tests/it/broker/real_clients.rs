//! Real ACME clients that know a broker on another host only: no key on their side, one certificate for a name and its wildcard each.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ipv64_acme::sim::{CallKind, Config, Limits};
use serde_json::Value;

use super::server::{Broker, certificate as broker_certificate, configure_in, replace, tls_on};
use crate::support::certificate;
use crate::support::network::TwoHosts;
use crate::support::page;
use crate::support::process::{self, Finished};
use crate::support::programs;
use crate::support::stage::Stage;

const NAMES: [&str; 2] = ["name.ipv64.net", "*.name.ipv64.net"];
/// How long a client that runs on may take. A name and its wildcard wait for the CA's cache in between.
const LIMIT: Duration = Duration::from_secs(170);

/// A world with a broker in it, and one client of it.
struct World {
    stage: Stage,
    broker: Broker,
    hosts: TwoHosts,
    /// What `client add` has printed.
    client: Value,
    endpoint: String,
}

impl World {
    /// Starts one whose name servers lag differently.
    fn new(options: &[&str]) -> Self {
        let hosts = TwoHosts::enter();
        let stage = Stage::start(Config::with_delays(&[Duration::from_millis(500), Duration::from_secs(1)]));
        Self::on(hosts, stage, options)
    }

    fn on(hosts: TwoHosts, stage: Stage, options: &[&str]) -> Self {
        let folder = configure_in(&stage.path("broker"), &tls_on(hosts.far()));
        let trusted = broker_certificate(&folder, "broker", (2020, 2040));
        // For clients that have one list for the CA and the broker.
        let pebble = fs::read_to_string(stage.pebble.server_certificate()).unwrap();
        fs::write(stage.path("trusted.pem"), pebble + &trusted).unwrap();
        let client = add_client(&stage, "web", NAMES[0], options);
        let broker = serve(&hosts, &stage);
        let endpoint = format!("https://{}", broker.told("listening on https://"));
        Self { stage, broker, hosts, client, endpoint }
    }

    /// Lets the broker end, makes what its journal has this much older, and starts it again.
    fn restart_after(&mut self, pause: Duration) {
        self.broker.signal("TERM");
        assert!(self.broker.wait().success(), "{}", self.broker.said());
        let path = self.stage.path("state/journal.json");
        let mut journal: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        for entry in journal["content"]["entries"].as_array_mut().unwrap() {
            // Milliseconds.
            entry["added_at"] = (entry["added_at"].as_u64().unwrap() - pause.as_millis() as u64).into();
        }
        replace(&path, &journal.to_string(), 0o600);
        self.broker = serve(&self.hosts, &self.stage);
    }

    fn token(&self) -> String {
        self.client["token"].as_str().unwrap().to_owned()
    }

    /// A command that knows nothing of the account.
    fn command(&self, program: PathBuf) -> Command {
        let mut command = self.stage.command(program);
        for (name, _) in self.stage.sim.env() {
            command.env_remove(name);
        }
        command.env("SSL_CERT_FILE", self.stage.path("trusted.pem"));
        command
    }

    fn httpreq(&self) -> [(&'static str, String); 5] {
        [
            ("HTTPREQ_ENDPOINT", self.endpoint.clone()),
            ("HTTPREQ_USERNAME", "web".to_owned()),
            ("HTTPREQ_PASSWORD", self.token()),
            // The broker follows CNAMEs itself.
            ("LEGO_DISABLE_CNAME_SUPPORT", "true".to_owned()),
            ("HTTPREQ_PROPAGATION_TIMEOUT", "400".to_owned()),
        ]
    }

    /// Runs certbot from PyPI with a plugin.
    fn certbot(&self, plugin: &str, credentials: &str, names: &[&str]) -> Finished {
        let ini = self.stage.path("credentials.ini");
        fs::write(&ini, credentials).unwrap();
        fs::set_permissions(&ini, fs::Permissions::from_mode(0o600)).unwrap();
        crate::clients::certbot::configure(&self.stage, "config");
        let mut certbot = self.command(programs::python_environment("certbot"));
        certbot
            .args(["certonly", "--authenticator", plugin, &format!("--{plugin}-credentials")])
            .arg(&ini)
            .args(names.iter().flat_map(|name| ["-d", name]))
            .env("XDG_CONFIG_HOME", self.stage.path("config"))
            .env("REQUESTS_CA_BUNDLE", self.stage.path("trusted.pem"))
            .env("LEGO_CA_CERTIFICATES", self.stage.pebble.server_certificate());
        // A pause after the answers, which come when the servers are ready, or from a broker that waits for four seconds at most.
        let pause = if plugin == "dns-httpreq" { "3" } else { "1" };
        certbot.args([&format!("--{plugin}-propagation-seconds"), pause]);
        process::run(&mut certbot)
    }

    /// Runs certbot from PyPI with our plugin, whose program asks the broker.
    fn certbot_with_plugin(&self, names: &[&str]) -> Finished {
        let token = self.stage.path("token");
        replace(&token, &self.token(), 0o600);
        crate::clients::certbot::configure(&self.stage, "config");
        let mut certbot = self.command(programs::python_environment("certbot"));
        certbot
            .args(["certonly", "--authenticator", "dns-ipv64"])
            .args(names.iter().flat_map(|name| ["-d", name]))
            .envs(self.stage.sim.env().into_iter().filter(|(name, _)| !name.starts_with("IPV64_API")))
            .env("IPV64_BROKER", &self.endpoint)
            .env("IPV64_BROKER_TOKEN_FILE", token)
            .env("IPV64_STATE_DIR", self.stage.path("certbot-state"))
            .env("CERTBOT_PLUGIN_PATH", self.stage.path("plugin"))
            .env("XDG_CONFIG_HOME", self.stage.path("config"))
            .env("IPV64_CA_FILE", self.stage.path("trusted.pem"))
            .env("REQUESTS_CA_BUNDLE", self.stage.pebble.server_certificate());
        process::run(&mut certbot)
    }

    /// Runs lego's provider httpreq for a client.
    fn lego(&self, name: &str, client: &Value, names: &[&str]) -> Finished {
        let mut lego = self.command(programs::system("lego"));
        lego.envs(self.httpreq()).env("HTTPREQ_USERNAME", name);
        lego.env("HTTPREQ_PASSWORD", client["token"].as_str().unwrap());
        lego.env("LEGO_PATH", self.stage.path("lego"))
            .env("LEGO_CA_CERTIFICATES", self.stage.pebble.server_certificate());
        lego.arg("--server").arg(self.stage.pebble.directory()).args(["--accept-tos", "--email", "you@example.com"]);
        lego.args(["--dns", "httpreq", "--dns.disable-cp", "--dns.resolvers"])
            .arg(self.stage.sim.addresses("system")[0].to_string());
        process::run(lego.args(names.iter().flat_map(|name| ["-d", name])).arg("run"))
    }

    /// Runs acme.sh with a DNS file of its own, for a name and its wildcard.
    fn acme_sh(&self, file: &str, variables: &[(&str, &str)]) -> Finished {
        let mut sh = self.command(programs::system("sh"));
        sh.arg(std::env::var("ACME_SH").expect("ACME_SH names the script acme.sh"));
        sh.args(["--issue", "--dnssleep", "1", "--dns", file]).args(NAMES.iter().flat_map(|name| ["-d", name]));
        sh.arg("--home").arg(self.stage.path("acme-sh")).arg("--server").arg(self.stage.pebble.directory());
        sh.arg("--ca-bundle").arg(self.stage.path("trusted.pem")).envs(variables.iter().copied());
        process::run(&mut sh)
    }

    fn log(&self) -> Vec<Value> {
        let log = fs::read_to_string(self.stage.path("state/audit.jsonl")).unwrap();
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Asserts that a client has its certificate, at the price of two calls a name, and that the log has all of it.
    fn assert_done(&self, finished: &Finished, chain: &str, names: &[&str], dialect: &str) {
        let said = || format!("{}\n{}\n{:#?}", finished.said(), self.broker.said(), self.log());
        assert!(finished.status.success(), "{}", said());
        let chain = self.stage.path(chain);
        assert_eq!(certificate::names(&chain), names.iter().map(|name| (*name).to_owned()).collect(), "{}", said());
        certificate::assert_issued_by(&self.stage.pebble.root(), &chain);
        let calls = |kind| self.stage.sim.api_calls().iter().filter(|call| call.call == Some(kind)).count();
        assert_eq!(calls(CallKind::AddRecord), names.len(), "{}", said());
        let log = self.log();
        let near = self.hosts.near().to_string();
        let as_expected =
            |line: &Value| line["dialect"] == dialect && line["client"] == "web" && line["address"] == near;
        assert!(log.iter().all(as_expected), "{log:#?}");
        let presents = log.iter().filter(|line| line["action"] == "present").count();
        assert!(presents >= names.len(), "{log:#?}");
        assert!(!fs::read_to_string(self.stage.path("state/audit.jsonl")).unwrap().contains(&self.token()));
    }

    fn assert_nothing_left(&self) {
        let left = self.stage.sim.records_left();
        assert!(left.is_empty(), "{left:#?}");
    }
}

/// Starts the broker on the other host.
fn serve(hosts: &TwoHosts, stage: &Stage) -> Broker {
    Broker::run_in(&stage.path("broker"), &mut hosts.move_to_far(of_broker(stage, &["serve"])))
}

/// A command of the program with the broker's settings.
fn of_broker(stage: &Stage, args: &[&str]) -> Command {
    fs::write(stage.path("empty.toml"), "").unwrap();
    let mut command = stage.command(programs::hook());
    command.args(args).arg("--config-dir").arg(stage.path("broker")).env("IPV64_CONFIG", stage.path("empty.toml"));
    command
}

/// Adds a client for a name and its wildcard; returns what was printed.
fn add_client(stage: &Stage, client: &str, name: &str, options: &[&str]) -> Value {
    let added =
        process::run(&mut of_broker(stage, &[&["client", "add", client, "--json", "--allow", name], options].concat()));
    serde_json::from_str(&added.stdout).unwrap_or_else(|_| panic!("{}", added.said()))
}

/// lego's provider for acme-dns (Debian builds lego without it). It never removes a value, and asks the server for an account
/// unless its file has one.
#[test]
#[ignore = "needs pebble and certbot-dns-multi: run tests/run"]
fn certbot_dns_multi_by_acme_dns() {
    let mut world = World::new(&["--acme-dns", NAMES[0]]);
    let accounts = world.stage.path("accounts.json");
    fs::write(&accounts, serde_json::json!({ NAMES[0]: world.client["acme_dns"] }).to_string()).unwrap();
    let credentials = format!(
        "dns_multi_provider = acme-dns\nACME_DNS_API_BASE = {}\nACME_DNS_STORAGE_PATH = {}\n\
         LEGO_DISABLE_CNAME_SUPPORT = true\n",
        world.endpoint,
        accounts.display()
    );
    let finished = world.certbot("dns-multi", &credentials, &NAMES);
    world.assert_done(&finished, "certbot/live/name.ipv64.net/fullchain.pem", &NAMES, "acme-dns");
    world.restart_after(Duration::from_secs(14 * 60));
    assert_eq!(world.stage.sim.records_left().len(), NAMES.len(), "they go after a quarter of an hour");
    world.restart_after(Duration::from_secs(60));
    let until = Instant::now() + LIMIT;
    while !world.stage.sim.records_left().is_empty() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(100));
    }
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs pebble and certbot-dns-multi: run tests/run"]
fn certbot_dns_multi_by_httpreq() {
    let world = World::new(&[]);
    let variables = world.httpreq().map(|(name, value)| format!("{name} = {value}\n")).concat();
    let finished = world.certbot("dns-multi", &format!("dns_multi_provider = httpreq\n{variables}"), &NAMES);
    world.assert_done(&finished, "certbot/live/name.ipv64.net/fullchain.pem", &NAMES, "httpreq");
    world.assert_nothing_left();
}

const ACME_SH_CHAIN: &str = "acme-sh/name.ipv64.net_ecc/fullchain.cer";

/// OPNsense runs this file too.
#[test]
#[ignore = "needs pebble and acme.sh in ACME_SH: run tests/run"]
fn acme_sh_by_acmeproxy() {
    let world = World::new(&[]);
    let variables = [
        ("ACMEPROXY_ENDPOINT", world.endpoint.as_str()),
        ("ACMEPROXY_USERNAME", "web"),
        ("ACMEPROXY_PASSWORD", &world.token()),
    ];
    let finished = world.acme_sh("dns_acmeproxy", &variables);
    world.assert_done(&finished, ACME_SH_CHAIN, &NAMES, "httpreq");
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs pebble and acme.sh in ACME_SH: run tests/run"]
fn acme_sh_by_acme_dns() {
    let world = World::new(&["--acme-dns", NAMES[0]]);
    let of = |field: &str| world.client["acme_dns"][field].as_str().unwrap();
    let variables = [
        ("ACMEDNS_BASE_URL", world.endpoint.as_str()),
        ("ACMEDNS_USERNAME", of("username")),
        ("ACMEDNS_PASSWORD", of("password")),
        ("ACMEDNS_SUBDOMAIN", of("subdomain")),
    ];
    let finished = world.acme_sh("dns_acmedns", &variables);
    world.assert_done(&finished, ACME_SH_CHAIN, &NAMES, "acme-dns");
}

/// It sends forms, and gives up after five seconds.
#[test]
#[ignore = "needs pebble and certbot-lego-httpreq: run tests/run"]
fn certbot_lego_httpreq() {
    let world = World::new(&[]);
    let credentials =
        [("endpoint", world.endpoint.clone()), ("username", "web".to_owned()), ("password", world.token())]
            .map(|(name, value)| format!("dns_httpreq_{name} = {value}\n"));
    let finished = world.certbot("dns-httpreq", &credentials.concat(), &NAMES);
    world.assert_done(&finished, "certbot/live/name.ipv64.net/fullchain.pem", &NAMES, "httpreq");
    world.assert_nothing_left();
}

/// A router that has Traefik ask for a certificate of these names. JSON is YAML.
fn routes_of_traefik(names: &[&str; 2]) -> Value {
    let domains = serde_json::json!([{ "main": names[0], "sans": [names[1]] }]);
    let tls = serde_json::json!({ "certResolver": "ipv64", "domains": domains });
    let rule = format!("Host(`{}`)", names[0]);
    let router = serde_json::json!({ "rule": rule, "service": "whoami", "entryPoints": ["websecure"], "tls": tls });
    let services =
        serde_json::json!({ "whoami": { "loadBalancer": { "servers": [{ "url": "http://127.0.0.1:9" }] } } });
    serde_json::json!({ "http": { "routers": { "whoami": router }, "services": services } })
}

#[test]
#[ignore = "needs pebble and Traefik: run tests/run"]
fn traefik_by_httpreq() {
    const RESOLVER: &str = "--certificatesresolvers.ipv64.acme";
    let world = World::new(&[]);
    let stage = &world.stage;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    fs::write(stage.path("routes.yaml"), routes_of_traefik(&NAMES).to_string()).unwrap();
    let block = page::parsed(&page::block("places/traefik.md", "With a broker", "yaml"), "yaml").expect("YAML");
    let block = &block["services"]["traefik"];
    replace(&stage.path("token"), &world.token(), 0o600);
    let token = stage.path("token").display().to_string();
    let place = |text: &str| {
        text.replace("https://broker.example.com:8443", &world.endpoint)
            .replace("/run/secrets/ipv64-broker-token", &token)
    };
    let log = fs::File::create(stage.path("log")).unwrap();
    let mut traefik = world.command(programs::python_environment("traefik"));
    traefik
        .args([
            "--global.checknewversion=false".to_owned(),
            format!("--entrypoints.websecure.address=127.0.0.1:{port}"),
        ])
        .arg(format!("--providers.file.filename={}", stage.path("routes.yaml").display()))
        .arg(format!("{RESOLVER}.email=you@example.com"))
        .arg(format!("{RESOLVER}.storage={}", stage.path("acme.json").display()))
        .arg(format!("{RESOLVER}.caserver={}", stage.pebble.directory()))
        .arg(format!("{RESOLVER}.cacertificates={}", stage.pebble.server_certificate().display()))
        .args(block["command"].as_array().unwrap().iter().map(|argument| argument.as_str().unwrap()))
        .arg(format!("{RESOLVER}.dnschallenge.propagation.disablechecks=true"))
        .arg(format!("{RESOLVER}.dnschallenge.resolvers={}", stage.sim.addresses("system")[0]))
        .envs(
            block["environment"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, value)| (name, place(value.as_str().unwrap()))),
        )
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log);
    let mut traefik = traefik.spawn().unwrap();
    let until = Instant::now() + LIMIT;
    let store = stage.path("acme.json");
    let is_there = || {
        let store: Value = serde_json::from_str(&fs::read_to_string(&store).ok()?).ok()?;
        Some(store.pointer("/ipv64/Certificates/0/certificate")?.as_str()?.to_owned())
    };
    let encoded = loop {
        let encoded = is_there();
        if encoded.is_some() || Instant::now() > until || traefik.try_wait().unwrap().is_some() {
            break encoded;
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    traefik.kill().ok();
    traefik.wait().unwrap();
    fs::write(stage.path("chain.b64"), encoded.unwrap_or_default()).unwrap();
    let mut decoded =
        stage.shell("openssl base64 -d -A -in ../chain.b64 -out ../chain.pem && test -s ../chain.pem", &[]);
    decoded.stderr += &fs::read_to_string(stage.path("log")).unwrap();
    world.assert_done(&decoded, "chain.pem", &NAMES, "httpreq");
    world.assert_nothing_left();
}

/// Two machines, two ACME clients, two dialects, one broker, and no more calls than the account may make.
#[test]
#[ignore = "needs pebble, certbot 5 and lego: run tests/run"]
fn lego_and_newest_certbot_with_the_plugin_at_once() {
    const OTHER: [&str; 3] = ["example.com", "*.example.com", "www.example.com"];
    const OWN: [&str; 3] = ["name.ipv64.net", "*.name.ipv64.net", "www.name.ipv64.net"];
    const BURST: (usize, Duration) = (3, Duration::from_secs(4));
    let hosts = TwoHosts::enter();
    let mut stage = Stage::start(Config::with_delays(&[Duration::from_millis(500), Duration::from_secs(1)]));
    stage.sim.set_limits(Limits { burst: Some(BURST), ..Limits::default() });
    stage.set_variable("IPV64_API_RATE", "3/4");
    crate::clients::plugin::lay_out(&stage);
    let mail = add_client(&stage, "mail", OTHER[0], &["--allow", OTHER[2]]);
    let world = World::on(hosts, stage, &["--allow", OWN[2]]);
    let [certbot, lego] = std::thread::scope(|scope| {
        [scope.spawn(|| world.certbot_with_plugin(&OWN)), scope.spawn(|| world.lego("mail", &mail, &OTHER))]
            .map(|client| client.join().unwrap())
    });
    for (finished, names, chain) in [
        (certbot, OWN, "certbot/live/name.ipv64.net/fullchain.pem"),
        (lego, OTHER, "lego/certificates/example.com.crt"),
    ] {
        assert!(finished.status.success(), "{}\n{}", finished.said(), world.broker.said());
        let chain = world.stage.path(chain);
        assert_eq!(certificate::names(&chain), names.map(str::to_owned).into(), "{}", finished.said());
        certificate::assert_issued_by(&world.stage.pebble.root(), &chain);
    }
    let calls = world.stage.sim.api_calls();
    for kind in [CallKind::AddRecord, CallKind::DelRecord] {
        let made = calls.iter().filter(|call| call.call == Some(kind)).count();
        assert_eq!(made, OWN.len() + OTHER.len(), "{calls:#?}");
    }
    assert!(calls.iter().all(|call| call.refused_by.is_none()), "{calls:#?}");
    world.assert_nothing_left();
}
