//! What the comparison shares with the tests: Pebble, and a look into certificates.

#[path = "../../it/support/certificate.rs"]
pub(crate) mod certificate;
#[path = "../../it/support/pebble.rs"]
pub(crate) mod pebble;
#[path = "../../it/support/process.rs"]
pub(crate) mod process;
#[path = "../../it/support/installed.rs"]
pub(crate) mod programs;
