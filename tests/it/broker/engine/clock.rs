//! Somebody sets the clock of the broker's machine.

use std::sync::atomic::{AtomicI64, Ordering};

use ipv64_acme::time::Timestamp;

use super::*;

const HOUR: i64 = 3_600_000;

/// A clock that can be set by so many milliseconds.
#[derive(Default)]
struct Shifted(AtomicI64);

impl Clock for Shifted {
    fn now(&self) -> Timestamp {
        SystemClock::now().moved_by(self.0.load(Ordering::Relaxed))
    }
}

/// Sets the clock of a broker by an hour, forward or back, while it runs or before it is started again.
fn in_each_case(case: impl Fn(Broker, &dyn Fn(&mut Broker)) + Sync) {
    let case = &case;
    std::thread::scope(|scope| {
        for (shift, is_restarted) in [(HOUR, false), (-HOUR, false), (HOUR, true), (-HOUR, true)] {
            scope.spawn(move || {
                let clock = Arc::new(Shifted::default());
                let setup = Setup { clock: Arc::clone(&clock) as _, ..Setup::new("3/4") };
                let broker = Broker::of(Sim::start(Config::default()).unwrap(), setup);
                case(broker, &|broker: &mut Broker| {
                    if is_restarted {
                        broker.restart_after(|_| clock.0.store(shift, Ordering::Relaxed));
                    } else {
                        clock.0.store(shift, Ordering::Relaxed);
                    }
                });
            });
        }
    });
}

#[test]
fn neither_the_window_nor_the_quota_nor_a_value_that_is_to_expire_changes() {
    in_each_case(|mut broker, set_clock| {
        let asks: Vec<_> = (0..2).map(|_| Ask { program: ACME_DNS.into(), ..ask("a", "name.ipv64.net") }).collect();
        for asked in &asks {
            assert!(changed(&run(broker.engine.present(asked.clone(), Goal::Stored, LONG))), "the window is full then");
        }
        set_clock(&mut broker);
        let other = ask("b", "name.ipv64.net");
        assert!(changed(&run(broker.engine.present(other.clone(), Goal::Stored, LONG))));
        let sent: Vec<_> = broker.sim.api_calls().iter().map(|call| call.at).collect();
        assert!(sent[3].duration_since(sent[0]) >= Duration::from_secs(4), "three requests in four seconds");
        let day = broker.state().usage(|usage, _| usage.daily.quota().calls_today);
        // At midnight in Germany an hour may be another day.
        assert!(day == 4 || day == 1, "{day}");
        // It is looked for expired values every five seconds.
        std::thread::sleep(Duration::from_secs(7));
        assert_eq!((broker.records(), broker.count(CallKind::DelRecord)), (3, 0));
    });
}

#[test]
fn an_outage_is_neither_forgotten_nor_longer() {
    in_each_case(|mut broker, set_clock| {
        broker.sim.fault(ApiFault::next(Action::html(502, "<h1>Bad Gateway</h1>")).times(1000));
        let asked = ask("a", "name.ipv64.net");
        assert!(matches!(broker.present(&asked), Answer::Failed { kind: Kind::Unavailable, .. }));
        until("the outage is known", || broker.engine.usage().0.is_some());
        let calls = broker.sim.api_calls().len();
        set_clock(&mut broker);
        let answer = broker.present(&asked);
        let Answer::Failed { kind: Kind::Unavailable, retry_after } = answer else { panic!("{answer:?}") };
        assert!(retry_after <= Duration::from_secs(30), "{retry_after:?}");
        assert_eq!(broker.sim.api_calls().len(), calls);
    });
}
