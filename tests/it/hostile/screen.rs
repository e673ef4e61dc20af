//! Text from outside that would act on a terminal: escape sequences, control characters, changes of direction. It is shown,
//! and does nothing; in a JSON document it means what it meant.

use ipv64_acme::excerpt::is_invisible;
use ipv64_acme::sim::{Action, ApiFault, Backend, Config, NameServer, ServerSettings};
use serde_json::{Value, json};

use super::*;
use crate::support::terminal;

/// Sets a title, colours, erases, returns, reverses; C0, C1, DEL, line separators and invisible tags.
const EVIL: &str =
    "a\u{1b}]0;t\u{7}\u{1b}[31m\u{9b}2J\r\n\t\u{8}\u{7f}\u{202e}b\u{2066}\u{61c}\u{2028}\u{feff}\u{e0041}\u{0}c";

/// Asserts that nothing in the output acts on a terminal. Line ends and tabs are our own.
fn assert_harmless(finished: &Finished, context: &str) {
    let acts = |c: &char| is_invisible(*c) && *c != '\n' && *c != '\t';
    for text in [&finished.stdout, &finished.stderr] {
        let found: String = text.chars().filter(acts).collect();
        assert!(found.is_empty(), "{context}: {found:?} in {text:?}");
    }
}

/// Whether the harmless part of the evil text is shown: what is not shown at all proves nothing.
fn is_shown(finished: &Finished) -> bool {
    finished.said().contains("[31m")
}

/// An answer in which every text is evil.
fn answer() -> Value {
    let record = json!({
        "record_id": 5, "content": EVIL, "ttl": 60, "type": EVIL, "praefix": EVIL, "last_update": EVIL,
        "record_key": EVIL, "failover_policy": EVIL,
    });
    let mut challenge = record.clone();
    challenge["praefix"] = "_acme-challenge".into();
    challenge["type"] = "TXT".into();
    json!({
        "info": "success", "status": "200 OK", "email": EVIL, "reg_date": EVIL,
        "account_class": { "class_name": EVIL, "api_limit": 64 }, "api_updates": 1,
        "logs": [{ "subdomain": EVIL, "time": EVIL, "header": EVIL, "content": EVIL }],
        "subdomains": {
            "name.ipv64.net": { "domain_update_hash": EVIL, "ipv6prefix": EVIL, "records": [record, challenge] },
            EVIL: { "records": [] },
        },
    })
}

#[test]
fn no_text_of_the_api_acts_on_the_terminal() {
    let refusal = json!({ "info": EVIL, "status": format!("400 {EVIL}"), "add_record": EVIL, "del_record": EVIL });
    let commands: [&[&str]; 9] = [
        &["account", "--show-secrets"],
        &["logs"],
        &["domain", "list", "--show-secrets"],
        &["record", "list", "--show-secrets"],
        &["sweep", "--all", "--older-than", "0"],
        &["sweep", "--all", "--older-than", "0", "--yes"],
        &["record", "add", "a.name.ipv64.net", "TXT", "x"],
        &["status"],
        &["doctor"],
    ];
    let answers = [(200, answer()), (400, refusal.clone()), (429, refusal.clone()), (503, refusal)];
    // Each in a world of its own: what is tried again waits more than it computes.
    std::thread::scope(|scope| {
        for (status, body) in &answers {
            for command in commands {
                scope.spawn(move || check_all_modes(*status, body, command));
            }
        }
    });
}

fn check_all_modes(status: u16, body: &Value, command: &[&str]) {
    let env = hasty();
    let action = Action::json(status, &body.to_string()).with_header("Retry-After", "7200");
    env.sim.fault(ApiFault::next(action).times(99));
    for mode in ["-q", "-vv", "--json"] {
        let _ = std::fs::remove_dir_all(env.path("state"));
        let finished = env.run(&[command, &[mode]].concat());
        let context = format!("{command:?} {mode} {status}");
        assert_orderly(&finished, &context);
        assert_harmless(&finished, &context);
        if mode == "--json" {
            let document = serde_json::from_str::<Value>(&finished.stdout);
            assert!(document.is_ok(), "{context}: {}", finished.stdout);
        }
    }
}

#[test]
fn a_json_document_means_what_the_api_said() {
    let env = hasty();
    env.sim.fault(ApiFault::next(Action::json(200, &answer().to_string())));
    let records = env.json(&["record", "list"]);
    assert_eq!(records["records"][0]["content"], EVIL);
    let shown = env.run(&["record", "list", "--json"]).stdout;
    assert!(!shown.trim_end().chars().any(is_invisible), "{shown:?}");
}

#[test]
fn no_page_in_place_of_the_api_acts_on_the_terminal() {
    let env = hasty();
    for action in
        [Action::html(502, EVIL), Action::html(200, EVIL), Action::redirect(&EVIL.replace(['\r', '\n', '\0'], ""))]
    {
        env.sim.fault(ApiFault::next(action).times(99));
        for mode in ["-vv", "--json"] {
            let finished = env.run(&["account", mode]);
            assert_eq!(finished.status.code(), Some(6), "{mode}: {}", finished.said());
            assert_harmless(&finished, mode);
        }
        env.sim.clear_faults();
    }
}

#[test]
fn no_data_of_a_name_server_acts_on_the_terminal() {
    let evil = ServerSettings {
        backends: vec![Backend { nsid: Some(EVIL.to_owned()), ..Backend::default() }],
        wrong_value: Some(EVIL.to_owned()),
        extra_values: vec![EVIL.to_owned()],
        ..ServerSettings::default()
    };
    let name_servers = vec![NameServer::with("ns1.ipv64.net", vec![evil]), NameServer::new("ns2.ipv64.net")];
    let world = Config { name_servers, ..Config::default() };
    let commands: [&[&str]; 3] =
        [&["present", NAME, VALUE], &["test", "name.ipv64.net"], &["doctor", "name.ipv64.net"]];
    std::thread::scope(|scope| {
        for command in commands {
            for mode in ["-vv", "--json"] {
                let mut env = TestEnvironment::with(world.clone());
                scope.spawn(move || {
                    env.set("IPV64_PROPAGATION_TIMEOUT", "2");
                    let finished = env.run(&[&[mode], command].concat());
                    assert_orderly(&finished, &format!("{command:?}"));
                    assert_harmless(&finished, &format!("{command:?}"));
                });
            }
        }
    });
}

#[test]
fn nothing_in_the_state_directory_acts_on_the_terminal() {
    let env = hasty();
    env.succeed(&["present", NAME, VALUE]);
    let path = env.path("state/journal.json");
    let mut journal: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for field in ["client", "prefix"] {
        journal["content"]["entries"][0][field] = EVIL.into();
    }
    std::fs::write(&path, journal.to_string()).unwrap();
    for command in [&["sweep", "--older-than", "0"][..], &["status"]] {
        let finished = env.run(command);
        assert!(is_shown(&finished), "{command:?}: {}", finished.said());
        assert_harmless(&finished, &format!("{command:?}"));
    }
}

#[test]
#[ignore = "needs script(1): run by tests/run"]
fn what_was_typed_does_not_act_on_a_terminal() {
    let env = hasty();
    for words in ["bogus\u{1b}[31m", "record add \u{9b}31m", "sweep --older-than \u{202e}1"] {
        let finished = terminal::watch(&env, &format!("ipv64-acme {words}"));
        assert!(finished.stdout.contains("error["), "{words:?}: {}", finished.said());
        let shown = finished.stdout.replace('\r', "");
        assert_harmless(&Finished { stdout: shown, ..finished }, words);
    }
}
