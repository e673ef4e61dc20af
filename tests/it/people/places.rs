//! The pages that lead people: every place and client has its way, every page the same parts, and what it says to paste can
//! be read by the program that it is for.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use ipv64_acme::settings::Setting;
use ipv64_acme::sim::CallKind;

use crate::support::environment::TestEnvironment;
use crate::support::process;
use crate::support::values::FIRST;
use crate::support::{page, programs};

/// The parts of a page of a place, in this order.
const PARTS: [&str; 5] = ["Set up", "What you see", "Renewal", "When it fails", "Remove it"];

fn docs(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(below)
}

/// The pages of the places, as their names below `docs` and their texts.
fn places() -> Vec<(String, String)> {
    let folder = docs("places");
    let page = |path: PathBuf| {
        let name = format!("places/{}", path.file_name().unwrap().to_str().unwrap());
        (name, fs::read_to_string(path).unwrap())
    };
    fs::read_dir(folder).unwrap().map(|entry| page(entry.unwrap().path())).collect()
}

/// The fenced blocks of a page, each with its language.
fn blocks(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split("\n```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'))
}

/// The pages of places and clients that a page leads to.
fn ways(page: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(docs(page)).unwrap();
    let links =
        text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap().trim_start_matches("../").to_owned());
    links.filter(|link| link.starts_with("places/") || link.starts_with("clients/")).collect()
}

#[test]
fn every_place_has_a_way_and_the_same_ones_in_german() {
    let ways_of_page = ways("which-way.md");
    for (name, _) in places() {
        assert!(ways_of_page.contains(&name), "docs/which-way.md lacks {name}");
    }
    let german = ways("de/welcher-weg.md");
    assert_eq!(ways_of_page, german, "docs/which-way.md on the left, docs/de/welcher-weg.md on the right");
}

#[test]
fn every_place_says_what_to_paste_and_how_to_be_rid_of_it() {
    for (name, text) in places() {
        let headings: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(headings, PARTS, "{name}");
        let (opening, _) = text.split_once("\n## ").unwrap();
        assert!(opening.contains("Run by our tests: ") || opening.contains("Not run by us: "), "{name}");
    }
}

#[test]
fn every_place_says_what_to_set_with_a_broker() {
    for (name, text) in places() {
        let has_part = text.contains("\n### With a broker\n") || name == "places/several-hosts.md";
        assert!(has_part && text.contains("](../broker.md)"), "{name}");
    }
}

/// What `client add` prints and what pages say to set is the same, name by name.
#[test]
#[cfg(feature = "serve")]
fn pages_say_to_set_what_is_printed_for_a_new_client() {
    use ipv64_acme::secret::Secret;
    use ipv64_acme::serve::client_lines::NewClient;

    let token = Secret::parse("TOKEN").unwrap();
    let new = NewClient { broker: "BROKER", name: "NAME", token: &token, acme_dns: None };
    let printed: Vec<_> = new.lines().into_iter().map(|kind| kind.lines).collect();
    let acme_sh = ("clients/acme-sh.md".to_owned(), fs::read_to_string(docs("clients/acme-sh.md")).unwrap());
    let mut seen = BTreeSet::new();
    for (name, text) in places().into_iter().chain([acme_sh]) {
        // lego reads a file where the variable ends so.
        let words =
            text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').map(|word| word.trim_end_matches("_FILE"));
        let said: BTreeSet<_> =
            words.filter(|word| word.starts_with("HTTPREQ_") || word.starts_with("ACMEPROXY_")).collect();
        let Some(first) = said.first() else { continue };
        let client = first.split('_').next().unwrap();
        let lines = printed.iter().find(|lines| lines[0].starts_with(client)).unwrap();
        let lines: Vec<_> = lines.iter().map(|line| line.split_once('=').unwrap()).collect();
        for variable in &said {
            assert!(lines.iter().any(|(printed, _)| printed == variable), "{name}: {variable}");
        }
        for (variable, value) in lines {
            let is_own = ["BROKER", "NAME", "TOKEN"].contains(&value);
            let forms = ["=VALUE", ": VALUE", ": \"VALUE\""].map(|form| form.replace("VALUE", value));
            let is_set = forms.iter().any(|form| text.contains(&format!("{variable}{form}")));
            assert!(if is_own { said.contains(variable) } else { is_set }, "{name} lacks {variable}={value}");
        }
        seen.insert(client.to_owned());
    }
    assert_eq!(seen, ["HTTPREQ", "ACMEPROXY"].map(str::to_owned).into());
}

#[test]
fn every_variable_of_a_place_is_known() {
    let mut known: BTreeSet<_> = Setting::ALL.iter().map(|setting| setting.environment()).collect();
    known.extend(["IPV64_API_KEY", "IPV64_ACME"].map(str::to_owned));
    for (name, text) in places() {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        for word in words.filter(|word| word.starts_with("IPV64_")) {
            assert!(known.contains(word), "{name}: {word}");
        }
    }
}

/// The pages on which everything that can be pasted is for another program, or for a shell.
const GUIDES: [&str; 7] = [
    "getting-started.md",
    "automation.md",
    "moving.md",
    "upgrade.md",
    "users.md",
    "monitoring.md",
    "de/erste-schritte.md",
];

#[test]
#[ignore = "needs PyYAML: run by tests/run"]
fn blocks_of_places_and_guides_can_be_read() {
    let guide = |name: &str| (name.to_owned(), fs::read_to_string(docs(name)).unwrap());
    let (mut seen, pages) = (0, places().into_iter().chain(GUIDES.map(guide)));
    for (name, text) in pages {
        for (language, block) in blocks(&text) {
            let result = match language {
                "yaml" | "ini" | "json" => page::parsed(block, language).map(drop),
                "sh" => {
                    let finished = process::run(Command::new("sh").args(["-n", "-c", block]));
                    if finished.status.success() { Ok(()) } else { Err(finished.said()) }
                }
                _ => continue,
            };
            seen += 1;
            assert_eq!(result, Ok(()), "{name}:\n{block}");
        }
    }
    assert!(seen > 60, "only {seen} blocks were found");
}

/// Runs lines of a page where only the page says what is set.
fn follow(env: &TestEnvironment, lines: &str) {
    let mut shell = env.command("/bin/sh");
    let finished = process::run(shell.env_remove("IPV64_STATE_DIR").args(["-eu", "-c", lines]));
    assert!(finished.status.success(), "{lines}\n{}", finished.said());
}

#[test]
fn what_stands_in_a_pool_of_truenas_adds_and_removes() {
    let mut env = TestEnvironment::new();
    let pool = env.path("pool");
    fs::create_dir_all(pool.join("ipv64-acme-0-linux")).unwrap();
    std::os::unix::fs::symlink(programs::hook(), pool.join("ipv64-acme-0-linux/ipv64-acme")).unwrap();
    env.set("IPV64_API_KEY", "");
    let key = env.sim.key(0).unwrap().to_owned();
    let block =
        page::shell_block("places/truenas.md", "Set up").replace("/mnt/tank/ipv64", &pool.display().to_string());
    let (make, try_it) = block.split_once("./hook doctor").unwrap();
    let call = |verb: &str| format!("./hook {verb} name.ipv64.net _acme-challenge.name.ipv64.net {FIRST}");
    follow(
        &env,
        &format!("{make}\nprintf %s '{key}' >api-key\n./hook doctor{try_it}\n{}\n{}", call("set"), call("unset")),
    );
    let calls = env.calls();
    for kind in [CallKind::AddRecord, CallKind::DelRecord] {
        assert_eq!(calls.iter().filter(|call| **call == kind).count(), 1, "{calls:?}");
    }
    assert!(pool.join("state/journal.json").exists());
}

#[test]
fn the_key_that_acme_sh_has_saved_is_taken_over() {
    let mut env = TestEnvironment::new();
    env.set("IPV64_API_KEY", "");
    let key = env.sim.key(0).unwrap().to_owned();
    fs::create_dir(env.path(".acme.sh")).unwrap();
    fs::write(
        env.path(".acme.sh/account.conf"),
        format!("\nLOG_LEVEL='1'\nSAVED_IPv64_Token='{key}'\nUSER_PATH='/bin'\n"),
    )
    .unwrap();
    env.set("IPV64_CONFIG", &env.path("conf/config.toml").display().to_string());
    follow(&env, &page::shell_block("moving.md", "From acme.sh"));
    assert_eq!(fs::read_to_string(env.path("conf/api-key")).unwrap().trim(), key);
}

/// Packs a file as the package that brings it to Proxmox, and returns the package's path.
fn package(folder: &Path, version: &str, file: &str) -> String {
    let root = folder.join(version);
    let path = root.join(file.trim_start_matches('/'));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, version).unwrap();
    fs::create_dir(root.join("DEBIAN")).unwrap();
    let control =
        format!("Package: acme-plugins\nVersion: {version}\nArchitecture: all\nMaintainer: a <a@b>\nDescription: c\n");
    fs::write(root.join("DEBIAN/control"), control).unwrap();
    let out = folder.join(format!("{version}.deb"));
    let finished = process::run(Command::new("dpkg-deb").arg("--build").arg(root).arg(&out));
    assert!(finished.status.success(), "{}", finished.said());
    out.display().to_string()
}

#[test]
#[ignore = "needs dpkg: run by tests/run"]
fn what_stands_in_proxmox_outlives_an_upgrade_and_can_be_removed() {
    const FILE: &str = "/usr/share/proxmox-acme/dnsapi/dns_ipv64.sh";
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let root = folder.path().join("root");
    fs::create_dir_all(root.join("var/lib/dpkg/updates")).unwrap();
    fs::create_dir_all(root.join("var/lib/dpkg/info")).unwrap();
    fs::write(root.join("var/lib/dpkg/status"), "").unwrap();
    fs::create_dir_all(root.join("usr/share/ipv64-acme")).unwrap();
    let ours = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("hooks/dns_ipv64_acme.sh")).unwrap();
    fs::write(root.join("usr/share/ipv64-acme/dns_ipv64_acme.sh"), &ours).unwrap();
    let place = root.display().to_string();
    let divert = format!("dpkg-divert --root '{place}'");
    let within = |line: &str| {
        line.replace("dpkg-divert", &divert)
            .replace(" /usr/share/ipv64-acme/", &format!(" {place}/usr/share/ipv64-acme/"))
    };
    let run = |line: &str| {
        let finished = process::run(Command::new("sh").args(["-eu", "-c", line]));
        assert!(finished.status.success(), "{line}\n{}", finished.said());
    };
    let install = |version: &str| {
        run(&format!(
            "dpkg --force-not-root --force-bad-path --root='{place}' --log=/dev/null -i '{}'",
            package(folder.path(), version, FILE)
        ));
    };
    let read = |path: &str| fs::read(root.join(path.trim_start_matches('/'))).unwrap();

    install("1.0");
    let set_up = page::shell_block("places/proxmox.md", "Set up").replace("\\\n", "");
    for line in set_up.lines().filter(|line| line.contains(FILE)) {
        let line =
            if line.starts_with("install") { line.replace(FILE, &format!("{place}{FILE}")) } else { line.to_owned() };
        run(&within(&line));
    }
    assert_eq!(read(FILE), ours);
    install("2.0");
    assert_eq!(read(FILE), ours, "an upgrade has replaced the file");
    let remove = page::shell_block("places/proxmox.md", "Remove it");
    for line in remove.lines().filter(|line| line.contains(FILE)) {
        let line = if line.starts_with("rm") { line.replace(FILE, &format!("{place}{FILE}")) } else { line.to_owned() };
        run(&within(&line));
    }
    assert_eq!(read(FILE), b"2.0");
}
