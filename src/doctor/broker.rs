//! What the broker says: whether it accepts the token, and what it allows this machine.

use std::time::{Duration, Instant};

use super::finding::Finding;
use crate::broker::client::{Client, Patience};
use crate::broker::pattern::Pattern;
use crate::broker::protocol::ClientAnswer;
use crate::excerpt::excerpt;
use crate::exit::Exit;
use crate::name::DnsName;

/// How long it may take: a person is waiting, and all other checks run at the same time.
const PATIENCE: Duration = Duration::from_secs(12);
/// How much of what it allows is shown, in characters.
const SHOWN: usize = 200;

/// Asks the broker, once, and looks whether it allows certificates for some domains.
#[must_use]
pub fn check(broker: &Client, domains: &[DnsName]) -> Vec<Finding> {
    let answer = match broker.client(Patience { deadline: Instant::now() + PATIENCE, tries: 1 }) {
        Ok(answer) => answer,
        Err(error) => return vec![Finding::of("broker", error)],
    };
    let client = excerpt(&answer.client, SHOWN);
    let mut findings = vec![Finding::ok("broker", "broker", format!("answers and knows this machine as `{client}`"))];
    let list = |names: &[String]| excerpt(&names.join(", "), SHOWN);
    let mut allowed = list(&answer.allow);
    if !answer.alias.is_empty() {
        allowed.push_str(&format!("; aliases may end at {}", list(&answer.alias)));
    }
    if let Some(calls) = answer.calls_per_day {
        allowed.push_str(&format!("; {calls} API calls a day"));
    }
    findings.push(if answer.allow.is_empty() {
        Finding::error("broker_allows", "broker", "it does not allow this machine any name").ending(Exit::Key)
    } else {
        Finding::ok("broker_allows", "broker", format!("allows {allowed}, each with its wildcard"))
    });
    let refused = domains.iter().filter(|domain| !allows(&answer, domain));
    findings.extend(refused.map(|domain| {
        let text = "the broker does not allow this name for this machine";
        Finding::error("broker_allows", domain, text).ending(Exit::Key).advise(format!(
            "on the broker, add it to `allow` in `clients/{client}.toml`, or a pattern for all names below one"
        ))
    }));
    findings
}

/// Whether a certificate for a domain, or its wildcard, is allowed.
fn allows(answer: &ClientAnswer, domain: &DnsName) -> bool {
    let domain = domain.without_wildcard();
    answer.allow.iter().filter_map(|text| text.parse::<Pattern>().ok()).any(|pattern| pattern.matches(&domain))
}
