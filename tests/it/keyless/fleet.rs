//! `demo --fleet`: what a reader of the page on the broker tries first.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::support::process;
use crate::support::programs;
use crate::support::skip::skipped;

fn demo(folder: &Path, args: &[&str]) -> Command {
    let mut demo = Command::new(programs::hook());
    demo.args(args).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("TMPDIR", folder);
    demo
}

/// Asserts that no file is left and, some moments later at most, no process: neither a broker nor what keeps a name space.
fn assert_nothing_left(folder: &Path) {
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0, "it cleans up");
    let ours = format!("TMPDIR={}\0", folder.display());
    let is_ours = |process: &fs::DirEntry| {
        let environment = fs::read(process.path().join("environ")).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains(&ours)
    };
    let until = Instant::now() + Duration::from_secs(20);
    while let Some(left) = fs::read_dir("/proc").unwrap().map(Result::unwrap).find(is_ours) {
        assert!(Instant::now() < until, "left: {:?}", fs::read_to_string(left.path().join("cmdline")));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn three_hosts_of_which_one_has_the_key_get_certificates() {
    let folder = tempfile::tempdir().unwrap();
    let finished = process::run(demo(folder.path(), &["demo", "--fleet"]).arg("--json"));
    assert!(finished.status.success(), "{}", finished.said());
    let document: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!((&document["api_calls"], &document["refused"]), (&5.into(), &0.into()), "{document}");
    assert_eq!(document["records_left"], 0);
    assert_nothing_left(folder.path());
}

#[test]
fn each_host_has_a_network_of_its_own_where_that_is_permitted() {
    let folder = tempfile::tempdir().unwrap();
    let finished = process::run(&mut demo(folder.path(), &["demo", "--fleet"]));
    for words in ["error[broker_not_allowed]", "mail$ ipv64-acme cleanup", "0 challenge records left"] {
        assert!(finished.stdout.contains(words), "{words}: {}", finished.said());
    }
    assert_nothing_left(folder.path());
    if finished.stdout.contains("all on the loopback") {
        return skipped("demo --fleet in network name spaces: they take root");
    }
    for words in ["listening on https://10.64.0.1:8443", "web\t10.64.0.2\tv1", "mail\t10.64.0.3\tv1"] {
        assert!(finished.stdout.contains(words), "{words}: {}", finished.said());
    }
}

#[test]
fn hosts_that_may_have_no_network_are_on_loopback() {
    let folder = tempfile::tempdir().unwrap();
    let finished = process::run(demo(folder.path(), &["demo", "--fleet"]).env("PATH", folder.path()));
    assert!(finished.status.success(), "{}", finished.said());
    for words in ["cannot run `unshare`", "mail\t127.0.0.1\tv1", "0 challenge records left"] {
        assert!(finished.stdout.contains(words), "{words}: {}", finished.said());
    }
}

/// As Ctrl-C does, to all that runs in the foreground; then as `kill` does. Whoever presses it twice leaves nothing either.
#[test]
fn an_interrupt_in_the_middle_leaves_nothing() {
    let signals: [fn(Pid) -> _; 2] =
        [|pid| kill_process_group(pid, Signal::INT), |pid| kill_process(pid, Signal::TERM)];
    let demos: [(&[&str], _); 2] = [(&["demo", "--fleet"], "listening on"), (&["demo"], "ipv64-acme auth")];
    for (signal, (args, middle)) in signals.into_iter().flat_map(|signal| demos.map(|demo| (signal, demo))) {
        let (folder, said) = (tempfile::tempdir().unwrap(), tempfile::NamedTempFile::new().unwrap());
        let output = || File::options().append(true).open(said.path()).unwrap();
        let mut demo = demo(folder.path(), args);
        let mut demo = demo.process_group(0).stdout(output()).stderr(output()).spawn().unwrap();
        let said = || fs::read_to_string(said.path()).unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        while !said().contains(middle) {
            assert!(Instant::now() < until, "{}", said());
            std::thread::sleep(Duration::from_millis(20));
        }
        signal(Pid::from_child(&demo)).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        signal(Pid::from_child(&demo)).ok();
        assert_eq!(demo.wait().unwrap().code(), Some(1), "{}", said());
        assert!(said().contains("error[interrupted]: interrupted; nothing"), "{}", said());
        assert_nothing_left(folder.path());
    }
}
