use std::os::unix::fs::PermissionsExt as _;

use super::*;

const KEY: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn a_renewal_file_says_by_which_plugin() {
    for (text, by) in [
        ("version = 2.1.0\n[renewalparams]\naccount = 1\nauthenticator = manual\nserver = x\n", Some("manual")),
        ("[renewalparams]\n  authenticator=dns-ipv64  \r\n", Some("dns-ipv64")),
        ("authenticator = manual\n[renewalparams]\n", None),
        ("[renewalparams]\n[acme_renewal_info]\nauthenticator = manual\n", None),
        ("[renewalparams]\nauthenticator\n", None),
        ("", None),
        ("\0\u{fffd}[renewalparams", None),
    ] {
        assert_eq!(authenticator(text), by, "{text:?}");
    }
}

#[test]
fn what_a_shell_would_run_stays_text() {
    for (text, value) in [
        ("HOOK=/a/b\n", Some("/a/b")),
        ("  HOOK=\"/a b/c\" # mine\n", Some("/a b/c")),
        ("HOOK='/a'\nHOOK=/b # later\n", Some("/b")),
        ("HOOK=\"$(touch /tmp/x)\"", Some("$(touch /tmp/x)")),
        ("HOOK=\"unclosed", Some("unclosed")),
        ("#HOOK=/a\nHOOK_CHAIN=yes\nHOOK =/a\n", None),
        ("HOOK=\nHOOK=''\n", None),
        ("HOOK=é", Some("é")),
    ] {
        assert_eq!(assigned(text, "HOOK"), value, "{text:?}");
    }
}

#[test]
fn what_a_shell_would_expand_is_no_key() {
    let of = |value: &str| key_of_acme_sh(&format!("LOG_LEVEL='1'\nSAVED_IPv64_Token={value}\n"));
    assert_eq!(of(&format!("'{KEY}'")).unwrap().expose(), KEY);
    for value in ["", "''", "'__ACME_BASE64__START_YWJj__ACME_BASE64__END_'", "'$(id)'", "'a b'", "'a\"b'"] {
        assert!(of(value).is_none(), "{value}");
    }
    assert!(key_of_acme_sh(&format!("IPv64_Token='{KEY}'\n#SAVED_IPv64_Token='{KEY}'\n")).is_none());
}

/// A machine on which nothing is installed.
fn machine(root: &Path) -> Machine {
    Machine { root: root.to_owned(), home: Some(root.join("root")), ..Machine::default() }
}

fn write(root: &Path, below: &str, text: impl AsRef<[u8]>) {
    let path = root.join(below);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn what_each_client_has_is_told_and_no_key() {
    let root = tempfile::tempdir().unwrap();
    let renewal = |by: &str| format!("[renewalparams]\nauthenticator = {by}\n");
    for (name, by) in [("a.example", "manual"), ("b.example", "dns-multi"), ("c.example", "webroot")] {
        write(root.path(), &format!("etc/letsencrypt/renewal/{name}.conf"), renewal(by));
    }
    for file in ["_.d.example.crt", "_.d.example.issuer.crt", "_.d.example.key"] {
        write(root.path(), &format!("root/.lego/certificates/{file}"), "");
    }
    write(root.path(), "etc/dehydrated/config", "HOOK=/etc/dehydrated/hook.sh\n");
    write(root.path(), "root/.acme.sh/account.conf", format!("SAVED_IPv64_Token='{KEY}'\n"));
    let found = look(&machine(root.path()));
    let said: Vec<_> = found.iter().map(|it| format!("{} {}", it.client, it.what)).collect();
    assert_eq!(
        said,
        [
            "certbot renews a.example (manual), b.example (dns-multi)",
            "lego has certificates for *.d.example",
            "dehydrated calls the hook `/etc/dehydrated/hook.sh`",
            "acme.sh has saved an API key",
        ]
    );
    assert!(!format!("{found:?}").contains(KEY));
}

#[test]
fn what_is_damaged_huge_or_no_file_costs_one_line() {
    let root = tempfile::tempdir().unwrap();
    let huge = vec![b'x'; 2 * 1024 * 1024];
    write(root.path(), "etc/letsencrypt/renewal/huge.conf", &huge);
    write(root.path(), "etc/letsencrypt/renewal/damaged.conf", b"\xff\xfe\0[renewalparams]\n");
    fs::create_dir_all(root.path().join("etc/letsencrypt/renewal/folder.conf")).unwrap();
    for (name, target) in [("device", "/dev/zero"), ("loop", "loop.conf")] {
        let link = root.path().join(format!("etc/letsencrypt/renewal/{name}.conf"));
        std::os::unix::fs::symlink(target, link).unwrap();
    }
    let pipe = root.path().join("etc/letsencrypt/renewal/pipe.conf");
    assert!(std::process::Command::new("mkfifo").arg(pipe).status().unwrap().success());
    fs::create_dir_all(root.path().join("etc/dehydrated/config")).unwrap();
    write(root.path(), "root/.acme.sh/account.conf", &huge);
    write(root.path(), "root/.lego/certificates", "no folder");
    let said: Vec<_> = look(&machine(root.path())).into_iter().map(|it| format!("{} {}", it.client, it.what)).collect();
    assert_eq!(said.len(), 3, "{said:?}");
    assert_eq!(said[0], "certbot has files that cannot be read, and were passed over: 6");
    assert!(said[1].starts_with("dehydrated has a file that was passed over: "), "{said:?}");
    assert!(said[2].starts_with("acme.sh has a file that was passed over: "), "{said:?}");
    assert!(look(&machine(Path::new("/nowhere"))).is_empty());
}

#[test]
fn a_key_that_others_can_put_there_is_not_taken_over_and_one_that_they_can_read_is_told() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "root/.acme.sh/account.conf", format!("SAVED_IPv64_Token='{KEY}'\n"));
    let file = root.path().join("root/.acme.sh/account.conf");
    for (mode, is_taken, is_exposed) in
        [(0o600, true, false), (0o644, true, true), (0o666, false, true), (0o620, false, true)]
    {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        match saved_key(&machine(root.path())) {
            Ok(saved) => {
                assert!(is_taken, "{mode:o}");
                assert_eq!(saved.unwrap().exposure.is_some(), is_exposed, "{mode:o}");
            }
            Err(told) => assert!(!is_taken && told.what.contains("others may write"), "{mode:o}: {told:?}"),
        }
    }
}

#[test]
fn a_pipe_in_place_of_the_saved_key_is_told_without_waiting() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("root/.acme.sh")).unwrap();
    let pipe = root.path().join("root/.acme.sh/account.conf");
    assert!(std::process::Command::new("mkfifo").arg(pipe).status().unwrap().success());
    assert!(saved_key(&machine(root.path())).unwrap_err().what.contains("not a regular file"));
}
