//! The commands for what the IPv64 API can do besides challenges.

use clap::{Args, Subcommand};

use crate::name::DnsName;
use crate::secret::Secret;

/// Whether secrets are shown.
#[derive(Debug, Clone, Copy, Args)]
pub struct SecretArgs {
    /// Show keys, update hashes and the e-mail address unmasked
    #[arg(long)]
    pub show_secrets: bool,
}

impl SecretArgs {
    /// Returns what is printed of a field that is secret, if the answer has it.
    #[must_use]
    pub fn text(self, field: Option<&Secret>) -> Option<String> {
        field.map(|secret| if self.show_secrets { secret.expose().to_owned() } else { secret.to_string() })
    }
}

/// What can be done with domains.
#[derive(Debug, Subcommand)]
pub enum DomainCommand {
    /// List the domains of the account
    List(SecretArgs),
    /// Add a domain to the account: one below a suffix of IPv64, or yours
    Add {
        /// The domain
        name: DnsName,
    },
    /// Delete a domain and all its records
    Delete {
        /// The domain
        name: DnsName,
        /// Do not ask back
        #[arg(long, short)]
        yes: bool,
    },
}

/// What can be done with records.
#[derive(Debug, Subcommand)]
pub enum RecordCommand {
    /// List the records of the account
    List(RecordListArgs),
    /// Add a record
    Add(RecordAddArgs),
    /// Delete the record with this name, type and content, or number
    Delete(RecordDeleteArgs),
}

/// Which records to list.
#[derive(Debug, Args)]
pub struct RecordListArgs {
    /// Only the records of this domain of the account
    #[arg(value_name = "DOMAIN")]
    pub of: Option<DnsName>,
    /// Only records of this type
    #[arg(long = "type", value_name = "TYPE")]
    pub record_type: Option<String>,
    /// Only records with this full name
    #[arg(long)]
    pub name: Option<String>,
    /// Secrets.
    #[command(flatten)]
    pub secrets: SecretArgs,
}

/// The record to add.
#[derive(Debug, Args)]
pub struct RecordAddArgs {
    /// Its full name; the account's domains tell where it belongs
    pub name: DnsName,
    /// Its type: A, AAAA, TXT, CNAME, MX, NS, SRV, TLSA or CAA
    #[arg(value_name = "TYPE")]
    pub record_type: String,
    /// Its content; what begins with `-` may need `--` before NAME
    #[arg(allow_hyphen_values = true)]
    pub content: String,
    /// Send types and contents that are unknown here
    #[arg(long)]
    pub unchecked: bool,
}

/// The record to delete.
#[derive(Debug, Args)]
#[command(override_usage = "ipv64-acme record delete [OPTIONS] <NAME> <TYPE> <CONTENT>\n       \
                            ipv64-acme record delete [OPTIONS] <ID>")]
pub struct RecordDeleteArgs {
    /// Its full name, or its number alone
    #[arg(value_name = "NAME|ID")]
    pub target: String,
    /// Its type
    #[arg(value_name = "TYPE", requires = "content")]
    pub record_type: Option<String>,
    /// Its content, exactly
    #[arg(allow_hyphen_values = true)]
    pub content: Option<String>,
}
