//! What IPv64 says: whether it takes the key, what is left of the day's calls, which domains there are.

use super::Finding;
use crate::api::{Account, ApiError, Client, Domain, RetryPolicy};
use crate::exit::Exit;

/// Below so many calls left today, a renewal may fail: an order of two names takes four, and a list.
const FEW_CALLS: u64 = 10;

/// What the account said.
#[derive(Debug, Default)]
pub struct Told {
    /// The account, if it could be asked.
    pub account: Option<Account>,
    /// Its domains, if they could be listed.
    pub domains: Option<Vec<Domain>>,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// Asks for the account, and for its domains if the key is good: two calls, each tried once.
#[must_use]
pub fn ask(client: &Client) -> Told {
    let once = || RetryPolicy { tries: 1, ..RetryPolicy::interactive() };
    let account = match client.account(&once()) {
        Ok(account) => account,
        Err(error) => return Told { findings: vec![failed(&error)], ..Told::default() },
    };
    let mut findings = vec![accepted(&account)];
    findings.extend(quota(&account));
    let domains = match client.domains(&once()) {
        Ok(domains) => Some(domains),
        Err(error) => {
            findings.push(failed(&error));
            None
        }
    };
    if let Some(domains) = &domains {
        findings.push(listed(domains));
    }
    Told { account: Some(account), domains, findings }
}

fn failed(error: &ApiError) -> Finding {
    Finding::of("API", error)
}

fn accepted(account: &Account) -> Finding {
    let class = account
        .class
        .name
        .as_ref()
        .map_or_else(String::new, |name| format!(" (account class {})", crate::http::visible(name)));
    Finding::ok("api", "API", format!("answers and accepts the key{class}"))
}

fn quota(account: &Account) -> Option<Finding> {
    let Some(left) = account.api_calls_left() else {
        return account.class.api_limit.map(|_| Finding::ok("quota", "API calls", "no daily limit"));
    };
    let text = format!("{left} left today of {}", account.class.api_limit.unwrap_or_default());
    Some(match left {
        0 => Finding::error("quota", "API calls", text)
            .ending(Exit::RateLimit)
            .advise("the count is set back at midnight (German time); until then nothing can be added"),
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
