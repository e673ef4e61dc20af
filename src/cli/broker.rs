//! The commands of the broker: its process, and its clients: who may use it, and for which names.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand, ValueHint};
use ipnet::IpNet;

use crate::broker::pattern::Pattern;
use crate::challenge::parse_identifier;
use crate::name::DnsName;
use crate::serve::client_file::{check_name, parse_network, parse_record};

/// Where the broker's files are.
#[derive(Debug, Args)]
pub struct BrokerFiles {
    /// Folder of serve.toml
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        value_hint = ValueHint::DirPath,
        default_value = "/etc/ipv64-acme"
    )]
    pub config_dir: PathBuf,
}

/// Where the clients are, and what to do with them.
#[derive(Debug, Args)]
pub struct BrokerClientArgs {
    /// Where they are.
    #[command(flatten)]
    pub files: BrokerFiles,
    /// What to do.
    #[command(subcommand)]
    pub command: BrokerClientCommand,
}

/// What can be done with clients.
#[derive(Debug, Subcommand)]
pub enum BrokerClientCommand {
    /// Add a client; print its token once, and what to set
    Add(ClientAddArgs),
    /// List the clients and what each may do
    List,
    /// Give a client a second token; --drop-old ends the first
    Rotate {
        /// The client
        #[arg(value_parser = client_name)]
        name: String,
        /// End all tokens but the newest, and make none
        #[arg(long)]
        drop_old: bool,
    },
    /// Remove a client, and so end its tokens
    Remove {
        /// The client
        #[arg(value_parser = client_name)]
        name: String,
        /// Do not ask back
        #[arg(long, short)]
        yes: bool,
    },
}

/// Who is added, and what it may do.
#[derive(Debug, Args)]
pub struct ClientAddArgs {
    /// Its name: lower case letters, digits, `-`, `_` and `.`
    #[arg(value_parser = client_name)]
    pub name: String,
    /// Names for its certificates, wildcards included
    #[arg(long, value_name = "PATTERN", required = true, num_args = 1.., value_parser = Pattern::of_certificates)]
    pub allow: Vec<Pattern>,
    /// Names of records where its CNAMEs may lead
    #[arg(long, value_name = "PATTERN", num_args = 1.., value_parser = str::parse::<Pattern>)]
    pub alias: Vec<Pattern>,
    /// Networks and addresses that it may come from
    #[arg(long, value_name = "NET", num_args = 1.., value_parser = parse_network)]
    pub from: Vec<IpNet>,
    /// API calls that it may cause in a day
    #[arg(long, value_name = "N")]
    pub calls_per_day: Option<u32>,
    /// The answer if it takes too long: pending or fail
    #[arg(long, value_name = "WORD", hide_possible_values = true)]
    #[arg(value_parser = PossibleValuesParser::new(["pending", "fail"]))]
    pub not_ready: Option<String>,
    /// User that needs no token on the Unix socket
    #[arg(long, value_name = "N")]
    pub uid: Option<u32>,
    /// Make an account of acme-dns for this name
    #[arg(long, value_name = "RECORD", value_parser = parse_record)]
    pub acme_dns: Option<DnsName>,
}

/// Which lines of the audit log.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// Only lines of this client
    #[arg(long, value_name = "NAME", value_parser = client_name)]
    pub client: Option<String>,
    /// Only lines for this domain or record
    #[arg(long, value_name = "NAME", value_parser = parse_identifier)]
    pub name: Option<DnsName>,
    /// The last lines, at most this many
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub last: usize,
}

fn client_name(text: &str) -> Result<String, String> {
    check_name(text).map(|()| text.to_owned())
}
