//! Tests with several processes on one state directory: parallel, killed, short of disk, under odd umasks.
//!
//! A child is this test program again, which then runs only [`child`], in the part that a variable names.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::bench::*;
use crate::challenge::TxtValue;
use crate::state::*;
use crate::time::{Pause, sleep};

const PART: &str = "STATE_TEST_PART";
const DIRECTORY: &str = "STATE_TEST_DIRECTORY";
/// A child says this when it has come to the point.
const READY: &str = "child is ready";

fn random_record() -> Entry {
    record("_acme-challenge.example.org", TxtValue::random().unwrap().as_str())
}

#[test]
fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let state = open(Path::new(&directory));
    let soon = Instant::now() + Duration::from_secs(60);
    let turn = |kind, rate: &str, pause: &Pause| state.take_turn(kind, rate.parse().unwrap(), soon, pause);
    match std::env::var(PART).unwrap().as_str() {
        "add and acquire" => {
            let ids = state.intend(&[random_record(), random_record()]);
            let _sent = turn(CallKind::Addition, "5/1", &sleep).unwrap();
            state.confirm(&ids);
            state.close(&ids[..1]);
            assert!(state.take_warnings().is_empty());
        }
        "hold the lock" => {
            let _lock = state.shared.directory.as_ref().unwrap().lock().unwrap();
            println!("{READY}");
            std::thread::sleep(Duration::from_secs(60));
        }
        "wait in the queue" => loop {
            let _sent = turn(CallKind::Removal, "1/1", &|waiting, length| {
                println!("{READY}");
                sleep(waiting, length)
            })
            .unwrap();
        },
        "write without end" => {
            println!("{READY}");
            loop {
                let ids = state.intend(&[random_record()]);
                state.confirm(&ids);
                state.close(&ids);
            }
        }
        "use everything" => {
            let ids = state.intend(&[random_record()]);
            state.confirm(&ids);
            let sent_at = turn(CallKind::Addition, "1/1", &sleep).unwrap();
            state.usage(|usage, now| usage.window.finish(sent_at, now));
            state.usage(|usage, now| usage.domains.remember(&[random_record().domain], &[], now));
            assert_eq!(state.entries().last().unwrap().progress, Progress::Confirmed);
            println!("warnings: {:?}", state.take_warnings().iter().map(ToString::to_string).collect::<Vec<_>>());
        }
        part => panic!("unknown part {part:?}"),
    }
}

/// Starts a child; `before` is what a shell does first.
fn start(part: &str, directory: &Path, before: &str) -> Child {
    Command::new("/bin/sh")
        .args(["-c", &format!("{before} exec \"$0\" \"$@\"")])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "state::tests::processes::child", "--nocapture"])
        .env(PART, part)
        .env(DIRECTORY, directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Starts a child, and kills it (SIGKILL) so long after it has come to the point.
fn kill_when_ready(part: &str, directory: &Path, after: Duration) {
    let mut child = start(part, directory, "");
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.ends_with(READY)), "the child did not come to the point");
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Waits for a child and returns what it printed.
fn output(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn twenty_processes_at_once_keep_the_rate_and_lose_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let children: Vec<_> = (0..20).map(|_| start("add and acquire", temp.path(), "")).collect();
    children.into_iter().for_each(|child| drop(output(child)));

    let state = open(temp.path());
    let open = state.entries();
    assert_eq!(open.len(), 20);
    assert!(open.iter().all(|entry| entry.progress == Progress::Confirmed));

    let window: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(temp.path().join("usage.json")).unwrap()).unwrap();
    let sent = window["content"]["accounts"][account().to_string()]["window"]["sent"].as_array().unwrap();
    let times: Vec<_> = sent.iter().map(|sent| sent.as_u64().unwrap()).collect();
    assert_eq!(times.len(), 20);
    assert!(times.windows(6).all(|six| six[5] - six[0] >= 1000), "{times:?}");
    assert_eq!(state.usage(|usage, _| usage.daily.quota()).calls_today, 20);
    assert!(state.take_warnings().is_empty());
}

#[test]
fn the_lock_of_a_killed_process_is_free() {
    let temp = tempfile::tempdir().unwrap();
    kill_when_ready("hold the lock", temp.path(), Duration::ZERO);
    let state = open(temp.path());
    let _ = state.intend(&[random_record()]);
    assert!(state.take_warnings().is_empty());
}

#[test]
fn a_process_that_is_killed_in_the_queue_does_not_block_the_others() {
    let temp = tempfile::tempdir().unwrap();
    kill_when_ready("wait in the queue", temp.path(), Duration::ZERO);
    let deadline = Instant::now() + Duration::from_secs(60);
    let turn = open(temp.path()).take_turn(CallKind::Addition, "1/1".parse().unwrap(), deadline, &sleep);
    assert!(turn.is_ok());
}

#[test]
fn the_journal_is_whole_whenever_its_writer_is_killed() {
    let temp = tempfile::tempdir().unwrap();
    for round in 0..15 {
        kill_when_ready("write without end", temp.path(), Duration::from_micros(round * 977));
        let state = open(temp.path());
        let open = state.entries().len();
        assert!(open <= 1, "round {round}: {open} entries of one that is written at a time");
        assert!(state.take_warnings().is_empty(), "round {round}");
        fs::remove_file(temp.path().join("journal.json")).unwrap_or_default();
    }
}

#[test]
fn modes_do_not_depend_on_the_umask() {
    for umask in ["0", "077", "0777"] {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("state");
        assert!(output(start("use everything", &path, &format!("umask {umask};"))).contains("warnings: []"));
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o700, "umask {umask}");
        let files: Vec<_> = fs::read_dir(&path).unwrap().map(Result::unwrap).collect();
        assert_eq!(files.len(), 3, "{files:?}");
        for file in files {
            assert_eq!(file.metadata().unwrap().mode() & 0o7777, 0o600, "umask {umask}: {file:?}");
        }
    }
}

#[test]
fn a_full_disk_costs_a_warning_and_no_earlier_entry() {
    let temp = tempfile::tempdir().unwrap();
    let _ = open(temp.path()).intend(&[random_record()]);
    // No file may grow from now on: what a write sees on a full disk, but for the number of the error.
    let said = output(start("use everything", temp.path(), "trap '' XFSZ; ulimit -f 0;"));
    let warning = format!("warnings: [\"cannot write `{}/journal.json`\"]", temp.path().display());
    assert!(said.contains(&warning), "one warning for all files: {said}");
    let state = open(temp.path());
    assert_eq!(state.entries().len(), 1);
    assert!(state.take_warnings().is_empty());
    let names: Vec<_> = fs::read_dir(temp.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "no drafts are left: {names:?}");
}

#[test]
fn a_lock_that_is_never_freed_costs_a_warning() {
    let temp = tempfile::tempdir().unwrap();
    let state = open(temp.path());
    let earlier = state.intend(&[random_record()]);
    let lock = state.shared.directory.as_ref().unwrap().lock().unwrap();
    let other = open(temp.path());
    assert_eq!(other.entries()[0].id, earlier[0], "what is there can be read");
    assert!(matches!(other.take_warnings().as_slice(), [StateError::LockBusy(..)]));
    drop(lock);
}
