//! Odd environments: far too many variables, bytes that are no text, a folder that is gone, nothing at all.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use crate::support::programs;

use super::*;

/// The longest variable that Linux passes on, with its name (MAX_ARG_STRLEN), in bytes.
const LONGEST: usize = 128 * 1024 - 64;

fn assert_works(env: &TestEnvironment, command: &mut std::process::Command, context: &str) -> Finished {
    let finished = process::run(command.args(["present", NAME, VALUE]));
    assert_eq!(finished.status.code(), Some(0), "{context}: {}", finished.said());
    assert_can_be_removed(env, VALUE, context);
    finished
}

#[test]
fn a_huge_environment_is_no_burden() {
    let env = hasty();
    let mut command = env.command(programs::hook());
    // A million bytes in few variables, and few in many.
    command.envs((0..8).map(|number| (format!("LARGE_{number}"), "x".repeat(LONGEST))));
    command.envs((0..4000).map(|number| (format!("SMALL_{number}"), "x")));
    assert_works(&env, &mut command, "many variables");
}

#[test]
fn thousands_of_mistyped_variables_do_not_flood_the_output() {
    let env = hasty();
    let mut command = env.command(programs::hook());
    command.envs((0..3000).map(|number| (format!("IPV64_BOGUS_{number}"), "x")));
    let finished = assert_works(&env, &mut command, "mistyped");
    assert!(finished.stderr.lines().count() <= 20, "{} lines", finished.stderr.lines().count());
    assert!(finished.stderr.contains("IPV64_BOGUS_") && finished.stderr.contains("more"), "{}", finished.said());
}

#[test]
fn a_value_of_any_length_is_cut_in_the_message() {
    let env = hasty();
    for name in ["IPV64_API_URL", "IPV64_RESOLVERS", "IPV64_DOMAIN", "IPV64_API_RATE", "IPV64_CONFIRMATIONS"] {
        let finished = process::run(env.command(programs::hook()).arg("config").env(name, "y".repeat(LONGEST)));
        assert_orderly(&finished, name);
        assert!(finished.stderr.len() < 4096, "{name}: {} bytes on stderr", finished.stderr.len());
    }
}

#[test]
fn bytes_that_are_no_text_are_refused_or_ignored() {
    let env = hasty();
    let bytes = || OsString::from_vec(b"/\xff\xc3\x28".to_vec());
    let ours = ["IPV64_API_KEY", "IPV64_API_URL", "IPV64_RESOLVERS", "IPV64_DOMAIN", "IPV64_STATE_DIR", "IPV64_CONFIG"];
    for name in ours.into_iter().chain(["HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "CREDENTIALS_DIRECTORY", "TERM"]) {
        let mut command = env.command(programs::hook());
        let finished = process::run(command.args(["-v", "present", NAME, VALUE]).env(name, bytes()));
        assert_orderly(&finished, name);
        assert_can_be_removed(&env, VALUE, name);
    }
    let mut command = env.command(programs::hook());
    command.env(OsString::from_vec(b"IPV64_\xff\x1b[31m".to_vec()), "x").env(bytes(), bytes());
    let finished = assert_works(&env, &mut command, "the name of a variable");
    assert!(!finished.said().contains('\u{1b}'), "{}", finished.said());
    for (name, other) in [("CERTBOT_DOMAIN", "CERTBOT_VALIDATION"), ("CERTBOT_VALIDATION", "CERTBOT_DOMAIN")] {
        let mut command = env.command(programs::hook());
        let finished = process::run(command.arg("auth").env(name, bytes()).env(other, "name.ipv64.net"));
        assert_eq!(finished.status.code(), Some(2), "{name}: {}", finished.said());
    }
    assert!(env.sim.records_left().is_empty());
}

#[test]
fn nothing_is_taken_for_granted() {
    let env = hasty();
    let scripts = [
        "mkdir gone; cd gone; rmdir ../gone;",
        "unset HOME XDG_STATE_HOME XDG_CONFIG_HOME;",
        "HOME=relative;",
        "export HOME=/proc/nowhere TMPDIR=/proc/nowhere XDG_RUNTIME_DIR=/proc/nowhere;",
        "export LC_ALL=C LANG=C LC_CTYPE=POSIX;",
        "export LC_ALL=xx_YY.nonsense TZ=:/proc/nowhere TERM=;",
        "cd /;",
        "export RUST_BACKTRACE=full RUST_LOG=trace SSLKEYLOGFILE=keys;",
    ];
    for script in scripts {
        let finished = shell(&env, &format!("{script} ipv64-acme present {NAME} {VALUE}"));
        assert!(finished.status.success() && finished.stderr.is_empty(), "{script}: {}", finished.said());
        assert_can_be_removed(&env, VALUE, script);
    }
    let hook = programs::hook();
    let finished = shell(&env, &format!("unset PATH; {} present {NAME} {VALUE}", hook.display()));
    assert!(finished.status.success(), "without a PATH: {}", finished.said());
    assert_can_be_removed(&env, VALUE, "without a PATH");
    assert!(!env.path("keys").exists(), "the keys of TLS are written nowhere");
}
