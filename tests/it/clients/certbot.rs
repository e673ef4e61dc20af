//! certbot with the manual hooks: Debian's version and the newest one.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::{Client, cases, with_names};
use crate::support::page;
use crate::support::process::Finished;
use crate::support::programs;
use crate::support::stage::Stage;

const PAGE: &str = "clients/certbot.md";

pub(super) const RENEW: &str = "certbot renew --force-renewal --no-random-sleep-on-renew";

/// One installed version of certbot.
pub(super) struct Certbot {
    program: fn() -> PathBuf,
}

pub(super) const DEBIAN: Certbot = Certbot { program: || programs::system("certbot") };
pub(super) const NEWEST: Certbot = Certbot { program: || programs::python_environment("certbot") };

impl Certbot {
    /// Returns the command of certbot's page, asking for these names.
    pub(super) fn block(names: &[&str]) -> String {
        with_names(&page::shell_block(PAGE, "Get a certificate"), names)
    }

    /// Returns what certbot's environment has to hold on a stage.
    pub(super) fn variables(stage: &Stage) -> [(&'static str, String); 2] {
        [
            ("XDG_CONFIG_HOME", stage.path("config").display().to_string()),
            ("REQUESTS_CA_BUNDLE", stage.pebble.server_certificate().display().to_string()),
        ]
    }
}

/// Writes what no page shows, because it belongs to the test, into certbot's own configuration file, for an
/// `XDG_CONFIG_HOME` of this name.
pub(crate) fn configure(stage: &Stage, folder: &str) {
    let options = [
        format!("server = {}", stage.pebble.directory()),
        format!("config-dir = {}", stage.path("certbot").display()),
        format!("work-dir = {}", stage.path("certbot-work").display()),
        format!("logs-dir = {}", stage.path("certbot-logs").display()),
        "non-interactive = true\nagree-tos = true\nregister-unsafely-without-email = true".to_owned(),
    ];
    let place = stage.path(folder).join("letsencrypt");
    fs::create_dir_all(&place).unwrap();
    fs::write(place.join("cli.ini"), options.join("\n")).unwrap();
}

impl Client for Certbot {
    fn install(&self, stage: &Stage) {
        stage.put_into_path("certbot", &(self.program)());
        configure(stage, "config");
    }

    fn obtain(&self, stage: &Stage, names: &[&str]) -> Finished {
        stage.shell(&Self::block(names), &Self::variables(stage))
    }

    fn chain(&self, stage: &Stage, first: &str) -> PathBuf {
        stage.path("certbot/live").join(first).join("fullchain.pem")
    }
}

cases::for_client!(debian, DEBIAN);
cases::for_client!(newest, NEWEST);

/// In one `certbot renew` the hooks of the second certificate still see variables of the first.
fn renews_two_certificates_in_one_run(certbot: &Certbot) {
    let stage = cases::stage_for(certbot);
    let certificates = [["name.ipv64.net", "*.name.ipv64.net"], ["example.com", "www.example.com"]];
    for names in &certificates {
        let finished = certbot.obtain(&stage, names);
        assert!(finished.status.success(), "{}", finished.said());
    }
    let before = certificates.map(|names| fs::read(certbot.chain(&stage, names[0])).unwrap());
    let finished = stage.shell(RENEW, &Certbot::variables(&stage));
    assert!(finished.status.success(), "{}", finished.said());
    for (names, before) in certificates.iter().zip(before) {
        assert_ne!(fs::read(certbot.chain(&stage, names[0])).unwrap(), before);
        cases::assert_certified(&stage, certbot, names);
    }
    cases::assert_nothing_left(&stage);
}

#[test]
#[ignore = "needs pebble, certbot and lego: run tests/run"]
fn debian_renews_two_certificates_in_one_run() {
    renews_two_certificates_in_one_run(&DEBIAN);
}

#[test]
#[ignore = "needs pebble, certbot and lego: run tests/run"]
fn newest_renews_two_certificates_in_one_run() {
    renews_two_certificates_in_one_run(&NEWEST);
}

#[test]
#[ignore = "needs pebble, certbot and lego: run tests/run"]
fn three_names_stay_within_the_limits_of_the_account() {
    let mut stage = cases::stage_for(&NEWEST);
    stage.enforce_limits();
    let names = ["name.ipv64.net", "*.name.ipv64.net", "example.com"];
    let finished = NEWEST.obtain(&stage, &names);
    assert!(finished.status.success(), "{}", finished.said());
    cases::assert_certified(&stage, &NEWEST, &names);
    assert!(stage.sim.api_calls().iter().all(|call| call.refused_by.is_none()), "{:#?}", stage.sim.api_calls());
}

/// A timer does not have the variables of the shell in which the certificate was asked for.
#[test]
#[ignore = "needs pebble, certbot and lego: run tests/run"]
fn renews_with_the_key_file_that_the_hooks_name() {
    const NAMES: [&str; 2] = ["name.ipv64.net", "*.name.ipv64.net"];
    let mut stage = cases::stage_for(&DEBIAN);
    let key_file = stage.path("key");
    fs::write(&key_file, stage.sim.key(0).unwrap()).unwrap();
    fs::set_permissions(&key_file, fs::Permissions::from_mode(0o600)).unwrap();
    stage.set_variable("IPV64_API_KEY", "");
    let block = page::shell_block(PAGE, "Renew in the background");
    let block = block.replace("/root/ipv64.key", &key_file.display().to_string());
    for command in [block.as_str(), RENEW] {
        let finished = stage.shell(command, &Certbot::variables(&stage));
        assert!(finished.status.success(), "{}", finished.said());
        cases::assert_certified(&stage, &DEBIAN, &NAMES);
    }
}
