//! Why a broker has not done what it was asked for, in words for users. What a broker says of itself is in quotes, with
//! control characters made visible and the token masked.

use std::time::Duration;

use super::protocol::ErrorDocument;
use crate::error::{Explain, Kind};
use crate::excerpt::excerpt;
use crate::exit::Exit;
use crate::http::{HttpError, HttpResponse};
use crate::secret::Secret;

/// How much of an answer an error keeps, in characters.
const KEPT: usize = 200;

/// Why a request to a broker has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct BrokerError {
    cause: Cause,
    /// Whether this or an earlier try may have been acted on.
    may_be_done: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Cause {
    #[error("{}: {words} ({status})", refusal(*kind))]
    Refused { kind: Kind, status: u16, words: String, hint: Option<String>, retry_after: Option<Duration> },
    #[error("no broker answers at this address: {0} with {1}")]
    Unusable(u16, String),
    #[error("the broker answers {0}, a redirect, which is not followed")]
    Redirected(u16),
    #[error("no answer from the broker: {0}")]
    NoAnswer(HttpError),
}

impl BrokerError {
    /// Reads an answer to a request with a token.
    ///
    /// # Errors
    /// What the broker says instead, or that it is none.
    pub fn read<T: serde::de::DeserializeOwned>(answer: &HttpResponse, token: &Secret) -> Result<T, Self> {
        let HttpResponse { status, retry_after, .. } = *answer;
        let clean = |text: &str| excerpt(&token.mask_in(text), KEPT);
        if (200..300).contains(&status)
            && let Ok(value) = serde_json::from_slice(&answer.body)
        {
            return Ok(value);
        }
        let cause = match serde_json::from_slice::<ErrorDocument>(&answer.body) {
            Ok(ErrorDocument { error }) if status >= 400 => Cause::Refused {
                kind: known(&error.kind).unwrap_or_else(|| by_status(status)),
                status,
                words: format!("\"{}\"", clean(&error.message)),
                hint: error.hint.as_deref().map(clean).filter(|hint| !hint.is_empty()),
                retry_after,
            },
            _ if (300..400).contains(&status) => Cause::Redirected(status),
            _ if matches!(status, 401 | 429) => {
                let (kind, words) = (by_status(status), "no reason given".to_owned());
                Cause::Refused { kind, status, words, hint: None, retry_after }
            }
            _ if answer.body.is_empty() => Cause::Unusable(status, "an empty body".to_owned()),
            _ => Cause::Unusable(status, format!("\"{}\"", clean(&String::from_utf8_lossy(&answer.body)))),
        };
        Err(Self { cause, may_be_done: !(300..500).contains(&status) })
    }

    /// Returns whether the broker may have done what it was asked for all the same.
    #[must_use]
    pub fn may_be_done(&self) -> bool {
        self.may_be_done
    }

    /// Returns whether the same request may succeed some time later without anybody doing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match &self.cause {
            Cause::Refused { kind, .. } => matches!(kind.exit(), Exit::RateLimit | Exit::NoAnswer),
            Cause::Unusable(status, _) => !(300..500).contains(status),
            Cause::Redirected(_) => false,
            Cause::NoAnswer(error) => error.is_transient(),
        }
    }

    /// Whether the same request may succeed within a minute.
    pub(super) fn is_worth_a_try(&self) -> bool {
        use Kind::{BrokerCallsUsedUp, QuotaReserved, QuotaUsedUp};
        let is_for_today = matches!(self.kind(), BrokerCallsUsedUp | QuotaReserved | QuotaUsedUp);
        self.is_transient() && !is_for_today
    }

    /// Whether the request only waits for its turn.
    pub(super) fn is_queued(&self) -> bool {
        matches!(self.cause, Cause::Refused { kind: Kind::BrokerBusy, .. })
    }

    /// The pause that the broker asks for.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self.cause {
            Cause::Refused { retry_after, .. } => retry_after,
            _ => None,
        }
    }

    /// The same after an earlier try that may have been acted on.
    pub(super) fn after_lost_reply(self) -> Self {
        Self { may_be_done: true, ..self }
    }
}

impl From<HttpError> for BrokerError {
    fn from(error: HttpError) -> Self {
        Self { may_be_done: error.may_have_arrived(), cause: Cause::NoAnswer(error) }
    }
}

impl Explain for BrokerError {
    fn kind(&self) -> Kind {
        match &self.cause {
            Cause::Refused { kind, .. } => *kind,
            Cause::Unusable(..) => Kind::BrokerUnusable,
            Cause::Redirected(_) => Kind::Redirected,
            Cause::NoAnswer(error) => error.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match &self.cause {
            Cause::Refused { kind: Kind::BrokerUnauthorized, .. } => {
                "on the broker, `client rotate NAME` makes a new token: save it in the file that IPV64_BROKER_TOKEN_FILE names; \
                 `ipv64-acme config` shows where the token in force comes from"
            }
            Cause::Refused { kind: Kind::BrokerNotAllowed, .. } => {
                "on the broker, check the file of this client: `allow` has to list the name, `alias` the record at the end of \
                 its CNAME, and `from`, if it is set, the address of this machine; `ipv64-acme audit` there shows which rule it was"
            }
            Cause::Refused { kind: Kind::BrokerCallsUsedUp, .. } => {
                "renew tomorrow (German time), or raise `calls_per_day` in the file of this client on the broker"
            }
            Cause::Refused { hint: Some(hint), .. } => return Some(format!("the broker says: {hint}")),
            Cause::Refused { .. } => {
                "there is nothing to fix on this machine: see `ipv64-acme status` and `ipv64-acme audit` on the broker"
            }
            Cause::Unusable(..) | Cause::Redirected(_) => {
                "check IPV64_BROKER: it is the address of an `ipv64-acme serve`; a filter or proxy on the way can also answer like this"
            }
            Cause::NoAnswer(error) => return hint_of(error),
        };
        Some(hint.to_owned())
    }
}

/// What helps where a broker is not reached: it is a machine of the user's own.
fn hint_of(error: &HttpError) -> Option<String> {
    match error.kind() {
        Kind::Unreachable | Kind::ConnectionClosed | Kind::NotHttp => Some(
            "check that `ipv64-acme serve` runs on the broker, and that IPV64_BROKER has its address and port"
                .to_owned(),
        ),
        Kind::Tls => Some(format!(
            "name the CA of the broker's certificate in IPV64_CA_FILE, unless the system trusts it; else {}",
            error.hint().unwrap_or_default()
        )),
        _ => error.hint(),
    }
}

/// What a refusal of a kind is, in words.
const fn refusal(kind: Kind) -> &'static str {
    match kind {
        Kind::BrokerUnauthorized => "the broker does not accept the token of this machine",
        Kind::BrokerNotAllowed => "the broker does not allow this machine to do this",
        Kind::BrokerCallsUsedUp => "this machine has used up its API calls at the broker for today",
        _ => "the broker could not do it",
    }
}

/// The kind with a word; nothing for one of a later version.
fn known(word: &str) -> Option<Kind> {
    Kind::ALL.iter().copied().find(|kind| *kind == *word)
}

const fn by_status(status: u16) -> Kind {
    match status {
        401 => Kind::BrokerUnauthorized,
        403 => Kind::BrokerNotAllowed,
        429 => Kind::RateLimited,
        500.. => Kind::Unavailable,
        _ => Kind::Rejected,
    }
}
