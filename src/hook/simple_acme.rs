//! simple-acme's and win-acme's script validation with its default templates: `create {Identifier} {RecordName} {Token}`
//! and `delete` with the same. The record name is the one at the end of all CNAMEs.

use super::{Convention, Hints, Request, Variables, Verb};
use crate::error::Result;
use crate::order::{Action, CaAsked, Call};

const HINT: &str = "leave the script arguments as they are: `create {Identifier} {RecordName} {Token}` and `delete \
                    {Identifier} {RecordName} {Token}`";
const WRONG_TYPE: &str = "the last argument has to be `{Token}`, and the validation method dns-01";
const HINTS: Hints = Hints { form: HINT, other_type: WRONG_TYPE };

/// simple-acme.
pub const CONVENTION: Convention = Convention {
    name: "simple-acme",
    page: "simple-acme",
    setting: "/usr/bin/ipv64-acme as the script, with its default arguments",
    verbs: &[
        Verb::new("create", Action::Add, "simple-acme adds a record: IDENTIFIER RECORD VALUE", parse),
        Verb::new("delete", Action::Remove, "simple-acme removes a record: IDENTIFIER RECORD VALUE", parse),
    ],
    ..Convention::UNKNOWN
};

fn parse(verb: &Verb, args: &[String], _: &Variables<'_>) -> Result<Request> {
    let [_identifier, record, value] = args else {
        return Err(super::wrong_count(verb.word, "3 arguments", args, HINT));
    };
    let challenge = super::for_record(verb.action, (record, value), &HINTS)?;
    // Only what was created with success is deleted.
    let call = Call::new("simple-acme", verb.action, vec![challenge]);
    Ok(Request::Solve(Call { ca_asked: CaAsked::AfterEach, ..call }))
}

#[cfg(test)]
mod tests {
    use super::super::tests::VALUE;
    use super::*;

    #[test]
    fn the_record_name_is_taken_as_it_is() {
        let args = ["shop.example.org", "shop.alias.ipv64.net", VALUE].map(str::to_owned);
        let Ok(Request::Solve(call)) = parse(&CONVENTION.verbs[1], &args, &|_| None) else { panic!("{args:?}") };
        assert_eq!(call.challenges[0].name.as_str(), "shop.alias.ipv64.net");
        assert_eq!(call.challenges[0].value.as_str(), VALUE);
    }
}
