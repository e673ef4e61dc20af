//! `sweep` and `status`: what people see of the journal.

use ipv64_acme::sim::{Action, ApiFault, CallKind, LimitKind};

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

/// A world with a record of ours that is so old, and a foreign one at the same name.
fn with_leftover(age: Duration) -> (TestEnvironment, String) {
    let env = with_foreign_record();
    let value = value();
    env.succeed(&["--propagation-timeout", "0", "present", NAME, &value]);
    change_state(&env, "journal.json", |content| make_older(&mut content["entries"], "added_at", age));
    env.sim.clear_logs();
    (env, value)
}

#[test]
fn sweep_lists_without_a_call_and_deletes_with_yes_what_is_ours() {
    let (env, value) = with_leftover(2 * HOUR);
    let listed = env.succeed(&["sweep"]);
    assert!(listed.contains(&format!("{NAME}\t{value}\tlego\t2 h 0 min\tadded\n")), "{listed}");
    assert!(listed.contains("1 record is left over"), "{listed}");
    assert_eq!(env.calls(), []);
    assert_eq!(env.succeed(&["sweep", "--yes"]), format!("{NAME} {value}: removed\n"));
    assert_eq!(env.calls(), [CallKind::DelRecord]);
    assert_only_the_foreign_record_stands(&env, "after the sweep");
    assert_eq!(env.succeed(&["sweep", "--yes"]), "nothing is left over\n");
    assert_eq!(env.calls(), []);
}

#[test]
fn sweep_leaves_what_an_order_may_still_need() {
    let (env, _) = with_leftover(HOUR / 2);
    assert_eq!(env.succeed(&["sweep", "--yes"]), "nothing is left over\n");
    assert_eq!(env.succeed(&["sweep", "--yes", "--older-than", "1d"]), "nothing is left over\n");
    assert!(env.succeed(&["sweep", "--yes", "--older-than", "20m"]).ends_with(": removed\n"));
}

#[test]
fn sweep_all_also_takes_challenges_that_others_have_left() {
    let (env, value) = with_leftover(2 * HOUR);
    // The foreign record is as old as the world: too young, unless everything is meant.
    let listed = env.succeed(&["sweep", "--all"]);
    assert!(listed.contains(&value) && !listed.contains(FOREIGN), "{listed}");
    let listed = env.succeed(&["sweep", "--all", "--older-than", "0"]);
    assert!(listed.contains(&value) && listed.contains(FOREIGN), "{listed}");
    assert!(listed.contains("not added from here"), "{listed}");
    assert!(listed.contains("`ipv64-acme sweep --older-than 0 --all --yes` deletes them"), "{listed}");
    let before = env.sim.records().iter().filter(|record| record.life.is_open()).count();
    env.succeed(&["sweep", "--all", "--older-than", "0", "--yes"]);
    let after: Vec<_> = env.sim.records().into_iter().filter(|record| record.life.is_open()).collect();
    assert_eq!(before - after.len(), 2);
    assert!(after.iter().all(|record| !record.name().starts_with("_acme-challenge")), "{after:#?}");
}

#[test]
fn sweep_all_deletes_what_this_journal_does_not_know_only_where_an_age_is_given() {
    let env = with_foreign_record();
    // A clock that is ahead makes a record look old that an order on another machine still needs.
    let record = serde_json::json!({
        "record_id": 7, "content": FOREIGN, "ttl": 60, "type": "TXT", "praefix": "_acme-challenge",
        "last_update": "2022-11-20 00:12:01",
    });
    let listed = serde_json::json!({
        "subdomains": {"name.ipv64.net": {"updates": 0, "wildcard": 1, "records": [record]}},
        "info": "success", "status": "200 OK", "add_domain": "get_domains",
    });
    env.sim.fault(ApiFault::on(CallKind::GetDomains, Action::json(200, &listed.to_string())).times(3));
    let command = "`ipv64-acme sweep --older-than 3600 --all --yes` deletes";
    let said = env.succeed(&["sweep", "--all"]);
    assert!(said.contains(FOREIGN) && said.contains(command), "{said}");
    let said = env.succeed(&["sweep", "--all", "--yes"]);
    assert!(
        said.starts_with("not in this journal, and kept because another host may need them: 1;")
            && said.contains(command),
        "{said}"
    );
    assert_only_the_foreign_record_stands(&env, "after a sweep without an age");
    let said = env.succeed(&["sweep", "--all", "--older-than", "1h", "--yes"]);
    assert!(said.contains(&format!("{NAME} {FOREIGN}: removed")), "{said}");
}

#[test]
fn sweep_all_finds_what_was_added_before_the_key_was_renewed() {
    let (env, value) = with_leftover(2 * HOUR);
    let renew = |content: &mut serde_json::Value| {
        for entry in content["entries"].as_array_mut().unwrap() {
            let account: String = entry["account"].as_str().unwrap().chars().rev().collect();
            entry["account"] = account.into();
        }
    };
    change_state(&env, "journal.json", renew);
    assert_eq!(env.succeed(&["sweep"]), "nothing is left over\n");
    let listed = env.succeed(&["sweep", "--all", "--older-than", "0"]);
    assert!(listed.contains(&value), "{listed}");
    env.succeed(&["sweep", "--all", "--older-than", "0", "--yes"]);
    // What was removed a moment ago is remembered beside the entries.
    assert_eq!(read_state(&env, "journal.json")["content"]["entries"], serde_json::json!([]));
}

#[test]
fn sweep_tells_programs_what_became_of_each_record() {
    let (env, value) = with_leftover(2 * HOUR);
    let listed = env.json(&["sweep"]);
    let record = &listed["records"][0];
    assert_eq!((&record["name"], &record["value"]), (&NAME.into(), &value.as_str().into()));
    assert_eq!((&record["client"], &record["status"]), (&"lego".into(), &"left".into()));
    assert!(record["age_seconds"].as_u64().unwrap() >= 7200);
    assert_eq!(env.json(&["sweep", "--yes"])["records"][0]["status"], "removed");
    assert_eq!(env.json(&["sweep"]), serde_json::json!({"records": []}));
}

#[test]
fn a_sweep_that_fails_says_why_and_can_be_repeated() {
    let (env, value) = with_leftover(2 * HOUR);
    let finished = run_with(&env, &["sweep", "--yes", "--json"], &[("IPV64_API_URL", "http://127.0.0.1:9/api")]);
    assert_eq!(finished.status.code(), Some(6), "{}", finished.said());
    let document: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(document["records"][0]["status"], "failed");
    assert_eq!(document["records"][0]["error"]["kind"], "unreachable");
    assert!(finished.stderr.contains("cannot remove the TXT record"), "{}", finished.said());
    assert!(env.succeed(&["sweep"]).contains("removal failed once"));
    assert_eq!(env.succeed(&["sweep", "--yes"]), format!("{NAME} {value}: removed\n"));
}

#[test]
fn status_shows_quota_and_open_records() {
    let env = TestEnvironment::new();
    let value = value();
    env.succeed(&["present", NAME, &value]);
    let text = env.succeed(&["status"]);
    for words in ["API calls\t", "state directory\t", "open records\t1\n", &value, "served by all name servers"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let status = env.json(&["status"]);
    assert_eq!(status["open_records"][0]["value"], value.as_str());
    assert_eq!(status["api_calls"]["made_from_here_today"], 4);
    env.succeed(&["cleanup", NAME, &value]);
    assert_eq!(env.json(&["status"])["open_records"], serde_json::json!([]));
}

#[test]
fn status_tells_what_is_known_where_the_api_does_not_answer() {
    let env = TestEnvironment::new();
    let finished = run_with(&env, &["status"], &[("IPV64_API_URL", "http://127.0.0.1:9/api")]);
    assert!(finished.status.success(), "{}", finished.said());
    assert!(finished.stdout.contains("open records\tnone\n"), "{}", finished.said());
    assert!(finished.stderr.starts_with("warning: cannot read the account: cannot reach"), "{}", finished.said());
    assert!(env.sim.api_calls().iter().all(|call| call.refused_by != Some(LimitKind::Daily)));
}
