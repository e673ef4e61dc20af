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
    let env = with_command("echo $$ $PPID > pids.new; mv pids.new pids; exec sleep 120");
    // Also returns only when nobody has the streams open any more.
    assert_eq!(env.fail(&["present", UNKNOWN, FIRST], 7), without);
    let pids = written(&env, "pids");
    let (pid, parent) = pids.trim().split_once(' ').unwrap();
    let watcher = fs::read_to_string(format!("/proc/{parent}/cmdline")).unwrap();
    assert!(watcher.starts_with("timeout\0-s\0KILL\x0060\0"), "it has a minute: {watcher:?}");
    assert!(crate::support::process::signal(pid, "KILL"), "it was still running");
}

#[test]
fn a_command_runs_also_where_no_timeout_can_be_had() {
    let mut env = with_command("touch ran");
    let folder = env.path("few");
    fs::create_dir(&folder).unwrap();
    for program in ["sh", "touch"] {
        std::os::unix::fs::symlink(crate::support::programs::system(program), folder.join(program)).unwrap();
    }
    env.set("PATH", folder.to_str().unwrap());
    env.fail(&["present", UNKNOWN, FIRST], 7);
    written(&env, "ran");
}

#[test]
fn no_command_is_run_from_a_file_that_others_can_change() {
    let env = with_command("touch ran");
    fs::set_permissions(env.path("own.toml"), fs::Permissions::from_mode(0o666)).unwrap();
    env.fail(&["present", UNKNOWN, FIRST], 2);
    std::thread::sleep(Duration::from_millis(500));
    assert!(!env.path("ran").exists());
}
