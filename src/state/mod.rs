//! What outlives a process: the journal of records, and what each account has used of its limits.
//! HTTP and DNS are unknown here; nothing here prints.
//!
//! # On disk
//! One directory (mode 0700) with three files (mode 0600), each replaced as a whole:
//!
//! | file | holds | survives a power cut |
//! |---|---|---|
//! | `journal.json` | records that are, or may be, at IPv64 because of us; values that were ready a moment ago | yes: synced before the request leaves |
//! | `usage.json` | per account: requests sent, calls counted today, an outage, its domains | need not |
//! | `history.json` | the last hook calls, for people | need not |
//! | `lock` | nothing; locked during each read and replace | |
//!
//! All read `{"version": 1, "clock": …, "content": …}`. Times are milliseconds since 1970, and `clock` is what wall clock and
//! boot clock showed when the file was written: where somebody has set the wall clock since, all times of the file move along,
//! so nothing ages or waits by that. An account is a fingerprint of its key, never the key.
//!
//! Several files, since only the journal is worth an fsync. A lock on a separate file, since a rename would leave the lock on a
//! file that nobody opens again. JSON, since a person may have to read it when all else fails.
//!
//! # When the disk fails
//! A challenge must not fail because of a file: every operation works, in memory if need be, and the reasons are
//! kept for [`State::take_warnings`].

mod account;
mod directory;
mod document;
mod domains;
mod entry;
mod error;
mod history;
mod journal;
mod limit;
mod outage;
mod quota;
mod rate;
mod store;
mod turn;
mod usage;
mod window;

#[cfg(test)]
mod tests;

pub use account::Account;
pub use directory::{StateDir, lock_within};
pub use domains::DomainCache;
pub use entry::{Entry, EntryId, LEFT_OVER_AFTER, Progress, RecordMark};
pub use error::StateError;
pub use history::{PastCall, PastRecord, PastServer};
pub use journal::Journal;
pub use limit::{CallKind, CallsNeeded, LimitError};
pub use outage::Outage;
pub use quota::{DailyUsage, Quota};
pub use rate::{Rate, RateError};
pub use store::State;
pub use usage::AccountUsage;
pub use window::Window;
