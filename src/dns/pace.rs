//! How many questions an address may get: shared by everything in the process that asks authoritative servers.
//! Keeping the pace costs the asker time, never the server.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The most questions that one address gets within [`PER`]. IPv64 blocks clients that ask too fast (observed).
pub const MOST: usize = 5;
/// The span of [`MOST`], a little above a second so that a late packet does not make six in one second.
pub const PER: Duration = Duration::from_millis(1100);

/// The questions that each address got lately.
#[derive(Debug, Default)]
pub struct Pace {
    sent: Mutex<HashMap<IpAddr, VecDeque<Instant>>>,
}

/// The right to send one question to a server, booked for a moment that has come.
#[derive(Debug)]
pub struct Turn<'a> {
    pace: &'a Pace,
    /// Whom the question goes to.
    pub server: SocketAddr,
    slot: Instant,
}

impl Turn<'_> {
    /// Notes that the question has left just now: threads start late on a busy machine, and a connection takes a round trip
    /// before it carries a question. What counts is when the server gets it.
    pub(super) fn sent(&self) {
        self.pace.sent(self.server.ip(), self.slot, Instant::now());
    }
}

impl Pace {
    /// Returns the turn that was booked for a moment.
    #[must_use]
    pub fn turn(&self, server: SocketAddr, slot: Instant) -> Turn<'_> {
        Turn { pace: self, server, slot }
    }

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

    /// Notes that a question was sent later than it was booked for, even so late that its slot is forgotten.
    fn sent(&self, address: IpAddr, slot: Instant, now: Instant) {
        let mut sent = self.sent.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let slots = sent.entry(address).or_default();
        if let Some(place) = slots.iter().position(|booked| *booked == slot) {
            slots.remove(place);
        }
        let later = slots.partition_point(|booked| *booked <= now);
        slots.insert(later, now);
    }

    /// Looks again, at the moment that was booked, whether the question may be sent: those before it may have left late.
    /// Returns the moment that is booked now.
    #[must_use]
    pub fn confirm(&self, address: IpAddr, slot: Instant) -> Instant {
        let mut sent = self.sent.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let slots = sent.entry(address).or_default();
        let Some(place) = slots.iter().rposition(|booked| *booked == slot) else { return slot };
        let blocking = place.checked_sub(MOST).and_then(|before| slots.get(before));
        let moved = blocking.map_or(slot, |blocking| slot.max(*blocking + PER));
        slots.remove(place);
        let later = slots.partition_point(|booked| *booked <= moved);
        slots.insert(later, moved);
        moved
    }

    /// Returns how many questions an address may get at once, now.
    #[must_use]
    pub fn free(&self, address: IpAddr, now: Instant) -> usize {
        let sent = self.sent.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let recent = sent.get(&address).map_or(0, |slots| slots.iter().filter(|slot| **slot + PER > now).count());
        MOST.saturating_sub(recent)
    }

    /// Books the next question and sleeps until it may be sent; nothing if that is not before the deadline.
    #[must_use]
    pub fn wait(&self, server: SocketAddr, deadline: Instant) -> Option<Turn<'_>> {
        let mut slot = self.book(server.ip(), Instant::now());
        loop {
            std::thread::sleep(slot.min(deadline).saturating_duration_since(Instant::now()));
            if slot >= deadline {
                return None;
            }
            match self.confirm(server.ip(), slot) {
                same if same == slot => return Some(self.turn(server, slot)),
                later => slot = later,
            }
        }
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
    fn a_question_that_leaves_after_its_slot_was_forgotten_counts_all_the_same() {
        let pace = Pace::default();
        let address = IpAddr::from([192, 0, 2, 1]);
        let booked = Instant::now();
        let slot = pace.book(address, booked);
        let late = booked + 2 * PER;
        pace.book(address, late);
        pace.sent(address, slot, late);
        assert_eq!(pace.free(address, late), MOST - 2);
    }

    #[test]
    fn a_question_that_was_booked_before_others_left_late_is_held_back() {
        let pace = Pace::default();
        let address = IpAddr::from([192, 0, 2, 1]);
        let booked = Instant::now();
        let early: Vec<_> = (0..MOST).map(|_| pace.book(address, booked)).collect();
        let next = pace.book(address, booked);
        assert_eq!(next, booked + PER);
        let late = booked + Duration::from_millis(300);
        early.iter().for_each(|slot| pace.sent(address, *slot, late));
        assert_eq!(pace.confirm(address, next), late + PER);
        assert_eq!(pace.confirm(address, late + PER), late + PER);
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
