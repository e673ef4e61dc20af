//! The records of an addition between its two halves: stored at IPv64, and not waited for yet.

use std::time::Instant;

use super::Solver;
use super::locate::{Placement, spec_of};
use crate::account::AccountError;
use crate::dns::cname::Follow;
use crate::error::{Context as _, Result};
use crate::state::Entry;

/// Records that IPv64 has stored.
#[derive(Debug, Clone)]
pub struct Stored {
    pub(super) placements: Vec<Placement>,
}

impl Stored {
    /// Returns the records, each with whether this addition has brought it to IPv64.
    pub fn records(&self) -> impl Iterator<Item = (&Entry, bool)> {
        self.placements.iter().map(|one| (&one.entry, one.added.is_some()))
    }
}

impl Solver<'_> {
    /// Takes up a record that an earlier addition has stored, to wait for it without another call.
    ///
    /// # Errors
    /// If DNS does not tell its zone, and [`AccountError::NotBelow`] in a journal that was edited.
    pub fn stored_before(&self, entry: Entry, deadline: Instant) -> Result<Stored> {
        let place = self.lookup.place(&entry.record, Follow::Never, deadline);
        let place = place.with_context(|| format!("cannot find the name servers of `{}`", entry.record))?;
        let Some(spec) = spec_of(&entry) else {
            return Err(AccountError::NotBelow { name: entry.record, domain: entry.domain }.into());
        };
        let placement = Placement { entry, spec, zone: Some(place.zone), added: None, notes: place.notes };
        Ok(Stored { placements: vec![placement] })
    }
}
