//! The solver for one record: on whose behalf it works, with which look-ups, and what it is asked for.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::{ACME_DNS, Ask, Engine};
use crate::challenge::Challenge;
use crate::dns::zone::Lookup;
use crate::order::{Action, CaAsked, Call, OnFailure, Wait};
use crate::propagation::Row;
use crate::solver::{Events, Owner, Solver};
use crate::state::Entry;
use crate::time::Waiting;

/// The program of every other one in the journal.
const BROKER: &str = "broker";
/// How long the servers of a zone are remembered: a broker runs for months, and zones move.
const ZONES_KEPT: Duration = Duration::from_secs(300);

impl Engine {
    /// Look-ups that share zones for some minutes, and their pace for ever.
    pub(super) fn lookup(&self) -> Lookup {
        let mut zones = self.zones.lock().unwrap_or_else(PoisonError::into_inner);
        if zones.0.elapsed() >= ZONES_KEPT {
            *zones = (Instant::now(), Lookup { known: Arc::default(), ..zones.1.clone() });
        }
        zones.1.clone()
    }

    /// The solver for one record, which ends early once `cancelled` is set.
    pub(super) fn solver<'a>(
        &'a self,
        lookup: &'a Lookup,
        owner: Option<&'a Owner<'a>>,
        cancelled: &Arc<AtomicBool>,
    ) -> Solver<'a> {
        Solver {
            settings: &self.parts.settings,
            upstream: &self.parts.upstream,
            lookup,
            state: &self.parts.state,
            events: &Unheard,
            pause: &*self.pause,
            owner,
            interrupted: Arc::clone(cancelled),
        }
    }

    /// Returns the open records of a client for a challenge, the latest last.
    pub(super) fn journalled(&self, client: &str, Challenge { name, value }: &Challenge) -> Vec<Entry> {
        let account = self.parts.state.account();
        let mut entries = self.parts.state.journal(|journal, _| journal.find(account, name, Some(value)));
        entries.retain(|entry| entry.owner.as_deref() == Some(client));
        entries
    }
}

/// The addition of one record. It stays where that fails: the client asks for the removal, or it is removed when it is left
/// over.
pub(super) fn addition(ask: &Ask) -> Call {
    Call {
        client: if ask.program == ACME_DNS { ACME_DNS } else { BROKER },
        action: Action::Add,
        challenges: vec![ask.challenge.clone()],
        wait: Wait::Now,
        on_failure: OnFailure::Leave,
        ca_asked: CaAsked::AfterAll,
    }
}

/// Nobody reads along: the audit log has what became of each request.
struct Unheard;

impl Events for Unheard {
    fn step(&self, _: &str) {}
    fn warning(&self, _: &str) {}
    fn servers(&self, _: &[Row], _: &Waiting) {}
}
