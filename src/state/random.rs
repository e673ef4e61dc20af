//! Random numbers for ids that two processes must not share, and for jitter.
//! Challenge values for tests of the whole flow are [`crate::challenge::TxtValue::random`]'s.

use std::time::{SystemTime, UNIX_EPOCH};

/// Returns a random number. Where the system has none to give, one from clock and process id: an id that
/// clashes once in a lifetime is better than a challenge that fails.
pub(super) fn number() -> u64 {
    let system = ring::rand::SystemRandom::new();
    ring::rand::generate::<[u8; 8]>(&system).map_or_else(
        |_| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            u64::from(now.subsec_nanos()) << 32 | u64::from(std::process::id())
        },
        |bytes| u64::from_ne_bytes(bytes.expose()),
    )
}

/// Returns 16 hexadecimal digits that nobody else has.
pub(super) fn id() -> String {
    format!("{:016x}", number())
}
