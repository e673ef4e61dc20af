//! The clients on a machine without the key, whose hook asks a real broker on another host: each gets the certificate that it gets with
//! the key, by the same command, with the settings that its page has for a broker.

use std::fs;

use ipv64_acme::sim::CallKind;

use super::cases::{assert_certified, assert_nothing_left, calls, stage_for};
use super::plugin::Plugin;
use super::{
    Client, acme_sh, acmetool, apache, certbot, dehydrated, dns_multi, lego, plugin, plugin_places, traefik, uacme,
    with_names,
};
use crate::broker::server::{Broker, certificate, client as broker_client, configure_in, replace, tls_on};
use crate::support::network::TwoHosts;
use crate::support::page;
use crate::support::programs;
use crate::support::stage::Stage;

const NAMES: [&str; 2] = ["name.ipv64.net", "*.name.ipv64.net"];

/// Where a machine has the address of its broker.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Variables,
    /// Where `init` puts it: in the configuration file.
    File,
}

/// Puts a broker on the other host, and takes the key from the machine with the clients.
pub(super) fn move_to_broker(stage: &mut Stage, hosts: &TwoHosts, place: Place) -> Broker {
    let folder = configure_in(&stage.path("broker"), &tls_on(hosts.far()));
    certificate(&folder, "broker", (2020, 2040));
    let token = stage.path("token");
    replace(&token, broker_client(&folder, ""), 0o600);
    let mut serve = stage.command(programs::hook());
    serve.arg("serve").arg("--config-dir").arg(&folder).env("IPV64_STATE_DIR", stage.path("broker/state"));
    let broker = Broker::run_in(&folder, &mut hosts.move_to_far(serve));
    let address = format!("https://{}", broker.told("listening on https://"));
    // Nobody answers there.
    stage.set_variable("IPV64_API_URL", "http://127.0.0.1:1/api");
    stage.set_variable("IPV64_API_KEY", "");
    stage.set_variable("IPV64_CA_FILE", folder.join("cert.pem").to_str().unwrap());
    match place {
        Place::Variables => {
            stage.set_variable("IPV64_BROKER", &address);
            stage.set_variable("IPV64_BROKER_TOKEN_FILE", token.to_str().unwrap());
        }
        Place::File => {
            stage.set_variable("IPV64_CONFIG", stage.path("config.toml").to_str().unwrap());
            let init = format!("{} init --broker {address} --stdin <{}", programs::hook().display(), token.display());
            let finished = stage.shell(&init, &[]);
            assert!(finished.status.success(), "{}", finished.said());
        }
    }
    broker
}

fn obtains(client: &dyn Client, place: Place) {
    let hosts = TwoHosts::enter();
    let mut stage = stage_for(client);
    let broker = move_to_broker(&mut stage, &hosts, place);
    let finished = client.obtain(&stage, &NAMES);
    assert!(finished.status.success(), "{}\n{}\n{}", finished.said(), broker.said(), stage.pebble.log());
    assert!(!finished.said().contains("error output"), "{}", finished.said());
    assert_certified(&stage, client, &NAMES);
    assert_nothing_left(&stage);
    let made = [CallKind::AddRecord, CallKind::DelRecord].map(|kind| calls(&stage.sim, kind));
    assert_eq!(made, [2, 2], "{:#?}", stage.sim.api_calls());
}

#[test]
#[ignore = "needs pebble and certbot: run tests/run"]
fn debian_with_the_hooks_gets_apex_and_wildcard() {
    obtains(&certbot::DEBIAN, Place::Variables);
}

#[test]
#[ignore = "needs pebble and certbot: run tests/run"]
fn debian_with_the_plugin_gets_apex_and_wildcard() {
    obtains(&plugin::DEBIAN, Place::File);
}

#[test]
#[ignore = "needs pebble and certbot 5: run tests/run"]
fn newest_with_the_plugin_gets_apex_and_wildcard() {
    obtains(&plugin::NEWEST, Place::Variables);
}

#[test]
#[ignore = "needs pebble and certbot 5: run tests/run"]
fn newest_in_nginx_proxy_manager_gets_apex_and_wildcard() {
    obtains(&plugin_places::NGINX_PROXY_MANAGER, Place::Variables);
}

#[test]
#[ignore = "needs pebble and certbot 5: run tests/run"]
fn newest_in_swag_gets_apex_and_wildcard() {
    obtains(&plugin_places::SWAG, Place::Variables);
}

#[test]
#[ignore = "needs pebble and certbot-dns-multi: run tests/run"]
fn dns_multi_gets_apex_and_wildcard() {
    obtains(&dns_multi::DnsMulti, Place::File);
}

#[test]
#[ignore = "needs pebble and lego: run tests/run"]
fn lego_gets_apex_and_wildcard() {
    obtains(&lego::DEFAULT, Place::Variables);
}

#[test]
#[ignore = "needs pebble and lego: run tests/run"]
fn lego_gets_apex_and_wildcard_in_raw_mode() {
    obtains(&lego::RAW, Place::File);
}

#[test]
#[ignore = "needs pebble and Traefik: run tests/run"]
fn traefik_gets_apex_and_wildcard() {
    obtains(&traefik::TRAEFIK, Place::Variables);
}

#[test]
#[ignore = "needs pebble and acme.sh in ACME_SH: run tests/run"]
fn acme_sh_gets_apex_and_wildcard() {
    obtains(&acme_sh::AcmeSh, Place::File);
}

#[test]
#[ignore = "needs pebble and dehydrated: run tests/run"]
fn dehydrated_gets_apex_and_wildcard_in_one_call_and_in_two() {
    obtains(&dehydrated::CHAIN, Place::Variables);
    obtains(&dehydrated::NO_CHAIN, Place::File);
}

#[test]
#[ignore = "needs pebble and uacme: run tests/run"]
fn uacme_gets_apex_and_wildcard() {
    obtains(&uacme::Uacme, Place::Variables);
}

#[test]
#[ignore = "needs pebble and acmetool: run tests/run"]
fn acmetool_gets_apex_and_wildcard() {
    obtains(&acmetool::Acmetool, Place::File);
}

#[test]
#[ignore = "needs pebble and apache2: run tests/run"]
fn apache_gets_apex_and_wildcard() {
    obtains(&apache::SECOND, Place::Variables);
}

/// certbot keeps the name of the file with the key, whose line is all that has to go.
fn renews_after_the_move(plugin: &Plugin) {
    let hosts = TwoHosts::enter();
    let mut stage = stage_for(plugin);
    let ini = stage.path("certbot.ini");
    replace(&ini, &format!("dns_ipv64_api_key = {}\n", stage.variable("IPV64_API_KEY")), 0o600);
    let block = with_names(&page::shell_block(plugin::PAGE, "Get a certificate"), &NAMES);
    let finished =
        Plugin::shell(&stage, &format!("unset IPV64_API_KEY\n{block} --dns-ipv64-credentials {}", ini.display()));
    assert!(finished.status.success(), "{}", finished.said());
    let before = (fs::read(plugin.chain(&stage, NAMES[0])).unwrap(), stage.pebble.validations());
    let _broker = move_to_broker(&mut stage, &hosts, Place::File);
    let finished = Plugin::shell(&stage, certbot::RENEW);
    assert!(!finished.status.success(), "{}", finished.said());
    for word in ["config.toml", "given too: dns_ipv64_api_key in", "certbot.ini", "remove the key"] {
        assert!(finished.stderr.contains(word), "{word}: {}", finished.said());
    }
    assert_eq!(stage.pebble.validations(), before.1, "the CA was asked");
    replace(&ini, "", 0o600);
    let finished = Plugin::shell(&stage, certbot::RENEW);
    assert!(finished.status.success(), "{}", finished.said());
    assert_ne!(fs::read(plugin.chain(&stage, NAMES[0])).unwrap(), before.0);
    assert_certified(&stage, plugin, &NAMES);
    assert_nothing_left(&stage);
}

#[test]
#[ignore = "needs pebble and certbot: run tests/run"]
fn debian_with_the_plugin_renews_after_the_move() {
    renews_after_the_move(&plugin::DEBIAN);
}

#[test]
#[ignore = "needs pebble and certbot 5: run tests/run"]
fn newest_with_the_plugin_renews_after_the_move() {
    renews_after_the_move(&plugin::NEWEST);
}
