//! The broker's engine against the simulated IPv64 and its name servers: how many calls a request takes, and what becomes of
//! it when requests are repeated, overtaken, refused or interrupted.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
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
use ipv64_acme::time::{SystemClock, sleep};

const LONG: Duration = Duration::from_secs(60);

struct Broker {
    sim: Sim,
    folder: tempfile::TempDir,
    engine: Arc<Engine>,
}

impl Broker {
    fn new() -> Self {
        Self::with(Config::default(), "1000/1")
    }

    fn with(config: Config, rate: &str) -> Self {
        let sim = Sim::start(config).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let engine = start(&sim, folder.path(), rate);
        Self { sim, folder, engine }
    }

    /// The same broker after a restart.
    fn restart(&mut self) {
        self.engine.stop(LONG);
        self.engine = start(&self.sim, self.folder.path(), "1000/1");
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
        State::open(Some(&self.folder.path().join("state")), account(&self.sim), Arc::new(SystemClock))
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

fn start(sim: &Sim, folder: &Path, rate: &str) -> Arc<Engine> {
    Engine::start(parts(sim, folder, rate)).unwrap()
}

fn parts(sim: &Sim, folder: &Path, rate: &str) -> Parts {
    let mut variables = sim.env();
    variables.push(("IPV64_API_RATE".into(), rate.into()));
    variables.push(("IPV64_CONFIG".into(), folder.join("empty.toml").to_str().unwrap().to_owned()));
    variables.push(("IPV64_STATE_DIR".into(), folder.join("state").to_str().unwrap().to_owned()));
    std::fs::write(folder.join("empty.toml"), "").unwrap();
    let environment = Environment::new(variables.into_iter().map(|(name, value)| (name.into(), value.into())));
    let settings = Settings::load(&Sources::read(&[], None, &environment).unwrap()).unwrap();
    let key = Secret::parse(sim.key(0).unwrap()).unwrap();
    let state = State::open(settings.state_dir.as_deref(), Account::of(&key), Arc::new(SystemClock));
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
    let requests = Arc::default();
    let limiter = SharedLimiter {
        state: state.clone(),
        rate: settings.api_rate,
        passed: Arc::clone(&requests),
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
    Parts { settings, upstream: Upstream::Api(client), lookup, state, requests }
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
        challenge: Challenge { name, value: TxtValue::random().unwrap() },
        program: "lego".into(),
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

#[test]
fn a_record_that_is_asked_for_three_times_costs_two_calls() {
    let broker = Broker::new();
    let ask = ask("a", "name.ipv64.net");
    let engine = &broker.engine;
    let answers = run(async {
        let present = || engine.present(ask.clone(), Goal::Ready, LONG);
        let (first, second) = tokio::join!(present(), present());
        [first, second, present().await]
    });
    assert!(answers.iter().all(|answer| matches!(answer, Answer::Done { .. })), "{answers:?}");
    assert_eq!(answers.iter().map(changed).collect::<Vec<_>>(), [true, true, false], "the last from the journal");
    let value = ask.challenge.value.as_str();
    let visible = broker.sim.visible_everywhere_since("_acme-challenge.name.ipv64.net", value);
    assert!(visible.is_some_and(|since| since <= Instant::now()), "ready means ready");
    let removals = [broker.cleanup(&ask), broker.cleanup(&ask), broker.cleanup(&ask)];
    assert_eq!(removals.iter().map(changed).collect::<Vec<_>>(), [true, false, false]);
    assert_eq!((broker.count(CallKind::AddRecord), broker.count(CallKind::DelRecord)), (1, 1));
    assert!(broker.sim.records_left().iter().all(|record| !record.name().as_str().starts_with("_acme")));
}

#[test]
fn two_clients_with_one_name_remove_their_own_values_only() {
    let broker = Broker::new();
    let (one, other) = (ask("one", "name.ipv64.net"), ask("other", "name.ipv64.net"));
    assert!(changed(&broker.present(&one)) && changed(&broker.present(&other)));
    let foreign = Ask { challenge: one.challenge.clone(), ..other.clone() };
    assert!(!changed(&broker.cleanup(&foreign)), "the value of another client");
    assert_eq!(broker.count(CallKind::DelRecord), 0);
    assert!(changed(&broker.cleanup(&one)) && changed(&broker.cleanup(&other)));
}

#[test]
fn an_alias_to_a_record_that_is_not_granted_costs_no_call() {
    let mut config = Config::default();
    config.accounts[0].records.push(StaticRecord::new(
        "_acme-challenge.alias.example.com",
        "CNAME",
        "_acme-challenge.b.name.ipv64.net",
    ));
    let broker = Broker::with(config, "1000/1");
    let mut asked = ask_of(grant("a", &["alias.example.com"]), "alias.example.com");
    assert_eq!(broker.present(&asked), Answer::Refused(Refusal::Record));
    assert!(broker.sim.api_calls().is_empty(), "{:?}", broker.sim.api_calls());
    let mut allowed = grant("a", &["alias.example.com"]);
    allowed.alias.push("_acme-challenge.b.name.ipv64.net".parse().unwrap());
    asked.grant = Arc::new(allowed);
    assert!(changed(&broker.present(&asked)));
    assert!(changed(&broker.cleanup(&asked)));
}

#[test]
fn the_calls_of_the_day_of_a_client_are_counted() {
    let broker = Broker::new();
    let limited = |calls| Grant { calls_per_day: Some(calls), ..grant("a", &["*.ipv64.net"]) };
    let first = ask_of(limited(1), "name.ipv64.net");
    assert_eq!(broker.present(&first), Answer::Refused(Refusal::CallsUsedUp), "its removal has to be paid for");
    assert!(broker.sim.api_calls().is_empty());
    // The list of the domains is the third call.
    let first = ask_of(limited(3), "name.ipv64.net");
    assert!(changed(&broker.present(&first)));
    assert!(changed(&broker.cleanup(&first)));
    assert_eq!(broker.present(&ask_of(limited(3), "name.ipv64.net")), Answer::Refused(Refusal::CallsUsedUp));
    assert!(matches!(broker.present(&ask("b", "name.ipv64.net")), Answer::Done { .. }), "another client");
}

#[test]
fn a_removal_that_overtakes_its_addition_wins() {
    // While it queues for the request window.
    let broker = Broker::with(Config::default(), "2/20");
    let (first, second) = (ask("a", "name.ipv64.net"), ask("a", "name.ipv64.net"));
    assert!(changed(&broker.present(&first)), "the list and an addition fill the window");
    let engine = &broker.engine;
    let (added, removed) = run(async {
        let add = engine.present(second.clone(), Goal::Ready, LONG);
        let remove = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            engine.cleanup(second.clone(), LONG).await
        };
        tokio::join!(add, remove)
    });
    assert!(matches!(added, Answer::Failed { kind: Kind::Interrupted, .. }), "{added:?}");
    assert!(!changed(&removed));
    assert_eq!(broker.count(CallKind::AddRecord), 1, "it was never sent");
}

#[test]
fn a_removal_during_the_wait_ends_it() {
    let broker = Broker::with(Config::with_delays(&[LONG, LONG]), "1000/1");
    let asked = ask("a", "name.ipv64.net");
    let engine = &broker.engine;
    let (added, removed) = run(async {
        let add = engine.present(asked.clone(), Goal::Ready, LONG);
        let remove = async {
            while broker.count(CallKind::AddRecord) == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            engine.cleanup(asked.clone(), LONG).await
        };
        tokio::join!(add, remove)
    });
    assert!(matches!(added, Answer::Failed { kind: Kind::Interrupted, .. }), "{added:?}");
    assert!(changed(&removed), "{removed:?}");
    assert!(broker.state().journal(|journal, _| journal.entries().is_empty()));
}

#[test]
fn an_answer_that_takes_too_long_is_pending_and_the_work_goes_on() {
    let broker = Broker::with(Config::with_delays(&[Duration::from_secs(2)]), "1000/1");
    let asked = ask("a", "name.ipv64.net");
    let first = run(broker.engine.present(asked.clone(), Goal::Ready, Duration::from_millis(100)));
    assert_eq!(first, Answer::Pending);
    assert!(matches!(broker.present(&asked), Answer::Done { .. }));
    assert_eq!(broker.count(CallKind::AddRecord), 1);
}

#[test]
fn a_restart_loses_nothing_and_costs_no_call() {
    let mut broker = Broker::with(Config::with_delays(&[Duration::from_secs(3)]), "1000/1");
    let asked = ask("a", "name.ipv64.net");
    let stored = run(broker.engine.present(asked.clone(), Goal::Stored, LONG));
    assert!(changed(&stored), "{stored:?}");
    let progress = broker.state().journal(|journal, _| journal.entries()[0].progress);
    assert_eq!(progress, Progress::Confirmed);
    broker.restart();
    assert!(!changed(&broker.present(&asked)), "waits for what is stored");
    broker.restart();
    assert!(!changed(&broker.present(&asked)), "answers from the journal");
    assert_eq!(broker.count(CallKind::AddRecord), 1);
    assert!(changed(&broker.cleanup(&asked)));
}

#[test]
fn an_outage_is_answered_at_once_and_costs_few_calls() {
    let broker = Broker::new();
    broker.sim.fault(ApiFault::next(Action::html(502, "<h1>Bad Gateway</h1>")).times(1000));
    let asks: Vec<_> = (0..10).map(|client| ask(&format!("client-{client}"), "name.ipv64.net")).collect();
    for asked in &asks {
        let answer = broker.present(asked);
        assert!(matches!(answer, Answer::Failed { kind: Kind::Unavailable, .. }), "{answer:?}");
    }
    let during = broker.sim.api_calls().len();
    assert!(during <= 5, "{during} calls for ten records");
    assert!(broker.engine.is_down().is_some());
    asks.iter().for_each(|asked| assert!(!changed(&broker.cleanup(asked)), "it was never stored"));
    let after = broker.sim.api_calls().len();
    assert!(after <= 15, "{after} calls in all");
}

#[test]
fn a_failure_is_answered_from_memory() {
    let broker = Broker::new();
    let asked = ask("a", "unknown.ipv64.net");
    let first = broker.present(&asked);
    let calls = broker.sim.api_calls().len();
    let second = broker.present(&Ask { challenge: ask("a", "x.name.ipv64.net").challenge, ..asked.clone() });
    assert!(matches!(second, Answer::Done { .. } | Answer::Refused(_)), "another name: {second:?}");
    let begun = broker.sim.api_calls().len();
    let third = broker.present(&asked);
    match (&first, &third) {
        (Answer::Failed { kind: first, retry_after: pause }, Answer::Failed { kind: again, retry_after }) => {
            assert_eq!((first, again), (&Kind::NoDomain, &Kind::NoDomain));
            assert!(retry_after <= pause && *pause == Duration::from_secs(5), "{pause:?}, {retry_after:?}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(broker.sim.api_calls().len(), begun, "nothing was asked again (after {calls})");
}

#[test]
fn the_third_value_of_an_acme_dns_client_lets_the_first_one_go() {
    let broker = Broker::new();
    let asks: Vec<_> = (0..3).map(|_| Ask { program: ACME_DNS.into(), ..ask("a", "name.ipv64.net") }).collect();
    asks.iter().for_each(|asked| assert!(changed(&broker.present(asked))));
    until("the first value goes", || broker.count(CallKind::DelRecord) == 1);
    let left = |asked: &Ask| {
        let value = asked.challenge.value.as_str();
        broker.sim.records_left().iter().any(|record| record.content.trim_matches('"') == value)
    };
    assert_eq!(asks.iter().map(left).collect::<Vec<_>>(), [false, true, true]);
}

#[test]
fn of_many_clients_none_makes_the_api_refuse() {
    let mut config = Config::default();
    config.limits = ipv64_acme::sim::Limits { burst: Some((30, Duration::from_secs(1))), ..config.limits };
    let broker = Broker::with(config, "30/1");
    let asks: Vec<_> = (0..50).map(|client| ask(&format!("client-{client}"), "name.ipv64.net")).collect();
    let answers = run(async {
        let mut all = tokio::task::JoinSet::new();
        for asked in asks.clone() {
            let engine = Arc::clone(&broker.engine);
            all.spawn(async move { engine.present(asked, Goal::Stored, LONG).await });
        }
        all.join_all().await
    });
    assert!(answers.iter().all(|answer| matches!(answer, Answer::Done { .. })), "{answers:?}");
    assert!(broker.sim.api_calls().iter().all(|call| call.status != Some(429)));
    assert_eq!(broker.count(CallKind::AddRecord), 50);
}

#[test]
fn a_broker_that_ends_takes_nothing_and_answers_all() {
    let broker = Broker::with(Config::with_delays(&[LONG]), "1000/1");
    let asked = ask("a", "name.ipv64.net");
    let engine = Arc::clone(&broker.engine);
    let ending = std::thread::spawn({
        let engine = Arc::clone(&engine);
        move || {
            std::thread::sleep(Duration::from_millis(500));
            engine.stop(Duration::from_secs(2));
        }
    });
    let answer = broker.present(&asked);
    assert!(matches!(answer, Answer::Failed { kind: Kind::Interrupted, .. }), "{answer:?}");
    ending.join().unwrap();
    assert!(matches!(broker.present(&asked), Answer::Failed { kind: Kind::Interrupted, .. }));
}

#[test]
fn an_addition_after_a_removal_of_the_same_record_waits_for_its_end() {
    // The window is full, so the removal is still to come when the record is asked for again.
    let broker = Broker::with(Config::default(), "2/5");
    let asked = ask("a", "name.ipv64.net");
    assert!(changed(&broker.present(&asked)));
    let engine = &broker.engine;
    let (removed, added) = run(async {
        let add = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            engine.present(asked.clone(), Goal::Stored, LONG).await
        };
        tokio::join!(engine.cleanup(asked.clone(), LONG), add)
    });
    assert!(changed(&removed) && changed(&added), "{removed:?}, {added:?}");
    let value = asked.challenge.value.as_str();
    assert!(broker.sim.records_left().iter().any(|record| record.content.trim_matches('"') == value));
    assert!(changed(&broker.cleanup(&asked)));
}

#[test]
fn a_record_that_two_clients_have_asked_for_goes_with_the_last_one() {
    let broker = Broker::new();
    let one = ask("one", "name.ipv64.net");
    let other = Ask { challenge: one.challenge.clone(), ..ask("other", "name.ipv64.net") };
    assert!(changed(&broker.present(&one)));
    assert!(!changed(&broker.present(&other)), "it is there");
    assert!(!changed(&broker.cleanup(&one)), "the other one may still need it");
    assert_eq!(broker.count(CallKind::DelRecord), 0);
    assert!(changed(&broker.cleanup(&other)));
}

/// How often each name server was asked for the alias at a name, at most.
fn looks_at(broker: &Broker, name: &DnsName) -> usize {
    let mut times = BTreeMap::<SocketAddr, usize>::new();
    for question in broker.sim.questions() {
        if question.kind == "CNAME" && question.name.eq_ignore_ascii_case(name.as_str()) {
            *times.entry(question.address).or_default() += 1;
        }
    }
    times.into_values().max().unwrap_or_default()
}

#[test]
fn an_idle_broker_asks_no_name_server_twice_for_the_place_of_a_record() {
    let broker = Broker::new();
    for name in ["name.ipv64.net", "a.name.ipv64.net"] {
        let asked = ask("a", name);
        assert!(changed(&broker.present(&asked)));
        assert_eq!(looks_at(&broker, &asked.challenge.name), 1, "{:#?}", broker.sim.questions());
    }
}

#[test]
fn a_record_that_waited_for_its_turn_has_its_place_looked_at_again() {
    let broker = Broker::with(Config::default(), "2/4");
    let (first, second) = (ask("a", "name.ipv64.net"), ask("a", "a.name.ipv64.net"));
    assert!(changed(&broker.present(&first)), "the list and an addition fill the window");
    assert!(changed(&broker.present(&second)));
    assert_eq!(looks_at(&broker, &second.challenge.name), 2);
}

#[test]
fn an_alias_that_changes_while_its_client_waits_for_a_turn_costs_no_call() {
    let broker = Broker::with(Config::default(), "2/6");
    assert!(changed(&broker.present(&ask("b", "name.ipv64.net"))), "the list and an addition fill the window");
    let asked = ask_of(grant("a", &["alias.example.com"]), "alias.example.com");
    let engine = Arc::clone(&broker.engine);
    let queued = std::thread::spawn({
        let asked = asked.clone();
        move || run(engine.present(asked, Goal::Ready, LONG))
    });
    std::thread::sleep(Duration::from_secs(1));
    // Another program with the same key turns the name into an alias.
    let elsewhere = tempfile::tempdir().unwrap();
    let parts = parts(&broker.sim, elsewhere.path(), "1000/1");
    let domain = DnsName::parse("example.com").unwrap();
    let alias = DnsName::parse("_acme-challenge.alias.example.com").unwrap();
    let record =
        RecordSpec::within(&domain, &alias, RecordType::from_name("CNAME"), "_acme-challenge.b.name.ipv64.net")
            .unwrap();
    let Upstream::Api(client) = &parts.upstream else { panic!("the API was asked for") };
    client.add_record(&record, &RetryPolicy::interactive()).unwrap();
    let before = broker.count(CallKind::AddRecord);
    assert_eq!(queued.join().unwrap(), Answer::Refused(Refusal::Record));
    assert_eq!(broker.count(CallKind::AddRecord), before);
    assert_eq!(broker.engine.numbers().refused, 1);
}

#[test]
fn a_removal_during_an_outage_is_finished_after_a_restart() {
    let mut broker = Broker::new();
    let asked = ask("a", "name.ipv64.net");
    assert!(changed(&broker.present(&asked)));
    broker.sim.fault(ApiFault::next(Action::html(502, "<h1>Bad Gateway</h1>")).times(1000));
    assert!(matches!(broker.cleanup(&asked), Answer::Postponed { .. }));
    broker.sim.clear_faults();
    broker.state().usage(|usage, _| usage.outage.end());
    broker.restart();
    until("the removal is finished", || broker.state().journal(|journal, _| journal.entries().is_empty()));
    assert!(broker.sim.records_left().iter().all(|record| !record.name().as_str().starts_with("_acme")));
}

#[test]
fn of_many_clients_none_waits_for_more_than_its_turn() {
    let broker = Broker::with(Config::default(), "20/1");
    // One that asks for many records comes first.
    let greedy: Vec<_> = (0..20).map(|_| ask("greedy", "name.ipv64.net")).collect();
    let modest: Vec<_> = (0..20).map(|client| ask(&format!("client-{client}"), "name.ipv64.net")).collect();
    run(async {
        let mut all = tokio::task::JoinSet::new();
        for asked in greedy.iter().chain(&modest).cloned() {
            let engine = Arc::clone(&broker.engine);
            all.spawn(async move { engine.present(asked, Goal::Stored, LONG).await });
        }
        for answer in all.join_all().await {
            assert!(matches!(answer, Answer::Done { .. }), "{answer:?}");
        }
    });
    let is_add = |call: &&ipv64_acme::sim::ApiCall| call.call == Some(CallKind::AddRecord);
    let calls: Vec<_> =
        broker.sim.api_calls().iter().filter(is_add).map(|call| format!("{:?}", call.parameters)).collect();
    assert_eq!(calls.len(), 40);
    let place = |asked: &Ask| calls.iter().position(|call| call.contains(asked.challenge.value.as_str())).unwrap();
    let last = modest.iter().map(place).max().unwrap();
    // The fair share is one turn of each of the 21 clients.
    assert!(last < 32, "the last of those with one record is the {last}th of 40");
}
