//! Who adds and removes the records: the IPv64 API, with the account's key, or a broker, which has the key and everything that
//! hangs on it: the list of domains, the request window, the calls of the day.

use super::Solver;
use crate::api::{self, ApiError};
use crate::broker;
use crate::broker::error::BrokerError;
use crate::error::Error;

/// Who adds and removes the records.
pub enum Upstream {
    /// The IPv64 API.
    Api(api::Client),
    /// A broker.
    Broker(broker::client::Client),
}

impl Upstream {
    /// Returns its name for messages.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Api(_) => "IPv64",
            Self::Broker(_) => "the broker",
        }
    }
}

impl Solver<'_> {
    pub(super) const fn has_broker(&self) -> bool {
        matches!(self.upstream, Upstream::Broker(_))
    }
}

/// Whether whoever adds and removes the records is the reason of an error, which would be the same for the next request.
#[must_use]
pub fn is_about_upstream(error: &Error) -> bool {
    error.find::<ApiError>().is_some() || error.find::<BrokerError>().is_some()
}

/// Whether it fails in a way that passes by itself.
pub(super) fn is_transient(error: &Error) -> bool {
    error.find().is_some_and(ApiError::is_transient) || error.find().is_some_and(BrokerError::is_transient)
}

/// Whether what was asked for may be done all the same.
pub(super) fn may_be_done(error: &Error) -> bool {
    match (error.find::<ApiError>(), error.find::<BrokerError>()) {
        (Some(error), _) => error.may_have_been_stored(),
        (_, Some(error)) => error.may_be_done(),
        (None, None) => true,
    }
}
