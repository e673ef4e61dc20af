//! The verbs of single ACME clients and the batch. Which arguments a verb takes is the client's business
//! ([`crate::hook`]): here everything after the verb is data.

use std::ffi::OsString;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Arg, ArgMatches, Args, FromArgMatches, Subcommand};

use crate::hook::{Verb, verbs};
use crate::order::Action;

/// A call by the verb of one client.
#[derive(Debug)]
pub struct ClientCall {
    /// The verb.
    pub verb: &'static Verb,
    /// What the client passes after it.
    pub args: Vec<OsString>,
}

impl Subcommand for ClientCall {
    fn augment_subcommands(command: clap::Command) -> clap::Command {
        verbs().fold(command, |command, verb| {
            // Nobody types these: they would only fill the list of commands.
            let (about, operands) = verb.meaning.split_once(": ").unwrap_or((verb.meaning, ""));
            let usage = format!("ipv64-acme {} [OPTIONS] {operands}", verb.word);
            let own = clap::Command::new(verb.word).about(about).override_usage(usage).hide(true);
            command.subcommand(
                own.arg(
                    Arg::new("args")
                        .hide(true)
                        .value_parser(clap::value_parser!(OsString))
                        .num_args(0..)
                        .trailing_var_arg(true)
                        .allow_hyphen_values(true),
                ),
            )
        })
    }

    fn augment_subcommands_for_update(command: clap::Command) -> clap::Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        verbs().any(|verb| verb.word == name)
    }
}

impl FromArgMatches for ClientCall {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let found =
            matches.subcommand().and_then(|(word, matches)| Some((verbs().find(|verb| verb.word == word)?, matches)));
        let (verb, matches) = found.ok_or_else(|| clap::Error::new(clap::error::ErrorKind::MissingSubcommand))?;
        let args = matches.get_many("args").unwrap_or_default().cloned().collect();
        Ok(Self { verb, args })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// What to do with a batch.
#[derive(Debug, Clone, Copy, Args)]
pub struct BatchArgs {
    /// Add all records and wait once, or remove all
    #[arg(value_name = "present|cleanup", hide_possible_values = true)]
    #[arg(value_parser = PossibleValuesParser::new(["present", "cleanup"]).map(action))]
    pub action: Action,
}

fn action(word: String) -> Action {
    if word == "present" { Action::Add } else { Action::Remove }
}
