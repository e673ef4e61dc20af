//! certbot's `--manual-auth-hook` and `--manual-cleanup-hook`: everything is in `CERTBOT_*` variables.
//! Which of the two hooks this is has to be said by a verb: certbot never unsets the variables, so that in one
//! `certbot renew` the auth hook of the second certificate still sees `CERTBOT_AUTH_OUTPUT` of the first clean-up.

use super::{Convention, Hints, Variables, invalid};
use crate::error::{Error, Result};
use crate::excerpt::excerpt;
use crate::order::{Action, Call, OnFailure, Order, Wait};

const HINT: &str = "give it to certbot as --manual-auth-hook \"ipv64-acme auth\" --manual-cleanup-hook \"ipv64-acme \
                    cleanup\"";
const WRONG_TYPE: &str = "add `--preferred-challenges dns` to the certbot command: without it certbot picks http-01";
const HINTS: Hints = Hints { form: HINT, other_type: WRONG_TYPE };

/// certbot with its plugin `manual`.
pub const CONVENTION: Convention = Convention {
    name: "certbot",
    page: "certbot",
    setting: "--manual-auth-hook \"ipv64-acme auth\" --manual-cleanup-hook \"ipv64-acme cleanup\"",
    programs: &["certbot"],
    lines: &["certbot certonly --manual --preferred-challenges dns --manual-auth-hook \"{exe} auth\" \
              --manual-cleanup-hook \"{exe} cleanup\" -d DOMAIN -d '*.DOMAIN'"],
    ..Convention::UNKNOWN
};

/// Reads one call of a manual hook.
///
/// `example.org` and `*.example.org` arrive as two calls with the same `CERTBOT_DOMAIN` and different
/// `CERTBOT_VALIDATION`; both records must exist at once.
///
/// # Errors
/// [`crate::error::Kind::InvalidCall`] if certbot did not make this call, or makes it for another challenge type.
pub fn parse(action: Action, variables: &Variables<'_>) -> Result<Call> {
    let verb = if action == Action::Add { "present" } else { "cleanup" };
    let missing = |name: &str| {
        let hint = format!("{HINT}; by hand use `ipv64-acme {verb} NAME VALUE`");
        invalid(format!("{name} is not set, so certbot did not make this call"), hint)
    };
    let identifier = variables("CERTBOT_DOMAIN").or_else(|| variables("CERTBOT_IDENTIFIER"));
    let identifier = identifier.ok_or_else(|| missing("CERTBOT_DOMAIN"))?;
    let validation = variables("CERTBOT_VALIDATION").ok_or_else(|| missing("CERTBOT_VALIDATION"))?;
    let challenge = super::for_domain(action, (&identifier, &validation), &HINTS)?;
    let wait = match order(variables)? {
        Some(order) if action == Action::Add && order.remaining > 0 => Wait::Later(order),
        Some(order) if action == Action::Add && order.names.len() > 1 => Wait::Order(order),
        _ => Wait::Now,
    };
    // certbot calls the cleanup hook for every challenge, also for those whose auth hook failed.
    Ok(Call { wait, on_failure: OnFailure::Leave, ..Call::new("certbot", action, vec![challenge]) })
}

/// The error for a call without a verb: `--manual-auth-hook ipv64-acme`.
#[must_use]
pub fn without_verb() -> Error {
    invalid("certbot called ipv64-acme without a verb", HINT)
}

/// The record names of the whole order, one entry for each challenge, so that apex and wildcard count twice; and how many auth
/// calls follow. Nothing if certbot does not say (before 1.4).
fn order(variables: &Variables<'_>) -> Result<Option<Order>> {
    let Some(text) = variables("CERTBOT_REMAINING_CHALLENGES") else { return Ok(None) };
    let remaining = text.trim().parse().map_err(|_| {
        invalid(format!("CERTBOT_REMAINING_CHALLENGES is `{}`, not a number", excerpt(&text, super::SHOWN)), HINT)
    })?;
    let all = variables("CERTBOT_ALL_DOMAINS").or_else(|| variables("CERTBOT_ALL_IDENTIFIERS"));
    let names = |all: String| all.split(',').filter_map(|text| super::record_name(text.trim(), HINT).ok()).collect();
    Ok(all.map(|all| Order { names: names(all), remaining }))
}

#[cfg(test)]
mod tests;
