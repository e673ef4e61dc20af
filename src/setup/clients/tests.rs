use super::*;

fn find(search_path: &str, home: Option<&Path>, exe: &Path) -> Vec<Installed> {
    let machine = Machine {
        root: PathBuf::from("/nowhere"),
        home: home.map(Path::to_owned),
        search_path: search_path.to_owned(),
        ..Machine::default()
    };
    super::find(&machine, exe, Some(&DnsName::parse("name.ipv64.net").unwrap()))
}

#[test]
fn clients_are_found_in_the_path_and_get_their_line() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["certbot", "uacme"] {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    let found = find(folder.path().to_str().unwrap(), None, Path::new("/opt/a/ipv64-acme"));
    let of = |name| found.iter().find(|it| it.name == name).unwrap();
    let uacme = of("uacme");
    assert_eq!(uacme.path, folder.path().join("uacme"));
    assert_eq!(uacme.lines, ["uacme -h /opt/a/ipv64-acme issue name.ipv64.net '*.name.ipv64.net'"]);
    let certbot = of("certbot");
    assert!(certbot.lines[0].contains("pip install certbot-dns-ipv64"), "the plugin comes first: {certbot:?}");
    assert!(certbot.otherwise[0].contains("--manual-auth-hook \"/opt/a/ipv64-acme auth\""), "{certbot:?}");
}

#[test]
fn acme_sh_is_found_below_the_home_folder() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".acme.sh")).unwrap();
    std::fs::write(home.path().join(".acme.sh/acme.sh"), "").unwrap();
    let found = find("", Some(home.path()), Path::new("/x"));
    assert!(found.iter().any(|it| it.name == "acme.sh" && it.path.starts_with(home.path())), "{found:?}");
}

#[test]
fn what_a_package_brought_for_acme_sh_is_copied_from_there() {
    let folder = tempfile::tempdir().unwrap();
    let prefix = fs::canonicalize(folder.path()).unwrap();
    fs::create_dir_all(prefix.join(".acme.sh")).unwrap();
    fs::write(prefix.join(".acme.sh/acme.sh"), "").unwrap();
    let lines = || {
        let found = find("", Some(&prefix), &prefix.join("bin/ipv64-acme"));
        found.into_iter().find(|it| it.name == "acme.sh").unwrap().lines
    };
    assert!(lines()[0].contains("acme.sh --issue"), "{:?}", lines());
    fs::create_dir_all(prefix.join("share/ipv64-acme")).unwrap();
    let at = prefix.display();
    assert_eq!(lines()[0], format!("cp {at}/share/ipv64-acme/dns_ipv64_acme.sh {at}/.acme.sh/dnsapi/"));
}

#[test]
fn unusual_paths_are_quoted() {
    assert_eq!(quoted("/a/b-c.d"), "/a/b-c.d");
    assert_eq!(quoted("/a b/it's"), "'/a b/it'\\''s'");
}
