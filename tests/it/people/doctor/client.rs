//! What works in a shell and fails in a timer: the client's own user, variables, `PATH` and stored settings.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::{has, has_not, says};
use crate::support::environment::{TestEnvironment, is_root};
use crate::support::process;
use crate::support::programs;

/// A machine with one unit for certbot, and a program that every user can run.
struct Machine {
    env: TestEnvironment,
}

impl Machine {
    fn new(hook: &str, service: &str) -> Self {
        let env = TestEnvironment::new();
        fs::set_permissions(env.path(""), Permissions::from_mode(0o755)).unwrap();
        // By a process of its own: a file that this one has open for writing cannot be run.
        process::run(std::process::Command::new("cp").arg(programs::hook()).arg(env.path("ipv64-acme")));
        for folder in ["units", "etc/renewal"] {
            fs::create_dir_all(env.path(folder)).unwrap();
        }
        let at = env.path("").display().to_string();
        let renewal = format!("version = 5.0\n[renewalparams]\n{}\n", hook.replace("{at}", &at));
        fs::write(env.path("etc/renewal/name.ipv64.net.conf"), renewal).unwrap();
        let unit = format!(
            "[Service]\nExecStart=/usr/bin/certbot -q renew --config-dir {at}/etc\nEnvironment=IPV64_STATE_DIR={at}/timer\n{}\n",
            service.replace("{at}", &at)
        );
        fs::write(env.path("units/test-certbot.service"), unit).unwrap();
        Self { env }
    }

    /// Returns the findings about the unit.
    fn findings(&self) -> Vec<Value> {
        let mut command = self.env.command(self.env.path("ipv64-acme"));
        command.args(["doctor", "--json", "--client", "certbot"]).env("SYSTEMD_UNIT_PATH", self.env.path("units"));
        let finished = process::run(&mut command);
        let document: Value = serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{}", finished.said()));
        assert_eq!(self.env.calls(), [], "it asks nobody");
        let all = document["findings"].as_array().unwrap().iter();
        all.filter(|one| one["subject"].as_str().unwrap().starts_with("test-certbot.service")).cloned().collect()
    }

    fn key_file(&self, name: &str, mode: u32) {
        fs::write(self.env.path(name), self.env.sim.key(0).unwrap()).unwrap();
        fs::set_permissions(self.env.path(name), Permissions::from_mode(mode)).unwrap();
    }
}

/// The user of the tests, for a unit; no line for root, which is whom units start as.
fn me() -> String {
    let user = process::run(std::process::Command::new("id").arg("-un")).stdout;
    if is_root() { String::new() } else { format!("User={}", user.trim()) }
}

const MANUAL: &str = "authenticator = manual\nmanual_auth_hook = {at}/ipv64-acme auth";

#[test]
fn a_key_that_only_this_shell_has_is_told() {
    let machine = Machine::new(MANUAL, &format!("{}\nEnvironment=IPV64_CONFIG={{at}}/empty.toml", me()));
    machine.env.succeed(&["config"]);
    let findings = machine.findings();
    says(&has(&findings, "key_missing", "error"), &["test-certbot.service: API key", "ipv64-acme init"]);
    says(&has(&findings, "client_run", "ok"), &["certbot -q renew"]);
    has_not(&findings, "client_program");
}

#[test]
fn a_hook_that_the_timer_does_not_find_is_told() {
    let hook = "authenticator = manual\nmanual_auth_hook = ipv64-acme-elsewhere auth";
    let machine = Machine::new(hook, &format!("{}\nEnvironment=PATH=/usr/bin:/bin", me()));
    says(&has(&machine.findings(), "client_program", "error"), &["PATH, /usr/bin:/bin", "the whole path"]);
}

#[test]
fn what_is_handed_over_counts_as_the_key() {
    let plugin = "authenticator = dns-ipv64\ndns_ipv64_credentials = {at}/ipv64.ini";
    let machine =
        Machine::new(plugin, &format!("{}\nEnvironment=IPV64_CONFIG={{at}}/empty.toml\nProtectHome=yes", me()));
    machine.env.succeed(&["config"]);
    says(&has(&machine.findings(), "client_key", "error"), &["ipv64.ini", "dns_ipv64_api_key"]);
    fs::write(machine.env.path("ipv64.ini"), "dns_ipv64_api_key = abc\n").unwrap();
    let findings = machine.findings();
    has(&findings, "client_key", "ok");
    has(&findings, "client_sandbox", "note");
    has_not(&findings, "key_missing");
    let machine = Machine::new(MANUAL, &format!("{}\nLoadCredential=ipv64-api-key:{{at}}/key", me()));
    machine.key_file("key", 0o600);
    says(&has(&machine.findings(), "client_key", "ok"), &["LoadCredential="]);
}

#[test]
fn another_key_than_that_of_this_shell_and_a_misspelt_variable_are_told() {
    let variables = "Environment=IPV64_API_KEY_FILE={at}/key IPV64_PROPAGATON_TIMEOUT=9 IPV64_CONFIG={at}/empty.toml";
    let machine = Machine::new(MANUAL, &format!("{}\n{variables}", me()));
    machine.env.succeed(&["config"]);
    machine.key_file("key", 0o600);
    let findings = machine.findings();
    says(&has(&findings, "client_differs", "note"), &["found in the variable IPV64_API_KEY"]);
    says(&has(&findings, "client_settings", "warning"), &["IPV64_PROPAGATON_TIMEOUT", "IPV64_PROPAGATION_TIMEOUT"]);
    let machine = Machine::new(MANUAL, &format!("{}\nEnvironment=IPV64_CONFIG={{at}}/broken.toml", me()));
    fs::write(machine.env.path("broken.toml"), "[").unwrap();
    fs::set_permissions(machine.env.path("broken.toml"), Permissions::from_mode(0o600)).unwrap();
    has(&machine.findings(), "config_malformed", "error");
}

#[test]
fn the_user_of_the_unit_is_the_one_who_looks() {
    let service = "User=nobody\nEnvironment=IPV64_API_KEY_FILE={at}/key IPV64_CONFIG={at}/empty.toml";
    let machine = Machine::new(MANUAL, service);
    machine.env.succeed(&["config"]);
    machine.key_file("key", 0o600);
    let findings = machine.findings();
    says(&has(&findings, "client_run", "ok"), &["as the user `nobody`"]);
    if is_root() {
        says(&has(&findings, "key_unreadable", "error"), &["test-certbot.service: API key"]);
    } else {
        says(&has(&findings, "client_unseen", "warning"), &["sudo ipv64-acme doctor --client"]);
    }
    let stranger = Machine::new(MANUAL, "User=no-such-user");
    has(&stranger.findings(), "client_user", "warning");
}

#[test]
fn a_client_that_nothing_starts_is_told() {
    let mut env = TestEnvironment::new();
    let units = env.path("no-units").display().to_string();
    env.set("SYSTEMD_UNIT_PATH", &units);
    let finished = env.run(&["doctor", "--client", "lego"]);
    assert!(finished.stdout.contains("no unit of systemd and no crontab"), "{}", finished.said());
    assert!(env.fail(&["doctor", "--client", "cerbot"], 2).contains("'certbot'"));
    let offline = env.succeed(&["doctor", "--offline"]);
    assert!(offline.contains("API key") && !offline.contains("way to the API"), "{offline}");
    assert_eq!(env.calls(), []);
}
