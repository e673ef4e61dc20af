//! certbot's countdown: several calls, one wait, and what happens when the earlier calls are forgotten or failed.

use ipv64_acme::sim::{Action, ApiFault, CallKind, Config};

use super::*;

const DOMAINS: [&str; 3] = ["name.ipv64.net", "name.ipv64.net", "example.com"];

/// Runs the auth hook for one of the names as certbot does.
fn auth(env: &TestEnvironment, at: usize, value: &str) -> Finished {
    let remaining = (DOMAINS.len() - 1 - at).to_string();
    let all = DOMAINS.join(",");
    let variables = [
        ("CERTBOT_DOMAIN", DOMAINS[at]),
        ("CERTBOT_VALIDATION", value),
        ("CERTBOT_ALL_DOMAINS", &all),
        ("CERTBOT_REMAINING_CHALLENGES", &remaining),
    ];
    run_with(env, &["auth"], &variables)
}

fn succeed(env: &TestEnvironment, at: usize, value: &str) -> Finished {
    let finished = auth(env, at, value);
    assert!(finished.status.success(), "{}", finished.said());
    finished
}

/// Runs a hook for a name whose wildcard is in the order too, at a CA that gives both of them the same token.
fn twin(env: &TestEnvironment, verb: &str, remaining: &str, value: &str) -> Finished {
    let variables = [
        ("CERTBOT_DOMAIN", DOMAINS[0]),
        ("CERTBOT_VALIDATION", value),
        ("CERTBOT_ALL_DOMAINS", "name.ipv64.net,name.ipv64.net"),
        ("CERTBOT_REMAINING_CHALLENGES", remaining),
    ];
    let finished = run_with(env, &[verb], &variables);
    assert!(finished.status.success(), "{}", finished.said());
    finished
}

#[test]
fn apex_and_wildcard_with_one_token_are_one_record() {
    let env = slow_servers();
    let value = value();
    twin(&env, "auth", "1", &value);
    assert!(twin(&env, "auth", "0", &value).stdout.contains("ready on 2 of 2"));
    assert_eq!(env.sim.records_left().len(), 1);
    assert_eq!(env.calls(), [CallKind::GetDomains, CallKind::AddRecord, CallKind::AddRecord]);
    twin(&env, "cleanup", "1", &value);
    assert!(twin(&env, "cleanup", "0", &value).stdout.ends_with(": was not there\n"));
    assert_eq!(env.calls(), [CallKind::DelRecord], "what has just been removed is not removed again");
}

fn lists(env: &TestEnvironment) -> usize {
    env.sim.api_calls().iter().filter(|call| call.call == Some(CallKind::GetDomains)).count()
}

/// Asserts that every record of the order is on every server.
fn assert_all_are_served(env: &TestEnvironment) {
    let now = std::time::Instant::now();
    let left = env.sim.records_left();
    assert_eq!(left.len(), DOMAINS.len());
    for record in left {
        let since = env.sim.visible_everywhere_since(&record.name(), record.content.trim_matches('"'));
        assert!(since.is_some_and(|since| since <= now), "{} is not served", record.name());
    }
}

fn slow_servers() -> TestEnvironment {
    TestEnvironment::with(Config::with_delays(&[Duration::from_millis(300), Duration::from_secs(2)]))
}

#[test]
fn only_the_last_call_waits_and_it_waits_for_all() {
    let env = slow_servers();
    for at in [0, 1] {
        assert!(succeed(&env, at, &value()).stdout.ends_with(": added\n"));
    }
    assert!(succeed(&env, 2, &value()).stdout.contains("ready on 2 of 2"));
    assert_all_are_served(&env);
    assert_eq!(env.sim.api_calls().len(), DOMAINS.len() + 1);
}

#[test]
fn the_last_call_asks_the_account_once_if_the_journal_of_the_others_is_lost() {
    let env = slow_servers();
    for at in [0, 1] {
        succeed(&env, at, &value());
    }
    std::fs::remove_file(env.path("state/journal.json")).unwrap();
    succeed(&env, 2, &value());
    assert_all_are_served(&env);
    assert_eq!(lists(&env), 2, "the first one for the domains, the second one for the records");
}

#[test]
fn a_clock_that_jumps_ahead_in_the_middle_of_an_order_costs_none_of_its_records() {
    let env = slow_servers();
    for at in [0, 1] {
        succeed(&env, at, &value());
    }
    // As on a machine without a battery, which learns the time only now.
    let two_hours_ago = -2 * 3_600_000;
    state_files::set_clock(&env, "journal.json", two_hours_ago);
    // Another order begins and ends in between: what it finds is no older than before.
    let other = "_acme-challenge.other.name.ipv64.net";
    let third = value();
    env.succeed(&["--propagation-timeout", "0", "present", other, &third]);
    env.succeed(&["cleanup", other, &third]);
    assert_eq!(env.succeed(&["sweep", "--yes"]), "nothing is left over\n");
    succeed(&env, 2, &value());
    assert_all_are_served(&env);
}

#[test]
fn without_any_state_the_order_is_waited_for_all_the_same() {
    let mut env = slow_servers();
    env.set("IPV64_STATE_DIR", "/proc/no/such/place");
    for at in 0..DOMAINS.len() {
        let finished = succeed(&env, at, &value());
        assert_eq!(finished.stderr.matches("warning[state_").count(), 1, "{}", finished.said());
        assert!(finished.stderr.contains("IPV64_STATE_DIR"), "{}", finished.said());
    }
    assert_all_are_served(&env);
}

#[test]
fn an_equal_value_that_was_removed_a_moment_ago_is_not_taken_for_the_new_one() {
    let env = TestEnvironment::with(Config::with_delays(&[Duration::from_millis(300), Duration::from_secs(6)]));
    let value = value();
    env.succeed(&["present", NAME, &value]);
    env.succeed(&["cleanup", NAME, &value]);
    // One server shows the old record for six seconds more, and the new one a moment later.
    std::thread::sleep(Duration::from_secs(1));
    let start = Instant::now();
    assert!(env.succeed(&["present", NAME, &value]).contains("ready on 2 of 2"));
    assert!(start.elapsed() >= Duration::from_secs(5), "{:?}", start.elapsed());
    let since = env.sim.visible_everywhere_since(NAME, &value);
    assert!(since.is_some_and(|since| since <= Instant::now()), "not served");
}

#[test]
fn a_failed_earlier_call_makes_the_last_one_fail() {
    let env = slow_servers();
    let rejected = Action::json(400, r#"{"add_record":"no","info":"error","status":"400"}"#);
    env.sim.fault(ApiFault::on(CallKind::AddRecord, rejected));
    assert_eq!(auth(&env, 0, &value()).status.code(), Some(1));
    succeed(&env, 1, &value());
    let finished = auth(&env, 2, &value());
    assert_eq!(finished.status.code(), Some(1), "{}", finished.said());
    assert!(finished.stderr.contains("was not added by an earlier call of this order"), "{}", finished.said());
    assert!(finished.stderr.contains(NAME), "{}", finished.said());
}

#[test]
fn what_is_left_of_an_earlier_order_does_not_make_this_one_fail() {
    let env = slow_servers();
    let rejected = Action::json(400, r#"{"add_record":"no","info":"error","status":"400"}"#);
    env.sim.fault(ApiFault::on(CallKind::AddRecord, rejected));
    assert_eq!(auth(&env, 0, &value()).status.code(), Some(1));
    // certbot was killed here, so nobody has cleaned up.
    for at in 0..DOMAINS.len() {
        succeed(&env, at, &value());
    }
    assert_all_are_served(&env);
}
