//! What the tests stand on: a CA, ACME clients, and places for their files.
//! What is expected of the binary stands in the tests themselves.

pub(crate) mod certificate;
pub(crate) mod environment;
pub(crate) mod installed;
#[cfg(feature = "serve")]
pub(crate) mod network;
pub(crate) mod page;
pub(crate) mod pebble;
pub(crate) mod process;
pub(crate) mod programs;
pub(crate) mod skip;
pub(crate) mod stage;
pub(crate) mod terminal;
pub(crate) mod values;
