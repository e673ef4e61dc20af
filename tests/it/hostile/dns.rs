//! Answers from those who have not been asked, and from those who lie. Neither makes a record ready that is not, nor puts
//! one where it does not belong.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ipv64_acme::sim::{Config, NamedBy, ResolverMode, ResolverSettings, StaticRecord};

use super::*;

/// The forged answers before each true one.
const FLOOD: u16 = 1000;

/// Somebody on the way to a name server who sees every question, knows the value, and answers first: a thousand times from
/// the right address with ids that are wrong, and from other ports and addresses with the id that is right. The true answer
/// comes last.
struct Impostor {
    address: SocketAddr,
    forged: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Impostor {
    fn before(server: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let address = socket.local_addr().unwrap();
        let elsewhere = [
            UdpSocket::bind("127.0.0.1:0").unwrap(),
            // The right port, at another address.
            UdpSocket::bind(("127.0.0.2", address.port())).unwrap(),
        ];
        let (stop, forged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&forged));
        let thread = std::thread::spawn(move || {
            let mut question = [0; 2048];
            while !stopped.load(Ordering::Relaxed) {
                let Ok((length, client)) = socket.recv_from(&mut question) else { continue };
                let question = &question[..length];
                for other in &elsewhere {
                    other.send_to(&forgery(question, 0), client).ok();
                }
                for difference in 1..=FLOOD {
                    socket.send_to(&forgery(question, difference), client).ok();
                    // Not faster than the receiver's buffer: a lost truth would prove nothing.
                    if difference % 50 == 0 {
                        std::thread::sleep(Duration::from_millis(2));
                    }
                }
                count.fetch_add(usize::from(FLOOD), Ordering::Relaxed);
                if let Some(truth) = ask(server, question) {
                    socket.send_to(&truth, client).ok();
                }
            }
        });
        Self { address, forged, stop, thread: Some(thread) }
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// An authoritative answer that has the value, with an id that differs by so much.
fn forgery(question: &[u8], difference: u16) -> Vec<u8> {
    let id = u16::from_be_bytes([question[0], question[1]]) ^ difference;
    let name = 12 + question[12..].iter().position(|byte| *byte == 0).unwrap() + 1;
    let mut answer = id.to_be_bytes().to_vec();
    // QR and AA; one question, one answer (RFC 1035 section 4.1.1).
    answer.extend([0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0]);
    answer.extend(&question[12..name + 4]);
    // The name of the question, TXT, IN, TTL 0, length, text.
    let length = u8::try_from(VALUE.len()).unwrap();
    answer.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 0, 0, length + 1, length]);
    answer.extend(VALUE.as_bytes());
    answer
}

fn ask(server: SocketAddr, question: &[u8]) -> Option<Vec<u8>> {
    let socket = UdpSocket::bind("127.0.0.1:0").ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    socket.send_to(question, server).ok()?;
    let mut answer = [0; 4096];
    let length = socket.recv(&mut answer).ok()?;
    Some(answer[..length].to_vec())
}

#[test]
fn a_flood_of_forged_answers_deceives_nobody() {
    let mut env = TestEnvironment::with(Config::with_delays(&[Duration::from_secs(2)]));
    let impostor = Impostor::before(env.sim.addresses("ns1.ipv64.net")[0]);
    env.set("IPV64_NAMESERVERS", &impostor.address.to_string());
    env.set("IPV64_PROPAGATION_TIMEOUT", "60");
    let said = env.succeed(&["present", NAME, VALUE]);
    let exit = Instant::now();
    assert!(said.contains("ready on 1 of 1"), "{said}");
    let visible = env.sim.visible_everywhere_since(NAME, VALUE);
    assert!(visible.is_some_and(|since| since <= exit), "it said ready before the server had it");
    assert!(impostor.forged.load(Ordering::Relaxed) > 3 * usize::from(FLOOD));
}

/// A CA's resolver may ask it, whatever the zone itself says.
#[test]
fn a_server_that_only_the_delegation_names_is_waited_for() {
    let mut world = Config::with_delays(&[Duration::from_secs(1), Duration::from_secs(5)]);
    world.name_servers[1].named_by = NamedBy::Parent;
    let env = TestEnvironment::with(world);
    let said = env.succeed(&["present", NAME, VALUE]);
    let exit = Instant::now();
    assert!(said.contains("ready on 2 of 2"), "{said}");
    assert!(env.sim.visible_everywhere_since(NAME, VALUE).is_some_and(|since| since <= exit));
}

/// What a resolver may say that is not so. Nothing of it may lead a record astray or make it ready too early.
#[test]
fn a_lying_resolver_leads_nothing_astray() {
    let record = StaticRecord::new;
    let elsewhere = "_acme-challenge.foreign.example";
    let mut lies = vec![
        ("an alias to somebody else", vec![record(NAME, "CNAME", elsewhere)]),
        ("an alias to another name of the account", vec![record(NAME, "CNAME", "_acme-challenge.example.com")]),
        ("the domain is an alias", vec![record("name.ipv64.net", "CNAME", "foreign.example")]),
        (
            "other servers",
            vec![record("ipv64.net", "NS", "foreign.example"), record("name.ipv64.net", "NS", "foreign.example")],
        ),
        ("the value is there already", vec![record(NAME, "TXT", VALUE)]),
        ("the challenge name is a zone of its own", vec![record(NAME, "NS", "foreign.example")]),
    ];
    let addresses = ["127.255.255.1", "192.0.2.1", "0.0.0.0", "255.255.255.255", "224.0.0.1"];
    for address in addresses {
        let of = |server: &str| record(server, "A", address);
        lies.push(("other addresses", vec![of("ns1.ipv64.net"), of("ns2.ipv64.net")]));
    }
    std::thread::scope(|scope| {
        for (lie, records) in lies {
            scope.spawn(move || check_lie(lie, records));
        }
    });
}

fn check_lie(lie: &str, records: Vec<StaticRecord>) {
    let mode = ResolverMode::Lies(records);
    let resolvers = vec![("system".into(), ResolverSettings { mode, ..ResolverSettings::default() })];
    let delays = [Duration::from_secs(1), Duration::from_secs(2)];
    let mut env = TestEnvironment::with(Config { resolvers, ..Config::with_delays(&delays) });
    env.set("IPV64_PROPAGATION_TIMEOUT", "8");
    let finished = env.run(&["present", NAME, VALUE]);
    let exit = Instant::now();
    assert_orderly(&finished, lie);
    let placed: Vec<_> = env.sim.records_left().iter().map(ipv64_acme::sim::StoredRecord::name).collect();
    assert!(placed.iter().all(|name| name == NAME), "{lie}: {placed:?}");
    if finished.status.success() {
        let visible = env.sim.visible_everywhere_since(NAME, VALUE);
        assert!(visible.is_some_and(|since| since <= exit), "{lie}: ready too early: {}", finished.said());
    }
    assert_can_be_removed(&env, VALUE, lie);
}
