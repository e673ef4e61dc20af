//! The commands that set up and tidy.

use std::time::Duration;

use clap::Args;

use crate::challenge::parse_identifier;
use crate::name::DnsName;
use crate::settings::parse;

/// How to set up.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Read the API key from stdin instead of asking for it
    #[arg(long)]
    pub stdin: bool,
}

/// Which past calls.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// Only calls for this domain, or for the record with this name
    #[arg(value_parser = parse_identifier)]
    pub name: Option<DnsName>,
    /// At most so many calls
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
}

/// What is to be explained.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The kind of an error, such as no_domain, or the message of a CA; - reads it from stdin
    #[arg(required = true, value_name = "KIND|MESSAGE")]
    pub text: Vec<String>,
}

/// Which leftovers, and what to do with them.
#[derive(Debug, Args)]
pub struct SweepArgs {
    /// Only records that are at least so old, such as 1d or 30m; 0 means all. Without it: own records whose removal has
    /// failed or that nobody asked about for an hour, and others that are an hour old
    #[arg(long, value_name = "AGE", value_parser = parse::duration)]
    pub older_than: Option<Duration>,
    /// Not only records that were added from here, but every `_acme-challenge` TXT record of the account; those that the
    /// journal of this machine does not know are only deleted with --older-than
    #[arg(long)]
    pub all: bool,
    /// Delete them instead of listing them
    #[arg(long, short)]
    pub yes: bool,
}
