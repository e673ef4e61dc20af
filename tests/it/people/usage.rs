//! Mistakes in the command line and in the surroundings, as people and programs are told of them.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use serde_json::Value;

use crate::support::environment::{TestEnvironment, fields};
use crate::support::process;
use crate::support::programs;
use crate::support::values::FIRST;

#[test]
fn a_program_gets_its_document_for_a_mistake_in_the_command_line_too() {
    let env = TestEnvironment::new();
    let table: [(&[&str], &str); 4] = [
        (&["--json", "bogus"], "bogus"),
        (&["--json", "record", "add"], "<NAME>"),
        (&["--json", "sweep", "--older-than", "x"], "--older-than"),
        (&["--json"], "no command"),
    ];
    for (args, part) in table {
        let finished = env.run(args);
        assert_eq!(finished.status.code(), Some(2), "{args:?}: {}", finished.said());
        let document: Value = serde_json::from_str(&finished.stdout).unwrap();
        assert_eq!(fields(&document["error"]), ["details", "hint", "kind", "message"]);
        assert_eq!(document["error"]["kind"], "usage");
        assert!(document["error"]["message"].as_str().unwrap().contains(part), "{document}");
        assert!(!finished.stderr.is_empty(), "{args:?}");
    }
    assert!(env.fail(&["bogus"], 2).contains("bogus"), "without --json, stdout has nothing");
}

#[test]
fn what_stderr_lists_stands_in_the_document_too() {
    let mut env = TestEnvironment::new();
    env.set("IPV64_API_KEY", "");
    let finished = env.run(&["account", "--json"]);
    assert_eq!(finished.status.code(), Some(3), "{}", finished.said());
    let document: Value = serde_json::from_str(&finished.stdout).unwrap();
    let detail = document["error"]["details"][0].as_str().unwrap();
    assert!(detail.contains("looked at: ") && finished.stderr.contains(detail), "{}", finished.said());
}

#[test]
fn names_from_outside_do_not_act_on_the_terminal() {
    let mut env = TestEnvironment::new();
    env.set("IPV64_\u{1b}[31mX", "1");
    let odd = "/nonexistent/\u{1b}[31m";
    let calls: [&[&str]; 4] = [
        &["config"],
        &["config", "--config", odd],
        &["account", "--api-key-file", odd],
        &["account", "--ca-file", odd],
    ];
    for args in calls {
        let finished = env.run(args);
        assert!(finished.stderr.contains("\\u{1b}[31m"), "{args:?}: {}", finished.said());
        assert!(!finished.stderr.contains('\u{1b}'), "{args:?}: {:?}", finished.stderr);
    }
    let bytes = OsString::from_vec(b"/nonexistent/\xff".to_vec());
    let finished = process::run(env.command(programs::hook()).arg("config").arg("--config").arg(bytes));
    assert_eq!(finished.status.code(), Some(2), "{}", finished.said());
}

#[test]
fn a_pipe_in_the_place_of_a_file_does_not_hang() {
    let env = TestEnvironment::new();
    let pipe = env.path("pipe");
    assert!(process::run(env.command(programs::system("mkfifo")).arg(&pipe)).status.success());
    let pipe = pipe.to_str().unwrap();
    assert!(env.fail(&["--config", pipe, "config"], 2).contains("not a regular file"));
    assert!(env.fail(&["--api-key-file", pipe, "account"], 3).contains("not a regular file"));
}

#[test]
fn a_key_that_is_refused_ends_the_status() {
    let mut env = TestEnvironment::new();
    env.set("IPV64_API_KEY", "wrong");
    let error = env.fail(&["status"], 3);
    assert!(error.contains("cannot read the account") && error.contains("hint: "), "{error}");
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let env = TestEnvironment::new();
    for flags in [
        ["--domain", "*.name.ipv64.net"],
        ["--state-dir", "state"],
        ["--resolvers", "127.0.0.1:0"],
        ["--api-rate", "1/1 parsec"],
    ] {
        let error = env.fail(&[&flags[..], &["account"]].concat(), 2);
        assert!(error.contains(&format!("the flag {}", flags[0])), "{error}");
    }
    assert!(env.fail(&["sim", "--delays", "nan"], 2).contains("--delays"));
    assert!(env.calls().is_empty());
    env.succeed(&["--api-rate", "100/1m", "account"]);
}

#[test]
fn a_key_that_is_typed_as_an_argument_is_masked() {
    let env = TestEnvironment::new();
    let key = "c4n4ry0123456789abcdefABCDEF0123";
    let with_flag = format!("--api-key={key}");
    let calls: [&[&str]; 4] =
        [&["init", key], &["init", "--api-key", key], &["account", &with_flag], &["--json", "init", key]];
    for args in calls {
        let finished = env.run(args);
        assert_eq!(finished.status.code(), Some(2), "{args:?}: {}", finished.said());
        assert!(!finished.said().contains("c4n4ry"), "{args:?}: {}", finished.said());
        assert!(
            finished.stderr.contains("--stdin") && finished.stderr.contains("--api-key-file"),
            "{}",
            finished.said()
        );
    }
}

#[test]
fn certbot_without_a_verb_is_told_its_setting_in_one_line() {
    let mut env = TestEnvironment::new();
    env.set("CERTBOT_DOMAIN", "name.ipv64.net");
    env.set("CERTBOT_VALIDATION", "v");
    for args in [&[][..], &["present"]] {
        let error = env.fail(args, 2);
        assert!(error.contains("--manual-auth-hook \"ipv64-acme auth\"") && error.lines().count() == 2, "{error}");
    }
}

#[test]
fn a_typing_error_is_met_with_what_people_may_type() {
    let env = TestEnvironment::new();
    for typed in ["renew", "crate", "begn", "don"] {
        let error = env.fail(&[typed], 2);
        for verb in ["create", "begin", "done", "delete"] {
            assert!(!error.contains(&format!("'{verb}'")), "{error}");
        }
    }
    assert!(env.fail(&["docter"], 2).contains("'doctor'"));
}

#[test]
fn errors_and_warnings_name_their_kind() {
    let env = TestEnvironment::new();
    let error = env.fail(&["present", "_acme-challenge.elsewhere.example", FIRST], 7);
    assert!(error.starts_with("error[no_domain]: "), "{error}");
    std::fs::write(env.path("a-file"), "").unwrap();
    let finished = env.run(&["history", "--state-dir", env.path("a-file").to_str().unwrap()]);
    assert!(finished.stderr.starts_with("warning[state_unusable]: "), "{}", finished.said());
}

#[test]
fn quiet_leaves_the_errors_of_the_doctor() {
    let env = TestEnvironment::new();
    let error = env.fail(&["-q", "doctor", "shop.example.net"], 7);
    assert!(error.contains("error[no_domain]: ") && error.contains("hint: "), "{error}");
}

#[test]
fn lego_is_not_told_of_its_own_variables() {
    let mut env = TestEnvironment::new();
    env.set("IPV64_TTL", "60");
    env.set("IPV64_PROPAGATION_TIMEOUT", "0");
    let present = ["present", "_acme-challenge.name.ipv64.net", FIRST];
    assert!(env.run(&present).stderr.contains("unknown variable `IPV64_TTL`"));
    env.set("EXEC_PATH", "/usr/bin/ipv64-acme");
    env.succeed(&present);
}

/// Nothing is written where a name or a value is not what it should be.
#[test]
fn other_spellings_of_names_are_understood_or_refused_in_one_line() {
    let mut env = TestEnvironment::new();
    env.set("IPV64_API_RATE", "1000/1");
    let before = env.sim.records_left().len();
    let table: [(&[&str], i32, &str); 17] = [
        (&["present", "_acme-challenge.name.ipv64.net", "abc"], 2, "`abc` was taken as the value"),
        (&["deploy_challenge", "name.ipv64.net", "t", "abc"], 2, "a dns-01 value has 43 characters of A-Z a-z 0-9 - _"),
        (&["create", "name.ipv64.net", FIRST, "_acme-challenge.name.ipv64.net"], 2, "the name comes before the value"),
        (&["setup", FIRST, "name.ipv64.net"], 2, "the name comes before the value"),
        (&["present", "name.ipv64.net", FIRST], 2, "write `_acme-challenge.name.ipv64.net`"),
        (&["cleanup", "name.ipv64.net", FIRST], 2, "write `_acme-challenge.name.ipv64.net`"),
        (&["present", FIRST, "_acme-challenge.name.ipv64.net"], 2, "the name comes before the value"),
        (&["present", "--identifier", FIRST, "name.ipv64.net"], 2, "the name comes before the value"),
        (&["cleanup"], 2, "; by hand use `ipv64-acme cleanup NAME VALUE`"),
        (&["test", "namee.ipv64.net"], 7, "did you mean `name.ipv64.net`"),
        (&["test", "name.ipv64.ne"], 7, "did you mean `name.ipv64.net`"),
        (&["test", "192.0.2.1"], 2, "dns-01 proves names only"),
        (&["doctor", "2001:db8::1"], 2, "dns-01 proves names only"),
        (&["test", "https://name.ipv64.net/"], 2, "write `name.ipv64.net`"),
        (&["test", "name.ipv64.net:443"], 2, "write `name.ipv64.net`"),
        (&["domain", "add", "https://new.ipv64.net"], 2, "write `new.ipv64.net`"),
        (&["present", "--identifier", "name.ipv64.net:443", FIRST], 2, "write `name.ipv64.net`"),
    ];
    for (args, code, words) in table {
        let stderr = env.fail(args, code);
        assert!(stderr.lines().any(|line| line.contains(words)), "{args:?}: {stderr}");
    }
    // What an earlier version may have added can be removed.
    env.succeed(&["record", "add", "_acme-challenge.name.ipv64.net", "TXT", "abc"]);
    env.succeed(&["cleanup", "_acme-challenge.name.ipv64.net", "abc"]);
    assert_eq!(env.sim.records_left().len(), before);
    assert!(env.succeed(&["test", "_acme-challenge.name.ipv64.net"]).starts_with("_acme-challenge.name.ipv64.net: "));
    env.succeed(&["present", "--identifier", "_acme-challenge.example.com", FIRST]);
    let left = env.sim.records_left();
    assert!(left.iter().any(|record| record.name() == "_acme-challenge.example.com"), "{left:#?}");
}

#[test]
fn the_version_is_told_to_people_and_programs() {
    let env = TestEnvironment::new();
    assert_eq!(env.succeed(&["version"]), env.succeed(&["--version"]));
    let document = env.json(&["version"]);
    assert_eq!(fields(&document), ["commit", "features", "target", "version"]);
    assert_eq!(document["version"], env!("CARGO_PKG_VERSION"));
    assert!(document["target"].as_str().unwrap().starts_with(std::env::consts::ARCH), "{document}");
    assert!(document["features"].as_array().unwrap().contains(&"sim".into()), "{document}");
    assert!(env.calls().is_empty());
}
