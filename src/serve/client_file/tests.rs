use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

const HASH: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn parse(text: &str) -> Result<ClientFile> {
    ClientFile::parse(Path::new("/etc/ipv64-acme/clients/web.toml"), text)
}

#[test]
fn every_field_is_read() {
    let file = parse(&format!(
        "tokens = [\"{HASH}\"]\nallow = [\"Bücher.example\", \"*.example.com\"]\nalias = [\"_acme-challenge.a.example\"]\n\
         from = [\"192.0.2.0/24\", \"2001:db8::1\"]\ncalls_per_day = 20\nnot_ready = \"fail\"\nuid = 1000\n\
         [[acme_dns]]\nusername = \"u\"\nkey = \"{HASH}\"\nsubdomain = \"s\"\nrecord = \"a.example.com\"\n"
    ))
    .unwrap();
    let words = |patterns: &[Pattern]| patterns.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(file.grant.client, "web");
    assert_eq!(words(&file.grant.allow), ["xn--bcher-kva.example", "*.example.com"]);
    assert_eq!(words(&file.grant.alias), ["_acme-challenge.a.example"]);
    assert_eq!(file.grant.from.len(), 2);
    assert_eq!((file.grant.calls_per_day, file.grant.not_ready, file.uid), (Some(20), NotReady::Fail, Some(1000)));
    assert_eq!(file.tokens, [TokenHash::of(b"abc")]);
    assert_eq!(file.acme_dns[0].record.as_str(), "_acme-challenge.a.example.com");
    let least = parse("allow = []").unwrap();
    assert_eq!((least.grant.not_ready, least.grant.calls_per_day, least.uid), (NotReady::Pending, None, None));
}

#[test]
fn a_mistake_is_told_with_its_line_and_never_shows_a_token() {
    let table = [
        ("", "missing field `allow`"),
        ("tokens = [\"ipv64b_secret-secret\"]\nallow = []", "64 hexadecimal digits"),
        ("tokens = \"ipv64b_secret-secret\"\nallow = []", "********"),
        ("allow = []\nipv64b_secret-secret = 1", "********"),
        ("allow = []\n\nallows = [\"a.example\"]", "line 3: unknown field `allows`"),
        ("allow = [\"*\"]", "write each domain as `example.com`"),
        ("allow = []\nfrom = [\"192.0.2.0/33\"]", "write `192.0.2.0/24`"),
        ("allow = []\nfrom = [\"example.com\"]", "`example.com` is not a network"),
        ("allow = []\ncalls_per_day = -1", "line 2"),
        ("allow = []\nnot_ready = \"later\"", "unknown variant `later`, expected `pending` or `fail`"),
        ("allow = []\nuid = \"root\"", "line 2"),
        ("allow = []\n[[acme_dns]]\nusername = \"u\"", "missing field"),
        ("allow = [", "line 1"),
        ("\u{1b}[31m", "line 1"),
    ];
    for (text, words) in table {
        let error = parse(text).map(drop).unwrap_err();
        let message = error.to_string();
        assert!(message.contains(words), "{text:?}: {message}");
        assert!(!message.contains("secret") && !message.contains('\u{1b}'), "{message}");
        assert_eq!(error.kind(), Kind::ClientMalformed);
        assert!(error.hint().is_some());
    }
}

#[test]
fn the_name_of_a_file_is_the_name_of_a_client() {
    for name in ["web", "web-1", "nas.home", "a_b", "9"] {
        assert_eq!(check_name(name), Ok(()), "{name}");
    }
    for name in ["", ".web", "-web", "a b", "a/b", "..", "ü", "a:b", "web\n", &"a".repeat(65)] {
        assert!(check_name(name).is_err(), "{name}");
    }
    assert!(check_name("NAS").unwrap_err().ends_with("write `nas`"));
}

#[test]
fn a_file_that_others_can_read_or_change_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("web.toml");
    fs::write(&path, "allow = []").unwrap();
    let with_mode = |mode| {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        ClientFile::read(&path)
    };
    for mode in [0o600, 0o640, 0o440] {
        assert!(with_mode(mode).is_ok(), "{mode:o}");
    }
    for (mode, hint) in [(0o644, "chmod 640"), (0o604, "chmod 640"), (0o660, "chmod go-w"), (0o622, "chmod go-w")] {
        let error = with_mode(mode).map(drop).unwrap_err();
        assert_eq!(error.kind(), Kind::ClientExposed, "{mode:o}");
        assert!(error.hint().is_some_and(|it| it.contains(hint)), "{mode:o}: {error:?}");
    }
}

#[test]
fn what_is_no_file_ends_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("web.toml");
    assert_eq!(ClientFile::read(&missing).map(drop).unwrap_err().kind(), Kind::ClientUnreadable);
    fs::create_dir(&missing).unwrap();
    assert_eq!(ClientFile::read(&missing).map(drop).unwrap_err().kind(), Kind::ClientUnreadable);
    let huge = folder.path().join("huge.toml");
    fs::write(&huge, " ".repeat(70_000)).unwrap();
    fs::set_permissions(&huge, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(ClientFile::read(&huge).map(drop).unwrap_err().to_string().contains("longer than"));
}
