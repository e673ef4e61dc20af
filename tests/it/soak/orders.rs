//! Orders as ACME clients work through them: which calls with which arguments, variables and input.
//! When a call is made, and what befalls it, is for the plan to say.

use ipv64_acme::challenge::TxtValue;
use serde_json::json;

use super::dice::Dice;

/// The domains of the simulated account, in which every order has names of its own.
const DOMAINS: [&str; 4] = ["name.ipv64.net", "other.home64.de", "example.com", "deep.sub.example.org"];

/// One call of a hook.
#[derive(Debug, Clone, Default)]
pub(super) struct Call {
    pub(super) args: Vec<String>,
    pub(super) variables: Vec<(&'static str, String)>,
    pub(super) stdin: String,
}

/// One certificate's worth of challenges.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) style: Style,
    pub(super) records: Vec<Record>,
    pub(super) adds: Vec<Call>,
    pub(super) removes: Vec<Call>,
}

/// One challenge.
#[derive(Debug, Clone)]
pub(super) struct Record {
    domain: String,
    pub(super) value: String,
    key_authorization: String,
}

impl Record {
    /// The full name of the record.
    pub(super) fn name(&self) -> String {
        format!("_acme-challenge.{}", self.domain)
    }
}

/// An ACME client's way to call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Certbot,
    Lego,
    LegoRaw,
    Identifier,
    Dehydrated,
    DehydratedChain,
    Uacme,
    Acmetool,
    ModMd,
    ModMdFirstVersion,
    SimpleAcme,
    TrueNas,
    Batch,
}

impl Style {
    pub(super) const ALL: [Self; 13] = [
        Self::Certbot,
        Self::Lego,
        Self::LegoRaw,
        Self::Identifier,
        Self::Dehydrated,
        Self::DehydratedChain,
        Self::Uacme,
        Self::Acmetool,
        Self::ModMd,
        Self::ModMdFirstVersion,
        Self::SimpleAcme,
        Self::TrueNas,
        Self::Batch,
    ];

    /// Whether the client asks the CA after each addition. A second value at one name then has to wait for a minute.
    fn asks_after_each(self) -> bool {
        matches!(
            self,
            Self::Lego
                | Self::LegoRaw
                | Self::Identifier
                | Self::Uacme
                | Self::ModMd
                | Self::ModMdFirstVersion
                | Self::SimpleAcme
        )
    }

    /// The most names of an order: few where each has to wait for itself.
    fn most_names(self) -> u64 {
        if matches!(self, Self::Certbot | Self::DehydratedChain | Self::Batch) { 6 } else { 2 }
    }

    /// Whether an addition that fails removes its record itself, and no removal follows.
    pub(super) fn undoes(self) -> bool {
        !matches!(self, Self::Certbot | Self::Lego | Self::LegoRaw | Self::Batch | Self::TrueNas)
    }

    /// Whether the client works through the rest of an order in which an addition has failed.
    pub(super) fn goes_on(self) -> bool {
        matches!(self, Self::Certbot | Self::TrueNas)
    }

    /// Whether only the last addition of an order waits.
    pub(super) fn waits_last(self) -> bool {
        self == Self::Certbot
    }
}

impl Order {
    /// Makes an order whose names nobody else has: one name, apex and wildcard, or several names.
    pub(super) fn make(style: Style, number: usize, dice: &mut Dice) -> Self {
        let domain = format!("c{number}.{}", dice.pick(&DOMAINS));
        let domains = match dice.below(10) {
            0..6 => vec![domain],
            6..8 if !style.asks_after_each() => vec![domain.clone(), domain],
            _ => (0..2 + dice.below(style.most_names() - 1)).map(|at| format!("n{at}.{domain}")).collect(),
        };
        let records: Vec<_> = domains.into_iter().map(|domain| record(domain, number, dice)).collect();
        let (adds, removes) = calls(style, &records);
        Self { style, records, adds, removes }
    }
}

fn record(domain: String, number: usize, dice: &mut Dice) -> Record {
    // One in 64 begins with a dash, as tokens do.
    let dash = if dice.once_in(8) { "-" } else { "" };
    let key_authorization = format!("{dash}t{number}x{}.thumb-_print", dice.below(u64::MAX));
    let value = TxtValue::from_key_authorization(&key_authorization).unwrap().to_string();
    Record { domain, value, key_authorization }
}

fn call(args: &[&str]) -> Call {
    Call { args: args.iter().map(|arg| (*arg).to_owned()).collect(), ..Call::default() }
}

/// The additions and removals of an order.
fn calls(style: Style, records: &[Record]) -> (Vec<Call>, Vec<Call>) {
    let each = |verb: &str| records.iter().map(|record| single(style, verb, record)).collect();
    match style {
        Style::Certbot => {
            let auth = |(at, record)| certbot("auth", record, records, records.len() - 1 - at);
            let cleanup = |record| certbot("cleanup", record, records, 0);
            (records.iter().enumerate().map(auth).collect(), records.iter().map(cleanup).collect())
        }
        Style::DehydratedChain => (vec![chain("deploy_challenge", records)], vec![chain("clean_challenge", records)]),
        Style::Batch => (vec![batch("present", records)], vec![batch("cleanup", records)]),
        Style::Lego | Style::LegoRaw | Style::Identifier => (each("present"), each("cleanup")),
        Style::Dehydrated => (each("deploy_challenge"), each("clean_challenge")),
        Style::Uacme => (each("begin"), each("done")),
        Style::Acmetool => (each("challenge-dns-start"), each("challenge-dns-stop")),
        Style::ModMd | Style::ModMdFirstVersion => (each("setup"), each("teardown")),
        Style::SimpleAcme => (each("create"), each("delete")),
        Style::TrueNas => (each("set"), each("unset")),
    }
}

fn single(style: Style, verb: &str, record: &Record) -> Call {
    let (name, domain, value) = (&*record.name(), &*record.domain, &*record.value);
    match style {
        Style::Lego => call(&[verb, &format!("{name}."), value]),
        Style::LegoRaw => call(&[verb, "--", domain, "token", &record.key_authorization]),
        Style::Identifier => call(&[verb, "--identifier", domain, value]),
        Style::Dehydrated => call(&[verb, domain, "token", value]),
        Style::Uacme => call(&[verb, "dns-01", domain, "token", value]),
        Style::Acmetool => call(&[verb, domain, "/f", value, ""]),
        Style::ModMdFirstVersion if verb == "teardown" => call(&[verb, domain]),
        Style::ModMd | Style::ModMdFirstVersion => call(&[verb, domain, value]),
        _ => call(&[verb, domain, name, value]),
    }
}

fn certbot(verb: &str, record: &Record, all: &[Record], remaining: usize) -> Call {
    let names: Vec<_> = all.iter().map(|record| record.domain.as_str()).collect();
    let variables = vec![
        ("CERTBOT_DOMAIN", record.domain.clone()),
        ("CERTBOT_VALIDATION", record.value.clone()),
        ("CERTBOT_ALL_DOMAINS", names.join(",")),
        ("CERTBOT_REMAINING_CHALLENGES", remaining.to_string()),
    ];
    Call { variables, ..call(&[verb]) }
}

fn chain(verb: &str, records: &[Record]) -> Call {
    let triples = records.iter().flat_map(|record| [&*record.domain, "token", &*record.value]);
    Call {
        variables: vec![("CHALLENGETYPE", "dns-01".to_owned())],
        ..call(&std::iter::once(verb).chain(triples).collect::<Vec<_>>())
    }
}

fn batch(verb: &str, records: &[Record]) -> Call {
    let records: Vec<_> = records.iter().map(|record| json!({"name": record.name(), "value": record.value})).collect();
    Call { stdin: json!(records).to_string(), ..call(&["batch", verb]) }
}
