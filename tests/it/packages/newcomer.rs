//! As somebody who has just installed Debian: the package, `init`, `doctor`, `test`, then certbot with the line that `init`
//! printed. `tests/debian` makes the system, in a folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ipv64_acme::sim::Config;

use crate::support::certificate;
use crate::support::stage::Stage;
use crate::support::terminal::Terminal;

const NAME: &str = "name.ipv64.net";
const PROMPT: &str = "root@debian:~# ";
/// Becomes a shell in the system in `$0`, with what programs expect of a running one.
const ENTER: &str = "mount -t proc proc \"$ROOT/proc\"; mount --bind /dev/pts \"$ROOT/dev/pts\"; \
                     exec chroot \"$ROOT\" sh -c \"cd; exec bash --noprofile --norc --noediting\"";

fn given(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable).unwrap_or_else(|| panic!("{variable} is not set: run tests/debian"));
    fs::canonicalize(path).unwrap()
}

/// What belongs to the test and not to the newcomer: the addresses of the simulation, and the CA that certbot asks.
fn surroundings(stage: &Stage, root: &Path) -> Command {
    let home = root.join("root");
    fs::copy(stage.pebble.server_certificate(), home.join("ca.pem")).unwrap();
    fs::create_dir_all(home.join(".config/letsencrypt")).unwrap();
    let options =
        format!("server = {}\nagree-tos = true\nregister-unsafely-without-email = true\n", stage.pebble.directory());
    fs::write(home.join(".config/letsencrypt/cli.ini"), options).unwrap();
    let mut command = stage.command("/bin/sh");
    for variable in ["IPV64_API_KEY", "IPV64_STATE_DIR", "IPV64_CONFIG"] {
        command.env_remove(variable);
    }
    command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    command.env("ROOT", root).env("HOME", "/root").env("LANG", "C.UTF-8").env("REQUESTS_CA_BUNDLE", "/root/ca.pem");
    command
}

#[test]
#[ignore = "needs a Debian system in a folder: run by tests/debian"]
fn newcomers_get_from_the_package_to_the_certificate() {
    let (root, package) = (given("DEBIAN_ROOT"), given("DEBIAN_PACKAGE"));
    let package_name = package.file_name().unwrap().to_str().unwrap();
    fs::copy(&package, root.join("root").join(package_name)).unwrap();
    let mut stage = Stage::start(Config::default());
    stage.enforce_limits();
    let key = stage.sim.key(0).unwrap().to_owned();
    let shell = format!("exec unshare --mount --pid --fork --kill-child sh -ec '{ENTER}'");
    let mut terminal = Terminal::start(surroundings(&stage, &root), &shell, PROMPT);

    terminal.run(&format!("dpkg -i {package_name}"));
    let init = terminal.run_and_answer("ipv64-acme init", "API key", &key);
    terminal.run(&format!("ipv64-acme doctor {NAME}"));
    terminal.run(&format!("ipv64-acme test {NAME}"));
    let line = init.lines().find_map(|line| line.strip_prefix("  certbot ")).expect("init shows a line for certbot");
    terminal.run(&format!("certbot {}", line.replace("DOMAIN", NAME)));
    terminal.run("ipv64-acme status");

    let screen = terminal.screen();
    if let Some(place) = std::env::var_os("TRANSCRIPT") {
        fs::write(place, &screen).unwrap();
    }
    for words in ["0 errors, 0 warnings", ": removed", "Successfully received certificate"] {
        assert!(screen.contains(words), "{words}\n{screen}");
    }
    let unwanted = [key.as_str(), "error:", "error[", "warning:", "warning["];
    assert!(!unwanted.iter().any(|text| screen.contains(text)), "{screen}");
    let chain = root.join("etc/letsencrypt/live").join(NAME).join("fullchain.pem");
    assert_eq!(certificate::names(&fs::canonicalize(within(&root, &chain)).unwrap()).len(), 2);
    assert!(stage.sim.records_left().is_empty());
}

/// Where a link of the system in the folder leads.
fn within(root: &Path, link: &Path) -> PathBuf {
    let target = fs::read_link(link).unwrap();
    if target.is_absolute() {
        root.join(target.strip_prefix("/").unwrap())
    } else {
        link.parent().unwrap().join(target)
    }
}
