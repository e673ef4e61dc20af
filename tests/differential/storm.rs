//! Storms: what one simulated world is like, what goes wrong in it, and which hooks are called, all from a seed.
//! Faults are chosen far from every threshold, so that two runs of the same program end alike however busy the machine is.

use std::time::Duration;

use ipv64_acme::sim::{
    Account, Action, ApiFault, Authority, Backend, Balance, CacheSettings, CallKind, Config, Limits, Listen, Meets,
    Missing, NameServer, Packets, Rcode, ServerSettings,
};

use crate::dice::Dice;
use crate::orders::{Order, Style};
use crate::runner::Fate;

/// What the storms of a seed have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Healthy servers that differ in everything that is allowed.
    Calm,
    /// One address is broken for good, and is excused in the end.
    OneBroken,
    /// Several machines behind an address, or a packet cache in front of it.
    Balanced,
    /// A server never gets the record.
    Never,
    /// Servers that are broken at first, and recover.
    Recovery,
    /// No server can be asked from here, or something answers in their place.
    Unreachable,
    /// The API fails once or twice.
    ApiOnce,
    /// The API fails for as long as anybody tries.
    ApiLasting,
    /// The API refuses: the key, the domain, the quota.
    Refused,
    /// Hooks are killed while they wait.
    KilledWaiting,
    /// Hooks are killed while a request is on its way.
    KilledCalling,
    /// Several processes share a narrow request window.
    Window,
    /// The present program finds the state directory of the older one, and removes what that has added.
    Takeover,
}

impl Kind {
    pub(crate) const ALL: [Self; 13] = [
        Self::Calm,
        Self::OneBroken,
        Self::Balanced,
        Self::Never,
        Self::Recovery,
        Self::Unreachable,
        Self::ApiOnce,
        Self::ApiLasting,
        Self::Refused,
        Self::KilledWaiting,
        Self::KilledCalling,
        Self::Window,
        Self::Takeover,
    ];

    /// Whether the number of requests is decided by the storm, and not by the random pauses between tries.
    pub(crate) fn has_exact_requests(self) -> bool {
        self != Self::ApiLasting
    }
}

/// One world and what happens in it.
pub(crate) struct Storm {
    pub(crate) kind: Kind,
    pub(crate) config: Config,
    pub(crate) variables: Vec<(&'static str, String)>,
    pub(crate) faults: Vec<ApiFault>,
    /// How many requests count as made today, before the first.
    pub(crate) requests_today: usize,
    /// When the two servers get which other settings.
    pub(crate) changes: Vec<(Duration, [ServerSettings; 2])>,
    /// All at once, on one state directory.
    pub(crate) orders: Vec<Planned>,
}

/// An order, and what befalls each of its calls.
pub(crate) struct Planned {
    pub(crate) order: Order,
    pub(crate) add: Fate,
    pub(crate) remove: Fate,
}

impl Storm {
    /// Makes the storm of a seed. Neighbouring seeds have different kinds.
    pub(crate) fn new(seed: u64) -> Self {
        let kind = Kind::ALL[seed as usize % Kind::ALL.len()];
        let mut dice = Dice::new(seed, 0);
        let mut storm = Self::quiet(kind, seed, &mut dice);
        storm.stir(&mut dice);
        storm
    }

    /// A storm of this kind with nothing in it yet but healthy servers and one order.
    fn quiet(kind: Kind, seed: u64, dice: &mut Dice) -> Self {
        let servers = [healthy(dice), healthy(dice)];
        let mut storm = Self {
            kind,
            config: Config { seed, ..Config::default() },
            variables: Vec::new(),
            faults: Vec::new(),
            requests_today: 0,
            changes: Vec::new(),
            orders: vec![planned(0, &Style::ALL, dice)],
        };
        storm.set_servers(servers);
        storm.set("IPV64_API_RATE", "1000/1");
        storm.set("IPV64_HTTP_TIMEOUT", "4");
        storm.set("IPV64_PROPAGATION_TIMEOUT", "40");
        storm
    }

    fn stir(&mut self, dice: &mut Dice) {
        match self.kind {
            Kind::Calm => self.orders.extend((1..1 + dice.below(3) as usize).map(|at| planned(at, &Style::ALL, dice))),
            Kind::OneBroken => self.set_servers([healthy(dice), broken(dice)]),
            Kind::Balanced => self.set_servers([balanced(dice), healthy(dice)]),
            Kind::Never => {
                self.set_servers([healthy(dice), never(dice)]);
                self.set("IPV64_PROPAGATION_TIMEOUT", dice.pick(&["5", "6"]));
                self.orders = vec![planned(0, &ONE_NAME, dice)];
            }
            Kind::Recovery => self.recovery(dice),
            Kind::Unreachable => self.unreachable(dice),
            Kind::ApiOnce => {
                self.faults = (0..1 + dice.below(2)).map(|_| passing_fault(dice)).collect();
                self.orders.extend((1..1 + dice.below(2) as usize).map(|at| planned(at, &Style::ALL, dice)));
            }
            Kind::ApiLasting => {
                // A removal can only fail where the addition is done well within the short time.
                self.set_servers([ServerSettings::default(), ServerSettings::default()]);
                self.faults = vec![lasting_fault(dice)];
                self.set("IPV64_PROPAGATION_TIMEOUT", "5");
                self.set("IPV64_HTTP_TIMEOUT", "2");
                self.orders = vec![planned(0, &ONE_NAME, dice)];
            }
            Kind::Refused => self.refused(dice),
            Kind::Takeover => self.takeover(dice),
            Kind::KilledWaiting => {
                self.set_servers([healthy(dice), ServerSettings::stale()]);
                self.set("IPV64_PROPAGATION_TIMEOUT", "12");
                let mut planned = planned(0, &Style::ALL, dice);
                planned.add = Fate::Killed(dice.pick(&["KILL", "TERM", "INT"]), Duration::from_secs(3));
                planned.remove = dice.pick(&[Fate::Left, Fate::NotMade]);
                self.orders = vec![planned];
            }
            Kind::KilledCalling => self.killed_calling(dice),
            Kind::Window => {
                self.config.limits = Limits { burst: Some((4, Duration::from_secs(2))), ..Limits::default() };
                self.set("IPV64_API_RATE", "4/2");
                self.orders = (0..3).map(|at| planned(at, &Style::ALL, dice)).collect();
            }
        }
    }

    fn set(&mut self, variable: &'static str, value: &str) {
        self.variables.retain(|(name, _)| *name != variable);
        self.variables.push((variable, value.to_owned()));
    }

    fn set_servers(&mut self, [first, second]: [ServerSettings; 2]) {
        let servers = [("ns1.ipv64.net", first), ("ns2.ipv64.net", second)];
        self.config.name_servers = servers.map(|(name, settings)| NameServer::with(name, vec![settings])).to_vec();
    }

    /// What recovers is healthy long before an address would be excused.
    fn recovery(&mut self, dice: &mut Dice) {
        let well = [healthy(dice), healthy(dice)];
        let mut ill = well.clone();
        match dice.below(4) {
            0 => ill[1].rcode = Some(dice.pick(&[Rcode::ServFail, Rcode::Refused])),
            1 => (ill[1].udp, ill[1].tcp) = (Listen::Silent, Listen::Silent),
            2 => ill[1].lame = true,
            _ => ill = [ServerSettings::stale(), ServerSettings::stale()],
        }
        self.set_servers(ill);
        self.changes.push((Duration::from_secs(4), well));
    }

    fn unreachable(&mut self, dice: &mut Dice) {
        let both = |change: &dyn Fn(&mut ServerSettings)| {
            let mut settings = ServerSettings::delayed(Duration::from_secs(1));
            change(&mut settings);
            settings.meets = Meets::Sockets;
            [settings.clone(), settings]
        };
        self.set("IPV64_PROPAGATION_TIMEOUT", "60");
        match dice.below(3) {
            // The resolvers can, and are believed in the end.
            0 => self.set_servers(both(&|settings| settings.drop = 1)),
            1 => {
                self.set_servers(both(&|settings| settings.authority = Authority::Intercepted));
                self.set("IPV64_PROPAGATION_TIMEOUT", "13");
            }
            _ => {
                self.set_servers(both(&|settings| settings.drop = 1));
                self.set("IPV64_RESOLVERS", "127.255.255.1:9");
                self.set("IPV64_ROOT_SERVERS", "127.255.255.1");
                if dice.once_in(2) {
                    self.set("IPV64_BLIND_WAIT", "2");
                }
            }
        }
        self.orders = vec![planned(0, &ONE_NAME, dice)];
    }

    fn refused(&mut self, dice: &mut Dice) {
        let json = |status, words: &str| {
            Action::json(status, &format!(r#"{{"info":"error","status":"{status} {words}","get_domains":"error"}}"#))
        };
        let always = |action| ApiFault::next(action).times(1000);
        self.orders = vec![planned(0, &ONE_NAME, dice)];
        match dice.below(7) {
            0 => self.set("IPV64_API_KEY", "not-the-key-of-anybody"),
            1 => self.faults = vec![always(json(401, "Unauthorized"))],
            2 => self.faults = vec![always(json(403, "Forbidden"))],
            3 => {
                self.config.limits.daily = Some(64);
                self.requests_today = 64;
            }
            4 => {
                let domains = vec!["nobody-asks-for.example".to_owned()];
                self.config.accounts[0] = Account { domains, records: Vec::new(), ..Account::default() };
            }
            5 => {
                let add = &mut self.orders[0].order.adds[0];
                add.args.truncate(add.args.len() - 1);
                add.variables.clear();
                add.stdin.truncate(add.stdin.len() / 2);
            }
            _ => self.set("IPV64_PROPAGATION_TIMEOUT", "soon"),
        }
    }

    fn takeover(&mut self, dice: &mut Dice) {
        if dice.once_in(2) {
            let late = ServerSettings::delayed(Duration::from_secs(8));
            self.set_servers([late.clone(), late]);
            self.orders[0].add = Fate::Killed("KILL", Duration::from_secs(3));
        }
        self.orders[0].remove = dice.pick(&[Fate::Left, Fate::NotMade]);
    }

    fn killed_calling(&mut self, dice: &mut Dice) {
        let mut planned = planned(0, &ONE_NAME, dice);
        let fate = Fate::Killed(dice.pick(&["KILL", "TERM", "INT"]), Duration::from_secs(2));
        let call = if dice.once_in(2) {
            (planned.add, planned.remove) = (fate, dice.pick(&[Fate::Left, Fate::NotMade]));
            CallKind::AddRecord
        } else {
            planned.remove = fate;
            CallKind::DelRecord
        };
        let fault = ApiFault::on(call, Action::Delay(Duration::from_secs(6)));
        self.faults = vec![if dice.once_in(2) { fault.after_commit() } else { fault }];
        self.set("IPV64_HTTP_TIMEOUT", "10");
        self.orders = vec![planned];
    }
}

/// Clients whose hook is called once for each name and waits each time.
const ONE_NAME: [Style; 7] = [
    Style::Lego,
    Style::LegoRaw,
    Style::Identifier,
    Style::Dehydrated,
    Style::Uacme,
    Style::Acmetool,
    Style::SimpleAcme,
];

fn planned(number: usize, styles: &[Style], dice: &mut Dice) -> Planned {
    Planned { order: Order::make(dice.pick(styles), number, dice), add: Fate::Left, remove: Fate::Left }
}

/// A server that is different from others in what does not matter.
fn healthy(dice: &mut Dice) -> ServerSettings {
    let mut settings = ServerSettings::delayed(dice.millis(3000));
    settings.reply_delay = dice.pick(&[Duration::ZERO, Duration::from_millis(40)]);
    settings.missing = dice.pick(&[Missing::Honest, Missing::NxDomain, Missing::NoData]);
    settings.upper_case = dice.once_in(4);
    settings.split = dice.once_in(4);
    settings.packets = dice.pick(&[Packets::Sound, Packets::WrongIdFirst, Packets::Duplicate, Packets::ForgedFirst]);
    if dice.once_in(4) {
        settings.extra_values = vec!["somebody-elses".to_owned()];
    }
    settings
}

/// A server that has one thing wrong with it for good.
fn broken(dice: &mut Dice) -> ServerSettings {
    let mut settings = ServerSettings::delayed(dice.millis(3000));
    match dice.below(12) {
        0 => settings.tcp = Listen::Closed,
        1 => settings.tcp = Listen::Silent,
        2 => settings.udp = Listen::Silent,
        3 => settings.udp = Listen::Closed,
        4 => (settings.udp, settings.tcp) = (Listen::Silent, Listen::Silent),
        5 => (settings.udp, settings.tcp) = (Listen::Closed, Listen::Closed),
        6 => settings.lame = true,
        7 => settings.rcode = Some(dice.pick(&[Rcode::Refused, Rcode::ServFail, Rcode::NotImp])),
        8 => settings.authority = Authority::Missing,
        9 => settings.truncate = true,
        10 => settings.drop = dice.pick(&[1, 2, 7]),
        _ => settings.packets = dice.pick(&[Packets::Malformed, Packets::WrongQuestion, Packets::OffPath]),
    }
    settings
}

fn balanced(dice: &mut Dice) -> ServerSettings {
    let mut settings = ServerSettings::balanced(&[dice.millis(1000), dice.millis(3000)]);
    if dice.once_in(4) {
        let ttl = Duration::from_secs(1 + dice.below(2));
        settings.cache = Some(CacheSettings { ttl, coarse: true, ..CacheSettings::default() });
        settings.backends.truncate(1);
    } else {
        let tells_names = dice.once_in(2);
        for (number, backend) in settings.backends.iter_mut().enumerate() {
            backend.nsid = tells_names.then(|| format!("b{number}"));
        }
        // Nameless machines by chance are the one case in which a "ready" may come early, if rarely.
        let chance = if tells_names { Balance::Random } else { Balance::RoundRobin };
        settings.balance = dice.pick(&[Balance::RoundRobin, chance]);
    }
    settings
}

fn never(dice: &mut Dice) -> ServerSettings {
    let mut settings = ServerSettings::stale();
    match dice.below(4) {
        0 => settings.wrong_value = Some("wrong".to_owned()),
        1 => settings = ServerSettings::delayed(Duration::from_secs(60)),
        2 => settings.backends.insert(0, Backend::default()),
        _ => {}
    }
    settings
}

/// A fault that is gone when the call is tried again.
fn passing_fault(dice: &mut Dice) -> ApiFault {
    let actions = [
        Action::html(502, "<html><h1>502 Bad Gateway</h1></html>"),
        Action::html(500, "<!DOCTYPE html><html>Internal Server Error</html>"),
        Action::html(200, "<html>maintenance</html>"),
        Action::json(503, r#"{"info":"error","status":"503 Service Unavailable"}"#),
        Action::json(200, "{{{"),
        Action::burst().with_header("Retry-After", "1"),
        Action::Reset,
        Action::Close,
        Action::Truncate,
        Action::Delay(Duration::from_secs(7)),
        Action::Slow(Duration::from_millis(2)),
        Action::Endless,
    ];
    let call = dice.pick(&[CallKind::AddRecord, CallKind::AddRecord, CallKind::DelRecord, CallKind::GetDomains]);
    let fault = ApiFault::on(call, dice.pick(&actions));
    if dice.once_in(2) { fault.after_commit() } else { fault }
}

fn lasting_fault(dice: &mut Dice) -> ApiFault {
    let actions = [
        Action::html(502, "<html><h1>502 Bad Gateway</h1></html>"),
        Action::html(200, "<html>maintenance</html>"),
        Action::json(503, r#"{"info":"error","status":"503 Service Unavailable"}"#),
        Action::json(200, "{{{"),
        Action::Reset,
        Action::Close,
        Action::Truncate,
        Action::Delay(Duration::from_secs(20)),
    ];
    // A removal tries for half a minute, so few of those.
    let call = if dice.once_in(6) {
        CallKind::DelRecord
    } else {
        dice.pick(&[CallKind::AddRecord, CallKind::AddRecord, CallKind::GetDomains])
    };
    if dice.once_in(9) {
        // Nobody stores what it refuses like this.
        return ApiFault::on(call, Action::burst()).times(1000);
    }
    let fault = ApiFault::on(call, dice.pick(&actions)).times(1000);
    if dice.once_in(2) { fault.after_commit() } else { fault }
}
