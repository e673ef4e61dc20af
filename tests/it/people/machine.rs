//! Faults of the machine and of its settings: the first line says what is broken as far as it can be seen, and settings that
//! somebody has changed are named where they may be the cause.

use ipv64_acme::sim::Certificate;

use crate::support::environment::TestEnvironment;
use crate::support::process;
use crate::support::programs;
use crate::support::skip::skipped;
use crate::support::values::FIRST;

/// A port at which nobody listens.
const DEAD: &str = "127.255.255.1:9";
const PRESENT: [&str; 4] = ["present", "--identifier", "name.ipv64.net", FIRST];

fn env(variables: &[(&str, &str)]) -> TestEnvironment {
    let mut env = TestEnvironment::new();
    env.set("IPV64_PROPAGATION_TIMEOUT", "3");
    variables.iter().for_each(|(name, value)| env.set(name, value));
    env
}

/// Asserts what the first line says, and which settings are named as a possible cause.
fn assert_told(said: &str, first: &str, suspects: &[&str]) {
    let is_error = said.starts_with("error[");
    assert!(!is_error || said.trim_end().lines().count() <= 5, "{said}");
    let line = said.lines().next().unwrap_or_default();
    assert!(line.starts_with("error") && line.contains(first), "{said}");
    let named =
        |suspect: &&&str| said.lines().any(|line| line.contains("perhaps the cause") && line.contains(**suspect));
    let missing: Vec<_> = suspects.iter().filter(|suspect| !named(suspect)).collect();
    assert!(missing.is_empty(), "{missing:?} in {said}");
}

/// Runs a shell script in a network of its own, from which nothing leaves; nothing where the system does not allow that.
fn run_alone(env: &TestEnvironment, script: &str) -> Option<process::Finished> {
    let unshare = |script: &str| {
        let mut command = env.command("unshare");
        command.args(["--map-root-user", "--net", "--mount", "sh", "-ec", script]);
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env_remove("IPV64_API_URL").env("HOOK", programs::hook());
        command
    };
    if !unshare("exit 0").output().is_ok_and(|done| done.status.success()) {
        skipped("errors of a machine without a network: no network of one's own here (unshare)");
        return None;
    }
    Some(process::run(&mut unshare(script)))
}

#[test]
fn a_machine_without_a_network_is_told_so_first() {
    let env = env(&[("IPV64_DOH", "https://192.0.2.1/dns-query")]);
    for command in ["account", "present --identifier name.ipv64.net", "doctor name.ipv64.net"] {
        let value = if command.starts_with("present") { FIRST } else { "" };
        let Some(finished) = run_alone(&env, &format!("exec \"$HOOK\" {command} {value}")) else { return };
        assert_eq!(finished.status.code(), Some(6), "{}", finished.said());
        let said = if command.starts_with("doctor") { &finished.stdout } else { &finished.stderr };
        assert_told(said, "this machine has no network", &[]);
    }
}

#[test]
fn a_dead_resolver_is_told_first() {
    let env = env(&[]);
    let resolver = "nameserver 127.0.0.9\n";
    std::fs::write(env.path("resolv.conf"), resolver).unwrap();
    let script = format!(
        "ip link set lo up; ip route add default dev lo; mount --bind {} /etc/resolv.conf; exec \"$HOOK\" account",
        env.path("resolv.conf").display()
    );
    let Some(finished) = run_alone(&env, &script).filter(|finished| !finished.stderr.contains("ip: not found")) else {
        return skipped("a dead resolver: needs `ip` (iproute2)");
    };
    assert_told(
        &finished.stderr,
        "the resolver of this machine (/etc/resolv.conf) has no address for `ipv64.net`",
        &[],
    );
}

#[test]
fn a_machine_without_resolv_conf_is_told_so() {
    let env = env(&[]);
    // Routes lead everywhere, and nobody listens where the system asks without the file.
    let alone = "ip link set lo up; ip route add default dev lo; mount -t tmpfs none /etc; exec \"$HOOK\"";
    for command in ["account", "doctor"] {
        let finished = run_alone(&env, &format!("{alone} {command}"));
        let Some(finished) = finished.filter(|finished| !finished.stderr.contains("ip: not found")) else {
            return skipped("a machine without resolv.conf: needs `ip` (iproute2)");
        };
        for words in ["there is no /etc/resolv.conf", "`nameserver ADDRESS`"] {
            assert!(finished.said().contains(words), "{words}: {}", finished.said());
        }
    }
}

#[test]
fn a_port_53_that_is_shut_is_told_first() {
    let env = env(&[("IPV64_RESOLVERS", DEAD), ("IPV64_ROOT_SERVERS", "127.255.255.1"), ("IPV64_DOH", "off")]);
    let first = "are blocked here: none of 1 addresses of root servers answer";
    let suspects =
        ["the variable IPV64_RESOLVERS is `127.255.255.1:9`, and usually it is not set", "IPV64_ROOT_SERVERS"];
    assert_told(&env.fail(&PRESENT, 6), first, &suspects);
    assert_told(&env.run(&["doctor", "name.ipv64.net"]).stdout, first, &suspects);
}

#[test]
fn name_servers_of_the_settings_that_are_wrong_are_told_first() {
    let mut env = env(&[("IPV64_NAMESERVERS", DEAD)]);
    let suspects = ["the variable IPV64_NAMESERVERS is `127.255.255.1:9`, and usually it is not set"];
    assert_told(&env.fail(&PRESENT, 5), "no name server answered for 3 s", &suspects);
    env.set("IPV64_RESOLVERS", DEAD);
    let first = "none of the name servers in IPV64_NAMESERVERS answers";
    assert_told(&env.fail(&PRESENT, 6), first, &suspects);
}

#[test]
fn an_address_of_the_api_that_is_not_the_usual_one_is_named() {
    let mut env = env(&[]);
    let url = env.sim.api_url();
    let without_path = url.trim_end_matches("/api");
    assert_ne!(url, without_path);
    env.set("IPV64_API_URL", without_path);
    let usual = "and usually `https://ipv64.net/api`";
    assert_told(&env.fail(&["account"], 6), "cannot read the account", &["the variable IPV64_API_URL is", usual]);
    let tls = env.sim.tls(Certificate::Expired).unwrap();
    let authority = env.path("ca.pem");
    std::fs::write(&authority, tls.authority()).unwrap();
    env.set("IPV64_API_URL", &tls.api_url());
    env.set("IPV64_CA_FILE", authority.to_str().unwrap());
    let said = env.fail(&["account"], 6);
    assert!(said.contains("its certificate has expired (the clock of this machine says "), "{said}");
    assert_told(&said, "cannot read the account", &["the variable IPV64_API_URL is", "the variable IPV64_CA_FILE is"]);
}
