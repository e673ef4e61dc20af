//! `audit`: the lines of the log that are asked for.

use std::fs;

use crate::support::environment::TestEnvironment;

fn line(client: &str, name: &str, outcome: &str) -> String {
    format!(
        r#"{{"time":"2026-11-28T10:00:00Z","client":"{client}","address":"192.0.2.1","dialect":"v1","action":"present","name":"_acme-challenge.{name}","record":null,"outcome":"{outcome}","calls":0,"wait_seconds":0.1}}"#
    )
}

#[test]
fn both_files_are_read_and_damaged_lines_are_counted() {
    let env = TestEnvironment::new();
    assert_eq!(env.succeed(&["audit"]), "");
    fs::create_dir_all(env.path("state")).unwrap();
    let older = [line("web", "a.example", "done"), line("nas", "b.example", "name_not_allowed")].join("\n");
    fs::write(env.path("state/audit.jsonl.1"), older).unwrap();
    fs::write(env.path("state/audit.jsonl"), format!("{{torn\n{}\n", line("web", "c.example", "pending"))).unwrap();
    let outcomes = |args: &[&str]| {
        let finished = env.run(&[&["audit", "--json"], args].concat());
        assert!(finished.stderr.contains("damaged lines"), "{}", finished.said());
        let document: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
        assert_eq!(document["damaged"], 1);
        let lines = document["decisions"].as_array().unwrap().clone();
        lines.iter().map(|line| line["outcome"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(outcomes(&[]), ["done", "name_not_allowed", "pending"]);
    assert_eq!(outcomes(&["--last", "1"]), ["pending"]);
    assert_eq!(outcomes(&["--client", "web"]), ["done", "pending"]);
    for name in ["b.example", "*.b.example", "_acme-challenge.b.example"] {
        assert_eq!(outcomes(&["--name", name]), ["name_not_allowed"]);
    }
    let said = env.run(&["audit", "--client", "nas"]).stdout;
    assert!(said.contains("nas\t192.0.2.1\tv1\tpresent\t_acme-challenge.b.example\tname_not_allowed"), "{said}");
    assert!(env.calls().is_empty());
}
