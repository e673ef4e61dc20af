//! The page on `--json` names every field that is printed, and nothing else: programs rely on it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use ipv64_acme::sim::{Action, ApiFault, CallKind};
use serde_json::Value;

use crate::support::environment::TestEnvironment;
use crate::support::process;
use crate::support::programs;
use crate::support::values::{FIRST, SECOND, THIRD};

const NAME: &str = "_acme-challenge.name.ipv64.net";
/// What prints no document, and what only a build with `sim` has.
const WITHOUT: [&str; 3] = ["serve", "demo", "sim"];

/// The paths of all fields; those that are `null` or empty, with `?` at their end.
fn paths(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            let at = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            fields.iter().for_each(|(name, field)| paths(field, &at(name), found));
        }
        Value::Array(items) if !items.is_empty() => {
            items.iter().for_each(|item| paths(item, &format!("{path}[]"), found));
        }
        Value::Array(_) | Value::Null => {
            found.insert(format!("{path}?"));
        }
        _ => {
            found.insert(path.to_owned());
        }
    }
}

/// The commands that the page has a section for, each with the fields that it names; `a[]` as `b[]` of another command is
/// each of those.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/json.md")).unwrap();
    let mut sections: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for section in page.split("\n## ").skip(1) {
        let (heading, text) = section.split_once('\n').unwrap();
        let mut fields = BTreeSet::new();
        for (field, value) in text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | ")) {
            match value.strip_prefix("as `").and_then(|like| like.split_once("` of `")) {
                None => fields.extend([field.to_owned()]),
                Some((part, command)) => {
                    let other = &sections[command.split('`').next().unwrap()];
                    fields.extend(other.iter().filter_map(|it| Some(format!("{field}{}", it.strip_prefix(part)?))));
                }
            }
        }
        for command in heading.split('`').skip(1).step_by(2) {
            sections.insert(command.to_owned(), fields.clone());
        }
    }
    sections
}

/// Documents of one command.
struct Printed<'a> {
    env: &'a TestEnvironment,
    found: BTreeMap<String, BTreeSet<String>>,
}

impl Printed<'_> {
    fn run(&mut self, command: &str, args: &[&str]) {
        let words = ["--json"].into_iter().chain(command.split(' ')).chain(args.iter().copied());
        self.note(command, self.env.command(programs::hook()).args(words));
    }

    /// Runs `batch present` for one value.
    fn batch(&mut self, value: &str) {
        fs::write(self.env.path("order"), format!(r#"[{{"name": "{NAME}", "value": "{value}"}}]"#)).unwrap();
        let mut shell = self.env.command("sh");
        self.note("batch", shell.args(["-c", "ipv64-acme --json batch present <order"]));
    }

    fn note(&mut self, command: &str, program: &mut Command) {
        let finished = process::run(program);
        let document = serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{}", finished.said()));
        paths(&document, "", self.found.entry(command.to_owned()).or_default());
    }
}

fn account_commands(printed: &mut Printed<'_>) {
    for command in ["account", "logs", "domain list", "record list", "config", "version", "man", "history", "sweep"] {
        printed.run(command, &[]);
    }
    printed.run("doctor", &["name.ipv64.net", "shop.example.net"]);
    printed.run("completions", &["bash"]);
    printed.run("man", &["pages"]);
    printed.run("domain add", &["new.ipv64.net"]);
    printed.run("domain delete", &["new.ipv64.net", "--yes"]);
    printed.run("record add", &["www.name.ipv64.net", "A", "192.0.2.1"]);
    printed.run("record delete", &["www.name.ipv64.net", "A", "192.0.2.1"]);
    printed.run("record delete", &["1"]);
    printed.run("sweep", &["--all", "--older-than", "0"]);
    printed.run("explain", &["no_domain"]);
    printed.run("explain", &["no TXT record found at _acme-challenge.name.ipv64.net"]);
}

#[cfg(feature = "serve")]
fn broker_commands(printed: &mut Printed<'_>) {
    let more = ["--alias", "b.example", "--from", "192.0.2.1", "--calls-per-day", "9", "--uid", "1"];
    let add = ["web", "--config-dir=etc", "--acme-dns=a.example", "--allow", "a.example"];
    printed.run("client add", &[&add[..], &more].concat());
    printed.run("client list", &["--config-dir=etc"]);
    printed.run("client rotate", &["web", "--config-dir=etc"]);
    printed.run("client rotate", &["web", "--config-dir=etc", "--drop-old"]);
    printed.run("client remove", &["web", "--config-dir=etc", "--yes"]);
    let line = r#"{"time":"2026-11-28T10:00:00Z","address":"::1","dialect":"v1","action":"present","outcome":"done","calls":1,
        "client":"web","name":"_acme-challenge.a.example","record":"_acme-challenge.a.example","wait_seconds":1,"left_out":1}"#;
    fs::write(printed.env.path("state/audit.jsonl"), line.replace('\n', "")).unwrap();
    printed.run("audit", &[]);
}

#[test]
fn the_page_names_every_field_that_is_printed() {
    let mut env = TestEnvironment::new();
    env.set("IPV64_CONFIG", env.path("own.toml").to_str().unwrap());
    fs::write(env.path("own.toml"), "").unwrap();
    let mut printed = Printed { env: &env, found: BTreeMap::new() };
    printed.run("present", &[NAME, FIRST]);
    printed.run("present", &["_acme-challenge.elsewhere.example", FIRST]);
    printed.run("status", &[]);
    printed.run("sweep", &["--older-than", "0"]);
    printed.run("cleanup", &[NAME, FIRST]);
    printed.run("test", &["name.ipv64.net"]);
    printed.batch(THIRD);
    let refused = || ApiFault::on(CallKind::AddRecord, Action::json(401, "{}"));
    env.sim.fault(refused());
    printed.run("test", &["name.ipv64.net"]);
    env.sim.fault(refused());
    printed.batch(SECOND);
    fs::write(env.path("key"), env.sim.key(0).unwrap()).unwrap();
    let mut init = env.command("sh");
    printed.note("init", init.args(["-c", "ipv64-acme --json --config conf/config.toml init --stdin <key"]));
    account_commands(&mut printed);
    #[cfg(feature = "serve")]
    broker_commands(&mut printed);
    let (documented, mut wrong) = (documented(), Vec::new());
    let errors = &documented["error"];
    for (command, found) in &printed.found {
        let empty = BTreeSet::new();
        let known = documented.get(command).unwrap_or(&empty);
        let is_known = |path: &String| match path.strip_suffix('?') {
            None => known.contains(path) || errors.contains(path),
            Some(empty) => known.union(errors).any(|field| field.starts_with(empty)),
        };
        wrong.extend(
            found.iter().filter(|path| !is_known(path)).map(|path| format!("{command}: no {path} on the page")),
        );
        let is_printed = |field: &String| {
            found
                .iter()
                .any(|path| path == field || path.strip_suffix('?').is_some_and(|empty| field.starts_with(empty)))
        };
        wrong.extend(
            known.iter().filter(|field| !is_printed(field)).map(|field| format!("{command}: {field} is not printed")),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_command_has_a_section() {
    let documented = documented();
    let mut missing = Vec::new();
    let definition = ipv64_acme::cli::definition();
    for command in definition.get_subcommands().filter(|command| !command.is_hide_set()) {
        let below: Vec<_> =
            command.get_subcommands().map(|below| format!("{} {}", command.get_name(), below.get_name())).collect();
        let paths = if below.is_empty() { vec![command.get_name().to_owned()] } else { below };
        missing.extend(
            paths.into_iter().filter(|path| !documented.contains_key(path) && !WITHOUT.contains(&path.as_str())),
        );
    }
    assert!(missing.is_empty(), "{missing:?}");
}
