//! As a new user: `init`, `doctor`, `test`, then certbot with the line that `init` printed.

use std::process::Command;

use ipv64_acme::sim::Config;
use serde_json::Value;

use crate::clients::certbot;
use crate::support::certificate;
use crate::support::process::{self, Finished};
use crate::support::stage::Stage;

const NAME: &str = "name.ipv64.net";

/// Runs a shell line as the new user, who has a home folder and no variable with a key.
fn as_user(stage: &Stage, line: &str) -> Finished {
    let mut shell: Command = stage.command("/bin/sh");
    shell.args(["-eu", "-c", line]);
    shell.env_remove("IPV64_API_KEY").env("XDG_CONFIG_HOME", stage.path("config"));
    shell.env("IPV64_CONFIG", stage.path("config/ipv64-acme/config.toml"));
    shell.env("REQUESTS_CA_BUNDLE", stage.pebble.server_certificate());
    let finished = process::run(&mut shell);
    assert!(finished.status.success(), "{line}\n{}", finished.said());
    finished
}

#[test]
#[ignore = "needs pebble, certbot and openssl: run by tests/run"]
fn from_the_key_to_the_certificate_with_what_init_prints() {
    let stage = Stage::start(Config::default());
    certbot::configure(&stage, "config");
    let key = stage.sim.key(0).unwrap().to_owned();
    let init = format!("echo {key} | ipv64-acme init --stdin --json");
    let shown: Value = serde_json::from_str(&as_user(&stage, &init).stdout).unwrap();
    as_user(&stage, &format!("ipv64-acme doctor {NAME}"));
    as_user(&stage, &format!("ipv64-acme test {NAME}"));
    let clients = shown["clients"].as_array().unwrap();
    let found = clients.iter().find(|client| client["name"] == "certbot").expect("certbot is found");
    // No plugin can be added here: there is no index of packages.
    let line = found["otherwise"][0].as_str().unwrap();
    assert!(line.ends_with(&format!("-d {NAME} -d '*.{NAME}'")), "{line}");
    as_user(&stage, line);
    let chain = stage.path("certbot/live").join(NAME).join("fullchain.pem");
    assert_eq!(certificate::names(&chain).len(), 2);
    assert!(stage.sim.records_left().is_empty());
}
