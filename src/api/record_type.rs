//! The types of DNS records that IPv64 takes. What a record of a type may contain is checked in [`super::content`].

use std::fmt;

/// A record type: those that IPv64 documents, and any other by its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RecordType {
    /// An IPv4 address (RFC 1035).
    A,
    /// An IPv6 address (RFC 3596).
    Aaaa,
    /// Text (RFC 1035).
    Txt,
    /// Another name for a name (RFC 1035).
    Cname,
    /// A mail server (RFC 1035).
    Mx,
    /// A name server (RFC 1035).
    Ns,
    /// A service (RFC 2782).
    Srv,
    /// A TLS certificate association (RFC 6698); named in newer copies of the provider's page only.
    Tlsa,
    /// Which CA may issue (RFC 8659); named in newer copies of the provider's page only.
    Caa,
    /// A type that this program knows nothing about, in upper case.
    Other(String),
}

impl RecordType {
    /// The types with a name of their own here.
    pub const KNOWN: [Self; 9] =
        [Self::A, Self::Aaaa, Self::Txt, Self::Cname, Self::Mx, Self::Ns, Self::Srv, Self::Tlsa, Self::Caa];

    /// Reads a type in upper or lower case; an unknown one becomes [`RecordType::Other`].
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        let name = name.trim().to_ascii_uppercase();
        Self::KNOWN.into_iter().find(|known| known.as_str() == name).unwrap_or(Self::Other(name))
    }

    /// Returns the type as it is written in zone files and in the API.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Txt => "TXT",
            Self::Cname => "CNAME",
            Self::Mx => "MX",
            Self::Ns => "NS",
            Self::Srv => "SRV",
            Self::Tlsa => "TLSA",
            Self::Caa => "CAA",
            Self::Other(name) => name,
        }
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_type_is_found_by_its_name() {
        for known in RecordType::KNOWN {
            assert_eq!(RecordType::from_name(&known.as_str().to_lowercase()), known);
        }
        assert_eq!(RecordType::from_name("https"), RecordType::Other("HTTPS".to_owned()));
    }
}
