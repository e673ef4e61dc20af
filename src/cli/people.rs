//! The commands that set up and tidy.

use std::time::Duration;

use clap::Args;

use crate::challenge::parse_identifier;
use crate::name::DnsName;
use crate::settings::parse;

/// How to set up.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Read the API key, or the token for --broker, from stdin
    #[arg(long)]
    pub stdin: bool,
    /// Show the files that would be written, and write none
    ///
    /// The key is checked all the same; the state directory keeps count of those calls.
    #[arg(long)]
    pub dry_run: bool,
    /// Write a systemd timer for `sweep` too
    ///
    /// On a terminal it is offered without this.
    #[arg(long)]
    pub timer: bool,
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

/// What to look at.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Domains of the certificate; `*.` may be left out
    #[arg(value_name = "DOMAIN", value_parser = parse_identifier)]
    pub domains: Vec<DnsName>,
    /// Look as systemd and cron start this ACME client, or all
    ///
    /// As the user and with the settings that it has then: all, acme.sh, acmetool, certbot, dehydrated, lego, traefik or uacme.
    #[arg(long, value_name = "CLIENT", value_parser = CLIENTS, hide_possible_values = true, conflicts_with = "domains")]
    pub client: Option<String>,
    /// Only settings, key and state directory; no network
    #[arg(long, conflicts_with = "domains")]
    pub offline: bool,
}

/// The clients that systemd and cron can start, and all of them.
const CLIENTS: [&str; 8] = ["all", "acme.sh", "acmetool", "certbot", "dehydrated", "lego", "traefik", "uacme"];

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
