//! The rows of the table: what the world is like, and what has to come of it.

use std::time::Duration;

use ipv64_acme::sim::{
    Account, Authority, Backend, Balance, CacheSettings, Config, EdnsSupport, ForeignZone, Listen, LookupAnswer,
    LookupFault, Meets, Missing, NameServer, NamedBy, Packets, Rcode, ResolverMode, ResolverSettings, ServerSettings,
    Sim, StaticRecord, ZoneCut,
};

use super::Row;

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// A world with one server per setting.
fn servers(settings: Vec<ServerSettings>) -> Config {
    let server = |(number, settings): (usize, ServerSettings)| {
        NameServer::with(&format!("ns{}.ipv64.net", number + 1), vec![settings])
    };
    Config { name_servers: settings.into_iter().enumerate().map(server).collect(), ..Config::default() }
}

/// A healthy first server that shows the record after a second, and a second one that is somehow different.
fn second(change: impl FnOnce(&mut ServerSettings)) -> Config {
    let mut different = ServerSettings::delayed(seconds(1.0));
    change(&mut different);
    servers(vec![ServerSettings::delayed(seconds(1.0)), different])
}

/// Both servers are different in the same way.
fn both(change: impl Fn(&mut ServerSettings)) -> Config {
    let mut different = ServerSettings::delayed(seconds(1.0));
    change(&mut different);
    servers(vec![different.clone(), different])
}

fn resolver(mode: ResolverMode) -> Config {
    let mut world = Config::with_delays(&[seconds(1.0), seconds(2.0)]);
    world.resolvers = vec![("system".into(), ResolverSettings { mode, ..ResolverSettings::default() })];
    world
}

fn backends(balance: Balance, names: [Option<&str>; 2]) -> Config {
    second(|settings| {
        let backend = |delay: f64, name: Option<&str>| Backend {
            delay: seconds(delay),
            stale: false,
            nsid: name.map(str::to_owned),
        };
        settings.backends = vec![backend(1.0, names[0]), backend(5.0, names[1])];
        settings.balance = balance;
    })
}

fn foreign(records: Vec<StaticRecord>) -> Config {
    let mut world = Config::with_delays(&[seconds(1.0), seconds(2.0)]);
    world.foreign_zones.push(ForeignZone { apex: "elsewhere.example".into(), records });
    world
}

fn heal(server: &'static str, delay: f64) -> impl Fn(&Sim) {
    move |sim| sim.set_server(server, &ServerSettings::delayed(seconds(delay))).unwrap()
}

fn fall_silent(server: &'static str) -> impl Fn(&Sim) {
    let silent = ServerSettings { udp: Listen::Silent, tcp: Listen::Silent, ..ServerSettings::default() };
    move |sim| sim.set_server(server, &silent).unwrap()
}

/// Runs into the time limit after some seconds.
fn impatient(row: Row) -> Row {
    row.with("IPV64_PROPAGATION_TIMEOUT", "4").within(10.0)
}

pub(super) fn all() -> Vec<Row> {
    [
        well_behaved(),
        lagging(),
        useless(),
        transports(),
        packets(),
        balancers(),
        finding(),
        incomplete(),
        aliases(),
        between(),
        limits(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn well_behaved() -> Vec<Row> {
    let with = Config::with_delays;
    let mut multihomed = with(&[seconds(1.0)]);
    multihomed.name_servers[0].addresses =
        [0.0, 1.0, 3.0].map(|delay| ServerSettings::delayed(seconds(delay))).to_vec();
    let mut per_domain = with(&[seconds(1.0), seconds(2.0)]);
    per_domain.zone_cut = ZoneCut::PerDomain;
    vec![
        Row::new("no delay at all", Config::default()).ready(0.0, &["ready on 2 of 2"]),
        Row::new("1 s and 2 s", with(&[seconds(1.0), seconds(2.0)])).ready(2.0, &["ready on 2 of 2"]),
        Row::new("one server is 8 s late", with(&[seconds(0.5), seconds(8.0)])).ready(8.0, &["ready on 2 of 2"]),
        Row::new("a single server", with(&[seconds(1.0)])).ready(1.0, &["ready on 1 of 1 name server"]),
        Row::new("four servers", with(&[1.0, 2.0, 3.0, 4.0].map(seconds))).ready(4.0, &["ready on 4 of 4"]),
        Row::new("one server with three addresses", multihomed).ready(3.0, &["ready on 3 of 3"]),
        Row::new("each domain is a zone of its own", per_domain).ready(2.0, &["ready on 2 of 2"]),
        Row::new("an own domain with two labels", with(&[seconds(1.0)]))
            .named("_acme-challenge.example.com")
            .ready(1.0, &["ready"]),
        Row::new("a deep name below a deep domain", with(&[seconds(1.0)]))
            .named("_acme-challenge.a.b.deep.sub.example.org.")
            .ready(1.0, &["ready"]),
        Row::new("other values at the same name", both(|s| s.extra_values = vec!["other".into(), "values".into()]))
            .ready(1.0, &["ready on 2 of 2"]),
        Row::new("a value in several strings", both(|s| s.split = true)).ready(1.0, &["ready on 2 of 2"]),
        Row::new("names in capitals", both(|s| s.upper_case = true)).ready(1.0, &["ready on 2 of 2"]),
        Row::new("NXDOMAIN for all that is missing", both(|s| s.missing = Missing::NxDomain))
            .ready(1.0, &["no such name", "ready on 2 of 2"]),
        Row::new("no data for all that is missing", both(|s| s.missing = Missing::NoData))
            .ready(1.0, &["no TXT record", "ready on 2 of 2"]),
        Row::new("answers take a second", both(|s| s.reply_delay = seconds(1.0))).ready(2.0, &["ready on 2 of 2"]),
    ]
}

fn lagging() -> Vec<Row> {
    vec![
        Row::new("one server never gets it", second(|s| *s = ServerSettings::stale()))
            .with("IPV64_PROPAGATION_TIMEOUT", "8")
            .within(20.0)
            .ends(
                5,
                8.0,
                &[
                    "ns1.ipv64.net",
                    "has it, after ",
                    "ns2.ipv64.net",
                    "lags: no TXT record",
                    "hint: the servers that lag",
                ],
            ),
        impatient(Row::new("no server ever gets it", both(|s| *s = ServerSettings::stale()))).ends(
            5,
            4.0,
            &[
                "is not on every name server after 4 s",
                "hint: no server has it yet",
                "IPV64_PROPAGATION_TIMEOUT (now 4 s)",
            ],
        ),
        impatient(Row::new("one server shows another value", second(|s| s.wrong_value = Some("wrong".into())))).ends(
            5,
            4.0,
            &["lags: 1 other TXT value"],
        ),
        Row::new(
            "a server that never gets it loses 80 % of the packets",
            second(|s| *s = ServerSettings { loss: 80.0, ..ServerSettings::stale() }),
        )
        .with("IPV64_PROPAGATION_TIMEOUT", "20")
        .within(30.0)
        .ends(5, 20.0, &["has it, after ", "ns2.ipv64.net"]),
        Row::new("a silent server comes back without the record", second(|s| s.drop = 1))
            .at(4.0, heal("ns2.ipv64.net", 9.0))
            .ready(9.0, &["does not answer", "lags: ", "ready on 2 of 2"]),
        // All confirmations would take longer than what is left.
        Row::new("it arrives just before the deadline", Config::with_delays(&[seconds(3.5)]))
            .with("IPV64_CONFIRMATIONS", "1")
            .with("IPV64_PROPAGATION_TIMEOUT", "4")
            .ready(3.5, &["ready"]),
    ]
}

fn useless() -> Vec<Row> {
    let excused =
        |condition, world, words: &'static str| Row::new(condition, world).ready(10.0, &["ready on 1 of 2", words]);
    vec![
        excused("a server drops every question", second(|s| s.drop = 1), "does not answer: no answer"),
        excused(
            "both ports are closed",
            second(|s| (s.udp, s.tcp) = (Listen::Closed, Listen::Closed)),
            "connection refused",
        ),
        excused("a server fails", second(|s| s.rcode = Some(Rcode::ServFail)), "not authoritative: SERVFAIL"),
        excused("a server refuses", second(|s| s.rcode = Some(Rcode::Refused)), "not authoritative: REFUSED"),
        excused(
            "a server denies every name without authority",
            second(|s| s.rcode = Some(Rcode::NxDomain)),
            "answers without authority",
        ),
        excused("a server cannot do it", second(|s| s.rcode = Some(Rcode::NotImp)), "not authoritative: RCODE 4"),
        excused("a lame delegation", second(|s| s.lame = true), "not authoritative: "),
        excused("one server answers without AA", second(|s| s.authority = Authority::Missing), "without authority"),
        excused("answers later than anybody waits", second(|s| s.reply_delay = seconds(6.0)), "does not answer"),
        Row::new("half of the packets are lost by chance", both(|s| s.loss = 50.0)).ready(1.0, &["ready on 2 of 2"]),
        Row::new("every second packet is lost", both(|s| s.drop = 2)).ready(1.0, &["ready on 2 of 2"]),
        Row::new("a failing server recovers", second(|s| s.rcode = Some(Rcode::ServFail)))
            .at(3.0, heal("ns2.ipv64.net", 0.0))
            .ready(3.0, &["ready on 2 of 2"]),
        // The resolvers cannot reach them either, and say so.
        Row::new(
            "all servers fall silent for longer than one would be waited for",
            both(|s| *s = ServerSettings::delayed(seconds(5.0))),
        )
        .at(2.0, fall_silent("ns1.ipv64.net"))
        .at(2.0, fall_silent("ns2.ipv64.net"))
        .at(18.0, heal("ns1.ipv64.net", 0.0))
        .at(18.0, heal("ns2.ipv64.net", 0.0))
        .with_resolvers()
        .ready(16.0, &["ready on 2 of 2"]),
        Row::new("a server has an address that nobody serves", {
            let mut world = Config::with_delays(&[seconds(1.0), seconds(1.0)]);
            world.name_servers[1].unserved = vec!["127.255.255.1".parse().unwrap()];
            world
        })
        .ready(10.0, &["ready on 2 of 3", "connection refused"]),
        Row::new("a server has an IPv6 address, and here is no IPv6", {
            let mut world = Config::with_delays(&[seconds(1.0), seconds(1.0)]);
            world.name_servers[1].unserved = vec!["fe80::53".parse().unwrap()];
            world
        })
        .ready(1.0, &["ready on 2 of 3"]),
    ]
}

fn transports() -> Vec<Row> {
    vec![
        Row::new("TCP is closed", both(|s| s.tcp = Listen::Closed))
            .ready(1.0, &["ready on 2 of 2", "does not answer over TCP"]),
        Row::new("TCP is mute", second(|s| s.tcp = Listen::Silent))
            .ready(1.0, &["ready on 2 of 2", "does not answer over TCP"]),
        Row::new("questions with EDNS are refused", both(|s| s.edns = EdnsSupport::FormErr))
            .ready(1.0, &["ready on 2 of 2"]),
        Row::new("a late server refuses questions with EDNS", {
            let mut world = Config::with_delays(&[seconds(1.0), seconds(13.0)]);
            world.name_servers[1].addresses[0].edns = EdnsSupport::FormErr;
            world
        })
        .ready(13.0, &["ready on 2 of 2"]),
        Row::new("EDNS is ignored", both(|s| s.edns = EdnsSupport::Ignored)).ready(1.0, &["ready on 2 of 2"]),
        Row::new("UDP is closed", second(|s| s.udp = Listen::Closed)).ready(1.0, &["ready on 2 of 2"]),
        Row::new("UDP is mute", second(|s| s.udp = Listen::Silent)).ready(1.0, &["ready on 2 of 2"]),
        Row::new("UDP is mute everywhere", both(|s| s.udp = Listen::Silent)).ready(1.0, &["ready on 2 of 2"]),
        Row::new("answers are cut over UDP", both(|s| s.truncate = true)).ready(1.0, &["ready on 2 of 2"]),
        Row::new(
            "answers are cut and TCP is closed",
            second(|s| {
                s.truncate = true;
                s.tcp = Listen::Closed;
            }),
        )
        .ready(10.0, &["ready on 1 of 2", "does not answer"]),
    ]
}

fn packets() -> Vec<Row> {
    let bent = |packets| second(|settings| settings.packets = packets);
    vec![
        Row::new("a wrong id comes first", bent(Packets::WrongIdFirst)).ready(1.0, &["ready on 2 of 2"]),
        Row::new("answers to other questions", bent(Packets::WrongQuestion))
            .ready(10.0, &["ready on 1 of 2", "malformed or foreign packets"]),
        Row::new("broken packets", bent(Packets::Malformed)).ready(10.0, &["ready on 1 of 2", "malformed"]),
        Row::new("every answer twice", bent(Packets::Duplicate)).ready(1.0, &["ready on 2 of 2"]),
        Row::new("answers from another port", bent(Packets::OffPath)).ready(1.0, &["ready on 2 of 2"]),
        Row::new("a forged answer comes first", bent(Packets::ForgedFirst)).ready(1.0, &["ready on 2 of 2"]),
    ]
}

fn balancers() -> Vec<Row> {
    let named = [Some("primary"), Some("secondary")];
    let cached = |coarse| {
        let cache = CacheSettings { positive: true, negative: true, ttl: seconds(3.0), coarse };
        both(move |settings| settings.cache = Some(cache.clone()))
    };
    vec![
        Row::new("two back ends in turn", backends(Balance::RoundRobin, [None; 2])).ready(5.0, &["ready on 2 of 2"]),
        Row::new("two named back ends in turn", backends(Balance::RoundRobin, named)).ready(5.0, &["ready on 2 of 2"]),
        Row::new("two named back ends by chance", backends(Balance::Random, named)).ready(5.0, &["ready on 2 of 2"]),
        Row::new("two named back ends by source port", backends(Balance::SourcePort, named))
            .ready(5.0, &["ready on 2 of 2"]),
        // What was kept of our own early queries is kept for queries like ours only: nobody else is shown it.
        Row::new("a packet cache in front", cached(false)).unchecked().ready(1.0, &["ready on 2 of 2"]),
        Row::new("a coarse packet cache in front", cached(true)).ready(1.0, &["ready on 2 of 2"]),
        Row::new("a packet cache in front of two back ends in turn", {
            let mut world = backends(Balance::RoundRobin, [None; 2]);
            world.name_servers[1].addresses[0].cache =
                Some(CacheSettings { ttl: seconds(3.0), ..CacheSettings::default() });
            world
        })
        .unchecked()
        .ready(5.0, &["ready on 2 of 2"]),
        impatient(Row::new("one of two back ends never gets it", {
            let mut world = backends(Balance::RoundRobin, named);
            world.name_servers[1].addresses[0].backends[1].stale = true;
            world
        }))
        .ends(5, 4.0, &["several servers behind this address, and they disagree"]),
        Row::new("two back ends by chance with one name, of which one never gets it", {
            let mut world = backends(Balance::Random, [Some("both"); 2]);
            world.name_servers[1].addresses[0].backends[1].stale = true;
            world
        })
        .with("IPV64_PROPAGATION_TIMEOUT", "15")
        .within(25.0)
        .ends(5, 15.0, &["ns1.ipv64.net", "has it, after 1", "ns2.ipv64.net"]),
    ]
}

/// The second server shows the record after 6 s, and is named by one side of the delegation.
fn one_sided(named_by: NamedBy) -> Config {
    let mut world = Config::with_delays(&[seconds(1.0), seconds(6.0)]);
    world.name_servers[1].named_by = named_by;
    world
}

/// The address of the second server, which shows the record after 12 s, cannot be looked up for 5 s.
fn late_and_unfound(condition: &'static str, answer: LookupAnswer) -> Row {
    let mut world = Config::with_delays(&[seconds(1.0), seconds(12.0)]);
    world.lookup_faults = vec![LookupFault { name: "ns2.ipv64.net".into(), answer, lasts: seconds(5.0) }];
    Row::new(condition, world).ready(12.0, &["ready on 2 of 2"])
}

/// DNS of this machine is away at first, as before a network is up; then both servers show the record after their delays.
fn away(until: f64, delays: [f64; 2]) -> Row {
    let mut world = resolver(ResolverMode::Silent);
    world.name_servers = Config::with_delays(&delays.map(seconds)).name_servers;
    Row::new("DNS of this machine is away at first", world)
        .with("IPV64_ROOT_SERVERS", "127.255.255.1")
        .at(until, |sim| sim.set_resolver("system", &ResolverSettings::default()).unwrap())
        .with_resolvers()
}

fn finding() -> Vec<Row> {
    let ready = |condition, mode| Row::new(condition, resolver(mode)).ready(2.0, &["ready on 2 of 2"]);
    let lie = vec![StaticRecord::new("ipv64.net", "NS", "foreign.example")];
    let mut slow = resolver(ResolverMode::Silent);
    slow.resolvers.push(("second".into(), ResolverSettings::default()));
    let mut caching = Config::with_delays(&[seconds(1.0), seconds(2.0)]);
    caching.resolvers = vec![(
        "system".into(),
        ResolverSettings { positive_cache: true, negative_cache: true, ..ResolverSettings::default() },
    )];
    vec![
        ready("the resolver refuses SOA", ResolverMode::NoSoa),
        ready("the resolver fails", ResolverMode::ServFail),
        ready("the resolver denies everything", ResolverMode::NxDomain),
        ready("the resolver is silent", ResolverMode::Silent),
        ready("the resolver names other servers", ResolverMode::Lies(lie)),
        Row::new("a late server that only the delegation names", one_sided(NamedBy::Parent))
            .ready(6.0, &["ready on 2 of 2"]),
        Row::new("a late server that only the zone names", one_sided(NamedBy::Child)).ready(6.0, &["ready on 2 of 2"]),
        Row::new("a caching resolver", caching).ready(2.0, &["ready on 2 of 2"]),
        Row::new("one of two resolvers is silent", slow).ready(2.0, &["ready on 2 of 2"]),
        Row::new("servers by name", Config::with_delays(&[seconds(1.0), seconds(2.0)]))
            .with("IPV64_NAMESERVERS", "ns1.ipv64.net,ns2.ipv64.net")
            .ready(2.0, &["ready on 2 of 2"]),
        // What the resolvers tell meanwhile is the zone above, from which a referral leads down.
        Row::new("silent while they are looked for", both(|s| (s.udp, s.tcp) = (Listen::Silent, Listen::Silent)))
            .at(6.0, heal("ns1.ipv64.net", 1.0))
            .at(6.0, heal("ns2.ipv64.net", 2.0))
            .with_resolvers()
            .ready(8.0, &["ready on 2 of 2"]),
        away(6.0, [0.0, 14.0]).ready(14.0, &["ready on 2 of 2"]),
        away(12.0, [0.0, 1.0]).ready(12.0, &["no name server answered", "waiting for DNS", "ready on 2 of 2"]),
        away(12.0, [0.0, 1.0])
            .with("IPV64_NAMESERVERS", "ns1.ipv64.net,ns2.ipv64.net")
            .ready(12.0, &["ready on 2 of 2"]),
        Row::new("a server by a name that does not exist", Config::default())
            .with("IPV64_NAMESERVERS", "ns1.ipv64.net,ns9.ipv64.net")
            .ends(6, 0.0, &["no address of `ns9.ipv64.net` (IPV64_NAMESERVERS) could be found"]),
        Row::new("no resolver and no root, but DNS over HTTPS", Config::with_delays(&[seconds(1.0)]))
            .with("IPV64_RESOLVERS", "127.255.255.1:9")
            .with("IPV64_ROOT_SERVERS", "127.255.255.1")
            .with("IPV64_DOH", "{web}/dns-query")
            .ready(1.0, &["ready on 1 of 1"]),
    ]
}

/// Servers of which not every address is found, or asked.
fn incomplete() -> Vec<Row> {
    vec![
        late_and_unfound("the address of a late server cannot be found at first", LookupAnswer::ServFail),
        late_and_unfound("the address of a late server does not exist at first, it is said", LookupAnswer::NxDomain),
        late_and_unfound("nobody answers for the address of a late server at first", LookupAnswer::Dropped),
        Row::new("the glue of a server lacks the address that is late", {
            let late = [1.0, 6.0].map(|delay| ServerSettings::delayed(seconds(delay)));
            let mut world = Config::with_delays(&[seconds(1.0)]);
            world.name_servers[0] = NameServer { glue: Some(1), ..NameServer::with("ns1.ipv64.net", late.to_vec()) };
            world
        })
        .ready(6.0, &["ready on 2 of 2"]),
        Row::new("more name servers than are asked, of which the last is late", {
            let mut world = Config::with_delays(&[seconds(1.0)]);
            world.name_servers.extend((2..=66).map(|number| NameServer::new(&format!("ns{number}.ipv64.net"))));
            world
        })
        .with("IPV64_PROPAGATION_TIMEOUT", "4")
        .within(20.0)
        .ends(5, 4.0, &["more"]),
        Row::new("DNS away at first, servers known", both(|s| (s.udp, s.tcp) = (Listen::Silent, Listen::Silent)))
            .at(15.0, heal("ns1.ipv64.net", 0.0))
            .at(15.0, heal("ns2.ipv64.net", 22.0))
            .with("IPV64_NAMESERVERS", "ns1.ipv64.net,ns2.ipv64.net")
            .with("IPV64_FOLLOW_CNAME", "false")
            .with_resolvers()
            .ready(22.0, &["ready on 2 of 2"]),
        Row::new("the address of a server cannot be found at all", {
            let mut world = Config::with_delays(&[seconds(1.0), seconds(1.0)]);
            world.lookup_faults =
                vec![LookupFault { name: "ns2.ipv64.net".into(), answer: LookupAnswer::ServFail, lasts: seconds(0.0) }];
            world
        })
        .ready(10.0, &["ready on 1 of 2", "ns2.ipv64.net not every address of it could be found"]),
    ]
}

fn aliases() -> Vec<Row> {
    let record = StaticRecord::new;
    let name = |label: &str| format!("{label}.elsewhere.example");
    let chain = (0..14).map(|hop| record(&name(&format!("h{hop}")), "CNAME", &name(&format!("h{}", hop + 1))));
    let chain = std::iter::once(record(&name("_acme-challenge"), "CNAME", &name("h0"))).chain(chain).collect();
    let delegated = ["ns1.ipv64.net", "ns2.ipv64.net"]
        .map(|server| record("_acme-challenge.elsewhere.example", "NS", server))
        .to_vec();
    let mut below = foreign(delegated);
    below.accounts[0].domains.push("_acme-challenge.elsewhere.example".into());
    let mut wildcard = Config::with_delays(&[seconds(1.0)]);
    wildcard.accounts =
        vec![Account { records: vec![record("*.example.com", "CNAME", "lb.foreign.example")], ..Account::default() }];
    vec![
        Row::new("an alias from a foreign zone", Config::with_delays(&[seconds(1.0), seconds(2.0)]))
            .named("_acme-challenge.foreign.example")
            .ready(2.0, &["(at _acme-challenge.name.ipv64.net)"]),
        Row::new("an alias of an alias", Config::with_delays(&[seconds(1.0), seconds(2.0)]))
            .named("_acme-challenge.www.foreign.example")
            .ready(2.0, &["(at _acme-challenge.www.name.ipv64.net)"]),
        Row::new("an alias that is a loop", Config::default()).named("_acme-challenge.loop.foreign.example").ends(
            6,
            0.0,
            &[
                "is a loop",
                "_acme-challenge.loop.foreign.example -> back.foreign.example -> _acme-challenge.loop.foreign.example",
            ],
        ),
        Row::new("a chain without end", foreign(chain)).named("_acme-challenge.elsewhere.example").ends(
            6,
            0.0,
            &["is longer than 12"],
        ),
        Row::new("a wildcard alias", wildcard)
            .named("_acme-challenge.example.com")
            .ready(1.0, &["only by a wildcard; not followed", "ready"]),
        Row::new("aliases are not followed", Config::default())
            .named("_acme-challenge.foreign.example")
            .with("IPV64_FOLLOW_CNAME", "false")
            .ends(7, 0.0, &["no domain in this IPv64 account covers `_acme-challenge.foreign.example`", "CNAME"]),
        Row::new("the challenge name is delegated", below)
            .named("_acme-challenge.elsewhere.example")
            .ready(2.0, &["ready on 2 of 2"]),
    ]
}

fn between() -> Vec<Row> {
    let intercepted =
        || both(|settings| (settings.authority, settings.meets) = (Authority::Intercepted, Meets::Sockets));
    let blocked = || both(|settings| (settings.drop, settings.meets) = (1, Meets::Sockets));
    vec![
        Row::new("something answers in place of the servers, DNS over HTTPS helps", intercepted())
            .with("IPV64_DOH", "{web}/dns-query")
            .with_resolvers()
            .ready(10.0, &["relies on resolvers over HTTPS"]),
        impatient(Row::new("something answers in place of the servers", intercepted()))
            .with("IPV64_PROPAGATION_TIMEOUT", "13")
            .within(40.0)
            .with_resolvers()
            .ends(6, 10.0, &["answers in place of the name servers", "IPV64_DOH"]),
        Row::new("port 53 is blocked, the resolver is not", blocked())
            .with_resolvers()
            .ready(10.0, &["relies on the configured resolvers"]),
        Row::new("nobody can be asked", both(|s| s.drop = 1))
            .with("IPV64_RESOLVERS", "127.255.255.1:9")
            .with("IPV64_ROOT_SERVERS", "127.255.255.1")
            .with("IPV64_PROPAGATION_TIMEOUT", "6")
            .with_resolvers()
            .within(20.0)
            .ends(6, 2.0, &["no name server answered the CNAME query for", "IPV64_RESOLVERS"]),
        Row::new("nobody can be asked, and the user allows to go on", both(|s| s.drop = 1))
            .with("IPV64_RESOLVERS", "127.255.255.1:9")
            .with("IPV64_ROOT_SERVERS", "127.255.255.1")
            .with("IPV64_BLIND_WAIT", "3")
            .with_resolvers()
            .unchecked()
            .ready(3.0, &["relies on a fixed pause"]),
    ]
}

fn limits() -> Vec<Row> {
    vec![
        Row::new("more confirmations", Config::with_delays(&[seconds(1.0)]))
            .with("IPV64_CONFIRMATIONS", "20")
            .ready(2.0, &["ready"]),
        Row::new("one confirmation", Config::with_delays(&[seconds(1.0)]))
            .with("IPV64_CONFIRMATIONS", "1")
            .ready(1.0, &["ready"]),
        Row::new("no wait", both(|s| *s = ServerSettings::stale()))
            .with("IPV64_PROPAGATION_TIMEOUT", "0")
            .within(5.0)
            .unchecked()
            .ready(0.0, &[": added"]),
        Row::new("a hanging server does not stretch the deadline", both(|s| s.reply_delay = seconds(30.0)))
            .with("IPV64_PROPAGATION_TIMEOUT", "6")
            .with("IPV64_FOLLOW_CNAME", "false")
            .with_resolvers()
            .within(20.0)
            .ends(5, 6.0, &["does not answer"]),
    ]
}
