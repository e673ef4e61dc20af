//! Faults that people meet, told by the hook and by `doctor`: what each has to say, so that it can be mended at night and
//! without other help. With `--nocapture` the whole outputs are shown.

use std::time::Duration;

use ipv64_acme::sim::{
    Account, Action, ApiFault, Authority, Certificate, Config, Limits, Listen, Meets, Missing, Secured, ServerSettings,
    StaticRecord,
};

use crate::support::environment::TestEnvironment;
use crate::support::values::FIRST;

/// A fault: the world with it, the domain that suffers, and what has to be said.
struct Fault {
    name: &'static str,
    domain: &'static str,
    env: TestEnvironment,
    /// Exit code and words of `present`: the cause, and the way out.
    hook: (i32, &'static [&'static str]),
    /// Exit code and words of `doctor DOMAIN`.
    doctor: (i32, &'static [&'static str]),
}

fn with(change: impl FnOnce(&mut Config)) -> TestEnvironment {
    let mut config = Config::default();
    change(&mut config);
    let mut env = TestEnvironment::with(config);
    env.set("IPV64_PROPAGATION_TIMEOUT", "4");
    env
}

fn with_variable(name: &str, value: &str) -> TestEnvironment {
    let mut env = with(|_| ());
    env.set(name, value);
    env
}

fn with_fault(action: Action) -> TestEnvironment {
    let env = with(|_| ());
    env.sim.fault(ApiFault::next(action).times(99));
    env
}

/// A fault of both name servers that meets this machine only.
fn between(settings: ServerSettings) -> TestEnvironment {
    let settings = ServerSettings { meets: Meets::Sockets, ..settings };
    let mut env = with(|config| {
        for server in &mut config.name_servers {
            server.addresses = vec![settings.clone()];
        }
    });
    env.set("IPV64_PROPAGATION_TIMEOUT", "13");
    env
}

fn intercepted_tls() -> TestEnvironment {
    let mut env = with(|_| ());
    let tls = env.sim.tls(Certificate::Good).unwrap();
    env.set("IPV64_API_URL", &tls.api_url());
    env
}

fn of_the_key() -> Vec<Fault> {
    vec![
        Fault {
            name: "a wrong key",
            domain: "name.ipv64.net",
            env: with_variable("IPV64_API_KEY", "wrong-key"),
            hook: (3, &["does not accept the API key", "copy the API key from your account page at IPv64.net"]),
            doctor: (3, &["does not accept the API key", "copy the API key from your account page at IPv64.net"]),
        },
        Fault {
            name: "a file with the key that others can read",
            domain: "name.ipv64.net",
            env: {
                let mut env = with_variable("IPV64_API_KEY", "");
                let path = env.path("api-key");
                std::fs::write(&path, env.sim.key(0).unwrap()).unwrap();
                std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
                env.set("IPV64_API_KEY_FILE", path.to_str().unwrap());
                env
            },
            hook: (3, &["can be read by others (mode 644)", "run `chmod 600 /"]),
            doctor: (3, &["can be read by others (mode 644)", "run `chmod 600 /"]),
        },
    ]
}

fn of_the_api() -> Vec<Fault> {
    vec![
        Fault {
            name: "too many calls within seconds (429)",
            domain: "name.ipv64.net",
            env: with_fault(Action::burst()),
            hook: (4, &["refuses further calls", "try again in a minute", "ipv64-acme status"]),
            doctor: (4, &["refuses further calls", "try again in a minute"]),
        },
        Fault {
            name: "the calls of the day are used up (429)",
            domain: "name.ipv64.net",
            env: {
                let env = with(|config| config.limits = Limits { daily: Some(64), ..Limits::default() });
                env.sim.set_calls_today(63);
                env
            },
            hook: (4, &["used up", "midnight in Germany", "ipv64-acme status"]),
            doctor: (4, &["used up", "midnight in Germany"]),
        },
        Fault {
            name: "a maintenance page",
            domain: "name.ipv64.net",
            env: with_fault(Action::html(503, "<html><h1>Wartungsarbeiten</h1></html>")),
            hook: (6, &["503 with \"<html><h1>Wartungsarbeiten</h1></html>\"", "try again later", "filter or proxy"]),
            doctor: (6, &["Wartungsarbeiten", "try again later"]),
        },
    ]
}

fn of_tls() -> Vec<Fault> {
    vec![
        Fault {
            name: "somebody opens TLS",
            domain: "name.ipv64.net",
            env: intercepted_tls(),
            hook: (6, &["an issuer that this machine does not trust", "ca-certificates", "IPV64_CA_FILE"]),
            doctor: (6, &["an issuer that this machine does not trust", "IPV64_CA_FILE"]),
        },
        Fault {
            name: "a container without root certificates",
            domain: "name.ipv64.net",
            env: {
                let mut env = intercepted_tls();
                let none = env.path("no-certificates");
                std::fs::create_dir(&none).unwrap();
                env.set("SSL_CERT_DIR", none.to_str().unwrap());
                env
            },
            hook: (6, &["this machine has no root certificates", "the package `ca-certificates`", "IPV64_CA_FILE"]),
            doctor: (6, &["this machine has no root certificates", "IPV64_CA_FILE"]),
        },
        Fault {
            name: "a clock that is days off",
            domain: "name.ipv64.net",
            env: with(|config| config.clock_behind = Duration::from_secs(9 * 86_400)),
            hook: (0, &["ready on 2 of 2"]),
            doctor: (0, &["9 days ahead of that of IPv64", "timedatectl set-ntp true"]),
        },
    ]
}

fn of_domains() -> Vec<Fault> {
    let own = |domain: &str| {
        let account = Account { domains: vec![domain.into()], records: Vec::new(), ..Account::default() };
        with(|config| config.accounts = vec![account])
    };
    vec![
        Fault {
            name: "a domain that is not in the account",
            domain: "shop.example.net",
            env: with(|_| ()),
            hook: (
                7,
                &["the account has: ", "add `example.net` at IPv64.net", "shop-example-net.deep.sub.example.org."],
            ),
            doctor: (7, &["the account has: ", "add `example.net` at IPv64.net", "CNAME"]),
        },
        Fault {
            name: "a domain that is delegated elsewhere",
            domain: "foreign.example",
            env: {
                let mut env = own("foreign.example");
                env.set("IPV64_FOLLOW_CNAME", "false");
                env
            },
            hook: (5, &["ns.foreign.example", "delegate it to ns1.ipv64.net and ns2.ipv64.net", "CNAME"]),
            doctor: (
                5,
                &[
                    "is not served by IPv64, but by ns.foreign.example",
                    "delegate `foreign.example` to ns1.ipv64.net",
                    "CNAME",
                ],
            ),
        },
    ]
}

fn of_aliases() -> Vec<Fault> {
    vec![
        Fault {
            name: "a loop of aliases",
            domain: "loop.foreign.example",
            env: with(|_| ()),
            hook: (6, &["is a loop", "-> back.foreign.example ->", "point at a name that has no CNAME record itself"]),
            doctor: (6, &["is a loop", "point at a name that has no CNAME record itself"]),
        },
        Fault {
            name: "a wildcard alias",
            domain: "x.wild.foreign.example",
            env: with(|_| ()),
            hook: (7, &["only by a wildcard", "CNAME x-wild-foreign-example.deep.sub.example.org."]),
            doctor: (7, &["only by a wildcard", "add a CNAME record for the challenge name alone"]),
        },
    ]
}

/// What only the CA minds: the hook is content.
fn of_the_ca() -> Vec<Fault> {
    vec![
        Fault {
            name: "a fingerprint (DS) for a zone without keys",
            domain: "example.com",
            env: with(|config| config.secured = vec![("example.com".into(), Secured::Unsigned)]),
            hook: (0, &["ready on 2 of 2"]),
            doctor: (5, &["a DS record at its parent, but no keys", "remove the DS record at the registrar"]),
        },
        Fault {
            name: "CAA records that forbid the CA",
            domain: "www.example.com",
            env: with(|config| {
                config.accounts[0].records.push(StaticRecord::new("example.com", "CAA", "0 issue \"ca.example\""));
            }),
            hook: (0, &["ready on 2 of 2"]),
            doctor: (
                0,
                &["do not allow Let's Encrypt", "add the CAA record `0 issue \"letsencrypt.org\"` at `example.com`"],
            ),
        },
    ]
}

fn of_servers() -> Vec<Fault> {
    let silent = || ServerSettings { udp: Listen::Silent, tcp: Listen::Silent, ..ServerSettings::default() };
    vec![
        Fault {
            name: "one name server lags",
            domain: "name.ipv64.net",
            env: {
                let env = with(|config| {
                    config.name_servers[1].addresses = vec![ServerSettings::delayed(Duration::from_secs(3600))];
                });
                // Something has changed already, so that the zone has two versions.
                env.succeed(&["record", "add", "www.name.ipv64.net", "A", "127.0.0.1"]);
                env
            },
            hook: (5, &["ns2.ipv64.net", "lags: no TXT record", "raise IPV64_PROPAGATION_TIMEOUT (now 4 s)"]),
            doctor: (0, &["different versions of the zone: serials 1, ", "if it lasts, tell the provider"]),
        },
        Fault {
            name: "port 53 is blocked, and nobody else can be asked",
            domain: "name.ipv64.net",
            env: {
                let mut env = between(silent());
                env.set("IPV64_RESOLVERS", "127.255.255.1:9");
                env
            },
            hook: (
                6,
                &[
                    "no name server answered the CNAME query for",
                    "is port 53 open?",
                    "IPV64_RESOLVERS=https://1.1.1.1/dns-query",
                ],
            ),
            doctor: (6, &["no name server answered the CNAME query for", "is port 53 open?", "IPV64_RESOLVERS"]),
        },
        Fault {
            name: "one name server has the copy of another zone",
            domain: "example.com",
            env: {
                let above = ServerSettings { missing: Missing::ZoneAbove, ..ServerSettings::default() };
                let above = ServerSettings { meets: Meets::Sockets, ..above };
                with(|config| config.name_servers[1].addresses = vec![above])
            },
            hook: (
                5,
                &[
                    "answers for the zone `com`, not for `example.com`: no such name",
                    "waiting does not help: ns2.ipv64.net",
                    "delegate `example.com` to ns1.ipv64.net and ns2.ipv64.net alone",
                ],
            ),
            doctor: (0, &["an answer for the zone `com`, not for `example.com`", "remove it from the delegation"]),
        },
        Fault {
            name: "something answers in place of the name servers",
            domain: "name.ipv64.net",
            env: between(ServerSettings { authority: Authority::Intercepted, ..ServerSettings::default() }),
            hook: (6, &["answers in place of the name servers", "redirects port 53", "IPV64_DOH"]),
            doctor: (6, &["answers in place of the name servers", "router, firewall", "IPV64_DOH"]),
        },
    ]
}

fn check(fault: &Fault) -> Result<(), String> {
    let Fault { name, domain, env, hook, doctor } = fault;
    let present = ["present", &format!("_acme-challenge.{domain}"), FIRST];
    let mut wrong = String::new();
    for (args, (code, words)) in [(&present[..], hook), (&["doctor", domain], doctor)] {
        let finished = env.run(args);
        let said = format!("$ ipv64-acme {}\n{}{}", args.join(" "), finished.stdout, finished.stderr);
        eprintln!("### {name}\n{said}[exit {}]\n", finished.status.code().unwrap_or(-1));
        if finished.status.code() != Some(*code) {
            wrong.push_str(&format!("exit {code} expected of {said}\n"));
        }
        if args[0] == "present" && said.lines().count() > 6 {
            wrong.push_str(&format!("more than five lines: {said}\n"));
        }
        for word in words.iter().filter(|word| !said.contains(**word)) {
            wrong.push_str(&format!("{word:?} is not in {said}\n"));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("### {name}\n{wrong}")) }
}

#[test]
fn every_fault_is_told_with_its_way_out() {
    let tables = [of_the_key(), of_the_api(), of_tls(), of_domains(), of_aliases(), of_the_ca(), of_servers()];
    let faults: Vec<_> = tables.into_iter().flatten().collect();
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let running: Vec<_> = faults.iter().map(|fault| scope.spawn(|| check(fault))).collect();
        running.into_iter().map(|running| running.join().unwrap()).collect()
    });
    let wrong: Vec<_> = outcomes.into_iter().filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
