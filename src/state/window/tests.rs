use std::time::Duration;

use super::super::tests::NOW;
use super::*;

const MINUTE: Duration = Duration::from_secs(60);

/// A window in which three of three requests are used, at [`NOW`].
fn full() -> Window {
    let mut window = Window::default();
    for _ in 0..3 {
        assert!(is_now(ask(&mut window, CallKind::Read, Rate::default(), NOW)));
    }
    window
}

/// Asks with a minute's patience.
fn ask(window: &mut Window, kind: CallKind, rate: Rate, now: Timestamp) -> Turn {
    window.ask(kind, rate, MINUTE, now).unwrap()
}

fn is_now(turn: Turn) -> bool {
    matches!(turn, Turn::Now(_))
}

#[test]
fn removals_go_before_additions_and_these_before_reads() {
    let mut window = full();
    let rate: Rate = "1/10".parse().unwrap();
    let mut waiting = vec![CallKind::Read, CallKind::Addition, CallKind::Removal];
    for kind in &waiting {
        assert!(!is_now(ask(&mut window, *kind, rate, NOW)));
    }
    let mut order = Vec::new();
    let mut now = NOW;
    while let Some(last) = waiting.last() {
        assert!(now.since(NOW) < Duration::from_secs(60), "{order:?}");
        now = now + Duration::from_millis(500);
        let sent = waiting.iter().find(|kind| is_now(ask(&mut window, **kind, rate, now))).copied();
        assert!(sent.is_none_or(|sent| sent == *last), "{sent:?} before {last:?}");
        order.extend(sent);
        waiting.retain(|kind| Some(*kind) != sent);
    }
    assert_eq!(order, [CallKind::Removal, CallKind::Addition, CallKind::Read]);
}

#[test]
fn a_removal_that_was_killed_while_it_waited_holds_up_nobody_for_longer_than_a_second() {
    let mut window = full();
    let rate = Rate::default();
    assert!(!is_now(ask(&mut window, CallKind::Removal, rate, NOW)));
    let free = NOW + rate.hold();
    assert!(!is_now(ask(&mut window, CallKind::Addition, rate, free)), "it may still come");
    assert!(is_now(ask(&mut window, CallKind::Addition, rate, free + LATE)));
}

#[test]
fn whoever_has_no_patience_is_not_waited_for() {
    let mut window = full();
    let rate = Rate::default();
    let soon = rate.hold() - Duration::from_secs(1);
    let error = window.ask(CallKind::Removal, rate, soon, NOW).unwrap_err();
    assert_eq!(error, LimitError::TooLate { soonest: rate.hold(), rate });
    assert!(is_now(ask(&mut window, CallKind::Addition, rate, NOW + rate.hold())));
}

#[test]
fn the_wait_is_as_long_as_the_window_is_full_or_the_pause_is_on() {
    let mut window = full();
    let rate = Rate::default();
    assert_eq!(ask(&mut window, CallKind::Addition, rate, NOW), Turn::Wait(rate.hold()));
    window.pause(MINUTE, NOW);
    assert_eq!(ask(&mut window, CallKind::Addition, rate, NOW), Turn::Wait(MINUTE));
}

#[test]
fn no_pause_in_a_file_is_longer_than_the_longest() {
    let file = r#"{"pause":{"since":0,"length":{"secs":18446744073709551615,"nanos":0}}}"#;
    let mut window: Window = serde_json::from_str(file).unwrap();
    assert!(is_now(ask(&mut window, CallKind::Read, Rate::default(), NOW)));
}

#[test]
fn a_short_pause_does_not_shorten_a_long_one() {
    let mut window = Window::default();
    window.pause(MINUTE, NOW);
    window.pause(Duration::from_secs(1), NOW);
    assert_eq!(window.pause_left(NOW), MINUTE);
}

/// xorshift64*: the same schedule for the same seed, on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % end
    }

    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

/// A simulated process, and when it came.
struct Waiter {
    kind: CallKind,
    joined: u64,
}

/// What a simulated process does next.
enum Step {
    Ask(Waiter),
    Finish(Timestamp),
}

/// Processes that come, wait, send, are slow, are killed and come again, on one window.
struct Schedule {
    dice: Dice,
    rate: Rate,
    window: Window,
    steps: std::collections::BTreeMap<(u64, u64), Step>,
    numbers: u64,
    arrivals: Vec<u64>,
    latest_wait: u64,
}

impl Schedule {
    fn new(seed: u64, rate: &str) -> Self {
        Self {
            dice: Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            rate: rate.parse().unwrap(),
            window: Window::default(),
            steps: std::collections::BTreeMap::new(),
            numbers: 0,
            arrivals: Vec::new(),
            latest_wait: 0,
        }
    }

    fn plan(&mut self, at: u64, step: Step) {
        self.numbers += 1;
        self.steps.insert((at, self.numbers), step);
    }

    fn run(&mut self, processes: u64) {
        let period = self.rate.period().as_millis() as u64;
        for _ in 0..processes {
            let joined = self.dice.below(period * 4);
            let kind = [CallKind::Removal, CallKind::Addition, CallKind::Read][self.dice.below(3) as usize];
            self.plan(joined, Step::Ask(Waiter { kind, joined }));
        }
        let most = processes * 10_000;
        for _ in 0..most {
            let Some(((at, _), step)) = self.steps.pop_first() else { return };
            self.take(at, step);
        }
        panic!("not done after {most} steps");
    }

    fn take(&mut self, at: u64, step: Step) {
        let now = NOW + Duration::from_millis(at);
        let waiter = match step {
            Step::Finish(sent_at) => return self.window.finish(sent_at, now),
            Step::Ask(waiter) => waiter,
        };
        match self.window.ask(waiter.kind, self.rate, Duration::MAX, now).unwrap() {
            Turn::Now(_) => self.send(at, waiter.joined),
            Turn::Wait(_) if self.dice.once_in(200) => {} // killed while it waits
            Turn::Wait(wait) => {
                // Woken up late, as on a busy machine; additions and reads with their jitter.
                let jitter = if waiter.kind == CallKind::Removal { 1 } else { self.rate.margin().as_millis() as u64 };
                let late = self.dice.below(20) + self.dice.below(jitter);
                let pause = (wait.as_millis() as u64).max(5) + late;
                self.plan(at + pause, Step::Ask(waiter));
            }
        }
    }

    fn send(&mut self, at: u64, joined: u64) {
        self.latest_wait = self.latest_wait.max(at - joined);
        let period = self.rate.period();
        if self.dice.once_in(10) {
            // Killed with the request on its way: nobody reports the answer, the margin has to do.
            let margin = (self.rate.hold() - period).as_millis() as u64;
            let way = self.dice.below(margin);
            self.arrivals.push(at + way);
            return;
        }
        let way = self.dice.below(period.as_millis() as u64 * 3 / 4);
        self.arrivals.push(at + way);
        let back = self.dice.below(100);
        self.plan(at + way + back, Step::Finish(NOW + Duration::from_millis(at)));
    }

    /// Finds the first arrival that the server would refuse.
    fn refused(&mut self) -> Option<(u64, u64)> {
        self.arrivals.sort_unstable();
        let period = self.rate.period().as_millis() as u64;
        let windows = self.arrivals.windows(self.rate.requests() + 1);
        windows.map(|window| (window[0], *window.last().unwrap())).find(|(first, last)| last - first < period)
    }
}

#[test]
fn the_server_never_sees_too_many_requests_in_any_period() {
    for seed in 1..=100 {
        let rate = ["3/10", "1/1", "5/2", "2/0.5", "10/60"][seed as usize % 5];
        let mut schedule = Schedule::new(seed, rate);
        schedule.run(60);
        assert!(schedule.arrivals.len() > 20, "seed {seed}: only {} requests", schedule.arrivals.len());
        assert_eq!(schedule.refused(), None, "seed {seed}, rate {rate}");
    }
}

#[test]
fn everybody_gets_a_turn_in_about_the_time_that_the_rate_needs() {
    for seed in 1..=20 {
        let mut schedule = Schedule::new(seed, "3/10");
        schedule.run(30);
        // Ten rounds of at most 10.3 s and 7.5 s on the way, and some killed waiters.
        assert!(schedule.latest_wait < 10 * 18_000 + 30_000, "seed {seed}: {} ms", schedule.latest_wait);
    }
}
