//! Points in time that can be written to a file or a header, and the clocks that give them.
//! Calendars and time zones are jiff's; what is being timed is unknown here.

mod waiting;

use std::fmt;
use std::time::{Duration, Instant};

use jiff::civil::DateTime;
use jiff::tz::{self, TimeZone};

use crate::error::{Explain, Kind};

pub use waiting::{Pause, Waiting, sleep};

/// Where IPv64 counts its days. That it resets its counters at midnight is documented by a sample log line only, and that
/// it means midnight in Germany is an assumption from the provider's seat: a wrong answer must never lock anyone out.
static GERMANY: TimeZone = tz::get!("Europe/Berlin");
/// The one form in which senders write dates in headers (RFC 9110 section 5.6.7).
const IMF_FIXDATE: &str = "%a, %d %b %Y %H:%M:%S GMT";
/// The form in which IPv64 writes times.
const PROVIDER: &str = "%Y-%m-%d %H:%M:%S";
/// The form for programs (RFC 3339).
const INTERNET: &str = "%Y-%m-%dT%H:%M:%SZ";

/// A wall-clock time in milliseconds since 1970-01-01 00:00 UTC, as several processes share it through a file.
///
/// All arithmetic saturates: a file can hold any number, and a clock can be set to any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Takes milliseconds since 1970.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Reads a time as IPv64 writes it, `YYYY-MM-DD hh:mm:ss`, and returns the latest that it can mean; nothing for any
    /// other text.
    ///
    /// The time zone is not documented. German clocks are ahead of UTC, so a time that is read as UTC is never earlier
    /// than it was: nothing counts as older than it is.
    #[must_use]
    pub fn parse_provider(text: &str) -> Option<Self> {
        Self::parse(PROVIDER, text.trim())
    }

    /// Reads the date of a header, `Sun, 06 Nov 1994 08:49:37 GMT`; nothing for any other text.
    #[must_use]
    pub fn parse_http(text: &str) -> Option<Self> {
        Self::parse(IMF_FIXDATE, text)
    }

    fn parse(format: &str, text: &str) -> Option<Self> {
        let time = DateTime::strptime(format, text).ok()?.to_zoned_datetime(TimeZone::UTC).ok()?;
        u64::try_from(time.timestamp().as_millisecond()).ok().map(Self)
    }

    /// Writes a time as IPv64 does, `YYYY-MM-DD hh:mm:ss`, in UTC.
    #[must_use]
    pub fn provider(self) -> String {
        self.calendar().strftime(PROVIDER).to_string()
    }

    /// Writes a time as a header does, `Sun, 06 Nov 1994 08:49:37 GMT`.
    #[must_use]
    pub fn http(self) -> String {
        self.calendar().strftime(IMF_FIXDATE).to_string()
    }

    /// Writes a time for programs, `2026-11-23T13:05:00Z`.
    #[must_use]
    pub fn rfc3339(self) -> String {
        self.calendar().strftime(INTERNET).to_string()
    }

    /// Returns milliseconds since 1970.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Returns whole seconds since 1970.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }

    /// Returns the time that passed since `earlier`, and zero if `earlier` is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Returns the time that a clock shows which was set by so many milliseconds.
    #[must_use]
    pub const fn moved_by(self, millis: i64) -> Self {
        Self(self.0.saturating_add_signed(millis))
    }

    /// Returns the date in Germany, `2026-11-23`: all times between two midnights there share one.
    #[must_use]
    pub fn german_date(self) -> String {
        self.calendar().to_zoned_datetime(GERMANY.clone()).date().to_string()
    }

    /// Returns when the calls of the day are counted anew: the next midnight in Germany (observed, not documented).
    #[must_use]
    pub fn next_german_midnight(self) -> Self {
        let local = self.calendar().to_zoned_datetime(GERMANY.clone());
        let midnight = local.tomorrow().and_then(|tomorrow| tomorrow.start_of_day());
        // Only the last day of the calendar has no tomorrow.
        midnight.map_or(Self(u64::MAX), |midnight| Self(midnight.timestamp().as_millisecond().unsigned_abs()))
    }

    /// The same time for jiff, whose calendar ends with the year 9999.
    fn calendar(self) -> jiff::Timestamp {
        let millis = i64::try_from(self.0).ok();
        millis.and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok()).unwrap_or(jiff::Timestamp::MAX)
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Display for Timestamp {
    /// Writes `2026-11-23 13:05:00 UTC`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} UTC", self.provider())
    }
}

/// How long ago this machine was started: unlike the wall clock nobody can set it, and unlike [`Instant`] all processes of
/// this boot share it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct BootTime {
    /// Names the boot; another one has another.
    pub id: String,
    /// Milliseconds since then; time in which the machine slept counts.
    pub ms: u64,
}

impl BootTime {
    /// Asks the kernel; nothing where it does not tell, as in some sandboxes.
    fn read() -> Option<Self> {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
        let seconds: f64 = uptime.split_whitespace().next()?.parse().ok()?;
        let passed = Duration::try_from_secs_f64(seconds).ok()?;
        Some(Self { id: id.trim().to_owned(), ms: u64::try_from(passed.as_millis()).ok()? })
    }
}

/// What both clocks of the machine show at one moment: by two of these it is known whether somebody has set the wall clock
/// in between.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ClockReading {
    /// The wall clock.
    pub wall: Timestamp,
    /// The time since the start of the machine; nothing where nobody tells.
    pub boot: Option<BootTime>,
}

impl ClockReading {
    /// Reads both clocks.
    #[must_use]
    pub fn take(clock: &dyn Clock) -> Self {
        Self { wall: clock.now(), boot: clock.since_boot() }
    }

    /// Returns by how many milliseconds the wall clock was set since `earlier`; nothing if it was not, or if nobody can tell,
    /// as across a start of the machine. Less than a second is no jump: the two clocks are not read at the same instant.
    #[must_use]
    pub fn jump_since(&self, earlier: &Self) -> Option<i64> {
        let boot = self.boot.as_ref()?;
        let before = earlier.boot.as_ref().filter(|before| before.id == boot.id)?;
        let expected = earlier.wall + Duration::from_millis(boot.ms.checked_sub(before.ms)?);
        let jump = i64::try_from(i128::from(self.wall.0) - i128::from(expected.0)).ok()?;
        (jump.unsigned_abs() >= 1000).then_some(jump)
    }
}

/// The wait was ended from outside, for example by SIGTERM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("interrupted while waiting")]
pub struct Interrupted;

impl Explain for Interrupted {
    fn kind(&self) -> Kind {
        Kind::Interrupted
    }

    fn hint(&self) -> Option<String> {
        None
    }
}

/// Where times come from, so that tests need not wait.
pub trait Clock: Send + Sync {
    /// Returns the wall-clock time, which may jump.
    fn now(&self) -> Timestamp {
        SystemClock::now()
    }

    /// Returns the time since this machine was started, which does not jump; nothing where nobody tells.
    fn since_boot(&self) -> Option<BootTime> {
        BootTime::read()
    }

    /// Returns the time that deadlines of this process are measured by; it never jumps.
    fn instant(&self) -> Instant {
        Instant::now()
    }
}

/// The clocks of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl SystemClock {
    /// Returns the wall-clock time.
    #[must_use]
    pub fn now() -> Timestamp {
        Timestamp(u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default())
    }
}

impl Clock for SystemClock {}

/// A clock that tests set by hand.
#[cfg(test)]
pub(crate) struct ManualClock {
    base: Instant,
    passed: std::sync::Mutex<Duration>,
    wall: std::sync::Mutex<Timestamp>,
}

#[cfg(test)]
impl ManualClock {
    pub(crate) fn at(wall: Timestamp) -> std::sync::Arc<Self> {
        std::sync::Arc::new(Self { base: Instant::now(), passed: Duration::ZERO.into(), wall: wall.into() })
    }

    /// Lets time pass.
    pub(crate) fn advance(&self, by: Duration) {
        *self.passed.lock().unwrap() += by;
        let mut wall = self.wall.lock().unwrap();
        *wall = *wall + by;
    }

    /// Sets the wall clock, as `date -s` does.
    pub(crate) fn jump_to(&self, wall: Timestamp) {
        *self.wall.lock().unwrap() = wall;
    }
}

#[cfg(test)]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.wall.lock().unwrap()
    }

    fn since_boot(&self) -> Option<BootTime> {
        Some(BootTime { id: "manual".to_owned(), ms: self.passed.lock().unwrap().as_millis() as u64 })
    }

    fn instant(&self) -> Instant {
        self.base + *self.passed.lock().unwrap()
    }
}

#[cfg(test)]
mod tests;
