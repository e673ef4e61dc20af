use super::*;

/// 2026-11-23 14:00 in Germany.
const NOON: Timestamp = Timestamp::from_millis(1_795_438_800_000);
const MIDNIGHT: Timestamp = Timestamp::from_millis(1_795_474_800_000);

/// One record, whose domain is known.
const RECORD: CallsNeeded = CallsNeeded { additions: 1, has_list: true, is_begun: false, kept: 0 };

fn needs_reading(daily: &DailyUsage) -> bool {
    daily.needs_reading(RECORD, NOON)
}

fn after(calls: u64) -> DailyUsage {
    let mut daily = DailyUsage::default();
    daily.begin_day(NOON);
    (0..calls).for_each(|_| daily.count());
    daily
}

#[test]
fn remaining_calls_are_the_reading_less_ours_since() {
    let mut daily = after(3);
    assert_eq!(daily.quota().remaining, None);
    daily.learn(20, 64, NOON);
    daily.count();
    assert_eq!((daily.quota().remaining, daily.quota().limit), (Some(43), Some(64)));
    daily.learn(99, 64, NOON);
    assert_eq!(daily.quota().remaining, Some(0));
}

#[test]
fn a_limit_of_zero_is_none() {
    let mut daily = after(50);
    assert!(needs_reading(&daily));
    daily.learn(50, 0, NOON);
    assert_eq!((daily.quota().remaining, needs_reading(&daily)), (None, false));
}

#[test]
fn midnight_makes_all_calls_available_again() {
    let mut daily = after(64);
    daily.learn(64, 64, NOON);
    daily.refuse(NOON);
    daily.begin_day(MIDNIGHT);
    let fresh = Quota { calls_today: 0, limit: None, remaining: None, used_up_until: None };
    assert_eq!(daily.quota(), fresh);
}

#[test]
fn a_refusal_holds_for_a_quarter_of_an_hour_and_names_midnight() {
    let mut daily = after(1);
    daily.refuse(NOON);
    daily.begin_day(NOON + Duration::from_secs(899));
    assert_eq!(daily.quota().used_up_until, Some(MIDNIGHT));
    daily.begin_day(NOON + PROBE_AFTER);
    assert_eq!(daily.quota().used_up_until, None);
}

#[test]
fn the_account_is_read_more_often_near_the_end() {
    let mut daily = after(39);
    assert!(!needs_reading(&daily), "nothing known, few calls");
    daily.count();
    assert!(needs_reading(&daily), "nothing known, many calls");
    daily.learn(41, 65, NOON);
    (0..11).for_each(|_| daily.count());
    assert!(!needs_reading(&daily), "13 of 24 left");
    daily.count();
    assert!(needs_reading(&daily), "12 of 24 left");
    daily.learn(55, 64, NOON);
    (0..4).for_each(|_| daily.count());
    assert!(!needs_reading(&daily), "near, but just read");
    daily.count();
    assert!(needs_reading(&daily), "near");
}

#[test]
fn a_reading_that_forbids_is_looked_at_again_after_a_quarter_of_an_hour() {
    let mut daily = after(1);
    daily.learn(64, 64, NOON);
    let needs_reading = |daily: &DailyUsage, now| daily.needs_reading(RECORD, now);
    assert!(!needs_reading(&daily, NOON + Duration::from_secs(899)));
    assert!(needs_reading(&daily, NOON + PROBE_AFTER));
    daily.learn(62, 64, NOON);
    assert!(!needs_reading(&daily, NOON + PROBE_AFTER), "it forbids nothing");
}

#[test]
fn the_account_is_not_read_again_soon_where_nobody_else_uses_the_key() {
    let mut daily = after(41);
    daily.learn(41, 64, NOON);
    (0..23).for_each(|_| daily.count());
    assert_eq!((daily.quota().remaining, needs_reading(&daily)), (Some(0), false));
    let mut early = after(1);
    early.learn(1, 1000, NOON);
    (0..500).for_each(|_| early.count());
    assert!(needs_reading(&early), "halfway: others may have come");
}

#[test]
fn the_account_is_read_before_a_big_order_begins() {
    let names = |additions| CallsNeeded { additions, has_list: false, ..RECORD };
    let needs_reading =
        |daily: &DailyUsage, needed, minutes| daily.needs_reading(needed, NOON + Duration::from_mins(minutes));
    let mut daily = after(0);
    assert!(!needs_reading(&daily, names(25), 0) && needs_reading(&daily, names(26), 0));
    assert!(needs_reading(&after(20), names(16), 0), "more than the default together with what was used");
    assert!(!needs_reading(&daily, CallsNeeded { is_begun: true, ..names(26) }, 0), "asked for at its first call");
    daily.learn(1, 100, NOON);
    assert!(!needs_reading(&daily, names(26), 14), "just read");
    assert!(needs_reading(&daily, names(26), 15), "others may have used half of what is left");
    assert!(!needs_reading(&daily, names(25), 15));
    daily.learn(1, 1000, NOON);
    assert!(!needs_reading(&daily, names(100), 15), "enough for two of them");
}
