//! `doctor` on a healthy world, and on one with each fault.

use ipv64_acme::sim::{
    Account, Action, ApiFault, Authority, CallKind, Config, Limits, Listen, Meets, ResolverMode, ResolverSettings,
    ServerSettings, StaticRecord,
};
use serde_json::Value;

use crate::support::desk::Desk;

/// Runs `doctor --json`, which ends with this code.
fn examine(desk: &Desk, domains: &[&str], code: i32) -> Vec<Value> {
    let finished = desk.run(&[&["doctor", "--json"], domains].concat());
    assert_eq!(finished.status.code(), Some(code), "{}", finished.said());
    let document: Value = serde_json::from_str(&finished.stdout).unwrap();
    let findings = document["findings"].as_array().unwrap().clone();
    for finding in findings.iter().filter(|it| it["level"] == "warning" || it["level"] == "error") {
        assert!(finding["advice"].is_string(), "no way out of {finding}");
    }
    findings
}

/// Asserts that there is a finding of this kind and level, and returns it.
fn has(findings: &[Value], kind: &str, level: &str) -> Value {
    let found = findings.iter().find(|it| it["kind"] == kind && it["level"] == level);
    found.unwrap_or_else(|| panic!("no {level} `{kind}` in {findings:#?}")).clone()
}

fn worst(findings: &[Value]) -> &str {
    let has = |level: &str| findings.iter().any(|it| it["level"] == level);
    ["error", "warning", "note", "ok"].into_iter().find(|level| has(level)).unwrap()
}

fn with_account(change: impl FnOnce(&mut Account)) -> Desk {
    let mut account = Account::default();
    change(&mut account);
    Desk::with(Config { accounts: vec![account], ..Config::default() })
}

fn with_domains(domains: &[&str]) -> Desk {
    with_account(|account| {
        account.domains = domains.iter().map(ToString::to_string).collect();
        account.records.clear();
    })
}

#[test]
fn a_healthy_world_has_nothing_to_do_and_costs_two_calls() {
    let desk = Desk::new();
    let findings = examine(&desk, &["name.ipv64.net", "*.example.com"], 0);
    assert_eq!(worst(&findings), "ok", "{findings:#?}");
    assert_eq!(desk.calls(), [CallKind::GetAccountInfo, CallKind::GetDomains]);
    let text = desk.succeed(&["doctor", "name.ipv64.net"]);
    assert!(text.lines().all(|line| line.starts_with("ok  ") || line == "0 error(s), 0 warning(s)"), "{text}");
    assert!(!text.contains(desk.sim.key(0).unwrap()));
}

#[test]
fn the_challenge_name_is_not_asked_of_a_resolver() {
    let desk = Desk::new();
    examine(&desk, &["name.ipv64.net"], 0);
    let resolver = desk.sim.addresses("system")[0];
    let asked: Vec<_> = desk.sim.questions().into_iter().filter(|question| question.address == resolver).collect();
    assert!(!asked.is_empty());
    assert!(asked.iter().all(|question| !question.name.contains("_acme-challenge")), "{asked:?}");
}

#[test]
fn without_a_key_the_rest_is_examined_all_the_same() {
    let mut desk = Desk::new();
    desk.set("IPV64_API_KEY", "");
    let findings = examine(&desk, &["name.ipv64.net"], 3);
    has(&findings, "key_missing", "error");
    has(&findings, "server", "ok");
    assert!(desk.calls().is_empty());
}

#[test]
fn a_refused_key_ends_with_3_whatever_else_there_is() {
    let mut desk = Desk::new();
    desk.set("IPV64_API_KEY", "wrong-key");
    let findings = examine(&desk, &["loop.foreign.example"], 3);
    has(&findings, "unauthorized", "error");
    has(&findings, "cname_loop", "error");
    assert_eq!(desk.calls().len(), 1, "a refused key is not tried twice");
}

#[test]
fn faults_of_the_api_are_told_apart() {
    let desk = Desk::new();
    desk.sim.fault(ApiFault::next(Action::html(503, "maintenance")));
    has(&examine(&desk, &[], 6), "unavailable", "error");
    let desk = Desk::with(Config { limits: Limits { daily: Some(64), ..Limits::default() }, ..Config::default() });
    desk.sim.set_calls_today(60);
    has(&examine(&desk, &[], 0), "quota", "warning");
    desk.sim.set_calls_today(64);
    has(&examine(&desk, &[], 4), "rate_limited", "error");
    let mut desk = Desk::new();
    desk.set("IPV64_API_URL", "http://127.0.0.1:9/api");
    has(&examine(&desk, &[], 6), "api_way", "error");
}

#[test]
fn faults_of_the_account_are_told_apart() {
    let desk = Desk::new();
    let findings = examine(&desk, &["nobody.example.net"], 7);
    assert!(has(&findings, "no_domain", "error")["advice"].as_str().unwrap().contains("CNAME"));
    let desk = with_domains(&[]);
    has(&examine(&desk, &[], 7), "domains", "error");
    let desk = with_domains(&["name.any64.de"]);
    has(&examine(&desk, &["name.any64.de"], 0), "shared_limit", "note");
    has(&examine(&desk, &["www.name.any64.de"], 0), "wildcard_gap", "note");
}

#[test]
fn a_domain_that_is_delegated_elsewhere_ends_with_5() {
    let desk = with_domains(&["foreign.example"]);
    let findings = examine(&desk, &["www2.foreign.example"], 5);
    assert!(has(&findings, "delegation", "error")["text"].as_str().unwrap().contains("ns.foreign.example"));
}

#[test]
fn traps_of_aliases_are_told() {
    let desk = Desk::new();
    has(&examine(&desk, &["loop.foreign.example"], 6), "cname_loop", "error");
    has(&examine(&desk, &["x.wild.foreign.example"], 7), "alias_doubtful", "warning");
    let findings = examine(&desk, &["www.foreign.example"], 0);
    assert!(has(&findings, "alias", "ok")["text"].as_str().unwrap().contains("-> hop.foreign.example ->"));
}

#[test]
fn a_rule_against_the_ca_is_told_with_the_record_to_add() {
    let rule = |name: &str, content: &str| StaticRecord::new(name, "CAA", content);
    let desk = with_account(|account| {
        account.records.push(rule("example.com", "0 issue \"ca.example\""));
        account.records.push(rule("name.ipv64.net", "0 issue \"letsencrypt.org\""));
    });
    let findings = examine(&desk, &["www.example.com", "name.ipv64.net"], 0);
    let forbids = has(&findings, "caa_forbids", "warning");
    assert!(forbids["advice"].as_str().unwrap().contains("0 issue \"letsencrypt.org\""), "{forbids}");
    assert!(has(&findings, "caa", "ok")["text"].as_str().unwrap().contains("allow Let's Encrypt"));
}

#[test]
fn faults_of_the_servers_are_told_apart() {
    let honest = ServerSettings::default;
    let silent = || ServerSettings { udp: Listen::Silent, tcp: Listen::Silent, ..honest() };
    let table = [
        ("ns1.ipv64.net", silent(), "server_down", "warning", 0),
        ("ns1.ipv64.net", ServerSettings { tcp: Listen::Closed, ..honest() }, "server_tcp", "warning", 0),
        ("ns1.ipv64.net", ServerSettings { udp: Listen::Closed, ..honest() }, "server_udp", "warning", 0),
        // Not everybody silent: then the resolver of the simulation would know no name servers either.
        ("all", ServerSettings { meets: Meets::Sockets, ..silent() }, "no_server", "error", 6),
        (
            "all",
            ServerSettings { authority: Authority::Missing, meets: Meets::Sockets, ..honest() },
            "no_server",
            "error",
            6,
        ),
        (
            "all",
            ServerSettings { authority: Authority::Intercepted, meets: Meets::Sockets, ..honest() },
            "intercepted",
            "error",
            6,
        ),
    ];
    std::thread::scope(|scope| {
        for (which, settings, kind, level, code) in table {
            scope.spawn(move || {
                let mut desk = Desk::new();
                desk.set("IPV64_DOH", "off");
                let servers = if which == "all" { vec!["ns1.ipv64.net", "ns2.ipv64.net"] } else { vec![which] };
                for server in servers {
                    desk.sim.set_server(server, &settings).unwrap();
                }
                has(&examine(&desk, &["name.ipv64.net"], code), kind, level);
            });
        }
    });
}

#[test]
fn resolvers_that_fail_are_told_and_gone_around() {
    let mut desk = Desk::new();
    desk.set("IPV64_DOH", "off");
    for mode in [ResolverMode::ServFail, ResolverMode::NoSoa] {
        let settings = ResolverSettings { mode, ..ResolverSettings::default() };
        desk.sim.set_resolver("system", &settings).unwrap();
        has(&examine(&desk, &["name.ipv64.net"], 0), "resolvers", "warning");
    }
}

#[test]
fn a_state_directory_that_others_can_write_is_told() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = Desk::new();
    let path = desk.path("state");
    std::fs::create_dir(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
    has(&examine(&desk, &[], 0), "state", "warning");
}
