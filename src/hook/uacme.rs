//! uacme's `-h` program: `begin|done|failed TYPE IDENTIFIER TOKEN VALUE`. It offers every challenge type of the CA until
//! one is accepted, so that declining is part of a good run.

use super::{Convention, Hints, Request, Variables, Verb};
use crate::error::Result;
use crate::exit::Exit;
use crate::order::{Action, CaAsked, Call};

const HINT: &str = "uacme calls its hook with METHOD TYPE IDENTIFIER TOKEN VALUE; give it as `-h PATH`, and look at \
                    UACME_HOOK in OpenWrt";
const WRONG_TYPE: &str = "this uacme sends no digest with dns-01: update it";
const HINTS: Hints = Hints { form: HINT, other_type: WRONG_TYPE };

/// uacme.
pub const CONVENTION: Convention = Convention {
    name: "uacme",
    page: "uacme",
    setting: "-h /usr/bin/ipv64-acme",
    verbs: &[
        Verb::new("begin", Action::Add, "uacme adds a record: TYPE IDENTIFIER TOKEN VALUE", parse),
        Verb::new("done", Action::Remove, REMOVES, parse),
        Verb::new("failed", Action::Remove, REMOVES, parse),
    ],
    programs: &["uacme"],
    lines: &["uacme -h {exe} issue DOMAIN '*.DOMAIN'"],
    ..Convention::UNKNOWN
};
const REMOVES: &str = "uacme removes a record: TYPE IDENTIFIER TOKEN VALUE";

/// Reads one call. A challenge type that is not ours is declined at once (`begin`), or needs nothing done.
fn parse(verb: &Verb, args: &[String], _: &Variables<'_>) -> Result<Request> {
    let [kind, identifier, _token, value] = args else {
        return Err(super::wrong_count(verb.word, "4 arguments", args, HINT));
    };
    if kind != "dns-01" {
        return Ok(Request::Nothing(if verb.action == Action::Add { Exit::Failed } else { Exit::Done }));
    }
    let challenge = super::for_domain(verb.action, (identifier, value), &HINTS)?;
    // A declined challenge is not cleaned up.
    let call = Call::new("uacme", verb.action, vec![challenge]);
    Ok(Request::Solve(Call { ca_asked: CaAsked::AfterEach, ..call }))
}

#[cfg(test)]
mod tests {
    use super::super::tests::VALUE;
    use super::*;

    fn request(action: Action, args: [&str; 4]) -> Result<Request> {
        let verb = CONVENTION.verbs.iter().find(|verb| verb.action == action).unwrap();
        parse(verb, &args.map(str::to_owned), &|_| None)
    }

    #[test]
    fn other_types_are_declined_and_never_cleaned_up() {
        for kind in ["http-01", "tls-alpn-01", "dns-account-01", "DNS-01", ""] {
            let args = [kind, "a.example", "tok", "tok.thumb"];
            assert_eq!(request(Action::Add, args).unwrap(), Request::Nothing(Exit::Failed));
            assert_eq!(request(Action::Remove, args).unwrap(), Request::Nothing(Exit::Done));
        }
    }

    #[test]
    fn dns_01_is_solved() {
        let Ok(Request::Solve(call)) = request(Action::Add, ["dns-01", "a.example", "-tok", VALUE]) else {
            panic!("has to be solved")
        };
        assert_eq!(call.challenges[0].name.as_str(), "_acme-challenge.a.example");
        assert_eq!(call.challenges[0].value.as_str(), VALUE);
        assert_eq!(call.ca_asked, CaAsked::AfterEach);
    }
}
