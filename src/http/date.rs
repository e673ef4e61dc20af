//! Dates in headers (RFC 9110 section 5.6.7). What a date means is left to those who read the header.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::state::UnixTime;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Reads `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that senders may use (RFC 9110 section 5.6.7).
/// Nothing for any other text.
pub(super) fn imf_fixdate(text: &str) -> Option<SystemTime> {
    let (_, date) = text.split_once(", ")?;
    let parts: Vec<_> = date.split(' ').collect();
    let [day, month, year, time, "GMT"] = parts.as_slice() else { return None };
    let month = MONTHS.iter().position(|name| name == month)? as u64 + 1;
    let mut clock = time.splitn(3, ':').map(|part| part.parse().ok());
    let time = [clock.next()??, clock.next()??, clock.next()??];
    let time = UnixTime::at([year.parse().ok()?, month, day.parse().ok()?], time)?;
    Some(UNIX_EPOCH + Duration::from_secs(time.as_secs()))
}
