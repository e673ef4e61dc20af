//! simple-acme's and win-acme's script validation with its default templates: `create {Identifier} {RecordName} {Token}`
//! and `delete` with the same. The record name is the one at the end of all CNAMEs.

use super::HookError;
use crate::order::{Action, CaAsked, Call, OnFailure, Wait};

const HINT: &str = "leave the script arguments as they are: `create {Identifier} {RecordName} {Token}` and `delete \
                    {Identifier} {RecordName} {Token}`";
const WRONG_TYPE: &str = "the last argument has to be `{Token}`, and the validation method dns-01";

/// Reads one call.
///
/// # Errors
/// [`HookError`] for arguments that the default templates do not make.
pub fn parse(action: Action, args: &[String]) -> Result<Call, HookError> {
    let verb = if action == Action::Add { "create" } else { "delete" };
    let [_identifier, record, value] = args else {
        return Err(super::wrong_count(verb, "3 arguments", args, HINT));
    };
    Ok(Call {
        client: "simple-acme",
        action,
        challenges: vec![super::for_record(record, super::value(value, WRONG_TYPE)?, HINT)?],
        wait: Wait::Now,
        // Only what was created with success is deleted.
        on_failure: OnFailure::Undo,
        ca_asked: CaAsked::AfterEach,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_name_is_taken_as_it_is() {
        let args = ["shop.example.org", "shop.alias.ipv64.net", "-v"].map(str::to_owned);
        let call = parse(Action::Remove, &args).unwrap();
        assert_eq!(call.challenges[0].name.as_str(), "shop.alias.ipv64.net");
        assert_eq!(call.challenges[0].value.as_str(), "-v");
    }
}
