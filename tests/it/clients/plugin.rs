//! certbot with our plugin: Debian's version and the newest one. The plugin is loaded from the repository, in a folder that
//! looks as `pip install --target` leaves it; that the wheels make such a folder is shown by `tests/wheels`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipv64_acme::sim::Config;

use super::certbot::{self, Certbot};
use super::{Client, cases, with_names};
use crate::support::page;
use crate::support::process::Finished;
use crate::support::programs;
use crate::support::stage::Stage;

pub(super) const PAGE: &str = "clients/certbot-plugin.md";

/// One version of certbot with the plugin.
pub(super) struct Plugin {
    certbot: &'static Certbot,
}

pub(super) const DEBIAN: Plugin = Plugin { certbot: &certbot::DEBIAN };
pub(super) const NEWEST: Plugin = Plugin { certbot: &certbot::NEWEST };

impl Plugin {
    pub(super) fn shell(stage: &Stage, script: &str) -> Finished {
        let mut variables = Certbot::variables(stage).to_vec();
        variables.push(("CERTBOT_PLUGIN_PATH", stage.path("plugin").display().to_string()));
        stage.shell(script, &variables)
    }
}

/// Makes the folder that `CERTBOT_PLUGIN_PATH` names: both packages as they are installed, and a program.
pub(crate) fn lay_out(stage: &Stage) {
    let hooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("hooks");
    // What an installed package looks like (Python's "entry points" specification).
    let metadata = stage.path("plugin/certbot_dns_ipv64-0.dist-info");
    fs::create_dir_all(&metadata).unwrap();
    symlink(hooks.join("certbot-dns-ipv64/python/certbot_dns_ipv64"), stage.path("plugin/certbot_dns_ipv64")).unwrap();
    symlink(hooks.join("ipv64-acme-wheel/ipv64_acme"), stage.path("plugin/ipv64_acme")).unwrap();
    fs::create_dir(stage.path("plugin/bin")).unwrap();
    symlink(programs::hook(), stage.path("plugin/bin/ipv64-acme")).unwrap();
    fs::write(metadata.join("METADATA"), "Metadata-Version: 2.1\nName: certbot-dns-ipv64\nVersion: 0\n").unwrap();
    let entry = "[certbot.plugins]\ndns-ipv64 = certbot_dns_ipv64:Authenticator\n";
    fs::write(metadata.join("entry_points.txt"), entry).unwrap();
}

impl Client for Plugin {
    fn install(&self, stage: &Stage) {
        self.certbot.install(stage);
        lay_out(stage);
        // The program is in that folder, and not in PATH.
        fs::remove_file(stage.path("bin/ipv64-acme")).unwrap();
    }

    fn obtain(&self, stage: &Stage, names: &[&str]) -> Finished {
        // The simulation's variables have the key, as `init` would have stored it.
        Self::shell(stage, &with_names(&page::shell_block(PAGE, "Get a certificate"), names))
    }

    fn chain(&self, stage: &Stage, first: &str) -> PathBuf {
        self.certbot.chain(stage, first)
    }
}

cases::for_client!(debian, DEBIAN, "Debian's certbot");
cases::for_client!(newest, NEWEST, "certbot 5");

/// All that the page says on it, from the empty file to the certificate.
#[test]
#[ignore = "needs pebble and certbot: run tests/run"]
fn debian_takes_the_key_from_an_ini_file() {
    const SECTION: &str = "With the key in an INI file";
    let stage = cases::stage_for(&DEBIAN);
    let [make, ask] = &page::blocks(PAGE, SECTION, "sh")[..] else { panic!("two sh blocks") };
    let line = page::block(PAGE, SECTION, "ini").replace("0123456789abcdef", &stage.variable("IPV64_API_KEY"));
    let script = format!("unset IPV64_API_KEY\n{make}\necho '{line}' >/etc/ipv64-acme/certbot.ini\n{ask}");
    let finished = Plugin::shell(&stage, &script.replace("/etc/ipv64-acme", &stage.path("etc").display().to_string()));
    assert!(finished.status.success(), "{}", finished.said());
    cases::assert_certified(&stage, &DEBIAN, &["name.ipv64.net", "*.name.ipv64.net"]);
}

#[test]
#[ignore = "needs pebble and certbot: run tests/run"]
fn debian_and_newest_list_the_plugin() {
    for plugin in [&DEBIAN, &NEWEST] {
        let stage = cases::stage_for(plugin);
        let finished = Plugin::shell(&stage, "certbot plugins");
        assert!(finished.stdout.contains("* dns-ipv64"), "{}", finished.said());
    }
}

/// Forms ask for 10 or 30 seconds, for plugins that only pause.
#[test]
#[ignore = "needs pebble and certbot: run tests/run"]
fn debian_and_newest_take_no_propagation_time_for_a_limit() {
    for plugin in [&DEBIAN, &NEWEST] {
        let stage = Stage::start(Config::with_delays(&[Duration::from_secs(1), Duration::from_secs(5)]));
        plugin.install(&stage);
        let names = ["name.ipv64.net", "*.name.ipv64.net"];
        let block = page::shell_block(PAGE, "Get a certificate");
        let finished = Plugin::shell(&stage, &format!("{block} --dns-ipv64-propagation-seconds 1"));
        assert!(finished.status.success(), "{}", finished.said());
        cases::assert_certified(&stage, plugin, &names);
        cases::assert_nothing_left(&stage);
    }
}

#[test]
#[ignore = "needs pebble and certbot: run tests/run"]
fn newest_waits_once_for_ten_names() {
    let names: Vec<_> = (0..10).map(|number| format!("host{number}.name.ipv64.net")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let stage = cases::stage_for(&NEWEST);
    let finished = NEWEST.obtain(&stage, &names);
    assert!(finished.status.success(), "{}", finished.said());
    cases::assert_certified(&stage, &NEWEST, &names);
    cases::assert_nothing_left(&stage);
    let added: Vec<_> = stage.sim.records().iter().filter_map(|record| record.life.added).collect();
    let took = *added.iter().max().unwrap() - *added.iter().min().unwrap();
    assert!(took < cases::SLOWEST * 9, "something waited between the additions: {took:?}");
}
