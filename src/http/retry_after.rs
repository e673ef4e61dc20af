//! The header `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date.

use std::time::Duration;

use crate::time::Timestamp;

/// No server means more than a day: the daily quota is the longest limit that IPv64 has.
const LONGEST: Duration = Duration::from_secs(86_400);

/// Reads the header; `now` is the time of the clock that wrote a date into it. Anything unreadable is as if it were not
/// there, and so is a pause that is over already: with it a refused call would come back at once.
pub(super) fn parse(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() => LONGEST,
        Err(_) => Timestamp::parse_http(text)?.since(now),
    };
    Some(wait.min(LONGEST)).filter(|wait| !wait.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn reads_seconds() {
        assert_eq!(parse(" 10 ", at(0)), Some(Duration::from_secs(10)));
        assert_eq!(parse("99999999999999999999999", at(0)), Some(LONGEST));
    }

    #[test]
    fn reads_a_date() {
        // 784111777 is the date of the example in RFC 9110 section 5.6.7.
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:37 GMT", at(784_111_770)), Some(Duration::from_secs(7)));
        assert_eq!(parse("Thu, 29 Feb 2024 00:00:00 GMT", at(1_709_164_799)), Some(Duration::from_secs(1)));
    }

    #[test]
    fn a_pause_that_is_over_is_none() {
        assert_eq!(parse("0", at(0)), None);
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:37 GMT", at(784_111_777)), None);
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:37 GMT", at(784_111_800)), None);
    }

    #[test]
    fn anything_else_is_as_if_it_were_not_there() {
        for text in ["", "soon", "-5", "1.5", "Sun, 06 Nov 1994 08:49 GMT", "Sun, 99 Xxx 1994 08:49:37 GMT", "a, b"] {
            assert_eq!(parse(text, at(0)), None, "{text}");
        }
    }
}
