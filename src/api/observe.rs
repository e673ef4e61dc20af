//! What an observer hears of each request, for verbose output: no key, no header, no body of an answer.

use std::fmt;
use std::time::Duration;

use crate::excerpt::excerpt;
use crate::http::Method;

/// How much of a parameter is reported, in characters.
const SHOWN: usize = 80;

/// One request and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The method.
    pub method: Method,
    /// The name of the call, as the API spells it.
    pub call: &'static str,
    /// The parameters as sent, except the key; control characters made visible.
    pub parameters: Vec<(&'static str, String)>,
    /// The answer.
    pub outcome: Outcome,
    /// From the first byte sent to the last byte read, without the wait at the limiter.
    pub duration: Duration,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// An answer with this HTTP status.
    Status(u16),
    /// No answer: the stable word of the error.
    Failed(&'static str),
}

impl Exchange {
    pub(super) fn shown(parameters: Vec<(&'static str, String)>) -> Vec<(&'static str, String)> {
        parameters.into_iter().map(|(name, value)| (name, excerpt(&value, SHOWN))).collect()
    }
}

impl fmt::Display for Exchange {
    /// Prints one line: `POST add_record=name.ipv64.net type=TXT: 201 in 84 ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.method.as_str())?;
        if self.parameters.is_empty() {
            write!(f, " {}", self.call)?;
        }
        for (name, value) in &self.parameters {
            write!(f, " {name}={value}")?;
        }
        match self.outcome {
            Outcome::Status(status) => write!(f, ": {status}")?,
            Outcome::Failed(kind) => write!(f, ": {kind}")?,
        }
        write!(f, " in {} ms", self.duration.as_millis())
    }
}
