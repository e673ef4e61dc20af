//! A broker in the settings: what belongs together, what does not, and that the token is never shown.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::standin::TOKEN;
use super::{NAME, RECORD, machine};
use crate::conventions::world::World;
use crate::support::values::FIRST;

const KEY: &str = "c4n4ryKEY0123456789abcdef0123456";

#[test]
fn a_key_beside_a_broker_is_an_error_with_a_way_out() {
    let (mut world, broker) = machine(&[]);
    let file = world.path("key");
    fs::write(&file, KEY).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let config = world.path("config.toml");
    fs::write(&config, format!("api_key_file = {file:?}\n")).unwrap();
    let (file, config) = (file.to_str().unwrap().to_owned(), config.to_str().unwrap().to_owned());
    for (variable, value, flag) in [
        ("IPV64_API_KEY", KEY, None),
        ("IPv64_Token", KEY, None),
        ("IPV64_API_KEY_FILE", file.as_str(), None),
        ("IPV64_CONFIG", config.as_str(), None),
        ("IPV64_X", "", Some(format!("--api-key-file={file}"))),
    ] {
        world.set(variable, value);
        let flags: Vec<&str> = flag.iter().map(String::as_str).collect();
        for command in [&["present", RECORD, FIRST][..], &["config"], &["doctor"], &["status"]] {
            let finished = world.hook(&[&flags, command].concat());
            assert_eq!(finished.status.code(), Some(2), "{variable} {command:?} {}", finished.said());
            let said = finished.said();
            assert!(said.contains("IPV64_BROKER") && said.contains("remove the key"), "{said}");
            assert_eq!(said.contains("account.conf"), variable == "IPv64_Token", "{said}");
            assert!(!said.contains("c4n4ry"), "{said}");
        }
        world.set(variable, "");
    }
    assert!(broker.seen().is_empty());
    // One that lies where `init` has put it was not given to this call.
    let usual = world.path("home/.config/ipv64-acme");
    fs::create_dir_all(&usual).unwrap();
    fs::write(usual.join("api-key"), KEY).unwrap();
    world.set("HOME", world.path("home").to_str().unwrap());
    world.set("XDG_CONFIG_HOME", world.path("home/.config").to_str().unwrap());
    assert_eq!(world.hook(&["present", RECORD, FIRST]).status.code(), Some(0));
}

#[test]
fn addresses_and_tokens_that_cannot_be_used_are_told() {
    let (mut world, broker) = machine(&[]);
    let address = broker.address();
    for (bad, words) in [
        ("http://broker.example:8443", "plain http"),
        ("https://web1:c4n4ry@broker.example", "user name"),
        ("broker.example:8443", "https://"),
        ("https://broker.example/?token=c4n4ry", "query"),
    ] {
        world.set("IPV64_BROKER", bad);
        let finished = world.hook(&["present", RECORD, FIRST]);
        assert_eq!(finished.status.code(), Some(2), "{}", finished.said());
        let said = finished.said();
        assert!(said.contains("IPV64_BROKER") && said.contains(words) && !said.contains("c4n4ry"), "{said}");
    }
    world.set("IPV64_BROKER", &address);
    let token = world.path("token");
    for (mode, text, kind) in
        [(0o644, TOKEN, "key_exposed"), (0o600, "", "key_malformed"), (0o600, "a\nb", "key_malformed")]
    {
        fs::write(&token, text).unwrap();
        fs::set_permissions(&token, fs::Permissions::from_mode(mode)).unwrap();
        let finished = world.hook(&["present", RECORD, FIRST]);
        assert_eq!(finished.status.code(), Some(3), "{}", finished.said());
        assert!(finished.stderr.contains(kind) && finished.stderr.contains("broker token"), "{}", finished.said());
    }
    for (path, kind) in [("", "key_missing"), ("/no/such/file", "key_unreadable"), (TOKEN, "key_unreadable")] {
        world.set("IPV64_BROKER_TOKEN_FILE", path);
        let finished = world.hook(&["present", RECORD, FIRST]);
        assert_eq!(finished.status.code(), Some(3), "{}", finished.said());
        let said = finished.said();
        assert!(said.contains(kind) && said.contains("broker token") && !said.contains("c4n4ry"), "{said}");
    }
    assert!(broker.seen().is_empty());
}

#[test]
fn the_token_comes_from_flag_variable_file_or_systemd() {
    let (mut world, broker) = machine(&[]);
    let token = world.path("token").to_str().unwrap().to_owned();
    let folder = world.path("credentials");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("ipv64-broker-token"), TOKEN).unwrap();
    let config = world.path("config.toml");
    fs::write(&config, format!("broker = \"{}\"\nbroker_token_file = \"token\"\n", broker.address())).unwrap();
    let add = ["present", RECORD, FIRST];
    world.set("IPV64_BROKER_TOKEN_FILE", "");
    let flagged = [&["--broker-token-file", &token][..], &add].concat();
    assert_eq!(world.hook(&flagged).status.code(), Some(0));
    world.set("CREDENTIALS_DIRECTORY", folder.to_str().unwrap());
    assert_eq!(world.hook(&add).status.code(), Some(0));
    world.set("CREDENTIALS_DIRECTORY", "");
    world.set("IPV64_BROKER", "");
    world.set("IPV64_CONFIG", config.to_str().unwrap());
    assert_eq!(world.hook(&add).status.code(), Some(0));
    assert_eq!(broker.seen().len(), 3);
}

#[test]
fn the_token_is_in_no_output() {
    let (mut world, broker) = machine(&[]);
    for args in [
        &["-vv", "present", RECORD, FIRST][..],
        &["-vv", "cleanup", RECORD, FIRST],
        &["config"],
        &["--json", "config"],
        &["doctor", NAME],
        &["status"],
        &["history", "--json"],
        &["--broker-token-file", TOKEN, "config"],
        &[TOKEN],
        &["present", "--token", TOKEN],
    ] {
        let said = world.hook(args).said();
        assert!(!said.contains("c4n4ry"), "{args:?} {said}");
    }
    let (url, below) = (format!("https://{TOKEN}/"), format!("a..{TOKEN}"));
    for args in [
        &["present", "--identifier", TOKEN, "a.example"][..],
        &["--json", "present", "--identifier", TOKEN, "a.example"],
        &["explain", TOKEN],
        &["record", "delete", TOKEN],
        &["doctor", &url],
        &["--json", "test", &url],
        &["doctor", &below],
    ] {
        let finished = world.hook(args);
        assert!(
            finished.status.code() != Some(0) && !finished.said().contains("c4n4ry"),
            "{args:?} {}",
            finished.said()
        );
    }
    let echo = format!(r#"{{"error":{{"kind":"broker_not_allowed","message":"Bearer {TOKEN}","hint":"{TOKEN}"}}}}"#);
    broker.fault([super::standin::Fault::Answer(403, Vec::new(), echo)]);
    let said = world.hook(&["-vv", "present", RECORD, FIRST]).said();
    assert!(said.contains("********") && !said.contains("c4n4ry"), "{said}");
    world.set("IPV64_BROKER_TOKEN", TOKEN);
    let said = world.hook(&["config"]).said();
    assert!(said.contains("did you mean `IPV64_BROKER_TOKEN_FILE`?") && !said.contains("c4n4ry"), "{said}");
    for file in ["journal.json", "usage.json", "history.json"] {
        let text = fs::read_to_string(world.path("state").join(file)).unwrap_or_default();
        assert!(!text.contains("c4n4ry"), "{file}");
    }
}

/// Where a command fails at its arguments, no setting has been looked at yet.
#[test]
fn a_key_in_place_of_an_argument_is_in_no_output() {
    let world = World::start();
    let key = world.sim.key(0).unwrap().to_owned();
    for args in [
        &["present", "--identifier", &key, "a.example"][..],
        &["--json", "present", "--identifier", &key, "a.example"],
        &["explain", &key],
        &["record", "delete", &key],
    ] {
        let finished = world.hook(args);
        assert!(finished.status.code() != Some(0) && !finished.said().contains(&key), "{args:?} {}", finished.said());
    }
}
