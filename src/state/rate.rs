//! How many requests are allowed in how much time, as `IPV64_API_RATE` says it.
//! Who may send when is decided in `window`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Less cannot be written down.
const SHORTEST: Duration = Duration::from_millis(1);
/// Longest time a rate can be about.
const LONGEST: Duration = Duration::from_secs(86_400);
/// No provider allows more; keeps the file small.
const MOST: usize = 1000;
/// Part of the time that is added to it, for the way of a request to the server, which is not always as long.
const MARGIN_DIVISOR: u32 = 20;
const LONGEST_MARGIN: Duration = Duration::from_millis(300);

/// At most [`Rate::requests`] in any [`Rate::period`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    requests: usize,
    period: Duration,
}

impl Rate {
    /// Returns how many requests are allowed in one period.
    #[must_use]
    pub const fn requests(self) -> usize {
        self.requests
    }

    /// Returns the period, of which every one counts and not only those that begin at full minutes.
    #[must_use]
    pub const fn period(self) -> Duration {
        self.period
    }

    /// Returns for how long one request counts. A little longer than the period: the server measures at arrival,
    /// and a later request may arrive faster than an earlier one.
    #[must_use]
    pub fn hold(self) -> Duration {
        self.period + self.margin()
    }

    pub(super) fn margin(self) -> Duration {
        (self.period / MARGIN_DIVISOR).min(LONGEST_MARGIN)
    }
}

impl Default for Rate {
    /// 3 in 10 s: the strictest of the limits that copies of the provider's pages name (observed).
    fn default() -> Self {
        Self { requests: 3, period: Duration::from_secs(10) }
    }
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let parse = || {
            let (requests, seconds) = text.trim().split_once('/')?;
            let requests = requests.trim().parse().ok().filter(|count| (1..=MOST).contains(count))?;
            let period = Duration::try_from_secs_f64(seconds.trim().parse().ok()?).ok()?;
            (SHORTEST..=LONGEST).contains(&period).then_some(Self { requests, period })
        };
        parse().ok_or(RateError)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.requests, self.period.as_secs_f64())
    }
}

/// A text is no rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is not REQUESTS/SECONDS, for example `3/10`, with 1 to {MOST} requests in 0.001 to {} seconds",
    LONGEST.as_secs()
)]
pub struct RateError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_and_written_in_the_same_form() {
        for (text, requests, millis) in [("3/10", 3, 10_000), ("1/0.5", 1, 500), ("1000/86400", 1000, 86_400_000)] {
            let rate: Rate = text.parse().unwrap();
            assert_eq!((rate.requests(), rate.period()), (requests, Duration::from_millis(millis)));
            assert_eq!(rate.to_string(), text);
        }
        assert_eq!(" 5 / 10 ".parse::<Rate>().unwrap().to_string(), "5/10");
        assert_eq!(Rate::default().to_string(), "3/10");
    }

    #[test]
    fn refuses_what_would_stop_everything_or_nothing() {
        let table =
            ["", "3", "3/x", "-1/10", "0/10", "1001/10", "3/0", "3/-1", "3/nan", "3/inf", "3/0.0001", "3/86401"];
        for text in table {
            assert_eq!(text.parse::<Rate>(), Err(RateError), "{text}");
        }
    }

    #[test]
    fn holds_a_request_longer_than_the_period() {
        assert_eq!(Rate::default().hold(), Duration::from_millis(10_300));
        assert_eq!("1/1".parse::<Rate>().unwrap().hold(), Duration::from_millis(1_050));
    }
}
