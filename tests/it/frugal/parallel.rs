//! Many hooks at once, as acmetool and overlapping timers start them.

use std::time::{Duration, Instant};

use ipv64_acme::sim::{Action, ApiFault, CallKind, Limits};

use super::*;

/// So many hooks on one state directory, at a rate that the simulation enforces; then their removals.
fn at_once(hooks: usize, requests: usize, seconds: u64) {
    let mut env = TestEnvironment::new();
    env.set("IPV64_API_RATE", &format!("{requests}/{seconds}"));
    env.sim.set_limits(Limits { burst: Some((requests, Duration::from_secs(seconds))), ..Limits::default() });
    let records: Vec<_> = (0..hooks).map(|_| (fresh_name(), value())).collect();
    // So slow that all of them need the list before the first one has it.
    let slow = Action::Delay(Duration::from_secs(1));
    env.sim.fault(ApiFault::on(CallKind::GetDomains, slow).after_commit());
    let start = Instant::now();
    for verb in ["present", "cleanup"] {
        let outcomes = std::thread::scope(|scope| {
            let env = &env;
            let run = |(name, value): &(String, String)| env.run(&[verb, name, value]);
            let running: Vec<_> = records.iter().map(|record| scope.spawn(move || run(record))).collect();
            running.into_iter().map(|hook| hook.join().unwrap()).collect::<Vec<_>>()
        });
        for finished in outcomes {
            assert!(finished.status.success(), "{}", finished.said());
            assert_eq!(finished.stderr, "");
        }
        assert_eq!(env.sim.records_left().len(), if verb == "present" { records.len() } else { 0 });
    }
    let calls = env.sim.api_calls();
    assert_eq!(calls.iter().filter(|call| call.refused_by.is_some()).count(), 0, "{calls:#?}");
    // One list for all of them, although none of them had it.
    assert_eq!(calls.iter().filter(|call| call.call == Some(CallKind::GetDomains)).count(), 1);
    assert_eq!(calls.len(), 2 * hooks + 1);
    eprintln!("{hooks} hooks at {requests}/{seconds}: none refused, {:.0} s", start.elapsed().as_secs_f64());
}

#[test]
fn twenty_hooks_at_once_keep_the_rate_and_ask_for_one_list() {
    at_once(20, 6, 2);
}

#[test]
#[ignore = "takes a minute: run by tests/run"]
fn eight_hooks_at_once_keep_the_real_rate() {
    at_once(8, 3, 10);
}

#[test]
fn two_users_of_one_machine_have_a_journal_each() {
    let env = TestEnvironment::new();
    let (first, second) = (env.path("first"), env.path("second"));
    let users = [first.to_str().unwrap(), second.to_str().unwrap()];
    let values = [value(), value()];
    for (user, value) in users.iter().zip(&values) {
        let finished = run_with(&env, &["present", NAME, value], &[("IPV64_STATE_DIR", user)]);
        assert!(finished.status.success(), "{}", finished.said());
    }
    // The sweep of one leaves the record of the other.
    let sweep = ["sweep", "--older-than", "0", "--yes"];
    let finished = run_with(&env, &sweep, &[("IPV64_STATE_DIR", users[0])]);
    assert!(finished.status.success(), "{}", finished.said());
    let left: Vec<_> = env.sim.records_left().into_iter().map(|record| record.content).collect();
    assert_eq!(left.iter().map(|content| content.trim_matches('"')).collect::<Vec<_>>(), [&values[1]]);
    // A removal works without the journal of the addition.
    let finished = run_with(&env, &["cleanup", NAME, &values[1]], &[("IPV64_STATE_DIR", users[0])]);
    assert!(finished.status.success(), "{}", finished.said());
    assert!(env.sim.records_left().is_empty());
}

#[test]
fn keys_that_share_a_directory_do_not_share_records() {
    let mut config = ipv64_acme::sim::Config::default();
    let other = ipv64_acme::sim::Account {
        key: "another-key-77aa55".into(),
        domains: vec!["second.ipv64.net".into()],
        records: Vec::new(),
    };
    config.accounts.push(other);
    let env = TestEnvironment::with(config);
    env.succeed(&["present", NAME, &value()]);
    let key = [("IPV64_API_KEY", "another-key-77aa55")];
    let second = "_acme-challenge.second.ipv64.net";
    let finished = run_with(&env, &["present", second, &value()], &key);
    assert!(finished.status.success(), "{}", finished.said());
    let finished = run_with(&env, &["sweep", "--older-than", "0", "--yes"], &key);
    assert!(finished.status.success(), "{}", finished.said());
    let left: Vec<_> = env.sim.records_left().iter().map(ipv64_acme::sim::StoredRecord::name).collect();
    assert_eq!(left, [NAME]);
}
