//! How many calls the account has left today, as far as it can be known without asking.
//! Everything here may be wrong about the provider's day, and so it never forbids for longer than a quarter of an hour
//! without another look, unless what is left is kept for records that have to be removed.

use std::collections::BTreeMap;
use std::time::Duration;

use super::limit::{CallsNeeded, LimitError};
use crate::time::Timestamp;

/// After this long a used-up quota is tried again, and the account is read again where the last reading forbids additions:
/// it may not have been the day's limit, and the provider's midnight may not be Germany's. Four calls an hour hammer nobody.
const PROBE_AFTER: Duration = Duration::from_secs(900);
/// After this long a refusal without a reason is tried again: another program's burst is over then.
const REFUSED_PAUSE: Duration = Duration::from_secs(120);
/// Own calls after which the account is read although nothing is known of it: well below the documented default
/// of 64 a day (IPv64 API document).
const UNKNOWN_READ_AFTER: u64 = 40;
/// An order that takes more calls than this is big: reading the account adds little to them, and the documented default may not
/// pay for them if others use the key, too.
const BIG_ORDER: u64 = 51;
/// So few remaining calls are near enough to the end to look more often.
const NEAR: u64 = 10;
/// Near the end the account is read again after so many calls where others use the same key.
const NEAR_READ_AFTER: u64 = 5;

/// The calls of one account on one day.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct DailyUsage {
    /// The date in Germany.
    day: String,
    calls: u64,
    /// Those of them that each client of the broker has caused.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    by_client: BTreeMap<String, u64>,
    known: Option<QuotaSnapshot>,
    used_up_since: Option<Timestamp>,
    /// When calls were last refused for longer than a burst lasts, for a reason that nobody told.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused_at: Option<Timestamp>,
}

/// What the account said last.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct QuotaSnapshot {
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
}

impl DailyUsage {
    /// Begins a new day at midnight, and forgets a refusal that is a quarter of an hour old.
    pub(super) fn begin_day(&mut self, now: Timestamp) {
        let day = now.german_date();
        if self.day != day {
            *self = Self { day, ..Self::default() };
        }
        self.used_up_since = self.used_up_since.filter(|since| now.since(*since) < PROBE_AFTER);
        self.refused_at = self.refused_at.filter(|at| now.since(*at) < REFUSED_PAUSE);
    }

    /// Counts one call.
    pub(super) const fn count(&mut self) {
        self.calls = self.calls.saturating_add(1);
    }

    /// Counts calls, counted already, as those of a client of the broker.
    pub fn count_for(&mut self, client: &str, calls: u64) {
        if calls > 0 {
            let count = self.by_client.entry(client.to_owned()).or_default();
            *count = count.saturating_add(calls);
        }
    }

    /// Returns how many calls a client of the broker has caused today.
    #[must_use]
    pub fn calls_of(&self, client: &str) -> u64 {
        self.by_client.get(client).copied().unwrap_or_default()
    }

    /// Takes what the account says: calls used today, and the daily limit, where 0 means none (observed).
    pub fn learn(&mut self, used: u64, limit: u64, now: Timestamp) {
        self.known =
            Some(QuotaSnapshot { used, limit: Some(limit).filter(|limit| *limit > 0), calls: self.calls, at: now });
        // The account knows better than an old refusal.
        if limit == 0 || used < limit {
            self.try_again();
        }
    }

    /// Notes a 429 that means the whole day. For a quarter of an hour all processes fail with [`LimitError::UsedUp`] at once;
    /// then it is tried again, as nobody knows for sure when the day ends.
    pub const fn refuse(&mut self, now: Timestamp) {
        self.used_up_since = Some(now);
    }

    /// Notes a 429 that outlasts a burst and does not say why. For two minutes all processes fail with
    /// [`LimitError::Refused`] at once.
    pub const fn refuse_for_now(&mut self, now: Timestamp) {
        self.refused_at = Some(now);
    }

    /// Forgets refusals.
    pub(super) const fn try_again(&mut self) {
        (self.used_up_since, self.refused_at) = (None, None);
    }

    /// Returns what is known of the calls left today.
    #[must_use]
    pub fn quota(&self) -> Quota {
        let limit = self.known.as_ref().and_then(|known| known.limit);
        let remaining = self.known.as_ref().and_then(|known| {
            Some(known.limit?.saturating_sub(known.used).saturating_sub(self.calls.saturating_sub(known.calls)))
        });
        Quota {
            calls_today: self.calls,
            limit,
            remaining,
            used_up_until: self.used_up_since.map(Timestamp::next_german_midnight),
        }
    }

    /// Makes sure that a request can be made today at all.
    ///
    /// # Errors
    /// [`LimitError::UsedUp`], [`LimitError::Refused`]
    pub(super) fn check(&self) -> Result<(), LimitError> {
        match (self.quota().used_up_until, self.refused_at) {
            (Some(reset), _) => Err(LimitError::UsedUp { reset }),
            (None, Some(since)) => Err(LimitError::Refused { since, next: since + REFUSED_PAUSE }),
            (None, None) => Ok(()),
        }
    }

    /// Makes sure that an order can be finished today. Only a limit that the account has told forbids anything.
    ///
    /// # Errors
    /// [`LimitError::Reserved`] if fewer calls are known to remain than it needs,
    /// [`LimitError::UsedUp`] if none are.
    pub fn admit(&self, needed: CallsNeeded, now: Timestamp) -> Result<(), LimitError> {
        self.check()?;
        match self.quota() {
            Quota { remaining: Some(remaining), limit: Some(limit), .. } if remaining < needed.total() => {
                Err(LimitError::Reserved { needed, remaining, limit, reset: now.next_german_midnight() })
            }
            _ => Ok(()),
        }
    }

    /// Returns whether it is worth a call to read the account before these additions.
    #[must_use]
    pub fn needs_reading(&self, needed: CallsNeeded, now: Timestamp) -> bool {
        let is_big = |calls: u64| !needed.is_begun && calls.saturating_add(needed.total()) > BIG_ORDER;
        let Some(known) = &self.known else {
            return self.calls >= UNKNOWN_READ_AFTER || is_big(self.calls);
        };
        let since = self.calls.saturating_sub(known.calls);
        let Some(left) = self.quota().remaining else { return false };
        // Nobody else has used the key: a reading would tell what is counted here, and cost a call of the day.
        let least = if known.used <= known.calls { UNKNOWN_READ_AFTER } else { NEAR_READ_AFTER };
        // Halfway to the end, and then more often.
        let is_due = since >= if left > NEAR { left.max(least) } else { least };
        // Others may have used the key since, and the day of IPv64 may have ended.
        let doubtful = if is_big(0) { needed.total().saturating_mul(2) } else { needed.total() };
        is_due || (left < doubtful && now.since(known.at) >= PROBE_AFTER)
    }

    pub(super) fn each_time(&mut self, change: &mut dyn FnMut(&mut Timestamp)) {
        self.used_up_since.iter_mut().chain(&mut self.refused_at).for_each(&mut *change);
        self.known.iter_mut().for_each(|known| change(&mut known.at));
    }
}

#[cfg(test)]
mod tests;
