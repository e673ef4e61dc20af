//! Apache's `MDChallengeDns01`: `setup DOMAIN VALUE`, and `teardown DOMAIN VALUE` or, in its first version and by default,
//! `teardown DOMAIN` without the value.

use super::{HookError, Request};
use crate::challenge::TxtValue;
use crate::order::{Action, CaAsked, Call, OnFailure, Wait};

const HINT: &str = "the directive is `MDChallengeDns01 /path/to/ipv64-acme`; Apache adds the verb and its arguments";
const WRONG_TYPE: &str = "Apache sends the digest with dns-01: name the type with `MDCAChallenges dns-01`";

/// Reads a `setup`.
///
/// # Errors
/// [`HookError`] for arguments that Apache does not send.
pub fn setup(args: &[String]) -> Result<Call, HookError> {
    let [domain, value] = args else { return Err(super::wrong_count("setup", "2 arguments", args, HINT)) };
    call(Action::Add, domain, super::value(value, WRONG_TYPE)?)
}

/// Reads a `teardown`. Apex and wildcard bring two of them, which without values look the same.
///
/// # Errors
/// [`HookError`] for arguments that Apache does not send.
pub fn teardown(args: &[String]) -> Result<Request, HookError> {
    match args {
        [domain, value] => call(Action::Remove, domain, super::value(value, WRONG_TYPE)?).map(Request::Solve),
        [domain] => super::record_name(domain, HINT).map(Request::RemoveAllAt),
        _ => Err(super::wrong_count("teardown", "1 or 2 arguments", args, HINT)),
    }
}

fn call(action: Action, domain: &str, value: TxtValue) -> Result<Call, HookError> {
    Ok(Call {
        client: "mod_md",
        action,
        challenges: vec![super::for_domain(domain, value, HINT)?],
        wait: Wait::Now,
        // A name whose setup failed gets no teardown.
        on_failure: OnFailure::Undo,
        ca_asked: CaAsked::AfterEach,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::DnsName;

    #[test]
    fn both_versions_of_teardown_are_understood() {
        let args = ["A.example".to_owned(), "-v".to_owned()];
        let Request::Solve(call) = teardown(&args).unwrap() else { panic!("has a value") };
        assert_eq!((call.action, call.challenges[0].value.as_str()), (Action::Remove, "-v"));
        let name = DnsName::parse("_acme-challenge.a.example").unwrap();
        assert_eq!(teardown(&args[..1]), Ok(Request::RemoveAllAt(name)));
    }

    #[test]
    fn setup_needs_the_value() {
        assert!(setup(&["a.example".to_owned()]).is_err());
        let call = setup(&["a.example".to_owned(), "-v".to_owned()]).unwrap();
        assert_eq!((call.action, call.on_failure), (Action::Add, OnFailure::Undo));
    }
}
