//! Names that a client may ask for: one name, or all below one.

use std::fmt;
use std::str::FromStr;

use crate::name::{DnsName, NameError};

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
}

impl FromStr for Pattern {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.strip_prefix("*.") {
            Some(above) => Ok(Self::Below(DnsName::parse(above)?)),
            None => Ok(Self::Exact(DnsName::parse(text)?)),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_on_label_borders() {
        let name = |text| DnsName::parse(text).unwrap();
        let pattern = |text: &str| text.parse::<Pattern>().unwrap();
        assert!(pattern("a.example.com").matches(&name("A.example.com")));
        assert!(!pattern("a.example.com").matches(&name("b.a.example.com")));
        assert!(pattern("*.example.com").matches(&name("b.a.example.com")));
        assert!(!pattern("*.example.com").matches(&name("example.com")));
        assert!(!pattern("*.example.com").matches(&name("evil-example.com")));
        assert_eq!(pattern("*.example.com").to_string(), "*.example.com");
    }
}
