//! What is wrong with a command that clap let through.

use crate::account::listed;
use crate::error::{Explain, Kind};
use crate::name::DnsName;

/// A command that cannot be carried out as it was typed. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CliError {
    /// An argument breaks a rule.
    #[error("{argument} cannot be used: {problem}")]
    Argument {
        /// The argument as the help names it.
        argument: &'static str,
        /// The broken rule, with the text.
        problem: String,
        /// What to do.
        hint: String,
    },
    /// Something that cannot be undone, without `--yes` and without anybody to ask.
    #[error("deleting `{what}` needs --yes where nobody can be asked")]
    NeedsYes {
        /// What would be deleted.
        what: String,
    },
    /// A domain that has to be the account's is not.
    #[error("`{name}` is not a domain of this IPv64 account")]
    NoSuchDomain {
        /// The domain.
        name: DnsName,
        /// The account's domains.
        domains: Vec<DnsName>,
    },
    /// The answer to the question was not yes.
    #[error("nothing was deleted")]
    Declined,
}

impl Explain for CliError {
    fn kind(&self) -> Kind {
        match self {
            Self::Argument { .. } => Kind::InvalidArgument,
            Self::NeedsYes { .. } => Kind::NeedsYes,
            Self::NoSuchDomain { .. } => Kind::NoDomain,
            Self::Declined => Kind::Declined,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Argument { hint, .. } => Some(hint.clone()),
            Self::NeedsYes { .. } => Some("add --yes if it really is to go, with all its records".to_owned()),
            Self::NoSuchDomain { .. } => Some("`ipv64-acme domain list` shows the domains of the account".to_owned()),
            Self::Declined => None,
        }
    }

    fn details(&self) -> Vec<String> {
        match self {
            Self::NoSuchDomain { domains, .. } => vec![listed(domains)],
            _ => Vec::new(),
        }
    }
}
