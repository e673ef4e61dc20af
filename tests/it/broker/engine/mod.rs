//! The broker's engine against the simulated IPv64 and its name servers: how many calls a request takes, and what becomes of
//! it when requests are repeated, overtaken, refused or interrupted.

mod clock;
mod expiry;
mod front;
mod outage;
mod overtaking;
mod places;
mod restart;
mod sharing;
mod turns;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ipv64_acme::api::{Access, Client, RecordSpec, RecordType, RetryPolicy};
use ipv64_acme::challenge::{Challenge, TxtValue};
use ipv64_acme::dns::recursive::Recursive;
use ipv64_acme::dns::zone::Lookup;
use ipv64_acme::error::Kind;
use ipv64_acme::http::{HttpClient, HttpConfig};
use ipv64_acme::limiter::SharedLimiter;
use ipv64_acme::name::DnsName;
use ipv64_acme::secret::Secret;
use ipv64_acme::serve::engine::{ACME_DNS, Engine, Parts};
use ipv64_acme::serve::grant::{Grant, NotReady};
use ipv64_acme::serve::{Answer, Ask, Goal, Peer, Refusal};
use ipv64_acme::settings::{Environment, Settings, Sources};
use ipv64_acme::sim::{Action, ApiFault, CallKind, Config, Sim, StaticRecord};
use ipv64_acme::solver::Upstream;
use ipv64_acme::state::{Account, Progress, State};
use ipv64_acme::time::{Clock, SystemClock, sleep};

const LONG: Duration = Duration::from_secs(60);

struct Broker {
    sim: Sim,
    folder: tempfile::TempDir,
    setup: Setup,
    engine: Arc<Engine>,
}

/// What a broker is given.
#[derive(Clone)]
struct Setup {
    /// Variables of the environment; the last one of a name counts.
    variables: Vec<(&'static str, String)>,
    clock: Arc<dyn Clock>,
}

impl Setup {
    fn new(rate: &str) -> Self {
        Self { variables: vec![("IPV64_API_RATE", rate.into())], clock: Arc::new(SystemClock) }
    }

    fn set(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.into()));
        self
    }
}

impl Broker {
    fn new() -> Self {
        Self::with(Config::default(), "1000/1")
    }

    fn with(config: Config, rate: &str) -> Self {
        Self::of(Sim::start(config).unwrap(), Setup::new(rate))
    }

    fn of(sim: Sim, setup: Setup) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::start(parts(&sim, folder.path(), &setup)).unwrap();
        Self { sim, folder, setup, engine }
    }

    /// The same broker after a restart, before which something happens.
    fn restart_after(&mut self, meanwhile: impl FnOnce(&Self)) {
        self.engine.stop(LONG);
        meanwhile(self);
        self.engine = Engine::start(parts(&self.sim, self.folder.path(), &self.setup)).unwrap();
    }

    fn present(&self, ask: &Ask) -> Answer {
        run(self.engine.present(ask.clone(), Goal::Ready, LONG))
    }

    fn cleanup(&self, ask: &Ask) -> Answer {
        run(self.engine.cleanup(ask.clone(), LONG))
    }

    fn count(&self, kind: CallKind) -> usize {
        self.sim.api_calls().iter().filter(|call| call.call == Some(kind)).count()
    }

    fn state(&self) -> State {
        State::open(Some(&self.folder.path().join("state")), account(&self.sim), Arc::clone(&self.setup.clock))
    }

    /// Presents of all at once.
    fn present_all(&self, asks: &[Ask], goal: Goal) -> Vec<Answer> {
        run(async {
            let mut all = tokio::task::JoinSet::new();
            for asked in asks.iter().cloned() {
                let engine = Arc::clone(&self.engine);
                all.spawn(async move { engine.present(asked, goal, LONG).await });
            }
            all.join_all().await
        })
    }

    /// Presents of a client that asks for the removal once `is_time` says so: both answers.
    fn overtake(&self, asked: &Ask, is_time: impl Fn() -> bool) -> (Answer, Answer) {
        run(async {
            let remove = async {
                while !is_time() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                self.engine.cleanup(asked.clone(), LONG).await
            };
            tokio::join!(self.engine.present(asked.clone(), Goal::Ready, LONG), remove)
        })
    }

    /// How many records of challenges are at IPv64.
    fn records(&self) -> usize {
        self.sim.records_left().iter().filter(|record| record.name().as_str().starts_with("_acme")).count()
    }

    fn is_journal_empty(&self) -> bool {
        self.state().journal(|journal, _| journal.entries().is_empty())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.engine.stop(Duration::from_secs(2));
    }
}

fn account(sim: &Sim) -> Account {
    Account::of(&Secret::parse(sim.key(0).unwrap()).unwrap())
}

fn parts(sim: &Sim, folder: &Path, setup: &Setup) -> Parts {
    let mut variables = sim.env();
    for (name, value) in setup.variables.clone() {
        variables.retain(|(other, _)| other != name);
        variables.push((name.into(), value));
    }
    variables.push(("IPV64_CONFIG".into(), folder.join("empty.toml").to_str().unwrap().to_owned()));
    variables.push(("IPV64_STATE_DIR".into(), folder.join("state").to_str().unwrap().to_owned()));
    std::fs::write(folder.join("empty.toml"), "").unwrap();
    let environment = Environment::new(variables.into_iter().map(|(name, value)| (name.into(), value.into())));
    let settings = Settings::load(&Sources::read(&[], None, &environment).unwrap()).unwrap();
    let key = Secret::parse(sim.key(0).unwrap()).unwrap();
    let state = State::open(settings.state_dir.as_deref(), Account::of(&key), Arc::clone(&setup.clock));
    let http = Arc::new(
        HttpClient::new(&HttpConfig {
            timeout: settings.http_timeout,
            ca_file: settings.ca_file.clone(),
            certificates: settings.certificates.clone(),
            proxy: settings.proxy.clone(),
            user_agent: "test".into(),
        })
        .unwrap(),
    );
    let traffic = Arc::default();
    let limiter = SharedLimiter {
        state: state.clone(),
        rate: settings.api_rate,
        traffic: Arc::clone(&traffic),
        pause: Arc::new(sleep),
    };
    let access = Access { endpoint: settings.api_url.clone(), key, auth: settings.api_auth };
    let client = Client::new(http, access, Box::new(limiter));
    let nobody: ipv64_acme::dns::recursive::DohPost = Arc::new(|_, _, _| Err("no DoH in this test".into()));
    let lookup = Lookup {
        resolvers: Recursive::new(settings.resolvers.clone(), Arc::clone(&nobody)),
        fallback: Recursive::new(Vec::new(), nobody),
        servers: Vec::new(),
        server_names: Vec::new(),
        roots: settings.root_servers.clone(),
        port: settings.nameserver_port,
        pace: Arc::default(),
        known: Arc::default(),
    };
    Parts { settings, upstream: Upstream::Api(client), lookup, state, traffic }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn grant(client: &str, allow: &[&str]) -> Grant {
    Grant {
        client: client.into(),
        allow: allow.iter().map(|pattern| pattern.parse().unwrap()).collect(),
        alias: Vec::new(),
        from: Vec::new(),
        calls_per_day: None,
        not_ready: NotReady::Pending,
    }
}

fn ask_of(grant: Grant, name: &str) -> Ask {
    let name = DnsName::parse(&format!("_acme-challenge.{name}")).unwrap();
    Ask {
        grant: Arc::new(grant),
        peer: Peer::Address(SocketAddr::from(([127, 0, 0, 1], 1)).ip()),
        shown: None,
        challenge: Challenge { name, value: TxtValue::random().unwrap() },
        program: "lego".into(),
        calls: Arc::default(),
        found: Arc::default(),
    }
}

fn ask(client: &str, name: &str) -> Ask {
    ask_of(grant(client, &["*.ipv64.net"]), name)
}

fn changed(answer: &Answer) -> bool {
    match answer {
        Answer::Done { changed, .. } => *changed,
        other => panic!("{other:?}"),
    }
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !is_so() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
