//! The shell files in `hooks/`, each in the surroundings that its programs give it and in every shell that may run it.
//! The surroundings in `shims/` are made after how those programs behave, and hold none of their code.

use std::path::{Path, PathBuf};
use std::process::Command;

use ipv64_acme::sim::{Action, ApiFault, CallKind, ServerSettings};

use super::world::World;
use crate::support::process::Finished;
use crate::support::programs;
use crate::support::values::{DASHED, FIRST, SECOND};

const RECORD: &str = "_acme-challenge.name.ipv64.net";

fn hooks(file: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("hooks").join(file).display().to_string()
}

fn shim(file: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/conventions/shims").join(file).display().to_string()
}

/// A shell as a command that takes a script: `sh`, or `busybox ash`.
fn shell(world: &World, words: &str) -> Command {
    let mut words = words.split(' ');
    let program: PathBuf = programs::system(words.next().unwrap());
    let mut command = world.command(&program);
    command.args(words);
    command
}

/// A world in which only acme.sh's own variable has the key.
fn world() -> World {
    let mut world = World::start();
    let key = world.sim.key(0).unwrap().to_owned();
    world.set("IPV64_API_KEY", "");
    world.set("IPv64_Token", &key);
    let configuration = world.path("account.conf").display().to_string();
    world.set("ACCOUNT_CONF_PATH", &configuration);
    world
}

fn acme_sh(world: &World, words: &str, prefix: &str, values: &[&str]) -> Finished {
    let mut command = shell(world, words);
    command.args([shim("acme.sh"), hooks("dns_ipv64_acme.sh"), prefix.to_owned()]);
    for value in values {
        command.args([RECORD, value]);
    }
    world.run(&mut command, "")
}

fn adds(world: &World) -> usize {
    world.sim.api_calls().iter().filter(|call| call.call == Some(CallKind::AddRecord)).count()
}

fn works_in_acme_sh(words: &str) {
    let world = world();
    // The prefix is the name that the user gives to `--dns`; the second one is that of acme.sh's own file.
    for prefix in ["dns_ipv64_acme", "dns_ipv64"] {
        let finished = acme_sh(&world, words, prefix, &[DASHED, SECOND]);
        assert!(finished.status.success(), "{}", finished.said());
        assert!(finished.stdout.contains("the CA is asked"), "{}", finished.said());
        assert!(!finished.said().contains("ready on"), "acme.sh waits by itself: {}", finished.said());
    }
    assert_eq!(adds(&world), 4);
    assert!(world.records().is_empty());
}

fn renews_without_the_variables(words: &str) {
    let mut world = world();
    world.set("IPV64_PROPAGATION_TIMEOUT", "20");
    assert!(acme_sh(&world, words, "dns_ipv64_acme", &[FIRST]).status.success());
    world.set("IPv64_Token", "");
    world.set("IPV64_PROPAGATION_TIMEOUT", "");
    let finished = acme_sh(&world, words, "dns_ipv64_acme", &[FIRST]);
    assert!(finished.status.success(), "{}", finished.said());
    assert!(finished.stdout.contains("ready on"), "the saved wait is used: {}", finished.said());
}

fn undoes_a_failed_addition(words: &str) {
    let mut world = world();
    world.set("IPV64_PROPAGATION_TIMEOUT", "1");
    world.sim.set_server("ns2.ipv64.net", &ServerSettings::stale()).unwrap();
    let finished = acme_sh(&world, words, "dns_ipv64_acme", &[FIRST, SECOND]);
    assert!(!finished.status.success(), "{}", finished.said());
    assert!(finished.stderr.contains("ns2.ipv64.net") && finished.stderr.contains("[err]"), "{}", finished.said());
    assert_eq!(adds(&world), 1);
    assert!(world.records().is_empty());
}

fn refuses_what_would_change_the_json(words: &str) {
    let world = world();
    let further = r#"v"}, {"name": "_acme-challenge.name.ipv64.net", "value": "w"#;
    for value in [further, "v\"", "v\\", "v\n", "v w", "v\u{e4}"] {
        let finished = acme_sh(&world, words, "dns_ipv64_acme", &[value]);
        assert!(!finished.status.success(), "{value:?}: {}", finished.said());
        assert!(finished.stderr.contains("characters that no challenge has"), "{value:?}: {}", finished.said());
    }
    assert_eq!(adds(&world), 0);
}

fn says_that_the_program_is_missing(words: &str) {
    let mut world = world();
    world.set("IPV64_ACME", "/nonexistent/ipv64-acme");
    let finished = acme_sh(&world, words, "dns_ipv64_acme", &[FIRST]);
    assert!(!finished.status.success());
    assert!(finished.stderr.contains("put ipv64-acme into PATH"), "{}", finished.said());
}

fn works_in_openwrt(words: &str) {
    for prefix in ["dns_ipv64_acme", "dns_ipv64"] {
        let mut world = world();
        world.set("FILE", &hooks("dns_ipv64_acme.sh"));
        world.set("PREFIX", prefix);
        let call = |method: &str, kind: &str| {
            let mut command = shell(&world, words);
            world.run(command.args([&shim("openwrt.sh"), method, kind, "name.ipv64.net", "t", DASHED]), "")
        };
        assert_eq!(call("begin", "http-01").status.code(), Some(1));
        let finished = call("begin", "dns-01");
        assert!(finished.status.success(), "{}", finished.said());
        assert_eq!(world.records(), [format!("{RECORD} {DASHED}")]);
        assert!(call("done", "dns-01").status.success());
        assert!(world.records().is_empty());
    }
}

macro_rules! in_shell {
    ($module:ident, $words:literal $(, $ignored:meta)?) => {
        mod $module {
            #[test]
            $(#[$ignored])?
            fn works_in_acme_sh() {
                super::works_in_acme_sh($words);
            }

            #[test]
            $(#[$ignored])?
            fn renews_without_the_variables() {
                super::renews_without_the_variables($words);
            }

            #[test]
            $(#[$ignored])?
            fn undoes_a_failed_addition() {
                super::undoes_a_failed_addition($words);
            }

            #[test]
            $(#[$ignored])?
            fn refuses_what_would_change_the_json() {
                super::refuses_what_would_change_the_json($words);
            }

            #[test]
            $(#[$ignored])?
            fn says_that_the_program_is_missing() {
                super::says_that_the_program_is_missing($words);
            }

            #[test]
            $(#[$ignored])?
            fn works_in_openwrt() {
                super::works_in_openwrt($words);
            }
        }
    };
}

in_shell!(sh, "sh");
in_shell!(bash, "bash", ignore = "needs bash: run tests/run");
in_shell!(dash, "dash", ignore = "needs dash: run tests/run");
in_shell!(busybox, "busybox ash", ignore = "needs busybox: run tests/run");

/// Proxmox runs the file as `nobody` with a home that does not exist, and passes everything on stdin.
#[test]
#[ignore = "needs bash: run tests/run"]
fn works_in_proxmox() {
    let world = World::start();
    let variables = world.sim.env();
    let settings: Vec<_> = variables
        .iter()
        .map(|(name, value)| format!("{}={value}\n", if name == "IPV64_API_KEY" { "IPv64_Token" } else { name }))
        .collect();
    let stdin = format!("{DASHED}\nIPV64_ACME={}\n{}", programs::hook().display(), settings.concat());
    let call = |action: &str| {
        let mut command = Command::new(programs::system("bash"));
        command.env_clear().env("PATH", "/usr/local/bin:/bin:/usr/bin").env("HOME", "/proc/nowhere");
        command.env("XDG_STATE_HOME", "/proc/nowhere").env("STATE_DIRECTORY", "/proc/nowhere/state");
        let file = hooks("dns_ipv64_acme.sh");
        world.run(command.args([&shim("proxmox.sh"), &file, "dns_ipv64", action, "name.ipv64.net"]), &stdin)
    };
    let finished = call("setup");
    assert!(finished.status.success(), "{}", finished.said());
    assert_eq!(world.records(), [format!("{RECORD} {DASHED}")]);
    assert!(call("teardown").status.success());
    assert!(world.records().is_empty());
}

#[test]
fn scripts_without_a_verb_take_both_argument_forms() {
    let forms: [&[&str]; 4] = [
        &[RECORD, DASHED],
        &[RECORD, DASHED, "120"],
        &["name.ipv64.net", RECORD, DASHED, ""],
        &["name.ipv64.net", RECORD, DASHED],
    ];
    for args in forms {
        let world = World::start();
        let run = |file: &str| world.run(shell(&world, "sh").arg(hooks(file)).args(args), "");
        let finished = run("add");
        assert!(finished.status.success(), "{}", finished.said());
        assert_eq!(world.records(), [format!("{RECORD} {DASHED}")]);
        assert!(run("remove").status.success());
        assert!(world.records().is_empty());
    }
}

#[test]
fn scripts_without_a_verb_do_nothing_without_arguments() {
    let mut world = World::start();
    // What certbot would say, to be removed by nobody but certbot's own hook.
    world.set("CERTBOT_DOMAIN", "name.ipv64.net");
    world.set("CERTBOT_VALIDATION", FIRST);
    for file in ["add", "remove"] {
        let finished = world.run(shell(&world, "sh").arg(hooks(file)), "");
        assert_eq!(finished.status.code(), Some(2), "{}", finished.said());
    }
    assert!(world.sim.api_calls().is_empty());
}

#[test]
fn scripts_without_a_verb_end_with_the_code_of_the_program() {
    let mut world = World::start();
    world.sim.fault(ApiFault::on(CallKind::AddRecord, Action::json(401, r#"{"info":"Unauthorized"}"#)));
    let finished = world.run(shell(&world, "sh").args([&hooks("add"), RECORD, FIRST]), "");
    assert_eq!(finished.status.code(), Some(3), "{}", finished.said());
    world.set("IPV64_ACME", "/nonexistent/ipv64-acme");
    let finished = world.run(shell(&world, "sh").args([&hooks("add"), RECORD, FIRST]), "");
    assert!(finished.stderr.contains("/nonexistent/ipv64-acme"), "{}", finished.said());
}
