//! Apache's `MDChallengeDns01`: `setup DOMAIN VALUE`, and `teardown DOMAIN VALUE` or, in its first version and by default,
//! `teardown DOMAIN` without the value.

use super::{Convention, Hints, Request, Variables, Verb};
use crate::error::Result;
use crate::order::{Action, CaAsked, Call};

const HINT: &str = "the directive is `MDChallengeDns01 /path/to/ipv64-acme`; Apache adds the verb and its arguments";
const WRONG_TYPE: &str = "Apache sends the digest with dns-01: name the type with `MDCAChallenges dns-01`";
const HINTS: Hints = Hints { form: HINT, other_type: WRONG_TYPE };

/// Apache with mod_md.
pub const CONVENTION: Convention = Convention {
    name: "Apache mod_md",
    page: "apache",
    setting: "MDChallengeDns01 /usr/bin/ipv64-acme",
    verbs: &[
        Verb::new("setup", Action::Add, "Apache's mod_md adds a record: DOMAIN VALUE", setup),
        Verb::new("teardown", Action::Remove, "Apache's mod_md removes a record: DOMAIN [VALUE]", teardown),
    ],
    paths: &[
        "/etc/apache2/mods-available/md.load",
        "/usr/lib/apache2/modules/mod_md.so",
        "/etc/httpd/modules/mod_md.so",
    ],
    lines: &[
        "MDCAChallenges dns-01",
        "MDChallengeDns01 {exe} --api-key-file KEYFILE --state-dir FOLDER",
        "MDChallengeDns01Version 2",
    ],
    note: "Apache runs it as its own user: KEYFILE and FOLDER have to belong to that user alone",
    ..Convention::UNKNOWN
};

fn setup(verb: &Verb, args: &[String], _: &Variables<'_>) -> Result<Request> {
    let [domain, value] = args else { return Err(super::wrong_count(verb.word, "2 arguments", args, HINT)) };
    call(Action::Add, domain, value)
}

/// Apex and wildcard bring two of them, which without values look the same.
fn teardown(verb: &Verb, args: &[String], _: &Variables<'_>) -> Result<Request> {
    match args {
        [domain, value] => call(Action::Remove, domain, value),
        [domain] => super::record_name(domain, HINT).map(Request::RemoveAllAt),
        _ => Err(super::wrong_count(verb.word, "1 or 2 arguments", args, HINT)),
    }
}

fn call(action: Action, domain: &str, value: &str) -> Result<Request> {
    let call = Call::new("mod_md", action, vec![super::for_domain(action, (domain, value), &HINTS)?]);
    // A name whose setup failed gets no teardown.
    Ok(Request::Solve(Call { ca_asked: CaAsked::AfterEach, ..call }))
}

#[cfg(test)]
mod tests {
    use super::super::tests::VALUE;
    use super::*;
    use crate::name::DnsName;
    use crate::order::OnFailure;

    fn request(verb: &Verb, args: &[&str]) -> Result<Request> {
        verb.parse(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>(), &|_| None)
    }

    #[test]
    fn both_versions_of_teardown_are_understood() {
        let teardown = &CONVENTION.verbs[1];
        let Ok(Request::Solve(call)) = request(teardown, &["A.example", VALUE]) else { panic!("has a value") };
        assert_eq!((call.action, call.challenges[0].value.as_str()), (Action::Remove, VALUE));
        let name = DnsName::parse("_acme-challenge.a.example").unwrap();
        assert_eq!(request(teardown, &["A.example"]).unwrap(), Request::RemoveAllAt(name));
    }

    #[test]
    fn setup_needs_the_value() {
        let setup = &CONVENTION.verbs[0];
        assert!(request(setup, &["a.example"]).is_err());
        let Ok(Request::Solve(call)) = request(setup, &["a.example", VALUE]) else { panic!("has a value") };
        assert_eq!((call.action, call.on_failure), (Action::Add, OnFailure::Undo));
    }
}
