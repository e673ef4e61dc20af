//! What each account has used of its limits, and its domains: the file `usage.json`. Losing it costs a few calls.

use std::collections::BTreeMap;

use super::account::Account;
use super::document::Document;
use super::domains::DomainCache;
use super::limit::{CallKind, LimitError};
use super::outage::Outage;
use super::quota::DailyUsage;
use super::rate::Rate;
use super::window::{Turn, Window};
use crate::time::Timestamp;

/// Accounts in the file; the one that was used longest ago makes room.
const MOST_ACCOUNTS: usize = 16;

/// Every account's usage.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub(super) struct Usage {
    accounts: BTreeMap<Account, AccountUsage>,
}

/// What one account has used.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct AccountUsage {
    /// When a request was last allowed, or the domains were last given.
    used_at: Timestamp,
    /// The requests of the last seconds.
    pub window: Window,
    /// The calls of today.
    pub daily: DailyUsage,
    /// Since when the API has not answered this account.
    pub outage: Outage,
    /// The account's domains.
    pub domains: DomainCache,
}

impl Document for Usage {
    const FILE: &'static str = "usage.json";
    const SYNCED: bool = false;

    fn each_time(&mut self, change: &mut dyn FnMut(&mut Timestamp)) {
        for account in self.accounts.values_mut() {
            change(&mut account.used_at);
            account.window.each_time(change);
            account.daily.each_time(change);
            account.outage.each_time(change);
            account.domains.each_time(change);
        }
    }
}

impl Usage {
    pub(super) fn of(&mut self, account: &Account, now: Timestamp) -> &mut AccountUsage {
        if !self.accounts.contains_key(account) {
            while self.accounts.len() >= MOST_ACCOUNTS {
                let oldest = self.accounts.iter().min_by_key(|(_, usage)| usage.used_at).map(|(name, _)| name.clone());
                oldest.and_then(|name| self.accounts.remove(&name));
            }
        }
        let usage = self
            .accounts
            .entry(account.clone())
            .or_insert_with(|| AccountUsage { used_at: now, ..AccountUsage::default() });
        usage.daily.begin_day(now);
        usage
    }
}

impl AccountUsage {
    /// Asks for a request of this kind to be allowed now, for somebody who waits so long at most.
    pub(super) fn ask(
        &mut self,
        kind: CallKind,
        rate: Rate,
        patience: std::time::Duration,
        now: Timestamp,
    ) -> Result<Turn, LimitError> {
        self.check(now)?;
        let turn = self.window.ask(kind, rate, patience, now)?;
        if matches!(turn, Turn::Now(_)) {
            self.daily.count();
            self.outage.note_try(now);
            self.used_at = now;
        }
        Ok(turn)
    }

    /// Makes sure that a request may leave, apart from its turn.
    ///
    /// # Errors
    /// [`LimitError::UsedUp`], [`LimitError::Refused`], [`LimitError::Down`]
    pub fn check(&self, now: Timestamp) -> Result<(), LimitError> {
        self.daily.check()?;
        self.outage.check(now)
    }

    /// Lets the next request leave although the day seems used up, or the API away: a person asks.
    pub fn insist(&mut self, now: Timestamp) {
        self.daily.try_again();
        self.outage.hurry(now);
    }

    /// Returns whether there is no use in a call that can wait: the day is used up, or the API does not answer.
    #[must_use]
    pub fn is_barred(&self, now: Timestamp) -> bool {
        self.daily.check().is_err() || self.outage.down_since(now).is_some()
    }

    /// Returns whether there is a request to spare: it could leave at once, nobody waits, and nothing bars it.
    #[must_use]
    pub fn has_to_spare(&self, rate: Rate, now: Timestamp) -> bool {
        !self.is_barred(now) && self.window.is_idle(rate, now)
    }
}

#[cfg(test)]
mod tests;
