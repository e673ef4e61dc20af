//! What an order takes of the day's calls is reckoned before its first addition: an order that the day cannot pay for adds
//! nothing and leaves nothing.

use ipv64_acme::sim::{CallKind, Limits};
use serde_json::json;

use super::outage::{certbot, order};
use super::*;

/// An account with so many calls a day, of which so many are used.
fn env_with(daily: usize, used: usize) -> TestEnvironment {
    let mut env = TestEnvironment::new();
    env.set("IPV64_PROPAGATION_TIMEOUT", "0");
    env.sim.set_limits(Limits { daily: Some(daily), ..Limits::default() });
    env.sim.set_calls_today(used);
    env
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("n{number}.name.ipv64.net")).collect()
}

/// Writes a batch of so many records, to be worked through by [`batch`].
fn write_batch(env: &TestEnvironment, count: usize) {
    let record = |name: &String| json!({ "name": format!("_acme-challenge.{name}"), "value": value() });
    let records: Vec<_> = names(count).iter().map(record).collect();
    std::fs::write(env.path("batch.json"), json!(records).to_string()).unwrap();
}

fn batch(env: &TestEnvironment, verb: &str) -> Finished {
    process::run(env.command("/bin/sh").args(["-c", &format!("ipv64-acme batch {verb} < batch.json")]))
}

/// Asserts that nothing is at IPv64 and nothing in the journal.
fn assert_nothing_was_added(env: &TestEnvironment) {
    assert!(env.sim.records_left().is_empty());
    assert!(read_state(env, "journal.json")["content"]["entries"].as_array().unwrap().is_empty());
    assert!(!env.calls().iter().any(|call| [CallKind::AddRecord, CallKind::DelRecord].contains(call)));
}

#[test]
fn a_batch_that_the_day_cannot_pay_for_adds_nothing_and_tells_the_numbers() {
    let env = env_with(64, 0);
    write_batch(&env, 40);
    let refused = batch(&env, "present");
    assert_eq!(refused.status.code(), Some(4), "{}", refused.said());
    for number in ["40 names", "81 API calls", "63 of 64", " UTC (midnight in Germany)", "fewer names"] {
        assert!(refused.stderr.contains(number), "{number}: {}", refused.said());
    }
    let removed = batch(&env, "cleanup");
    assert_eq!(removed.status.code(), Some(0), "{}", removed.said());
    let calls = env.sim.api_calls().len();
    assert_eq!(calls, 1, "the account was read, and nothing else");
    assert_nothing_was_added(&env);
}

#[test]
fn an_order_of_certbot_that_the_day_cannot_pay_for_is_refused_at_its_first_call_and_at_each_that_follows() {
    let env = env_with(64, 0);
    assert_eq!(order(&env, 40), [[Some(4); 40], [Some(0); 40]].concat());
    assert_eq!(env.sim.api_calls().len(), 1);
    assert_nothing_was_added(&env);
}

#[test]
fn a_chain_of_dehydrated_and_a_test_of_many_domains_are_reckoned_too() {
    for verb in ["deploy_challenge", "test"] {
        let env = env_with(64, 0);
        let values: Vec<_> = names(40).into_iter().map(|name| (name, value())).collect();
        let args = values.iter().flat_map(|(name, value)| match verb {
            "test" => vec![name.as_str()],
            _ => vec![name.as_str(), "token", value.as_str()],
        });
        let timeout = [("IPV64_PROPAGATION_TIMEOUT", "20")];
        let refused = run_with(&env, &[vec![verb], args.collect()].concat(), &timeout);
        assert_eq!(refused.status.code(), Some(4), "{}", refused.said());
        assert!(refused.stderr.contains("40 names need 81 API calls"), "{}", refused.said());
        assert_nothing_was_added(&env);
    }
}

#[test]
fn an_order_that_the_day_can_just_pay_for_is_not_refused_for_what_its_own_additions_have_used() {
    let env = env_with(64, 0);
    assert_eq!(order(&env, 31), [Some(0); 62]);
    assert_eq!(env.sim.api_calls().len(), 64, "the account, the list, two for each name");
    assert!(env.sim.records_left().is_empty());
    let env = env_with(64, 0);
    write_batch(&env, 31);
    for verb in ["present", "cleanup"] {
        let finished = batch(&env, verb);
        assert!(finished.status.success(), "{}", finished.said());
    }
    assert_eq!(env.sim.api_calls().len(), 64);
}

#[test]
fn two_names_are_refused_where_three_calls_are_left_and_one_is_not() {
    let env = env_with(64, 60);
    env.succeed(&["status"]);
    env.calls();
    assert_eq!(order(&env, 2), [Some(4), Some(4), Some(0), Some(0)]);
    assert_eq!(env.calls(), []);
    assert_eq!(order(&env, 1), [Some(0), Some(0)]);
}

#[test]
fn what_another_order_has_open_is_kept_for_its_removal() {
    let env = env_with(64, 0);
    write_batch(&env, 20);
    assert!(batch(&env, "present").status.success());
    let status = env.json(&["status"]);
    // A list, twenty additions, and this look.
    assert_eq!((&status["api_calls"]["left"], &status["api_calls"]["kept"]), (&json!(42), &json!(20)));
    assert!(env.succeed(&["status"]).contains("open records still take 20"));
    let doctor = env.run(&["doctor"]).stdout;
    assert!(doctor.contains("left today of 64; open records still take 20"), "{doctor}");
    env.sim.set_calls_today(22);
    env.succeed(&["status"]);
    let refused = certbot(&env, "auth", (&names(11), 0), &value());
    assert_eq!(refused.status.code(), Some(4), "{}", refused.said());
    assert!(refused.stderr.contains("11 names need 22 API calls"), "{}", refused.said());
    assert!(
        refused.stderr.contains("41 of 64 are left") && refused.stderr.contains("open records still take 20"),
        "{}",
        refused.said()
    );
    let admitted = certbot(&env, "auth", (&names(10), 0), &value());
    assert!(admitted.status.success(), "{}", admitted.said());
}

#[test]
fn the_account_is_read_for_a_big_order_of_which_nothing_is_known_and_only_for_such_a_one() {
    for (count, daily, reads) in [(25, Some(64), 0), (26, Some(64), 1), (40, None, 1), (40, Some(1000), 1)] {
        let mut env = env_with(64, 0);
        env.sim.set_limits(Limits { daily, ..Limits::default() });
        write_batch(&env, count);
        let finished = batch(&env, "present");
        assert!(finished.status.success(), "{}", finished.said());
        let calls = env.calls();
        assert_eq!(calls.iter().filter(|call| **call == CallKind::GetAccountInfo).count(), reads, "{calls:?}");
        // Nothing outlives a call: only the first one of the order asks.
        env.set("IPV64_STATE_DIR", "/proc/no/such/place");
        let names: Vec<_> = (0..count).map(|number| format!("m{number}.name.ipv64.net")).collect();
        (0..3).for_each(|at| _ = certbot(&env, "auth", (&names, at), &value()));
        assert_eq!(env.calls().iter().filter(|call| **call == CallKind::GetAccountInfo).count(), reads);
    }
}
