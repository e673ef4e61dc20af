use tempfile::TempDir;

use super::*;
use crate::broker::pattern::Pattern;
use crate::serve::clients::Clients;
use crate::serve::grant::Grant;

fn file(client: &str) -> ClientFile {
    let grant = Grant {
        client: client.to_owned(),
        allow: vec![Pattern::of_certificates("a.example").unwrap(), Pattern::of_certificates("*.b.example").unwrap()],
        alias: vec!["_acme-challenge.c.example".parse().unwrap()],
        from: vec!["192.0.2.0/24".parse().unwrap()],
        calls_per_day: Some(20),
        not_ready: NotReady::Fail,
    };
    let account = AcmeDnsAccount {
        username: "u".to_owned(),
        key: TokenHash::of(b"key"),
        subdomain: "s".to_owned(),
        record: "_acme-challenge.a.example".parse().unwrap(),
    };
    ClientFile { grant, tokens: vec![TokenHash::of(b"first")], uid: Some(7), acme_dns: vec![account] }
}

/// A folder for clients that is not there yet.
fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let clients = folder.path().join("etc/clients");
    (folder, clients)
}

/// Adds a client as the command does.
fn add(folder: &Path, file: &ClientFile) -> Result<PathBuf> {
    make_folder(folder)?;
    super::add(folder, file)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

#[test]
fn what_is_written_is_read_again() {
    let (_folder, clients) = place();
    let new = file("web");
    let path = add(&clients, &new).unwrap();
    let read = ClientFile::read(&path).unwrap();
    assert_eq!((&read.grant, &read.tokens, read.uid), (&new.grant, &new.tokens, new.uid));
    assert_eq!((mode(&path), mode(&clients), mode(clients.parent().unwrap())), (0o640, 0o750, 0o755));
    let (all, errors) = Clients::load(&clients);
    assert!(errors.is_empty() && all.by_acme_dns("u", b"key", "s").is_some(), "{errors:?}");
    let least = ClientFile { acme_dns: Vec::new(), uid: None, ..file("mail") };
    let least = ClientFile {
        grant: Grant { alias: vec![], from: vec![], not_ready: NotReady::Pending, ..least.grant },
        ..least
    };
    let text = fs::read_to_string(add(&clients, &least).unwrap()).unwrap();
    assert_eq!(text.lines().filter(|line| !line.starts_with('#')).count(), 3, "{text}");
}

#[test]
fn a_client_that_is_there_stays_as_it_is() {
    let (_folder, clients) = place();
    let path = add(&clients, &file("web")).unwrap();
    let before = fs::read_to_string(&path).unwrap();
    let error = add(&clients, &ClientFile { tokens: Vec::new(), ..file("web") }).unwrap_err();
    assert_eq!(error.kind(), Kind::ClientExists);
    assert_eq!(fs::read_to_string(&path).unwrap(), before);
    assert_eq!(fs::read_dir(&clients).unwrap().count(), 1, "nothing is left of the attempt");
}

#[test]
fn a_second_token_is_good_beside_the_first_until_that_is_dropped() {
    let (_folder, clients) = place();
    let path = add(&clients, &file("web")).unwrap();
    let edited = fs::read_to_string(&path).unwrap().replace("uid = 7", "uid = 8 # the mail server");
    fs::write(&path, edited).unwrap();
    let is_good = |token: &[u8]| Clients::load(&clients).0.by_token(token).is_some();
    assert_eq!(add_token(&path, TokenHash::of(b"second")).unwrap(), 2);
    assert!(is_good(b"first") && is_good(b"second"));
    assert_eq!(drop_old_tokens(&path).unwrap(), 2);
    assert!(!is_good(b"first") && is_good(b"second"));
    assert_eq!(drop_old_tokens(&path).unwrap(), 1, "again");
    assert!(is_good(b"second"), "the last token is never dropped");
    assert!(fs::read_to_string(&path).unwrap().contains("uid = 8 # the mail server"));
    assert_eq!(mode(&path), 0o640);
}

#[test]
fn a_client_by_hand_without_tokens_gets_one() {
    let (_folder, clients) = place();
    let path = add(&clients, &file("web")).unwrap();
    fs::write(&path, "allow = [\"a.example\"]\n[[acme_dns]]\nusername = \"u\"\nkey = \"\"\n").unwrap();
    assert_eq!(add_token(&path, TokenHash::of(b"t")).unwrap_err().kind(), Kind::ClientMalformed);
    fs::write(&path, "allow = [\"a.example\"]\n").unwrap();
    assert_eq!(add_token(&path, TokenHash::of(b"t")).unwrap(), 1);
    assert!(Clients::load(&clients).0.by_token(b"t").is_some());
}

#[test]
fn nothing_is_written_where_others_could_replace_it() {
    let (_folder, clients) = place();
    fs::create_dir_all(&clients).unwrap();
    fs::set_permissions(&clients, Permissions::from_mode(0o777)).unwrap();
    assert_eq!(add(&clients, &file("web")).unwrap_err().kind(), Kind::ClientExposed);
    assert_eq!(fs::read_dir(&clients).unwrap().count(), 0);
    let blocked = clients.join("file");
    fs::write(&blocked, "").unwrap();
    assert_eq!(add(&blocked.join("clients"), &file("web")).unwrap_err().kind(), Kind::Unwritable);
}
