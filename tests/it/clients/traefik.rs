//! Traefik's provider `exec`, with the command and the environment of its page. It gets its certificate while it runs.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Client, cases};
use crate::support::page;
use crate::support::process::Finished;
use crate::support::programs;
use crate::support::stage::Stage;

const PAGE: &str = "places/traefik.md";
/// How long Traefik may take. Names that share a record name wait for the CA's cache in between.
const LIMIT: Duration = Duration::from_secs(170);
/// The pause between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// Traefik as `tests/run` installs it.
pub(super) struct Traefik;

pub(super) const TRAEFIK: Traefik = Traefik;

impl Traefik {
    /// The service of the page's first compose file.
    fn service() -> Value {
        let block = page::block(PAGE, "Set up", "yaml");
        page::parsed(&block, "yaml").expect("YAML")["services"]["traefik"].clone()
    }

    /// The arguments of the page, with the places of a stage and what belongs to the test: the CA, and a resolver.
    fn arguments(stage: &Stage) -> Vec<String> {
        const RESOLVER: &str = "--certificatesresolvers.ipv64.acme";
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let service = Self::service();
        let shown = service["command"].as_array().unwrap().iter().map(|it| it.as_str().unwrap());
        let kept = shown.filter(|argument| !argument.contains("providers.docker"));
        let kept = kept.map(|argument| {
            let argument = argument.replace("/acme/acme.json", &stage.path("acme.json").display().to_string());
            argument.replace("address=:443", &format!("address=127.0.0.1:{port}"))
        });
        let ours = [
            // It would ask its maker's server.
            "--global.checknewversion=false".to_owned(),
            format!("--providers.file.filename={}", stage.path("routes.yaml").display()),
            format!("{RESOLVER}.caserver={}", stage.pebble.directory()),
            format!("{RESOLVER}.cacertificates={}", stage.pebble.server_certificate().display()),
            format!("{RESOLVER}.dnschallenge.resolvers={}", stage.sim.addresses("system")[0]),
        ];
        kept.chain(ours).collect()
    }

    /// The variables of the page, with the places of a stage.
    fn environment(stage: &Stage) -> Vec<(String, String)> {
        let service = Self::service();
        let mut variables = service["environment"].as_object().unwrap().clone();
        let broker = stage.variable("IPV64_BROKER");
        if !broker.is_empty() {
            variables.remove("IPV64_API_KEY_FILE").unwrap();
            variables.extend(["IPV64_BROKER", "IPV64_BROKER_TOKEN_FILE"].map(|name| (name.to_owned(), Value::Null)));
        }
        let place = |(name, value): (String, Value)| {
            let value = match name.as_str() {
                "EXEC_PATH" => stage.path("bin/ipv64-acme").display().to_string(),
                "IPV64_API_KEY_FILE" => stage.path("key").display().to_string(),
                "IPV64_BROKER" => broker.clone(),
                "IPV64_BROKER_TOKEN_FILE" => stage.path("token").display().to_string(),
                "IPV64_STATE_DIR" => stage.path("state").display().to_string(),
                _ => value.as_str().unwrap().to_owned(),
            };
            (name, value)
        };
        variables.into_iter().map(place).collect()
    }
}

/// The first certificate in Traefik's store, decoded, once there is one.
fn stored(store: &Path) -> Option<Vec<u8>> {
    let store: Value = serde_json::from_str(&fs::read_to_string(store).ok()?).ok()?;
    let encoded = store.pointer("/ipv64/Certificates/0/certificate")?.as_str()?.to_owned();
    let openssl =
        Command::new("openssl").args(["base64", "-d", "-A"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut openssl = openssl.ok()?;
    std::io::Write::write_all(&mut openssl.stdin.take()?, encoded.as_bytes()).ok()?;
    Some(openssl.wait_with_output().ok()?.stdout)
}

/// A running Traefik; ends with the value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Client for Traefik {
    fn install(&self, stage: &Stage) {
        stage.put_into_path("traefik", &programs::python_environment("traefik"));
    }

    fn obtain(&self, stage: &Stage, names: &[&str]) -> Finished {
        fs::write(stage.path("key"), stage.variable("IPV64_API_KEY")).unwrap();
        fs::set_permissions(stage.path("key"), fs::Permissions::from_mode(0o600)).unwrap();
        // JSON is YAML, and the only ending of the two that Traefik takes.
        let routes = serde_json::json!({
            "http": {
                "routers": {"whoami": {
                    "rule": format!("Host(`{}`)", names[0].trim_start_matches("*.")), "service": "whoami", "entryPoints": ["websecure"],
                    "tls": {"certResolver": "ipv64", "domains": [{"main": names[0], "sans": names[1..]}]},
                }},
                "services": {"whoami": {"loadBalancer": {"servers": [{"url": "http://127.0.0.1:9"}]}}},
            }
        });
        fs::write(stage.path("routes.yaml"), routes.to_string()).unwrap();
        let log = fs::File::create(stage.path("log")).unwrap();
        let mut command = stage.command(stage.path("bin/traefik"));
        command.env_remove("IPV64_API_KEY").args(Self::arguments(stage)).envs(Self::environment(stage));
        let mut traefik =
            Running(command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
        let until = Instant::now() + LIMIT;
        let chain = loop {
            let chain = stored(&stage.path("acme.json"));
            let over = Instant::now() > until || traefik.0.try_wait().unwrap().is_some();
            if chain.is_some() || over {
                break chain;
            }
            std::thread::sleep(LOOK);
        };
        drop(traefik);
        let code = if chain.is_some() { "exit 0" } else { "exit 1" };
        fs::write(stage.path("chain.pem"), chain.unwrap_or_default()).unwrap();
        let stderr = fs::read_to_string(stage.path("log")).unwrap_or_default();
        Finished { status: stage.shell(code, &[]).status, stdout: String::new(), stderr }
    }

    fn chain(&self, stage: &Stage, _first: &str) -> PathBuf {
        stage.path("chain.pem")
    }
}

cases::for_client!(traefik, TRAEFIK, "Traefik");
