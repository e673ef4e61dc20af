//! The exit codes of the outside contract. Which error ends with which one is in [`crate::error`].

/// How the process ends. The numbers are part of the contract with the ACME clients; see `docs/errors.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done: the record is on every authoritative server that answers; or it is gone or was never there.
    Done = 0,
    /// Any other failure; also `begin` of a challenge type that is not ours (uacme).
    Failed = 1,
    /// Wrong usage, wrong configuration, malformed input.
    Usage = 2,
    /// The key is missing, refused (401), or may not do this (403).
    Key = 3,
    /// A rate limit or the daily quota (429) that did not clear in time.
    RateLimit = 4,
    /// Propagation not complete in time.
    NotPropagated = 5,
    /// No usable answer from the other side: API or name servers; a CNAME loop.
    NoAnswer = 6,
    /// No domain of the account covers the name.
    NoDomain = 7,
    /// A verb of acmetool that is not ours to handle.
    NotOurs = 42,
}

impl Exit {
    /// All codes, in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::Key,
        Self::RateLimit,
        Self::NotPropagated,
        Self::NoAnswer,
        Self::NoDomain,
        Self::NotOurs,
    ];

    /// Returns what the code means, for man page and documentation.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done: an added record is on every authoritative server that answers, a removed one is gone",
            Self::Failed => "any other failure; a challenge type that is not dns-01 (uacme)",
            Self::Usage => "wrong usage, wrong configuration, malformed input",
            Self::Key => "the API key is missing, refused, or may not do this",
            Self::RateLimit => "a rate limit or the daily quota that did not clear in time",
            Self::NotPropagated => "the record is not on every name server in time",
            Self::NoAnswer => "no usable answer from IPv64 or the name servers; a CNAME loop",
            Self::NoDomain => "no domain of the account covers the name",
            Self::NotOurs => "a verb of acmetool that is not ours to handle",
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
