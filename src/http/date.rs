//! Dates in headers (RFC 9110 section 5.6.7). What a date means is left to those who read the header.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::time::Timestamp;

/// Reads `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that senders may use (RFC 9110 section 5.6.7).
/// Nothing for any other text.
pub(super) fn imf_fixdate(text: &str) -> Option<SystemTime> {
    Timestamp::parse_http(text).map(|time| UNIX_EPOCH + Duration::from_secs(time.as_secs()))
}
