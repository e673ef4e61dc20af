//! What happens in a world, by chance but from a seed: the conditions of each stretch, the faults of the API, and how
//! each call of an order ends. Doing it is left to [`super::world`].

use std::time::Duration;

use ipv64_acme::sim::{
    Action, ApiFault, Authority, Backend, Balance, CacheSettings, CallKind, Listen, Missing, Packets, Rcode,
    ServerSettings,
};

use super::dice::Dice;
use super::orders::{Order, Style};
use super::runner::Fate;

/// Orders of one stretch, all at once.
const ORDERS: usize = 10;
/// Addresses of name servers in a world.
pub(super) const ADDRESSES: usize = 4;
/// Longer than every record takes to be everywhere, and shorter than a client waits.
const SLOWEST: u64 = 3500;

/// Some orders under the same conditions.
pub(super) struct Stretch {
    /// One entry for each address.
    pub(super) servers: Vec<ServerSettings>,
    pub(super) faults: Vec<ApiFault>,
    pub(super) orders: Vec<Planned>,
}

/// An order with what befalls it.
pub(super) struct Planned {
    pub(super) order: Order,
    /// One entry for each addition.
    pub(super) adds: Vec<Fate>,
    /// One entry for each removal.
    pub(super) removes: Vec<Fate>,
}

/// Makes the plan of a world.
pub(super) fn world(number: usize, stretches: usize, dice: &mut Dice) -> Vec<Stretch> {
    (0..stretches)
        .map(|part| Stretch {
            servers: (0..ADDRESSES).map(|address| server(address, dice)).collect(),
            faults: (0..dice.below(6)).map(|_| fault(dice)).collect(),
            orders: (0..ORDERS).map(|at| planned((number * stretches + part) * ORDERS + at, dice)).collect(),
        })
        .collect()
}

fn planned(number: usize, dice: &mut Dice) -> Planned {
    let style = dice.pick(&Style::ALL);
    let order = Order::make(style, number, dice);
    let client_dies = dice.once_in(12);
    let fate = |dice: &mut Dice, gone: bool| match dice.below(100) {
        _ if gone => Fate::NotMade,
        0..8 => Fate::Killed("KILL", dice.millis(5000)),
        8..11 => Fate::Killed("TERM", dice.millis(5000)),
        11..14 => Fate::Killed("INT", dice.millis(5000)),
        _ => Fate::Left,
    };
    let adds = order.adds.iter().map(|_| fate(dice, false)).collect();
    let removes = order.removes.iter().map(|_| fate(dice, client_dies)).collect();
    Planned { order, adds, removes }
}

/// The first address always behaves but for its delay and some loss, so that every order can succeed.
fn server(address: usize, dice: &mut Dice) -> ServerSettings {
    let mut settings = ServerSettings::delayed(dice.millis(SLOWEST));
    if dice.once_in(4) {
        let backends = 2 + dice.below(2);
        let backend = |number| Backend { delay: dice.millis(SLOWEST), nsid: Some(format!("b{number}")), stale: false };
        settings.backends = (0..backends).map(backend).collect();
        settings.balance = dice.pick(&[Balance::RoundRobin, Balance::Random]);
    }
    settings.drop = dice.pick(&[0, 0, 0, 0, 2, 3, 7]);
    settings.reply_delay =
        dice.pick(&[Duration::ZERO, Duration::ZERO, Duration::from_millis(40), Duration::from_millis(300)]);
    settings.missing = dice.pick(&[Missing::Honest, Missing::NxDomain, Missing::NoData]);
    settings.upper_case = dice.once_in(4);
    settings.split = dice.once_in(4);
    if dice.once_in(4) {
        settings.extra_values = vec!["somebody-elses".to_owned()];
    }
    settings.packets =
        dice.pick(&[Packets::Sound, Packets::Sound, Packets::WrongIdFirst, Packets::Duplicate, Packets::ForgedFirst]);
    if address > 0 {
        trouble(&mut settings, dice);
    }
    settings
}

/// At most one great trouble for an address.
fn trouble(settings: &mut ServerSettings, dice: &mut Dice) {
    match dice.below(24) {
        0 => settings.tcp = Listen::Closed,
        1 => settings.tcp = Listen::Silent,
        2 => settings.udp = Listen::Silent,
        3 => (settings.udp, settings.tcp) = (Listen::Silent, Listen::Silent),
        4 => settings.lame = true,
        5 => settings.rcode = Some(dice.pick(&[Rcode::Refused, Rcode::ServFail, Rcode::FormErr])),
        6 => settings.authority = Authority::Missing,
        7 => settings.truncate = true,
        8 => settings.packets = dice.pick(&[Packets::Malformed, Packets::WrongQuestion, Packets::OffPath]),
        9 => {
            let ttl = Duration::from_secs(1 + dice.below(4));
            settings.cache = Some(CacheSettings { positive: true, negative: true, ttl, coarse: dice.once_in(2) });
        }
        _ => {}
    }
}

/// A fault of the API that passes.
fn fault(dice: &mut Dice) -> ApiFault {
    let gateway = Action::html(502, "<html><h1>502 Bad Gateway</h1>key {key}</html>");
    let actions = [
        gateway,
        Action::html(500, "<!DOCTYPE html><html>Internal Server Error</html>"),
        Action::html(200, "<html>maintenance \u{1b}[31m</html>"),
        Action::json(200, "\u{1}{{{ {key}"),
        Action::json(503, r#"{"info":"error","status":"503 Service Unavailable {key}"}"#),
        Action::burst().with_header("Retry-After", "1"),
        Action::Reset,
        Action::Close,
        Action::Truncate,
        Action::Delay(Duration::from_secs(3)),
        Action::Slow(Duration::from_millis(5)),
        Action::Slow(Duration::from_millis(200)),
        Action::Endless,
    ];
    let call = dice.pick(&[CallKind::AddRecord, CallKind::AddRecord, CallKind::DelRecord, CallKind::GetDomains]);
    let fault = ApiFault::on(call, dice.pick(&actions)).times(1 + dice.below(2) as u32);
    if dice.once_in(2) { fault.after_commit() } else { fault }
}
