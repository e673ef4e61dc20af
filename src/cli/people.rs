//! The commands that set up and explain.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::challenge::parse_identifier;
use crate::name::DnsName;

/// How to set up.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Read the API key from stdin instead of asking for it
    #[arg(long)]
    pub stdin: bool,
}

/// What to examine.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Domains of the certificate; `*.` may be left out
    #[arg(value_name = "DOMAIN", value_parser = parse_identifier)]
    pub domains: Vec<DnsName>,
}

/// What to try.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// Domains of the certificate; `*.` may be left out
    #[arg(value_name = "DOMAIN", required = true, value_parser = parse_identifier)]
    pub domains: Vec<DnsName>,
}

/// Where man pages go.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write all pages into this folder instead of the main page to stdout
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub folder: Option<PathBuf>,
}
