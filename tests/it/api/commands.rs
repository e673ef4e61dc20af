//! What each command sends and prints.

use ipv64_acme::sim::{AuthWay, CallKind};
use serde_json::json;

use crate::support::environment::{TestEnvironment, fields};

const WAYS: [(&str, AuthWay); 4] =
    [("bearer", AuthWay::Bearer), ("basic", AuthWay::Basic), ("apikey", AuthWay::ApiKey), ("token", AuthWay::Token)];

/// Every call of the API document, in an order that leaves nothing behind.
const COMMANDS: [(&[&str], &[CallKind]); 9] = [
    (&["account"], &[CallKind::GetAccountInfo]),
    (&["logs"], &[CallKind::GetLogs]),
    (&["domain", "list"], &[CallKind::GetDomains]),
    (&["domain", "add", "new.ipv64.net"], &[CallKind::AddDomain]),
    (&["record", "add", "a.new.ipv64.net", "TXT", "-x"], &[CallKind::GetDomains, CallKind::AddRecord]),
    (&["record", "list", "new.ipv64.net", "--type", "TXT"], &[CallKind::GetDomains]),
    (&["record", "delete", "a.new.ipv64.net", "TXT", "-x"], &[CallKind::DelRecord]),
    (&["record", "delete", "1"], &[CallKind::DelRecord]),
    (&["domain", "delete", "new.ipv64.net", "--yes"], &[CallKind::GetDomains, CallKind::DelDomain]),
];

#[test]
fn every_call_works_in_each_way_to_authenticate_as_text_and_json() {
    for (name, way) in WAYS {
        let mut env = TestEnvironment::new();
        env.set("IPV64_API_AUTH", name);
        for json in [false, true] {
            for (args, calls) in COMMANDS {
                if json {
                    env.json(args);
                } else {
                    env.succeed(args);
                }
                let seen = env.sim.api_calls();
                assert!(seen.iter().all(|call| call.auth == Some(way)), "{name} {args:?}: {seen:?}");
                assert_eq!(env.calls(), calls, "{name} {args:?}");
            }
        }
        assert!(env.sim.records_left().is_empty());
    }
}

#[test]
fn every_request_has_a_user_agent_and_the_key_in_the_body_where_there_is_one() {
    let mut env = TestEnvironment::new();
    env.set("IPV64_API_AUTH", "apikey");
    env.succeed(&["record", "add", "a.name.ipv64.net", "TXT", "x"]);
    for call in env.sim.api_calls() {
        assert!(call.user_agent.unwrap().starts_with("ipv64-acme/"));
    }
}

#[test]
fn the_account_is_shown_with_its_quota_and_without_its_secrets() {
    let env = TestEnvironment::new();
    env.sim.set_calls_today(2);
    let text = env.succeed(&["account"]);
    for line in ["class\tStandard\n", "API calls\t3 today, no limit\n", "API key\t********\n", "e-mail\t********\n"] {
        assert!(text.contains(line), "{line:?} in {text}");
    }
    let account = env.json(&["account"]);
    assert_eq!(
        fields(&account),
        [
            "api_calls",
            "api_calls_left",
            "api_key",
            "class",
            "dyndns_domains",
            "dyndns_ttl_seconds",
            "dyndns_updates",
            "email",
            "health_check_updates",
            "health_checks",
            "own_domains",
            "registered",
            "sms",
            "status",
            "update_hash"
        ]
    );
    assert_eq!(account["api_calls"]["used"], 4);
    let key = env.sim.key(0).unwrap();
    let shown = env.json(&["account", "--show-secrets"]);
    assert_eq!(shown["api_key"], key);
    assert!(!account.to_string().contains(key) && !text.contains(key));
}

#[test]
fn a_daily_limit_is_shown_as_used_of_all() {
    let env = TestEnvironment::with(ipv64_acme::sim::Config {
        limits: ipv64_acme::sim::Limits { daily: Some(64), ..Default::default() },
        ..Default::default()
    });
    assert!(env.succeed(&["account"]).contains("API calls\t1 of 64 today\n"));
    assert_eq!(env.json(&["account"])["api_calls_left"], 62);
}

#[test]
fn domains_are_listed_added_and_deleted_with_their_records() {
    let env = TestEnvironment::new();
    assert_eq!(env.succeed(&["domain", "add", "Neu.IPv64.net."]), "neu.ipv64.net: added\n");
    env.succeed(&["record", "add", "a.neu.ipv64.net", "A", "192.0.2.1"]);
    env.succeed(&["record", "add", "a.neu.ipv64.net", "A", "192.0.2.2"]);
    let names = env.succeed(&["domain", "list"]);
    assert!(names.lines().any(|line| line.starts_with("neu.ipv64.net\t")), "{names}");
    let listed = env.json(&["domain", "list"]);
    let domain = listed["domains"].as_array().unwrap().iter().find(|it| it["name"] == "neu.ipv64.net").unwrap();
    assert_eq!(
        fields(domain),
        ["deactivated", "dualstack", "ipv6_prefix", "name", "records", "update_hash", "updates", "wildcard"]
    );
    assert_eq!(domain["update_hash"], "********");
    let records = domain["records"].as_u64().unwrap();
    assert_eq!(
        env.json(&["domain", "delete", "neu.ipv64.net", "--yes"]),
        json!({ "domain": "neu.ipv64.net", "status": "deleted", "records": records })
    );
    assert!(!env.succeed(&["record", "list"]).contains("neu.ipv64.net"));
}

#[test]
fn a_second_add_of_a_domain_shows_the_words_of_the_api() {
    let env = TestEnvironment::new();
    let error = env.fail(&["domain", "add", "name.ipv64.net"], 1);
    assert!(
        error.starts_with("error[rejected]: cannot add the domain `name.ipv64.net`\n  Caused by: IPv64 rejects"),
        "{error}"
    );
    assert!(error.contains("\"domain already there\""), "{error}");
}

#[test]
fn deleting_a_domain_needs_a_yes_and_a_domain_of_the_account() {
    let env = TestEnvironment::new();
    let error = env.fail(&["domain", "delete", "name.ipv64.net"], 2);
    assert!(error.contains("needs --yes"), "{error}");
    assert!(env.calls().is_empty(), "nothing is asked before the yes");
    let error = env.fail(&["domain", "delete", "a.name.ipv64.net", "--yes"], 7);
    assert!(error.contains("`a.name.ipv64.net` is not a domain of this IPv64 account"), "{error}");
    assert_eq!(env.calls(), [CallKind::GetDomains]);
}

#[test]
fn records_are_added_once_listed_and_deleted_exactly() {
    let env = TestEnvironment::new();
    let add = ["record", "add", "_x.name.ipv64.net", "TXT", "-one"];
    assert_eq!(env.succeed(&add), "_x.name.ipv64.net TXT -one: added\n");
    assert_eq!(env.succeed(&add), "_x.name.ipv64.net TXT -one: was there already\n");
    env.succeed(&["record", "add", "_x.name.ipv64.net", "TXT", "two"]);
    let delete = ["record", "delete", "_x.name.ipv64.net", "txt", "-one"];
    let expected = json!({
        "record": {
            "name": "_x.name.ipv64.net", "domain": "name.ipv64.net", "prefix": "_x", "type": "TXT", "content": "-one",
        },
        "status": "deleted",
    });
    assert_eq!(env.json(&delete), expected);
    assert_eq!(env.json(&delete)["status"], "missing");
    let left = env.json(&["record", "list", "--type", "TXT"]);
    assert_eq!(left["records"].as_array().unwrap().len(), 1);
    assert_eq!(left["records"][0]["content"], "two");
    let id = left["records"][0]["id"].to_string();
    assert_eq!(env.succeed(&["record", "delete", &id]), format!("record {id}: deleted\n"));
    assert_eq!(env.succeed(&["record", "delete", &id]), format!("record {id}: was not there\n"));
}

#[test]
fn the_list_of_records_is_filtered_by_domain_type_and_name() {
    let env = TestEnvironment::new();
    for (name, record_type, content) in [
        ("a.name.ipv64.net", "A", "192.0.2.1"),
        ("a.name.ipv64.net", "TXT", "x"),
        ("a.example.com", "SRV", "0 5 5060 sip.example.org"),
    ] {
        env.succeed(&["record", "add", name, record_type, content]);
    }
    let count = |args: &[&str]| env.json(&[&["record", "list"], args].concat())["records"].as_array().unwrap().len();
    assert_eq!(count(&["--type", "srv"]), 1);
    assert_eq!(count(&["--name", "A.Name.IPv64.net."]), 2);
    assert_eq!(count(&["example.com", "--name", "a.name.ipv64.net"]), 0);
    assert_eq!(count(&["name.ipv64.net", "--type", "TXT", "--name", "a.name.ipv64.net"]), 1);
    let record = &env.json(&["record", "list", "--type", "SRV"])["records"][0];
    assert_eq!(
        fields(record),
        [
            "content",
            "deactivated",
            "domain",
            "failover_policy",
            "id",
            "key",
            "last_update",
            "name",
            "prefix",
            "ttl_seconds",
            "type"
        ]
    );
    let error = env.fail(&["record", "list", "nope.example"], 7);
    assert!(error.contains("the account has: "), "{error}");
}

#[test]
fn a_set_domain_saves_the_list_and_has_to_cover_the_name() {
    let env = TestEnvironment::new();
    env.succeed(&["record", "add", "a.name.ipv64.net", "TXT", "x", "--domain", "name.ipv64.net"]);
    assert_eq!(env.calls(), [CallKind::AddRecord]);
    env.fail(&["record", "add", "a.example.com", "TXT", "x", "--domain", "name.ipv64.net"], 7);
    assert!(env.calls().is_empty());
}

#[test]
fn bad_arguments_are_refused_before_any_call() {
    let env = TestEnvironment::new();
    let long = format!("{}.name.ipv64.net", "a".repeat(300));
    let table: [(&[&str], &[&str]); 20] = [
        (&["record", "add", "a.name.ipv64.net", "FOO", "x"], &["TYPE", "`FOO`", "AAAA"]),
        (&["record", "add", "a.name.ipv64.net", "", "x"], &["TYPE"]),
        (&["record", "add", "a.name.ipv64.net", "🦀", "x", "--unchecked"], &["TYPE"]),
        (&["record", "add", "a.name.ipv64.net", "A", "1.2.3"], &["CONTENT", "IPv4"]),
        (&["record", "add", "a.name.ipv64.net", "AAAA", "192.0.2.1"], &["CONTENT", "IPv6"]),
        (&["record", "add", "a.name.ipv64.net", "SRV", "1 2 3"], &["CONTENT", "four fields"]),
        (&["record", "add", "a.name.ipv64.net", "CNAME", "a b"], &["CONTENT", "not a domain name"]),
        (&["record", "add", "a.name.ipv64.net", "TXT", ""], &["CONTENT", "empty"]),
        (&["record", "add", "a.name.ipv64.net", "TXT", "a\u{1b}[31m"], &["CONTENT", "control", "\\u{1b}"]),
        (&["record", "add", "a b", "TXT", "x"], &["NAME", "not a domain name"]),
        (&["record", "add", "", "TXT", "x"], &["NAME", "not a domain name"]),
        (&["record", "add", &long, "TXT", "x"], &["NAME", "315 characters"]),
        (&["record", "add", "a.name.ipv64.net", "TXT"], &["CONTENT"]),
        (&["record", "delete", "abc"], &["ID", "`abc`", "not a record number"]),
        (&["record", "delete", ""], &["ID"]),
        (&["record", "delete", "-1"], &["-1"]),
        (&["record", "delete", "a.name.ipv64.net", "TXT"], &["CONTENT"]),
        (&["record", "delete", "a b", "TXT", "x"], &["NAME", "not a domain name"]),
        (&["domain", "add", "https://name.ipv64.net/"], &["NAME", "write `name.ipv64.net`"]),
        (&["record", "list", "--type", "T XT"], &["TYPE"]),
    ];
    for (args, words) in table {
        let error = env.fail(args, 2);
        for word in words {
            assert!(error.contains(word), "{args:?}: {word:?} in {error}");
        }
        assert!(!error.contains('\u{1b}'), "{error:?}");
    }
    assert!(env.calls().is_empty());
}

#[test]
fn unchecked_contents_are_sent_and_the_api_decides() {
    let env = TestEnvironment::new();
    let error = env.fail(&["record", "add", "a.name.ipv64.net", "A", "1.2.3", "--unchecked"], 1);
    assert!(error.contains("\"invalid record informations\" (400)"), "{error}");
    assert_eq!(env.calls(), [CallKind::GetDomains, CallKind::AddRecord]);
}

#[test]
fn a_refused_key_and_a_missing_one_exit_3() {
    let mut env = TestEnvironment::new();
    env.set("IPV64_API_KEY", "canary-wrong-key");
    let error = env.fail(&["account", "-vv"], 3);
    assert!(error.contains("IPv64 does not accept the API key: \"Unauthorized\""), "{error}");
    assert!(error.contains("hint: copy the API key"), "{error}");
    assert!(!error.contains("canary"), "{error}");
    env.set("IPV64_API_KEY", "");
    let error = env.fail(&["account"], 3);
    assert!(error.contains("no API key given"), "{error}");
}

#[test]
fn an_error_with_json_is_one_document() {
    let mut env = TestEnvironment::new();
    env.set("IPV64_API_KEY", "wrong-key");
    let finished = env.run(&["account", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(document["error"]["kind"], "unauthorized");
    assert_eq!(finished.status.code(), Some(3));
}
