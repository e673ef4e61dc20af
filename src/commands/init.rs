//! `init`: from a key to the line that an ACME client needs. Nothing is stored before IPv64 has accepted the key. What is found
//! on the machine is the business of [`crate::setup`]; how it is told, of [`tell`].

mod places;
mod tell;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::Invocation;
use super::context::{Context, needs_key, watch_signals};
use super::stop::end_at_signal;
use crate::api::{Account, RetryPolicy};
use crate::cli::InitArgs;
use crate::error::{Context as _, Error, Kind, Result};
use crate::excerpt::visible_path;
use crate::exit::Exit;
use crate::name::DnsName;
use crate::ownership::{self, Exposure};
use crate::provider;
use crate::report::{self, Report};
use crate::secret::{LONGEST_KEY, Secret};
use crate::settings::file;
use crate::settings::{ConfigFile, Settings, Sources, key};
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
        machine: places::machine(environment),
        exe: std::env::current_exe().context("cannot find this program")?,
        has_person: prompt::can_ask() && !report.is_json() && !report.is_quiet(),
    };
    let config = places::place(call)?;
    if let Some(exposure) = ownership::exposure_of_place(&config) {
        return Err(file::exposed(exposure));
    }
    let has_timer = timer::is_possible() && places::is_usual(environment, &config);
    if args.timer && !has_timer {
        return Err(no_timer());
    }
    let file = if config.exists() { Some(ConfigFile::read(&config)?) } else { None };
    let sources = Sources { flags: &call.cli.settings.0, environment, file };
    let settings = Settings::load(&sources)?;
    if settings.broker.is_some() {
        return Err(needs_key(&settings));
    }
    let given = places::given_file(&sources)?;
    let key = match &given {
        Some(path) => key::from_file(path, &sources)?,
        None => init.ask()?,
    };
    report::mask(key.clone());
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
        places::tell_what_hides_it(&sources, &config, report);
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
            let found = existing::saved_key(&self.machine).ok().flatten();
            let found = found.map(|it| format!("acme.sh has saved an API key in `{}`", visible_path(&it.path)));
            return Err(Error::new(Kind::NobodyToAsk, problem).advise(hint).observed(found.into_iter().collect()));
        };
        key::parse("what was typed", &content)
    }

    /// Offers to take over the key that acme.sh has saved.
    fn offer_key(&self) -> Option<Secret> {
        let saved = existing::saved_key(&self.machine).ok().flatten().filter(|_| self.has_person)?;
        let place = visible_path(&saved.path);
        self.report.question(&format!("acme.sh has saved an API key in `{place}`: use it? [y/N]"));
        if !prompt::agrees(&self.interrupted) {
            return None;
        }
        if let Some(Exposure { problem, remedy }) = saved.exposure {
            self.report.warning(&format!("{problem}, and the key is in it: {remedy}"));
        }
        Some(saved.key)
    }

    /// One call, which shows whose key it is.
    fn check(&self, settings: Settings, key: Secret) -> Result<(Arc<Context>, Account)> {
        let context = Arc::new(Context::with_key(settings, key, self.report)?);
        let asked = Arc::clone(&context);
        let answer =
            end_at_signal(&self.interrupted, move || Ok(asked.client()?.account(&RetryPolicy::interactive())?))?;
        let account: Result<Account> = answer.ok_or_else(setup::interrupted)?;
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
                self.report.warning_of(&error);
                Vec::new()
            }
            Ok(None) => Vec::new(),
        }
    }
}

fn no_timer() -> Error {
    let problem = "--timer cannot be used: it needs root, systemd, and the configuration in its usual place";
    Error::new(Kind::InvalidArgument, problem).advise("leave it out; cron can run `ipv64-acme sweep --yes` too")
}
