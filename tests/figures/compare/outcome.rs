//! What came out of one run. How it is found out stands in [`super::world`], how it is shown in [`super::table`].

use anyhow::Result;
use serde::{Deserialize, Serialize};

/// The outcome of one run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// Why there is no certificate; nothing if there is one, of all names and from the CA.
    pub(crate) failure: Option<String>,
    /// From the start of the client to its end, in seconds.
    pub(crate) seconds: f64,
    /// Calls of the API, refused ones among them.
    pub(crate) calls: usize,
    /// Calls that the API refused with 429.
    pub(crate) refused: usize,
    /// Questions to the name servers and the system's resolver.
    pub(crate) questions: usize,
    /// For each name, the seconds between "all that stands is on every server" and the CA's first question.
    pub(crate) lags: Vec<f64>,
    /// Names that the CA asked for before the record was on every server, or while there was none.
    pub(crate) premature: usize,
    /// Records that stood at the end.
    pub(crate) left: usize,
    /// CPU seconds of the client and all that it called.
    pub(crate) cpu: f64,
    /// The memory of the largest of these processes at its peak, in KiB.
    pub(crate) memory: u64,
}

impl Outcome {
    pub(crate) fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }

    pub(crate) fn from_json(text: &str) -> Result<Self> {
        Ok(serde_json::from_str(text)?)
    }
}
