//! Each client's verbs through a broker: what they add and remove, wait for, and leave in the journal.

use std::path::Path;

use ipv64_acme::sim::ServerSettings;

use super::standin::Fault;
use super::{NAME, RECORD, machine};
use crate::support::process::Finished;
use crate::support::programs;
use crate::support::values::{DASHED, FIRST, SECOND};

fn assert_done(finished: &Finished) {
    assert_eq!(finished.status.code(), Some(0), "{}", finished.said());
    assert_eq!(finished.stderr, "", "a success is silent on stderr");
}

#[test]
fn every_client_adds_its_record_and_removes_it_through_the_broker() {
    let pairs: [(&[&str], &[&str]); 10] = [
        (&["deploy_challenge", NAME, "-tok", DASHED], &["clean_challenge", NAME, "-tok", DASHED]),
        (&["begin", "dns-01", NAME, "-tok", DASHED], &["done", "dns-01", NAME, "-tok", DASHED]),
        (&["begin", "dns-01", NAME, "-tok", DASHED], &["failed", "dns-01", NAME, "-tok", DASHED]),
        (&["challenge-dns-start", NAME, "/f", DASHED, ""], &["challenge-dns-stop", NAME, "/f", DASHED, ""]),
        (&["setup", NAME, DASHED], &["teardown", NAME]),
        (&["create", NAME, RECORD, DASHED], &["delete", NAME, RECORD, DASHED]),
        (&["set", NAME, RECORD, DASHED], &["unset", NAME, RECORD, DASHED]),
        (&["present", RECORD, DASHED], &["cleanup", RECORD, DASHED]),
        (&["present", "--identifier", NAME, DASHED], &["cleanup", "--identifier", NAME, DASHED]),
        (&["present", "--json", RECORD, DASHED], &["cleanup", "--json", RECORD, DASHED]),
    ];
    for (add, remove) in pairs {
        let (world, broker) = machine(&[]);
        assert_done(&world.hook(add));
        assert_eq!(world.records(), [format!("{RECORD} {DASHED}")], "{add:?}");
        assert_done(&world.hook(remove));
        assert!(world.records().is_empty(), "{remove:?}");
        let requests = ["/v1/present", "/v1/cleanup"].map(|path| format!("{path} {RECORD}"));
        assert_eq!(broker.seen(), requests, "one request each: {add:?}");
        let journal = std::fs::read_to_string(world.path("state/journal.json")).unwrap();
        assert!(journal.contains(r#""entries":[]"#), "{journal}");
    }
}

#[test]
fn an_order_of_certbot_waits_for_all_its_records() {
    let (world, broker) = machine(&[]);
    let call = |verb: &str, value: &str, remaining: &str| {
        let mut command = world.command(&programs::hook());
        command.arg(verb).env("CERTBOT_DOMAIN", NAME).env("CERTBOT_VALIDATION", value);
        command.env("CERTBOT_REMAINING_CHALLENGES", remaining).env("CERTBOT_ALL_DOMAINS", format!("{NAME},*.{NAME}"));
        assert_done(&world.run(&mut command, ""));
    };
    call("auth", FIRST, "1");
    call("auth", SECOND, "0");
    assert_eq!(world.records(), [format!("{RECORD} {FIRST}"), format!("{RECORD} {SECOND}")]);
    call("cleanup", FIRST, "1");
    call("cleanup", SECOND, "0");
    assert!(world.records().is_empty());
    assert_eq!(broker.seen().len(), 4);
}

#[test]
fn a_record_that_is_not_served_everywhere_is_a_failure_of_this_machine_and_is_undone() {
    let (mut world, broker) = machine(&[]);
    world.set("IPV64_PROPAGATION_TIMEOUT", "1");
    world.sim.set_server("ns2.ipv64.net", &ServerSettings::stale()).unwrap();
    let finished = world.hook(&["deploy_challenge", NAME, "t", FIRST]);
    assert_eq!(finished.status.code(), Some(5), "{}", finished.said());
    assert!(world.records().is_empty());
    assert_eq!(broker.seen().len(), 2);
}

#[test]
fn the_record_that_the_broker_names_is_the_one_that_is_waited_for() {
    // This machine follows no alias, and the broker does.
    let (mut world, broker) = machine(&[("_acme-challenge.foreign.example", RECORD)]);
    world.set("IPV64_FOLLOW_CNAME", "false");
    let (add, remove) =
        (["present", "_acme-challenge.foreign.example", FIRST], ["cleanup", "_acme-challenge.foreign.example", FIRST]);
    assert_done(&world.hook(&add));
    assert_eq!(world.records(), [format!("{RECORD} {FIRST}")]);
    assert!(world.sim.visible_everywhere_since(RECORD, FIRST).is_some());
    let journal = std::fs::read_to_string(world.path("state/journal.json")).unwrap();
    assert!(journal.contains(&format!(r#""record":"{RECORD}""#)), "{journal}");
    assert_done(&world.hook(&remove));
    assert!(world.records().is_empty());
    assert_eq!(broker.seen().len(), 2);
}

#[test]
fn a_lost_reply_is_no_failure() {
    let (world, broker) = machine(&[]);
    broker.fault([Fault::LoseReply]);
    assert_done(&world.hook(&["deploy_challenge", NAME, "t", FIRST]));
    broker.fault([Fault::LoseReply]);
    assert_done(&world.hook(&["clean_challenge", NAME, "t", FIRST]));
    assert!(world.records().is_empty());
    assert_eq!(broker.seen().len(), 4);
}

#[test]
fn a_removal_needs_neither_journal_nor_dns() {
    let (mut world, broker) = machine(&[]);
    assert_done(&world.hook(&["present", RECORD, FIRST]));
    std::fs::remove_dir_all(world.path("state")).unwrap();
    world.set("IPV64_ROOT_SERVERS", "127.0.0.1");
    world.set("IPV64_NAMESERVER_PORT", "1");
    assert_done(&world.hook(&["cleanup", RECORD, FIRST]));
    assert!(world.records().is_empty());
    assert_eq!(broker.seen().len(), 2);
}

/// What acme.sh, Cert Warden and Certify The Web call, with no key among the settings of acme.sh either.
#[test]
fn the_shell_files_add_and_remove_through_the_broker() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = |below: &str| root.join(below).display().to_string();
    let add_and_remove = ["hooks/add", "hooks/remove"].map(|script| vec![file(script), RECORD.into(), DASHED.into()]);
    let dns_file = [file("tests/it/conventions/shims/acme.sh"), file("hooks/dns_ipv64_acme.sh")];
    let both = [&dns_file[..], &["dns_ipv64_acme".into(), RECORD.into(), DASHED.into()]].concat();
    for calls in [&add_and_remove[..], &[both]] {
        let (mut world, broker) = machine(&[]);
        let configuration = world.path("account.conf").display().to_string();
        world.set("ACCOUNT_CONF_PATH", &configuration);
        for arguments in calls {
            assert_done(&world.run(world.command(&programs::system("sh")).args(arguments), ""));
        }
        assert!(world.records().is_empty());
        assert_eq!(broker.seen(), ["/v1/present", "/v1/cleanup"].map(|path| format!("{path} {RECORD}")));
    }
}
