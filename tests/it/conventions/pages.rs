//! What the pages for clients without a program here show, run as those clients run it; and the units and crontab lines of
//! `docs/automation.md`, as far as a machine without systemd can.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::world::World;
use crate::support::process::Finished;
use crate::support::values::{DASHED, FIRST};
use crate::support::{page, programs};

const RECORD: &str = "_acme-challenge.name.ipv64.net";

fn shell(world: &World, script: &str) -> Finished {
    world.run(world.command(&programs::system("sh")).args(["-eu", "-c", script]), "")
}

fn assert_done(finished: &Finished) {
    assert!(finished.status.success(), "{}", finished.said());
    assert_eq!(finished.stderr, "", "a success is silent on stderr");
}

/// getssl evaluates its two commands with the domain and the value behind them, and adds again what it does not find.
#[test]
fn getssl_adds_twice_and_removes() {
    let world = World::start();
    let settings = page::shell_block("clients/scripts.md", "getssl");
    let call = |command: &str| shell(&world, &format!("{settings}\neval \"${command}\" name.ipv64.net {DASHED}"));
    assert_done(&call("DNS_ADD_COMMAND"));
    assert_done(&call("DNS_ADD_COMMAND"));
    assert_eq!(world.records(), [format!("{RECORD} {DASHED}")]);
    assert_done(&call("DNS_DEL_COMMAND"));
    assert_done(&call("DNS_DEL_COMMAND"));
    assert!(world.records().is_empty());
}

/// acmed passes the identifier as it is configured, with its wildcard.
#[test]
fn acmed_passes_wildcards() {
    let world = World::start();
    let hooks = page::block("clients/scripts.md", "acmed", "toml");
    let calls: Vec<Vec<String>> = hooks
        .lines()
        .filter_map(|line| line.strip_prefix("args = "))
        .map(|args| serde_json::from_str(args).unwrap())
        .collect();
    let [add, remove] = calls.as_slice() else { panic!("{hooks}") };
    let call = |args: &[String]| {
        let args: Vec<_> = args
            .iter()
            .map(|arg| arg.replace("{{ identifier }}", "*.name.ipv64.net").replace("{{ proof }}", DASHED))
            .collect();
        world.hook(&args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    assert_done(&call(add));
    assert_eq!(world.records(), [format!("{RECORD} {DASHED}")]);
    assert_done(&call(remove));
    assert!(world.records().is_empty());
}

#[test]
fn simple_acme_creates_and_deletes() {
    let world = World::start();
    let block = page::shell_block("clients/simple-acme.md", "Get a certificate");
    let [create, delete] = block.lines().collect::<Vec<_>>()[..] else { panic!("{block}") };
    assert_done(&shell(&world, create));
    assert_eq!(world.records().len(), 1);
    assert_done(&shell(&world, delete));
    assert!(world.records().is_empty());
}

#[test]
fn a_script_passes_a_whole_order() {
    let world = World::start();
    let block = page::shell_block("clients/scripts.md", "A script of your own");
    assert_done(&shell(&world, &block));
    assert_eq!(world.records().len(), 2);
    assert_done(&shell(&world, &block.replace("batch present", "batch cleanup")));
    assert!(world.records().is_empty());
}

/// Under systemd there is no home and no shell; all that is known stands in the two variables of the unit's lines.
#[test]
fn the_lines_for_a_unit_are_all_that_a_hook_needs() {
    let lines = page::block("automation.md", "systemd", "ini");
    assert!(lines.contains("LoadCredential=ipv64-api-key:"), "{lines}");
    assert!(lines.contains("StateDirectory=ipv64-acme\nStateDirectoryMode=0700"), "{lines}");
    let mut world = World::start();
    for folder in ["credentials", "state-of-unit"] {
        fs::create_dir(world.path(folder)).unwrap();
        fs::set_permissions(world.path(folder), fs::Permissions::from_mode(0o700)).unwrap();
    }
    let key = world.path("credentials/ipv64-api-key");
    fs::write(&key, world.sim.key(0).unwrap()).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o440)).unwrap();
    world.set("IPV64_API_KEY", "");
    world.set("IPV64_STATE_DIR", "");
    world.set("CREDENTIALS_DIRECTORY", &world.path("credentials").display().to_string());
    world.set("STATE_DIRECTORY", &world.path("state-of-unit").display().to_string());
    // What `init` has set up for root is not for the unit's user.
    fs::write(world.path("config.toml"), "api_key_file = \"/nobody/but/root/can/read/this\"\n").unwrap();
    world.set("IPV64_CONFIG", &world.path("config.toml").display().to_string());
    assert_done(&world.hook(&["deploy_challenge", "name.ipv64.net", "t", FIRST]));
    assert!(world.path("state-of-unit/journal.json").is_file());
    assert_done(&world.hook(&["clean_challenge", "name.ipv64.net", "t", FIRST]));
    // The timer's command finds the same key and journal, and nothing to do.
    let service = page::block("automation.md", "A timer for leftover records", "ini");
    let start = service.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    assert_done(&shell(&world, &start.replace("/usr/local/bin/", "")));
}

#[test]
fn the_lines_for_cron_find_program_and_key() {
    let mut world = World::start();
    let block = page::block("automation.md", "cron", "crontab");
    let key = world.path("key");
    fs::write(&key, world.sim.key(0).unwrap()).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    world.set("IPV64_API_KEY", "");
    world.set("IPV64_API_KEY_FILE", &key.display().to_string());
    // The crontab of a user: variables, and lines of five times and a command (crontab(5)).
    let lines = block.lines().filter(|line| !line.starts_with("PATH="));
    let commands: Vec<_> = lines.map(|line| line.splitn(6, ' ').last().unwrap()).collect();
    let [certbot, ours] = commands[..] else { panic!("{block}") };
    assert!(certbot.starts_with("certbot -q"), "{block}");
    let finished = shell(&world, ours);
    assert_done(&finished);
    assert_eq!(finished.stdout, "", "cron would send it by mail");
}

/// systemd's own check of the units, where there is one.
#[test]
#[ignore = "needs systemd-analyze: run tests/run"]
fn systemd_accepts_the_units() {
    let world = World::start();
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/automation.md")).unwrap();
    let blocks: Vec<_> = text.split("```ini\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let [_, service, timer] = blocks.as_slice() else { panic!("{blocks:#?}") };
    let complaint = |service: &str| {
        let names = ["ipv64-acme-sweep.service", "ipv64-acme-sweep.timer"].map(|name| world.path(name));
        fs::write(&names[0], service).unwrap();
        fs::write(&names[1], timer).unwrap();
        let mut command = world.command(&programs::system("systemd-analyze"));
        let finished = world.run(command.args(["verify", "--man=no"]).args(&names), "");
        finished.stderr.lines().find(|line| line.contains("ipv64-acme-sweep")).map(str::to_owned)
    };
    // It looks for the program too.
    let service = service.replace("/usr/local/bin/ipv64-acme", &programs::hook().display().to_string());
    assert_eq!(complaint(&service), None);
    assert!(complaint(&service.replace("Type=", "Tpye=")).is_some(), "nothing is checked here");
}
