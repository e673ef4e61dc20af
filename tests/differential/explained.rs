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

/// Whether removals that failed after an addition that failed find nothing to remove, and nothing else is different.
fn removes_nothing(old: &Outcome, new: &Outcome) -> bool {
    let failed = |call: &str, verb| call.starts_with(verb) && !call.contains(" 0 ");
    let mut calls = old.calls.iter().zip(&new.calls);
    calls.all(|(old, new)| old == new || (failed(old, "remove") && new == "remove 0 missing"))
        && new.calls.first().is_some_and(|call| failed(call, "add"))
        && new.requests <= old.requests
        && Outcome { calls: new.calls.clone(), requests: new.requests, ..old.clone() } == *new
}

/// Whether an outage ends otherwise: no fewer additions succeed, a call that has failed in no such way before is a removal
/// between two tries, and the sweep succeeds and leaves as little.
fn outlasts(old: &Outcome, new: &Outcome) -> bool {
    let count = |outcome: &Outcome, what| outcome.calls.iter().filter(|call| call.starts_with(what)).count();
    let is_wanted = |call: &String| call.contains(" 0 ") || call == "remove 6 unavailable" || old.calls.contains(call);
    let (calls, sweep) = (new.calls.clone(), new.sweep.clone());
    count(new, "add 0") >= count(old, "add 0")
        && new.calls.iter().all(is_wanted)
        && new.sweep.starts_with('0')
        && new.records <= old.records + count(new, "remove 6")
        && Outcome { calls, sweep, records: new.records, requests: new.requests, ..old.clone() } == *new
}

/// Returns why two outcomes of a storm may differ, if that is known.
pub(crate) fn reason(kind: Kind, [old, new]: &[Outcome; 2]) -> Option<&'static str> {
    let mut all = EXPLAINED.iter().filter(|explained| explained.kinds.contains(&kind));
    all.find(|explained| (explained.is_it)(old, new)).map(|explained| explained.why)
}
