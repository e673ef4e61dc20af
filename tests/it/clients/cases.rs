//! What every client has to get right: the certificates of five kinds of names, and what happened on the way.

use std::collections::BTreeSet;
use std::time::Duration;

use ipv64_acme::sim::{CallKind, Config, Sim};

use super::Client;
use crate::support::certificate;
use crate::support::stage::Stage;

/// How long after the API call the slower of the two name servers shows a change.
pub(super) const SLOWEST: Duration = Duration::from_secs(2);

/// Starts a world whose two name servers lag differently, with a client in it.
pub(super) fn stage_for(client: &dyn Client) -> Stage {
    let stage = Stage::start(Config::with_delays(&[Duration::from_secs(1), SLOWEST]));
    client.install(&stage);
    stage
}

/// Obtains one certificate in a fresh world, and checks all that is promised.
pub(super) fn obtains(client: &dyn Client, names: &[&str]) {
    let stage = stage_for(client);
    let finished = client.obtain(&stage, names);
    assert!(finished.status.success(), "{}\n{}", finished.said(), stage.pebble.log());
    // certbot's words for what a hook writes to stderr.
    assert!(!finished.said().contains("error output"), "{}", finished.said());
    assert_certified(&stage, client, names);
    assert_eq!(calls(&stage.sim, CallKind::AddRecord), names.len(), "{}", finished.said());
    assert_eq!(calls(&stage.sim, CallKind::DelRecord), names.len(), "{}", finished.said());
    // Once while nothing is cached, and no call of another kind.
    assert_eq!(stage.sim.api_calls().len(), 2 * names.len() + 1, "{:#?}", stage.sim.api_calls());
    assert_nothing_left(&stage);
    assert_never_asked_too_early(&stage.sim);
}

/// Asserts that the client has a certificate of exactly these names, from this CA.
pub(super) fn assert_certified(stage: &Stage, client: &dyn Client, names: &[&str]) {
    let chain = client.chain(stage, names[0]);
    assert_eq!(certificate::names(&chain), names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>());
    certificate::assert_issued_by(&stage.pebble.root(), &chain);
}

/// Asserts that records were added, and that all of them are gone.
pub(super) fn assert_nothing_left(stage: &Stage) {
    assert_ne!(calls(&stage.sim, CallKind::AddRecord), 0, "no record was ever added");
    let left = stage.sim.records_left();
    assert!(left.is_empty(), "{left:#?}");
}

/// Returns how many calls of one kind the API has answered.
pub(super) fn calls(sim: &Sim, kind: CallKind) -> usize {
    sim.api_calls().iter().filter(|call| call.call == Some(kind)).count()
}

/// Asserts that whenever the CA asked, every value that stood in the store was on both name servers.
fn assert_never_asked_too_early(sim: &Sim) {
    let questions: Vec<_> =
        sim.questions().into_iter().filter(|question| question.server == "ca" && question.kind == "TXT").collect();
    assert!(!questions.is_empty(), "the CA asked nothing");
    for record in sim.records() {
        let Some(added) = record.life.added else { continue };
        let deleted = record.life.deleted.unwrap_or(added);
        let during_its_life = questions.iter().filter(|question| (added..=deleted).contains(&question.at));
        let first = during_its_life.min_by_key(|question| question.at);
        let first = first.unwrap_or_else(|| panic!("the CA did not ask for {}", record.name()));
        let waited = first.at.duration_since(added);
        assert!(waited >= SLOWEST, "the CA asked for {} after {waited:?}", record.name());
    }
}

/// Makes one test per kind of name for a client, in a module of its own.
macro_rules! for_client {
    ($module:ident, $client:ident) => {
        crate::clients::cases::for_client!($module, $client, "certbot or lego");
    };
    ($module:ident, $client:ident, $program:literal) => {
        mod $module {
            #[test]
            #[ignore = concat!("needs pebble and ", $program, ": run tests/run")]
            fn gets_one_name() {
                crate::clients::cases::obtains(&super::$client, &["name.ipv64.net"]);
            }

            #[test]
            #[ignore = concat!("needs pebble and ", $program, ": run tests/run")]
            fn gets_apex_and_wildcard() {
                crate::clients::cases::obtains(&super::$client, &["name.ipv64.net", "*.name.ipv64.net"]);
            }

            #[test]
            #[ignore = concat!("needs pebble and ", $program, ": run tests/run")]
            fn gets_an_own_domain_of_two_labels() {
                crate::clients::cases::obtains(&super::$client, &["example.com"]);
            }

            #[test]
            #[ignore = concat!("needs pebble and ", $program, ": run tests/run")]
            fn gets_a_deep_name() {
                crate::clients::cases::obtains(&super::$client, &["a.b.c.deep.sub.example.org"]);
            }

            #[test]
            #[ignore = concat!("needs pebble and ", $program, ": run tests/run")]
            fn gets_a_foreign_name_through_a_cname() {
                crate::clients::cases::obtains(&super::$client, &["foreign.example"]);
            }
        }
    };
}
pub(super) use for_client;
