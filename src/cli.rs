//! The command line: definitions only. What a command does is in [`crate::commands`], what the hook verbs take in
//! [`crate::hook`].

mod api;
#[cfg(feature = "serve")]
mod broker;
mod client;
mod help;
mod people;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Args, CommandFactory as _, FromArgMatches, Parser, Subcommand, ValueHint};

use crate::challenge::parse_identifier;
use crate::hook::verbs;
use crate::name::DnsName;
use crate::settings::{Setting, Shown};

pub use api::{DomainCommand, RecordAddArgs, RecordCommand, RecordDeleteArgs, RecordListArgs, SecretArgs};
#[cfg(feature = "serve")]
pub use broker::{AuditArgs, BrokerClientArgs, BrokerClientCommand, BrokerFiles, ClientAddArgs};
pub use client::{BatchArgs, ClientCall};
pub use help::EXAMPLES;
pub use people::{DoctorArgs, ExplainArgs, HistoryArgs, InitArgs, SweepArgs};

/// ACME DNS-01 hook for IPv64.net that waits for every authoritative name server
#[derive(Debug, Parser)]
#[command(name = "ipv64-acme", version, arg_required_else_help = true, disable_help_subcommand = true)]
#[command(after_help = "Every setting has a flag and a variable: --api-url is IPV64_API_URL. The API key\ncomes from \
                        IPV64_API_KEY, from the file named by IPV64_API_KEY_FILE, or from a\nsystemd credential. \
                        See `ipv64-acme config`, --help and ipv64-acme(1).")]
pub struct Cli {
    /// Output.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Read this configuration file (TOML).
    // Help of its own: in a doc comment the brackets would be a link.
    #[arg(
        long,
        help = "Read this configuration file (TOML) [IPV64_CONFIG]",
        global = true,
        value_name = "FILE",
        value_hint = ValueHint::FilePath,
        help_heading = "Settings",
        hide_short_help = true
    )]
    pub config: Option<PathBuf>,
    /// Settings given as flags.
    #[command(flatten)]
    pub settings: SettingArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Returns the definition of the command line, with the help as people see it.
#[must_use]
pub fn definition() -> clap::Command {
    help::arrange(Cli::command())
}

/// Reads a command line; the first argument is the name of the program. `help COMMAND` is `COMMAND --help`.
///
/// # Errors
/// [`clap::Error`], which is also how help and version come back.
pub fn parse<T: Into<OsString> + Clone>(args: &[T]) -> Result<Cli, clap::Error> {
    let mut args: Vec<OsString> = args.iter().cloned().map(Into::into).collect();
    if args.get(1).is_some_and(|word| word == "help") {
        args.remove(1);
        args.push("--help".into());
    }
    // Arranging the help takes longer than reading the line, and most calls are hooks.
    match Cli::try_parse_from(&args) {
        Err(error) if error.kind() != ErrorKind::DisplayVersion => {}
        done => return done,
    }
    let mut command = help::grouped(definition());
    let mut matches = command.try_get_matches_from_mut(args).map_err(without_verbs)?;
    Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

/// Takes out the list of all commands, which would name the hidden verbs of the ACME clients first, and suggestions of them.
fn without_verbs(mut error: clap::Error) -> clap::Error {
    error.remove(ContextKind::ValidSubcommand);
    if let Some(ContextValue::Strings(mut words)) = error.remove(ContextKind::SuggestedSubcommand) {
        words.retain(|word| verbs().all(|verb| verb.word != word));
        if !words.is_empty() {
            error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(words));
        }
    }
    error
}

/// How to print.
#[derive(Debug, Clone, Copy, Args)]
pub struct OutputArgs {
    /// Print one JSON document on stdout and nothing else
    #[arg(long, global = true)]
    pub json: bool,
    /// Print nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print each step on stderr; twice: each API call too
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

/// The flags of all settings, as they were given.
#[derive(Debug, Clone, Default)]
pub struct SettingArgs(pub Vec<(Setting, String)>);

impl Args for SettingArgs {
    fn augment_args(command: clap::Command) -> clap::Command {
        Setting::ALL.into_iter().fold(command, |command, setting| {
            let default = setting.default_text().map_or_else(String::new, |text| format!(" [default: {text}]"));
            command.arg(
                Arg::new(setting.flag())
                    .long(setting.flag())
                    .global(true)
                    .value_name(match setting.shown() {
                        Shown::Path | Shown::KeyPath => "PATH",
                        Shown::Url => "URL",
                        Shown::Text => "VALUE",
                    })
                    .value_hint(if setting.is_path() { ValueHint::AnyPath } else { ValueHint::Other })
                    .hide_short_help(true)
                    .help_heading("Settings")
                    .help(format!("{} [{}]{default}", help::sentence(setting.meaning()), setting.environment())),
            )
        })
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = |setting: Setting| Some((setting, matches.get_one::<String>(setting.flag())?.clone()));
        Ok(Self(Setting::ALL.into_iter().filter_map(given).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Add a record and wait for it, for certbot's manual hook
    #[command(override_usage = "ipv64-acme auth [OPTIONS]")]
    Auth(HookArgs),
    /// Add a record and wait for it, for lego and scripts
    #[command(override_usage = "ipv64-acme present [OPTIONS] <NAME> <VALUE>\n       \
                                ipv64-acme present [OPTIONS] --identifier <DOMAIN> <VALUE>\n       \
                                ipv64-acme present [OPTIONS] -- <DOMAIN> <TOKEN> <KEYAUTH>")]
    Present(HookArgs),
    /// Remove a record, for certbot, lego and scripts
    #[command(override_usage = "ipv64-acme cleanup [OPTIONS]\n       \
                                ipv64-acme cleanup [OPTIONS] <NAME> <VALUE>\n       \
                                ipv64-acme cleanup [OPTIONS] --identifier <DOMAIN> <VALUE>\n       \
                                ipv64-acme cleanup [OPTIONS] -- <DOMAIN> <TOKEN> <KEYAUTH>")]
    Cleanup(HookArgs),
    /// Add or remove the records of an order, a JSON array on stdin
    Batch(BatchArgs),
    /// The verbs of dehydrated, uacme, acmetool, Apache's mod_md, simple-acme and TrueNAS.
    #[command(flatten)]
    Client(ClientCall),
    /// Show the account: its class, and what is used of its limits
    Account(SecretArgs),
    /// Show the last entries of the account's log
    Logs,
    /// List, add and delete domains of the account
    #[command(subcommand)]
    Domain(DomainCommand),
    /// List, add and delete records of the account
    #[command(subcommand)]
    Record(RecordCommand),
    /// Set up this machine: store the API key, show what clients need
    Init(InitArgs),
    /// Check key, quota, domains and name servers, and say what to do
    Doctor(DoctorArgs),
    /// Try a challenge without a CA, and show the time of each server
    Test {
        /// Domains of the certificate; `*.` may be left out
        #[arg(value_name = "DOMAIN", required = true, value_parser = parse_identifier)]
        domains: Vec<DnsName>,
    },
    /// Show every setting in force and where it comes from
    Config,
    /// List leftover challenge records, and delete them with --yes
    Sweep(SweepArgs),
    /// Show the last hook calls on this machine, newest first
    History(HistoryArgs),
    /// Explain a kind of error, or the message of a CA
    Explain(ExplainArgs),
    /// Show the API calls left today, open records, the last hook calls
    Status,
    /// Print the version; with --json also commit, target and features
    Version,
    /// Run the broker: only this machine needs the API key
    #[cfg(feature = "serve")]
    Serve(BrokerFiles),
    /// Add, list, rotate and remove the broker's clients
    #[cfg(feature = "serve")]
    #[command(name = "client")]
    BrokerClient(BrokerClientArgs),
    /// Show what the broker has decided: who asked for what
    #[cfg(feature = "serve")]
    Audit(AuditArgs),
    /// Print the completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the man page, or write one per command into a folder
    Man {
        /// Write all pages into this folder instead of the main page to stdout
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        folder: Option<PathBuf>,
    },
    /// Show the whole flow against an embedded IPv64, without a network
    #[cfg(feature = "sim")]
    Demo(DemoArgs),
    /// Run the embedded IPv64 and its name servers, to test ACME clients
    #[cfg(feature = "sim")]
    Sim(SimArgs),
}

impl Command {
    /// Returns whether the user asked to see secrets.
    #[must_use]
    pub fn shows_secrets(&self) -> bool {
        match self {
            Self::Account(secrets)
            | Self::Domain(DomainCommand::List(secrets))
            | Self::Record(RecordCommand::List(RecordListArgs { secrets, .. })) => secrets.show_secrets,
            _ => false,
        }
    }
}

/// What an ACME client passes. Flags end at the first of these: what follows is data, even when it begins with `-`.
#[derive(Debug, Args)]
pub struct HookArgs {
    /// Take a bare DOMAIN instead of the NAME of its record
    #[arg(long)]
    pub identifier: bool,
    /// As the ACME client passes them
    // The usage names them: their number and order differ.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    pub args: Vec<OsString>,
}

/// What to show.
#[cfg(feature = "sim")]
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Show three hosts of which one has the key: the broker
    #[cfg(feature = "serve")]
    #[arg(long)]
    pub fleet: bool,
}

/// How to run the simulation.
#[cfg(feature = "sim")]
#[derive(Debug, Args)]
pub struct SimArgs {
    /// Delay of each name server in seconds
    #[arg(long, value_delimiter = ',', default_value = "3,5", value_name = "SECONDS")]
    pub delays: Vec<f64>,
    /// Enforce 3 calls in 10 seconds and 64 a day
    #[arg(long)]
    pub limits: bool,
    /// Port of the name servers instead of a free one
    #[arg(long, value_name = "PORT")]
    pub dns_port: Option<u16>,
}
