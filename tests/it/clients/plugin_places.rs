//! The plugin as programs that carry a certbot call it: with an INI file, and with the few seconds that their forms ask for.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use ipv64_acme::sim::Config;

use super::certbot;
use super::plugin::{self, Plugin};
use super::{Client, cases};
use crate::support::process::Finished;
use crate::support::stage::Stage;

/// A program that calls certbot with our plugin.
pub(super) struct Place {
    /// Calls certbot with the key in this INI file and nowhere else, or with a comment in it where a broker has the key.
    call: fn(&Stage, names: &[&str], ini: &str) -> Finished,
    /// The folder of the certificate, below certbot's `live`; empty for the first name.
    folder: &'static str,
}

pub(super) const NGINX_PROXY_MANAGER: Place = Place {
    call: |stage, names, ini| {
        let call = format!(
            "certbot certonly -n --cert-name npm-1 --agree-tos -m me@example.com --preferred-challenges dns --domains '{}' \
             --authenticator dns-ipv64 --dns-ipv64-credentials {ini} --dns-ipv64-propagation-seconds 1 --key-type ecdsa",
            names.join(",")
        );
        Plugin::shell(stage, &format!("unset IPV64_API_KEY\n{call}"))
    },
    folder: "npm-1",
};

pub(super) const SWAG: Place = Place {
    call: |stage, names, ini| {
        let settings = format!(
            "\npreferred-challenges=dns\nauthenticator=dns-ipv64\ndns-ipv64-credentials={ini}\n\
             dns-ipv64-propagation-seconds=1\ndomains={}\n",
            names.join(",")
        );
        let file = stage.path("config/letsencrypt/cli.ini");
        fs::File::options().append(true).open(file).unwrap().write_all(settings.as_bytes()).unwrap();
        // Its list of plugins, by the pattern that it looks for.
        let list = Plugin::shell(stage, "certbot plugins --authenticators 2>/dev/null");
        assert!(list.stdout.contains("EntryPoint(name='dns-ipv64'"), "{}", list.said());
        Plugin::shell(stage, "unset IPV64_API_KEY\ncertbot certonly --non-interactive --renew-by-default")
    },
    folder: "",
};

impl Client for Place {
    fn install(&self, stage: &Stage) {
        plugin::NEWEST.install(stage);
    }

    fn obtain(&self, stage: &Stage, names: &[&str]) -> Finished {
        let ini = stage.path("credentials");
        let text = match stage.variable("IPV64_API_KEY") {
            key if key.is_empty() => "# the broker is set in docker-compose.yml\n".to_owned(),
            key => format!("dns_ipv64_api_key = {key}\n"),
        };
        fs::write(&ini, text).unwrap();
        fs::set_permissions(&ini, fs::Permissions::from_mode(0o600)).unwrap();
        (self.call)(stage, names, &ini.display().to_string())
    }

    fn chain(&self, stage: &Stage, first: &str) -> PathBuf {
        certbot::NEWEST.chain(stage, if self.folder.is_empty() { first } else { self.folder })
    }
}

/// The servers follow later than the seconds that are asked for.
fn obtains_and_renews(place: &Place) {
    const NAMES: [&str; 3] = ["name.ipv64.net", "*.name.ipv64.net", "example.com"];
    let stage = Stage::start(Config::with_delays(&[Duration::from_secs(1), Duration::from_secs(5)]));
    place.install(&stage);
    let finished = place.obtain(&stage, &NAMES);
    assert!(finished.status.success(), "{}", finished.said());
    cases::assert_certified(&stage, place, &NAMES);
    let finished = Plugin::shell(&stage, &format!("unset IPV64_API_KEY\n{}", certbot::RENEW));
    assert!(finished.status.success(), "{}", finished.said());
    cases::assert_certified(&stage, place, &NAMES);
    cases::assert_nothing_left(&stage);
}

#[test]
#[ignore = "needs pebble and certbot 5: run tests/run"]
fn nginx_proxy_manager_gets_and_renews_a_certificate() {
    obtains_and_renews(&NGINX_PROXY_MANAGER);
}

#[test]
#[ignore = "needs pebble and certbot 5: run tests/run"]
fn swag_gets_and_renews_a_certificate() {
    obtains_and_renews(&SWAG);
}
