//! Who is connected: a bounded number of connections, so that somebody who opens thousands and sends nothing takes neither
//! memory nor the places of others.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::Peer;

/// The bits of an IPv6 address that one customer of a provider has for himself.
const CUSTOMER_BITS: u32 = 64;

/// All connections.
#[derive(Debug)]
pub struct Connections {
    most: usize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    last: u64,
    open: BTreeMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    from: Peer,
    /// Whether a whole request has come, and its answer has not gone yet.
    is_served: bool,
    evict: Option<oneshot::Sender<()>>,
}

/// The place of one connection; it is free again when this is dropped.
#[derive(Debug)]
pub struct Seat {
    number: u64,
    connections: Arc<Connections>,
}

/// Ends when the place of a connection is needed for another one.
pub type Evicted = oneshot::Receiver<()>;

impl Connections {
    /// Takes at most so many connections at once.
    #[must_use]
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, table: Mutex::default() })
    }

    /// Gives a connection a place. Where all are taken, the peer that has the most connections without a whole request loses
    /// its oldest one; where nearly all are such that are served, the peer that has the most of those.
    pub fn enter(self: &Arc<Self>, peer: Peer) -> Option<(Seat, Evicted)> {
        let mut table = self.table();
        if table.open.len() >= self.most {
            let victim = table.victim(self.most)?;
            if let Some(evict) = table.open.remove(&victim).and_then(|entry| entry.evict) {
                evict.send(()).ok();
            }
        }
        let (evict, evicted) = oneshot::channel();
        table.last += 1;
        let number = table.last;
        table.open.insert(number, Entry { from: neighbourhood(peer), is_served: false, evict: Some(evict) });
        Some((Seat { number, connections: Arc::clone(self) }, evicted))
    }

    /// Returns how many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.table().open.len()
    }

    fn table(&self) -> std::sync::MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn victim(&self, most: usize) -> Option<u64> {
        let served = self.open.values().filter(|entry| entry.is_served).count();
        // A client with many requests under way leaves room for those of others.
        let is_served = 5 * served > 4 * most;
        // Of each peer: how many, and the oldest, which comes first.
        let mut found: HashMap<Peer, (usize, u64)> = HashMap::new();
        for (number, entry) in self.open.iter().filter(|(_, entry)| entry.is_served == is_served) {
            found.entry(entry.from).or_insert((0, *number)).0 += 1;
        }
        found.into_values().max_by_key(|(count, oldest)| (*count, std::cmp::Reverse(*oldest))).map(|(_, oldest)| oldest)
    }
}

impl Seat {
    /// Says whether a whole request has come whose answer has not gone yet: such a connection keeps its place.
    pub fn serve(&self, is_served: bool) {
        if let Some(entry) = self.connections.table().open.get_mut(&self.number) {
            entry.is_served = is_served;
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.connections.table().open.remove(&self.number);
    }
}

/// The peer as one of those that are counted together.
fn neighbourhood(peer: Peer) -> Peer {
    match peer {
        Peer::Address(IpAddr::V6(address)) => {
            let network = address.to_bits() & (u128::MAX << (u128::BITS - CUSTOMER_BITS));
            Peer::Address(IpAddr::V6(Ipv6Addr::from_bits(network)))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> Peer {
        Peer::Address(text.parse().unwrap())
    }

    #[test]
    fn who_has_the_most_idle_connections_loses_the_oldest() {
        let connections = Connections::new(3);
        let (_other, mut other_evicted) = connections.enter(peer("192.0.2.1")).unwrap();
        let (first, mut first_evicted) = connections.enter(peer("2001:db8::1")).unwrap();
        let (second, mut second_evicted) = connections.enter(peer("2001:db8::2")).unwrap();
        let _third = connections.enter(peer("2001:db8::3")).unwrap();
        assert!(first_evicted.try_recv().is_ok() && other_evicted.try_recv().is_err());
        drop(first);
        assert_eq!(connections.count(), 3, "its place was given away already");
        second.serve(true);
        let _fourth = connections.enter(peer("192.0.2.2")).unwrap();
        assert!(second_evicted.try_recv().is_err(), "it is being served");
    }

    #[test]
    fn who_has_nearly_all_requests_under_way_leaves_room_for_others() {
        let connections = Connections::new(10);
        let mut hog: Vec<_> = (0..10).map(|_| connections.enter(peer("192.0.2.1")).unwrap()).collect();
        hog.iter().for_each(|(seat, _)| seat.serve(true));
        let (_one, mut one_evicted) = connections.enter(peer("192.0.2.2")).unwrap();
        let (_two, _) = connections.enter(peer("192.0.2.3")).unwrap();
        let lost: Vec<_> = hog.iter_mut().map(|(_, evicted)| evicted.try_recv().is_ok()).collect();
        assert_eq!(lost.iter().position(|is_lost| !is_lost), Some(2), "{lost:?}");
        assert!(one_evicted.try_recv().is_err());
        let _three = connections.enter(peer("192.0.2.4")).unwrap();
        assert!(one_evicted.try_recv().is_ok(), "the others keep theirs");
    }
}
