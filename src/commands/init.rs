//! `init`: from a key to the line that an ACME client needs. Nothing is stored before IPv64 has accepted the key. What is found
//! on the machine is the business of [`crate::setup`]; how it is told, of [`tell`].

mod tell;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::Invocation;
use super::context::{Context, watch_signals};
use super::stop::end_at_signal;
use crate::api::{Account, RetryPolicy};
use crate::cli::InitArgs;
use crate::error::{Context as _, Error, Kind, Result};
use crate::excerpt::visible_path;
use crate::exit::Exit;
use crate::name::DnsName;
use crate::ownership;
use crate::provider;
use crate::report::{self, Report};
use crate::secret::{LONGEST_KEY, Secret};
use crate::settings::file::{self, FILE_NAME};
use crate::settings::{ConfigFile, Environment, Origin, Setting, Settings, Sources, key};
use crate::setup::store::{self, Planned};
use crate::setup::{self, Machine, clients, existing, prompt, timer};

/// Where people find their key.
const QUESTION: &str = "API key (from your account page at IPv64.net; it is not shown):";

/// One call of the command.
struct Init<'a> {
    args: &'a InitArgs,
    report: Report,
    interrupted: Arc<AtomicBool>,
    machine: Machine,
    exe: PathBuf,
    /// Whether somebody sits there who may be asked, and who sees what is going to be written.
    has_person: bool,
}

/// Asks, checks, stores, and tells what to do next.
pub(super) fn run(call: &Invocation<'_>, args: &InitArgs) -> Result<Exit> {
    let (environment, report) = (call.environment, call.report);
    let init = Init {
        args,
        report,
        interrupted: watch_signals()?,
        machine: machine(environment),
        exe: std::env::current_exe().context("cannot find this program")?,
        has_person: prompt::can_ask() && !report.is_json() && !report.is_quiet(),
    };
    let config = place(call)?;
    if let Some(exposure) = ownership::exposure_of_place(&config) {
        return Err(file::exposed(exposure));
    }
    let has_timer = timer::is_possible() && is_usual(environment, &config);
    if args.timer && !has_timer {
        return Err(no_timer());
    }
    let file = if config.exists() { Some(ConfigFile::read(&config)?) } else { None };
    let sources = Sources { flags: &call.cli.settings.0, environment, file };
    let settings = Settings::load(&sources)?;
    let given = given_file(&sources)?;
    let key = match &given {
        Some(path) => key::from_file(path, &sources)?,
        None => init.ask()?,
    };
    report::mask(&key);
    let (context, account) = init.check(settings, key.clone())?;
    tell::account(&account, report);
    if init.interrupted.load(Ordering::Relaxed) {
        return Err(setup::interrupted());
    }
    let key_file = init.store(&config, given, &key)?;
    if has_timer {
        init.offer_timer(&key_file)?;
    }
    if args.dry_run {
        report.line("nothing was written");
    } else {
        tell::places(&key_file, &config, report);
        tell_what_hides_it(&sources, &config, report);
    }
    let domains = init.domains(&context);
    let domain = domains.first();
    let (existing, clients) = (existing::look(&init.machine), clients::find(&init.machine, &init.exe, domain));
    tell::existing(&existing, report);
    tell::clients(&clients, domain, report);
    report.document(&json!({
        "class": account.class.name,
        "api_calls_left": account.api_calls_left(),
        "api_key_file": key_file,
        "config_file": config,
        "domains": domains.iter().map(DnsName::as_str).collect::<Vec<_>>(),
        "existing": existing,
        "clients": clients,
        "dry_run": args.dry_run,
    }));
    Ok(Exit::Done)
}

impl Init<'_> {
    /// Gets the key: from stdin, from acme.sh if the person at the terminal says so, from that person.
    fn ask(&self) -> Result<Secret> {
        let content = if self.args.stdin {
            let mut content = Vec::new();
            let read = std::io::stdin().lock().take(LONGEST_KEY + 1).read_to_end(&mut content);
            read.map_err(|error| setup::unreadable(&error))?;
            content
        } else if prompt::can_ask() {
            if let Some(key) = self.offer_key() {
                return Ok(key);
            }
            prompt::read_hidden(&self.interrupted, format!("{QUESTION} "))?.into_bytes()
        } else {
            let problem = "there is nobody to ask for the API key: this is not a terminal";
            let hint = "pipe the key in with `ipv64-acme init --stdin`, or name its file with --api-key-file";
            let found = existing::saved_key(&self.machine);
            let found = found.map(|(path, _)| format!("acme.sh has saved an API key in `{}`", visible_path(&path)));
            return Err(Error::new(Kind::NobodyToAsk, problem).advise(hint).observed(found.into_iter().collect()));
        };
        key::parse("what was typed", &content)
    }

    /// Offers to take over the key that acme.sh has saved.
    fn offer_key(&self) -> Option<Secret> {
        let (path, key) = existing::saved_key(&self.machine).filter(|_| self.has_person)?;
        self.report.question(&format!("acme.sh has saved an API key in `{}`: use it? [y/N]", visible_path(&path)));
        prompt::agrees(&self.interrupted).then_some(key)
    }

    /// One call, which shows whose key it is.
    fn check(&self, settings: Settings, key: Secret) -> Result<(Arc<Context>, Account)> {
        let context = Arc::new(Context::with_key(settings, key, self.report)?);
        let asked = Arc::clone(&context);
        let answer = end_at_signal(&self.interrupted, move || asked.client.account(&RetryPolicy::interactive()))?;
        let account = answer.ok_or_else(setup::interrupted)?;
        context.tell_warnings();
        let account = account.context("the API key was not stored, because it could not be checked")?;
        context.learn_quota(&account);
        Ok((context, account))
    }

    /// Stores the key, unless it stays in the file that was given, and lets the configuration point at it; the configuration
    /// comes last. Returns where the key is.
    fn store(&self, config: &Path, given: Option<PathBuf>, key: &Secret) -> Result<PathBuf> {
        let planned = given.is_none().then(|| Planned::key(config, key));
        let key_file = given.or_else(|| Some(planned.as_ref()?.path.clone())).unwrap_or_default();
        let pointing = store::pointing_at(config, &key_file)?;
        for file in planned.iter().chain(&pointing) {
            self.show(file);
            if !self.args.dry_run {
                file.write()?;
            }
        }
        Ok(key_file)
    }

    /// Shows a file to whoever sits there, before it is written.
    fn show(&self, file: &Planned) {
        if self.has_person || self.args.dry_run {
            file.shown().iter().for_each(|line| self.report.line(line));
        }
    }

    /// Writes the timer if a flag says so, or the person at the terminal who has seen it.
    fn offer_timer(&self, key_file: &Path) -> Result<()> {
        let Some(units) = timer::units(Path::new(timer::FOLDER), &self.exe, key_file) else { return Ok(()) };
        if units.iter().all(Planned::is_there) {
            self.report.line("timer          is there already");
        } else if self.args.timer || self.has_person {
            units.iter().for_each(|unit| self.show(unit));
            if !self.args.dry_run && (self.args.timer || self.agrees_to_timer()) {
                units.iter().try_for_each(Planned::write)?;
                self.report.line(&format!("timer          switch it on: {}", timer::SWITCH_ON));
            }
        }
        Ok(())
    }

    fn agrees_to_timer(&self) -> bool {
        self.report.question("Write these two files, for a timer that removes leftovers each week? [y/N]");
        prompt::agrees(&self.interrupted)
    }

    /// One more call, for lines with a domain of the account. Those in use come first, and of these the provider's, which need
    /// no delegation. The key is stored by now: without an answer the lines have none.
    fn domains(&self, context: &Arc<Context>) -> Vec<DnsName> {
        let asked = Arc::clone(context);
        let answer = end_at_signal(&self.interrupted, move || asked.domains(&RetryPolicy::interactive()));
        context.tell_warnings();
        match answer {
            Ok(Some(Ok(mut domains))) => {
                domains.sort_by_key(|domain| (domain.deactivated == Some(true), !provider::owns(&domain.name)));
                let names: Vec<_> = domains.into_iter().map(|domain| domain.name).collect();
                tell::domains(&names, self.report);
                names
            }
            Ok(Some(Err(error))) | Err(error) => {
                self.report.warning(&format!("{error:#}"));
                Vec::new()
            }
            Ok(None) => Vec::new(),
        }
    }
}

fn machine(environment: &Environment) -> Machine {
    Machine {
        root: PathBuf::from("/"),
        home: environment.get("HOME").map(PathBuf::from),
        here: std::env::current_dir().ok(),
        search_path: environment.get("PATH").unwrap_or_default(),
        plugin_path: environment.get("CERTBOT_PLUGIN_PATH").unwrap_or_default(),
    }
}

/// Whether a unit finds the configuration without being told where it is.
fn is_usual(environment: &Environment, config: &Path) -> bool {
    environment.own_config_dir().is_some_and(|folder| folder.join(FILE_NAME) == config)
}

fn no_timer() -> Error {
    let problem = "--timer cannot be used: it needs root, systemd, and the configuration in its usual place";
    Error::new(Kind::InvalidArgument, problem).advise("leave it out; cron can run `ipv64-acme sweep --yes` too")
}

/// Where the configuration is written: where the user says, else the system's place for root, else the user's.
fn place(call: &Invocation<'_>) -> Result<PathBuf> {
    let named = call.cli.config.clone().or_else(|| call.environment.get("IPV64_CONFIG").map(PathBuf::from));
    let usual = || call.environment.own_config_dir().map(|folder| folder.join(FILE_NAME));
    let no_place = || {
        Error::new(Kind::NoPlace, "there is no place for the configuration: HOME is not set")
            .advise("set HOME, or name a file with --config: the key is stored beside it")
    };
    absolute(&named.or_else(usual).ok_or_else(no_place)?)
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("cannot find `{}`", visible_path(path)))
}

/// The key file that a flag names: it stays where it is.
fn given_file(sources: &Sources<'_>) -> Result<Option<PathBuf>> {
    match sources.find(Setting::ApiKeyFile) {
        Some((path, Origin::Flag(_))) => absolute(Path::new(&path)).map(Some),
        _ => Ok(None),
    }
}

/// Another key, or another configuration file, that comes before what was stored now; or a place that no hook reads.
fn tell_what_hides_it(sources: &Sources<'_>, config: &Path, report: Report) {
    if let Some(variable) = key::variable_in_force(sources) {
        report.warning(&format!("the variable {variable} is set and comes before the stored key"));
    }
    let named = sources.variable("IPV64_CONFIG").and_then(|path| std::path::absolute(path).ok());
    let mut places = sources.environment.config_dirs().into_iter().map(|folder| folder.join(FILE_NAME));
    let config = (config, visible_path(config));
    match named.or_else(|| places.find(|path| path.exists())) {
        Some(path) if path == config.0 => {}
        Some(path) => report.warning(&format!(
            "`{}` is read before `{}`; name the latter with IPV64_CONFIG",
            visible_path(&path),
            config.1
        )),
        None => report.warning(&format!(
            "`{}` is read only where it is named: give the hooks --config, or IPV64_CONFIG in their environment",
            config.1
        )),
    }
}
