//! Every fault of the API on every call that a hook makes: the record is added and removed all the same, or the exit code
//! says why not; nothing is left.

use std::time::Duration;

use ipv64_acme::sim::{Action, ApiFault, CallKind, ServerSettings};

use super::*;

/// What goes wrong for a moment, in words.
fn passing_faults() -> Vec<(&'static str, ApiFault)> {
    let gateway = Action::html(502, "<html><h1>502 Bad Gateway</h1></html>");
    let page = Action::html(500, "<!DOCTYPE html><html>Internal Server Error</html>");
    vec![
        ("a 502", ApiFault::next(gateway.clone()).times(2)),
        ("a 502 after the commit", ApiFault::next(gateway).after_commit()),
        ("a 500 with a page", ApiFault::next(page).times(2)),
        ("a 429 with a pause", ApiFault::next(Action::burst().with_header("Retry-After", "1")).times(2)),
        ("a 429 without a pause", ApiFault::next(Action::burst())),
        ("the other 429", ApiFault::next(Action::daily())),
        ("no answer in time", ApiFault::next(Action::Delay(Duration::from_secs(5)))),
        ("no answer in time after the commit", ApiFault::next(Action::Delay(Duration::from_secs(5))).after_commit()),
        ("a reset", ApiFault::next(Action::Reset).times(2)),
        ("a reset after the commit", ApiFault::next(Action::Reset).after_commit().times(2)),
        ("a closed connection after the commit", ApiFault::next(Action::Close).after_commit()),
        ("half an answer after the commit", ApiFault::next(Action::Truncate).after_commit()),
        ("garbage", ApiFault::next(Action::json(200, "\u{1}{{{")).times(2)),
        ("null after the commit", ApiFault::next(Action::json(200, "null")).after_commit()),
    ]
}

/// Returns what is wrong after an add and a remove, one of whose calls is hit.
fn add_and_remove(kind: CallKind, fault: ApiFault) -> Result<(), String> {
    let mut env = with_foreign_record();
    env.set("IPV64_HTTP_TIMEOUT", "1");
    env.sim.fault(ApiFault { call: Some(kind), ..fault });
    let value = value();
    for verb in ["present", "cleanup"] {
        let finished = env.run(&["-vv", verb, NAME, &value]);
        if !finished.status.success() {
            return Err(format!("{verb}: {}", finished.said()));
        }
        if verb == "present" && env.sim.records_left().len() != 1 {
            return Err(format!("{verb}: no record\n{}", finished.said()));
        }
    }
    assert!(env.sim.api_calls().iter().any(|call| call.faulty), "the fault did not happen");
    assert_only_the_foreign_record_stands(&env, "at the end");
    Ok(())
}

#[test]
fn a_fault_that_passes_costs_neither_the_record_nor_its_removal() {
    let mut running = Vec::new();
    for kind in [CallKind::GetDomains, CallKind::AddRecord, CallKind::DelRecord] {
        for (words, fault) in passing_faults() {
            running.push((words, kind, std::thread::spawn(move || add_and_remove(kind, fault))));
        }
    }
    let mut wrong = Vec::new();
    for (words, kind, row) in running {
        match row.join() {
            Ok(Ok(())) => {}
            Ok(Err(text)) => wrong.push(format!("### {words} on {kind:?}\n{text}")),
            Err(_) => wrong.push(format!("### {words} on {kind:?}: see above")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Adds while one call always fails, and returns the exit code.
fn add_for_ever_hit(kind: CallKind, action: Action) -> (TestEnvironment, Finished) {
    let mut env = with_foreign_record();
    env.set("IPV64_PROPAGATION_TIMEOUT", "1");
    env.sim.fault(ApiFault::on(kind, action).times(1000));
    let finished = env.run(&["present", "--identifier", "name.ipv64.net", &value()]);
    (env, finished)
}

#[test]
fn an_addition_that_cannot_be_done_undoes_itself_and_says_why() {
    let rows = std::thread::scope(|scope| {
        let gateway = scope.spawn(|| add_for_ever_hit(CallKind::AddRecord, Action::html(502, "<html>no</html>")));
        let lost = scope.spawn(|| {
            // No name server tells in time that the record is there.
            let mut config = Config::with_delays(&[Duration::from_secs(300), Duration::from_secs(300)]);
            config.accounts[0].records.push(StaticRecord::new(NAME, "TXT", FOREIGN));
            let mut env = TestEnvironment::with(config);
            env.set("IPV64_PROPAGATION_TIMEOUT", "1");
            env.sim.fault(ApiFault::on(CallKind::AddRecord, Action::Close).after_commit().times(1000));
            let finished = env.run(&["present", "--identifier", "name.ipv64.net", &value()]);
            (env, finished)
        });
        let refused = scope.spawn(|| {
            add_for_ever_hit(
                CallKind::AddRecord,
                Action::json(400, r#"{"add_record":"no","info":"error","status":"400"}"#),
            )
        });
        let daily = Action::daily().with_header("Retry-After", "7200");
        let daily = scope.spawn(|| add_for_ever_hit(CallKind::AddRecord, daily));
        [(6, gateway.join()), (6, lost.join()), (1, refused.join()), (4, daily.join())]
    });
    for (code, row) in rows {
        let (env, finished) = row.unwrap();
        assert_eq!(finished.status.code(), Some(code), "{}", finished.said());
        assert!(finished.stderr.contains(NAME), "{}", finished.said());
        assert_only_the_foreign_record_stands(&env, &finished.said());
        let left = read_state(&env, "journal.json")["content"]["entries"].clone();
        assert_eq!(left, serde_json::json!([]), "{}", finished.said());
    }
}

#[test]
fn a_refused_addition_of_what_an_earlier_call_has_added_forgets_nothing() {
    let env = with_foreign_record();
    let value = value();
    env.succeed(&["present", NAME, &value]);
    let rejected = Action::json(400, r#"{"add_record":"no","info":"error","status":"400"}"#);
    env.sim.fault(ApiFault::on(CallKind::AddRecord, rejected).times(9));
    let finished = env.run(&["present", "--identifier", "name.ipv64.net", &value]);
    assert_eq!(finished.status.code(), Some(1), "{}", finished.said());
    assert_only_the_foreign_record_stands(&env, &finished.said());
}

#[test]
fn a_lost_reply_to_a_removal_is_none_of_another_account_however_late_the_name_servers_are() {
    let env = with_foreign_record();
    let value = value();
    env.succeed(&["present", NAME, &value]);
    let late = ServerSettings { extra_values: vec![value.clone()], ..ServerSettings::default() };
    env.sim.set_server("ns2.ipv64.net", &late).unwrap();
    env.sim.fault(ApiFault::on(CallKind::DelRecord, Action::Close).after_commit());
    assert!(env.succeed(&["cleanup", NAME, &value]).ends_with(": was not there\n"));
    assert_only_the_foreign_record_stands(&env, "after the removal");
}

#[test]
fn removals_stop_where_the_api_refuses_all_and_the_next_call_does_the_rest() {
    let mut env = with_foreign_record();
    env.set("IPV64_PROPAGATION_TIMEOUT", "0");
    let records: Vec<_> = (0..3).map(|_| serde_json::json!({"name": NAME, "value": value()})).collect();
    let batch = |verb| {
        let mut child = env.command(programs::hook());
        child.args(["--json", "batch", verb]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = child.spawn().unwrap();
        serde_json::to_writer(child.stdin.take().unwrap(), &records).unwrap();
        child.wait_with_output().unwrap()
    };
    assert!(batch("present").status.success());
    env.sim.clear_logs();
    env.sim.fault(ApiFault::on(CallKind::DelRecord, Action::daily().with_header("Retry-After", "7200")));
    let output = batch("cleanup");
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let statuses: Vec<_> = (0..3).map(|at| answer["records"][at]["status"].clone()).collect();
    assert_eq!(statuses, ["failed", "not_tried", "not_tried"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("2 more not tried"), "{output:?}");
    let entries = read_state(&env, "journal.json")["content"]["entries"].clone();
    for entry in entries.as_array().unwrap() {
        assert_eq!(entry["progress"]["remove_asked"]["failed"], true, "{entries:#}");
    }
}

#[test]
fn a_postponed_removal_names_a_way_that_removes_the_record() {
    let mut env = with_foreign_record();
    env.set("IPV64_PROPAGATION_TIMEOUT", "0");
    let value = value();
    let used_up = || Action::daily().with_header("Retry-After", "7200");
    let clean = ["clean_challenge", "name.ipv64.net", "token", &value];
    env.succeed(&["deploy_challenge", "name.ipv64.net", "token", &value]);
    env.sim.fault(ApiFault::on(CallKind::DelRecord, used_up()));
    let known = env.succeed_with_warning(&clean);
    assert!(known.contains("`ipv64-acme sweep --yes`"), "{known}");
    let elsewhere = env.path("elsewhere").display().to_string();
    env.set("IPV64_STATE_DIR", &elsewhere);
    env.sim.fault(ApiFault::on(CallKind::GetDomains, used_up()));
    let unknown = env.succeed_with_warning(&clean);
    assert!(unknown.contains(&format!("`ipv64-acme cleanup {NAME} {value}`")), "{unknown}");
    assert!(!unknown.contains("next call"), "{unknown}");
}

#[test]
fn a_removal_without_a_value_asks_once_for_each_place_of_a_record() {
    let env = with_foreign_record();
    env.succeed(&["setup", "name.ipv64.net", &value()]);
    change_state(&env, "journal.json", |content| {
        let mut elsewhere = content["entries"][0].clone();
        elsewhere["id"] = "elsewhere".into();
        elsewhere["record"] = "_acme-challenge.example.com".into();
        elsewhere["domain"] = "example.com".into();
        content["entries"].as_array_mut().unwrap().push(elsewhere);
    });
    env.calls();
    env.succeed(&["teardown", "name.ipv64.net"]);
    assert_eq!(env.calls(), [CallKind::DelRecord, CallKind::DelRecord]);
    assert_only_the_foreign_record_stands(&env, "after the removal");
}

#[test]
fn a_removal_without_a_value_leaves_the_records_of_other_clients() {
    let mut env = with_foreign_record();
    env.set("IPV64_PROPAGATION_TIMEOUT", "0");
    let (of_apache, of_dehydrated) = (value(), value());
    env.succeed(&["setup", "name.ipv64.net", &of_apache]);
    env.succeed(&["deploy_challenge", "name.ipv64.net", "token", &of_dehydrated]);
    env.succeed(&["teardown", "name.ipv64.net"]);
    let left: Vec<_> = env.sim.records_left().into_iter().map(|record| record.content).collect();
    assert_eq!(left.iter().map(|content| content.trim_matches('"')).collect::<Vec<_>>(), [&of_dehydrated]);
    env.succeed(&["clean_challenge", "name.ipv64.net", "token", &of_dehydrated]);
    assert_only_the_foreign_record_stands(&env, "after both");
}

#[test]
fn a_used_up_day_is_not_hammered_and_names_its_end() {
    let (env, finished) = add_for_ever_hit(CallKind::AddRecord, Action::daily().with_header("Retry-After", "7200"));
    assert_eq!(finished.status.code(), Some(4), "{}", finished.said());
    env.sim.clear_logs();
    let finished = env.run(&["present", NAME, &value()]);
    assert_eq!(finished.status.code(), Some(4), "{}", finished.said());
    assert!(finished.stderr.contains("midnight in Germany"), "{}", finished.said());
    assert!(env.sim.api_calls().is_empty(), "{:#?}", env.sim.api_calls());
}
