//! Where the name of the API leads: the hosts file, search domains and DNS of a machine of its own (a name space), seen through
//! the messages of the binary.

use std::net::TcpListener;

use ipv64_acme::sim::Certificate;

use crate::support::environment::TestEnvironment;
use crate::support::process::{Finished, run};
use crate::support::programs;

/// Runs a shell in name spaces of its own, in the folder of the environment; `$hook` is the binary.
fn shell(env: &TestEnvironment, spaces: &[&str], script: &str) -> Finished {
    std::fs::write(env.path("nsswitch.conf"), "hosts: files dns\n").unwrap();
    let script = format!("PATH=$PATH:/usr/sbin:/sbin; mount --bind nsswitch.conf /etc/nsswitch.conf\n{script}");
    let mut command = env.command("unshare");
    command.args(["--mount", "--map-root-user"]).args(spaces).args(["sh", "-euc", &script]);
    run(command.env("hook", programs::hook()))
}

/// The error of `account` on a machine with this hosts file.
fn error_with_hosts(env: &TestEnvironment, hosts: &str) -> String {
    std::fs::write(env.path("hosts"), hosts).unwrap();
    let finished = shell(env, &[], "mount --bind hosts /etc/hosts; exec \"$hook\" account");
    assert_eq!(finished.status.code(), Some(6), "{}", finished.said());
    finished.stderr
}

#[test]
fn a_hosts_file_that_blocks_the_api_is_named_with_the_address() {
    let mut env = TestEnvironment::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    env.set("IPV64_API_URL", &format!("https://api.example:{port}/api"));
    let error = error_with_hosts(&env, "127.0.0.1 localhost\n0.0.0.0 api.example\n");
    let said = format!(
        "cannot reach `api.example:{port}` at 0.0.0.0 (from /etc/hosts): nobody listens there (connection refused)"
    );
    assert!(error.contains(&said), "{error}");
    assert!(error.contains("hint: a line in /etc/hosts sends `api.example` there"), "{error}");
}

#[test]
fn a_server_with_another_name_is_named_with_its_address_and_who_led_there() {
    let mut env = TestEnvironment::new();
    let tls = env.sim.tls(Certificate::Good).unwrap();
    std::fs::write(env.path("authority.pem"), tls.authority()).unwrap();
    env.set("IPV64_CA_FILE", env.path("authority.pem").to_str().unwrap());
    env.set("IPV64_API_URL", &tls.api_url().replace("127.0.0.1", "api.example"));
    let error = error_with_hosts(&env, "127.0.0.1 api.example\n");
    for words in
        ["` at 127.0.0.1 (from /etc/hosts): its certificate is for another name: ", "ipv64.net", "a line in /etc/hosts"]
    {
        assert!(error.contains(words), "{words}: {error}");
    }
    assert!(env.calls().is_empty());
    // The hosts file holds, and what the certificate is for is the name without a dot at its end.
    env.set("IPV64_API_URL", &tls.api_url().replace("127.0.0.1", "ipv64.net"));
    std::fs::write(env.path("hosts"), "127.0.0.1 ipv64.net\n").unwrap();
    let finished = shell(&env, &[], "mount --bind hosts /etc/hosts; exec \"$hook\" account");
    assert!(finished.stdout.contains("class\tStandard"), "{}", finished.said());
}

/// A network of its own with the simulation as its DNS. The search domain has a wildcard that leads to 127.0.0.1, and a name
/// with less than five dots is looked up below it first (as in Kubernetes).
const WORLD: &str = r#"
    ip link set lo up
    "$hook" sim --dns-port 53 --delays 0.1,0.1 >world 2>sim.log &
    trap "kill $!" EXIT
    until grep -q '^# ca:' world; do sleep 0.1; done
    . ./world
    export IPV64_STATE_DIR="$PWD/state" IPV64_API_RATE=1000/1
    { sed -n 's/^# system: \(.*\):53/nameserver \1/p' world; echo 'search name.ipv64.net'; echo 'options ndots:5'; } >resolv.conf
    mount --bind resolv.conf /etc/resolv.conf
    say() { echo "== $1"; IPV64_API_URL=https://$1/api HTTPS_PROXY=${2-} "$hook" account 2>&1 || true; }
    echo '== system'; getent ahosts ns1.ipv64.net
    say ns1.ipv64.net:9
    say missing.ipv64.net:9
    say blocked.name.ipv64.net:9
    say proxied.example http://proxy.infra:9
    kill $!; trap - EXIT; wait
    say no-network.ipv64.net
    ip route add default dev lo
    say no-resolver.ipv64.net
"#;

#[test]
fn names_are_asked_as_they_stand_and_what_dns_says_is_told() {
    let env = TestEnvironment::new();
    let finished = shell(&env, &["--net"], WORLD);
    assert!(finished.status.success(), "{}", finished.said());
    let section = |name: &str| {
        let start = format!("== {name}\n");
        let text = finished.stdout.split_once(&start).unwrap_or_else(|| panic!("{}", finished.said())).1;
        text.split("\n== ").next().unwrap().to_owned()
    };
    assert!(section("system").contains("127.0.0.1 "), "the system is led astray: {}", finished.said());
    for (name, words) in [
        (
            "ns1.ipv64.net:9",
            ["cannot reach `ns1.ipv64.net:9` at 127.", "(from the DNS of this machine): nobody listens there"],
        ),
        (
            "missing.ipv64.net:9",
            ["the name has no address, says the DNS resolver of this machine", "getent ahosts missing.ipv64.net"],
        ),
        (
            "blocked.name.ipv64.net:9",
            ["` at 127.0.0.1 (from the DNS of this machine): ", "hint: a DNS filter (Pi-hole"],
        ),
        ("proxied.example", ["through the proxy `proxy.infra:9` at 127.0.0.1 (from the DNS", "`proxy.infra`"]),
        (
            "no-network.ipv64.net",
            [
                "error[unreachable]: this machine has no network",
                "cannot find an address of `no-network.ipv64.net`: no DNS resolver",
            ],
        ),
        (
            "no-resolver.ipv64.net",
            ["`: no DNS resolver of this machine answers", "getent ahosts no-resolver.ipv64.net"],
        ),
    ] {
        let said = section(name);
        assert!(words.iter().all(|words| said.contains(words)), "{words:?}: {said}");
    }
    assert!(!section("ns1.ipv64.net:9").contains(" at 127.0.0.1 "), "{}", finished.said());
}
