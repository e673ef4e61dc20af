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
    /// At most this many calls
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
}

/// What is to be explained.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A kind of error, or the message of a CA; - reads stdin
    #[arg(required = true, value_name = "KIND|MESSAGE")]
    pub text: Vec<String>,
}

/// Which leftovers, and what to do with them.
#[derive(Debug, Args)]
pub struct SweepArgs {
    /// Only records of at least this age (30m, 1d; 0 = all)
    ///
    /// Without it: records of this machine whose removal failed or was not asked for within an hour, and others that are an
    /// hour old.
    #[arg(long, value_name = "AGE", value_parser = parse::duration)]
    pub older_than: Option<Duration>,
    /// Every `_acme-challenge` TXT record of the account
    ///
    /// Not only those of this machine. Records that are not in its journal are deleted only with --older-than.
    #[arg(long)]
    pub all: bool,
    /// Delete them instead of listing them
    #[arg(long, short)]
    pub yes: bool,
}
