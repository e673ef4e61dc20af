//! Clients that do not ask the CA when the hook fails, and the one that does: what their pages promise.

use ipv64_acme::sim::{Action, ApiFault, CallKind, ServerSettings};

use super::acme_sh::AcmeSh;
use super::acmetool::Acmetool;
use super::dehydrated::{self, Dehydrated};
use super::dns_multi::DnsMulti;
use super::failures::{assert_failed_with, with_wrong_key};
use super::plugin;
use super::uacme::Uacme;
use super::{Client, cases};

const NAME: &str = "name.ipv64.net";

/// A refused key: the CA is not asked, and the user reads why.
fn stops_at_a_refused_key(client: &dyn Client) {
    let (stage, finished) = with_wrong_key(client);
    assert_failed_with(&finished, &["IPv64 does not accept the API key", "your account page"]);
    assert_eq!(stage.pebble.validations(), 0, "{}", stage.pebble.log());
}

/// A name server that stays behind: the CA is not asked, and nothing is left of what was added.
fn stops_at_a_lagging_server(client: &dyn Client) {
    let mut stage = cases::stage_for(client);
    stage.sim.set_server("ns2.ipv64.net", &ServerSettings::stale()).unwrap();
    stage.set_variable("IPV64_PROPAGATION_TIMEOUT", "3");
    let finished = client.obtain(&stage, &[NAME, "*.name.ipv64.net"]);
    assert_failed_with(&finished, &["ns2.ipv64.net", "IPV64_PROPAGATION_TIMEOUT"]);
    assert_eq!(stage.pebble.validations(), 0, "{}", stage.pebble.log());
    cases::assert_nothing_left(&stage);
}

macro_rules! stops {
    ($module:ident, $client:expr, $program:literal) => {
        mod $module {
            use super::*;

            #[test]
            #[ignore = concat!("needs pebble and ", $program, ": run tests/run")]
            fn does_not_ask_the_ca_when_the_key_is_refused() {
                stops_at_a_refused_key(&$client);
            }

            #[test]
            #[ignore = concat!("needs pebble and ", $program, ": run tests/run")]
            fn leaves_nothing_when_a_name_server_stays_behind() {
                stops_at_a_lagging_server(&$client);
            }
        }
    };
}

stops!(dehydrated_with_a_chain, dehydrated::CHAIN, "dehydrated");
stops!(dehydrated_without_a_chain, dehydrated::NO_CHAIN, "dehydrated");
stops!(uacme_declines, Uacme, "uacme");
stops!(acmetool_gives_up, Acmetool, "acmetool");
stops!(plugin_debian, plugin::DEBIAN, "Debian's certbot");
stops!(plugin_newest, plugin::NEWEST, "certbot 5");
stops!(dns_multi, DnsMulti, "certbot-dns-multi");

/// dehydrated would throw the certificate away if its hook failed here.
#[test]
#[ignore = "needs pebble and dehydrated: run tests/run"]
fn dehydrated_gets_its_certificate_although_the_records_cannot_be_removed() {
    let stage = cases::stage_for(&dehydrated::CHAIN);
    stage.sim.fault(ApiFault::on(CallKind::DelRecord, Action::daily().with_header("Retry-After", "40000")).times(9));
    let finished = dehydrated::CHAIN.obtain(&stage, &[NAME]);
    assert!(finished.status.success(), "{}", finished.said());
    assert!(finished.stderr.contains("warning") && finished.stderr.contains("sweep"), "{}", finished.said());
    cases::assert_certified(&stage, &dehydrated::CHAIN, &[NAME]);
}

#[test]
#[ignore = "needs pebble and dehydrated: run tests/run"]
fn dehydrated_with_http_01_is_met_with_the_setting() {
    let stage = cases::stage_for(&dehydrated::CHAIN);
    dehydrated::CHAIN.configure(&stage, &Dehydrated::settings().replace("dns-01", "http-01"));
    std::fs::create_dir(stage.path("www")).unwrap();
    let config = stage.path("dehydrated/config");
    let wellknown = format!("WELLKNOWN='{}'\n", stage.path("www").display());
    std::fs::write(&config, std::fs::read_to_string(&config).unwrap() + &wellknown).unwrap();
    let finished = dehydrated::CHAIN.obtain(&stage, &[NAME]);
    assert_failed_with(&finished, &["http-01", "CHALLENGETYPE=\"dns-01\""]);
    assert_eq!(stage.pebble.validations(), 0);
    assert!(stage.sim.api_calls().is_empty());
}

/// acme.sh tells the CA to look at every name, whatever its DNS file says; but what was added is gone.
#[test]
#[ignore = "needs pebble and acme.sh in ACME_SH: run tests/run"]
fn acme_sh_asks_the_ca_all_the_same() {
    let stage = cases::stage_for(&AcmeSh);
    stage.sim.set_server("ns2.ipv64.net", &ServerSettings::stale()).unwrap();
    let finished = AcmeSh::obtain_within(&stage, &[NAME], "2");
    assert_failed_with(&finished, &["ns2.ipv64.net"]);
    assert_ne!(stage.pebble.validations(), 0);
    cases::assert_nothing_left(&stage);
}
