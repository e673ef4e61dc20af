//! The differences from the older program that are wanted. Delete a line when the program it was about is no longer compared.

use crate::play::Outcome;
use crate::storm::Kind;

/// One wanted difference.
struct Explained {
    kind: Kind,
    /// Whether two outcomes, old and new, differ in this and in nothing else.
    is_it: fn(&Outcome, &Outcome) -> bool,
    why: &'static str,
}

const EXPLAINED: [Explained; 1] = [Explained {
    kind: Kind::Takeover,
    is_it: |old, new| Outcome { requests: old.requests + 1, ..old.clone() } == *new,
    why: "the list of domains is asked for once more: version 0.1.0 kept it in a file of its own, which is dropped",
}];

/// Returns why two outcomes of a storm may differ, if that is known.
pub(crate) fn reason(kind: Kind, [old, new]: &[Outcome; 2]) -> Option<&'static str> {
    let mut all = EXPLAINED.iter().filter(|explained| explained.kind == kind);
    all.find(|explained| (explained.is_it)(old, new)).map(|explained| explained.why)
}
