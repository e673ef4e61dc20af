//! The IPv64 HTTP API as a typed client: one method per call, models, errors, authentication, repetition.
//! It knows no files and prints nothing: before each request it asks a [`RateLimiter`] that its owner gives it, and it
//! reports each request to an observer. Which domain holds a name is the business of its callers.
//!
//! # Where the facts come from
//! Three grades, named at each branch that rests on one: *documented* (the provider's API page), *observed* (in public
//! clients and their recorded answers), *unknown*. What is unknown is not assumed.
//!
//! - **Documented**: one address (`https://ipv64.net/api`), calls chosen by the name of a parameter; four ways to
//!   authenticate ([`AuthMethod`]); the answers' `info`, `status` and one key named after the call; the codes 200, 201,
//!   202, 400, 401, 403, 429; a quota of calls per day.
//! - **Observed**: an error can be in the body of a 2xx, so success is a 2xx *and* `info` = `success`; empty maps
//!   arrive as `[]`, numbers as texts; pages of HTML with any status; adding what is there answers 400
//!   `dns record already there`; deleting what is not there answers 403; a burst limit of some calls per 10 seconds.
//! - **Unknown**: whether refused calls count; what a 429 of the daily quota says; how deep a prefix may be.

mod access;
mod answer;
mod client;
mod content;
mod error;
mod limiter;
mod models;
mod retry;
mod wire;

pub use crate::state::CallKind;
pub use access::{Access, AuthMethod};
pub use answer::{Change, Understood, understand};
pub use client::Client;
pub use content::{ContentError, check_content};
pub use error::ApiError;
pub use limiter::{Limit, Permit, RateLimiter};
pub use models::{Account, AccountClass, Domain, LogEntry, Record, RecordSpec, RecordType};
pub use retry::RetryPolicy;
pub use wire::Call;

#[cfg(test)]
mod tests;
