//! What all servers of one simulation share, and chance that can be repeated.

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

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

/// Numbers by chance that a seed repeats.
pub(super) struct Chance(Mutex<StdRng>);

impl Chance {
    fn new(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }

    /// A number below `end`; zero if there is none.
    pub(super) fn below(&self, end: usize) -> usize {
        if end == 0 { 0 } else { hold(&self.0).random_range(0..end) }
    }

    /// Whether something happens that happens so many times out of a hundred.
    pub(super) fn percent(&self, times: f64) -> bool {
        hold(&self.0).random_bool((times / 100.0).clamp(0.0, 1.0))
    }
}
