//! What is kept of hook calls: after success and failure, without a key in it, and in the system's log.

use std::os::unix::net::UnixDatagram;

use ipv64_acme::challenge::TxtValue;
use serde_json::Value;

use crate::support::environment::TestEnvironment;
use crate::support::process;
use crate::support::programs;
use crate::support::skip::skipped;

const NAME: &str = "_acme-challenge.name.ipv64.net";

fn value() -> String {
    TxtValue::random().unwrap().to_string()
}

/// The calls that `history` lists without a key.
fn history(env: &TestEnvironment, args: &[&str]) -> Vec<Value> {
    let mut command = env.command(programs::hook());
    let finished = process::run(command.env_remove("IPV64_API_KEY").args(["--json", "history"]).args(args));
    assert!(finished.status.success(), "{}", finished.said());
    let document: Value = serde_json::from_str(&finished.stdout).unwrap();
    document["calls"].as_array().unwrap().clone()
}

#[test]
fn a_name_and_its_wildcard_are_one_name_to_people() {
    let env = TestEnvironment::new();
    let order =
        format!(r#"[{{"name": "{NAME}", "value": "{}"}}, {{"name": "{NAME}", "value": "{}"}}]"#, value(), value());
    std::fs::write(env.path("order"), order).unwrap();
    let mut shell = env.command("sh");
    let finished =
        process::run(shell.args(["-c", "ipv64-acme batch present <order && ipv64-acme batch cleanup <order"]));
    assert!(finished.status.success(), "{}", finished.said());
    for command in ["status", "history"] {
        let shown = env.succeed(&[command]);
        let calls: Vec<_> = shown.lines().filter(|line| line.contains(NAME)).collect();
        assert_eq!(calls.len(), 2, "{shown}");
        assert!(calls.iter().all(|line| line.matches(NAME).count() == 1), "{shown}");
    }
}

#[test]
fn each_call_can_be_explained_later_without_a_key() {
    let env = TestEnvironment::new();
    let value = value();
    env.succeed(&["present", NAME, &value]);
    env.succeed(&["cleanup", NAME, &value]);
    env.fail(&["present", "_acme-challenge.elsewhere.example", &value], 7);
    let calls = history(&env, &[]);
    let ends: Vec<_> = calls.iter().map(|call| (call["action"].as_str(), call["outcome"].as_str())).collect();
    assert_eq!(
        ends,
        [(Some("add"), Some("no_domain")), (Some("remove"), Some("done")), (Some("add"), Some("done"))],
        "newest first"
    );
    let added = &calls[2];
    assert_eq!((&added["records"][0]["name"], &added["records"][0]["status"]), (&NAME.into(), &"ready".into()));
    assert!(added["servers"].as_array().unwrap().iter().all(|server| server["seconds"].is_f64()), "{added}");
    assert!(added["api_calls"].as_u64().unwrap() >= 1 && added["seconds"].is_f64(), "{added}");
    assert_eq!(history(&env, &["name.ipv64.net"]).len(), 2);
    assert_eq!(history(&env, &["*.name.ipv64.net", "--limit", "1"])[0]["action"], "remove");
    let status = env.json(&["status"]);
    assert_eq!(status["last_failure"]["outcome"], "no_domain", "{status}");
    assert!(env.succeed(&["status"]).contains("failed [no_domain]"));
    assert!(!std::fs::read_to_string(env.path("state/history.json")).unwrap().contains(&value));
}

#[test]
fn a_failure_that_was_made_good_is_no_longer_the_first_thing_to_see() {
    let env = TestEnvironment::new();
    let mut unknown = env.command(programs::hook());
    unknown.env_remove("IPV64_API_KEY").args(["present", NAME, &value()]);
    assert_eq!(process::run(&mut unknown).status.code(), Some(3));
    assert_eq!(history(&env, &[])[0]["outcome"], "key_missing");
    assert_eq!(env.json(&["status"])["last_failure"]["outcome"], "key_missing");
    env.succeed(&["present", NAME, &value()]);
    assert!(env.json(&["status"])["last_failure"].is_null());
}

#[test]
fn what_is_no_work_leaves_no_entry_and_a_mistake_does() {
    let env = TestEnvironment::new();
    env.run(&["begin", "http-01", "name.ipv64.net", "token", "authorization"]);
    assert!(history(&env, &[]).is_empty());
    env.run(&["auth"]);
    assert_eq!(history(&env, &[])[0]["outcome"], "invalid_call");
}

#[test]
fn a_key_that_was_put_in_the_wrong_place_is_not_kept() {
    let env = TestEnvironment::new();
    let key = env.sim.key(0).unwrap().to_string();
    env.run(&["present", &format!("_acme-challenge.{key}.name.ipv64.net"), &value()]);
    env.run(&["present", &format!("_acme-challenge.{key}.elsewhere.example"), &value()]);
    env.run(&["present", &key, &value()]);
    let kept = std::fs::read_to_string(env.path("state/history.json")).unwrap();
    assert_eq!(history(&env, &[]).len(), 3, "{kept}");
    assert!(!kept.to_lowercase().contains(&key.to_lowercase()), "{kept}");
}

#[test]
fn the_systems_log_gets_a_line_without_the_key() {
    let env = TestEnvironment::new();
    let log = UnixDatagram::bind(env.path("log")).unwrap();
    log.set_nonblocking(true).unwrap();
    let (folder, key) = (env.path("dev"), env.sim.key(0).unwrap().to_string());
    std::fs::create_dir(&folder).unwrap();
    const SCRIPT: &str = "mount -t tmpfs none \"$1\" || exit 99; touch \"$1/null\" \"$1/urandom\" \"$1/log\"; \
         mount --bind /dev/null \"$1/null\"; mount --bind /dev/urandom \"$1/urandom\"; mount --bind \"$2\" \"$1/log\"; \
         mount --rbind \"$1\" /dev; shift 2; exec \"$@\"";
    let run = |name: &str| {
        let mut command = env.command("unshare");
        command.args(["--mount", "--map-root-user", "sh", "-c", SCRIPT, "sh"]).arg(&folder).arg(env.path("log"));
        process::run(command.arg(programs::hook()).args(["present", name, &value()])).status.code()
    };
    if run(NAME) != Some(0) {
        return skipped("the line in the system's log: no mounts of one's own here (unshare)");
    }
    run(&format!("_acme-challenge.{key}.elsewhere.example"));
    let next = || {
        let mut buffer = [0; 2048];
        let length = log.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    let (done, failed) = (next(), next());
    assert!(done.starts_with("<30>ipv64-acme[") && done.contains(NAME) && done.contains("done"), "{done}");
    assert!(failed.starts_with("<27>") && failed.contains("[no_domain]") && !failed.contains(&key), "{failed}");
}

#[test]
fn a_message_of_a_ca_is_explained_with_the_calls_for_its_name() {
    let env = TestEnvironment::new();
    let message = format!("No TXT record found at {NAME}");
    let explain = |text: &str| {
        let mut command = env.command(programs::hook());
        let finished = process::run(command.env_remove("IPV64_API_KEY").args(["explain", text]));
        assert!(finished.status.success() && finished.stderr.is_empty(), "{}", finished.said());
        finished.stdout
    };
    let said = explain(&message);
    for words in [
        "ca_no_txt (said by a CA)\ncause: the CA found no record",
        "no call for `name.ipv64.net`",
        "doctor name.ipv64.net`",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    env.succeed(&["present", NAME, &value()]);
    let said = explain(&message);
    assert!(
        said.contains(&format!("manual add {NAME}: done")) || said.contains(&format!("add {NAME}: done")),
        "{said}"
    );
    env.fail(&["present", "_acme-challenge.elsewhere.example", &value()], 7);
    let said = explain("DNS problem: NXDOMAIN looking up TXT for _acme-challenge.elsewhere.example");
    assert!(said.ends_with("`ipv64-acme explain no_domain`\n"), "{said}");
    assert!(explain("no_domain").contains("failed [no_domain]"), "a kind comes with its last calls");
    let document = env.json(&["explain", &message]);
    assert_eq!((&document["kind"], &document["domain"]), (&"ca_no_txt".into(), &"name.ipv64.net".into()), "{document}");
    assert_eq!(document["calls"][0]["action"], "add");
}

#[test]
fn what_cannot_be_explained_ends_with_2_and_the_nearest_kinds() {
    let env = TestEnvironment::new();
    let error = env.fail(&["explain", "not_propagate"], 2);
    assert!(error.contains("hint: the nearest kinds are not_propagated, "), "{error}");
    assert!(env.fail(&["explain"], 2).contains("KIND|MESSAGE"));
    assert!(env.fail(&["explain", &"x".repeat(100_000)], 2).len() < 1000);
    let piped = |text: &[u8]| {
        std::fs::write(env.path("message"), text).unwrap();
        let input = std::fs::File::open(env.path("message")).unwrap();
        env.command(programs::hook()).args(["explain", "-"]).stdin(input).output().unwrap()
    };
    let said =
        piped(b"  Detail: During secondary validation:\n No TXT record found at _acme-challenge.a.example\n").stdout;
    assert!(said.starts_with(b"ca_secondary "), "{}", String::from_utf8_lossy(&said));
    for bytes in [&b"\xff\xfe\0\0"[..], b"", &vec![b'['; 200_000]] {
        assert_eq!(piped(bytes).status.code(), Some(2));
    }
    // What is wrong with the settings may be what is asked about.
    std::fs::write(env.path("broken.toml"), "[").unwrap();
    let broken = env.path("broken.toml").display().to_string();
    assert!(env.succeed(&["explain", "config_malformed", "--config", &broken]).contains("exit code 2"));
}
