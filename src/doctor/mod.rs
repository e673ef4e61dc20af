//! What stands between this machine and a certificate: key, files, account, delegation, name servers, CAA.
//! Checks and tells; changes nothing, and asks the API at most twice. Printing is left to [`crate::commands`].
//!
//! - [`finding`]: one thing that was found, with what to do about it
//! - [`parallel`]: several checks at once
//! - [`machine`]: settings, key, state directory, clock, the way to the API
//! - [`account`]: what IPv64 says of the key
//! - [`mod@broker`]: what the broker says of the token
//! - [`zone`]: who serves a domain, and whether resolvers believe it
//! - [`caa`]: whether a CA may issue
//! - [`domain`]: one domain from its account to its CAA records
//! - [`servers`]: every address of every authoritative server, over UDP and TCP
//! - [`client`]: what an ACME client that nobody starts by hand meets; [`units`] and [`crontabs`] find what starts it ([`run`]),
//!   [`stored`] reads what it has stored about the hook

pub mod account;
pub mod broker;
pub mod caa;
pub mod client;
pub mod crontabs;
pub mod domain;
pub mod finding;
pub mod machine;
pub mod parallel;
pub mod run;
pub mod servers;
pub mod stored;
pub mod units;
pub mod zone;

pub use finding::{Finding, Level};
