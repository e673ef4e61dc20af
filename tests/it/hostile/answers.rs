//! An API that sends numbers, nesting and amounts that nobody should: every answer ends in a result or in an error.

use ipv64_acme::sim::{Action, ApiFault};

use super::*;

/// What all answers of the API have.
const SUCCESS: &str = r#""info":"success","status":"200 OK""#;
/// No output may grow with the answer: it is read by clients that keep all of it.
const LONGEST_OUTPUT: usize = 1 << 20;

/// A list of domains with one record whose numbers are all this number.
fn domains(number: &str) -> String {
    format!(
        r#"{{"subdomains":{{"name.ipv64.net":{{"updates":{number},"wildcard":{number},"deactivated":{number},"records":
        [{{"record_id":{number},"content":"x","ttl":{number},"type":"TXT","praefix":"_acme-challenge",
        "last_update":{number},"deactivated":{number}}}]}}}},{SUCCESS}}}"#
    )
}

/// An account whose numbers are all this number.
fn account(number: &str) -> String {
    format!(
        r#"{{"reg_date":{number},"dyndns_updates":{number},"api_updates":{number},"account_status":{number},
        "account_class":{{"class_name":{number},"api_limit":{number},"dyndns_ttl":{number}}},{SUCCESS}}}"#
    )
}

fn bodies() -> Vec<String> {
    let numbers = ["18446744073709551615", "18446744073709551616", "99999999999999999999999999", "-1", "1e400", "1e30"];
    let further = ["-9223372036854775809", "0.1", "1E-400", "\"0x10\"", "\"１\"", "true", "{}", "[[]]"];
    let numbers = numbers.into_iter().chain(further);
    let nested = |open: &str, close: &str, depth| format!("{}{}", open.repeat(depth), close.repeat(depth));
    numbers
        .flat_map(|number| [domains(number), account(number), format!("{{\"info\":{number},\"status\":{number}}}")])
        .chain([
            nested("[", "]", 100_000),
            format!("{{{SUCCESS},\"subdomains\":{}}}", nested("{\"records\":[", "]}", 10_000)),
            format!("{{{SUCCESS},\"logs\":{}}}", nested("[", "]", 200)),
            format!("{{{SUCCESS},\"subdomains\":{{\"{}.net\":{{}}}}}}", "a".repeat(70_000)),
            format!("{{{SUCCESS},\"logs\":[{}]}}", vec!["{\"content\":\"x\"}"; 20_000].join(",")),
            format!("{{\"info\":\"{}\",\"status\":\"400\"}}", "x".repeat(3 << 20)),
            format!("{{{SUCCESS},\"subdomains\":\"{}\"}}", "x".repeat(20 << 20)),
            "\u{feff}{}".to_owned(),
            format!("{{{SUCCESS},{SUCCESS},\"subdomains\":[],\"subdomains\":{{}}}}"),
        ])
        .collect()
}

#[test]
fn whatever_the_api_answers_a_command_ends_in_order() {
    let bodies = bodies();
    let commands: [&[&str]; 7] = [
        &["account"],
        &["logs", "--json"],
        &["domain", "list"],
        &["record", "list", "--json"],
        &["status"],
        &["sweep", "--all", "--older-than", "0"],
        &["present", NAME, VALUE],
    ];
    // Each in a world of its own: what is tried again waits more than it computes.
    std::thread::scope(|scope| {
        for body in &bodies {
            scope.spawn(move || {
                let env = hasty();
                for command in commands {
                    check(&env, body, command);
                }
            });
        }
    });
}

/// Runs a command whose first answer is this one.
fn check(env: &TestEnvironment, body: &str, command: &[&str]) {
    // Neither the list of domains nor a day that is used up may stay in force.
    let _ = std::fs::remove_dir_all(env.path("state"));
    env.sim.fault(ApiFault::next(Action::json(200, body)));
    let finished = env.run(command);
    env.sim.clear_faults();
    let context = format!("{command:?} after {:.200}", body);
    assert_orderly(&finished, &context);
    let said = finished.stdout.len() + finished.stderr.len();
    assert!(said < LONGEST_OUTPUT || command[0] == "logs", "{context}: {said} bytes");
    if command.contains(&"--json") {
        assert!(serde_json::from_str::<serde_json::Value>(&finished.stdout).is_ok(), "{context}: {}", finished.stdout);
    }
    if command[0] == "present" {
        assert_can_be_removed(env, VALUE, &context);
    }
}
