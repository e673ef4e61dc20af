//! Real ACME clients that know a broker on another host only: no key on their side, one certificate for a name and its wildcard each.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ipv64_acme::sim::{CallKind, Config};
use serde_json::Value;

use super::server::{self, Broker};
use crate::support::certificate;
use crate::support::network::TwoHosts;
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
        let folder = server::configure_in(&stage.path("broker"), &server::tls_on(hosts.far()));
        let trusted = server::certificate(&folder, "broker", (2020, 2040));
        // For clients that have one list for the CA and the broker.
        let pebble = fs::read_to_string(stage.pebble.server_certificate()).unwrap();
        fs::write(stage.path("trusted.pem"), pebble + &trusted).unwrap();
        fs::write(stage.path("empty.toml"), "").unwrap();
        let program = |args: &[&str]| {
            let mut command = stage.command(programs::hook());
            command.args(args).arg("--config-dir").arg(&folder).env("IPV64_CONFIG", stage.path("empty.toml"));
            command
        };
        let add = ["client", "add", "web", "--json", "--allow", NAMES[0]];
        let added = process::run(&mut program(&[&add[..], options].concat()));
        let client = serde_json::from_str(&added.stdout).unwrap_or_else(|_| panic!("{}", added.said()));
        let broker = Broker::run_in(&folder, &mut hosts.move_to_far(program(&["serve"])));
        let endpoint = format!("https://{}", broker.told("listening on https://"));
        Self { stage, broker, hosts, client, endpoint }
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

    fn httpreq(&self) -> [(&'static str, String); 4] {
        [
            ("HTTPREQ_ENDPOINT", self.endpoint.clone()),
            ("HTTPREQ_USERNAME", "web".to_owned()),
            ("HTTPREQ_PASSWORD", self.token()),
            // The broker follows CNAMEs itself.
            ("LEGO_DISABLE_CNAME_SUPPORT", "true".to_owned()),
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
        if plugin == "dns-httpreq" {
            certbot.args(["--dns-httpreq-propagation-seconds", "3"]);
        }
        process::run(&mut certbot)
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

/// lego's provider for acme-dns (Debian builds lego without it). It never removes a value, and asks the server for an account
/// unless its file has one.
#[test]
#[ignore = "needs pebble and certbot-dns-multi: run tests/run"]
fn certbot_dns_multi_by_acme_dns() {
    let world = World::new(&["--acme-dns", NAMES[0]]);
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
    assert_eq!(world.stage.sim.records_left().len(), NAMES.len(), "they go after a quarter of an hour");
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

#[test]
#[ignore = "needs pebble and Traefik: run tests/run"]
fn traefik_by_httpreq() {
    const RESOLVER: &str = "--certificatesresolvers.ipv64.acme";
    let world = World::new(&[]);
    let (stage, names) = (&world.stage, NAMES);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let domains = serde_json::json!([{ "main": names[0], "sans": [names[1]] }]);
    let tls = serde_json::json!({ "certResolver": "ipv64", "domains": domains });
    let rule = format!("Host(`{}`)", names[0]);
    let router = serde_json::json!({ "rule": rule, "service": "whoami", "entryPoints": ["websecure"], "tls": tls });
    let services =
        serde_json::json!({ "whoami": { "loadBalancer": { "servers": [{ "url": "http://127.0.0.1:9" }] } } });
    let routes = serde_json::json!({ "http": { "routers": { "whoami": router }, "services": services } });
    fs::write(stage.path("routes.yaml"), routes.to_string()).unwrap();
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
        .arg(format!("{RESOLVER}.dnschallenge.provider=httpreq"))
        .arg(format!("{RESOLVER}.dnschallenge.propagation.disablechecks=true"))
        .arg(format!("{RESOLVER}.dnschallenge.resolvers={}", stage.sim.addresses("system")[0]))
        .envs(world.httpreq())
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
