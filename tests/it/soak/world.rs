//! One simulated account with its state directory, through all stretches of its plan, and what has to hold in it.

use std::fmt;
use std::fs;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use ipv64_acme::sim::{Config, Limits, NameServer, ServerSettings, Sim, StaticRecord, StoredRecord};
use serde_json::Value;

use super::orders::{Call, Order};
use super::plan::{ADDRESSES, Planned, Stretch};
use super::runner::{self, Ended, Fate};
use crate::support::environment::TestEnvironment;
use crate::support::programs;

/// The rate of an account, which the simulation enforces: slower than any of the worlds would like it.
const RATE: (usize, Duration) = (12, Duration::from_secs(6));
/// What somebody else has at every fourth name, and in the whole domain.
const FOREIGN: &str = "somebody-elses";
/// The largest that a file of the state directory may be at the end, in bytes.
const LARGEST_FILE: u64 = 64 * 1024;
/// How long faults that were ordered may still be at work.
const SETTLE: Duration = Duration::from_secs(4);
/// Exit codes of a call that failed for what passes by itself.
const PASSING: [i32; 3] = [4, 5, 6];

/// What came of the orders.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Tally {
    orders: usize,
    /// Orders whose last addition said that all is ready, which was true.
    ready: usize,
    /// Orders in which something failed that nobody had killed.
    failed: usize,
    /// Calls that got a signal.
    pub(super) killed: usize,
    /// Calls of hooks.
    calls: usize,
    /// Requests to the API.
    requests: usize,
}

impl Tally {
    pub(super) fn add(&mut self, other: &Self) {
        self.orders += other.orders;
        self.ready += other.ready;
        self.failed += other.failed;
        self.killed += other.killed;
        self.calls += other.calls;
        self.requests += other.requests;
    }

    /// Whether the conditions were bad enough to test something, and not so bad that nothing got through.
    pub(super) fn mostly_succeeded(&self) -> bool {
        self.ready * 10 >= self.orders * 6 && self.failed * 10 <= self.orders
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { orders, ready, failed, killed, calls, requests } = self;
        write!(
            f,
            "{orders} orders ({ready} ready, {failed} failed), {calls} calls ({killed} killed), {requests} requests"
        )
    }
}

/// A world while it runs.
struct World<'a> {
    env: &'a TestEnvironment,
    tally: Mutex<Tally>,
    wrong: Mutex<Vec<String>>,
}

/// Runs a world, and returns what is wrong with it.
pub(super) fn run(number: usize, plan: Vec<Stretch>) -> (Tally, Vec<String>) {
    let (config, foreign) = config(&plan, number as u64);
    let mut env = TestEnvironment::with(config);
    let (requests, time) = RATE;
    env.set("IPV64_API_RATE", &format!("{requests}/{}", time.as_secs()));
    env.set("IPV64_HTTP_TIMEOUT", "2");
    env.set("IPV64_PROPAGATION_TIMEOUT", "60");
    env.sim.set_limits(Limits { burst: Some(RATE), ..Limits::default() });
    let world = World { env: &env, tally: Mutex::default(), wrong: Mutex::default() };
    for stretch in &plan {
        world.set_conditions(stretch);
        thread::scope(|scope| {
            for planned in &stretch.orders {
                scope.spawn(|| world.order(planned));
            }
        });
    }
    world.clear_up(&foreign);
    let mut tally = world.tally.into_inner().unwrap();
    tally.requests = env.sim.api_calls().len();
    (tally, world.wrong.into_inner().unwrap())
}

/// The world before its first stretch, and the records of somebody else in it.
fn config(plan: &[Stretch], seed: u64) -> (Config, Vec<StaticRecord>) {
    let names = plan.iter().flat_map(|stretch| &stretch.orders).map(|planned| planned.order.records[0].name());
    let foreign: Vec<_> = names
        .step_by(4)
        .chain(["_acme-challenge.name.ipv64.net".to_owned()])
        .map(|name| StaticRecord::new(&name, "TXT", FOREIGN))
        .collect();
    let addresses = |count| vec![ServerSettings::default(); count];
    let mut config = Config {
        name_servers: vec![
            NameServer::with("ns1.ipv64.net", addresses(2)),
            NameServer::with("ns2.ipv64.net", addresses(ADDRESSES - 2)),
        ],
        seed,
        ..Config::default()
    };
    config.accounts[0].records.extend(foreign.iter().cloned());
    (config, foreign)
}

impl World<'_> {
    fn sim(&self) -> &Sim {
        &self.env.sim
    }

    fn fault(&self, text: String) {
        self.wrong.lock().unwrap().push(text);
    }

    fn set_servers<'s>(&self, settings: impl Iterator<Item = &'s ServerSettings>) {
        let addresses = ["ns1.ipv64.net", "ns2.ipv64.net"].into_iter().flat_map(|name| self.sim().addresses(name));
        for (address, settings) in addresses.zip(settings) {
            self.sim().set_server(&address.ip().to_string(), settings).unwrap();
        }
    }

    fn set_conditions(&self, stretch: &Stretch) {
        self.set_servers(stretch.servers.iter());
        self.sim().clear_faults();
        stretch.faults.iter().for_each(|fault| self.sim().fault(fault.clone()));
    }

    /// Works through an order as its client would.
    fn order(&self, planned: &Planned) {
        let order = &planned.order;
        let mut failed = false;
        let (mut last, mut unheard) = (None, Vec::new());
        for (at, (call, fate)) in order.adds.iter().zip(&planned.adds).enumerate() {
            let Some(ended) = self.call(call, *fate) else { return };
            let done = ended.code == Some(0);
            self.judge_addition(order, at, &ended);
            failed |= !done;
            // Killed before it wrote anything, it is unknown to the last call of its order.
            if ended.code.is_none() {
                unheard.push(at);
            }
            last = Some((ended, done));
            if failed && !order.style.goes_on() {
                break;
            }
        }
        let Some((ended, done)) = last else { return };
        let ready = if order.style.waits_last() { done } else { !failed };
        if ready {
            self.assert_ready(planned, &unheard, ended.at);
        }
        let killed = planned.adds.iter().any(|fate| matches!(fate, Fate::Killed(..)));
        if !ready && !killed {
            // Allowed, but not often: to be looked at where many do.
            eprintln!("failed: {:?} {:?}", order.records[0].name(), ended.said());
        }
        {
            let mut tally = self.tally.lock().unwrap();
            tally.orders += 1;
            tally.ready += usize::from(ready);
            tally.failed += usize::from(!ready && !killed);
        }
        // What has undone itself is not removed; what was killed may have been removed by nobody.
        if failed && order.style.undoes() {
            return;
        }
        for (call, fate) in order.removes.iter().zip(&planned.removes) {
            let Some(ended) = self.call(call, *fate) else { continue };
            if ended.code != Some(0) && !ended.signalled && !ended.code.is_some_and(|code| PASSING.contains(&code)) {
                self.fault(format!("a removal of {:?}: {:?}\n{}", order.style, ended.code, ended.said()));
            }
        }
    }

    /// Makes one call; nothing if the plan has none, or if it went wrong in itself.
    fn call(&self, call: &Call, fate: Fate) -> Option<Ended> {
        if fate == Fate::NotMade {
            return None;
        }
        let mut command = self.env.command(programs::hook());
        // Half of the calls tell all they do: the key has to be in none of it.
        let verbose = call.args.concat().len() % 2 == 0;
        command.args(verbose.then_some("-vv")).args(&call.args).envs(call.variables.iter().cloned());
        match runner::run(&mut command, &call.stdin, fate) {
            Ok(ended) => {
                let mut tally = self.tally.lock().unwrap();
                tally.calls += 1;
                tally.killed += usize::from(ended.signalled);
                drop(tally);
                self.assert_decent(call, &ended);
                Some(ended)
            }
            Err(error) => {
                self.fault(format!("{:?}: {error}", call.args));
                None
            }
        }
    }

    /// Whatever a call does: it never panics, never tells the key, and nothing that it says acts on a terminal.
    fn assert_decent(&self, call: &Call, ended: &Ended) {
        let key = self.sim().key(0).unwrap();
        let said = ended.said();
        let raw = said.chars().any(|c| c.is_control() && c != '\n' && c != '\t');
        if said.contains("panicked") || said.contains(key) || raw {
            self.fault(format!("{:?} says what it must not: {said:?}", call.args));
        }
    }

    /// An addition may fail for what passes by itself, for a signal, or because an earlier one of its order has failed.
    fn judge_addition(&self, order: &Order, at: usize, ended: &Ended) {
        let expected = match ended.code {
            Some(0) => true,
            None => ended.signalled,
            Some(1) => ended.signalled || (order.style.waits_last() && at > 0),
            Some(code) => PASSING.contains(&code),
        };
        if !expected {
            self.fault(format!("an addition of {:?}: {:?}\n{}", order.style, ended.code, ended.said()));
        }
    }

    /// The simulation knows since when every honest server has shown a value. Additions that were killed are left out.
    fn assert_ready(&self, planned: &Planned, unheard: &[usize], at: Instant) {
        let Planned { order, adds, .. } = planned;
        let heard = order.records.iter().enumerate().filter(|(number, _)| !unheard.contains(number));
        for (_, record) in heard {
            match self.sim().visible_everywhere_since(&record.name(), &record.value) {
                Some(since) if since <= at => {}
                since => self.fault(format!(
                    "PREMATURE: {order:#?} {adds:?}, {} visible since {since:?}, ready at {at:?}",
                    record.value
                )),
            }
        }
    }

    /// Without faults one sweep removes what is left. Then all is as it was.
    fn clear_up(&self, foreign: &[StaticRecord]) {
        self.sim().clear_faults();
        self.set_servers(std::iter::repeat_n(&ServerSettings::default(), ADDRESSES));
        thread::sleep(SETTLE);
        let swept = self.env.run(&["sweep", "--older-than", "0", "--yes"]);
        if !swept.status.success() {
            self.fault(format!("the sweep fails: {}", swept.said()));
        }
        let left = self.sim().records_left();
        if !left.is_empty() {
            self.fault(format!("left: {left:#?}\nthe sweep said {}", swept.said()));
        }
        let records = self.sim().records();
        for theirs in foreign {
            let is_theirs = |record: &&StoredRecord| record.name() == theirs.name && record.content == FOREIGN;
            if !records.iter().filter(is_theirs).any(|record| record.life.is_open()) {
                self.fault(format!("the record of somebody else at {} is gone", theirs.name));
            }
        }
        let refused = self.sim().api_calls().into_iter().filter(|call| call.refused_by.is_some()).count();
        if refused > 0 {
            self.fault(format!("{refused} requests were too many"));
        }
        self.assert_state_is_small();
    }

    /// Killed processes have left no files, and the others no more than they need.
    fn assert_state_is_small(&self) {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.env.path("state")).unwrap().map(Result::unwrap) {
            let (name, bytes) = (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap());
            if bytes.len() as u64 > LARGEST_FILE {
                self.fault(format!("{name} has {} bytes", bytes.len()));
            }
            if String::from_utf8_lossy(&bytes).contains(self.sim().key(0).unwrap()) {
                self.fault(format!("{name} holds the key"));
            }
            if name == "journal.json" {
                let journal: Value = serde_json::from_slice(&bytes).unwrap();
                if journal["content"]["entries"].as_array().is_none_or(|entries| !entries.is_empty()) {
                    self.fault(format!("the journal has {:#}", journal["content"]["entries"]));
                }
            }
            names.push(name);
        }
        names.sort();
        if names != ["history.json", "journal.json", "lock", "usage.json"] {
            self.fault(format!("the state directory has {names:?}"));
        }
    }
}
