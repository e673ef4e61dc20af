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
            let own = clap::Command::new(verb.word).about(verb.meaning).hide(true);
            command.subcommand(
                own.arg(
                    Arg::new("args")
                        .value_name("ARGS")
                        .help("As the ACME client passes them")
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
    /// Whether to add all records and then wait once, or to remove them all
    #[arg(value_parser = PossibleValuesParser::new(["present", "cleanup"]).map(action))]
    pub action: Action,
}

fn action(word: String) -> Action {
    if word == "present" { Action::Add } else { Action::Remove }
}
