//! Whose account it is, where its API is, and how the key is sent.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::http::Endpoint;
use crate::secret::{MASK, Secret};

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
    /// The header `Authorization`, if the key goes there.
    pub(super) fn header(&self) -> Option<String> {
        match self.auth {
            AuthMethod::Bearer => Some(format!("Bearer {}", self.key.expose())),
            AuthMethod::Basic => Some(format!("Basic {}", self.basic())),
            AuthMethod::ApiKey | AuthMethod::Token => None,
        }
    }

    /// User name and password of HTTP Basic (RFC 7617).
    fn basic(&self) -> String {
        STANDARD.encode(format!("{BASIC_USER}:{}", self.key.expose()))
    }

    /// Replaces the key in a text from outside, for a server that echoes it or the header.
    pub(super) fn mask_in(&self, text: &str) -> String {
        self.key.mask_in(text).replace(&self.basic(), MASK)
    }
}
