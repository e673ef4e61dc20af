//! Is the record on every authoritative name server? One poller per address, one verdict over all.
//! Servers and places are found in [`crate::dns`]; adding and removing records is the solver's business.
//!
//! - `answer`: what one reply says
//! - `evidence`: what one address has answered so far, and where that leaves it
//! - `seen`: one record at one address, and what it is worth as proof
//! - `back_ends`: the servers behind an address that tell their names
//! - `verdict`: what all addresses of a zone together mean
//! - `schedule`, `look`: when an address is asked, and what
//! - `poller`: asks one address
//! - `wait`: runs the pollers until the verdict or the deadline
//! - `second_hand`: resolvers instead, where no authoritative server can be asked
//! - `second_opinion`: whether the root servers lead to the same servers, when all lag for long
//! - `outcome`: what is reported, with the table of servers and the advice that fits it

pub mod answer;
mod back_ends;
pub mod evidence;
mod look;
#[cfg(test)]
mod model;
pub mod outcome;
mod poller;
mod schedule;
mod second_hand;
mod second_opinion;
pub mod seen;
pub mod verdict;
pub mod wait;

pub use evidence::Standing;
pub use outcome::{Basis, NotReady, Ready, Row};
pub use wait::{Plan, Record, wait};
