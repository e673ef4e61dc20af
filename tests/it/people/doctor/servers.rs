//! Every address of the name servers: silent, lame, without a route, behind the others, replaced by somebody else.

use std::time::Duration;

use ipv64_acme::sim::{Authority, Config, Listen, Meets, ServerSettings};

use super::{examine, has, says};
use crate::support::environment::TestEnvironment;

/// A fault of one server or of both, and what is said of it.
struct Row {
    which: &'static [&'static str],
    settings: ServerSettings,
    finding: (&'static str, &'static str, i32),
    words: &'static [&'static str],
}

const ONE: &[&str] = &["ns1.ipv64.net"];
const BOTH: &[&str] = &["ns1.ipv64.net", "ns2.ipv64.net"];

fn rows() -> Vec<Row> {
    let honest = ServerSettings::default;
    let silent = || ServerSettings { udp: Listen::Silent, tcp: Listen::Silent, ..honest() };
    // Not for everybody: then the resolver of the simulation would know no name servers either.
    let on_the_way = |settings| ServerSettings { meets: Meets::Sockets, ..settings };
    let row = |which, settings, finding, words| Row { which, settings, finding, words };
    vec![
        row(ONE, silent(), ("server_down", "warning", 0), &["UDP no answer, TCP no answer"]),
        row(ONE, ServerSettings { tcp: Listen::Closed, ..honest() }, ("server_tcp", "warning", 0), &["over TCP"]),
        row(ONE, ServerSettings { udp: Listen::Closed, ..honest() }, ("server_udp", "warning", 0), &["over UDP"]),
        row(ONE, ServerSettings { lame: true, ..honest() }, ("server_lame", "warning", 0), &["delegation"]),
        row(BOTH, on_the_way(silent()), ("no_server", "error", 6), &["port 53 (UDP and TCP)", "IPV64_DOH"]),
        row(
            BOTH,
            on_the_way(ServerSettings { authority: Authority::Missing, ..honest() }),
            ("no_server", "error", 6),
            &["delegated to ns1.ipv64.net"],
        ),
        row(
            BOTH,
            on_the_way(ServerSettings { authority: Authority::Intercepted, ..honest() }),
            ("intercepted", "error", 6),
            &["in place of the name servers", "router, firewall"],
        ),
    ]
}

#[test]
fn faults_of_the_servers_are_told_apart() {
    std::thread::scope(|scope| {
        for Row { which, settings, finding: (kind, level, code), words } in rows() {
            scope.spawn(move || {
                let env = TestEnvironment::new();
                for server in which {
                    env.sim.set_server(server, &settings).unwrap();
                }
                says(&has(&examine(&env, &["name.ipv64.net"], code), kind, level), words);
            });
        }
    });
}

#[test]
fn an_address_without_a_route_is_a_note() {
    let mut config = Config::default();
    // An address of one link only: the system refuses it before anything is sent.
    config.name_servers[1].unserved = vec!["fe80::53".parse().unwrap()];
    let findings = examine(&TestEnvironment::with(config), &["name.ipv64.net"], 0);
    says(&has(&findings, "server_no_route", "note"), &["fe80::53", "no route there (no IPv6?)"]);
}

#[test]
fn a_server_that_lags_is_seen_by_its_serial() {
    let mut config = Config::default();
    config.name_servers[1].addresses[0] = ServerSettings::delayed(Duration::from_secs(3600));
    let env = TestEnvironment::with(config);
    env.succeed(&["record", "add", "www.name.ipv64.net", "A", "127.0.0.1"]);
    let findings = examine(&env, &["name.ipv64.net"], 0);
    says(&has(&findings, "serials_differ", "warning"), &["serials 1, 2", "tell the provider"]);
}
