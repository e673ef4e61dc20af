//! How often the name servers are asked where a record belongs.

use std::collections::BTreeSet;

use ipv64_acme::dns::cname::Follow;
use ipv64_acme::dns::pace::{Pace, QueryPermit};

use super::*;

/// The addresses that were asked for the alias at a name, one for each time.
fn looks_at(broker: &Broker, name: &DnsName) -> Vec<SocketAddr> {
    let questions = broker.sim.questions().into_iter();
    let looks =
        questions.filter(|question| question.kind == "CNAME" && question.name.eq_ignore_ascii_case(name.as_str()));
    looks.map(|question| question.address).collect()
}

#[test]
fn an_idle_broker_asks_no_name_server_twice_for_the_place_of_a_record() {
    let broker = Broker::new();
    for name in ["name.ipv64.net", "a.name.ipv64.net"] {
        let asked = ask("a", name);
        assert!(changed(&broker.present(&asked)));
        let looks = looks_at(&broker, &asked.challenge.name);
        let servers: BTreeSet<_> = looks.iter().collect();
        assert_eq!((servers.len(), looks.is_empty()), (looks.len(), false), "{:#?}", broker.sim.questions());
    }
}

#[test]
fn a_record_that_waited_for_its_turn_has_its_place_looked_at_again() {
    let broker = Broker::with(Config::default(), "2/4");
    let (first, second) = (ask("a", "name.ipv64.net"), ask("a", "a.name.ipv64.net"));
    assert!(changed(&broker.present(&first)), "the list and an addition fill the window");
    assert!(changed(&broker.present(&second)));
    assert!(looks_at(&broker, &second.challenge.name).len() > 1);
}

/// All that may be asked of the name servers for now, as among a thousand waits.
fn take_all(sim: &Sim, pace: &Arc<Pace>) -> Vec<QueryPermit> {
    let servers = sim.dns_servers().into_iter().filter(|(name, _)| name.ends_with(".ipv64.net"));
    let servers: Vec<_> = servers.map(|(_, address)| address).collect();
    let is_free = |server: &SocketAddr| pace.free(server.ip(), Instant::now()) == 14;
    until("the pace of queries is free", || servers.iter().all(is_free));
    let take = |server: SocketAddr| (0..14).map(move |_| pace.try_take(server, Instant::now()).unwrap());
    servers.into_iter().flat_map(take).collect()
}

/// Whether a resolver has been asked for a name, which it then remembers as one that does not exist.
fn is_known_to_resolver(sim: &Sim, name: &DnsName) -> bool {
    sim.questions().iter().any(|one| one.server == "system" && one.name.eq_ignore_ascii_case(name.as_str()))
}

#[test]
fn a_look_that_has_to_wait_for_the_pace_of_queries_is_no_silent_name_server() {
    let (sim, folder, setup) =
        (Sim::start(Config::default()).unwrap(), tempfile::tempdir().unwrap(), Setup::new("1000/1"));
    let parts = parts(&sim, folder.path(), &setup);
    let pace = Arc::clone(&parts.lookup.pace);
    let broker = Broker { engine: Engine::start(parts).unwrap(), sim, folder, setup };
    assert!(changed(&broker.present(&ask("a", "name.ipv64.net"))), "its zone is known then");
    let taken = take_all(&broker.sim, &pace);
    let busy = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(6));
        drop(taken);
    });
    let asked = ask("a", "a.name.ipv64.net");
    assert!(changed(&broker.present(&asked)));
    busy.join().unwrap();
    assert!(!is_known_to_resolver(&broker.sim, &asked.challenge.name));
}

#[test]
fn a_look_whose_time_is_up_asks_no_resolver() {
    let (sim, folder) = (Sim::start(Config::default()).unwrap(), tempfile::tempdir().unwrap());
    let lookup = parts(&sim, folder.path(), &Setup::new("1000/1")).lookup;
    let _taken = take_all(&sim, &lookup.pace);
    let name = ask("a", "name.ipv64.net").challenge.name;
    let deadline = Instant::now() + Duration::from_millis(1500);
    let error = lookup.place(&name, Follow::Chain, deadline).unwrap_err();
    assert!(error.is_passing() && !is_known_to_resolver(&sim, &name), "{error}");
}
