//! Integration tests: the real binary against the simulated IPv64, alone and called by real ACME clients.
//! They use loopback and temporary folders only. Those that need further programs are ignored by a plain
//! `cargo test`; `tests/run` installs what they need and runs them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "test code")]

mod api;
mod architecture;
#[cfg(feature = "serve")]
mod broker;
mod clients;
mod conventions;
mod frugal;
mod hostile;
mod keyless;
mod packages;
mod people;
mod soak;
mod support;
mod verdict;
