//! The "shell" authenticator of TrueNAS: `set|unset DOMAIN RECORD VALUE`. It never looks at the exit code.

use super::{Convention, Hints, Request, Variables, Verb};
use crate::error::Result;
use crate::order::{Action, Call, OnFailure};

const HINT: &str = "TrueNAS calls the script of its shell authenticator with DOMAIN RECORD VALUE; check the path of the \
                    script";
const WRONG_TYPE: &str = "TrueNAS sends the digest of dns-01; another program seems to call this verb";
const HINTS: Hints = Hints { form: HINT, other_type: WRONG_TYPE };

/// TrueNAS.
pub const CONVENTION: Convention = Convention {
    name: "TrueNAS",
    page: "scripts",
    setting: "/usr/bin/ipv64-acme as the script of the shell authenticator",
    verbs: &[
        Verb::new("set", Action::Add, "TrueNAS adds a record: DOMAIN RECORD VALUE", parse),
        Verb::new("unset", Action::Remove, "TrueNAS removes a record: DOMAIN RECORD VALUE", parse),
    ],
    ..Convention::UNKNOWN
};

fn parse(verb: &Verb, args: &[String], _: &Variables<'_>) -> Result<Request> {
    let [_domain, record, value] = args else {
        return Err(super::wrong_count(verb.word, "3 arguments", args, HINT));
    };
    let challenge = super::for_record(verb.action, (record, value), &HINTS)?;
    // Whatever the script ends with, TrueNAS asks the CA and then calls unset: a record that is only late may still be found.
    let call = Call::new("truenas", verb.action, vec![challenge]);
    Ok(Request::Solve(Call { on_failure: OnFailure::Leave, ..call }))
}

#[cfg(test)]
mod tests {
    use super::super::tests::VALUE;
    use super::*;

    #[test]
    fn the_record_stays_until_it_is_unset() {
        let args = ["a.example", "_acme-challenge.A.example", VALUE].map(str::to_owned);
        let Ok(Request::Solve(call)) = parse(&CONVENTION.verbs[0], &args, &|_| None) else { panic!("{args:?}") };
        assert_eq!(call.challenges[0].name.as_str(), "_acme-challenge.a.example");
        assert_eq!(call.on_failure, OnFailure::Leave);
    }
}
