//! The differences from the older program that are wanted. Delete a line when the program it was about is no longer compared.

use crate::play::Outcome;
use crate::storm::Kind;

/// One wanted difference.
struct Explained {
    kinds: &'static [Kind],
    /// Whether two outcomes, old and new, differ in this and in nothing else.
    is_it: fn(&Outcome, &Outcome) -> bool,
    why: &'static str,
}

const EXPLAINED: [Explained; 4] = [
    Explained {
        kinds: &[Kind::Takeover],
        is_it: |old, new| Outcome { requests: old.requests + 1, ..old.clone() } == *new,
        why: "the list of domains is asked for once more: version 0.1.0 kept it in a file of its own, which is dropped",
    },
    Explained {
        kinds: &[Kind::Unreachable, Kind::Refused],
        is_it: removes_nothing,
        why: "a removal of what was never sent costs no call and is no failure",
    },
    Explained {
        kinds: &[Kind::ApiOnce],
        is_it: |old, new| new.requests < old.requests && Outcome { requests: new.requests, ..old.clone() } == *new,
        why: "after a lost reply to an addition the name servers are asked before the API is",
    },
    Explained {
        kinds: &[Kind::ApiLasting],
        is_it: outlasts,
        why: "tries are spread over the time that is left; after a call that gave up, one is made each half minute",
    },
];

/// Whether removals that failed find nothing to remove, and nothing else is different.
fn removes_nothing(old: &Outcome, new: &Outcome) -> bool {
    let mut calls = old.calls.iter().zip(&new.calls);
    calls.all(|(old, new)| old == new || (old.starts_with("remove") && new == "remove 0 missing"))
        && new.requests <= old.requests
        && Outcome { calls: new.calls.clone(), requests: new.requests, ..old.clone() } == *new
}

/// Whether an outage ends otherwise: no fewer additions succeed, and the sweep leaves as little.
fn outlasts(old: &Outcome, new: &Outcome) -> bool {
    let added = |outcome: &Outcome| outcome.calls.iter().filter(|call| call.starts_with("add 0")).count();
    let (calls, sweep) = (new.calls.clone(), new.sweep.clone());
    added(new) >= added(old)
        && Outcome { calls, sweep, records: new.records, requests: new.requests, ..old.clone() } == *new
}

/// Returns why two outcomes of a storm may differ, if that is known.
pub(crate) fn reason(kind: Kind, [old, new]: &[Outcome; 2]) -> Option<&'static str> {
    let mut all = EXPLAINED.iter().filter(|explained| explained.kinds.contains(&kind));
    all.find(|explained| (explained.is_it)(old, new)).map(|explained| explained.why)
}
