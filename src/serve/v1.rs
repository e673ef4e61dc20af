//! Our own dialect, `/v1`: the documents of [`crate::broker::protocol`]. A hook waits for the name servers itself, so it is
//! answered as soon as IPv64 has the record.

use std::time::Duration;

use serde_json::{Value, json};

use super::Goal;
use super::dialect::{Asked, Malformed, Problem, digest};
use super::grant::Grant;
use crate::broker::protocol::{ClientAnswer, ErrorBody, ErrorDocument, RecordAnswer, RecordRequest};
use crate::challenge::Challenge;
use crate::excerpt::excerpt;
use crate::name::DnsName;

/// The time for an answer: a hook waits for 30 seconds unless its settings say otherwise.
const PATIENCE: Duration = Duration::from_secs(25);
/// The longest name of a program, in characters.
const LONGEST_PROGRAM: usize = 40;

/// Reads a request. `media_type` is in lower case, without parameters.
///
/// # Errors
/// [`Malformed`]
pub fn read(media_type: Option<&str>, body: &[u8]) -> Result<Asked, Malformed> {
    if media_type != Some("application/json") {
        return Err(Malformed::ContentType);
    }
    let request: RecordRequest = serde_json::from_slice(body).map_err(|_| Malformed::Document)?;
    let value = digest(&request.value)?;
    Ok(Asked {
        sent_name: request.name.to_string(),
        challenge: Challenge { name: request.name, value },
        program: excerpt(&request.client, LONGEST_PROGRAM),
        goal: Goal::Stored,
        within: PATIENCE,
    })
}

/// Returns the body for what was done.
#[must_use]
pub fn done(record: &DnsName, domain: Option<&DnsName>, changed: bool) -> Value {
    json!(RecordAnswer { record: record.clone(), domain: domain.cloned(), changed })
}

/// Returns the body that says what a client may do.
#[must_use]
pub fn client(grant: &Grant) -> Value {
    json!(ClientAnswer {
        client: grant.client.clone(),
        allow: grant.allow.iter().map(ToString::to_string).collect(),
        alias: grant.alias.iter().map(ToString::to_string).collect(),
        calls_per_day: grant.calls_per_day,
    })
}

/// Returns the body for what was not done.
#[must_use]
pub fn problem(problem: Problem) -> Value {
    let (kind, message) = (problem.kind().as_str().to_owned(), problem.words().to_owned());
    json!(ErrorDocument { error: ErrorBody { kind, message, hint: None } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::Refusal;

    const VALUE: &str = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0";
    const JSON: Option<&str> = Some("application/json");

    #[test]
    fn a_hook_is_understood_and_answered_in_the_documents_of_the_protocol() {
        let request = json!({ "name": "_acme-challenge.a.example", "value": VALUE, "client": "certbot\u{1b}[31m" });
        let asked = read(JSON, request.to_string().as_bytes()).unwrap();
        assert_eq!((asked.program.as_str(), asked.goal), ("certbot\\u{1b}[31m", Goal::Stored));
        let name = &asked.challenge.name;
        let expected = json!({ "record": "_acme-challenge.a.example", "domain": null, "changed": false });
        assert_eq!(done(name, None, false), expected);
        assert_eq!(done(name, Some(&"a.example".parse().unwrap()), true)["domain"], "a.example");
        let refused = problem(Problem::Refused(Refusal::Record));
        let words = "this client is not allowed to do this; `ipv64-acme audit` on the broker shows why";
        assert_eq!(refused, json!({ "error": { "kind": "broker_not_allowed", "message": words, "hint": null } }));
    }

    #[test]
    fn everything_else_is_refused() {
        let name = "_acme-challenge.a.example";
        let rows = [
            (json!({ "name": name, "value": VALUE }), Malformed::Document),
            (json!({ "name": name, "value": VALUE, "client": "x", "more": 1 }), Malformed::Document),
            (json!({ "name": "a..b", "value": VALUE, "client": "x" }), Malformed::Document),
            (json!({ "name": name, "value": "short", "client": "x" }), Malformed::Value),
            (json!([]), Malformed::Document),
        ];
        for (body, expected) in rows {
            assert_eq!(read(JSON, body.to_string().as_bytes()), Err(expected), "{body}");
        }
        assert_eq!(read(Some("text/plain"), b"{}"), Err(Malformed::ContentType));
        assert_eq!(read(None, b"{}"), Err(Malformed::ContentType));
    }
}
