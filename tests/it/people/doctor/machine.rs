//! This machine: configuration, key file, state directory, the way to the API.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::{examine, has, says};
use crate::support::environment::TestEnvironment;
use crate::support::skip::skipped;

#[test]
fn a_configuration_file_is_named() {
    let mut env = TestEnvironment::new();
    let path = env.path("config.toml").display().to_string();
    fs::write(&path, "confirmations = 4\n").unwrap();
    env.set("IPV64_CONFIG", &path);
    says(&has(&examine(&env, &[], 0), "config", "ok"), &[&path]);
}

#[test]
fn a_key_file_that_cannot_be_used_says_why() {
    let mut env = TestEnvironment::new();
    let path = env.path("api-key");
    env.set("IPV64_API_KEY", "");
    env.set("IPV64_API_KEY_FILE", path.to_str().unwrap());
    says(&has(&examine(&env, &[], 3), "key_unreadable", "error"), &["api-key", "exists and belongs to the user"]);
    fs::write(&path, env.sim.key(0).unwrap()).unwrap();
    for mode in [0o644, 0o640] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let text = has(&examine(&env, &[], 3), "key_exposed", "error");
        says(&text, &[&format!("mode {mode:o}"), "chmod 600"]);
    }
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    has(&examine(&env, &[], 0), "key", "ok");
    fs::write(&path, "two\nlines\n").unwrap();
    says(&has(&examine(&env, &[], 3), "key_malformed", "error"), &["one line, nothing else"]);
}

#[test]
fn a_state_directory_that_cannot_be_used_is_a_warning() {
    let mut env = TestEnvironment::new();
    let path = env.path("state");
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
    says(&has(&examine(&env, &[], 0), "state", "warning"), &["mode 777", "chmod go-w"]);
    fs::write(env.path("file"), "").unwrap();
    let below = env.path("file/state").display().to_string();
    env.set("IPV64_STATE_DIR", &below);
    says(&has(&examine(&env, &[], 0), "state", "warning"), &["cannot use", "set IPV64_STATE_DIR"]);
}

#[test]
fn a_state_directory_of_another_user_is_a_warning() {
    let env = TestEnvironment::new();
    fs::create_dir(env.path("state")).unwrap();
    fs::set_permissions(env.path("state"), Permissions::from_mode(0o700)).unwrap();
    if std::os::unix::fs::chown(env.path("state"), Some(4242), None).is_err() {
        return skipped("a state directory of another user: only root can give one away");
    }
    says(
        &has(&examine(&env, &[], 0), "state", "warning"),
        &["belongs to user 4242, but this process runs as user 0", "chown -R"],
    );
    assert_eq!(fs::read_dir(env.path("state")).unwrap().count(), 0, "nothing is left behind in it");
}

#[test]
fn a_machine_without_a_home_keeps_no_state() {
    let finished = TestEnvironment::new().run_without_home(&["doctor", "--json"]);
    let document: Value = serde_json::from_str(&finished.stdout).unwrap();
    let findings = document["findings"].as_array().unwrap();
    says(&has(findings, "state", "warning"), &["neither HOME nor a setting", "set IPV64_STATE_DIR"]);
}

#[test]
fn an_api_that_nobody_reaches_is_told_with_the_way_that_failed() {
    let mut env = TestEnvironment::new();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    env.set("IPV64_API_URL", &format!("http://{free}/api"));
    let findings = examine(&env, &[], 6);
    says(&has(&findings, "api_way", "error"), &["`127.0.0.1` not over IPv4", "firewall"]);
    has(&findings, "unreachable", "error");
}

#[test]
fn a_name_of_the_api_without_an_address_is_told() {
    let mut env = TestEnvironment::new();
    // The name is reserved never to exist (RFC 6761 section 6.4), and this machine's resolver knows that.
    env.set("IPV64_API_URL", "https://api.invalid/api");
    let findings = examine(&env, &[], 6);
    says(&has(&findings, "api_name", "error"), &["`api.invalid`: "]);
}

#[test]
fn a_proxy_is_named_and_so_is_one_that_is_away() {
    let mut env = TestEnvironment::new();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    env.set("HTTPS_PROXY", &format!("http://{free}"));
    env.set("IPV64_API_URL", "https://api.invalid/api");
    let findings = examine(&env, &[], 6);
    says(&has(&findings, "api_way", "note"), &["HTTPS_PROXY"]);
    says(&has(&findings, "unreachable", "error"), &[&format!("through the proxy `{free}`"), "proxy variables"]);
}
