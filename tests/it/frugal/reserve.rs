//! Calls that are kept for removals, and removals that are made up for.

use std::time::{Duration, Instant};

use ipv64_acme::sim::{Action, ApiFault, CallKind, Limits};

use super::*;

const HOUR: Duration = Duration::from_secs(3600);
const OTHER: &str = "_acme-challenge.example.com";

fn refuse_next_removal(env: &TestEnvironment) {
    let rejected = Action::json(400, r#"{"del_record":"no","info":"error","status":"400"}"#);
    env.sim.fault(ApiFault::on(CallKind::DelRecord, rejected));
}

fn contents(env: &TestEnvironment) -> Vec<String> {
    env.sim.records_left().iter().map(|record| record.content.trim_matches('"').to_owned()).collect()
}

#[test]
fn near_the_end_of_the_day_nothing_is_added_that_could_not_be_removed() {
    let mut env = TestEnvironment::new();
    env.set("IPV64_PROPAGATION_TIMEOUT", "0");
    env.sim.set_limits(Limits { daily: Some(64), ..Limits::default() });
    env.sim.set_calls_today(54);
    // A person looks, and so the limit is known.
    env.succeed(&["status"]);
    let mut added = Vec::new();
    let refused = loop {
        let value = value();
        let finished = env.run(&["present", NAME, &value]);
        if !finished.status.success() {
            break finished;
        }
        added.push(value);
        assert!(added.len() < 10, "nothing is kept");
    };
    assert_eq!(refused.status.code(), Some(4), "{}", refused.said());
    assert!(refused.stderr.contains("open records still take"), "{}", refused.said());
    assert!(added.len() > 1, "{}", refused.said());
    for value in &added {
        env.succeed(&["cleanup", NAME, value]);
    }
    assert!(env.sim.records_left().is_empty());
    assert!(env.sim.api_calls().iter().all(|call| call.refused_by.is_none()), "{:#?}", env.sim.api_calls());
}

#[test]
fn a_reading_that_forbids_is_looked_at_again_where_nothing_has_to_be_removed() {
    let mut env = TestEnvironment::new();
    env.set("IPV64_PROPAGATION_TIMEOUT", "0");
    env.sim.set_limits(Limits { daily: Some(64), ..Limits::default() });
    env.sim.set_calls_today(62);
    env.succeed(&["status"]);
    let value = value();
    assert_eq!(env.run(&["present", NAME, &value]).status.code(), Some(4));
    // The day of IPv64 begins at another time than is assumed here, or somebody has raised the limit.
    env.sim.set_calls_today(0);
    assert_eq!(env.run(&["present", NAME, &value]).status.code(), Some(4), "just read");
    change_state(&env, "usage.json", |content| {
        for (_, usage) in content["accounts"].as_object_mut().unwrap() {
            let at = &mut usage["daily"]["known"]["at"];
            *at = (at.as_u64().unwrap() - 900_000).into();
        }
    });
    env.succeed(&["present", NAME, &value]);
    env.succeed(&["cleanup", NAME, &value]);
}

#[test]
fn after_many_calls_the_account_is_read_before_the_next_addition() {
    let mut env = TestEnvironment::new();
    env.set("IPV64_PROPAGATION_TIMEOUT", "0");
    env.sim.set_limits(Limits { daily: Some(64), ..Limits::default() });
    let add_and_remove = || {
        let value = value();
        env.succeed(&["present", NAME, &value]);
        env.succeed(&["cleanup", NAME, &value]);
    };
    (0..20).for_each(|_| add_and_remove());
    assert!(!env.calls().contains(&CallKind::GetAccountInfo), "too early");
    add_and_remove();
    assert_eq!(env.calls(), [CallKind::GetAccountInfo, CallKind::AddRecord, CallKind::DelRecord]);
    // All calls of the day were ours, so that one reading is enough for thirty names, one after the other.
    (0..9).for_each(|_| add_and_remove());
    let calls = env.calls();
    assert_eq!((calls.len(), calls.contains(&CallKind::GetAccountInfo)), (18, false), "{calls:?}");
}

#[test]
fn a_removal_that_failed_is_finished_by_the_next_call() {
    let env = TestEnvironment::new();
    let values = [value(), value()];
    env.succeed(&["present", NAME, &values[0]]);
    refuse_next_removal(&env);
    assert_eq!(env.run(&["cleanup", NAME, &values[0]]).status.code(), Some(1));
    env.succeed(&["present", OTHER, &values[1]]);
    assert_eq!(contents(&env), values[1..]);
}

#[test]
fn on_a_day_that_is_used_up_no_removal_counts_as_tried() {
    let env = TestEnvironment::new();
    let first = value();
    env.succeed(&["present", NAME, &first]);
    refuse_next_removal(&env);
    assert_eq!(env.run(&["cleanup", NAME, &first]).status.code(), Some(1));
    env.sim.fault(ApiFault::on(CallKind::AddRecord, Action::daily().with_header("Retry-After", "7200")));
    env.calls();
    for _ in 0..4 {
        assert_eq!(env.run(&["present", OTHER, &value()]).status.code(), Some(4));
    }
    assert_eq!(env.calls(), [CallKind::AddRecord]);
    let entries = read_state(&env, "journal.json")["content"]["entries"].clone();
    let entry = entries.as_array().unwrap().iter().find(|entry| entry["value"] == first.as_str()).unwrap();
    assert_eq!(entry["progress"]["remove_asked"]["tries"], 1, "{entries:#}");
}

#[test]
fn what_nobody_asks_about_for_an_hour_is_removed_by_the_next_call_with_calls_to_spare() {
    let mut env = TestEnvironment::new();
    let values = [value(), value(), value()];
    env.succeed(&["present", NAME, &values[0]]);
    change_state(&env, "journal.json", |content| make_older(&mut content["entries"], "added_at", HOUR));
    // A full window has nothing to spare.
    env.set("IPV64_API_RATE", "1/2");
    env.succeed(&["--propagation-timeout", "0", "present", OTHER, &values[1]]);
    assert_eq!(contents(&env), values[..2]);
    env.set("IPV64_API_RATE", "1000/1");
    env.succeed(&["present", OTHER, &values[2]]);
    assert_eq!(contents(&env), values[1..]);
}

#[test]
fn a_domain_that_left_the_account_moves_the_entry_of_its_record_too() {
    let mut config = ipv64_acme::sim::Config::default();
    config.accounts[0].domains.push("sub.example.com".into());
    let env = TestEnvironment::with(config);
    let name = "_acme-challenge.sub.example.com";
    let value = value();
    // The list is known here, and the domain is deleted from elsewhere.
    env.succeed(&["domain", "list"]);
    let elsewhere = env.path("elsewhere");
    let delete = ["domain", "delete", "sub.example.com", "--yes"];
    let finished = run_with(&env, &delete, &[("IPV64_STATE_DIR", elsewhere.to_str().unwrap())]);
    assert!(finished.status.success(), "{}", finished.said());
    env.succeed(&["present", name, &value]);
    let entries = read_state(&env, "journal.json")["content"]["entries"].clone();
    assert_eq!(entries.as_array().unwrap().len(), 1);
    assert_eq!((&entries[0]["domain"], &entries[0]["prefix"]), (&"example.com".into(), &"_acme-challenge.sub".into()));
    env.calls();
    env.succeed(&["cleanup", name, &value]);
    assert_eq!(env.calls(), [CallKind::DelRecord]);
    assert!(env.sim.records_left().is_empty());
}

#[test]
fn a_domain_that_came_to_the_account_since_the_list_was_cached_is_found_by_its_zone() {
    let env = TestEnvironment::new();
    let name = "_acme-challenge.sub.example.com";
    env.succeed(&["domain", "list"]);
    let elsewhere = env.path("elsewhere");
    let add = ["domain", "add", "sub.example.com"];
    let finished = run_with(&env, &add, &[("IPV64_STATE_DIR", elsewhere.to_str().unwrap())]);
    assert!(finished.status.success(), "{}", finished.said());
    env.calls();
    env.succeed(&["present", name, &value()]);
    assert_eq!(env.calls(), [CallKind::GetDomains, CallKind::AddRecord]);
    let entries = read_state(&env, "journal.json")["content"]["entries"].clone();
    assert_eq!(entries[0]["domain"], "sub.example.com");
}

#[test]
fn a_zone_that_is_no_domain_of_the_account_is_looked_for_once() {
    let mut config = ipv64_acme::sim::Config::default();
    config.accounts.push(ipv64_acme::sim::Account {
        key: "key-of-another".into(),
        domains: vec!["sub.example.com".into()],
        records: Vec::new(),
    });
    let env = TestEnvironment::with(config);
    env.succeed(&["domain", "list"]);
    env.calls();
    env.succeed(&["present", "_acme-challenge.sub.example.com", &value()]);
    assert_eq!(env.calls(), [CallKind::GetDomains, CallKind::AddRecord], "the account may have got it since");
    env.succeed(&["present", "_acme-challenge.a.sub.example.com", &value()]);
    assert_eq!(env.calls(), [CallKind::AddRecord]);
}

/// Reports a value as ready, so long ago, and returns how long the next one at the same name takes.
fn second_value_after(ago: Duration, run: impl Fn(&TestEnvironment, &str) -> Finished) -> (Duration, Finished) {
    let env = TestEnvironment::new();
    env.succeed(&["present", NAME, &value()]);
    change_state(&env, "journal.json", |content| make_older(&mut content["ready"], "at", ago));
    let start = Instant::now();
    let finished = run(&env, &value());
    assert!(finished.status.success(), "{}", finished.said());
    (start.elapsed(), finished)
}

#[test]
fn a_second_value_waits_until_the_ca_has_forgotten_the_first() {
    let lego = |env: &TestEnvironment, value: &str| env.run(&["-v", "present", NAME, value]);
    let (took, finished) = second_value_after(Duration::from_secs(59), lego);
    assert!(took > Duration::from_secs(4), "{took:?}: {}", finished.said());
    assert!(finished.stderr.contains("waiting for the CA's cache"), "{}", finished.said());
}

#[test]
fn two_names_that_are_aliases_of_one_wait_for_each_other() {
    let alias = |name: &str| StaticRecord::new(name, "CNAME", "_acme-challenge.target.example.com");
    let names = ["_acme-challenge.a.example.com", "_acme-challenge.b.example.com"];
    let mut config = Config::default();
    config.accounts[0].records.extend(names.map(alias));
    let env = TestEnvironment::with(config);
    env.succeed(&["present", names[0], &value()]);
    change_state(&env, "journal.json", |content| {
        make_older(&mut content["ready"], "at", Duration::from_secs(60));
    });
    let finished = env.run(&["-v", "present", names[1], &value()]);
    assert!(finished.status.success(), "{}", finished.said());
    assert!(finished.stderr.contains("waiting for the CA's cache"), "{}", finished.said());
}

#[test]
fn nobody_waits_whose_ca_is_asked_later_or_has_forgotten() {
    let lego = |env: &TestEnvironment, value: &str| env.run(&["-v", "present", NAME, value]);
    let certbot = |env: &TestEnvironment, value: &str| {
        run_with(env, &["-v", "auth"], &[("CERTBOT_DOMAIN", "name.ipv64.net"), ("CERTBOT_VALIDATION", value)])
    };
    let other_name = |env: &TestEnvironment, value: &str| env.run(&["-v", "present", OTHER, value]);
    for (_, finished) in [
        second_value_after(Duration::from_secs(66), lego),
        second_value_after(Duration::ZERO, certbot),
        second_value_after(Duration::ZERO, other_name),
    ] {
        assert!(!finished.stderr.contains("previous value"), "{}", finished.said());
    }
}
