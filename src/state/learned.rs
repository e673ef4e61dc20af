//! How long each name server took to serve a new record in the past, and which addresses agreed with themselves.
//! What follows from that is decided by the poller.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::distinct::distinct;
use crate::name::DnsName;

use super::store::{Document, Store};
use crate::time::{Clock, Timestamp};

/// Times kept for each server.
const KEPT: usize = 20;
/// Servers kept; the one that was heard of longest ago makes room.
const MOST_SERVERS: usize = 64;

/// How long it is remembered that an address agreed with itself, or did not.
const REMEMBERED: Duration = Duration::from_secs(90 * 86_400);
/// In how many waits an address has to agree with itself: two servers behind it that follow each other closely look like one.
const AGREEMENTS: usize = 2;

/// The file `learned.json`.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
struct Times {
    servers: Vec<History>,
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct History {
    name: DnsName,
    address: IpAddr,
    /// Milliseconds, oldest first.
    times: Vec<u64>,
    updated_at: Timestamp,
    /// When it last showed a record and then did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unsteady_at: Option<Timestamp>,
    /// When it last agreed with itself, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    steady_at: Vec<Timestamp>,
}

impl Document for Times {
    const FILE: &'static str = "learned.json";
}

/// How long one address took from the add until it served the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visibility {
    /// The host name of the server.
    pub name: DnsName,
    /// The address that was asked.
    pub address: IpAddr,
    /// The time it took.
    pub took: Duration,
    /// Whether it agreed with itself; if not, several nameless servers are behind the address. Nothing if the wait does not
    /// tell.
    pub is_steady: Option<bool>,
}

/// What one address usually takes, over its last twenty records. In order of name and address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct UsualTime {
    /// The host name of the server.
    pub name: DnsName,
    /// Its address.
    pub address: IpAddr,
    /// Half of the records were there by then.
    pub p50: Duration,
    /// Of twenty records nineteen were there by then.
    pub p95: Duration,
    /// How many records that is drawn from; at least one.
    pub samples: usize,
}

/// Propagation times per name server address.
#[derive(Clone)]
pub struct Learned {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
}

impl Learned {
    pub(super) fn new(store: Arc<Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    /// Keeps what was seen.
    pub fn add(&self, seen: &[Visibility]) {
        if seen.is_empty() {
            return;
        }
        self.store.update(|times: &mut Times| {
            let now = self.clock.now();
            seen.iter().for_each(|one| times.add(one, now));
            times.servers.sort_unstable_by_key(|server| server.updated_at.min(now));
            let surplus = times.servers.len().saturating_sub(MOST_SERVERS);
            times.servers.drain(..surplus);
        });
    }

    /// Returns the addresses that agreed with themselves several times within the last 90 days, and never disagreed.
    #[must_use]
    pub fn steady(&self) -> Vec<IpAddr> {
        let now = self.clock.now();
        let steady = |server: &&History| server.is_steady(now);
        self.store
            .update(|times: &mut Times| times.servers.iter().filter(steady).map(|server| server.address).collect())
    }

    /// Returns what is known of all addresses, by name and address.
    #[must_use]
    pub fn all(&self) -> Vec<UsualTime> {
        self.store.update(|times: &mut Times| distinct(times.servers.iter().filter_map(History::usual)))
    }
}

impl Times {
    fn add(&mut self, seen: &Visibility, now: Timestamp) {
        let took = u64::try_from(seen.took.as_millis()).unwrap_or(u64::MAX);
        let known = self.servers.iter_mut().find(|server| server.name == seen.name && server.address == seen.address);
        if let Some(server) = known {
            server.times.push(took);
            server.updated_at = now;
            server.judge(seen.is_steady, now);
            keep_last(&mut server.times, KEPT);
        } else {
            let (name, address) = (seen.name.clone(), seen.address);
            let mut server =
                History { name, address, times: vec![took], updated_at: now, unsteady_at: None, steady_at: Vec::new() };
            server.judge(seen.is_steady, now);
            self.servers.push(server);
        }
    }
}

fn keep_last<T>(list: &mut Vec<T>, count: usize) {
    list.drain(..list.len().saturating_sub(count));
}

impl History {
    fn judge(&mut self, is_steady: Option<bool>, now: Timestamp) {
        match is_steady {
            Some(true) => {
                self.steady_at.push(now);
                keep_last(&mut self.steady_at, AGREEMENTS);
            }
            Some(false) => {
                self.unsteady_at = Some(now);
                self.steady_at.clear();
            }
            None => {}
        }
    }

    fn is_steady(&self, now: Timestamp) -> bool {
        let is_recent = |at: &Timestamp| now.since(*at) < REMEMBERED;
        let agreements = self.steady_at.iter().filter(|at| is_recent(at)).count();
        agreements >= AGREEMENTS && !self.unsteady_at.as_ref().is_some_and(is_recent)
    }

    fn usual(&self) -> Option<UsualTime> {
        let (_, last) = self.times.split_at(self.times.len().saturating_sub(KEPT));
        Some(UsualTime {
            name: self.name.clone(),
            address: self.address,
            p50: percentile(last, 50)?,
            p95: percentile(last, 95)?,
            samples: last.len(),
        })
    }
}

/// Returns the smallest of the times within which `percent` of them are.
fn percentile(times: &[u64], percent: usize) -> Option<Duration> {
    let rank = (times.len() * percent).div_ceil(100);
    let within = |limit: u64| times.iter().filter(|time| **time <= limit).count();
    times.iter().copied().filter(|time| within(*time) >= rank).min().map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;
    use crate::time::ManualClock;

    fn seen(server: &str, address: u8, millis: u64) -> Visibility {
        let address = IpAddr::from([127, 0, 0, address]);
        Visibility {
            name: DnsName::parse(server).unwrap(),
            address,
            took: Duration::from_millis(millis),
            is_steady: None,
        }
    }

    #[test]
    fn several_agreements_make_an_address_steady_for_a_while() {
        let clock = ManualClock::at(Timestamp::default() + Duration::from_secs(1_000_000));
        let learned = Learned::new(Arc::new(Store::in_memory()), Arc::clone(&clock) as Arc<dyn Clock>);
        let agrees = |is_steady| learned.add(&[Visibility { is_steady, ..seen("ns1.ipv64.net", 1, 10) }]);
        agrees(Some(true));
        agrees(None);
        assert!(learned.steady().is_empty());
        agrees(Some(true));
        assert_eq!(learned.steady(), [seen("ns1.ipv64.net", 1, 10).address]);
        clock.advance(REMEMBERED);
        assert!(learned.steady().is_empty());
        agrees(Some(true));
        assert!(learned.steady().is_empty(), "the earlier ones are too long ago");
    }

    #[test]
    fn a_disagreement_is_remembered_for_a_while() {
        let clock = ManualClock::at(Timestamp::default() + Duration::from_secs(1_000_000));
        let learned = Learned::new(Arc::new(Store::in_memory()), Arc::clone(&clock) as Arc<dyn Clock>);
        let agrees = |is_steady| learned.add(&[Visibility { is_steady, ..seen("ns1.ipv64.net", 1, 10) }]);
        agrees(Some(false));
        clock.advance(REMEMBERED / 2);
        (0..AGREEMENTS).for_each(|_| agrees(Some(true)));
        assert!(learned.steady().is_empty());
        clock.advance(REMEMBERED / 2);
        assert_eq!(learned.steady().len(), 1);
    }

    #[test]
    fn the_usual_times_are_those_of_the_last_twenty_records() {
        let learned = State::in_memory().learned();
        learned.add(&[seen("ns1.example", 1, 999_999)]);
        (1..=20).for_each(|second| learned.add(&[seen("ns1.example", 1, second * 1000)]));
        let usual = &learned.all()[0];
        assert_eq!((usual.p50.as_secs(), usual.p95.as_secs(), usual.samples), (10, 19, 20));
    }

    #[test]
    fn one_record_is_enough_to_begin_with() {
        let learned = State::in_memory().learned();
        learned.add(&[seen("ns1.example", 1, 3000)]);
        let all = learned.all();
        assert_eq!((all[0].p50.as_secs(), all[0].p95.as_secs(), all[0].samples), (3, 3, 1));
    }

    #[test]
    fn each_address_of_a_server_is_learned_by_itself() {
        let learned = State::in_memory().learned();
        learned.add(&[seen("ns1.example", 2, 5000), seen("ns1.example", 1, 3000), seen("ns0.example", 1, 1000)]);
        let all: Vec<_> = learned.all().iter().map(|usual| (usual.address.to_string(), usual.p50.as_secs())).collect();
        assert_eq!(all, [("127.0.0.1".to_owned(), 1), ("127.0.0.1".to_owned(), 3), ("127.0.0.2".to_owned(), 5)]);
    }

    #[test]
    fn the_number_of_servers_has_an_end() {
        let learned = State::in_memory().learned();
        (0..=255).for_each(|address| learned.add(&[seen("ns1.example", address, 1)]));
        assert_eq!(learned.all().len(), MOST_SERVERS);
        assert_eq!(learned.all().last().map(|usual| usual.address), Some(IpAddr::from([127, 0, 0, 255])));
    }
}
