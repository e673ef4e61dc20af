//! How many queries an address may get: shared by everything in the process that asks authoritative servers.
//! Keeping the pace costs the asker time, never the server.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The most queries that one address gets in each span, all kinds together. IPv64 blocks clients that ask too fast
/// (observed). The spans are a tenth of a second above one and three seconds, so that a late packet exceeds nothing.
pub const LIMITS: [(usize, Duration); 2] = [(14, Duration::from_millis(1100)), (18, Duration::from_millis(3100))];

/// The queries that each address got lately. Shared as `Arc<Pace>`.
#[derive(Debug, Default)]
pub struct Pace {
    addresses: Mutex<HashMap<IpAddr, Queries>>,
    changed: Condvar,
}

/// The queries to one address.
#[derive(Debug, Default)]
struct Queries {
    /// Permits that are out. Each counts as if it were sent at this moment, whenever that is.
    permits: usize,
    /// When queries were sent, in order; none older than the longest span.
    sent: VecDeque<Instant>,
}

impl Queries {
    fn forget_old(&mut self, now: Instant) {
        let longest = LIMITS[LIMITS.len() - 1].1;
        while self.sent.front().is_some_and(|sent| *sent + longest <= now) {
            self.sent.pop_front();
        }
    }

    fn free(&self, now: Instant) -> usize {
        let free = |(limit, span): (usize, Duration)| {
            let counted = self.sent.iter().filter(|sent| **sent + span > now).count();
            limit.saturating_sub(counted + self.permits)
        };
        LIMITS.map(free).into_iter().min().unwrap_or_default()
    }

    /// Returns the moment at which the next query may leave, if those that have a permit leave now.
    fn next_free(&self, now: Instant) -> Instant {
        let next = |(limit, span): (usize, Duration)| {
            let all = self.sent.iter().copied().chain(std::iter::repeat_n(now, self.permits));
            let count = self.sent.len() + self.permits;
            count.checked_sub(limit).and_then(|place| all.into_iter().nth(place)).map_or(now, |sent| sent + span)
        };
        LIMITS.map(next).into_iter().fold(now, Instant::max)
    }
}

/// The right to send one query to a server. Dropped without a query, it is given back.
#[derive(Debug)]
pub struct QueryPermit {
    pace: Arc<Pace>,
    server: SocketAddr,
    sent: Option<Instant>,
}

impl QueryPermit {
    /// Returns whom the query may go to.
    #[must_use]
    pub fn server(&self) -> SocketAddr {
        self.server
    }

    /// Notes that the query has left: threads start late on a busy machine, and a connection takes a round trip before it
    /// carries a query. What counts is when the server gets it.
    pub fn sent(mut self, at: Instant) {
        self.sent = Some(at);
    }
}

impl Drop for QueryPermit {
    fn drop(&mut self) {
        let mut addresses = self.pace.lock();
        let queries = addresses.entry(self.server.ip()).or_default();
        queries.permits = queries.permits.saturating_sub(1);
        if let Some(at) = self.sent {
            let later = queries.sent.partition_point(|sent| *sent <= at);
            queries.sent.insert(later, at);
        }
        drop(addresses);
        self.pace.changed.notify_all();
    }
}

impl Pace {
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Queries>> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the right to send a query to a server now, if its address has some left.
    #[must_use]
    pub fn try_take(self: &Arc<Self>, server: SocketAddr, now: Instant) -> Option<QueryPermit> {
        let mut addresses = self.lock();
        let queries = addresses.entry(server.ip()).or_default();
        queries.forget_old(now);
        if queries.free(now) == 0 {
            return None;
        }
        queries.permits += 1;
        Some(QueryPermit { pace: Arc::clone(self), server, sent: None })
    }

    /// Returns how many queries an address may get right now.
    #[must_use]
    pub fn free(&self, address: IpAddr, now: Instant) -> usize {
        self.lock().get(&address).map_or_else(|| Queries::default().free(now), |queries| queries.free(now))
    }

    /// Returns the moment at which an address may get its next query, as far as is known: `now`, or later.
    #[must_use]
    pub fn next_free(&self, address: IpAddr, now: Instant) -> Instant {
        self.lock().get(&address).map_or(now, |queries| queries.next_free(now))
    }

    /// Waits for the right to send a query; nothing if there is none before the deadline.
    #[must_use]
    pub fn wait(self: &Arc<Self>, server: SocketAddr, deadline: Instant) -> Option<QueryPermit> {
        loop {
            let now = Instant::now();
            if now >= deadline {
                return None;
            }
            if let Some(permit) = self.try_take(server, now) {
                return Some(permit);
            }
            let addresses = self.lock();
            let next = addresses.get(&server.ip()).map_or(now, |queries| queries.next_free(now));
            let pause = next.min(deadline).saturating_duration_since(Instant::now());
            // A permit that is given back in between wakes us.
            drop(self.changed.wait_timeout(addresses, pause));
        }
    }
}

#[cfg(test)]
mod tests;
