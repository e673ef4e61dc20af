//! How many questions an address may get: shared by everything in the process that asks authoritative servers.
//! Keeping the pace costs the asker time, never the server.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The most questions that one address gets within [`PER`]. IPv64 blocks clients that ask too fast (observed).
pub const MOST: usize = 5;
/// The span of [`MOST`], a little above a second so that a late packet does not make six in one second.
pub const PER: Duration = Duration::from_millis(1120);

/// The questions that each address got lately.
#[derive(Debug, Default)]
pub struct Pace {
    sent: Mutex<HashMap<IpAddr, VecDeque<Instant>>>,
}

impl Pace {
    /// Books the next question to an address and returns the moment at which it may be sent: now, or later if the
    /// address has had its share.
    pub fn book(&self, address: IpAddr, now: Instant) -> Instant {
        let mut sent = self.sent.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let slots = sent.entry(address).or_default();
        while slots.front().is_some_and(|slot| *slot + PER <= now) {
            slots.pop_front();
        }
        let slot = match slots.len().checked_sub(MOST).and_then(|place| slots.get(place)) {
            Some(blocking) => now.max(*blocking + PER),
            None => now,
        };
        slots.push_back(slot);
        slot
    }

    /// Notes that a question was sent later than it was booked for: threads start late on a busy machine.
    pub fn sent(&self, address: IpAddr, slot: Instant, now: Instant) {
        let mut sent = self.sent.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let slots = sent.entry(address).or_default();
        if let Some(place) = slots.iter().position(|booked| *booked == slot).filter(|_| slot < now) {
            slots.remove(place);
            let later = slots.partition_point(|booked| *booked <= now);
            slots.insert(later, now);
        }
    }

    /// Returns how many questions an address may get at once, now.
    #[must_use]
    pub fn free(&self, address: IpAddr, now: Instant) -> usize {
        let sent = self.sent.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let recent = sent.get(&address).map_or(0, |slots| slots.iter().filter(|slot| **slot + PER > now).count());
        MOST.saturating_sub(recent)
    }

    /// Books the next question and sleeps until it may be sent, but not past the deadline. Returns whether it may.
    pub fn wait(&self, address: IpAddr, deadline: Instant) -> bool {
        let slot = self.book(address, Instant::now());
        std::thread::sleep(slot.min(deadline).saturating_duration_since(Instant::now()));
        slot < deadline
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_more_than_the_limit_in_any_second() {
        let pace = Pace::default();
        let address = IpAddr::from([192, 0, 2, 1]);
        let start = Instant::now();
        // Asked for at irregular times: bursts, pauses, all at once.
        let asks = [0, 0, 0, 0, 0, 0, 0, 10, 1200, 1900, 2100, 2100, 2100, 2100, 2100, 2100, 2100, 9000];
        let slots: Vec<_> = asks.iter().map(|ms| pace.book(address, start + Duration::from_millis(*ms))).collect();
        for slot in &slots {
            let within = slots.iter().filter(|other| **other >= *slot && **other < *slot + Duration::from_secs(1));
            assert!(within.count() <= MOST);
        }
        assert_eq!(slots[4], start, "the first ones are free");
    }

    #[test]
    fn addresses_do_not_share() {
        let pace = Pace::default();
        let now = Instant::now();
        for last in 0..20 {
            assert_eq!(pace.book(IpAddr::from([192, 0, 2, last]), now), now);
        }
    }

    #[test]
    fn a_late_question_counts_from_when_it_was_sent() {
        let pace = Pace::default();
        let address = IpAddr::from([192, 0, 2, 1]);
        let booked = Instant::now();
        let late = booked + Duration::from_millis(300);
        for _ in 0..MOST {
            let slot = pace.book(address, booked);
            pace.sent(address, slot, late);
        }
        assert_eq!(pace.book(address, late), late + PER);
    }

    #[test]
    fn what_is_free_counts_down_and_comes_back() {
        let pace = Pace::default();
        let address = IpAddr::from([192, 0, 2, 1]);
        let now = Instant::now();
        pace.book(address, now);
        pace.book(address, now);
        assert_eq!(pace.free(address, now), MOST - 2);
        assert_eq!(pace.free(address, now + PER), MOST);
    }
}
