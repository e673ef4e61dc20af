use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;

use super::*;
use crate::challenge::{Challenge, TxtValue, record_name};

/// A folder of client files.
struct Folder(TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        files.iter().for_each(|(name, text)| folder.write(name, text));
        folder
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    }

    fn load(&self) -> (Clients, Vec<Kind>) {
        let (clients, errors) = Clients::load(self.0.path());
        (clients, errors.iter().map(Error::kind).collect())
    }
}

/// The text of a client with these tokens and more lines.
fn text(tokens: &[&str], more: &str) -> String {
    let hashes: Vec<_> = tokens.iter().map(|token| format!("\"{}\"", TokenHash::of(token.as_bytes()))).collect();
    format!("tokens = [{}]\nallow = [\"a.example\"]\n{more}", hashes.join(", "))
}

fn account(username: &str, key: &str, subdomain: &str, record: &str) -> String {
    let key = TokenHash::of(key.as_bytes());
    format!(
        "[[acme_dns]]\nusername = \"{username}\"\nkey = \"{key}\"\nsubdomain = \"{subdomain}\"\nrecord = \"{record}\"\n"
    )
}

fn client(found: Option<Arc<Grant>>) -> Option<String> {
    found.map(|grant| grant.client.clone())
}

#[test]
fn a_client_is_found_by_each_of_its_tokens_and_by_no_other() {
    let folder = Folder::new(&[
        ("web.toml", &text(&["new", "old"], "")),
        ("mail.toml", &text(&["mail"], "")),
        ("none.toml", &text(&[], "")),
    ]);
    let (clients, errors) = folder.load();
    assert_eq!((clients.len(), errors), (3, vec![]));
    let web = || Some("web".to_owned());
    assert_eq!((client(clients.by_token(b"new")), client(clients.by_token(b"old"))), (web(), web()));
    assert_eq!(client(clients.by_token(b"mail")).as_deref(), Some("mail"));
    for token in ["", "ne", "newx", "other", &TokenHash::of(b"new").to_string()] {
        assert_eq!(client(clients.by_token(token.as_bytes())), None, "{token}");
    }
    assert_eq!(client(clients.by_name("web", b"old")), web());
    for (name, token) in [("mail", "new"), ("web", "mail"), ("WEB", "new"), ("", "new"), ("web", ""), ("none", "")] {
        assert_eq!(client(clients.by_name(name, token.as_bytes())), None, "{name} {token}");
    }
}

#[test]
fn an_account_of_acme_dns_is_one_record() {
    let accounts = account("u", "k", "s", "a.example") + &account("u2", "k2", "s2", "b.example");
    let folder = Folder::new(&[("web.toml", &text(&[], &accounts)), ("other.toml", &text(&["k"], ""))]);
    let (clients, _) = folder.load();
    let found = |user, key: &str, subdomain| {
        clients
            .by_acme_dns(user, key.as_bytes(), subdomain)
            .map(|(grant, record)| (grant.client.clone(), record.to_string()))
    };
    assert_eq!(found("u", "k", "s"), Some(("web".to_owned(), "_acme-challenge.a.example".to_owned())));
    assert_eq!(found("u2", "k2", "s2"), Some(("web".to_owned(), "_acme-challenge.b.example".to_owned())));
    for (user, key, subdomain) in
        [("u", "k", "s2"), ("u", "k2", "s"), ("u2", "k", "s"), ("", "", ""), ("web", "k", "s")]
    {
        assert_eq!(found(user, key, subdomain), None, "{user} {key} {subdomain}");
    }
}

#[test]
fn a_user_of_this_machine_is_found_by_its_number() {
    let folder = Folder::new(&[("web.toml", &text(&[], "uid = 1000")), ("mail.toml", &text(&[], ""))]);
    let (clients, _) = folder.load();
    assert_eq!(client(clients.by_user(1000)).as_deref(), Some("web"));
    assert_eq!((client(clients.by_user(0)), client(clients.by_user(1001))), (None, None));
}

#[test]
fn a_client_is_known_again_by_what_it_has_shown_as_long_as_that_is_good() {
    let accounts = account("u", "k", "s", "a.example");
    let folder = Folder::new(&[("web.toml", &text(&["new"], &format!("uid = 1000\n{accounts}")))]);
    folder.write("mail.toml", &text(&["mail"], ""));
    let (clients, _) = folder.load();
    let is_known = |name: &str, shown: Option<&str>, uid| {
        let mut grant = Grant::clone(&clients.by_token(b"mail").unwrap());
        name.clone_into(&mut grant.client);
        let ask = Ask {
            grant: Arc::new(grant),
            peer: Peer::User(uid),
            shown: shown.map(|text| TokenHash::of(text.as_bytes())),
            challenge: Challenge {
                name: record_name(&"a.example".parse().unwrap()).unwrap(),
                value: TxtValue::random().unwrap(),
            },
            program: "lego".to_owned(),
            calls: Arc::default(),
            found: Arc::default(),
        };
        clients.again(&ask).is_some_and(|grant| grant.client == name)
    };
    for (name, shown, uid) in [("web", Some("new"), 0), ("web", Some("k"), 0), ("web", None, 1000)] {
        assert!(is_known(name, shown, uid), "{name} {shown:?} {uid}");
    }
    for (name, shown, uid) in [
        ("web", Some("old"), 1000),
        ("web", Some("mail"), 0),
        ("gone", Some("new"), 0),
        ("web", None, 0),
        ("mail", None, 1000),
    ] {
        assert!(!is_known(name, shown, uid), "{name} {shown:?} {uid}");
    }
}

#[test]
fn a_file_that_cannot_be_used_takes_no_other_along() {
    let folder = Folder::new(&[
        ("web.toml", &text(&["web"], "")),
        ("damaged.toml", "allow = ["),
        ("unknown.toml", &text(&["unknown"], "admin = true")),
        ("Web.toml", &text(&["capital"], "")),
        ("open.toml", &text(&["open"], "")),
        (".hidden.toml", "damaged"),
        ("web.toml~", "damaged"),
        ("README", "damaged"),
    ]);
    fs::set_permissions(folder.0.path().join("open.toml"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::create_dir(folder.0.path().join("folder.toml")).unwrap();
    let (clients, mut errors) = folder.load();
    errors.sort();
    let malformed = Kind::ClientMalformed;
    assert_eq!(errors, [Kind::ClientUnreadable, Kind::ClientExposed, malformed, malformed, malformed]);
    assert_eq!(client(clients.by_token(b"web")).as_deref(), Some("web"));
    for token in ["unknown", "capital", "open"] {
        assert_eq!(client(clients.by_token(token.as_bytes())), None, "{token}");
    }
}

#[test]
fn what_two_clients_have_is_good_for_neither() {
    let one = text(&["one", "both"], "uid = 7\n") + &account("u", "k", "s", "a.example");
    let other = text(&["both", "other"], "uid = 7\n") + &account("u", "k", "s", "b.example");
    let folder =
        Folder::new(&[("one.toml", &one), ("other.toml", &other), ("third.toml", &text(&["third"], "uid = 8"))]);
    let (clients, errors) = folder.load();
    assert_eq!(errors, [Kind::ClientShared; 3]);
    assert_eq!(client(clients.by_token(b"both")), None);
    assert_eq!((client(clients.by_name("one", b"both")), client(clients.by_user(7))), (None, None));
    assert!(clients.by_acme_dns("u", b"k", "s").is_none());
    assert_eq!(client(clients.by_token(b"one")).as_deref(), Some("one"));
    assert_eq!(client(clients.by_token(b"other")).as_deref(), Some("other"));
    assert_eq!(client(clients.by_user(8)).as_deref(), Some("third"));
    let (_, told) = Clients::load(folder.0.path());
    assert!(told[0].to_string().contains("`one` and `other`"), "{:?}", told[0]);
}

#[test]
fn a_folder_that_is_not_there_has_no_clients() {
    let folder = tempfile::tempdir().unwrap();
    let (clients, errors) = Clients::load(&folder.path().join("clients"));
    assert!(clients.is_empty() && errors.is_empty());
    assert_eq!(client(clients.by_token(b"")), None);
}
