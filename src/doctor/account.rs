//! What IPv64 says: whether it takes the key, what is left of the day's calls, which domains there are.

use std::time::{Duration, Instant};

use jiff::SignedDuration;

use super::finding::Finding;
use crate::api::{Account, Client, Domain, RetryPolicy};
use crate::excerpt::visible;
use crate::exit::Exit;
use crate::time::SystemClock;

/// Below so many calls left today, a renewal may fail: an order of two names takes four, and a list.
const FEW_CALLS: u64 = 10;
/// How long both calls may take together: somebody is waiting, and it is asked beside everything else.
const PATIENCE: Duration = Duration::from_secs(12);
/// The `account_status` of an account in use (observed); what others mean is unknown.
const IN_USE: u64 = 1;
/// From here on a clock is told to be wrong: a lease of minutes does no harm yet, and a leap second is none.
const WRONG_CLOCK: Duration = Duration::from_secs(5 * 60);

/// What the account tells.
#[derive(Debug, Default)]
pub struct AccountCheck {
    /// The account, if it could be asked.
    pub account: Option<Account>,
    /// Its domains, if they could be listed.
    pub domains: Option<Vec<Domain>>,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// Asks for the account, and for its domains if the key is good: two calls, each tried once.
#[must_use]
pub fn check(client: &Client) -> AccountCheck {
    let once = RetryPolicy { tries: 1, insists: true, ..RetryPolicy::until(Instant::now() + PATIENCE) };
    let mut check = AccountCheck::default();
    match client.account(&once) {
        Ok(account) => {
            check.findings.push(accepted(&account));
            check.findings.extend(status(&account));
            check.findings.extend(quota(&account));
            check.account = Some(account);
            match client.domains(&once) {
                Ok(domains) => {
                    check.findings.push(listed(&domains));
                    check.domains = Some(domains);
                }
                Err(error) => check.findings.push(Finding::of("API", error)),
            }
        }
        Err(error) => check.findings.push(Finding::of("API", error)),
    }
    check.findings.extend(client.skew().map(clock));
    check
}

fn accepted(account: &Account) -> Finding {
    let class =
        account.class.name.as_ref().map(|name| format!(" (account class {})", visible(name))).unwrap_or_default();
    Finding::ok("api", "API", format!("answers and accepts the key{class}"))
}

fn status(account: &Account) -> Option<Finding> {
    let status = account.status.filter(|status| *status != IN_USE)?;
    let text = format!("the status of the account is {status}; accounts in use have {IN_USE}");
    Some(Finding::warning("account_status", "API", text).advise("log in at IPv64.net and check whether it is locked"))
}

fn clock(skew: SignedDuration) -> Finding {
    let amount = skew.unsigned_abs();
    if amount < WRONG_CLOCK {
        return Finding::ok("clock", "clock", format!("within {} s of that of IPv64", amount.as_secs().max(1)));
    }
    let direction = if skew.is_positive() { "ahead of" } else { "behind" };
    let minutes = amount.as_secs() / 60;
    let amount = match minutes {
        0..120 => format!("{minutes} minutes"),
        120..2880 => format!("{} hours", minutes / 60),
        _ => format!("{} days", minutes / 1440),
    };
    let text = format!("{amount} {direction} that of IPv64: it says {}", SystemClock::now());
    Finding::warning("clock", "clock", text).advise(
        "set it, for example with `timedatectl set-ntp true`: with a wrong clock, certificates look expired or not valid yet",
    )
}

fn quota(account: &Account) -> Option<Finding> {
    let Some(left) = account.api_calls_left() else {
        return account.class.api_limit.map(|_| Finding::ok("quota", "API calls", "no daily limit"));
    };
    let text = format!("{left} left today of {}", account.class.api_limit.unwrap_or_default());
    Some(match left {
        0 => Finding::error("quota", "API calls", text)
            .ending(Exit::RateLimit)
            .advise("the count is reset at midnight (German time); until then nothing can be added"),
        1..FEW_CALLS => Finding::warning("quota", "API calls", text).advise(
            "each record takes two calls; something else may be using up the account's calls (DynDNS scripts?)",
        ),
        _ => Finding::ok("quota", "API calls", text),
    })
}

fn listed(domains: &[Domain]) -> Finding {
    const SHOWN: usize = 5;
    if domains.is_empty() {
        return Finding::error("domains", "domains", "the account has none")
            .ending(Exit::NoDomain)
            .advise("add one at IPv64.net, or with `ipv64-acme domain add NAME`");
    }
    let names: Vec<_> = domains.iter().take(SHOWN).map(|domain| domain.name.as_str()).collect();
    let more = domains.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Finding::ok("domains", "domains", format!("{}{more}", names.join(", ")))
}
