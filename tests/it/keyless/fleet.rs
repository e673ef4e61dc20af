//! `demo --fleet`: what a reader of the page on the broker tries first.

use crate::support::process;
use crate::support::programs;

#[test]
fn three_hosts_of_which_one_has_the_key_get_certificates() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = std::process::Command::new(programs::hook());
    demo.args(["demo", "--fleet", "--json"]).env_clear().env("TMPDIR", folder.path());
    let finished = process::run(&mut demo);
    assert!(finished.status.success(), "{}", finished.said());
    let document: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!((&document["api_calls"], &document["refused"]), (&5.into(), &0.into()), "{document}");
    assert_eq!(document["records_left"], 0);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it cleans up");
    let finished = process::run(std::process::Command::new(programs::hook()).args(["demo", "--fleet"]).env_clear());
    for words in ["error[broker_not_allowed]", "mail$ ipv64-acme cleanup", "0 challenge records left"] {
        assert!(finished.stdout.contains(words), "{words}: {}", finished.said());
    }
}
