//! SIGINT and SIGTERM during every kind of wait: the hook ends soon, says what is open, and `sweep` finds it.

use std::time::{Duration, Instant};

use ipv64_acme::sim::{Action, ApiFault, CallKind, Config};

use super::*;

/// Generous for a busy machine, and far below what each wait would take.
const SOON: Duration = Duration::from_secs(20);

/// Starts a call, sends a signal when it has come so far, and returns what it said.
fn interrupt(
    env: &TestEnvironment,
    args: &[&str],
    signal: &str,
    is_there: impl Fn(&TestEnvironment) -> bool,
) -> Finished {
    let (out, err) = (env.path("stdout"), env.path("stderr"));
    let mut command = env.command(programs::hook());
    command.args(args).stdin(Stdio::null());
    command.stdout(std::fs::File::create(&out).unwrap()).stderr(std::fs::File::create(&err).unwrap());
    let mut child = command.spawn().unwrap();
    until("the hook waits", || is_there(env));
    std::thread::sleep(Duration::from_millis(200));
    send_signal(&child, signal);
    let sent = Instant::now();
    let status = child.wait().unwrap();
    let read = |path| std::fs::read_to_string(path).unwrap();
    let finished = Finished { status, stdout: read(out), stderr: read(err) };
    assert!(sent.elapsed() < SOON, "{:?}: {}", sent.elapsed(), finished.said());
    finished
}

/// Asserts that a call was interrupted, names the record and the way to remove it, and that this way works.
fn assert_told_and_swept(env: &TestEnvironment, finished: &Finished) {
    assert_eq!(finished.status.code(), Some(1), "{}", finished.said());
    assert!(finished.stderr.contains("error[interrupted]: interrupted"), "{}", finished.said());
    for words in [NAME, "ipv64-acme sweep --older-than 0 --yes"] {
        assert!(finished.stderr.contains(words), "{words}: {}", finished.said());
    }
    let history = read_state(env, "history.json");
    let last = history["content"]["calls"].as_array().unwrap().last().unwrap();
    assert_eq!(last["kind"], "interrupted", "{history}");
    env.sim.clear_faults();
    let mut sweep = vec!["sweep", "--older-than", "0", "--yes"];
    sweep.extend(["--api-rate", "1000/1"]);
    env.succeed(&sweep);
    assert!(env.sim.records_left().is_empty(), "{}", finished.said());
}

fn calls(env: &TestEnvironment, kind: CallKind) -> usize {
    env.sim.api_calls().iter().filter(|call| call.call == Some(kind)).count()
}

#[test]
fn the_wait_for_name_servers_ends() {
    let env = TestEnvironment::with(Config::with_delays(&[Duration::ZERO, Duration::from_secs(3600)]));
    for signal in ["INT", "TERM"] {
        env.sim.clear_logs();
        let finished = interrupt(&env, &["present", NAME, &value()], signal, |env| calls(env, CallKind::AddRecord) > 0);
        assert_told_and_swept(&env, &finished);
    }
}

#[test]
fn the_next_call_removes_what_no_client_will_ask_for() {
    let env = TestEnvironment::with(Config::with_delays(&[Duration::ZERO, Duration::from_secs(3600)]));
    let first = value();
    let present = ["present", "--identifier", "name.ipv64.net", &first];
    let finished = interrupt(&env, &present, "TERM", |env| calls(env, CallKind::AddRecord) > 0);
    assert!(finished.stderr.starts_with("error[interrupted]: interrupted"), "{}", finished.said());
    assert!(finished.stderr.contains("a later call removes it"), "{}", finished.said());
    assert_eq!(env.sim.records_left().len(), 1, "it ends at once, and tidies up later");
    env.succeed(&["--propagation-timeout", "0", "present", "_acme-challenge.example.com", &value()]);
    let left: Vec<_> = env.sim.records_left().iter().map(ipv64_acme::sim::StoredRecord::name).collect();
    assert_eq!(left, ["_acme-challenge.example.com"]);
}

#[test]
fn the_pause_before_a_repetition_ends() {
    let env = TestEnvironment::new();
    env.sim.fault(ApiFault::on(CallKind::AddRecord, Action::burst().with_header("Retry-After", "60")).times(9));
    let finished = interrupt(&env, &["present", NAME, &value()], "TERM", |env| calls(env, CallKind::AddRecord) > 0);
    assert_eq!(finished.status.code(), Some(1), "{}", finished.said());
    assert!(finished.stderr.starts_with("error[interrupted]: interrupted"), "{}", finished.said());
}

#[test]
fn a_request_that_nobody_answers_is_left_alone() {
    let env = TestEnvironment::new();
    let slow = Action::Delay(Duration::from_secs(60));
    env.sim.fault(ApiFault::on(CallKind::AddRecord, slow).after_commit().times(9));
    let finished = interrupt(&env, &["present", NAME, &value()], "TERM", |env| !env.sim.records_left().is_empty());
    assert_told_and_swept(&env, &finished);
}

#[test]
fn a_removal_that_nobody_answers_is_left_alone() {
    let env = TestEnvironment::new();
    let value = value();
    env.succeed(&["present", NAME, &value]);
    env.sim.clear_logs();
    env.sim.fault(ApiFault::on(CallKind::DelRecord, Action::Delay(Duration::from_secs(60))).times(9));
    let finished = interrupt(&env, &["cleanup", NAME, &value], "INT", |env| {
        // The call is logged when its answer leaves, so the journal has to tell.
        read_state(env, "journal.json").to_string().contains("remove_asked")
    });
    assert_told_and_swept(&env, &finished);
}

#[test]
fn a_result_that_was_told_stays_when_the_clearing_of_leftovers_is_interrupted() {
    let env = TestEnvironment::new();
    let values = [value(), value()];
    env.succeed(&["present", NAME, &values[0]]);
    let rejected = Action::json(400, r#"{"del_record":"no","info":"error","status":"400"}"#);
    env.sim.fault(ApiFault::on(CallKind::DelRecord, rejected));
    assert_eq!(env.run(&["cleanup", NAME, &values[0]]).status.code(), Some(1));
    env.sim.fault(ApiFault::on(CallKind::DelRecord, Action::Delay(Duration::from_secs(60))).times(9));
    let other = fresh_name();
    let finished = interrupt(&env, &["present", &other, &values[1]], "TERM", |env| {
        std::fs::read_to_string(env.path("stdout")).is_ok_and(|stdout| stdout.contains("ready on"))
    });
    assert!(finished.status.success(), "{}", finished.said());
    assert_eq!(finished.stderr, "");
}

#[test]
fn the_wait_for_a_turn_ends() {
    let mut env = TestEnvironment::new();
    env.set("IPV64_API_RATE", "2/120");
    env.succeed(&["present", NAME, &value()]);
    let second = value();
    let finished = interrupt(&env, &["present", NAME, &second], "TERM", |env| {
        read_state(env, "journal.json").to_string().contains(&second)
    });
    assert_eq!(finished.status.code(), Some(1), "{}", finished.said());
    assert!(finished.stderr.starts_with("error[interrupted]: interrupted"), "{}", finished.said());
}

#[test]
fn the_wait_for_the_cache_of_the_ca_ends_without_success() {
    let env = TestEnvironment::new();
    env.succeed(&["present", NAME, &value()]);
    let second = value();
    let finished = interrupt(&env, &["-v", "present", NAME, &second], "TERM", |env| {
        std::fs::read_to_string(env.path("stderr")).unwrap().contains("previous value")
    });
    assert_told_and_swept(&env, &finished);
}

#[test]
fn without_a_journal_the_command_that_removes_the_record_is_named() {
    let mut env = TestEnvironment::with(Config::with_delays(&[Duration::from_secs(3600)]));
    env.set("IPV64_STATE_DIR", "/proc/no/such/place");
    let value = value();
    let finished = interrupt(&env, &["present", NAME, &value], "TERM", |env| calls(env, CallKind::AddRecord) > 0);
    assert!(finished.stderr.contains(&format!("ipv64-acme cleanup {NAME} {value}")), "{}", finished.said());
    env.succeed_with_warning(&["cleanup", NAME, &value]);
    assert!(env.sim.records_left().is_empty());
}

#[test]
fn a_removal_without_a_journal_that_is_interrupted_names_the_command_that_removes_the_record() {
    let mut env = TestEnvironment::new();
    env.set("IPV64_STATE_DIR", "/proc/no/such/place");
    let value = value();
    env.succeed_with_warning(&["present", NAME, &value]);
    env.sim.clear_logs();
    env.sim.fault(ApiFault::on(CallKind::GetDomains, Action::burst().with_header("Retry-After", "20")).times(9));
    let finished = interrupt(&env, &["cleanup", NAME, &value], "TERM", |env| calls(env, CallKind::GetDomains) > 0);
    assert_eq!(finished.status.code(), Some(1), "{}", finished.said());
    assert!(finished.stderr.contains(&format!("ipv64-acme cleanup {NAME} {value}")), "{}", finished.said());
    assert_eq!(env.sim.records_left().len(), 1);
}

/// The API answers nothing; each command would wait for half a minute.
#[test]
fn commands_for_people_end_and_say_what_is_open() {
    let key = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(key.path(), "0123456789abcdef0123456789abcdef").unwrap();
    let commands: [(&[&str], &str); 8] = [
        (&["init", "--api-key-file", key.path().to_str().unwrap()], "nothing was stored"),
        (&["account"], "nothing was changed"),
        (&["status"], "nothing was changed"),
        (&["logs"], "nothing was changed"),
        (&["doctor"], "nothing was changed"),
        (&["domain", "list"], "`ipv64-acme domain list`"),
        (&["record", "add", "a.name.ipv64.net", "A", "192.0.2.1"], "`ipv64-acme record list`"),
        (&["sweep", "--all"], "`ipv64-acme sweep`"),
    ];
    for (position, (args, open)) in commands.into_iter().enumerate() {
        let env = TestEnvironment::new();
        env.sim.fault(ApiFault::next(Action::Delay(Duration::from_secs(60))).times(9));
        let begun = Instant::now();
        let signal = ["INT", "TERM"][position % 2];
        let finished = interrupt(&env, args, signal, |_| begun.elapsed() > Duration::from_secs(1));
        assert!(begun.elapsed() < Duration::from_secs(10), "{args:?}: {:?}", begun.elapsed());
        assert_eq!(finished.status.code(), Some(1), "{args:?}: {}", finished.said());
        assert!(finished.stderr.starts_with("error[interrupted]: interrupted"), "{args:?}: {}", finished.said());
        assert!(finished.stderr.contains(open), "{args:?}: {}", finished.said());
    }
}

#[test]
fn a_test_removes_its_record_at_once() {
    let env = TestEnvironment::with(Config::with_delays(&[Duration::ZERO, Duration::from_secs(3600)]));
    for signal in ["INT", "TERM"] {
        env.sim.clear_logs();
        let finished = interrupt(&env, &["test", "name.ipv64.net"], signal, |env| calls(env, CallKind::AddRecord) > 0);
        assert_eq!(finished.status.code(), Some(1), "{}", finished.said());
        assert!(
            finished.stderr.starts_with("error[interrupted]: interrupted; nothing of this call is at IPv64"),
            "{}",
            finished.said()
        );
        assert!(env.sim.records_left().is_empty(), "{}", finished.said());
    }
}
