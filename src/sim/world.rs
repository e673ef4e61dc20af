//! What all servers of one simulation share, and chance that can be repeated.

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use super::{
    hierarchy::Hierarchy,
    log::Log,
    lookups::Lookups,
    store::Store,
    threads::{Crew, hold},
};

/// The shared parts.
pub(super) struct World {
    pub(super) started: Instant,
    pub(super) store: Store,
    pub(super) hierarchy: Hierarchy,
    pub(super) log: Log,
    pub(super) crew: Arc<Crew>,
    pub(super) chance: Chance,
    pub(super) lookups: Lookups,
}

impl World {
    pub(super) fn new(hierarchy: Hierarchy, seed: u64) -> Self {
        Self {
            started: Instant::now(),
            store: Store::default(),
            hierarchy,
            log: Log::default(),
            crew: Arc::new(Crew::default()),
            chance: Chance::new(seed),
            lookups: Lookups::default(),
        }
    }
}

/// Numbers by chance that a seed repeats: xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift
/// generators, scrambled").
pub(super) struct Chance(Mutex<u64>);

impl Chance {
    fn new(seed: u64) -> Self {
        // Zero is the one state that it never leaves.
        Self(Mutex::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1))
    }

    /// A number below `end`; zero if there is none.
    pub(super) fn below(&self, end: usize) -> usize {
        let mut state = hold(&self.0);
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        let number = (*state).wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number).unwrap_or_default().checked_rem(end).unwrap_or_default()
    }

    /// Whether something happens that happens so many times out of a hundred.
    pub(super) fn percent(&self, times: f64) -> bool {
        times > 0.0 && self.below(10_000) < (times * 100.0) as usize
    }
}
