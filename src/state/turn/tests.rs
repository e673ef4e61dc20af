use std::cell::{Cell, RefCell};
use std::sync::Arc;

use super::super::tests::*;
use super::*;
use crate::error::{Explain, Kind};
use crate::exit::Exit;
use crate::state::CallsNeeded;
use crate::time::{Clock, Interrupted, ManualClock};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// A pause lets the clock go on.
fn passing(clock: &ManualClock) -> impl Fn(&Waiting, Duration) -> Result<(), Interrupted> {
    |_, length| {
        clock.advance(length);
        Ok(())
    }
}

/// Asks with so much patience, and returns how long it took.
fn wait_for(state: &State, clock: &ManualClock, kind: CallKind, patience: Duration) -> Result<Duration, LimitError> {
    let before = clock.instant();
    state.take_turn(kind, Rate::default(), before + patience, &passing(clock)).map(|_| clock.instant() - before)
}

/// A removal, which has no jitter, with a minute's patience.
fn wait(state: &State, clock: &ManualClock) -> Result<Duration, LimitError> {
    wait_for(state, clock, CallKind::Removal, MINUTE)
}

#[test]
fn the_fourth_request_waits_for_the_first_to_expire() {
    let (state, clock) = in_memory();
    let waited: Vec<_> = (0..7).map(|_| wait(&state, &clock).unwrap().as_millis()).collect();
    assert_eq!(waited, [0, 0, 0, 10_300, 0, 0, 10_300]);
}

#[test]
fn an_addition_comes_a_little_later_than_it_could() {
    let (state, clock) = in_memory();
    let add = || wait_for(&state, &clock, CallKind::Addition, MINUTE).unwrap().as_millis();
    let waited: Vec<_> = (0..4).map(|_| add()).collect();
    assert_eq!(waited[..3], [0, 0, 0]);
    assert!((10_300..=10_600).contains(&waited[3]), "{waited:?}");
}

#[test]
fn a_finished_request_counts_from_its_answer() {
    let (state, clock) = in_memory();
    let deadline = clock.instant() + MINUTE;
    let turn = || state.take_turn(CallKind::Addition, Rate::default(), deadline, &passing(&clock)).unwrap();
    let permits: Vec<_> = (0..3).map(|_| turn()).collect();
    clock.advance(Duration::from_secs(4));
    permits.into_iter().for_each(|sent_at| state.usage(|usage, now| usage.window.finish(sent_at, now)));
    assert_eq!(wait(&state, &clock).unwrap().as_millis(), 10_300);
}

#[test]
fn a_request_is_to_spare_while_turns_are_free_nobody_waits_and_the_day_is_not_used_up() {
    let (state, clock) = in_memory();
    let has_to_spare = || state.usage(|usage, now| usage.has_to_spare(Rate::default(), now));
    assert!(has_to_spare());
    (0..3).for_each(|_| assert_eq!(wait(&state, &clock), Ok(Duration::ZERO)));
    assert!(!has_to_spare());
    let ask = |usage: &mut super::super::AccountUsage, now| usage.ask(CallKind::Read, Rate::default(), MINUTE, now);
    assert!(matches!(state.usage(ask), Ok(Turn::Wait(_))));
    clock.advance(Rate::default().hold());
    assert!(!has_to_spare(), "somebody waits");
    clock.advance(MINUTE);
    assert!(has_to_spare());
    state.usage(|usage, now| usage.daily.refuse(now));
    assert!(!has_to_spare());
}

#[test]
fn accounts_do_not_share_a_window() {
    let (state, clock) = in_memory();
    (0..3).for_each(|_| assert_eq!(wait(&state, &clock), Ok(Duration::ZERO)));
    assert!(wait_for(&state.of(account_of("other")), &clock, CallKind::Read, Duration::ZERO).is_ok());
}

#[test]
fn gives_up_at_once_when_there_is_no_turn_before_the_deadline() {
    let (state, clock) = in_memory();
    (0..3).for_each(|_| assert_eq!(wait(&state, &clock), Ok(Duration::ZERO)));
    let before = clock.instant();
    let error = wait_for(&state, &clock, CallKind::Addition, Duration::from_secs(10)).unwrap_err();
    assert_eq!(clock.instant(), before, "it did not wait");
    assert_eq!(
        error.to_string(),
        "the request limit of 3/10 (requests/seconds) allows no request in time; the next one is allowed in 11 s"
    );
    assert_eq!((error.kind().exit(), error.kind()), (Exit::RateLimit, Kind::RateLimited));
}

#[test]
fn says_what_it_waits_for_since_when_and_how_long() {
    let (state, clock) = in_memory();
    let told = RefCell::new(Vec::new());
    let (deadline, since) = (clock.instant() + MINUTE, clock.instant());
    let tell = |waiting: &Waiting, length| {
        told.borrow_mut().push(waiting.clone());
        passing(&clock)(waiting, length)
    };
    (0..4).for_each(|_| assert!(state.take_turn(CallKind::Addition, Rate::default(), deadline, &tell).is_ok()));
    let what = "the request window (3/10, IPV64_API_RATE)".to_owned();
    let expected = Waiting { what, since, limit: Duration::from_millis(10_300) };
    let told = told.into_inner();
    assert!(!told.is_empty() && told.iter().all(|waiting| *waiting == expected), "{told:?}");
}

#[test]
fn a_refusal_stops_everybody_for_a_period_and_a_little_more() {
    let (state, clock) = in_memory();
    state.refused(None, Rate::default());
    let waited = wait(&state, &clock).unwrap().as_secs_f64();
    assert!((10.0..=12.5).contains(&waited), "{waited}");
}

#[test]
fn a_refusal_with_a_time_is_taken_at_its_word_up_to_an_hour() {
    let (state, clock) = in_memory();
    state.refused(Some(Duration::from_secs(42)), Rate::default());
    assert_eq!(wait(&state, &clock).unwrap().as_secs(), 42);
    state.refused(Some(Duration::MAX), Rate::default());
    assert_eq!(wait_for(&state, &clock, CallKind::Removal, 2 * HOUR), Ok(HOUR));
}

#[test]
fn a_clock_that_is_set_back_or_ahead_lengthens_no_wait() {
    for wall in [Timestamp::from_millis(1_000), NOW + 9 * HOUR] {
        let (state, clock) = in_memory();
        (0..3).for_each(|_| assert_eq!(wait(&state, &clock), Ok(Duration::ZERO)));
        state.refused(Some(Duration::from_secs(5)), Rate::default());
        clock.jump_to(wall);
        assert_eq!(wait(&state, &clock).unwrap().as_millis(), 10_300, "{wall}");
    }
}

#[test]
fn a_clock_that_is_set_back_costs_one_period_at_most_where_no_boot_clock_tells() {
    let (state, clock) = in_memory();
    let blind = state.with_clock(Arc::new(WallClock(clock.clone())));
    (0..3).for_each(|_| assert_eq!(wait(&blind, &clock), Ok(Duration::ZERO)));
    clock.advance(Duration::from_secs(9));
    clock.jump_to(Timestamp::from_millis(1_000));
    assert_eq!(wait(&blind, &clock).unwrap().as_millis(), 10_300);
}

#[test]
fn a_clock_that_is_set_back_while_several_wait_starves_none_of_them() {
    /// A clock of a machine that does not tell when it was started.
    struct Wall(Arc<ManualClock>);
    impl Clock for Wall {
        fn now(&self) -> Timestamp {
            self.0.now()
        }
        fn since_boot(&self) -> Option<crate::time::BootTime> {
            None
        }
        fn instant(&self) -> Instant {
            self.0.instant()
        }
    }
    let (state, clock) = in_memory();
    let state = state.with_clock(Arc::new(Wall(clock.clone())));
    // Somebody sets the clock back an hour when the first wait begins.
    let is_set_back = Cell::new(false);
    let pause = |waiting: &Waiting, length| {
        passing(&clock)(waiting, length)?;
        if !is_set_back.replace(true) {
            clock.jump_to(NOW.moved_by(-3_600_000));
        }
        Ok(())
    };
    let mut longest = Duration::ZERO;
    for kind in [CallKind::Removal, CallKind::Addition, CallKind::Read].into_iter().cycle().take(12) {
        let before = clock.instant();
        state.take_turn(kind, Rate::default(), before + HOUR, &pause).unwrap();
        longest = longest.max(clock.instant() - before);
    }
    assert!(is_set_back.get());
    assert!(longest <= 2 * Rate::default().hold() + Duration::from_secs(1), "{longest:?}");
}

#[test]
fn a_used_up_day_fails_at_once_and_names_the_end() {
    let (state, clock) = in_memory();
    state.usage(|usage, now| usage.daily.refuse(now));
    let error = wait(&state, &clock).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the API calls of this account are used up until 2026-11-23 23:00:00 UTC (midnight in Germany)"
    );
    assert_eq!(state.usage(|usage, now| usage.daily.admit(CallsNeeded::default(), now)), Err(error));
    clock.advance(Duration::from_secs(900));
    assert_eq!(wait(&state, &clock), Ok(Duration::ZERO), "later it is tried again");
}

#[test]
fn additions_leave_enough_calls_to_remove_everything() {
    let (state, _) = in_memory();
    let admit = |additions, kept| {
        let needed = CallsNeeded { additions, kept, has_list: true, is_begun: false };
        state.usage(|usage, now| usage.daily.admit(needed, now))
    };
    assert_eq!(admit(100, 100), Ok(()), "nothing known");
    state.usage(|usage, now| usage.daily.learn(54, 64, now));
    assert_eq!(admit(3, 4), Ok(()), "3 adds, 3 + 4 removes, 10 left");
    let error = admit(3, 5).unwrap_err();
    assert_eq!(
        error.to_string(),
        "3 names need 6 API calls, an addition and a removal each; 10 of 64 are left until 2026-11-23 23:00:00 UTC (midnight \
         in Germany), and open records still take 5"
    );
    assert_eq!((error.kind().exit(), error.kind()), (Exit::RateLimit, Kind::QuotaReserved));
    state.usage(|usage, now| usage.daily.learn(54, 0, now));
    assert_eq!(admit(100, 100), Ok(()), "unlimited");
}

#[test]
fn an_interrupted_wait_ends_and_delays_others_by_a_second_at_most() {
    let (state, clock) = in_memory();
    (0..3).for_each(|_| assert_eq!(wait(&state, &clock), Ok(Duration::ZERO)));
    let deadline = clock.instant() + MINUTE;
    let stopped = state.take_turn(CallKind::Removal, Rate::default(), deadline, &|_, _| Err(Interrupted));
    assert_eq!(stopped, Err(LimitError::Interrupted(Interrupted)));
    let waited = wait_for(&state, &clock, CallKind::Addition, MINUTE).unwrap().as_millis();
    assert!((10_300..=11_600).contains(&waited), "{waited}");
}
