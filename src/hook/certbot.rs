//! certbot's `--manual-auth-hook` and `--manual-cleanup-hook`: everything stands in `CERTBOT_*` variables.
//! Which of the two hooks this is has to be said by a verb: certbot never unsets the variables, so that in one
//! `certbot renew` the auth hook of the second certificate still sees `CERTBOT_AUTH_OUTPUT` of the first clean-up.

use super::{Convention, HookError, Variables};
use crate::excerpt::excerpt;
use crate::order::{Action, CaAsked, Call, OnFailure, Order, Wait};

const HINT: &str = "give it to certbot as --manual-auth-hook \"ipv64-acme auth\" --manual-cleanup-hook \"ipv64-acme \
                    cleanup\"; by hand use `ipv64-acme present NAME VALUE`";
const WRONG_TYPE: &str = "add `--preferred-challenges dns` to the certbot command: without it certbot picks http-01";

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
/// [`HookError`] if certbot did not make this call, or makes it for another challenge type.
pub fn parse(action: Action, variables: &Variables<'_>) -> Result<Call, HookError> {
    let identifier = variables("CERTBOT_DOMAIN")
        .or_else(|| variables("CERTBOT_IDENTIFIER"))
        .ok_or_else(|| HookError::new("CERTBOT_DOMAIN is not set, so certbot did not make this call", HINT))?;
    let validation = variables("CERTBOT_VALIDATION")
        .ok_or_else(|| HookError::new("CERTBOT_VALIDATION is not set, so certbot did not make this call", HINT))?;
    let value = super::value(&validation, WRONG_TYPE)?;
    let challenge = super::for_domain(&identifier, value, HINT)?;
    let order = order(variables);
    let wait = match (action, remaining(variables)?, order) {
        (Action::Add, Some(1..), Some(order)) => Wait::Later(order),
        (Action::Add, Some(0), Some(order)) if order.names.len() > 1 => Wait::Order(order),
        _ => Wait::Now,
    };
    Ok(Call {
        client: "certbot",
        action,
        challenges: vec![challenge],
        wait,
        // certbot calls the cleanup hook for every challenge, also for those whose auth hook failed.
        on_failure: OnFailure::Leave,
        ca_asked: CaAsked::AfterAll,
    })
}

/// How many auth calls follow (certbot 1.4 and later); nothing if certbot does not say.
fn remaining(variables: &Variables<'_>) -> Result<Option<u32>, HookError> {
    let Some(text) = variables("CERTBOT_REMAINING_CHALLENGES") else { return Ok(None) };
    let number = text.trim().parse().map_err(|_| {
        HookError::new(
            format!("CERTBOT_REMAINING_CHALLENGES is `{}`, not a number", excerpt(&text, super::SHOWN)),
            HINT,
        )
    })?;
    Ok(Some(number))
}

/// The record names of the whole order; one entry for each challenge, so that apex and wildcard count twice.
fn order(variables: &Variables<'_>) -> Option<Order> {
    let all = variables("CERTBOT_ALL_DOMAINS").or_else(|| variables("CERTBOT_ALL_IDENTIFIERS"))?;
    Some(Order { names: all.split(',').filter_map(|text| super::record_name(text.trim(), HINT).ok()).collect() })
}

#[cfg(test)]
mod tests {
    use super::super::{Exit, Explain as _};
    use super::*;

    fn call(action: Action, variables: &[(&str, &str)]) -> Result<Call, HookError> {
        let find = |name: &str| {
            let value = variables.iter().find(|(variable, _)| *variable == name)?.1;
            (!value.is_empty()).then(|| value.to_owned())
        };
        parse(action, &find)
    }

    #[test]
    fn reads_domain_and_value() {
        let variables = [("CERTBOT_DOMAIN", "Example.org"), ("CERTBOT_VALIDATION", "-5qEv-d0")];
        let call = call(Action::Add, &variables).unwrap();
        assert_eq!(call.challenges[0].name.as_str(), "_acme-challenge.example.org");
        assert_eq!(call.challenges[0].value.as_str(), "-5qEv-d0");
        assert_eq!(call.wait, Wait::Now);
        assert_eq!(call.on_failure, OnFailure::Leave);
    }

    #[test]
    fn all_but_the_last_only_add() {
        let with = |remaining| {
            let variables = [
                ("CERTBOT_DOMAIN", "example.org"),
                ("CERTBOT_VALIDATION", "v"),
                ("CERTBOT_ALL_DOMAINS", "example.org,example.org,www.example.org"),
                ("CERTBOT_REMAINING_CHALLENGES", remaining),
            ];
            call(Action::Add, &variables).unwrap().wait
        };
        let Wait::Later(order) = with("2") else { panic!("has to wait later") };
        assert_eq!(order.names.len(), 3, "apex and wildcard count twice");
        assert!(matches!(with("0"), Wait::Order(_)));
        assert_eq!(with(""), Wait::Now, "certbot before 1.4");
    }

    #[test]
    fn a_leaked_auth_output_does_not_make_it_a_cleanup() {
        let variables =
            [("CERTBOT_DOMAIN", "a.example"), ("CERTBOT_VALIDATION", "v"), ("CERTBOT_AUTH_OUTPUT", "ready")];
        assert_eq!(call(Action::Add, &variables).unwrap().action, Action::Add);
    }

    #[test]
    fn newer_names_of_the_variables_will_do() {
        let variables = [("CERTBOT_IDENTIFIER", "a.example"), ("CERTBOT_VALIDATION", "v")];
        assert!(call(Action::Remove, &variables).is_ok());
    }

    #[test]
    fn says_what_is_wrong_and_which_option_to_set() {
        type Case = (&'static [(&'static str, &'static str)], &'static str, &'static str);
        let table: [Case; 5] = [
            (&[], "CERTBOT_DOMAIN", "--manual-auth-hook"),
            (&[("CERTBOT_DOMAIN", "a.example")], "CERTBOT_VALIDATION", "--manual-auth-hook"),
            (
                &[("CERTBOT_DOMAIN", "a.example"), ("CERTBOT_VALIDATION", "token.thumb"), ("CERTBOT_TOKEN", "token")],
                "key authorization",
                "--preferred-challenges dns",
            ),
            (&[("CERTBOT_DOMAIN", "192.0.2.1"), ("CERTBOT_VALIDATION", "v")], "IP address", "http-01"),
            (&[("CERTBOT_DOMAIN", "a..example"), ("CERTBOT_VALIDATION", "v")], "a..example", "certbot"),
        ];
        for (variables, problem, hint) in table {
            let error = call(Action::Add, variables).unwrap_err();
            assert!(error.to_string().contains(problem), "{error}");
            assert!(error.hint().unwrap().contains(hint), "{:?}", error.hint());
            assert_eq!(error.exit(), Exit::Usage);
        }
    }
}
