//! What IPv64 says: the key, the quota, the clock, the domains.

use std::time::Duration;

use ipv64_acme::sim::{Action, ApiFault, Certificate, Config, Limits};

use super::{examine, has, has_not, says, with_domains};
use crate::support::environment::TestEnvironment;

#[test]
fn without_a_key_the_rest_is_examined_all_the_same() {
    let mut env = TestEnvironment::new();
    env.set("IPV64_API_KEY", "");
    let findings = examine(&env, &["name.ipv64.net"], 3);
    has(&findings, "key_missing", "error");
    has(&findings, "server", "ok");
    assert!(env.calls().is_empty());
}

#[test]
fn a_refused_key_ends_with_3_whatever_else_there_is() {
    let mut env = TestEnvironment::new();
    env.set("IPV64_API_KEY", "wrong-key");
    let findings = examine(&env, &["loop.foreign.example"], 3);
    has(&findings, "unauthorized", "error");
    has(&findings, "cname_loop", "error");
    assert_eq!(env.calls().len(), 1, "a refused key is not tried twice");
}

#[test]
fn a_maintenance_page_is_shown() {
    let env = TestEnvironment::new();
    env.sim.fault(ApiFault::next(Action::html(503, "<h1>Wartung</h1>")));
    says(&has(&examine(&env, &[], 6), "unavailable", "error"), &["503 with \"<h1>Wartung</h1>\"", "try again later"]);
}

#[test]
fn few_calls_are_a_warning_and_none_an_error() {
    let env =
        TestEnvironment::with(Config { limits: Limits { daily: Some(64), ..Limits::default() }, ..Config::default() });
    env.sim.set_calls_today(60);
    says(&has(&examine(&env, &[], 0), "quota", "warning"), &["3 left today of 64", "two calls"]);
    env.sim.set_calls_today(63);
    says(&has(&examine(&env, &[], 4), "quota", "error"), &["0 left today of 64", "midnight"]);
    env.sim.set_calls_today(64);
    has(&examine(&env, &[], 4), "rate_limited", "error");
}

#[test]
fn a_clock_that_is_wrong_is_told_by_the_date_of_the_answers() {
    let with = |clock_behind| TestEnvironment::with(Config { clock_behind, ..Config::default() });
    let findings = examine(&with(Duration::from_secs(3 * 3600)), &[], 0);
    says(&has(&findings, "clock", "warning"), &["3 hours ahead of that of IPv64: it says 2", "timedatectl"]);
    has(&examine(&with(Duration::from_secs(20)), &[], 0), "clock", "ok");
}

#[test]
fn a_certificate_that_is_refused_names_clock_and_authority() {
    for (certificate, words, help) in [
        (Certificate::Good, "an issuer that this machine does not trust", "IPV64_CA_FILE"),
        (Certificate::Expired, "its certificate has expired (the clock of this machine says 2", "timedatectl"),
    ] {
        let mut env = TestEnvironment::new();
        let tls = env.sim.tls(certificate).unwrap();
        if certificate == Certificate::Expired {
            std::fs::write(env.path("ca.pem"), tls.authority()).unwrap();
            let path = env.path("ca.pem").display().to_string();
            env.set("IPV64_CA_FILE", &path);
        }
        env.set("IPV64_API_URL", &tls.api_url());
        let findings = examine(&env, &[], 6);
        has(&findings, "api_way", "ok");
        says(&has(&findings, "tls", "error"), &[words, "clock", help]);
    }
}

#[test]
fn an_account_without_the_domain_says_what_would_help() {
    let findings = examine(&TestEnvironment::new(), &["nobody.example.net"], 7);
    says(&has(&findings, "no_domain", "error"), &["`_acme-challenge.nobody.example.net`", "CNAME", "name.ipv64.net"]);
    let env = with_domains(&[]);
    says(&has(&examine(&env, &[], 7), "domains", "error"), &["ipv64-acme domain add"]);
}

#[test]
fn what_is_switched_off_is_told() {
    let off = Config { deactivated: vec!["name.ipv64.net".into()], account_status: 2, ..Config::default() };
    let findings = examine(&TestEnvironment::with(off), &["name.ipv64.net"], 7);
    says(&has(&findings, "deactivated", "error"), &["`name.ipv64.net` is deactivated", "IPv64.net"]);
    says(&has(&findings, "account_status", "warning"), &["is 2", "log in"]);
    has_not(&examine(&TestEnvironment::new(), &["name.ipv64.net"], 0), "account_status");
}

#[test]
fn suffixes_with_a_common_limit_and_gaps_in_a_wildcard_are_noted() {
    let env = with_domains(&["name.any64.de", "example.com"]);
    says(&has(&examine(&env, &["name.any64.de"], 0), "shared_limit", "note"), &["`any64.de`", "ipv64.net"]);
    let findings = examine(&env, &["www.name.any64.de"], 0);
    says(&has(&findings, "wildcard_gap", "note"), &["`www.name.any64.de` has no address", "A or AAAA"]);
    has_not(&examine(&env, &["www.example.com"], 0), "wildcard_gap");
}

#[test]
fn records_that_are_there_already_are_noted() {
    let env = TestEnvironment::new();
    env.succeed(&["record", "add", "_acme-challenge.name.ipv64.net", "TXT", "old"]);
    let findings = examine(&env, &["name.ipv64.net"], 0);
    says(&has(&findings, "left_over", "note"), &["has a TXT record already", "ipv64-acme sweep --all"]);
}
