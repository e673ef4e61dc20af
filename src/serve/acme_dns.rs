//! The dialect of acme-dns: `/update` with an account that stands for one record. Its clients never remove a value: it goes
//! after some time, or with the third one, as there.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::dialect::{Asked, Malformed, Problem, digest, pending};
use super::engine::ACME_DNS;
use super::{Goal, Refusal};
use crate::challenge::Challenge;
use crate::name::DnsName;

/// The headers with the account.
pub const USER: &str = "x-api-user";
/// The key of the account.
pub const KEY: &str = "x-api-key";
/// The time for an answer.
const PATIENCE: Duration = Duration::from_secs(25);

/// What a client wants to be published.
#[derive(Debug, Deserialize)]
pub struct Update {
    /// The third part of the account.
    pub subdomain: String,
    txt: String,
}

impl Update {
    /// Reads a request, whatever its content type: acme.sh sends that of a form.
    #[must_use]
    pub fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    /// Returns what is asked for the record of the account.
    ///
    /// # Errors
    /// [`Malformed::Value`]
    pub fn asked(self, record: DnsName) -> Result<Asked, Malformed> {
        let (sent_name, value) = (record.to_string(), digest(&self.txt)?);
        let challenge = Challenge { name: record, value };
        Ok(Asked { challenge, program: ACME_DNS.to_owned(), sent_name, goal: Goal::Ready, within: PATIENCE })
    }
}

/// Returns the body for what was done, or still goes on.
#[must_use]
pub fn done(asked: &Asked, is_pending: bool) -> Value {
    pending(json!({ "txt": asked.challenge.value }), is_pending)
}

/// Returns the body for what was not done, in the words of acme-dns where it has some.
#[must_use]
pub fn problem(problem: Problem) -> Value {
    let words = match problem {
        Problem::Malformed(Malformed::Value) => "bad_txt",
        Problem::Refused(refusal) if refusal != Refusal::CallsUsedUp => "forbidden",
        _ => problem.words(),
    };
    json!({ "error": words })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    const VALUE: &str = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0";

    #[test]
    fn an_update_is_one_of_the_record_of_the_account() {
        let body = json!({ "subdomain": "8e5700ea-a4bf-41c7-8a77-e990661dcc6a", "txt": VALUE });
        let update = Update::read(body.to_string().as_bytes()).unwrap();
        assert_eq!(update.subdomain, "8e5700ea-a4bf-41c7-8a77-e990661dcc6a");
        let asked = update.asked("_acme-challenge.a.example".parse().unwrap()).unwrap();
        assert_eq!(asked.challenge.name.as_str(), "_acme-challenge.a.example");
        assert_eq!(done(&asked, false), json!({ "txt": VALUE }));
    }

    #[test]
    fn problems_have_the_words_of_acme_dns() {
        let short = Update::read(br#"{"subdomain":"x","txt":"short"}"#).unwrap();
        let malformed = short.asked("a.example".parse().unwrap()).unwrap_err();
        assert_eq!(problem(Problem::Malformed(malformed)), json!({ "error": "bad_txt" }));
        for refusal in [Refusal::UnknownClient, Refusal::Address, Refusal::Name, Refusal::Record] {
            assert_eq!(problem(Problem::Refused(refusal)), json!({ "error": "forbidden" }));
        }
        let away = Problem::Failed(Kind::Unreachable, Duration::ZERO);
        assert_eq!(problem(away), json!({ "error": "the broker gets no answer from IPv64" }));
        for body in ["", "{}", "[]", r#"{"subdomain":"x","txt":1}"#, r#"{"subdomain":"x","txt":"","txt":""}"#] {
            assert!(Update::read(body.as_bytes()).is_none(), "{body}");
        }
    }
}
