use super::*;

fn seconds(secs: u64) -> Timestamp {
    Timestamp::from_millis(secs * 1000)
}

#[test]
fn is_written_as_people_and_programs_write_it() {
    assert_eq!(Timestamp::from_millis(0).to_string(), "1970-01-01 00:00:00 UTC");
    // `date -u -d '2024-02-29 23:59:59' +%s`
    let leap_day = Timestamp::from_millis(1_709_251_199_999);
    assert_eq!(leap_day.to_string(), "2024-02-29 23:59:59 UTC");
    assert_eq!(leap_day.provider(), "2024-02-29 23:59:59");
    // The example of RFC 9110 section 5.6.7.
    assert_eq!(seconds(784_111_777).http(), "Sun, 06 Nov 1994 08:49:37 GMT");
}

#[test]
fn no_number_from_a_file_breaks_the_arithmetic() {
    let end = Timestamp::from_millis(u64::MAX);
    assert_eq!(end + Duration::MAX, end);
    assert_eq!(Timestamp::default().since(end), Duration::ZERO);
    assert!(end.to_string().starts_with("9999-12-3"), "{end}");
    assert!(!end.http().is_empty() && !end.german_date().is_empty());
    assert!(end.next_german_midnight().as_millis() > 0);
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
        assert_eq!(seconds(now).next_german_midnight(), seconds(midnight), "after {now}");
    }
}

#[test]
fn a_day_lasts_from_midnight_to_midnight() {
    let mut now = seconds(1_774_738_800);
    assert_eq!(now.german_date(), "2026-03-29");
    for _ in 0..800 {
        let midnight = now.next_german_midnight();
        let last_moment = Timestamp::from_millis(midnight.as_millis() - 1);
        assert_eq!(last_moment.german_date(), now.german_date());
        assert_ne!(midnight.german_date(), now.german_date());
        now = midnight;
    }
}

#[test]
fn times_are_read_and_nonsense_is_not() {
    // `date -u -d '2024-02-29 23:59:59' +%s`
    assert_eq!(Timestamp::parse_provider(" 2024-02-29 23:59:59"), Some(seconds(1_709_251_199)));
    assert_eq!(Timestamp::parse_provider("1970-01-01 00:00:00"), Some(seconds(0)));
    let nonsense =
        ["", "2026-11-23", "2026-11-23T13:00:00", "2026-13-01 00:00:00", "2026-11-23 24:00:00", "0-0-0 0:0:0"];
    for text in nonsense.into_iter().chain(["99999999999999999999-1-1 1:1:1", "1969-12-31 23:59:59"]) {
        assert_eq!(Timestamp::parse_provider(text), None, "{text}");
    }
    assert_eq!(Timestamp::parse_http("Sun, 06 Nov 1994 08:49:37 GMT"), Some(seconds(784_111_777)));
    for text in ["", "Sun, 06 Nov 1994 08:49 GMT", "Sun, 99 Xxx 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 CET"] {
        assert_eq!(Timestamp::parse_http(text), None, "{text}");
    }
}

#[test]
fn a_jump_is_only_known_within_one_boot() {
    let at = |id: &str, ms, wall| ClockReading { wall, boot: Some(BootTime { id: id.to_owned(), ms }) };
    let before = at("a", 3000, seconds(100));
    assert_eq!(at("a", 5000, seconds(202)).jump_since(&before), Some(100_000));
    assert_eq!(at("a", 2000, seconds(202)).jump_since(&before), None);
    assert_eq!(at("b", 5000, seconds(202)).jump_since(&before), None);
    let first = SystemClock.since_boot().unwrap();
    assert!(SystemClock.since_boot().is_some_and(|now| now.id == first.id && now.ms >= first.ms));
}

#[test]
fn a_wall_clock_that_was_set_is_told_from_one_that_went_on() {
    let clock = ManualClock::at(seconds(1_795_438_800));
    let before = ClockReading::take(&*clock);
    clock.advance(Duration::from_secs(100));
    assert_eq!(ClockReading::take(&*clock).jump_since(&before), None);
    clock.jump_to(clock.now() + Duration::from_secs(7200));
    assert_eq!(ClockReading::take(&*clock).jump_since(&before), Some(7_200_000));
    clock.jump_to(seconds(1_795_438_890));
    assert_eq!(ClockReading::take(&*clock).jump_since(&before), Some(-10_000));
    let nobody_tells = ClockReading { boot: None, ..before.clone() };
    assert_eq!(ClockReading::take(&*clock).jump_since(&nobody_tells), None);
}
