//! What stands between this machine and a certificate: key, files, account, delegation, name servers, CAA.
//! Looks and tells; changes nothing, and asks the API at most twice. Printing is left to [`crate::commands`].
//!
//! - [`finding`]: one thing that was found, with what to do about it
//! - [`machine`]: settings, key, state directory, clock, the way to the API
//! - [`account`]: what IPv64 says of the key
//! - [`domain`]: one domain from its account to its CAA records
//! - [`servers`]: every address of every authoritative server, over UDP and TCP
//! - [`caa`]: whether a CA may issue
//! - [`dnssec`]: whether validating resolvers believe the zone
//! - [`suffix`]: whose weekly limit the domain shares
//! - [`beside`]: several looks at once

pub mod account;
pub mod beside;
pub mod caa;
pub mod dnssec;
pub mod domain;
pub mod finding;
pub mod machine;
pub mod servers;
pub mod suffix;

pub use finding::{Finding, Level};
