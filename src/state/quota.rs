//! How many calls the account has left today, as far as it can be known without asking.
//! Everything here may be wrong about the provider's day, and so it never forbids for longer than a quarter of an hour
//! without another look, unless what is left is kept for records that have to be removed.

use std::time::Duration;

use crate::time::Timestamp;

/// After this long a used-up quota is tried again, and a reading that forbids is looked at again, should it not have been the day's limit, or should the provider's
/// midnight not be Germany's. Four calls an hour hammer nobody.
const PROBE_AFTER: Duration = Duration::from_secs(900);
/// Own calls after which the account is read although nothing is known of it: well below the documented default
/// of 64 a day (IPv64 API document).
const UNKNOWN_READ_AFTER: u64 = 40;
/// So few remaining calls are near enough to the end to look more often.
const NEAR: u64 = 10;
/// The calls that a record takes: with fewer left nothing is added.
const FOR_A_RECORD: u64 = 2;
/// Near the end the account is read again after so many calls where others use the same key.
const NEAR_READ_AFTER: u64 = 5;

/// The calls of one account on one day.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub(super) struct Ledger {
    /// The date in Germany.
    day: String,
    calls: u64,
    known: Option<Reading>,
    used_up_since: Option<Timestamp>,
}

/// What the account said last.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Reading {
    used: u64,
    /// None is unlimited.
    limit: Option<u64>,
    /// Our own calls up to then.
    calls: u64,
    #[serde(default)]
    at: Timestamp,
}

/// What is known of the calls left today.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Quota {
    /// Calls that were made through this state directory since midnight.
    pub calls_today: u64,
    /// The daily limit, once the account has been read today; nothing if it is unknown or there is none.
    pub limit: Option<u64>,
    /// Calls left, if the limit is known: the last reading less our calls since. Other programs with the same key
    /// may have made more.
    pub remaining: Option<u64>,
    /// The time at which a used-up quota begins anew: the next midnight in Germany (observed, not documented).
    pub used_up_until: Option<Timestamp>,
    /// Whether it is worth a call to read the account before the next addition.
    pub needs_reading: bool,
}

impl Ledger {
    /// Begins a new day at midnight, and forgets a refusal that is a quarter of an hour old.
    pub(super) fn normalise(&mut self, now: Timestamp) {
        let day = now.german_date();
        if self.day != day {
            *self = Self { day, ..Self::default() };
        }
        self.used_up_since = self.used_up_since.filter(|since| *since <= now && now.since(*since) < PROBE_AFTER);
    }

    /// Counts one call.
    pub(super) const fn count(&mut self) {
        self.calls = self.calls.saturating_add(1);
    }

    /// Takes what the account says: calls used today, and the daily limit, where 0 means none (observed).
    pub(super) fn learn(&mut self, used: u64, limit: u64, now: Timestamp) {
        self.known = Some(Reading { used, limit: Some(limit).filter(|limit| *limit > 0), calls: self.calls, at: now });
        // The account knows better than an old refusal.
        if limit == 0 || used < limit {
            self.used_up_since = None;
        }
    }

    /// Notes that the API refused a call because the day's calls are used up.
    pub(super) const fn refuse(&mut self, now: Timestamp) {
        self.used_up_since = Some(now);
    }

    pub(super) fn quota(&self, now: Timestamp) -> Quota {
        let limit = self.known.as_ref().and_then(|known| known.limit);
        let remaining = self.known.as_ref().and_then(|known| {
            Some(known.limit?.saturating_sub(known.used).saturating_sub(self.calls.saturating_sub(known.calls)))
        });
        Quota {
            calls_today: self.calls,
            limit,
            remaining,
            used_up_until: self.used_up_since.map(Timestamp::next_german_midnight),
            needs_reading: self.needs_reading(remaining, now),
        }
    }

    fn needs_reading(&self, remaining: Option<u64>, now: Timestamp) -> bool {
        let Some(known) = &self.known else { return self.calls >= UNKNOWN_READ_AFTER };
        let since = self.calls.saturating_sub(known.calls);
        let Some(left) = remaining else { return false };
        // Nobody else has used the key: a reading would tell what is counted here, and cost a call of the day.
        let least = if known.used <= known.calls { UNKNOWN_READ_AFTER } else { NEAR_READ_AFTER };
        if left > NEAR {
            // Halfway to the end.
            return since >= left.max(least);
        }
        // A clock that was set back makes readings of the future: those are old too.
        let is_old = known.at > now || now.since(known.at) >= PROBE_AFTER;
        since >= least || (left < FOR_A_RECORD && is_old)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-23 14:00 in Germany.
    const NOON: Timestamp = Timestamp::from_millis(1_795_438_800_000);
    const MIDNIGHT: Timestamp = Timestamp::from_millis(1_795_474_800_000);

    fn after(calls: u64) -> Ledger {
        let mut ledger = Ledger::default();
        ledger.normalise(NOON);
        (0..calls).for_each(|_| ledger.count());
        ledger
    }

    #[test]
    fn remaining_calls_are_the_reading_less_ours_since() {
        let mut ledger = after(3);
        assert_eq!(ledger.quota(NOON).remaining, None);
        ledger.learn(20, 64, NOON);
        ledger.count();
        assert_eq!((ledger.quota(NOON).remaining, ledger.quota(NOON).limit), (Some(43), Some(64)));
        ledger.learn(99, 64, NOON);
        assert_eq!(ledger.quota(NOON).remaining, Some(0));
    }

    #[test]
    fn a_limit_of_zero_is_none() {
        let mut ledger = after(50);
        assert!(ledger.quota(NOON).needs_reading);
        ledger.learn(50, 0, NOON);
        assert_eq!((ledger.quota(NOON).remaining, ledger.quota(NOON).needs_reading), (None, false));
    }

    #[test]
    fn midnight_makes_all_calls_available_again() {
        let mut ledger = after(64);
        ledger.learn(64, 64, NOON);
        ledger.refuse(NOON);
        ledger.normalise(MIDNIGHT);
        let fresh = Quota { calls_today: 0, limit: None, remaining: None, used_up_until: None, needs_reading: false };
        assert_eq!(ledger.quota(MIDNIGHT), fresh);
    }

    #[test]
    fn a_refusal_holds_for_a_quarter_of_an_hour_and_names_midnight() {
        let mut ledger = after(1);
        ledger.refuse(NOON);
        ledger.normalise(NOON + Duration::from_secs(899));
        assert_eq!(ledger.quota(NOON).used_up_until, Some(MIDNIGHT));
        ledger.normalise(NOON + PROBE_AFTER);
        assert_eq!(ledger.quota(NOON).used_up_until, None);
    }

    #[test]
    fn a_refusal_of_the_future_does_not_hold() {
        let mut ledger = after(1);
        ledger.refuse(NOON + Duration::from_secs(60));
        ledger.normalise(NOON);
        assert_eq!(ledger.quota(NOON).used_up_until, None);
    }

    #[test]
    fn the_account_is_read_more_often_near_the_end() {
        let mut ledger = after(39);
        assert!(!ledger.quota(NOON).needs_reading, "nothing known, few calls");
        ledger.count();
        assert!(ledger.quota(NOON).needs_reading, "nothing known, many calls");
        ledger.learn(41, 65, NOON);
        (0..11).for_each(|_| ledger.count());
        assert!(!ledger.quota(NOON).needs_reading, "13 of 24 left");
        ledger.count();
        assert!(ledger.quota(NOON).needs_reading, "12 of 24 left");
        ledger.learn(55, 64, NOON);
        (0..4).for_each(|_| ledger.count());
        assert!(!ledger.quota(NOON).needs_reading, "near, but just read");
        ledger.count();
        assert!(ledger.quota(NOON).needs_reading, "near");
    }

    #[test]
    fn a_reading_that_forbids_is_looked_at_again_after_a_quarter_of_an_hour() {
        let mut ledger = after(1);
        ledger.learn(64, 64, NOON);
        let needs_reading = |ledger: &Ledger, now| ledger.quota(now).needs_reading;
        assert!(!needs_reading(&ledger, NOON + Duration::from_secs(899)));
        assert!(needs_reading(&ledger, NOON + PROBE_AFTER));
        assert!(needs_reading(&ledger, Timestamp::default()), "the clock was set back");
        ledger.learn(62, 64, NOON);
        assert!(!needs_reading(&ledger, NOON + PROBE_AFTER), "it forbids nothing");
    }

    #[test]
    fn the_account_is_not_read_again_soon_where_nobody_else_uses_the_key() {
        let mut ledger = after(41);
        ledger.learn(41, 64, NOON);
        (0..23).for_each(|_| ledger.count());
        assert_eq!((ledger.quota(NOON).remaining, ledger.quota(NOON).needs_reading), (Some(0), false));
        let mut early = after(1);
        early.learn(1, 1000, NOON);
        (0..500).for_each(|_| early.count());
        assert!(early.quota(NOON).needs_reading, "halfway: others may have come");
    }
}
