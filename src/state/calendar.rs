//! Dates of the Gregorian calendar, and midnight where IPv64 counts its days.
//! Times with a duration between them are `clock`'s.
//!
//! That IPv64 resets its daily counters at midnight is documented by a sample log line only, and that it means
//! midnight in Germany is an assumption from the provider's seat. So a wrong answer here must never lock anyone
//! out: see `quota`.

use std::time::Duration;

use super::clock::UnixTime;

/// Seconds of a day.
pub(super) const DAY: u64 = 86_400;
const HOUR: u64 = 3_600;
/// 1970-01-01 counted in days from 0001-01-01.
const EPOCH: u64 = 719_162;
/// The last year shown: a number from a file can lie far beyond any calendar.
const LAST_YEAR: u64 = 9999;

/// Returns year, month and day for a number of days since 1970-01-01; at most 9999-12-31.
pub(super) fn date(days: u64) -> (u64, u64, u64) {
    let days = days.min(days_until(LAST_YEAR, 12) + 30);
    // 366 is too long for most years: start low, then go up.
    let mut year = 1970 + days / 366;
    while days_until(year + 1, 1) <= days {
        year += 1;
    }
    let month = (1..=12).rev().find(|month| days_until(year, *month) <= days).unwrap_or(1);
    (year, month, days - days_until(year, month) + 1)
}

/// Returns the number of the day in Germany at `time`: all times between two midnights there share one.
pub(super) fn german_day(time: UnixTime) -> u64 {
    time.as_secs().saturating_add(german_offset(time.as_secs())) / DAY
}

/// Reads `YYYY-MM-DD hh:mm:ss` as seconds since 1970, as if it were UTC; nothing for any other text.
pub(super) fn parse(text: &str) -> Option<u64> {
    let (day, time) = text.trim().split_once(' ')?;
    let numbers = |text: &str, separator| -> Option<[u64; 3]> {
        text.split(separator).map(|part| part.parse().ok()).collect::<Option<Vec<_>>>()?.try_into().ok()
    };
    let (date, time) = (numbers(day, '-')?, numbers(time, ':')?);
    seconds(date, time)
}

/// Returns seconds since 1970 for year, month and day, and hour, minute and second, in UTC; nothing for what is no date
/// or no time of day. The last minute of a day may have a second more (RFC 9110 section 5.6.7).
pub(super) fn seconds([year, month, day]: [u64; 3], [hour, minute, second]: [u64; 3]) -> Option<u64> {
    let is_date = (1970..=LAST_YEAR).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    let is_time = hour < 24 && minute < 60 && second <= 60;
    (is_date && is_time).then(|| (days_until(year, month) + day - 1) * DAY + hour * HOUR + minute * 60 + second)
}

/// Returns the first midnight in Germany after `time`.
pub(super) fn next_german_midnight(time: UnixTime) -> UnixTime {
    let local_midnight = german_day(time).saturating_add(1).saturating_mul(DAY);
    // The clocks change at 01:00 UTC, which is never midnight in Germany, so an hour's doubt does no harm.
    let offset = german_offset(local_midnight.saturating_sub(HOUR));
    UnixTime::default() + Duration::from_secs(local_midnight.saturating_sub(offset))
}

/// Returns how far German time is ahead of UTC, in seconds. Summer time runs from the last Sunday of March,
/// 01:00 UTC, to the last Sunday of October, 01:00 UTC (Directive 2000/84/EC).
fn german_offset(unix_seconds: u64) -> u64 {
    let (year, ..) = date(unix_seconds / DAY);
    let change = |month| last_sunday(year, month) * DAY + HOUR;
    if (change(3)..change(10)).contains(&unix_seconds) { 2 * HOUR } else { HOUR }
}

fn last_sunday(year: u64, month: u64) -> u64 {
    let last = days_until(year, month + 1) - 1;
    // 1970-01-01 was a Thursday.
    last - (last + 4) % 7
}

/// Counts the days from 1970-01-01 to the first day of a month.
fn days_until(year: u64, month: u64) -> u64 {
    const BEFORE_MONTH: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let past = year - 1;
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let leap_day = u64::from(leap && month > 2);
    let in_year = BEFORE_MONTH.get((month - 1) as usize).copied().unwrap_or(365);
    past * 365 + past / 4 - past / 100 + past / 400 + in_year + leap_day - EPOCH
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(secs: u64) -> UnixTime {
        UnixTime::from_millis(secs * 1000)
    }

    #[test]
    fn every_day_of_eight_centuries_follows_the_one_before() {
        let mut before = date(0);
        assert_eq!(before, (1970, 1, 1));
        for days in 1..300_000 {
            let (year, month, day) = date(days);
            let (old_year, old_month, old_day) = before;
            let next_day = (year, month, day) == (old_year, old_month, old_day + 1);
            let next_month = (year, month, day) == (old_year, old_month + 1, 1) && old_day >= 28;
            let next_year = (month, day) == (1, 1) && before == (year - 1, 12, 31);
            assert!(next_day || next_month || next_year, "{before:?} -> {:?}", (year, month, day));
            before = (year, month, day);
        }
        assert_eq!(before, (2791, 5, 16)); // `date -u -d @25919913600`
    }

    #[test]
    fn midnight_follows_summer_time() {
        // Each line made with `TZ=Europe/Berlin date -d '…' +%s`.
        let table = [
            (1_795_438_800, 1_795_474_800), // 2026-11-23 14:00 +01:00
            (1_782_864_000, 1_782_943_200), // 2026-07-01 02:00 +02:00
            (1_774_738_800, 1_774_821_600), // 2026-03-29 00:00 +01:00, a day of 23 hours
            (1_792_879_200, 1_792_969_200), // 2026-10-25 00:00 +02:00, a day of 25 hours
        ];
        for (now, midnight) in table {
            assert_eq!(next_german_midnight(seconds(now)), seconds(midnight), "after {now}");
        }
    }

    #[test]
    fn a_day_lasts_from_midnight_to_midnight() {
        let mut now = seconds(1_774_738_800);
        for _ in 0..800 {
            let midnight = next_german_midnight(now);
            let last_moment = UnixTime::from_millis(midnight.as_millis() - 1);
            assert_eq!(german_day(last_moment), german_day(now));
            assert_eq!(german_day(midnight), german_day(now) + 1);
            now = midnight;
        }
    }

    #[test]
    fn no_time_is_too_late() {
        let end = UnixTime::from_millis(u64::MAX);
        assert!(next_german_midnight(end).as_millis() > 0);
        assert_eq!(date(u64::MAX).0, 9999);
    }

    #[test]
    fn times_are_read_and_nonsense_is_not() {
        // `date -u -d '2024-02-29 23:59:59' +%s`
        assert_eq!(parse("2024-02-29 23:59:59"), Some(1_709_251_199));
        assert_eq!(parse("1970-01-01 00:00:00"), Some(0));
        let nonsense =
            ["", "2026-11-23", "2026-11-23T13:00:00", "2026-13-01 00:00:00", "2026-11-23 24:00:00", "0-0-0 0:0:0"];
        for text in nonsense.into_iter().chain(["99999999999999999999-1-1 1:1:1"]) {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
