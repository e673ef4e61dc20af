//! What every client has to get right: the certificates of five kinds of names, and what happened on the way.

use std::collections::BTreeSet;
use std::time::Duration;

use ipv64_acme::sim::Config;

use super::Client;
use crate::support::certificate;
use crate::support::stage::Stage;

/// Obtains one certificate in a world whose two servers lag by 1 s and 2 s, and checks all that is promised.
pub(super) fn obtains(client: &dyn Client, names: &[&str]) {
    let stage = Stage::start(Config::with_delays(&[Duration::from_secs(1), Duration::from_secs(2)]));
    client.install(&stage);
    let finished = client.obtain(&stage, names);
    assert!(finished.status.success(), "{}\n{}", finished.said(), stage.pebble.log());
    let chain = client.chain(&stage, names[0]);
    assert_eq!(certificate::names(&chain), names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>());
    certificate::assert_issued_by(&stage.pebble.root(), &chain);
}

/// Makes one test per case for a client, in a module of its own.
macro_rules! for_client {
    ($module:ident, $client:ident) => {
        mod $module {
            #[test]
            #[ignore = "needs pebble, certbot and lego: run tests/run"]
            fn gets_one_name() {
                crate::clients::cases::obtains(&super::$client, &["name.ipv64.net"]);
            }

            #[test]
            #[ignore = "needs pebble, certbot and lego: run tests/run"]
            fn gets_apex_and_wildcard() {
                crate::clients::cases::obtains(&super::$client, &["name.ipv64.net", "*.name.ipv64.net"]);
            }

            #[test]
            #[ignore = "needs pebble, certbot and lego: run tests/run"]
            fn gets_an_own_domain_of_two_labels() {
                crate::clients::cases::obtains(&super::$client, &["example.com"]);
            }

            #[test]
            #[ignore = "needs pebble, certbot and lego: run tests/run"]
            fn gets_a_deep_name() {
                crate::clients::cases::obtains(&super::$client, &["a.b.c.deep.sub.example.org"]);
            }

            #[test]
            #[ignore = "needs pebble, certbot and lego: run tests/run"]
            fn gets_a_foreign_name_through_a_cname() {
                crate::clients::cases::obtains(&super::$client, &["foreign.example"]);
            }
        }
    };
}
pub(super) use for_client;
