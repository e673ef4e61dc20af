use super::*;

/// 2026-11-23 14:00 in Germany.
const NOON: Timestamp = Timestamp::from_millis(1_795_438_800_000);
const MIDNIGHT: Timestamp = Timestamp::from_millis(1_795_474_800_000);

fn after(calls: u64) -> DailyUsage {
    let mut daily = DailyUsage::default();
    daily.begin_day(NOON);
    (0..calls).for_each(|_| daily.count());
    daily
}

#[test]
fn remaining_calls_are_the_reading_less_ours_since() {
    let mut daily = after(3);
    assert_eq!(daily.quota(NOON).remaining, None);
    daily.learn(20, 64, NOON);
    daily.count();
    assert_eq!((daily.quota(NOON).remaining, daily.quota(NOON).limit), (Some(43), Some(64)));
    daily.learn(99, 64, NOON);
    assert_eq!(daily.quota(NOON).remaining, Some(0));
}

#[test]
fn a_limit_of_zero_is_none() {
    let mut daily = after(50);
    assert!(daily.quota(NOON).needs_reading);
    daily.learn(50, 0, NOON);
    assert_eq!((daily.quota(NOON).remaining, daily.quota(NOON).needs_reading), (None, false));
}

#[test]
fn midnight_makes_all_calls_available_again() {
    let mut daily = after(64);
    daily.learn(64, 64, NOON);
    daily.refuse(NOON);
    daily.begin_day(MIDNIGHT);
    let fresh = Quota { calls_today: 0, limit: None, remaining: None, used_up_until: None, needs_reading: false };
    assert_eq!(daily.quota(MIDNIGHT), fresh);
}

#[test]
fn a_refusal_holds_for_a_quarter_of_an_hour_and_names_midnight() {
    let mut daily = after(1);
    daily.refuse(NOON);
    daily.begin_day(NOON + Duration::from_secs(899));
    assert_eq!(daily.quota(NOON).used_up_until, Some(MIDNIGHT));
    daily.begin_day(NOON + PROBE_AFTER);
    assert_eq!(daily.quota(NOON).used_up_until, None);
}

#[test]
fn the_account_is_read_more_often_near_the_end() {
    let mut daily = after(39);
    assert!(!daily.quota(NOON).needs_reading, "nothing known, few calls");
    daily.count();
    assert!(daily.quota(NOON).needs_reading, "nothing known, many calls");
    daily.learn(41, 65, NOON);
    (0..11).for_each(|_| daily.count());
    assert!(!daily.quota(NOON).needs_reading, "13 of 24 left");
    daily.count();
    assert!(daily.quota(NOON).needs_reading, "12 of 24 left");
    daily.learn(55, 64, NOON);
    (0..4).for_each(|_| daily.count());
    assert!(!daily.quota(NOON).needs_reading, "near, but just read");
    daily.count();
    assert!(daily.quota(NOON).needs_reading, "near");
}

#[test]
fn a_reading_that_forbids_is_looked_at_again_after_a_quarter_of_an_hour() {
    let mut daily = after(1);
    daily.learn(64, 64, NOON);
    let needs_reading = |daily: &DailyUsage, now| daily.quota(now).needs_reading;
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
    assert_eq!((daily.quota(NOON).remaining, daily.quota(NOON).needs_reading), (Some(0), false));
    let mut early = after(1);
    early.learn(1, 1000, NOON);
    (0..500).for_each(|_| early.count());
    assert!(early.quota(NOON).needs_reading, "halfway: others may have come");
}
