//! Which record the API calls were made for. A request may be answered while its call goes on, so calls are counted by record, and
//! the next line of the audit log about that record has them. Pure: told how many requests the process has made.

use std::collections::HashMap;

use super::job::Key;

/// The most records whose calls are remembered.
const MOST: usize = 4096;

/// The calls that no request was told of yet.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// Whose call is under way, and how many requests there were before those of it that are not counted yet.
    under_way: Option<(Key, u64)>,
    open: HashMap<Key, u64>,
}

impl Calls {
    /// Begins a call, which is for a record unless nobody has asked for it. `requests` is how many there were of all calls.
    pub(super) fn begin(&mut self, key: Option<&Key>, requests: u64) {
        self.under_way = key.map(|key| (key.clone(), requests));
    }

    /// Ends the call under way.
    pub(super) fn end(&mut self, requests: u64) {
        self.count(requests);
        self.under_way = None;
    }

    /// Takes the calls of a record for the request that is answered now.
    pub(super) fn take(&mut self, key: &Key, requests: u64) -> u64 {
        self.count(requests);
        self.open.remove(key).unwrap_or_default()
    }

    fn count(&mut self, requests: u64) {
        let Some((key, counted)) = &mut self.under_way else { return };
        let made = requests.saturating_sub(std::mem::replace(counted, requests));
        if made > 0 {
            if self.open.len() >= MOST {
                self.open.clear();
            }
            *self.open.entry(key.clone()).or_default() += made;
        }
    }
}
