//! What a path stands for: a dialect, and what is done in it. Endpoints may have a path of their own, below which clients put
//! theirs.

use axum::http::Method;
use serde_json::Value;

use super::dialect::Problem;
use super::{acme_dns, httpreq, v1};
use crate::broker::protocol;
use crate::order::Action;

/// What a path stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// A record is added or removed.
    Record(Dialect, Action),
    /// A client asks what it may do.
    Client,
    /// Somebody wants an account of acme-dns.
    Register,
    /// Somebody looks whether there is an acme-dns.
    Health,
}

/// In which words a request is made and answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Our own.
    V1,
    /// That of lego's `httpreq`.
    Httpreq,
    /// That of acme-dns.
    AcmeDns,
}

impl Route {
    /// Returns what a path stands for; nothing if that is nothing.
    #[must_use]
    pub fn of(path: &str) -> Option<Self> {
        let ends_with = |end: &str| path.ends_with(end);
        let route = match path.rsplit('/').next()? {
            "present" if ends_with(protocol::PRESENT) => Self::Record(Dialect::V1, Action::Add),
            "cleanup" if ends_with(protocol::CLEANUP) => Self::Record(Dialect::V1, Action::Remove),
            "client" if ends_with(protocol::CLIENT) => Self::Client,
            "present" => Self::Record(Dialect::Httpreq, Action::Add),
            "cleanup" => Self::Record(Dialect::Httpreq, Action::Remove),
            "update" => Self::Record(Dialect::AcmeDns, Action::Add),
            "register" => Self::Register,
            "health" => Self::Health,
            _ => return None,
        };
        Some(route)
    }

    /// Returns the method of its requests.
    #[must_use]
    pub const fn method(self) -> Method {
        match self {
            Self::Client | Self::Health => Method::GET,
            Self::Record(..) | Self::Register => Method::POST,
        }
    }

    /// Returns the dialect that it belongs to.
    #[must_use]
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::Record(dialect, _) => dialect,
            Self::Client => Dialect::V1,
            Self::Register | Self::Health => Dialect::AcmeDns,
        }
    }

    /// Returns the word of its action for the audit log.
    #[must_use]
    pub const fn action(self) -> &'static str {
        match self {
            Self::Record(_, Action::Add) => "present",
            Self::Record(_, Action::Remove) => "cleanup",
            Self::Client => "client",
            Self::Register => "register",
            Self::Health => "health",
        }
    }
}

impl Dialect {
    /// Returns its word for the audit log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::Httpreq => "httpreq",
            Self::AcmeDns => "acme-dns",
        }
    }

    /// Returns the body for what was not done.
    #[must_use]
    pub fn problem(self, problem: Problem) -> Value {
        match self {
            Self::V1 => v1::problem(problem),
            Self::Httpreq => httpreq::problem(problem),
            Self::AcmeDns => acme_dns::problem(problem),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_dialect_below_any_endpoint() {
        let rows = [
            ("/present", Some("httpreq present")),
            ("/httpreq/present", Some("httpreq present")),
            ("/a/b/cleanup", Some("httpreq cleanup")),
            ("//present", Some("httpreq present")),
            ("/v1/present", Some("v1 present")),
            ("/broker/v1/cleanup", Some("v1 cleanup")),
            ("/v1/client", Some("v1 client")),
            ("/update", Some("acme-dns present")),
            ("/register", Some("acme-dns register")),
            ("/health", Some("acme-dns health")),
            ("/", None),
            ("/client", None),
            ("/present/", None),
            ("/Present", None),
            ("/v1", None),
            ("*", None),
        ];
        for (path, expected) in rows {
            let words = Route::of(path).map(|route| format!("{} {}", route.dialect().as_str(), route.action()));
            assert_eq!(words.as_deref(), expected, "{path}");
        }
    }
}
