//! Names that a client may ask for: one name, or all below one.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::challenge::CHALLENGE_LABEL;
use crate::excerpt::excerpt;
use crate::name::DnsName;

/// How much of a refused text a message shows, in characters.
const SHOWN: usize = 80;

/// A name (`www.example.com`), or all names below one (`*.example.com`, without `example.com` itself).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// This name.
    Exact(DnsName),
    /// Every name below this one.
    Below(DnsName),
}

impl Pattern {
    /// Returns whether a name is one of them.
    #[must_use]
    pub fn matches(&self, name: &DnsName) -> bool {
        match self {
            Self::Exact(exact) => name == exact,
            Self::Below(above) => name != above && name.is_within(above),
        }
    }

    /// Returns whether there is a name that both are.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(name), pattern) | (pattern, Self::Exact(name)) => pattern.matches(name),
            (Self::Below(one), Self::Below(two)) => one.is_within(two) || two.is_within(one),
        }
    }

    /// Reads names of certificates. What is given as the name of a challenge record is understood.
    ///
    /// # Errors
    /// [`PatternError`] says which rule is broken, and what to write.
    pub fn of_certificates(text: &str) -> Result<Self, PatternError> {
        let plain = match text.parse()? {
            // Read again, for an IP address behind the label.
            Self::Exact(name) if name.labels().next() == Some(CHALLENGE_LABEL) => {
                name.parent().map(|name| name.as_str().parse()).transpose()?
            }
            pattern => Some(pattern),
        };
        let is_plain = |pattern: &Self| pattern.name().labels().all(|label| label != CHALLENGE_LABEL);
        let rule = "write the name of the certificate, without `_acme-challenge`";
        plain.filter(is_plain).ok_or_else(|| PatternError::new(text, rule))
    }

    fn name(&self) -> &DnsName {
        let (Self::Exact(name) | Self::Below(name)) = self;
        name
    }
}

/// Reads names as they are written, those of records too.
impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let name: DnsName = text.parse().map_err(|error| refuse(text, &error))?;
        let Some(above) = name.as_str().strip_prefix('*') else { return Ok(Self::Exact(name)) };
        let Some(above) = above.strip_prefix('.') else {
            let rule =
                "it would be every name; write each domain as `example.com`, and `*.example.com` for all below it";
            return Err(PatternError::new(text, rule));
        };
        // Read again: what is behind the `*` may be an IP address.
        above.parse().map(Self::Below).map_err(|error| refuse(text, &error))
    }
}

/// The error for a text that is no name; of one with a `*` inside, it says where that may be.
fn refuse(text: &str, error: &crate::name::NameError) -> PatternError {
    if text.contains('*') && !error.to_string().contains("IP address") {
        let rule = "a `*` can only be the whole first label: `*.example.com` is every name below `example.com`";
        PatternError::new(text, rule)
    } else {
        PatternError { text: excerpt(text, SHOWN), rule: error.to_string().into() }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => name.fmt(f),
            Self::Below(name) => write!(f, "*.{name}"),
        }
    }
}

/// A text that grants nothing, and the rule that it breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` cannot be granted: {rule}")]
pub struct PatternError {
    text: String,
    rule: Cow<'static, str>,
}

impl PatternError {
    fn new(text: &str, rule: &'static str) -> Self {
        Self { text: excerpt(text, SHOWN), rule: rule.into() }
    }
}

#[cfg(test)]
mod tests;
