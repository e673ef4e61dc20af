//! What all dialects share: what a request asks for, what stands in its way, and what is answered. The words of an answer are
//! constant: they tell nothing of others, and clients that compare them see no change where there is none.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::Value;

use super::{Goal, Refusal};
use crate::challenge::{Challenge, TxtValue};
use crate::error::{Explain as _, Kind};
use crate::exit::Exit;
use crate::name::DnsName;

/// When a client without calls for the day may come again.
const CALLS_USED_UP: Duration = Duration::from_secs(3600);
/// When a client may come again that did not want to wait any longer.
const NOT_READY: Duration = Duration::from_secs(5);

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The name of the challenge and its value.
    pub challenge: Challenge,
    /// Which program asks, for the journal.
    pub program: String,
    /// The name as it was sent.
    pub sent_name: String,
    /// When a present is answered.
    pub goal: Goal,
    /// The time for the answer.
    pub within: Duration,
}

/// Why a request is not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// The body is too large, or ends in the middle.
    Unreadable,
    /// The body has not come in time.
    Late,
    /// The body is of a type that nobody reads.
    ContentType,
    /// The body is not the document that belongs here.
    Document,
    /// A name is none.
    Name,
    /// The value is none of dns-01.
    Value,
}

/// Why a request has not got what it asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// It is not understood.
    Malformed(Malformed),
    /// The client may not.
    Refused(Refusal),
    /// Nobody gets an account of acme-dns by asking for one.
    Registration,
    /// It failed, and may be tried again after this time.
    Failed(Kind, Duration),
    /// It is not ready, and its client does not want to hear that it goes on.
    NotReady,
}

impl Problem {
    /// Returns the status of HTTP.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::Malformed(Malformed::Unreadable) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Malformed(Malformed::Late) => StatusCode::REQUEST_TIMEOUT,
            Self::Malformed(Malformed::ContentType) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Refused(Refusal::UnknownClient) => StatusCode::UNAUTHORIZED,
            Self::Refused(Refusal::CallsUsedUp) => StatusCode::TOO_MANY_REQUESTS,
            Self::Refused(_) | Self::Registration => StatusCode::FORBIDDEN,
            Self::Failed(kind, _) if kind.exit() == Exit::RateLimit => StatusCode::TOO_MANY_REQUESTS,
            Self::Failed(..) | Self::NotReady => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Returns when to come again, in whole seconds.
    #[must_use]
    pub fn retry_after(self) -> Option<u64> {
        let after = match self {
            Self::Refused(Refusal::CallsUsedUp) => CALLS_USED_UP,
            Self::Malformed(_) | Self::Refused(_) | Self::Registration => return None,
            Self::Failed(_, after) => after,
            Self::NotReady => NOT_READY,
        };
        Some(after.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX).max(1))
    }

    /// Returns the kind of the error, as a hook would end with it.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Self::Malformed(_) => Kind::InvalidCall,
            Self::Refused(refusal) => refusal.kind(),
            Self::Registration => Kind::BrokerNotAllowed,
            Self::Failed(kind, _) => kind,
            Self::NotReady => Kind::NotPropagated,
        }
    }

    /// Returns what it is, in words for the client.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Malformed(Malformed::Unreadable) => "the body is larger than 4096 bytes, or broken",
            Self::Malformed(Malformed::Late) => "the body did not arrive within 10 seconds",
            Self::Malformed(Malformed::ContentType) => "the content type has to be application/json",
            Self::Malformed(Malformed::Document) => "the body is not the JSON document that this path takes",
            Self::Malformed(Malformed::Name) => "the name is not a domain name",
            Self::Malformed(Malformed::Value) => {
                "the value is not a dns-01 value, which has 43 characters of base64url"
            }
            Self::Refused(refusal) => refusal.words(),
            Self::Registration => {
                "accounts are made on the broker: ipv64-acme client add NAME --allow DOMAIN --acme-dns DOMAIN"
            }
            Self::Failed(kind, _) => failure(kind),
            Self::NotReady => "not every name server has the record yet",
        }
    }

    /// Returns what the audit log says: which rule it was, too.
    #[must_use]
    pub fn outcome(self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::Refused(Refusal::UnknownClient) => "unknown_client",
            Self::Refused(Refusal::Address) => "address_not_allowed",
            Self::Refused(Refusal::Name) => "name_not_allowed",
            Self::Refused(Refusal::Record) => "record_not_allowed",
            Self::Refused(Refusal::CallsUsedUp) => "calls_used_up",
            Self::Registration => "registration_refused",
            Self::Failed(kind, _) => kind.as_str(),
            Self::NotReady => "not_ready",
        }
    }
}

/// What a failure of a kind is, in words for a client, who has nothing to mend.
fn failure(kind: Kind) -> &'static str {
    match (kind, kind.exit()) {
        (Kind::BrokerBusy, _) => "it has not had its turn yet: others are served first",
        (Kind::RateLimited, _) => "the IPv64 account has reached its rate limit for now",
        (_, Exit::RateLimit) => "the IPv64 account has used up its API calls for today",
        (Kind::CnameLoop | Kind::CnameTooLong, _) => "the chain of CNAMEs of this name is a loop, or too long",
        (Kind::NameServersUnreachable, _) => "no name server answers for this name",
        (_, Exit::NoDomain) => "no domain of the broker's account covers this name",
        (_, Exit::NotPropagated) => "not every name server had the record in time",
        (_, Exit::NoAnswer) => "the broker gets no answer from IPv64",
        _ => "the broker cannot do this at the moment: `ipv64-acme audit` on the broker shows the kind of error",
    }
}

/// Puts into the body of an answer whether the work still goes on.
#[must_use]
pub fn pending(mut body: Value, is_pending: bool) -> Value {
    if is_pending {
        body["state"] = "pending".into();
    }
    body
}

/// Reads a value of dns-01.
///
/// # Errors
/// [`Malformed::Value`] for every other text.
pub fn digest(text: &str) -> Result<TxtValue, Malformed> {
    TxtValue::parse(text).ok().filter(TxtValue::is_digest).ok_or(Malformed::Value)
}

/// Reads a name.
///
/// # Errors
/// [`Malformed::Name`]
pub fn name(text: &str) -> Result<DnsName, Malformed> {
    text.parse().map_err(|_| Malformed::Name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_problem_has_its_status_and_nothing_tells_which_rule_it_was() {
        let address = Problem::Refused(Refusal::Address);
        for same in [Refusal::Name, Refusal::Record].map(Problem::Refused) {
            assert_eq!((same.status().as_u16(), same.words(), same.kind()), (403, address.words(), address.kind()));
            assert_ne!(same.outcome(), address.outcome());
        }
        let away = |kind| Problem::Failed(kind, Duration::from_millis(1500));
        let rows = [
            (Problem::Malformed(Malformed::Document), 400, None),
            (Problem::Malformed(Malformed::ContentType), 415, None),
            (Problem::Malformed(Malformed::Value), 400, None),
            (Problem::Refused(Refusal::UnknownClient), 401, None),
            (Problem::Refused(Refusal::CallsUsedUp), 429, Some(3600)),
            (away(Kind::QuotaUsedUp), 429, Some(2)),
            (away(Kind::RateLimited), 429, Some(2)),
            (away(Kind::Unreachable), 503, Some(2)),
            (away(Kind::NoDomain), 503, Some(2)),
            (Problem::NotReady, 503, Some(5)),
        ];
        for (problem, status, retry_after) in rows {
            assert_eq!((problem.status().as_u16(), problem.retry_after()), (status, retry_after), "{problem:?}");
        }
        assert_eq!(Problem::Failed(Kind::Unreachable, Duration::ZERO).retry_after(), Some(1));
        assert!(Problem::Malformed(Malformed::Unreadable).words().contains(&super::super::LARGEST_BODY.to_string()));
    }

    #[test]
    fn only_a_digest_is_a_value() {
        let value = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0";
        assert_eq!(digest(value).unwrap().as_str(), value);
        for other in ["", "x", &value[1..], &format!("{value}x"), "token.thumb", &value.replace('L', "+")] {
            assert_eq!(digest(other), Err(Malformed::Value), "{other}");
        }
    }
}
