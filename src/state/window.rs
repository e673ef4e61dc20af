//! The request window: one for all processes that share the state directory and the account.
//! It decides when a request may leave, and waits for that; requests themselves are made elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{Explain, Kind};

use super::account::Account;
use super::queue::{BEAT, Priority, Queue, Ticket, Turn};
use super::quota::{Ledger, Quota};
use super::random;
use super::rate::Rate;
use super::store::{Document, Store};
use crate::time::{Clock, Interrupted, Timestamp};

/// Accounts in the file; the one that was used longest ago makes room.
const MOST_ACCOUNTS: usize = 16;
/// The shortest sleep, so that a waiter whose turn is near does not spin.
const SHORTEST_SLEEP: Duration = Duration::from_millis(5);
/// A part of the period, at most, is added to a pause by chance, so that hooks on several machines do not all come
/// back at once.
const JITTER_DIVISOR: u32 = 4;

/// The file `window.json`.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
struct Windows {
    accounts: BTreeMap<Account, Window>,
}

#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
struct Window {
    used_at: Timestamp,
    queue: Queue,
    ledger: Ledger,
}

impl Document for Windows {
    const FILE: &'static str = "window.json";
}

/// Called once when a request has to wait, with the time until its turn as things stand.
pub type OnWait = Arc<dyn Fn(Duration) + Send + Sync>;

/// The door that every request of one account passes.
#[derive(Clone)]
pub struct RequestWindow {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    account: Account,
    rate: Rate,
    on_wait: Option<OnWait>,
}

impl RequestWindow {
    pub(super) fn new(store: Arc<Store>, clock: Arc<dyn Clock>, account: Account, rate: Rate) -> Self {
        Self { store, clock, account, rate, on_wait: None }
    }

    /// Sets who is told that a request has to wait.
    #[must_use]
    pub fn on_wait(mut self, observer: OnWait) -> Self {
        self.on_wait = Some(observer);
        self
    }

    /// Waits until a request may be sent; it is to be sent at once.
    ///
    /// No lock is held meanwhile, and a process that is killed in the queue holds up the others for three seconds
    /// at most. A free turn is taken even when the deadline has passed.
    ///
    /// # Errors
    /// [`WindowError::TooLate`] as soon as it is certain that there is no turn before `deadline`,
    /// [`WindowError::UsedUp`] at once while the day's calls are used up, [`WindowError::Interrupted`].
    pub fn acquire(&self, priority: Priority, deadline: Instant) -> Result<Slot, WindowError> {
        let ticket = Ticket { id: random::id(), priority, joined: self.clock.now() };
        let slot = self.wait_for_turn(&ticket, deadline);
        if slot.is_err() {
            self.update(|window, _| window.queue.leave(&ticket.id));
        }
        slot.map(|()| Slot { window: self.clone(), id: ticket.id })
    }

    fn wait_for_turn(&self, ticket: &Ticket, deadline: Instant) -> Result<(), WindowError> {
        let mut observer = self.on_wait.as_ref();
        loop {
            let (turn, soonest) = match self.update(|window, now| window.ask(ticket, self.rate, now))? {
                Turn::Now => return Ok(()),
                Turn::Wait { turn, soonest } => (turn, soonest),
            };
            let left = deadline.saturating_duration_since(self.clock.instant());
            if left.is_zero() || soonest > left {
                return Err(WindowError::TooLate { soonest, rate: self.rate });
            }
            if let Some(observer) = observer.take() {
                observer(turn);
            }
            self.clock.sleep(turn.clamp(SHORTEST_SLEEP, BEAT).min(left))?;
        }
    }

    /// Notes a 429: nobody of this account sends for `retry_after`, or else for a full period and a little more.
    pub fn refused(&self, retry_after: Option<Duration>) {
        let period = self.rate.period();
        let length = retry_after.unwrap_or_else(|| period + jitter(period / JITTER_DIVISOR));
        self.update(|window, now| window.queue.pause(length, now));
    }

    /// Notes a 429 that means the whole day. For a quarter of an hour all processes fail with
    /// [`WindowError::UsedUp`] at once; then it is tried again, as nobody knows for sure when the day ends.
    pub fn daily_exhausted(&self) {
        self.update(|window, now| window.ledger.refuse(now));
    }

    /// Takes what the account says of itself: calls used today and the daily limit, where 0 means none (observed).
    pub fn learn_quota(&self, used: u64, limit: u64) {
        self.update(|window, now| window.ledger.learn(used, limit, now));
    }

    /// Returns what is known of the calls left today.
    #[must_use]
    pub fn quota(&self) -> Quota {
        self.update(|window, now| window.ledger.quota(now))
    }

    /// Returns whether there is a request to spare: it could leave at once, nobody waits, and the day is not used up.
    #[must_use]
    pub fn has_to_spare(&self) -> bool {
        self.update(|window, now| {
            window.ledger.quota(now).used_up_until.is_none() && window.queue.is_idle(self.rate, now)
        })
    }

    /// Makes sure that records can still be removed: `additions` new ones, and `open` ones that are there already.
    ///
    /// # Errors
    /// [`WindowError::Reserved`] if fewer calls are known to remain than all these need,
    /// [`WindowError::UsedUp`] if none are.
    pub fn admit(&self, additions: usize, open: usize) -> Result<(), WindowError> {
        let quota = self.quota();
        if let Some(reset) = quota.used_up_until {
            return Err(WindowError::UsedUp { reset });
        }
        let needed = additions.saturating_mul(2).saturating_add(open) as u64;
        match quota.remaining {
            Some(remaining) if remaining < needed => Err(WindowError::Reserved { remaining, open }),
            _ => Ok(()),
        }
    }

    fn update<R>(&self, change: impl FnOnce(&mut Window, Timestamp) -> R) -> R {
        self.store.update(|windows: &mut Windows| {
            // Read under the lock: a time taken before it could be older than what stands in the file.
            let now = self.clock.now();
            windows.make_room(&self.account);
            let window = windows.accounts.entry(self.account.clone()).or_default();
            window.ledger.normalise(now);
            change(window, now)
        })
    }
}

impl Windows {
    fn make_room(&mut self, account: &Account) {
        while self.accounts.len() >= MOST_ACCOUNTS && !self.accounts.contains_key(account) {
            let oldest = self.accounts.iter().min_by_key(|(_, window)| window.used_at).map(|(name, _)| name.clone());
            oldest.and_then(|name| self.accounts.remove(&name));
        }
    }
}

impl Window {
    fn ask(&mut self, ticket: &Ticket, rate: Rate, now: Timestamp) -> Result<Turn, WindowError> {
        if let Some(reset) = self.ledger.quota(now).used_up_until {
            return Err(WindowError::UsedUp { reset });
        }
        let turn = self.queue.ask(ticket, rate, now);
        if turn == Turn::Now {
            self.ledger.count();
            self.used_at = now;
        }
        Ok(turn)
    }
}

/// The right to send one request now.
#[must_use = "the request counts from now on"]
pub struct Slot {
    window: RequestWindow,
    id: String,
}

impl Slot {
    /// Notes that the answer is there, or that there will be none. Until then the request counts as sent when the
    /// turn came, with a small margin for its way; a slow one is only counted rightly with this.
    pub fn finish(self) {
        self.window.update(|window, now| window.queue.finish(&self.id, now));
    }
}

fn jitter(most: Duration) -> Duration {
    let millis = u64::try_from(most.as_millis()).unwrap_or(u64::MAX).saturating_add(1);
    Duration::from_millis(random::number() % millis)
}

/// Why a request was not allowed to leave.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// The requests of this and other processes fill the window until after the deadline.
    #[error("the request limit of {rate} (requests/seconds) leaves no turn in time; the next one is in {} s", up(.soonest))]
    TooLate {
        /// When the next request of anybody is allowed.
        soonest: Duration,
        /// The limit.
        rate: Rate,
    },
    /// The API said that the day's calls are used up.
    #[error("the API calls of this account are used up until {reset} (midnight in Germany)")]
    UsedUp {
        /// When the new day begins, as far as known.
        reset: Timestamp,
    },
    /// What is left of the day's calls is kept for removing what is there.
    #[error("{remaining} API calls are left for today, kept for removing records ({open} to be removed)")]
    Reserved {
        /// Calls left.
        remaining: u64,
        /// Records that have to be removed.
        open: usize,
    },
    /// The process was asked to stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl Explain for WindowError {
    fn kind(&self) -> Kind {
        match self {
            Self::TooLate { .. } => Kind::RateLimited,
            Self::UsedUp { .. } => Kind::QuotaUsedUp,
            Self::Reserved { .. } => Kind::QuotaReserved,
            Self::Interrupted(_) => Kind::Interrupted,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::TooLate { .. } => Some(
                "wait until the other hooks are done, give more time with IPV64_PROPAGATION_TIMEOUT, or set \
                 IPV64_API_RATE if your account may send more"
                    .to_owned(),
            ),
            Self::UsedUp { .. } => Some(
                "the next renewal will try again; see `ipv64-acme status`, and look for what else uses the key"
                    .to_owned(),
            ),
            Self::Reserved { .. } => {
                Some("try again tomorrow, or raise the limit of the account at IPv64.net".to_owned())
            }
            Self::Interrupted(_) => None,
        }
    }
}

/// Whole seconds, rounded up.
fn up(duration: &Duration) -> u64 {
    duration.as_millis().div_ceil(1000) as u64
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::State;
    use super::super::queue::LONGEST_PAUSE;
    use super::*;
    use crate::exit::Exit;
    use crate::secret::Secret;
    use crate::time::ManualClock;

    const NOW: Timestamp = Timestamp::from_millis(1_795_438_800_000);
    const MINUTE: Duration = Duration::from_secs(60);

    fn account(key: &str) -> Account {
        Account::of(&Secret::parse(key).unwrap())
    }

    struct Bench {
        clock: Arc<ManualClock>,
        window: RequestWindow,
        state: State,
    }

    fn bench() -> Bench {
        let clock = ManualClock::at(NOW);
        let state = State::in_memory().with_clock(clock.clone());
        let window = state.window(account("key"), Rate::default());
        Bench { clock, window, state }
    }

    impl Bench {
        /// Asks with a minute's patience, and returns how long it took.
        fn acquire(&self) -> Result<Duration, WindowError> {
            let before = self.clock.instant();
            self.window.acquire(Priority::Addition, before + MINUTE).map(|_slot| self.clock.instant() - before)
        }
    }

    #[test]
    fn the_fourth_request_waits_for_the_first_to_expire() {
        let bench = bench();
        let waited: Vec<_> = (0..7).map(|_| bench.acquire().unwrap().as_millis()).collect();
        assert_eq!(waited, [0, 0, 0, 10_300, 0, 0, 10_300]);
    }

    #[test]
    fn a_finished_request_counts_from_its_answer() {
        let bench = bench();
        let deadline = bench.clock.instant() + MINUTE;
        let slots: Vec<_> = (0..3).map(|_| bench.window.acquire(Priority::Addition, deadline).unwrap()).collect();
        bench.clock.advance(Duration::from_secs(4));
        slots.into_iter().for_each(Slot::finish);
        assert_eq!(bench.acquire().unwrap().as_millis(), 10_300);
    }

    #[test]
    fn a_request_is_to_spare_while_turns_are_free_and_the_day_is_not_used_up() {
        let bench = bench();
        assert!(bench.window.has_to_spare());
        (0..3).for_each(|_| assert_eq!(bench.acquire(), Ok(Duration::ZERO)));
        assert!(!bench.window.has_to_spare());
        bench.clock.advance(MINUTE);
        assert!(bench.window.has_to_spare());
        bench.window.daily_exhausted();
        assert!(!bench.window.has_to_spare());
    }

    #[test]
    fn accounts_do_not_share_a_window() {
        let bench = bench();
        (0..3).for_each(|_| assert_eq!(bench.acquire(), Ok(Duration::ZERO)));
        let other = bench.state.window(account("other"), Rate::default());
        assert!(other.acquire(Priority::Read, bench.clock.instant()).is_ok());
    }

    #[test]
    fn gives_up_at_once_when_there_is_no_turn_before_the_deadline() {
        let bench = bench();
        (0..3).for_each(|_| assert_eq!(bench.acquire(), Ok(Duration::ZERO)));
        let before = bench.clock.instant();
        let deadline = before + Duration::from_secs(10);
        let error = bench.window.acquire(Priority::Addition, deadline).err().unwrap();
        assert_eq!(bench.clock.instant(), before, "it did not wait");
        assert_eq!(
            error.to_string(),
            "the request limit of 3/10 (requests/seconds) leaves no turn in time; the next one is in 11 s"
        );
        assert_eq!((error.exit(), error.kind().as_str()), (Exit::RateLimit, "rate_limited"));
    }

    #[test]
    fn says_once_that_it_waits_and_for_how_long() {
        let mut bench = bench();
        let told = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&told);
        bench.window = bench.window.on_wait(Arc::new(move |turn| notes.lock().unwrap().push(turn)));
        (0..4).for_each(|_| assert!(bench.acquire().is_ok()));
        assert_eq!(*told.lock().unwrap(), [Duration::from_millis(10_300)]);
    }

    #[test]
    fn a_refusal_stops_everybody_for_a_period_and_a_little_more() {
        let bench = bench();
        bench.window.refused(None);
        let waited = bench.acquire().unwrap().as_secs_f64();
        assert!((10.0..=12.5).contains(&waited), "{waited}");
    }

    #[test]
    fn a_refusal_with_a_time_is_taken_at_its_word_up_to_an_hour() {
        let bench = bench();
        bench.window.refused(Some(Duration::from_secs(42)));
        assert_eq!(bench.acquire().unwrap().as_secs(), 42);
        bench.window.refused(Some(Duration::MAX));
        let before = bench.clock.instant();
        assert!(bench.window.acquire(Priority::Read, before + 2 * LONGEST_PAUSE).is_ok());
        assert_eq!(bench.clock.instant() - before, LONGEST_PAUSE);
    }

    #[test]
    fn a_clock_that_is_set_back_costs_one_period_at_most() {
        let bench = bench();
        (0..3).for_each(|_| assert_eq!(bench.acquire(), Ok(Duration::ZERO)));
        bench.window.refused(Some(Duration::from_secs(5)));
        bench.clock.jump_to(Timestamp::from_millis(1_000));
        assert_eq!(bench.acquire().unwrap().as_millis(), 10_300);
    }

    #[test]
    fn a_used_up_day_fails_at_once_and_names_the_end() {
        let bench = bench();
        bench.window.daily_exhausted();
        let error = bench.acquire().unwrap_err();
        assert_eq!(
            error.to_string(),
            "the API calls of this account are used up until 2026-11-23 23:00:00 UTC (midnight in Germany)"
        );
        assert_eq!(bench.window.admit(1, 0), Err(error));
        bench.clock.advance(Duration::from_secs(900));
        assert_eq!(bench.acquire(), Ok(Duration::ZERO), "later it is tried again");
    }

    #[test]
    fn additions_leave_enough_calls_to_remove_everything() {
        let bench = bench();
        assert_eq!(bench.window.admit(100, 100), Ok(()), "nothing known");
        bench.window.learn_quota(54, 64);
        assert_eq!(bench.window.admit(3, 4), Ok(()), "3 adds, 3 + 4 removes, 10 left");
        let error = bench.window.admit(3, 5).unwrap_err();
        assert_eq!(error.to_string(), "10 API calls are left for today, kept for removing records (5 to be removed)");
        assert_eq!((error.exit(), error.kind().as_str()), (Exit::RateLimit, "quota_reserved"));
        bench.window.learn_quota(54, 0);
        assert_eq!(bench.window.admit(100, 100), Ok(()), "unlimited");
    }

    #[test]
    fn an_interrupted_wait_ends_and_leaves_the_queue() {
        struct Stopped(Arc<ManualClock>);
        impl Clock for Stopped {
            fn now(&self) -> Timestamp {
                self.0.now()
            }
            fn instant(&self) -> Instant {
                self.0.instant()
            }
            fn sleep(&self, _: Duration) -> Result<(), Interrupted> {
                Err(Interrupted)
            }
        }
        let bench = bench();
        let rate: Rate = "1/1".parse().unwrap();
        let soon = bench.clock.instant() + MINUTE;
        let acquire = |state: &State, priority| {
            let before = bench.clock.instant();
            let slot = state.window(account("key"), rate).acquire(priority, soon);
            slot.map(|_| (bench.clock.instant() - before).as_millis())
        };
        assert_eq!(acquire(&bench.state, Priority::Read), Ok(0));
        let stopped = bench.state.clone().with_clock(Arc::new(Stopped(Arc::clone(&bench.clock))));
        assert_eq!(acquire(&stopped, Priority::Removal), Err(WindowError::Interrupted(Interrupted)));
        // A removal that were still in the queue would go first.
        assert_eq!(acquire(&bench.state, Priority::Addition), Ok(1_050));
    }

    #[test]
    fn the_file_does_not_grow_with_the_number_of_accounts() {
        let bench = bench();
        for number in 0..40 {
            let window = bench.state.window(account(&format!("key{number}")), Rate::default());
            drop(window.acquire(Priority::Read, bench.clock.instant()).unwrap());
            bench.clock.advance(Duration::from_secs(1));
        }
        bench.window.store.update(|windows: &mut Windows| {
            assert_eq!(windows.accounts.len(), MOST_ACCOUNTS);
            assert!(windows.accounts.contains_key(&account("key39")));
        });
    }
}
