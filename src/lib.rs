//! `ipv64-acme` proves control of a domain hosted at IPv64.net to an ACME CA (RFC 8555, `dns-01`).
//!
//! The library holds everything but the process: the binary parses its arguments, calls in here and
//! turns the outcome into an exit code. A room uses only rooms below it in this list; the same map, with
//! more words, is `docs/architecture.md`.
//!
//! - [`commands`]: from a command line to an exit code
//! - [`manual`]: completions and man pages as texts
//! - [`report`]: everything that is printed
//! - [`cli`]: what can be typed
//! - `sim`: the simulated IPv64 and its name servers (feature `sim`)
//! - `serve`: the broker's server (feature `serve`)
//! - [`solver`]: adds, removes and waits for a set of challenges
//! - [`doctor`]: what stands between this machine and a certificate
//! - [`explain`]: what a kind of error, or the message of a CA, means
//! - [`setup`]: stores the key, finds the ACME clients
//! - [`settings`]: flags, environment, configuration file and defaults as one value
//! - [`hook`]: the conventions of the ACME clients, as pure functions
//! - [`account`]: which domain of the account holds a name
//! - [`propagation`]: is the record on every authoritative name server?
//! - [`dns`]: one question to one server, and the look-ups built from it
//! - [`limiter`]: the limits of the account as the rate limiter of the API
//! - [`api`]: the IPv64 HTTP API
//! - [`broker`]: what a hook and a broker say to each other
//! - [`http`]: HTTP requests with deadlines, for the API and for DNS over HTTPS
//! - [`state`]: the journal of records, and what each account has used of its limits
//! - [`order`]: what a caller asks for: records, wait, what to do on failure
//! - [`provider`]: the suffixes that the provider owns
//! - [`challenge`], [`secret`], [`name`], [`ownership`], [`excerpt`], [`time`], [`error`], [`exit`]: the vocabulary that all
//!   others share

pub mod account;
pub mod api;
pub mod broker;
pub mod challenge;
pub mod cli;
pub mod commands;
pub mod dns;
pub mod doctor;
pub mod error;
pub mod excerpt;
pub mod exit;
pub mod explain;
pub mod hook;
pub mod http;
pub mod limiter;
pub mod manual;
pub mod name;
pub mod order;
pub mod ownership;
pub mod propagation;
pub mod provider;
pub mod report;
pub mod secret;
#[cfg(feature = "serve")]
pub mod serve;
pub mod settings;
pub mod setup;
#[cfg(feature = "sim")]
pub mod sim;
pub mod solver;
pub mod state;
pub mod time;
