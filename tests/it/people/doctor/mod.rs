//! `doctor` on a healthy world, and on one with each fault: every finding that it can make is made here at least once.

mod account;
mod client;
mod dns;
mod machine;
mod servers;

use std::time::{Duration, Instant};

use ipv64_acme::sim::{Account, CallKind, Config, Listen, ServerSettings};
use serde_json::Value;

use crate::support::environment::{TestEnvironment, fields};

/// Runs `doctor --json`, which ends with this code. It may make two calls of the API, and every finding that is not good
/// has to name a way out.
fn examine(env: &TestEnvironment, domains: &[&str], code: i32) -> Vec<Value> {
    let before = env.sim.api_calls().len();
    let finished = env.run(&[&["doctor", "--json"], domains].concat());
    assert_eq!(finished.status.code(), Some(code), "{}", finished.said());
    assert!(env.sim.api_calls().len() <= before + 2, "{:#?}", env.sim.api_calls());
    let document: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(fields(&document), ["conclusion", "errors", "findings", "warnings"]);
    let findings = document["findings"].as_array().unwrap().clone();
    for finding in &findings {
        assert_eq!(fields(finding), ["advice", "kind", "level", "subject", "text"]);
        let bad = finding["level"] == "warning" || finding["level"] == "error";
        assert!(!bad || finding["advice"].is_string(), "no way out of {finding}");
        assert!(!finding.to_string().contains(env.sim.key(0).unwrap()), "{finding}");
    }
    let count = |level: &str| findings.iter().filter(|it| it["level"] == level).count();
    assert_eq!((&document["errors"], &document["warnings"]), (&count("error").into(), &count("warning").into()));
    assert_eq!(code == 0, count("error") == 0, "0 means no error, and nothing else: {findings:#?}");
    findings
}

/// Asserts that there is a finding of this kind and level, and returns its text with the advice.
fn has(findings: &[Value], kind: &str, level: &str) -> String {
    let found = findings.iter().find(|it| it["kind"] == kind && it["level"] == level);
    let found = found.unwrap_or_else(|| panic!("no {level} `{kind}` in {findings:#?}"));
    format!("{}: {}\n{}", found["subject"].as_str().unwrap(), found["text"].as_str().unwrap(), found["advice"])
}

fn has_not(findings: &[Value], kind: &str) {
    assert!(!findings.iter().any(|it| it["kind"] == kind), "{kind}: {findings:#?}");
}

/// Asserts that a text has all these parts.
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}

fn with_account(change: impl FnOnce(&mut Account)) -> TestEnvironment {
    let mut account = Account::default();
    change(&mut account);
    TestEnvironment::with(Config { accounts: vec![account], ..Config::default() })
}

fn with_domains(domains: &[&str]) -> TestEnvironment {
    with_account(|account| {
        account.domains = domains.iter().map(ToString::to_string).collect();
        account.records.clear();
    })
}

#[test]
fn a_healthy_world_has_nothing_to_do_and_costs_two_calls() {
    let env = TestEnvironment::new();
    let findings = examine(&env, &["name.ipv64.net", "*.example.com"], 0);
    assert!(findings.iter().all(|it| it["level"] == "ok"), "{findings:#?}");
    assert_eq!(env.calls(), [CallKind::GetAccountInfo, CallKind::GetDomains]);
    let all = ["config", "key", "state", "api_way", "api", "quota", "domains", "clock", "account_domain", "delegation"];
    for kind in all.into_iter().chain(["dnssec", "caa", "server"]) {
        has(&findings, kind, "ok");
    }
    let text = env.succeed(&["doctor", "name.ipv64.net"]);
    assert!(text.lines().all(|line| line.starts_with("ok  ") || line.starts_with("0 errors, 0 warnings. ")), "{text}");
    assert!(text.ends_with("Nothing is in the way: `ipv64-acme test name.ipv64.net` tries it\n"), "{text}");
    assert!(!text.contains(env.sim.key(0).unwrap()));
}

#[test]
fn the_challenge_name_is_not_asked_of_a_resolver() {
    let env = TestEnvironment::new();
    examine(&env, &["name.ipv64.net"], 0);
    let resolver = env.sim.addresses("system")[0];
    let asked: Vec<_> = env.sim.questions().into_iter().filter(|question| question.address == resolver).collect();
    assert!(!asked.is_empty());
    assert!(asked.iter().all(|question| !question.name.contains("_acme-challenge")), "{asked:?}");
}

#[test]
fn a_world_that_is_silent_does_not_hold_it_up() {
    let mut env = TestEnvironment::new();
    let silent = ServerSettings { udp: Listen::Silent, tcp: Listen::Silent, ..ServerSettings::default() };
    for (name, _) in env.sim.dns_servers() {
        // Resolvers have no such settings, and without servers they know nothing.
        env.sim.set_server(&name, &silent).ok();
    }
    let quiet = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    env.set("IPV64_API_URL", &format!("http://{}/api", quiet.local_addr().unwrap()));
    let start = Instant::now();
    let findings = examine(&env, &["name.ipv64.net", "example.com"], 6);
    has(&findings, "timed_out", "error");
    has(&findings, "name_servers_unreachable", "error");
    // 15 s are promised; a busy machine gets some more.
    assert!(start.elapsed() < Duration::from_secs(25), "{:?}", start.elapsed());
}
