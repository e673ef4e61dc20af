//! One record at one address: what the address has to show of it, and what it has shown. Which records of a zone may be its
//! latest, and how many answers that is worth, is decided here; what follows from the answers, in [`super::evidence`].

use crate::distinct::distinct;

/// Answers that long runs may take in all where an address has many zones of one wait, some thirteen seconds' worth: each
/// zone gets its share.
pub(super) const LONG_RUNS: u32 = 60;

/// What an address has to show of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// How many times it has to be there.
    pub looks: u32,
    /// The zone that holds it, by any number. Changes of a zone arrive in order: only its latest record tells that a server
    /// has them all.
    pub zone: usize,
    /// Whether it was added for this wait, so that no server can have had it before. Of the others nobody knows in which order
    /// they were added.
    pub is_new: bool,
}

/// One record, and how many times it was there since it last was not.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) wanted: Wanted,
    /// What it may take of [`LONG_RUNS`]: nothing unless it may be the latest of its zone.
    pub(super) share: u32,
    pub(super) times: u32,
    pub(super) lacked: bool,
    /// Answers of no use in a row that its zone got.
    pub(super) useless: u32,
}

impl Seen {
    /// Starts with the record at a place among all.
    pub(super) fn new(wanted: &[Wanted], at: usize) -> Self {
        let zones = distinct(wanted.iter().map(|one| one.zone)).len();
        let of_zone = (LONG_RUNS / u32::try_from(zones).unwrap_or(u32::MAX).max(1)).max(1);
        let later = |at: usize| wanted.iter().skip(at + 1).filter(move |later| later.zone == wanted[at].zone);
        let count = |at: usize| u32::try_from(later(at).count()).unwrap_or(u32::MAX);
        let may_be_latest = |at: usize| !later(at).any(|later| later.is_new) && count(at) < of_zone;
        let rivals = (0..wanted.len()).filter(|other| wanted[*other].zone == wanted[at].zone && may_be_latest(*other));
        let share = match count(at) {
            // Where the order is unknown it is the likeliest.
            0 => of_zone,
            _ if may_be_latest(at) => of_zone / u32::try_from(rivals.count()).unwrap_or(u32::MAX).max(1),
            _ => 0,
        };
        Self { wanted: wanted[at], share, times: 0, lacked: false, useless: 0 }
    }

    /// Whether it may be the latest of its zone.
    pub(super) fn is_latest(&self) -> bool {
        self.share > 0
    }
}
