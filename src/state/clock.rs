//! Points in time that can be written to a file, and the clock that gives them.
//! Calendar dates are made in `calendar`; nothing here knows what is being timed.

use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::calendar;

/// A wall-clock time in milliseconds since 1970-01-01 00:00 UTC, as several processes share it through a file.
///
/// All arithmetic saturates: a file can hold any number, and a clock can be set to any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct UnixTime(u64);

impl UnixTime {
    #[cfg(test)]
    pub(super) const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Reads a time as IPv64 writes it, `YYYY-MM-DD hh:mm:ss`, and returns the latest that it can mean.
    ///
    /// The time zone is not documented. German clocks are ahead of UTC, so a time that is read as UTC is never earlier
    /// than it was: nothing counts as older than it is.
    #[must_use]
    pub fn parse_provider(text: &str) -> Option<Self> {
        calendar::parse(text).map(|seconds| Self::default() + Duration::from_secs(seconds))
    }

    /// Takes year, month and day, and hour, minute and second, in UTC; nothing for what is no date or no time of day.
    #[must_use]
    pub fn at(date: [u64; 3], time: [u64; 3]) -> Option<Self> {
        calendar::seconds(date, time).map(|seconds| Self::default() + Duration::from_secs(seconds))
    }

    #[cfg(test)]
    pub(super) const fn as_millis(self) -> u64 {
        self.0
    }

    /// Returns whole seconds since 1970.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }

    /// Returns when the calls of the day are counted anew: the next midnight in Germany (observed, not documented).
    #[must_use]
    pub fn next_reset(self) -> Self {
        calendar::next_german_midnight(self)
    }

    /// Returns the time that passed since `earlier`, and zero if `earlier` is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<Duration> for UnixTime {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Display for UnixTime {
    /// Writes `2026-11-23 13:05:00 UTC`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = calendar::date(self.as_secs() / calendar::DAY);
        let second = self.as_secs() % calendar::DAY;
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
    }
}

/// The wait was ended from outside, for example by SIGTERM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("interrupted while waiting")]
pub struct Interrupted;

/// Where times come from, so that tests need not wait and a wait can be interrupted.
pub trait Clock: Send + Sync {
    /// Returns the wall-clock time, which may jump.
    fn unix(&self) -> UnixTime;

    /// Returns the time that deadlines of this process are measured by; it never jumps.
    fn instant(&self) -> Instant;

    /// Pauses the calling thread.
    ///
    /// # Errors
    /// [`Interrupted`] if the process is asked to stop.
    fn sleep(&self, pause: Duration) -> Result<(), Interrupted>;
}

/// The clock of the machine; its sleep is never interrupted.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn unix(&self) -> UnixTime {
        let passed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixTime::default() + passed
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, pause: Duration) -> Result<(), Interrupted> {
        std::thread::sleep(pause);
        Ok(())
    }
}

/// A clock that tests set by hand: a sleep returns at once and moves it on.
#[cfg(test)]
pub(crate) struct ManualClock {
    base: Instant,
    passed: std::sync::Mutex<Duration>,
    unix: std::sync::Mutex<UnixTime>,
}

#[cfg(test)]
impl ManualClock {
    pub(crate) fn at(unix: UnixTime) -> std::sync::Arc<Self> {
        std::sync::Arc::new(Self { base: Instant::now(), passed: Duration::ZERO.into(), unix: unix.into() })
    }

    /// Lets time pass.
    pub(crate) fn advance(&self, by: Duration) {
        *self.passed.lock().unwrap() += by;
        let mut unix = self.unix.lock().unwrap();
        *unix = *unix + by;
    }

    /// Sets the wall clock, as `date -s` does.
    pub(crate) fn jump_to(&self, unix: UnixTime) {
        *self.unix.lock().unwrap() = unix;
    }
}

#[cfg(test)]
impl Clock for ManualClock {
    fn unix(&self) -> UnixTime {
        *self.unix.lock().unwrap()
    }

    fn instant(&self) -> Instant {
        self.base + *self.passed.lock().unwrap()
    }

    fn sleep(&self, pause: Duration) -> Result<(), Interrupted> {
        self.advance(pause);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_as_people_write_it() {
        assert_eq!(UnixTime::from_millis(0).to_string(), "1970-01-01 00:00:00 UTC");
        // `date -u -d '2024-02-29 23:59:59' +%s`
        assert_eq!(UnixTime::from_millis(1_709_251_199_999).to_string(), "2024-02-29 23:59:59 UTC");
    }

    #[test]
    fn no_number_from_a_file_breaks_the_arithmetic() {
        let end = UnixTime::from_millis(u64::MAX);
        assert_eq!(end + Duration::MAX, end);
        assert_eq!(UnixTime::default().since(end), Duration::ZERO);
        assert!(!end.to_string().is_empty());
    }
}
