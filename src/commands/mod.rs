//! From a parsed command line to an exit code: one file per command. What can be tested without a process is in
//! the rooms below.

mod account;
#[cfg(feature = "serve")]
mod audit;
mod batch;
#[cfg(feature = "serve")]
mod client;
mod config;
mod context;
mod doctor;
mod doctor_client;
mod domain;
mod explain;
mod history;
mod hook;
mod init;
mod manual;
mod memory;
mod on_failure;
mod record;
#[cfg(feature = "serve")]
mod serve;
#[cfg(feature = "sim")]
mod sim;
mod status;
mod stop;
mod sweep;
mod test;
mod usage;
mod version;

use std::ffi::OsString;

use context::Context;
use memory::Memory;

use crate::cli::{self, Cli, Command};
use crate::doctor::machine;
use crate::error::{Error, Kind, Result};
use crate::excerpt::excerpt;
use crate::exit::Exit;
use crate::order::Action;
use crate::report::{self, Look, Report};
use crate::secret::Secret;
use crate::settings::{Environment, Settings, Sources, key};

/// So many variables that mean nothing are named, and so many characters of each name.
const MOST_UNKNOWN: usize = 10;
const LONGEST_NAME: usize = 80;

/// Runs the program with its arguments (the first one is its own name) and its environment.
#[must_use]
pub fn run(args: &[OsString], environment: &Environment) -> Exit {
    let cli = match cli::parse(args) {
        Ok(cli) => cli,
        Err(_) if args.len() == 1 && environment.get("CERTBOT_DOMAIN").is_some() => {
            return usage::report(args).error(&crate::hook::certbot::without_verb());
        }
        Err(error) => {
            return usage::ignored_event(args, &error, environment).unwrap_or_else(|| usage::tell(args, &error));
        }
    };
    let report = Report::new(cli.output, Look::of(environment));
    // Some calls of clients are to end in silence; which ones, their own arguments tell. lego has variables of its own.
    let by_lego =
        matches!(cli.command, Command::Present(_) | Command::Cleanup(_)) && environment.get("EXEC_PATH").is_some();
    if !by_lego && !matches!(cli.command, Command::Client(_)) {
        warn_of_unknown(environment, report);
    }
    let Some(open) = open_after_signal(&cli.command) else { return execute(args, &cli, environment, report) };
    let (args, environment) = (args.to_vec(), environment.clone());
    stop::run_command(report, open, move || execute(&args, &cli, &environment, report))
}

/// What is open where a command ends at a signal; nothing for one that hears signals itself, or asks nobody.
fn open_after_signal(command: &Command) -> Option<&'static str> {
    match command {
        Command::Account(_) | Command::Logs | Command::Status | Command::Doctor(_) => Some("nothing was changed"),
        Command::Domain(_) | Command::Record(_) => Some(
            "the change may have been made: `ipv64-acme domain list` and `ipv64-acme record list` show what is there",
        ),
        Command::Sweep(_) => Some("`ipv64-acme sweep` lists the records that may still be there"),
        _ => None,
    }
}

/// Does what the command line says.
fn execute(args: &[OsString], cli: &Cli, environment: &Environment, report: Report) -> Exit {
    let call = Invocation { args, cli, environment, report, memory: Memory::new() };
    let done = match &cli.command {
        Command::Auth(args) => hook::auth(&call, args),
        Command::Present(args) => hook::record(&call, Action::Add, args),
        Command::Cleanup(args) => hook::record(&call, Action::Remove, args),
        Command::Batch(args) => batch::run(&call, args.action),
        Command::Client(verb) => hook::client(&call, verb),
        Command::Account(secrets) => call.with(|context| account::show(context, *secrets)),
        Command::Logs => call.with(account::logs),
        Command::Domain(command) => call.with(|context| domain::run(context, command)),
        Command::Record(command) => {
            record::check(command).and_then(|()| call.with(|context| record::run(context, command)))
        }
        Command::Init(args) => init::run(&call, args),
        Command::Doctor(args) => doctor::run(&call, args),
        Command::Test { domains } => test::run(&call, domains),
        Command::Config => config::run(&call),
        Command::Sweep(args) => call.with(|context| sweep::run(context, args)),
        Command::Status => call.with(status::run),
        Command::History(args) => history::run(&call, args),
        Command::Explain(args) => explain::run(&call, args),
        #[cfg(feature = "serve")]
        Command::Serve(args) => serve::run(&call, args),
        #[cfg(feature = "serve")]
        Command::BrokerClient(args) => client::run(&call, args),
        #[cfg(feature = "serve")]
        Command::Audit(args) => audit::run(&call, args),
        Command::Completions { shell } => Ok(manual::completions(*shell, report)),
        Command::Version => Ok(version::run(&call)),
        Command::Man { folder } => manual::man(folder.as_deref(), report),
        #[cfg(all(feature = "sim", feature = "serve"))]
        Command::Demo(args) if args.fleet => sim::fleet::run(report),
        #[cfg(feature = "sim")]
        Command::Demo(_) => sim::demo::run(cli.output, report),
        #[cfg(feature = "sim")]
        Command::Sim(args) => sim::run(args, report),
    };
    let (exit, error) = match done {
        Ok(exit) => (exit, None),
        Err(error) => {
            let error = call.explained(error);
            (report.error(&error), Some(error))
        }
    };
    match cli.command {
        // The work of a hook is the record: a full disk below its log must not cost a certificate.
        Command::Auth(_) | Command::Present(_) | Command::Cleanup(_) | Command::Batch(_) | Command::Client(_) => {
            call.memory.note(&call, exit, error.as_ref());
            exit
        }
        Command::Test { .. } => {
            call.memory.note(&call, exit, error.as_ref());
            report.conclude(exit)
        }
        _ => report.conclude(exit),
    }
}

/// Names the variables with our prefix that mean nothing.
fn warn_of_unknown(environment: &Environment, report: Report) {
    let unknown = environment.unknown();
    for (name, nearest) in unknown.iter().take(MOST_UNKNOWN) {
        let nearest = nearest.as_ref().map_or_else(String::new, |nearest| format!(", did you mean `{nearest}`?"));
        report.warning(&format!("unknown variable `{}`{nearest}", excerpt(name, LONGEST_NAME)));
    }
    if let Some(more) = unknown.len().checked_sub(MOST_UNKNOWN).filter(|more| *more > 0) {
        report.warning(&format!("{more} more unknown variables that begin with IPV64_"));
    }
}

/// One call of the program: what was typed, the environment, and where to print.
struct Invocation<'a> {
    args: &'a [OsString],
    cli: &'a Cli,
    environment: &'a Environment,
    report: Report,
    memory: Memory,
}

impl Invocation<'_> {
    /// Returns the word that stands for the command: that of the ACME client for its verbs.
    fn word(&self) -> &str {
        match &self.cli.command {
            Command::Auth(_) => "auth",
            Command::Present(_) => "present",
            Command::Cleanup(_) => "cleanup",
            Command::Batch(_) => "batch",
            Command::Client(call) => call.verb.word,
            _ => "test",
        }
    }

    /// Returns the places of settings, with the configuration file read.
    fn sources(&self) -> Result<Sources<'_>> {
        Ok(self.sources_and_key()?.0)
    }

    /// Returns the places of settings, and the key that they hold or why there is none; it is masked from here on.
    fn sources_and_key(&self) -> Result<(Sources<'_>, Result<Secret>)> {
        let sources = self.places()?;
        // It may also stand where no key belongs, such as a domain or an address: nothing that is printed shows it.
        let key = key::find(&sources);
        if !self.cli.command.shows_secrets() {
            key::all(&sources).into_iter().for_each(report::mask);
        }
        Ok((sources, key))
    }

    fn places(&self) -> Result<Sources<'_>> {
        Sources::read(&self.cli.settings.0, self.cli.config.as_deref(), self.environment)
    }

    /// Puts what is broken on this machine before an error, and adds what was waited for and the settings that may be its
    /// cause.
    fn explained(&self, error: Error) -> Error {
        let kind = error.kind();
        // Where the arguments were at fault nobody has looked for the key yet, which may be one of them.
        let Ok(sources) = self.sources() else { return error };
        let error = match Settings::load(&sources).and_then(|settings| self.broken(&settings, kind)) {
            Ok(Some(broken)) => error.context(broken),
            Ok(None) | Err(_) => error,
        };
        let suspects = sources.suspects(|other| other == kind);
        let mut details = [error.details(), &self.memory.waits()].concat();
        if !suspects.is_empty() {
            details.push(format!("perhaps the cause: {}", suspects.join("; ")));
        }
        error.observed(details)
    }

    fn broken(&self, settings: &Settings, kind: Kind) -> Result<Option<String>> {
        let http = context::http_client(settings)?;
        Ok(machine::broken(settings, &context::lookup(settings, &http), kind))
    }

    /// Runs a command for people with what it needs.
    fn with(&self, action: impl FnOnce(&Context) -> Result<Exit>) -> Result<Exit> {
        let context = Context::open(self)?;
        let done = action(&context);
        context.tell_warnings();
        done
    }
}

/// The error for an argument, or a value of a setting, that clap let through.
fn invalid_argument(argument: &str, problem: &str, hint: &str) -> Error {
    Error::new(Kind::InvalidArgument, format!("{argument} cannot be used: {problem}")).advise(hint)
}
