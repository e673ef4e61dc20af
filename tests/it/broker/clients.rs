//! `client`: files, tokens, and what is printed for whom.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ipv64_acme::name::DnsName;
use ipv64_acme::serve::clients::Clients;
use ipv64_acme::serve::policy::admit_name;
use serde_json::Value;

use super::server::{Broker, ask, command, configure_in};
use crate::support::environment::{TestEnvironment, fields, is_root};
use crate::support::skip::skipped;

/// A place for the broker's files; its commands need no account.
struct Place(TestEnvironment);

impl Place {
    fn new() -> Self {
        Self(TestEnvironment::new())
    }

    fn folder(&self) -> PathBuf {
        self.0.path("etc")
    }

    fn args<'a>(&self, args: &[&'a str], folder: &'a str) -> Vec<&'a str> {
        [&["client"], args, &["--config-dir", folder]].concat()
    }

    fn succeed(&self, args: &[&str]) -> String {
        self.0.succeed(&self.args(args, &self.folder().display().to_string()))
    }

    fn json(&self, args: &[&str]) -> Value {
        self.0.json(&self.args(args, &self.folder().display().to_string()))
    }

    fn fail(&self, args: &[&str], code: i32) -> String {
        self.0.fail(&self.args(args, &self.folder().display().to_string()), code)
    }

    fn file(&self, client: &str) -> PathBuf {
        self.folder().join(format!("clients/{client}.toml"))
    }

    /// Which client a token is good for, with its name and without.
    fn owner(&self, token: &str) -> Option<String> {
        let (clients, errors) = Clients::load(&self.folder().join("clients"));
        assert!(errors.is_empty(), "{errors:?}");
        let grant = clients.by_token(token.as_bytes())?;
        assert!(clients.by_name(&grant.client, token.as_bytes()).is_some());
        Some(grant.client.clone())
    }
}

fn token(document: &Value) -> String {
    document["token"].as_str().unwrap().to_owned()
}

#[test]
fn a_client_is_added_with_a_token_that_is_shown_once() {
    let place = Place::new();
    let said =
        place.succeed(&["add", "web", "--allow", "www.example.com", "*.lab.example.com", "--from", "192.0.2.0/24"]);
    let token = said.split_whitespace().find(|word| word.starts_with("ipv64b_")).unwrap();
    assert_eq!(token.len(), 50);
    assert_eq!(place.owner(token).as_deref(), Some("web"));
    let file = fs::read_to_string(place.file("web")).unwrap();
    assert!(!file.contains("ipv64b_"), "{file}");
    for words in [
        "each name grants its wildcard too",
        "`*.lab.example.com` is every name below `lab.example.com`",
        "IPV64_BROKER=https://BROKER:8443",
        "HTTPREQ_USERNAME=web",
        &format!("ACMEPROXY_PASSWORD={token}"),
        "dns acmeproxy https://BROKER:8443 {",
        "dns_httpreq_endpoint = ",
        "stands for the broker",
    ] {
        assert!(said.contains(words), "{words}\n---\n{said}");
    }
    assert!(!said.contains("ACMEDNS_"), "{said}");
    assert!(place.0.calls().is_empty());
}

#[test]
fn the_document_of_a_new_client_has_all_that_a_program_needs() {
    let place = Place::new();
    let args = ["add", "cluster", "--allow", "app.example.com", "--acme-dns", "app.example.com"];
    let more =
        ["--calls-per-day", "20", "--not-ready", "fail", "--uid", "1000", "--alias", "_acme-challenge.x.example.net"];
    let document = place.json(&[&args[..], &more].concat());
    assert_eq!(
        fields(&document),
        [
            "acme_dns",
            "alias",
            "allow",
            "broker",
            "calls_per_day",
            "client",
            "file",
            "from",
            "not_ready",
            "shared_with",
            "token",
            "tokens",
            "uid"
        ]
    );
    assert_eq!((&document["client"], &document["allow"][0]), (&"cluster".into(), &"app.example.com".into()));
    assert_eq!(place.owner(&token(&document)).as_deref(), Some("cluster"));
    let account = &document["acme_dns"];
    assert_eq!(fields(account), ["allowfrom", "fulldomain", "password", "subdomain", "username"]);
    assert_eq!(account["fulldomain"], "_acme-challenge.app.example.com");
    let text = |field: &str| account[field].as_str().unwrap().to_owned();
    assert_eq!((text("password").len(), text("username").len(), text("subdomain").len()), (40, 36, 36));
    let (clients, _) = Clients::load(&place.folder().join("clients"));
    let (grant, record) =
        clients.by_acme_dns(&text("username"), text("password").as_bytes(), &text("subdomain")).unwrap();
    assert_eq!(record, DnsName::parse("_acme-challenge.app.example.com").unwrap());
    assert_eq!(admit_name(&grant, &record), Ok(()));
    assert_eq!(clients.by_user(1000).unwrap().client, "cluster");
}

#[test]
fn the_address_is_that_of_the_broker_where_its_files_tell_it() {
    let place = Place::new();
    fs::create_dir(place.folder()).unwrap();
    fs::write(place.folder().join("serve.toml"), "listen = \"127.0.0.1:8080\"").unwrap();
    let said = place.succeed(&["add", "web", "--allow", "a.example", "--alias", "_acme-challenge.b.example"]);
    assert!(said.contains("HTTPREQ_ENDPOINT=http://127.0.0.1:8080\n") && !said.contains("BROKER:8443"), "{said}");
    assert!(said.contains("it may get certificates for `b.example` too"), "{said}");
}

#[test]
fn a_user_of_the_brokers_socket_is_told_the_address_of_that() {
    let place = Place::new();
    fs::create_dir(place.folder()).unwrap();
    fs::write(place.folder().join("serve.toml"), "socket = \"/run/ipv64-acme/broker.sock\"").unwrap();
    let said = place.succeed(&["add", "web", "--allow", "a.example", "--uid", "1000"]);
    assert!(said.contains("The user 1000, without the token: IPV64_BROKER=unix:/run/ipv64-acme/broker.sock"), "{said}");
}

#[test]
fn a_second_run_changes_nothing_and_names_the_way_out() {
    let place = Place::new();
    let first = token(&place.json(&["add", "web", "--allow", "a.example"]));
    let before = fs::read_to_string(place.file("web")).unwrap();
    let said = place.fail(&["add", "web", "--allow", "b.example"], 2);
    assert!(said.contains("ipv64-acme client rotate web") && said.contains("nothing was changed"), "{said}");
    assert_eq!(fs::read_to_string(place.file("web")).unwrap(), before);
    assert_eq!(place.owner(&first).as_deref(), Some("web"));
}

#[test]
fn a_token_is_rotated_without_a_gap() {
    let place = Place::new();
    let first = token(&place.json(&["add", "web", "--allow", "a.example"]));
    let second = token(&place.json(&["rotate", "web"]));
    assert!(place.owner(&first).is_some() && place.owner(&second).is_some());
    assert!(place.succeed(&["rotate", "web", "--drop-old"]).contains("no longer valid"));
    assert!(place.owner(&first).is_none() && place.owner(&second).is_some());
    assert!(place.succeed(&["rotate", "web", "--drop-old"]).contains("no older token"));
    assert!(place.owner(&second).is_some());
    assert_eq!(place.json(&["rotate", "web", "--drop-old"])["dropped"], 0);
}

#[test]
fn a_removed_client_is_gone() {
    let place = Place::new();
    let first = token(&place.json(&["add", "web", "--allow", "a.example"]));
    assert!(place.fail(&["remove", "web"], 2).contains("add --yes"));
    assert!(place.owner(&first).is_some());
    assert_eq!(place.json(&["remove", "web", "--yes"])["status"], "removed");
    assert!(place.owner(&first).is_none() && !place.file("web").exists());
    assert!(place.fail(&["remove", "web", "--yes"], 2).contains("there is no client `web`"));
}

/// Each change is in force at a broker that runs, without a signal.
#[test]
fn a_running_broker_takes_up_every_change() {
    let place = Place::new();
    configure_in(&place.folder(), "listen = '127.0.0.1:0'\n");
    let broker = Broker::run(&place.0, &mut command(&place.0, &place.folder()));
    let address = broker.told("listening on http://");
    let status = |name: &str, token: &str| {
        let body = format!("{{\"name\": \"{name}\", \"value\": \"{}\", \"client\": \"test\"}}", "v".repeat(43));
        let head =
            format!("Host: b\r\nAuthorization: Bearer {token}\r\nConnection: close\r\nContent-Type: application/json");
        let request = format!("POST /v1/cleanup HTTP/1.1\r\n{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let answer = ask(&address, &request).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    let becomes = |token: &str, expected: &str| {
        let until = Instant::now() + Duration::from_secs(60);
        while status("_acme-challenge.name.ipv64.net", token) != expected {
            assert!(Instant::now() < until, "not {expected}: {}", broker.said());
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    becomes("ipv64b_of-nobody", "401");
    let first = token(&place.json(&["add", "web", "--allow", "name.ipv64.net"]));
    becomes(&first, "200");
    assert_eq!(status("_acme-challenge.home.ipv64.net", &first), "403");
    let second = token(&place.json(&["rotate", "web"]));
    becomes(&second, "200");
    assert_eq!(status("_acme-challenge.name.ipv64.net", &first), "200", "both are good");
    place.succeed(&["rotate", "web", "--drop-old"]);
    becomes(&first, "401");
    assert_eq!(status("_acme-challenge.name.ipv64.net", &second), "200");
    place.succeed(&["remove", "web", "--yes"]);
    becomes(&second, "401");
    assert!(place.0.calls().is_empty(), "none of it costs a call");
}

#[test]
fn the_list_shows_what_each_may_do_and_no_token() {
    let place = Place::new();
    assert_eq!(place.succeed(&["list"]), "");
    let first = token(&place.json(&["add", "web", "--allow", "a.example", "*.b.example", "--uid", "7"]));
    place.json(&["add", "mail", "--allow", "mail.example", "--acme-dns", "_acme-challenge.mail.example"]);
    let said = place.succeed(&["list"]);
    assert_eq!(said.lines().count(), 2, "{said}");
    assert!(said.starts_with("mail\t1\tmail.example\t"), "{said}");
    assert!(said.contains("web\t1\ta.example, *.b.example\t\t\t\t\tpending\t7"), "{said}");
    let document = place.json(&["list"]);
    assert_eq!(document["clients"][0]["acme_dns"][0], "_acme-challenge.mail.example");
    assert!(!document.to_string().contains(&first) && !document.to_string().contains("ipv64b_"));
}

/// It may be wanted, so it is no warning.
#[test]
fn names_that_two_clients_have_are_told() {
    let place = Place::new();
    place.json(&["add", "web", "--allow", "a.example", "*.b.example"]);
    assert!(
        !place.succeed(&["add", "mail", "--allow", "b.example", "mail.example"]).contains("overlaps"),
        "no name of it"
    );
    let said = place.succeed(&["add", "host", "--allow", "c.example", "x.b.example"]);
    assert!(said.contains("note    `x.b.example` overlaps with what the client `web` is allowed"), "{said}");
    let clients = place.json(&["list"])["clients"].clone();
    let shared = |client: usize| clients[client]["shared_with"].to_string();
    assert_eq!([0, 1, 2].map(shared), [r#"["web"]"#, "[]", r#"["host"]"#]);
    let said = place.succeed(&["list"]);
    assert!(said.starts_with("host\t1\tc.example, x.b.example\tweb\t"), "{said}");
}

#[test]
fn an_alias_that_undoes_the_protection_of_another_client_is_told_wherever_it_can_be() {
    let place = Place::new();
    let folder = place.folder().display().to_string();
    let run = |args: &[&str]| {
        let finished = place.0.run(&place.args(args, &folder));
        assert!(finished.status.success(), "{}", finished.said());
        finished.stderr
    };
    let told = |text: &str| text.matches("may get certificates for names of the other").count();
    assert_eq!(told(&run(&["add", "mail", "--allow", "mail.example.com"])), 0);
    assert_eq!(told(&run(&["add", "web", "--allow", "a.test", "--alias", "*.example.com"])), 1);
    // Only what is new is told.
    assert_eq!(told(&run(&["add", "home", "--allow", "b.test", "--alias", "home.acme.test"])), 0);
    assert_eq!(told(&run(&["list"])), 1);
    let broker =
        Broker::run(&place.0, &mut command(&place.0, &configure_in(&place.folder(), "listen = '127.0.0.1:0'\n")));
    assert_eq!(told(&broker.said()), 1, "{}", broker.said());
    let mut env = place.0;
    let config = env.path("etc/config.toml");
    fs::write(&config, "").unwrap();
    env.set("IPV64_CONFIG", config.to_str().unwrap());
    let findings = env.json(&["doctor", "--offline"])["findings"].to_string();
    assert!(findings.contains("alias_confusion"), "{findings}");
}

#[test]
fn a_file_that_cannot_be_used_is_told_beside_the_others() {
    let place = Place::new();
    place.json(&["add", "web", "--allow", "a.example"]);
    place.json(&["add", "open", "--allow", "a.example"]);
    fs::set_permissions(place.file("open"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(place.file("damaged"), "allow = [").unwrap();
    fs::set_permissions(place.file("damaged"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::copy(place.file("web"), place.file("copy")).unwrap();
    let folder = place.folder().display().to_string();
    let finished = place.0.run(&place.args(&["list"], &folder));
    assert_eq!(finished.status.code(), Some(2), "{}", finished.said());
    assert!(finished.stdout.contains("web\t1\ta.example"), "{}", finished.said());
    for words in ["damaged.toml", "chmod 640", "`copy` and `web` have the same token"] {
        assert!(finished.stderr.contains(words), "{words}: {}", finished.said());
    }
    assert!(place.fail(&["rotate", "damaged"], 2).contains("cannot be used: line 1"));
}

#[test]
fn a_file_that_another_user_could_have_written_grants_nothing() {
    if !is_root() {
        return skipped("a client file of another user: needs root");
    }
    let place = Place::new();
    let first = token(&place.json(&["add", "web", "--allow", "a.example"]));
    let granted = || Clients::load(&place.folder().join("clients")).0.by_token(first.as_bytes()).is_some();
    let refused = |hint: &str| {
        let folder = place.folder().display().to_string();
        let finished = place.0.run(&place.args(&["list"], &folder));
        assert_eq!(finished.status.code(), Some(2), "{}", finished.said());
        assert!(finished.stderr.contains("client_exposed") && finished.stderr.contains(hint), "{}", finished.said());
        assert!(!granted());
    };
    chown(place.file("web"), Some(1000), None).unwrap();
    refused("chown 0");
    chown(place.file("web"), Some(0), Some(1000)).unwrap();
    assert!(granted(), "a group of its own may read it");
    fs::set_permissions(place.folder().join("clients"), fs::Permissions::from_mode(0o770)).unwrap();
    refused("chmod go-w");
    assert!(place.fail(&["add", "mail", "--allow", "b.example"], 2).contains("chmod go-w"));
}

#[test]
fn what_is_wrong_is_refused_before_anything_is_written() {
    let place = Place::new();
    let table: [(&[&str], &str); 20] = [
        (&["add", "web"], "--allow"),
        (&["add", "web", "--allow"], "--allow"),
        (&["add", "web", "--allow", "*"], "write each domain as `example.com`"),
        (&["add", "web", "--allow", "a.*.example"], "`*.example.com` is every name below"),
        (&["add", "web", "--allow", "192.0.2.1"], "an IP address"),
        (&["add", "web", "--allow", "https://a.example/"], "write `a.example`"),
        (&["add", "web", "--allow", ""], "it is empty"),
        (&["add", "web", "--allow", "a.example", "--alias", "*"], "write each domain"),
        (&["add", "web", "--allow", "a.example", "--from", "a.example"], "is not a network"),
        (&["add", "web", "--allow", "a.example", "--from", "192.0.2.0/33"], "is not a network"),
        (&["add", "web", "--allow", "a.example", "--calls-per-day=-1"], "--calls-per-day"),
        (&["add", "web", "--allow", "a.example", "--calls-per-day", "many"], "--calls-per-day"),
        (&["add", "web", "--allow", "a.example", "--not-ready", "later"], "pending"),
        (&["add", "web", "--allow", "a.example", "--uid", "root"], "--uid"),
        (&["add", "web", "--allow", "a.example", "--acme-dns", "b.example"], "add the name to --allow"),
        (&["add", "Web", "--allow", "a.example"], "write `web`"),
        (&["add", "../web", "--allow", "a.example"], "the name of a client"),
        (&["add", ".web", "--allow", "a.example"], "the name of a client"),
        (&["rotate", "nobody"], "has none"),
        (&["remove", "nobody", "--yes"], "has none"),
    ];
    for (args, words) in table {
        let said = place.fail(args, 2);
        assert!(said.contains(words), "{args:?}: {said}");
        assert!(!place.folder().exists(), "{args:?}");
    }
}

#[test]
fn two_clients_cannot_be_one_user_of_the_machine() {
    let place = Place::new();
    place.json(&["add", "web", "--allow", "a.example", "--uid", "1000"]);
    let said = place.fail(&["add", "mail", "--allow", "b.example", "--uid", "1000"], 2);
    assert!(said.contains("already the client `web`") && !place.file("mail").exists(), "{said}");
}

/// Runs commands on the clients at the same moment, and returns the documents of those that succeed.
fn at_once(place: &Place, commands: &[Vec<&str>]) -> Vec<Value> {
    let folder = place.folder().display().to_string();
    let finished: Vec<_> = std::thread::scope(|scope| {
        let run = |args: &Vec<&str>| place.0.run(&place.args(&[args.as_slice(), &["--json"]].concat(), &folder));
        let threads: Vec<_> = commands.iter().map(|args| scope.spawn(move || run(args))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let succeeded = finished.iter().filter(|finished| finished.status.success());
    succeeded.map(|finished| serde_json::from_str(&finished.stdout).unwrap()).collect()
}

#[test]
fn every_token_is_good_that_commands_at_the_same_moment_have_shown() {
    let place = Place::new();
    let first = token(&place.json(&["add", "web", "--allow", "a.example"]));
    let rotations = at_once(&place, &vec![vec!["rotate", "web"]; 12]);
    assert_eq!(rotations.len(), 12);
    let tokens: Vec<_> = rotations.iter().map(token).chain([first]).collect();
    assert!(tokens.iter().all(|token| place.owner(token).as_deref() == Some("web")), "one of them was lost");
    // The newest one is never dropped, and a command that has shown a token has made it the newest.
    let dropped = at_once(&place, &[vec!["rotate", "web", "--drop-old"], vec!["rotate", "web"]]);
    let newest = dropped.iter().find(|document| document["token"].is_string()).unwrap();
    assert!(place.owner(&token(newest)).is_some());
}

#[test]
fn of_commands_at_the_same_moment_one_adds_a_client_and_one_removes_it() {
    let place = Place::new();
    let added = at_once(&place, &vec![vec!["add", "web", "--allow", "a.example"]; 6]);
    assert_eq!(added.len(), 1);
    assert_eq!(place.owner(&token(&added[0])).as_deref(), Some("web"));
    let names = ["a", "b", "c", "d", "e", "f"];
    let of_one_user = names.map(|name| vec!["add", name, "--allow", "a.example", "--uid", "1000"]);
    assert_eq!(at_once(&place, &of_one_user).len(), 1, "nobody could tell which client the user is");
    for _ in 0..4 {
        let mut commands = vec![vec!["rotate", "web"]; 6];
        commands.insert(3, vec!["remove", "web", "--yes"]);
        at_once(&place, &commands);
        assert!(!place.file("web").exists(), "a client that was removed is there again");
        place.json(&["add", "web", "--allow", "a.example"]);
    }
}

#[test]
fn an_umask_decides_nothing() {
    for umask in ["000", "777"] {
        let place = Place::new();
        let script = format!("umask {umask}; exec ipv64-acme client add web --allow a.example --config-dir etc");
        let finished = crate::support::process::run(place.0.command("/bin/sh").args(["-c", &script]));
        assert!(finished.status.success(), "{umask}: {}", finished.said());
        let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(place.file("web")), 0o640, "{umask}");
        assert_eq!((mode(place.folder()), mode(place.folder().join("clients"))), (0o755, 0o750), "{umask}");
    }
}

#[test]
fn who_may_not_write_there_is_told_what_to_do() {
    let place = Place::new();
    let folder = place.folder();
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    let args = ["client", "add", "web", "--allow", "a.example", "--config-dir", "/proc/1"];
    let finished = place.0.run_without_home(&args);
    assert_eq!(finished.status.code(), Some(1), "{}", finished.said());
    assert!(
        finished.stderr.contains("cannot write") && finished.stderr.contains("--config-dir"),
        "{}",
        finished.said()
    );
    assert!(!finished.said().contains("ipv64b_"));
}
