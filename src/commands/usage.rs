//! A command line that cannot be read: what clap has to say of it, without the keys that may be in it.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use serde_json::{Value, json};

use crate::broker::protocol::mask_tokens;
use crate::cli::OutputArgs;
use crate::excerpt::excerpt;
use crate::exit::Exit;
use crate::report::{Look, Report};
use crate::secret::MASK;
use crate::settings::{Environment, key};

/// The most characters of a mistake in the command line that the document of `--json` repeats.
const LONGEST_PROBLEM: usize = 300;
/// The length of a dns-01 value, which is no secret (a SHA-256 digest in base64url); keys are shorter.
const CHALLENGE_VALUE: usize = 43;

/// Some ACME clients tell every hook of every event, and mind if one of those ends with an error. A script in between may
/// put flags before the event.
pub(super) fn ignored_event(args: &[OsString], error: &clap::Error, environment: &Environment) -> Option<Exit> {
    let first = args.get(1)?.to_str()?;
    // A mistake in a call of ours is none, though a script that such a client runs sees the same variables.
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else { return None };
    let is_first = first == word || first.starts_with('-');
    crate::hook::ignored_event(word, &|name| environment.get(name)).filter(|_| is_first)
}

/// Prints what clap has to say: help and version on stdout, mistakes on stderr, and for programs as a document too.
pub(super) fn tell(args: &[OsString], error: &clap::Error) -> Exit {
    let report = report(args);
    if !error.use_stderr() {
        report.wrote(error.print());
        return report.conclude(Exit::Done);
    }
    let said = error.render().to_string();
    let keys = keys(args);
    let masked = mask_tokens(&keys.iter().fold(said, |said, key| said.replace(key, MASK)));
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        error.print().ok();
    } else {
        report.misuse(&in_few_lines(&masked, !keys.is_empty()));
    }
    report.document(&json!({ "error": entry(error, &masked) }));
    Exit::Usage
}

/// What clap has to say, without its empty lines, and with its kind; a key among the arguments needs another hint.
fn in_few_lines(said: &str, has_key: bool) -> String {
    let mut lines: Vec<_> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    if has_key {
        lines.pop_if(|line| line.starts_with("For more information"));
        lines.push("hint: a key is never an argument: use `ipv64-acme init --stdin` or --api-key-file");
    }
    lines.join("\n").replacen("error: ", "error[usage]: ", 1)
}

/// The report of a command line that could not be read.
pub(super) fn report(args: &[OsString]) -> Report {
    let json = args.iter().any(|arg| arg == "--json");
    Report::new(OutputArgs { json, quiet: false, verbose: 0 }, Look::default())
}

/// The arguments that look like an API key, alone or behind `--flag=`.
fn keys(args: &[OsString]) -> Vec<&str> {
    let words = args.iter().skip(1).filter_map(|arg| arg.to_str()).flat_map(|arg| arg.split('='));
    let is_key = |word: &[u8]| key::is_token(word) || word.len() < CHALLENGE_VALUE && key::looks_like_key(word);
    words.filter(|word| is_key(word.as_bytes())).collect()
}

/// A mistake in the command line as it is in the document of `--json`.
fn entry(error: &clap::Error, said: &str) -> Value {
    let message = match error.kind() {
        // clap would list every verb, or print the help.
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => "no command given".into(),
        // What follows the first empty line is the usage.
        _ => excerpt(said.trim_start_matches("error: ").split("\n\n").next().unwrap_or_default(), LONGEST_PROBLEM),
    };
    json!({ "kind": "usage", "message": message, "hint": "see `ipv64-acme --help`", "details": [] })
}
