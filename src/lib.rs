//! `ipv64-acme` proves control of a domain hosted at IPv64.net to an ACME CA (RFC 8555, `dns-01`).
//!
//! The library holds everything but the process: the binary parses its arguments, calls in here and
//! turns the outcome into an exit code. A room only uses what stands below it in this list.

pub mod api;
pub mod dns;
pub mod gate;
pub mod http;
pub mod propagation;
#[cfg(feature = "sim")]
pub mod sim;
pub mod state;

pub mod challenge;
pub mod exit;
pub mod name;
pub mod secret;
