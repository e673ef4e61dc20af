//! SIGKILL at every step: whatever was going on, `sweep` finds what is left of it.

use std::time::Duration;

use ipv64_acme::sim::{Action, ApiFault};

use super::*;

/// How often a call is killed, each time a little later.
const POINTS: u32 = 32;
/// Worlds that the points are shared out among: a call mostly waits, so they run side by side.
const WORLDS: u32 = 4;
/// How long the API takes for each answer, so that a kill can come between request and answer.
const ANSWER: Duration = Duration::from_millis(150);

/// The JSON array of a batch.
fn batch(values: &[String]) -> String {
    let names = [NAME, NAME, "_acme-challenge.example.com"];
    let record = |(name, value)| serde_json::json!({"name": name, "value": value});
    serde_json::Value::from_iter(names.iter().zip(values).map(record)).to_string()
}

/// Starts a call with an input.
fn start(env: &TestEnvironment, args: &[&str], input: &str) -> Child {
    let file = env.path("input");
    std::fs::write(&file, input).unwrap();
    let mut command = env.command(programs::hook());
    command.args(args).stdin(std::fs::File::open(file).unwrap()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// Kills a call at one point after another; `prepare` brings the world to where the call begins.
fn kill_at_every_point(step: Duration, args: &[&str], prepare: impl Fn(&TestEnvironment, &[String]) + Sync) {
    std::thread::scope(|scope| {
        for world in 0..WORLDS {
            let prepare = &prepare;
            scope.spawn(move || {
                let env = with_foreign_record();
                for point in (world..POINTS).step_by(WORLDS as usize) {
                    let values = [value(), value(), value()];
                    prepare(&env, &values);
                    // Every other time the answers are lost at first, so that kills also hit repetitions.
                    if point % 2 == 1 {
                        env.sim.fault(ApiFault::next(Action::Reset).after_commit());
                    }
                    kill_after(step * point, &env, args, &values);
                }
            });
        }
    });
}

/// Kills a call after a time; a sweep has to find what is left of it.
fn kill_after(time: Duration, env: &TestEnvironment, args: &[&str], values: &[String]) {
    env.sim.fault(ApiFault::next(Action::Delay(ANSWER)).after_commit().times(1000));
    let args: Vec<_> = args.iter().map(|arg| if *arg == "VALUE" { values[0].as_str() } else { arg }).collect();
    let mut child = start(env, &args, &batch(values));
    std::thread::sleep(time);
    child.kill().unwrap();
    child.wait().unwrap();
    // What was on its way arrives before the sweep: the store changes when a request is read.
    std::thread::sleep(Duration::from_millis(20));
    env.sim.clear_faults();
    env.succeed(&["sweep", "--older-than", "0", "--yes"]);
    assert_only_the_foreign_record_stands(env, &format!("killed after {time:?}"));
    // Killed before it wrote anything, it has made no journal.
    if env.path("state/journal.json").exists() {
        let left = read_state(env, "journal.json")["content"]["entries"].clone();
        assert_eq!(left, serde_json::json!([]), "killed after {time:?}");
    }
}

#[test]
fn an_addition_that_is_killed_leaves_nothing_that_sweep_does_not_find() {
    kill_at_every_point(Duration::from_millis(40), &["present", NAME, "VALUE"], |_, _| {});
}

#[test]
fn a_removal_that_is_killed_leaves_nothing_that_sweep_does_not_find() {
    kill_at_every_point(Duration::from_millis(15), &["cleanup", NAME, "VALUE"], |env, values| {
        env.succeed(&["--propagation-timeout", "0", "present", NAME, &values[0]]);
    });
}

#[test]
fn a_batch_that_is_killed_leaves_nothing_that_sweep_does_not_find() {
    kill_at_every_point(Duration::from_millis(50), &["batch", "present"], |_, _| {});
}

#[test]
fn the_removal_of_a_batch_that_is_killed_leaves_nothing_that_sweep_does_not_find() {
    kill_at_every_point(Duration::from_millis(30), &["batch", "cleanup"], |env, values| {
        let mut child = start(env, &["--propagation-timeout", "0", "batch", "present"], &batch(values));
        assert!(child.wait().unwrap().success());
    });
}
