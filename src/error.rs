//! Every kind of error with its exit code, what an error has to tell about itself, and the error that commands end with.
//! Printing is left to [`crate::report`]; `docs/errors.md` says for each kind what causes it and what helps.

use std::fmt;

use crate::exit::Exit;

/// Makes [`Kind`] from the one list of all kinds.
macro_rules! kinds {
    ($($name:ident $word:literal $exit:ident,)*) => {
        /// What kind of error it is: a stable word for programs that read `--json`, and the exit code that goes with it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind {
            $(#[doc = concat!("`", $word, "`")] $name,)*
        }

        impl Kind {
            /// All kinds.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Returns the word, in snake case.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// Returns how a process ends with such an error.
            #[must_use]
            pub const fn exit(self) -> Exit {
                match self { $(Self::$name => Exit::$exit,)* }
            }
        }
    };
}

kinds! {
    // Without a kind of its own.
    Failed "failed" Failed,
    // The key.
    KeyMissing "key_missing" Key,
    KeyUnreadable "key_unreadable" Key,
    KeyExposed "key_exposed" Key,
    KeyMalformed "key_malformed" Key,
    Unauthorized "unauthorized" Key,
    Forbidden "forbidden" Key,
    // Settings and calls.
    Usage "usage" Usage,
    InvalidSetting "invalid_setting" Usage,
    InvalidCall "invalid_call" Usage,
    InvalidArgument "invalid_argument" Usage,
    ConfigUnreadable "config_unreadable" Usage,
    ConfigExposed "config_exposed" Usage,
    ConfigMalformed "config_malformed" Usage,
    ConfigUnknownKey "config_unknown_key" Usage,
    NeedsYes "needs_yes" Usage,
    Declined "declined" Failed,
    NobodyToAsk "nobody_to_ask" Usage,
    NoPlace "no_place" Usage,
    Unwritable "unwritable" Failed,
    BadUrl "bad_url" Usage,
    BadProxy "bad_proxy" Usage,
    BadCaFile "bad_ca_file" Usage,
    Interrupted "interrupted" Failed,
    // Limits.
    RateLimited "rate_limited" RateLimit,
    QuotaUsedUp "quota_used_up" RateLimit,
    QuotaReserved "quota_reserved" RateLimit,
    // IPv64 and the way there.
    Rejected "rejected" Failed,
    Unavailable "unavailable" NoAnswer,
    Redirected "redirected" NoAnswer,
    Unreachable "unreachable" NoAnswer,
    TimedOut "timed_out" NoAnswer,
    ConnectionClosed "connection_closed" NoAnswer,
    AnswerTruncated "answer_truncated" NoAnswer,
    AnswerTooLarge "answer_too_large" NoAnswer,
    NotHttp "not_http" NoAnswer,
    Tls "tls" NoAnswer,
    // The broker, as a machine without the key sees it.
    BrokerUnauthorized "broker_unauthorized" Key,
    BrokerNotAllowed "broker_not_allowed" Key,
    BrokerCallsUsedUp "broker_calls_used_up" RateLimit,
    BrokerUnusable "broker_unusable" NoAnswer,
    BrokerBusy "broker_busy" NoAnswer,
    // Domains and name servers.
    NoDomain "no_domain" NoDomain,
    NotPropagated "not_propagated" NotPropagated,
    NameServersUnreachable "name_servers_unreachable" NoAnswer,
    CnameLoop "cname_loop" NoAnswer,
    CnameTooLong "cname_too_long" NoAnswer,
    EarlierCallFailed "earlier_call_failed" Failed,
    NotOurs "not_ours" Key,
    // The state directory: warnings.
    StateUnusable "state_unusable" Failed,
    StateUnsafe "state_unsafe" Failed,
    StateNotLocked "state_not_locked" Failed,
    StateSetAside "state_set_aside" Failed,
    // The broker and its clients.
    ClientUnreadable "client_unreadable" Usage,
    ClientExposed "client_exposed" Usage,
    ClientMalformed "client_malformed" Usage,
    ClientShared "client_shared" Usage,
    AliasConfusion "alias_confusion" Usage,
    ClientExists "client_exists" Usage,
    NoSuchClient "no_such_client" Usage,
    ListenFailed "listen_failed" Failed,
    CertificateUnusable "certificate_unusable" Usage,
    // The simulation, which is no part of what people install.
    SimBind "sim_bind" Failed,
    SimCertificate "sim_certificate" Failed,
    SimConfig "sim_config" Usage,
    SimUnknown "sim_unknown" Usage,
}

impl PartialEq<str> for Kind {
    fn eq(&self, word: &str) -> bool {
        self.as_str() == word
    }
}

impl PartialEq<&str> for Kind {
    fn eq(&self, word: &&str) -> bool {
        self.as_str() == *word
    }
}

impl serde::Serialize for Kind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// An error that knows what it means for the user. Its `Display` is one line without a final full stop.
pub trait Explain: std::error::Error {
    /// What kind of error it is.
    fn kind(&self) -> Kind;

    /// What to do now; one or two sentences in lower case without a final full stop.
    fn hint(&self) -> Option<String>;

    /// What was observed, a line each: the servers with their answers, the places looked at.
    fn details(&self) -> Vec<String> {
        Vec::new()
    }
}

/// The system's own words for what a command could not do, which the context names.
impl Explain for std::io::Error {
    fn kind(&self) -> Kind {
        Kind::Failed
    }

    fn hint(&self) -> Option<String> {
        None
    }
}

/// What a command or a call ended with: an error that explains itself, below what was being done. Nothing else can be
/// returned, so that every error has a kind, an exit code and a place in the documentation.
pub struct Error {
    chain: anyhow::Error,
    kind: Kind,
    hint: Option<String>,
    details: Vec<String>,
}

/// A result of a command or a call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Makes an error with none below it; what is wrong is one line without a final full stop.
    pub fn new(kind: Kind, problem: impl Into<String>) -> Self {
        Self { chain: anyhow::Error::msg(problem.into()), kind, hint: None, details: Vec::new() }
    }

    /// Says what to do now; one or two sentences in lower case without a final full stop.
    #[must_use]
    pub fn advise(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Adds what was observed, a line each.
    #[must_use]
    pub fn observed(self, details: Vec<String>) -> Self {
        Self { details, ..self }
    }

    /// Adds what was being done.
    #[must_use]
    pub fn context(self, what: impl Into<String>) -> Self {
        Self { chain: self.chain.context(what.into()), ..self }
    }

    /// Returns what kind of error it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns what to do now.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Returns what was observed, a line each.
    #[must_use]
    pub fn details(&self) -> &[String] {
        &self.details
    }

    /// Returns the error of a type, if it is this one or among its causes.
    #[must_use]
    pub fn find<T: std::error::Error + 'static>(&self) -> Option<&T> {
        self.chain.chain().find_map(|cause| cause.downcast_ref())
    }

    /// Returns each line of the error, from what was being done down to the first cause.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.chain.chain().map(ToString::to_string).collect()
    }
}

impl<E: Explain + Send + Sync + 'static> From<E> for Error {
    fn from(cause: E) -> Self {
        let (kind, hint, details) = (cause.kind(), cause.hint(), cause.details());
        Self { chain: cause.into(), kind, hint, details }
    }
}

impl AsRef<dyn std::error::Error + 'static> for Error {
    fn as_ref(&self) -> &(dyn std::error::Error + 'static) {
        self.chain.as_ref()
    }
}

/// The first line; with `{:#}` all lines, separated by colons.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.chain.fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#}")
    }
}

/// Adds to a failed result what was being done.
pub trait Context<T> {
    /// Adds a text.
    ///
    /// # Errors
    /// The error of the result, below the text.
    fn context(self, what: impl Into<String>) -> Result<T>;

    /// Adds a text that is made only if it is needed.
    ///
    /// # Errors
    /// The error of the result, below the text.
    fn with_context(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<Error>> Context<T> for Result<T, E> {
    fn context(self, what: impl Into<String>) -> Result<T> {
        self.map_err(|error| error.into().context(what))
    }

    fn with_context(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| error.into().context(what()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_keeps_what_was_being_done_and_its_type() {
        let io = std::io::Error::other("disk full");
        let error = Err::<(), _>(io).context("cannot write").context("cannot start").unwrap_err();
        assert_eq!(error.to_string(), "cannot start");
        assert_eq!(format!("{error:#}"), "cannot start: cannot write: disk full");
        assert!(error.find::<std::io::Error>().is_some() && error.find::<fmt::Error>().is_none());
        assert_eq!((error.kind(), error.kind().exit()), (Kind::Failed, Exit::Failed));
    }

    #[test]
    fn no_two_kinds_share_a_word() {
        let words: std::collections::BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(words.len(), Kind::ALL.len());
    }
}
