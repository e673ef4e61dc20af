//! A whole order at once: a JSON array of records, `[{"name": "_acme-challenge.a.example", "value": "…"}, …]`. Made for
//! the certbot plugin, good for any script. Where the text comes from is left to the command.

use serde::Deserialize;

use super::invalid;
use crate::challenge::Challenge;
use crate::error::Result;
use crate::excerpt::visible;
use crate::order::{Action, Call, OnFailure};

/// The most octets of a batch: some 500 records, where a CA takes 100 names (Let's Encrypt's documented limit).
pub const MOST_OCTETS: usize = 64 * 1024;

const HINT: &str = "pass a JSON array on stdin: [{\"name\": \"_acme-challenge.example.org\", \"value\": \"…\"}], names in \
                    full";
const WRONG_TYPE: &str = "pass the digest that dns-01 publishes, not the key authorization";

/// One record as it stands in the array. A field that is not known here may mean something: it is an error.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    name: String,
    value: String,
}

/// Reads a batch.
///
/// # Errors
/// [`crate::error::Kind::InvalidCall`] for a text that is too long, no such array, or empty, and for the first record that cannot be.
pub fn parse(action: Action, text: &[u8]) -> Result<Call> {
    if text.len() > MOST_OCTETS {
        return Err(invalid(format!("the batch has more than {MOST_OCTETS} octets"), HINT));
    }
    // The parser repeats names of unknown fields.
    let items: Vec<Item> = serde_json::from_slice(text).map_err(|error| {
        invalid(format!("the batch on stdin cannot be read: {}", visible(&error.to_string())), HINT)
    })?;
    if items.is_empty() {
        return Err(invalid("the batch on stdin contains no record", HINT));
    }
    let challenges = items.iter().map(|item| {
        let name = super::name(&item.name, HINT)?;
        // Dropping the `*.` would act on another name than the one that stands there.
        if name != name.without_wildcard() {
            return Err(invalid(format!("`{name}` is not the name of a record"), HINT));
        }
        Ok(Challenge { name, value: super::value(action, &item.value, WRONG_TYPE)? })
    });
    // certbot calls the clean-up of its plugin for every challenge, also after a failure.
    Ok(Call { on_failure: OnFailure::Leave, ..Call::new("batch", action, challenges.collect::<Result<_>>()?) })
}

#[cfg(test)]
mod tests {
    use super::super::tests::VALUE;
    use super::*;

    #[test]
    fn records_are_taken_in_order_with_their_full_names() {
        let record = |name: &str| format!(r#"{{"name":"{name}","value":"{VALUE}"}}"#);
        let text = format!("[{},{}]", record("_acme-challenge.A.example."), record("x.alias.ipv64.net"));
        let call = parse(Action::Add, text.as_bytes()).unwrap();
        let records: Vec<_> = call.challenges.iter().map(|c| format!("{} {}", c.name, c.value)).collect();
        let names = ["_acme-challenge.a.example", "x.alias.ipv64.net"];
        assert_eq!(records, names.map(|name| format!("{name} {VALUE}")));
    }

    #[test]
    fn everything_else_is_refused_with_the_reason() {
        let long = format!("[{}]", " ".repeat(MOST_OCTETS));
        let table: [(&str, &str); 14] = [
            (r#"[{"name":"*.a.example","value":"v"}]"#, "not the name of a record"),
            (r#"[{"name":"＊.a.example","value":"v"}]"#, "not the name of a record"),
            ("", "EOF"),
            ("{}", "sequence"),
            ("[]", "no record"),
            ("[{}]", "missing field"),
            (r#"[{"name":"a.example"}]"#, "`value`"),
            (r#"[{"name":"a.example","value":"v","ttl":5}]"#, "`ttl`"),
            ("[{\"name\":\"a.example\",\"value\":\"v\",\"\\u001b\":5}]", "\\u{1b}"),
            (r#"[{"name":"a..example","value":"v"}]"#, "a..example"),
            (r#"[{"name":"a.example","value":"t.thumb"}]"#, "key authorization"),
            (r#"[{"name":"a.example","value":"v"}]"#, "`v` was taken as the value"),
            (r#"[{"name":"a.example","value":"v"}] x"#, "trailing"),
            (&long, "more than"),
        ];
        for (text, word) in table {
            let error = parse(Action::Add, text.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(word), "{text:.40}: {error}");
            assert!(!error.hint().unwrap().is_empty());
        }
        assert!(parse(Action::Add, &[0xff, 0xfe]).is_err());
        assert!(parse(Action::Add, "[".repeat(2000).as_bytes()).is_err());
    }
}
