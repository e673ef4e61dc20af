//! What the files of the state have in common. [`super::store`] reads and writes them.

use serde::de::DeserializeOwned;

use crate::time::Timestamp;

/// What one file holds.
pub(super) trait Document: Default + serde::Serialize + DeserializeOwned {
    /// The name of the file.
    const FILE: &'static str;
    /// Whether a change must survive a power cut.
    const SYNCED: bool;

    /// Lets `change` change every time in the document.
    fn each_time(&mut self, change: &mut dyn FnMut(&mut Timestamp));
}
