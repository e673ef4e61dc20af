//! The verbs of single clients: what they add, what they remove, and how they end.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use ipv64_acme::hook::verbs;
use ipv64_acme::sim::{Action, ApiFault, CallKind, ServerSettings};

use super::world::World;
use crate::support::process::Finished;
use crate::support::programs;
use crate::support::values::{DASHED, FIRST, FOURTH, SECOND, THIRD};

const NAME: &str = "name.ipv64.net";
const RECORD: &str = "_acme-challenge.name.ipv64.net";

fn code(finished: &Finished) -> i32 {
    finished.status.code().unwrap()
}

fn assert_done(finished: &Finished) {
    assert_eq!(code(finished), 0, "{}", finished.said());
    assert_eq!(finished.stderr, "", "a success is silent on stderr");
}

fn assert_silent(finished: &Finished, expected: i32) {
    assert_eq!(code(finished), expected, "{}", finished.said());
    assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("", ""));
}

#[test]
fn every_client_adds_its_record_and_removes_it() {
    let pairs: [(&[&str], &[&str]); 7] = [
        (&["deploy_challenge", NAME, "-tok", DASHED], &["clean_challenge", NAME, "-tok", DASHED]),
        (&["begin", "dns-01", NAME, "-tok", DASHED], &["done", "dns-01", NAME, "-tok", DASHED]),
        (&["begin", "dns-01", NAME, "-tok", DASHED], &["failed", "dns-01", NAME, "-tok", DASHED]),
        (&["challenge-dns-start", NAME, "/f", DASHED, ""], &["challenge-dns-stop", NAME, "/f", DASHED, ""]),
        (&["--confirmations", "1", "setup", NAME, DASHED], &["-q", "teardown", NAME]),
        (&["create", NAME, RECORD, DASHED], &["delete", NAME, RECORD, DASHED]),
        (&["set", NAME, RECORD, DASHED], &["unset", NAME, RECORD, DASHED]),
    ];
    for (add, remove) in pairs {
        let world = World::start();
        assert_done(&world.hook(add));
        assert_eq!(world.records(), [format!("{RECORD} {DASHED}")], "{add:?}");
        assert_done(&world.hook(remove));
        assert!(world.records().is_empty(), "{remove:?}");
    }
}

#[test]
fn a_chain_is_added_and_removed_in_one_call() {
    let world = World::start();
    let chain = [NAME, "t", FIRST, NAME, "t", SECOND, "example.com", "t", THIRD];
    let with = |verb| [&[verb], chain.as_slice()].concat();
    assert_done(&world.hook(&with("deploy_challenge")));
    assert_eq!(world.records().len(), 3);
    assert_done(&world.hook(&with("clean_challenge")));
    assert!(world.records().is_empty());
}

#[test]
fn a_chain_that_fails_half_way_leaves_nothing_and_sends_nothing_in_vain() {
    let world = World::start();
    world.sim.fault(ApiFault::on(CallKind::AddRecord, Action::json(401, r#"{"info":"Unauthorized"}"#)).skipping(1));
    let chain = ["deploy_challenge", NAME, "t", FIRST, "example.com", "t", SECOND, "example.com", "t", THIRD];
    assert_eq!(code(&world.hook(&chain)), 3);
    assert!(world.records().is_empty());
    let calls = |kind| world.sim.api_calls().iter().filter(|call| call.call == Some(kind)).count();
    assert_eq!((calls(CallKind::AddRecord), calls(CallKind::DelRecord)), (2, 1));
}

#[test]
fn a_teardown_without_value_removes_all_of_that_name_and_nothing_else() {
    let mut world = World::start();
    // Else the second call of setup would wait for the cache of a CA that has seen the first value.
    world.set("IPV64_PROPAGATION_TIMEOUT", "0");
    for (name, value) in [(NAME, FIRST), (NAME, SECOND), ("example.com", THIRD)] {
        assert_done(&world.hook(&["setup", name, value]));
    }
    assert_done(&world.hook(&["deploy_challenge", NAME, "t", FOURTH]));
    assert_done(&world.hook(&["teardown", NAME]));
    assert_eq!(world.records(), [format!("_acme-challenge.example.com {THIRD}"), format!("{RECORD} {FOURTH}")]);
    // Apex and wildcard bring two calls that look the same.
    assert_done(&world.hook(&["teardown", NAME]));
    assert_eq!(world.records().len(), 2);
}

#[test]
fn events_of_other_kinds_end_as_their_client_wants_it() {
    let mut world = World::start();
    // A warning would be something that is said.
    world.set("IPV64_FOO", "1");
    for event in ["startup_hook", "exit_hook", "deploy_cert", "invalid_challenge"] {
        assert_silent(&world.hook(&[event, "-x", "a b"]), 0);
    }
    for event in ["challenge-http-start", "challenge-tls-sni-stop", "live-updated"] {
        assert_silent(&world.hook(&[event, NAME, "/f"]), 42);
    }
    for kind in ["http-01", "tls-alpn-01"] {
        assert_silent(&world.hook(&["begin", kind, NAME, "t", "t.thumb"]), 1);
        assert_silent(&world.hook(&["done", kind, NAME, "t", "t.thumb"]), 0);
    }
    assert_eq!(code(&world.hook(&["event_of_the_future"])), 2);
    for name in ["BASEDIR", "COMMAND", "WELLKNOWN"] {
        world.set(name, "x");
    }
    assert_silent(&world.hook(&["event_of_the_future", "--bogus"]), 0);
    // A wrapper script sees the same variables: what is wrong in its own call must not pass for an event.
    for call in
        [&["present", NAME][..], &["--bogus", "present", NAME, FIRST], &["present", "--bogus"], &["domain", "lst"]]
    {
        assert_eq!(code(&world.hook(call)), 2, "{call:?}");
    }
    assert!(world.sim.api_calls().is_empty());
}

#[test]
fn a_script_may_put_flags_before_an_event() {
    let world = World::start();
    let probe = "this_hookscript_is_broken__dehydrated_is_working_fine__please_ignore_unknown_hooks_in_your_script";
    assert_silent(&world.hook(&["-v", "--api-key-file", "/no/such/file", probe]), 0);
    assert_silent(&world.hook(&["--confirmations=2", "exit_hook", "--json", "-5"]), 0);
    assert_silent(&world.hook(&["--json", "live-updated"]), 42);
    for words in [["domain", "exit_hook"], ["--json", "exit_hok"]] {
        assert_eq!(code(&world.hook(&words)), 2, "{words:?}");
    }
}

#[test]
fn verbs_of_one_client_do_not_mind_the_environment_of_another() {
    let mut world = World::start();
    let foreign =
        [("CERTBOT_DOMAIN", "example.com"), ("CERTBOT_VALIDATION", SECOND), ("EXEC_MODE", "RAW"), ("COMMAND", "x")];
    for (name, value) in foreign {
        world.set(name, value);
    }
    assert_done(&world.hook(&["begin", "dns-01", NAME, "t", FIRST]));
    assert_eq!(world.records(), [format!("{RECORD} {FIRST}")]);
}

/// Flags end at the first argument that is none; one value in 64 begins with a hyphen.
#[test]
fn values_that_look_like_flags_are_values() {
    let world = World::start();
    for token in ["--json", "-q", "--help", "-", "--"] {
        assert_done(&world.hook(&["deploy_challenge", NAME, token, DASHED]));
        assert_eq!(world.records(), [format!("{RECORD} {DASHED}")]);
        assert_done(&world.hook(&["clean_challenge", NAME, token, DASHED]));
    }
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let world = World::start();
    for verb in verbs() {
        for bytes in [&[0xff][..], b"\xc3\x28", b"\x1b[31m"] {
            let mut command = world.command(&programs::hook());
            command.arg(verb.word).args((0..4).map(|_| OsString::from_vec(bytes.to_vec())));
            let finished = world.run(&mut command, "");
            // uacme's other methods need nothing for a type that is not dns-01.
            assert!(matches!(code(&finished), 0..=2), "{verb:?} {}", finished.said());
            assert!(!finished.said().contains('\u{1b}'), "{verb:?} {:?}", finished.said());
        }
    }
    assert!(world.sim.api_calls().is_empty());
}

#[test]
fn nonsense_reaches_neither_the_api_nor_dns() {
    let world = World::start();
    let table: [(&[&str], &str); 6] = [
        (&["deploy_challenge", NAME, "t"], "HOOK_CHAIN"),
        (&["begin", "dns-01", NAME, FIRST], "-h PATH"),
        (&["challenge-dns-start", NAME, FIRST], "hooks"),
        (&["setup", NAME], "MDChallengeDns01"),
        (&["create", NAME, FIRST], "{RecordName}"),
        (&["set", NAME, RECORD, FIRST, "x"], "script"),
    ];
    for (args, hint) in table {
        let finished = world.hook(args);
        assert_eq!(code(&finished), 2, "{}", finished.said());
        assert!(finished.stderr.contains(hint), "{}", finished.said());
    }
    assert!(world.sim.api_calls().is_empty() && world.sim.questions().is_empty());
}

#[test]
fn an_add_that_its_client_forgets_is_undone() {
    let adds: [&[&str]; 5] = [
        &["deploy_challenge", NAME, "t", FIRST],
        &["begin", "dns-01", NAME, "t", FIRST],
        &["challenge-dns-start", NAME, "/f", FIRST, ""],
        &["setup", NAME, FIRST],
        &["create", NAME, RECORD, FIRST],
    ];
    for add in adds {
        let mut world = World::start();
        world.set("IPV64_PROPAGATION_TIMEOUT", "1");
        world.sim.set_server("ns2.ipv64.net", &ServerSettings::stale()).unwrap();
        let finished = world.hook(add);
        assert_eq!(code(&finished), 5, "{}", finished.said());
        assert!(world.records().is_empty(), "{add:?}");
    }
}

#[test]
fn a_removal_that_fails_for_a_while_costs_no_certificate_and_stays_in_the_journal() {
    let removals: [(&[&str], &[&str]); 2] = [
        (&["deploy_challenge", NAME, "t", FIRST], &["clean_challenge", NAME, "t", FIRST]),
        (&["present", "--identifier", NAME, FIRST], &["cleanup", "--identifier", NAME, FIRST]),
    ];
    for (add, remove) in removals {
        let world = World::start();
        assert_done(&world.hook(add));
        world
            .sim
            .fault(ApiFault::on(CallKind::DelRecord, Action::daily().with_header("Retry-After", "40000")).times(9));
        let finished = world.hook(remove);
        assert_eq!(code(&finished), 0, "{}", finished.said());
        assert!(finished.stderr.contains("warning") && finished.stderr.contains(RECORD), "{}", finished.said());
        assert_eq!(world.records().len(), 1);
        let journal = std::fs::read_to_string(world.path("state/journal.json")).unwrap();
        assert!(journal.contains(RECORD) && journal.contains(r#""failed":true"#), "{journal}");
    }
}

#[test]
fn a_removal_that_is_refused_for_good_is_an_error() {
    let world = World::start();
    assert_done(&world.hook(&["deploy_challenge", NAME, "t", FIRST]));
    world.sim.fault(ApiFault::on(CallKind::DelRecord, Action::json(401, r#"{"info":"Unauthorized"}"#)));
    assert_eq!(code(&world.hook(&["clean_challenge", NAME, "t", FIRST])), 3);
}
