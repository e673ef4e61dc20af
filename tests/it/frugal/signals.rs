//! SIGINT and SIGTERM during every kind of wait: the hook ends soon, says what is open, and `sweep` finds it.

use std::time::{Duration, Instant};

use ipv64_acme::sim::{Action, ApiFault, CallKind, Config};

use super::*;

/// Generous for a busy machine, and far below what each wait would take.
const SOON: Duration = Duration::from_secs(20);

/// Starts a call, sends a signal when it has come so far, and returns what it said.
fn interrupt(desk: &Desk, args: &[&str], signal: &str, is_there: impl Fn(&Desk) -> bool) -> Finished {
    let (out, err) = (desk.path("stdout"), desk.path("stderr"));
    let mut command = desk.command(programs::hook());
    command.args(args).stdin(Stdio::null());
    command.stdout(std::fs::File::create(&out).unwrap()).stderr(std::fs::File::create(&err).unwrap());
    let mut child = command.spawn().unwrap();
    until("the hook waits", || is_there(desk));
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
fn assert_told_and_swept(desk: &Desk, finished: &Finished) {
    assert_eq!(finished.status.code(), Some(1), "{}", finished.said());
    assert!(finished.stderr.contains("error: interrupted"), "{}", finished.said());
    for words in [NAME, "ipv64-acme sweep --older-than 0 --yes"] {
        assert!(finished.stderr.contains(words), "{words}: {}", finished.said());
    }
    desk.sim.clear_faults();
    let mut sweep = vec!["sweep", "--older-than", "0", "--yes"];
    sweep.extend(["--api-rate", "1000/1"]);
    desk.succeed(&sweep);
    assert!(desk.sim.records_left().is_empty(), "{}", finished.said());
}

fn calls(desk: &Desk, kind: CallKind) -> usize {
    desk.sim.api_calls().iter().filter(|call| call.call == Some(kind)).count()
}

#[test]
fn the_wait_for_name_servers_ends() {
    let desk = Desk::with(Config::with_delays(&[Duration::ZERO, Duration::from_secs(3600)]));
    for signal in ["INT", "TERM"] {
        desk.sim.clear_logs();
        let finished =
            interrupt(&desk, &["present", NAME, &value()], signal, |desk| calls(desk, CallKind::AddRecord) > 0);
        assert_told_and_swept(&desk, &finished);
    }
}

#[test]
fn the_next_call_removes_what_no_client_will_ask_for() {
    let desk = Desk::with(Config::with_delays(&[Duration::ZERO, Duration::from_secs(3600)]));
    let first = value();
    let present = ["present", "--identifier", "name.ipv64.net", &first];
    let finished = interrupt(&desk, &present, "TERM", |desk| calls(desk, CallKind::AddRecord) > 0);
    assert!(finished.stderr.starts_with("error: interrupted"), "{}", finished.said());
    assert!(finished.stderr.contains("a later call removes it"), "{}", finished.said());
    assert_eq!(desk.sim.records_left().len(), 1, "it ends at once, and tidies up later");
    desk.succeed(&["--propagation-timeout", "0", "present", "_acme-challenge.example.com", &value()]);
    let left: Vec<_> = desk.sim.records_left().iter().map(ipv64_acme::sim::StoredRecord::name).collect();
    assert_eq!(left, ["_acme-challenge.example.com"]);
}

#[test]
fn the_pause_before_a_repetition_ends() {
    let desk = Desk::new();
    desk.sim.fault(ApiFault::on(CallKind::AddRecord, Action::burst().with_header("Retry-After", "60")).times(9));
    let finished = interrupt(&desk, &["present", NAME, &value()], "TERM", |desk| calls(desk, CallKind::AddRecord) > 0);
    assert_eq!(finished.status.code(), Some(1), "{}", finished.said());
    assert!(finished.stderr.starts_with("error: interrupted"), "{}", finished.said());
}

#[test]
fn a_request_that_nobody_answers_is_left_alone() {
    let desk = Desk::new();
    let slow = Action::Delay(Duration::from_secs(60));
    desk.sim.fault(ApiFault::on(CallKind::AddRecord, slow).after_commit().times(9));
    let finished = interrupt(&desk, &["present", NAME, &value()], "TERM", |desk| !desk.sim.records_left().is_empty());
    assert_told_and_swept(&desk, &finished);
}

#[test]
fn a_removal_that_nobody_answers_is_left_alone() {
    let desk = Desk::new();
    let value = value();
    desk.succeed(&["present", NAME, &value]);
    desk.sim.clear_logs();
    desk.sim.fault(ApiFault::on(CallKind::DelRecord, Action::Delay(Duration::from_secs(60))).times(9));
    let finished = interrupt(&desk, &["cleanup", NAME, &value], "INT", |desk| {
        // The call is logged when its answer leaves, so the journal has to tell.
        read_state(desk, "journal.json").to_string().contains("remove_asked")
    });
    assert_told_and_swept(&desk, &finished);
}

#[test]
fn a_result_that_was_told_stays_when_the_clearing_of_leftovers_is_interrupted() {
    let desk = Desk::new();
    let values = [value(), value()];
    desk.succeed(&["present", NAME, &values[0]]);
    let rejected = Action::json(400, r#"{"del_record":"no","info":"error","status":"400"}"#);
    desk.sim.fault(ApiFault::on(CallKind::DelRecord, rejected));
    assert_eq!(desk.run(&["cleanup", NAME, &values[0]]).status.code(), Some(1));
    desk.sim.fault(ApiFault::on(CallKind::DelRecord, Action::Delay(Duration::from_secs(60))).times(9));
    let other = fresh_name();
    let finished = interrupt(&desk, &["present", &other, &values[1]], "TERM", |desk| {
        std::fs::read_to_string(desk.path("stdout")).is_ok_and(|stdout| stdout.contains("ready on"))
    });
    assert!(finished.status.success(), "{}", finished.said());
    assert_eq!(finished.stderr, "");
}

#[test]
fn the_wait_for_a_turn_ends() {
    let mut desk = Desk::new();
    desk.set("IPV64_API_RATE", "2/120");
    desk.succeed(&["present", NAME, &value()]);
    let second = value();
    let finished = interrupt(&desk, &["present", NAME, &second], "TERM", |desk| {
        read_state(desk, "journal.json").to_string().contains(&second)
    });
    assert_eq!(finished.status.code(), Some(1), "{}", finished.said());
    assert!(finished.stderr.starts_with("error: interrupted"), "{}", finished.said());
}

#[test]
fn the_wait_for_the_cache_of_the_ca_ends_without_success() {
    let desk = Desk::new();
    desk.succeed(&["present", NAME, &value()]);
    let second = value();
    let finished = interrupt(&desk, &["-v", "present", NAME, &second], "TERM", |desk| {
        std::fs::read_to_string(desk.path("stderr")).unwrap().contains("previous value")
    });
    assert_told_and_swept(&desk, &finished);
}

#[test]
fn without_a_journal_the_command_that_removes_the_record_is_named() {
    let mut desk = Desk::with(Config::with_delays(&[Duration::from_secs(3600)]));
    desk.set("IPV64_STATE_DIR", "/proc/no/such/place");
    let value = value();
    let finished = interrupt(&desk, &["present", NAME, &value], "TERM", |desk| calls(desk, CallKind::AddRecord) > 0);
    assert!(finished.stderr.contains(&format!("ipv64-acme cleanup {NAME} {value}")), "{}", finished.said());
    desk.succeed_with_warning(&["cleanup", NAME, &value]);
    assert!(desk.sim.records_left().is_empty());
}

#[test]
fn a_removal_without_a_journal_that_is_interrupted_names_the_command_that_removes_the_record() {
    let mut desk = Desk::new();
    desk.set("IPV64_STATE_DIR", "/proc/no/such/place");
    let value = value();
    desk.succeed_with_warning(&["present", NAME, &value]);
    desk.sim.clear_logs();
    desk.sim.fault(ApiFault::on(CallKind::GetDomains, Action::burst().with_header("Retry-After", "20")).times(9));
    let finished = interrupt(&desk, &["cleanup", NAME, &value], "TERM", |desk| calls(desk, CallKind::GetDomains) > 0);
    assert_eq!(finished.status.code(), Some(1), "{}", finished.said());
    assert!(finished.stderr.contains(&format!("ipv64-acme cleanup {NAME} {value}")), "{}", finished.said());
    assert_eq!(desk.sim.records_left().len(), 1);
}
