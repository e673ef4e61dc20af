//! The verdict under every condition of DNS: a table of conditions, each run with the real binary over real sockets.
//! For every row holds besides: "ready" is never said before the last honest server shows the value, no address gets more
//! than 14 queries in a second or 18 in three, and no resolver hears of the challenge name before the servers have it.

mod rows;

use std::fmt::Write as _;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use ipv64_acme::sim::{Config, Sim, Transport};

use crate::support::{process, programs};

/// A value that begins with a dash, as one in 64 does.
const VALUE: &str = "-5qEv-d0Kx3bQm1zVt8Jw2sLr7Yc4Np9Ha6Ug0TfEoI";

/// Within so many seconds an address gets so many queries at most.
const MOST_QUERIES: [(u64, usize); 2] = [(1, 14), (3, 18)];
/// A part of that time is left to the scheduling of sixty processes on few cores: the sender keeps to all of it, but the
/// simulation may be late to read what came. The tests of `src/propagation` hold a wait to the whole.
const SCHEDULING: Duration = Duration::from_millis(500);

/// One condition with what is expected of the hook.
pub(crate) struct Row {
    /// The condition, in words.
    condition: &'static str,
    /// The name of the challenge.
    name: &'static str,
    /// The world before the start.
    world: Config,
    /// What happens while the hook runs, and when.
    events: Vec<(Duration, Event)>,
    /// Further variables.
    variables: Vec<(&'static str, String)>,
    /// The exit code.
    exit: i32,
    /// The least time before exit, in seconds.
    least: f64,
    /// The most time before exit, in seconds; generous, for deadlines.
    most: f64,
    /// Words of the output.
    says: Vec<&'static str>,
    /// Whether resolvers may be asked for the challenge name: where nobody else can be asked.
    resolvers_may_know: bool,
    /// Whether exit 0 has to mean that every server shows the value.
    is_checked: bool,
}

/// Something that changes in a running world.
type Event = Box<dyn Fn(&Sim) + Send>;

impl Row {
    fn new(condition: &'static str, world: Config) -> Self {
        Self {
            condition,
            name: "_acme-challenge.name.ipv64.net",
            world,
            events: Vec::new(),
            variables: Vec::new(),
            exit: 0,
            least: 0.0,
            most: 60.0,
            says: Vec::new(),
            resolvers_may_know: false,
            is_checked: true,
        }
    }

    fn ready(self, least: f64, says: &[&'static str]) -> Self {
        self.ends(0, least, says)
    }

    fn ends(mut self, exit: i32, least: f64, says: &[&'static str]) -> Self {
        (self.exit, self.least, self.says) = (exit, least, says.to_vec());
        self
    }

    fn with(mut self, variable: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((variable, value.into()));
        self
    }

    fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    fn at(mut self, seconds: f64, event: impl Fn(&Sim) + Send + 'static) -> Self {
        self.events.push((Duration::from_secs_f64(seconds), Box::new(event)));
        self
    }

    fn within(mut self, most: f64) -> Self {
        self.most = most;
        self
    }

    fn with_resolvers(mut self) -> Self {
        self.resolvers_may_know = true;
        self
    }

    fn unchecked(mut self) -> Self {
        self.is_checked = false;
        self
    }

    /// Runs the row and returns what is not as expected, with everything that the hook said.
    fn run(self) -> Result<(), String> {
        let sim = Sim::start(self.world).map_err(|error| error.to_string())?;
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let mut command = Command::new(programs::hook());
        command.args(["-v", "present", self.name, VALUE]).env_clear().envs(sim.env());
        command.env("IPV64_STATE_DIR", folder.path()).env("IPV64_DOH", "off");
        for (variable, value) in &self.variables {
            let web = sim.api_url().trim_end_matches("/api").to_owned();
            command.env(variable, value.replace("{web}", &web));
        }
        let start = Instant::now();
        let finished = thread::scope(|scope| {
            for (after, event) in self.events {
                let sim = &sim;
                scope.spawn(move || {
                    thread::sleep(after);
                    event(sim);
                });
            }
            process::run(&mut command)
        });
        let exit = Instant::now();
        let took = exit.duration_since(start).as_secs_f64();
        let mut wrong = String::new();
        if finished.status.code() != Some(self.exit) {
            let _ = writeln!(wrong, "expected exit {}", self.exit);
        }
        if took < self.least || took > self.most {
            let _ = writeln!(wrong, "took {took:.2} s, expected {} to {}", self.least, self.most);
        }
        let said = finished.said();
        for words in self.says.iter().filter(|words| !said.contains(**words)) {
            let _ = writeln!(wrong, "does not say {words:?}");
        }
        let record = sim.records_left().first().map(ipv64_acme::sim::StoredRecord::name);
        if let (0, true, Some(record)) = (self.exit, self.is_checked, &record) {
            match sim.visible_everywhere_since(record, VALUE) {
                Some(since) if since <= exit => {}
                since => {
                    let _ = writeln!(wrong, "PREMATURE: visible everywhere since {since:?}, exit at {exit:?}");
                }
            }
        }
        too_many_queries(&sim, &mut wrong);
        if !self.resolvers_may_know {
            early_queries_to_resolvers(&sim, self.name, &mut wrong);
        }
        if wrong.is_empty() { Ok(()) } else { Err(format!("### {}\n{wrong}took {took:.2} s\n{said}", self.condition)) }
    }
}

fn too_many_queries(sim: &Sim, wrong: &mut String) {
    for (name, address) in sim.dns_servers().into_iter().filter(|(name, _)| name.ends_with("ipv64.net")) {
        for (seconds, most) in MOST_QUERIES {
            let busiest = sim.busiest(address, Duration::from_secs(seconds) - SCHEDULING);
            if busiest > most {
                let _ = writeln!(wrong, "{name} {address} got {busiest} queries within {seconds} s");
            }
        }
    }
}

fn early_queries_to_resolvers(sim: &Sim, name: &str, wrong: &mut String) {
    let asked = sim.questions().into_iter().filter(|question| {
        question.recursion_desired
            && question.transport != Transport::Internal
            && question.name.eq_ignore_ascii_case(name)
    });
    for question in asked {
        let _ = writeln!(wrong, "the resolver {} was asked for the challenge name", question.server);
    }
}

/// Inside the network other servers have authority for the zone, and never show the record: as long as all of them lag, the
/// root servers are asked who is right.
#[test]
fn split_dns_is_seen_through() {
    let outside = Sim::start(Config::with_delays(&[Duration::from_secs(1)])).unwrap();
    let port = outside.dns_servers()[0].1.port();
    let inside = Sim::start(Config { dns_port: port, ..Config::default() }).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(programs::hook());
    command.args(["present", "_acme-challenge.name.ipv64.net", VALUE]).env_clear().envs(outside.env());
    let resolver = inside.addresses("system")[0].to_string();
    command.env("IPV64_STATE_DIR", folder.path()).env("IPV64_DOH", "off").env("IPV64_RESOLVERS", resolver);
    let finished = process::run(&mut command);
    assert_eq!(finished.status.code(), Some(0), "{}", finished.said());
    assert!(finished.stdout.contains("ready on 1 of 1"), "{}", finished.said());
    assert!(finished.stdout.contains("split DNS"), "{}", finished.said());
}

/// What the journal knows can be removed without DNS: a certificate must not depend on a resolver once the CA has granted it.
#[test]
fn a_cleanup_needs_no_dns() {
    let sim = Sim::start(Config::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let hook = |verb: &str, variables: &[(&str, &str)]| {
        let mut command = Command::new(programs::hook());
        command.args([verb, "_acme-challenge.name.ipv64.net", VALUE]).env_clear().envs(sim.env());
        command.env("IPV64_STATE_DIR", folder.path()).env("IPV64_DOH", "off").envs(variables.iter().copied());
        let finished = process::run(&mut command);
        assert_eq!(finished.status.code(), Some(0), "{}", finished.said());
    };
    hook("present", &[]);
    let dead = [
        ("IPV64_RESOLVERS", "127.255.255.1:9"),
        ("IPV64_ROOT_SERVERS", "127.255.255.1"),
        ("IPV64_NAMESERVERS", "ns1.ipv64.net"),
    ];
    hook("cleanup", &dead);
    assert!(sim.records_left().is_empty());
}

/// Rows mostly wait, so they all run at once.
#[test]
fn every_row_of_the_table_holds() {
    let rows = rows::all();
    assert!(rows.len() >= 85, "{} rows", rows.len());
    let only = std::env::var("ROW").unwrap_or_default();
    let running: Vec<_> = rows
        .into_iter()
        .filter(|row| row.condition.contains(&only))
        .map(|row| {
            // A short distance, so that the starts of sixty processes do not stand in each other's way.
            thread::sleep(Duration::from_millis(60));
            thread::spawn(move || row.run())
        })
        .collect();
    let outcomes: Vec<_> = running.into_iter().map(|row| row.join().expect("a row panicked")).collect();
    let wrong: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    let text = wrong.iter().map(|text| text.as_str()).collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} of {} rows do not hold:\n{text}", wrong.len(), outcomes.len());
}
