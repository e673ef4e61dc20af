//! How many queries an address may get: shared by everything in the process that asks authoritative servers.
//! Keeping the pace costs the asker time, never the server. Who waits for its answer ([`Pace::wait`]) comes in the order of
//! arrival, and before those that ask again later anyway ([`Pace::try_take`]), but for every other query: those that poll are
//! not to be kept away altogether.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The most queries that one address gets in each span, all kinds together. IPv64 blocks clients that ask too fast
/// (observed). The spans are a tenth of a second above one and three seconds, so that a late packet exceeds nothing.
pub const LIMITS: [(usize, Duration); 2] = [(14, Duration::from_millis(1100)), (18, Duration::from_millis(3100))];
/// When to try again where somebody who waits is just about to take the next permit.
const AFTER_YOU: Duration = Duration::from_millis(20);

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
    /// Who waits for a permit, the next one first.
    waiting: VecDeque<u64>,
    /// How many have waited.
    arrivals: u64,
    /// Whether the last permit went to somebody who polls.
    polled_last: bool,
}

impl Queries {
    fn forget_old(&mut self, now: Instant) {
        let longest = LIMITS[LIMITS.len() - 1].1;
        while self.sent.front().is_some_and(|sent| *sent + longest <= now) {
            self.sent.pop_front();
        }
    }

    /// Whether it matters for the next query that there were others.
    fn is_in_use(&mut self, now: Instant) -> bool {
        self.forget_old(now);
        self.permits > 0 || !self.sent.is_empty() || !self.waiting.is_empty()
    }

    fn free(&self, now: Instant) -> usize {
        let free = |(limit, span): (usize, Duration)| {
            let counted = self.sent.iter().filter(|sent| **sent + span > now).count();
            limit.saturating_sub(counted + self.permits)
        };
        LIMITS.map(free).into_iter().min().unwrap_or_default()
    }

    /// Whether those that poll let somebody else go first.
    fn yields(&self) -> bool {
        self.polled_last && !self.waiting.is_empty()
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

    /// Takes the right to send a query to a server now, if its address has some left and nobody else goes first.
    #[must_use]
    pub fn try_take(self: &Arc<Self>, server: SocketAddr, now: Instant) -> Option<QueryPermit> {
        let mut addresses = self.lock();
        let queries = queries_to(&mut addresses, server.ip(), now);
        queries.forget_old(now);
        if queries.yields() || queries.free(now) == 0 {
            return None;
        }
        queries.polled_last = true;
        Some(self.permit(queries, server))
    }

    /// Returns how many queries an address may get right now of those that poll.
    #[must_use]
    pub fn free(&self, address: IpAddr, now: Instant) -> usize {
        let free = |queries: &Queries| if queries.yields() { 0 } else { queries.free(now) };
        self.lock().get(&address).map_or_else(|| free(&Queries::default()), free)
    }

    /// Returns how many queries an address may get right now, less those that wait already.
    #[must_use]
    pub fn room(&self, address: IpAddr, now: Instant) -> isize {
        let room = |queries: &Queries| queries.free(now).cast_signed() - queries.waiting.len().cast_signed();
        self.lock().get(&address).map_or_else(|| room(&Queries::default()), room)
    }

    /// Returns the moment at which an address may get its next query of those that poll, as far as is known: `now`, or later.
    #[must_use]
    pub fn next_free(&self, address: IpAddr, now: Instant) -> Instant {
        let next = |queries: &Queries| {
            let next = queries.next_free(now);
            if queries.yields() { next.max(now + AFTER_YOU) } else { next }
        };
        self.lock().get(&address).map_or(now, next)
    }

    /// Waits for the right to send a query; nothing if there is none before the deadline.
    #[must_use]
    pub fn wait(self: &Arc<Self>, server: SocketAddr, deadline: Instant) -> Option<QueryPermit> {
        let mut addresses = self.lock();
        let queries = queries_to(&mut addresses, server.ip(), Instant::now());
        queries.arrivals += 1;
        let mine = queries.arrivals;
        queries.waiting.push_back(mine);
        let permit = loop {
            let now = Instant::now();
            let queries = addresses.entry(server.ip()).or_default();
            queries.forget_old(now);
            if now >= deadline {
                break None;
            }
            let is_next = queries.waiting.front() == Some(&mine);
            if is_next && queries.free(now) > 0 {
                queries.polled_last = false;
                break Some(self.permit(queries, server));
            }
            // A permit that is given back in between wakes us, and so does whoever goes before us.
            let next = if is_next { queries.next_free(now).min(deadline) } else { deadline };
            let pause = next.saturating_duration_since(now);
            addresses = self.changed.wait_timeout(addresses, pause).unwrap_or_else(PoisonError::into_inner).0;
        };
        addresses.entry(server.ip()).or_default().waiting.retain(|one| *one != mine);
        drop(addresses);
        self.changed.notify_all();
        permit
    }

    fn permit(self: &Arc<Self>, queries: &mut Queries, server: SocketAddr) -> QueryPermit {
        queries.permits += 1;
        QueryPermit { pace: Arc::clone(self), server, sent: None }
    }
}

/// Returns the queries to an address. A new one ends the memory of all that were not asked lately: a broker's clients name servers
/// without end.
fn queries_to(addresses: &mut HashMap<IpAddr, Queries>, address: IpAddr, now: Instant) -> &mut Queries {
    if !addresses.contains_key(&address) {
        addresses.retain(|_, queries| queries.is_in_use(now));
    }
    addresses.entry(address).or_default()
}

#[cfg(test)]
mod tests;
