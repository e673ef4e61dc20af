//! Is the record on every authoritative name server? One state machine for a wait, one rule for the verdict.
//! Servers and places are found in [`crate::dns`]; adding and removing records is the solver's business.
//!
//! - [`plan`]: what is waited for, sorted into zones
//! - [`answer`]: what one reply says
//! - [`rule`]: how much proof is enough, and what all addresses mean together
//! - [`evidence`]: what one address has answered so far
//! - `schedule`: when an address is polled
//! - `target`: which question an address gets next
//! - `search`: when the servers of a zone are looked for again
//! - `fallback`: resolvers instead, where no authoritative server can be asked
//! - `wait`: the state machine, without sockets, threads and clock
//! - [`run`]: a thread for each job of the machine
//! - [`outcome`]: what is reported, with the table of servers and the advice that fits it

pub mod answer;
pub mod evidence;
mod fallback;
pub mod outcome;
pub mod plan;
pub mod rule;
pub mod run;
mod schedule;
mod search;
mod target;
mod wait;

pub use outcome::{Basis, NotReady, Ready, Row};
pub use plan::{Plan, Record};
pub use rule::ServerStatus;
pub use run::wait;
pub use target::Host;
