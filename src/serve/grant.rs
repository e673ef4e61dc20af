//! What one client may do, as its file says (`clients/NAME.toml`).

use ipnet::IpNet;

use crate::broker::pattern::Pattern;

/// What one client may do. Everything that is not named here it may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The name of the client, which is that of its file.
    pub client: String,
    /// The names that it may get certificates for, each with its wildcard.
    pub allow: Vec<Pattern>,
    /// The names of records, other than those of `allow`, where its aliases may end.
    pub alias: Vec<Pattern>,
    /// The networks it may come from; from anywhere if there are none.
    pub from: Vec<IpNet>,
    /// The API calls it may cause in a day; as many as there are if none is said.
    pub calls_per_day: Option<u32>,
    /// What a present is answered that is not ready in time.
    pub not_ready: NotReady,
}

impl Grant {
    /// Returns names of this client that another one may get certificates for too.
    #[must_use]
    pub fn shared_with(&self, other: &Self) -> Option<&Pattern> {
        self.allow.iter().find(|pattern| other.allow.iter().any(|its| pattern.overlaps(its)))
    }
}

/// What a present is answered that is not ready in time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NotReady {
    /// Status 200 with `"state": "pending"`: the client looks by itself.
    #[default]
    Pending,
    /// Status 503.
    Fail,
}
