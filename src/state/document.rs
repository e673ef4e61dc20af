//! What a file holds: a value with the version of its format, and the clocks of the moment in which it was written.
//! Where it is kept is `store`'s.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::time::{ClockReading, Timestamp};

/// Raised when an older program could no longer read a file rightly; new optional fields do not raise it.
const VERSION: u64 = 1;

/// What one file holds.
pub(super) trait Document: Default + serde::Serialize + DeserializeOwned {
    /// The name of the file.
    const FILE: &'static str;
    /// Whether a change must survive a power cut.
    const SYNCED: bool;

    /// Joins what this process and others have made of a document while this one had no file. Else this one's counts.
    fn merge(_base: &Self, ours: Self, _theirs: Self) -> Self {
        ours
    }

    /// Lets `change` change every time in the document.
    fn each_time(&mut self, change: &mut dyn FnMut(&mut Timestamp));
}

/// A document as it is written.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct Envelope<T> {
    version: u64,
    /// When the file was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) clock: Option<ClockReading>,
    pub(super) content: T,
}

impl<T: Document> Default for Envelope<T> {
    fn default() -> Self {
        Self { version: VERSION, clock: None, content: T::default() }
    }
}

impl<T: Document> Envelope<T> {
    /// Lets no time be of the future, and none grow older by a jump of the wall clock: each moves along with it.
    pub(super) fn follow(&mut self, now: &ClockReading) {
        let jump = self.clock.as_ref().and_then(|written| now.jump_since(written)).unwrap_or_default();
        self.content.each_time(&mut |time| *time = time.moved_by(jump).min(now.wall));
    }

    /// Empty for a document that cannot be written down, of which there are none.
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a document; else says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let damaged = || "is damaged".to_owned();
        let value: Value = serde_json::from_str(text).map_err(|_| damaged())?;
        match value.get("version").and_then(Value::as_u64) {
            Some(VERSION) => serde_json::from_value(value).map_err(|_| damaged()),
            Some(other) => Err(format!("has format version {other}, unknown here")),
            None => Err(damaged()),
        }
    }
}
