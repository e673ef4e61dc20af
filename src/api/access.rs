//! Whose account it is, where its API is, and how the key is sent.

use crate::http::{Authorization, Endpoint};
use crate::secret::Secret;

/// The user name of HTTP Basic, where any will do (documented).
const BASIC_USER: &str = "ipv64";

/// How the key is sent: the four documented ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuthMethod {
    /// `Authorization: Bearer KEY`.
    #[default]
    Bearer,
    /// HTTP Basic with any user name and the key as the password.
    Basic,
    /// The parameter `apikey`: in the body where there is one, else in the query, where logs may keep it.
    ApiKey,
    /// The parameter `token`, likewise.
    Token,
}

impl AuthMethod {
    /// Every way.
    pub const ALL: [Self; 4] = [Self::Bearer, Self::Basic, Self::ApiKey, Self::Token];

    /// Returns the name that settings use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bearer => "bearer",
            Self::Basic => "basic",
            Self::ApiKey => "apikey",
            Self::Token => "token",
        }
    }

    pub(super) fn header(self, key: &Secret) -> Option<Authorization<'_>> {
        match self {
            Self::Bearer => Some(Authorization::Bearer(key)),
            Self::Basic => Some(Authorization::Basic { user: BASIC_USER, password: key }),
            Self::ApiKey | Self::Token => None,
        }
    }

    pub(super) fn parameter(self) -> Option<&'static str> {
        match self {
            Self::Bearer | Self::Basic => None,
            Self::ApiKey => Some("apikey"),
            Self::Token => Some("token"),
        }
    }
}

/// Whose account, and where.
#[derive(Debug, Clone)]
pub struct Access {
    /// The address of the API.
    pub endpoint: Endpoint,
    /// The account's key.
    pub key: Secret,
    /// How the key is sent.
    pub auth: AuthMethod,
}

impl Access {
    /// Replaces the key in a text from outside, for a server that echoes it.
    pub(super) fn mask_in(&self, text: &str) -> String {
        match self.auth.header(&self.key) {
            Some(header) => header.mask_in(text),
            None => self.key.mask_in(text),
        }
    }
}
