//! Do the root servers lead to the same name servers as the configured resolvers? In a network with split DNS they do not:
//! the servers inside answer with authority, and never show a record that was added outside. Asked only when every server
//! of a zone has lagged for a while, since most networks are honest.

use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::wait::{Plan, Record};
use crate::dns::zone::{FoundBy, Lookup, Zone};

/// From the start of a wait to the question: most records are everywhere by then.
pub(super) const AFTER: Duration = Duration::from_secs(8);
/// How long the way down from the root may take.
const WALK: Duration = Duration::from_secs(5);

/// Whether the question is still to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opinion {
    /// It may be asked.
    Open,
    /// It was asked, and the answer is followed.
    Settled,
}

/// Asks in a thread of its own. What comes are the records of the plan with the zones as the root servers have them; nothing
/// comes if they are the same, or if nobody answers.
pub(super) fn ask(plan: &Plan) -> Receiver<Vec<Record>> {
    let (sender, answer) = channel();
    let (records, lookup) = (plan.records.clone(), plan.lookup.clone());
    let walk = move || {
        let seen: Vec<Record> = records.iter().map(|record| from_root(&lookup, record)).collect();
        if seen != records {
            sender.send(seen).ok();
        }
    };
    thread::Builder::new().name("second opinion".to_owned()).spawn(walk).ok();
    answer
}

/// Down to the name itself, which may be delegated: only authoritative servers are asked on the way.
fn from_root(lookup: &Lookup, record: &Record) -> Record {
    let elsewhere = (record.zone.found_by == FoundBy::Resolvers)
        .then(|| lookup.zone_by(FoundBy::Roots, &record.name, Instant::now() + WALK).ok())
        .flatten()
        .filter(|zone| !share_a_server(zone, &record.zone));
    Record { zone: elsewhere.unwrap_or_else(|| record.zone.clone()), ..record.clone() }
}

fn share_a_server(one: &Zone, other: &Zone) -> bool {
    one.servers.iter().any(|server| other.servers.iter().any(|known| known.address == server.address))
}
