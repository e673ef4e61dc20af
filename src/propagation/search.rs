//! When the servers of a zone are looked for again during a wait: where an address is missing or nobody can be asked, again and
//! again with growing pauses; and once, down from the root servers, where all servers lag for long (split DNS). Pure.

use std::time::{Duration, Instant};

use super::target::Due;

/// From the start of a wait, or of a search, to the next one. Five of them fit into the chances of an address.
const PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// As long the pause does not grow.
const DENSE_FOR: Duration = Duration::from_secs(12);
/// From the start of a wait to the question whether the root servers lead elsewhere: most records are everywhere by then.
const SPLIT_DNS_CHECK: Duration = Duration::from_secs(8);

/// One search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Search {
    /// The place of the zone in the wait.
    pub(super) zone: usize,
    /// Whether it goes down from the root servers only.
    pub(super) from_roots: bool,
}

/// What was looked for, and when.
#[derive(Debug)]
pub(super) struct Searches {
    next: Instant,
    pause: Duration,
    dense_until: Instant,
    is_running: bool,
    /// Zones that were looked for from the root servers.
    checked: Vec<usize>,
    /// The zone of the last search.
    last: usize,
    /// Whether the root servers led to other servers, which are asked now.
    pub(super) split: bool,
}

impl Searches {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            next: now + PAUSE / 2,
            pause: PAUSE,
            dense_until: now + DENSE_FOR,
            is_running: false,
            checked: Vec::new(),
            last: 0,
            split: false,
        }
    }

    /// Searches as often as at the start once more.
    pub(super) fn begin_anew(&mut self, now: Instant) {
        (self.next, self.pause, self.dense_until) = (now, PAUSE, now + DENSE_FOR);
    }

    /// Returns the search that is due now, or when there may be one. `open` are the zones with something missing, `lagging`
    /// those whose servers all lag.
    pub(super) fn next(&mut self, now: Instant, start: Instant, open: &[usize], lagging: &[usize]) -> Due<Search> {
        if self.is_running {
            return Err(None);
        }
        let unchecked = lagging.iter().find(|zone| !self.checked.contains(zone));
        let after = start + SPLIT_DNS_CHECK;
        if let Some(zone) = unchecked.filter(|_| now >= after) {
            self.is_running = true;
            self.checked.push(*zone);
            return Ok(Search { zone: *zone, from_roots: true });
        }
        // In turn, each zone gets its search.
        let zone = open.iter().find(|zone| **zone > self.last).or_else(|| open.first());
        match zone {
            Some(zone) if now >= self.next => {
                (self.is_running, self.last) = (true, *zone);
                if now >= self.dense_until {
                    self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                }
                self.next = now + self.pause;
                Ok(Search { zone: *zone, from_roots: false })
            }
            Some(_) => Err(Some(unchecked.map_or(self.next, |_| self.next.min(after)))),
            None => Err(unchecked.map(|_| after)),
        }
    }

    /// Notes that a search has ended.
    pub(super) fn ended(&mut self, now: Instant) {
        self.is_running = false;
        // A search that took long leaves the name servers a moment of peace.
        self.next = self.next.max(now + PAUSE / 2);
    }
}
