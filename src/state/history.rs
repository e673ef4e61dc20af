//! The last hook calls of this machine, for people: the file `history.json`. Nothing depends on it; texts come cleaned and
//! cut from whoever notes a call, and the oldest call makes room.

use std::collections::BTreeSet;

use super::account::Account;
use super::document::Document;
use super::store::State;
use crate::time::Timestamp;

/// Calls in the file.
const MOST_CALLS: usize = 300;

/// The calls, oldest first.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
struct History {
    calls: Vec<PastCall>,
}

/// A hook call, as it ended.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct PastCall {
    /// When it ended.
    pub at: Timestamp,
    /// The account; empty for a call that ended before it was known.
    pub account: Account,
    /// The convention by which it came.
    pub client: String,
    /// `add` or `remove`; empty for a call that could not be understood.
    pub action: String,
    /// Its records.
    pub records: Vec<PastRecord>,
    /// The code that the process ended with.
    pub exit_code: u8,
    /// The kind of its first error.
    pub kind: Option<String>,
    /// The first line of that error.
    pub message: Option<String>,
    /// From its start to its end.
    pub seconds: f64,
    /// The name servers that were waited for.
    pub servers: Vec<PastServer>,
    /// Requests that it sent to IPv64.
    pub api_calls: u64,
}

impl PastCall {
    /// Returns the names of its records, each once: a name and its wildcard are two records of one name.
    #[must_use]
    pub fn names(&self) -> String {
        let mut seen = BTreeSet::new();
        let names = self.records.iter().map(|record| record.name.as_str()).filter(|name| seen.insert(*name));
        names.collect::<Vec<_>>().join(" ")
    }
}

/// A record of a past call.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct PastRecord {
    /// The name that was asked for.
    pub name: String,
    /// What became of it, as in the document of `--json`.
    pub status: String,
}

/// A name server that a past call waited for.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct PastServer {
    /// Its name and address.
    pub server: String,
    /// From the start of the wait until it served the records; nothing if it did not.
    pub seconds: Option<f64>,
}

impl Document for History {
    const FILE: &'static str = "history.json";
    const SYNCED: bool = false;

    fn each_time(&mut self, change: &mut dyn FnMut(&mut Timestamp)) {
        self.calls.iter_mut().for_each(|call| change(&mut call.at));
    }
}

impl State {
    /// Notes a call that has just ended.
    pub fn note_call(&self, call: PastCall) {
        self.update(|history: &mut History, now| {
            history.calls.push(PastCall { at: now, ..call });
            let too_many = history.calls.len().saturating_sub(MOST_CALLS);
            history.calls.drain(..too_many);
        });
    }

    /// Returns the last calls of all accounts, newest first.
    #[must_use]
    pub fn past_calls(&self) -> Vec<PastCall> {
        self.update(|history: &mut History, _| history.calls.iter().rev().cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::time::SystemClock;

    #[test]
    fn the_oldest_calls_make_room() {
        let state = State::in_memory(Account::default(), Arc::new(SystemClock));
        for number in 0..MOST_CALLS as u64 + 5 {
            state.note_call(PastCall { api_calls: number, ..PastCall::default() });
        }
        let calls = state.past_calls();
        let ends = [calls.first(), calls.last()].map(|call| call.map(|call| call.api_calls));
        assert_eq!((calls.len(), ends), (MOST_CALLS, [Some(MOST_CALLS as u64 + 4), Some(5)]));
    }
}
