//! Why a call failed, in words for users, and what may be done about it.

use std::time::Duration;

use crate::error::{Explain, Kind};
use crate::http::HttpError;
use crate::state::LimitError;
use crate::time::SystemClock;

use super::Limit;

/// Why a call has no result. Words of the API are in quotes, with control characters made visible and the key masked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// 401: the key is wrong (documented).
    #[error("IPv64 does not accept the API key: {0}")]
    Unauthorized(String),
    /// 403: the key may not do this (documented).
    #[error("IPv64 does not allow this with this API key: {0}")]
    Forbidden(String),
    /// 400 and other refusals of the request itself (documented), with the status.
    #[error("IPv64 rejects the request: {0} ({1})")]
    Rejected(String, u16),
    /// 429, and the pauses that fit into the deadline did not help.
    #[error("IPv64 refuses further calls {}: {words} (429)", span(.limit))]
    RateLimited {
        /// Which limit, as far as it can be told.
        limit: Limit,
        /// The API's words.
        words: String,
        /// The pause that the answer asks for.
        retry_after: Option<Duration>,
    },
    /// 5xx, a page of HTML with any status, or an answer that cannot be understood: the status, and the first 200 characters
    /// in quotes, or a description.
    #[error("IPv64 gives no usable answer: {0} with {1}")]
    Unavailable(u16, String),
    /// 3xx, and where it points, shortened: never followed, for the key would go with it.
    #[error("IPv64 answers {0}, a redirect{target}, which is not followed", target = target(.1.as_ref()))]
    Redirected(u16, Option<String>),
    /// No answer at all.
    #[error(transparent)]
    Transport(#[from] HttpError),
    /// The request did not leave.
    #[error(transparent)]
    NoPermit(#[from] LimitError),
    /// The last of several tries failed like this, but an earlier one may have been acted on.
    #[error(transparent)]
    AfterLostReply(Box<Self>),
}

impl ApiError {
    /// Returns the error itself, without the remark that an earlier try may have been acted on.
    #[must_use]
    pub fn cause(&self) -> &Self {
        match self {
            Self::AfterLostReply(last) => last.cause(),
            other => other,
        }
    }

    /// Returns whether the same call may succeed some time later without anybody doing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self.cause() {
            Self::RateLimited { .. } | Self::Unavailable { .. } | Self::NoPermit(_) => true,
            Self::Transport(error) => error.is_transient(),
            _ => false,
        }
    }

    /// Returns whether the request has got no answer of the API, or has not come so far.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        matches!(self.cause(), Self::Transport(_) | Self::Unavailable { .. } | Self::Redirected { .. })
    }

    /// Returns whether the API has given no answer that can be understood, and may give one later.
    #[must_use]
    pub fn is_no_answer(&self) -> bool {
        self.is_unanswered() && self.is_transient()
    }

    /// Returns whether no connection came about.
    #[must_use]
    pub fn is_unreached(&self) -> bool {
        matches!(self.cause(), Self::Transport(error) if !error.may_have_arrived())
    }

    /// Returns whether IPv64 may have done what was asked for all the same.
    #[must_use]
    pub fn may_have_been_stored(&self) -> bool {
        match self {
            Self::AfterLostReply(_) | Self::Unavailable { .. } => true,
            Self::Transport(error) => error.may_have_arrived(),
            _ => false,
        }
    }
}

impl Explain for ApiError {
    fn kind(&self) -> Kind {
        match self.cause() {
            Self::Unauthorized { .. } => Kind::Unauthorized,
            Self::Forbidden { .. } => Kind::Forbidden,
            Self::RateLimited { .. } => Kind::RateLimited,
            Self::Unavailable { .. } => Kind::Unavailable,
            Self::Redirected { .. } => Kind::Redirected,
            Self::Transport(error) => error.kind(),
            Self::NoPermit(error) => error.kind(),
            Self::Rejected { .. } | Self::AfterLostReply(_) => Kind::Rejected,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self.cause() {
            Self::Unauthorized { .. } => {
                "copy the API key from your account page at IPv64.net, where it may have been renewed, and store it with \
                 `ipv64-acme init`; `ipv64-acme config` shows where the key in force comes from"
            }
            Self::Forbidden { .. } => "use the account's API key, not one for updates of a domain or a record",
            Self::RateLimited { limit, .. } => return Some(limited(*limit)),
            Self::Unavailable { .. } => {
                "try again later; a page of HTML can also come from a filter or proxy on the way"
            }
            Self::Redirected { .. } => "check IPV64_API_URL; the API itself does not redirect",
            Self::Transport(error) => return error.hint(),
            Self::NoPermit(error) => return error.hint(),
            Self::Rejected { .. } | Self::AfterLostReply(_) => {
                "the text in quotes is IPv64's; `ipv64-acme domain list` and `ipv64-acme record list` show what it has"
            }
        };
        Some(hint.to_owned())
    }
}

fn limited(limit: Limit) -> String {
    let reset = SystemClock::now().next_german_midnight();
    match limit {
        Limit::Daily => format!(
            "the account's calls for today are probably used up; they are reset at midnight in Germany ({reset}): renew \
             after that, and find out what else uses this key (`ipv64-acme status`)"
        ),
        Limit::Lasting => format!(
            "perhaps another program that uses this key uses up the limit, perhaps the calls of the day are used up until \
             {reset}, midnight in Germany: see `ipv64-acme status`, and try again in some minutes"
        ),
        Limit::Burst | Limit::Unknown => format!(
            "try again in a minute; everything that uses this key shares the limit; if it persists, perhaps the calls of \
             the day are used up until {reset}, midnight in Germany: see `ipv64-acme status`"
        ),
    }
}

fn span(limit: &Limit) -> &'static str {
    match limit {
        Limit::Daily => "today",
        Limit::Burst | Limit::Lasting | Limit::Unknown => "for now",
    }
}

fn target(location: Option<&String>) -> String {
    location.map(|location| format!(" to `{location}`")).unwrap_or_default()
}
