//! `on_failure`: a command that a person wants to be run when a hook call has failed. The call ends as it would without it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use crate::support::environment::TestEnvironment;
use crate::support::values::FIRST;

const UNKNOWN: &str = "_acme-challenge.elsewhere.example";

/// A world whose configuration file names this command.
fn with_command(command: &str) -> TestEnvironment {
    let mut env = TestEnvironment::new();
    fs::write(env.path("own.toml"), format!("on_failure = '''{command}'''\n")).unwrap();
    fs::set_permissions(env.path("own.toml"), fs::Permissions::from_mode(0o600)).unwrap();
    let path = env.path("own.toml").display().to_string();
    env.set("IPV64_CONFIG", &path);
    env
}

/// Waits for a file of the command.
fn written(env: &TestEnvironment, file: &str) -> String {
    let end = Instant::now() + Duration::from_secs(20);
    while !env.path(file).exists() {
        assert!(Instant::now() < end, "the command was not run");
        std::thread::sleep(Duration::from_millis(10));
    }
    fs::read_to_string(env.path(file)).unwrap()
}

#[test]
fn a_failed_call_runs_the_command_with_the_facts_and_without_the_key() {
    let mut env = with_command("env > facts.new; mv facts.new facts");
    let key = env.sim.key(0).unwrap().to_string();
    env.set("SOME_OTHER_NAME", &format!("Bearer {key}"));
    env.fail(&["present", UNKNOWN, FIRST], 7);
    let facts = written(&env, "facts");
    for fact in [
        "IPV64_ACME_CLIENT=lego\n",
        "IPV64_ACME_ACTION=add\n",
        "IPV64_ACME_NAMES=_acme-challenge.elsewhere.example\n",
        "IPV64_ACME_KIND=no_domain\n",
        "IPV64_ACME_EXIT=7\n",
        "IPV64_ACME_MESSAGE=no domain in this IPv64 account",
    ] {
        assert!(facts.contains(fact), "{fact}: {facts}");
    }
    assert!(!facts.contains(&key) && !facts.contains("IPV64_API_KEY="), "{facts}");
}

#[test]
fn what_succeeds_and_what_people_type_run_nothing() {
    let env = with_command("touch ran");
    env.succeed(&["present", "_acme-challenge.name.ipv64.net", FIRST]);
    assert!(!env.run(&["test", "elsewhere.example"]).status.success());
    assert!(!env.run(&["record", "list", "elsewhere.example"]).status.success());
    std::thread::sleep(Duration::from_millis(500));
    assert!(!env.path("ran").exists());
}

#[test]
fn a_command_that_hangs_or_fails_changes_nothing() {
    let said = |command: &str| {
        let finished = with_command(command).run(&["present", UNKNOWN, FIRST]);
        assert_eq!(finished.status.code(), Some(7), "{command}: {}", finished.said());
        finished.stderr
    };
    let without = said("");
    for command in ["exit 1", "/no/such/program", "/dev/null", "no closing 'quote", "echo out; echo err >&2", "kill $$"]
    {
        assert_eq!(said(command), without, "{command}");
    }
    let env = with_command("echo $$ > pid.new; mv pid.new pid; exec sleep 60");
    // Also returns only when nobody has the streams open any more.
    assert_eq!(env.fail(&["present", UNKNOWN, FIRST], 7), without);
    let pid = written(&env, "pid");
    assert!(crate::support::process::signal(pid.trim(), "KILL"), "it was still running");
}

#[test]
fn no_command_is_run_from_a_file_that_others_can_change() {
    let env = with_command("touch ran");
    fs::set_permissions(env.path("own.toml"), fs::Permissions::from_mode(0o666)).unwrap();
    env.fail(&["present", UNKNOWN, FIRST], 2);
    std::thread::sleep(Duration::from_millis(500));
    assert!(!env.path("ran").exists());
}
