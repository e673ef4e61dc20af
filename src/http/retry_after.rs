//! The header `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// No server means more than a day: the daily quota is the longest limit that IPv64 has.
const LONGEST: Duration = Duration::from_secs(86_400);

/// Reads the header; a date in the past is no wait. Anything unreadable is as if it were not there.
pub(super) fn parse(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() => LONGEST,
        Err(_) => imf_fixdate(text)?.duration_since(now).unwrap_or_default(),
    };
    Some(wait.min(LONGEST))
}

/// Reads `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that senders may use (RFC 9110 section 5.6.7).
fn imf_fixdate(text: &str) -> Option<SystemTime> {
    let (_, date) = text.split_once(", ")?;
    let mut parts = date.split(' ');
    let day: i64 = parts.next()?.parse().ok()?;
    let name = parts.next()?;
    let month = i64::try_from(MONTHS.iter().position(|month| *month == name)?).ok()? + 1;
    let year: i64 = parts.next()?.parse().ok().filter(|year| (1970..=9999).contains(year))?;
    let mut clock = parts.next()?.splitn(3, ':').map(|part| part.parse::<u64>().ok().filter(|part| *part < 61));
    let (hours, minutes, seconds) = (clock.next()??, clock.next()??, clock.next()??);
    if parts.next() != Some("GMT") || !(1..=31).contains(&day) {
        return None;
    }
    let days = u64::try_from(days_since_1970(year, month, day)).ok()?;
    Some(UNIX_EPOCH + Duration::from_secs(((days * 24 + hours) * 60 + minutes) * 60 + seconds))
}

/// Counts days in the Gregorian calendar, with years that begin in March so that the leap day comes last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn reads_seconds() {
        assert_eq!(parse(" 10 ", at(0)), Some(Duration::from_secs(10)));
        assert_eq!(parse("0", at(0)), Some(Duration::ZERO));
        assert_eq!(parse("99999999999999999999999", at(0)), Some(LONGEST));
    }

    #[test]
    fn reads_a_date() {
        // 784111777 is the date of the example in RFC 9110 section 5.6.7.
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:37 GMT", at(784_111_770)), Some(Duration::from_secs(7)));
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:37 GMT", at(784_111_800)), Some(Duration::ZERO));
        assert_eq!(parse("Thu, 29 Feb 2024 00:00:00 GMT", at(1_709_164_799)), Some(Duration::from_secs(1)));
    }

    #[test]
    fn anything_else_is_as_if_it_were_not_there() {
        for text in ["", "soon", "-5", "1.5", "Sun, 06 Nov 1994 08:49 GMT", "Sun, 99 Xxx 1994 08:49:37 GMT", "a, b"] {
            assert_eq!(parse(text, at(0)), None, "{text}");
        }
    }
}
