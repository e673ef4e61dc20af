//! `init`: from a key, or the token for a broker, to the line that an ACME client needs. Nothing is stored before IPv64 or the
//! broker has accepted it. What is found on the machine is the business of [`crate::setup`]; how it is told, of [`tell`].

mod checks;
mod places;
mod tell;

use std::ffi::OsStr;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::Invocation;
use super::context::{Context, watch_signals};
use crate::cli::InitArgs;
use crate::error::{Context as _, Error, Kind, Result};
use crate::excerpt::visible_path;
use crate::exit::Exit;
use crate::http::Endpoint;
use crate::name::DnsName;
use crate::ownership::{self, Exposure};
use crate::report::{self, Report};
use crate::secret::{LONGEST_KEY, Secret};
use crate::settings::file;
use crate::settings::key::Credential;
use crate::settings::{ConfigFile, Setting, Settings, Sources, key};
use crate::setup::store::{self, Planned};
use crate::setup::{self, Machine, clients, existing, prompt, timer};
use checks::Checked;

/// One call of the command.
struct Init<'a> {
    args: &'a InitArgs,
    report: Report,
    interrupted: Arc<AtomicBool>,
    machine: Machine,
    exe: PathBuf,
    /// What this machine is going to show.
    wanted: &'static Credential,
    /// Whether somebody sits there who may be asked, and who sees what is going to be written.
    has_person: bool,
}

/// Asks, checks, stores, and tells what to do next.
pub(super) fn run(call: &Invocation<'_>, args: &InitArgs) -> Result<Exit> {
    let (environment, report) = (call.environment, call.report);
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
    if let Some(broker) = &settings.broker {
        key::check_none(&sources)?;
        if broker.socket().is_some() {
            return Err(no_token_needed(&config, broker));
        }
    }
    let init = Init {
        args,
        report,
        interrupted: watch_signals()?,
        machine: places::machine(environment),
        exe: std::env::current_exe().context("cannot find this program")?,
        wanted: key::wanted(&sources),
        has_person: prompt::can_ask() && !report.is_json() && !report.is_quiet(),
    };
    let given = places::given_file(init.wanted.setting, &sources)?;
    let secret = match &given {
        Some(path) => init.wanted.read(path, &sources)?,
        None => init.ask()?,
    };
    report::mask(secret.clone());
    let context = Arc::new(Context::with_key(settings, secret.clone(), report)?);
    let checked = checks::check(&context, init.wanted.name, &init.interrupted)?;
    tell::checked(&checked, &context.settings, report);
    if init.interrupted.load(Ordering::Relaxed) {
        return Err(setup::interrupted());
    }
    let file = init.store(&config, given, &secret, &sources)?;
    if has_timer {
        init.offer_timer(&file)?;
    }
    if args.dry_run {
        report.line("nothing was written");
    } else {
        tell::places((init.wanted, &file), &config, report);
        places::tell_what_hides_it((init.wanted, &file), &sources, &config, report);
    }
    init.tell_clients(&context, &checked, (&file, &config));
    Ok(Exit::Done)
}

impl Init<'_> {
    /// Tells what to do next, with a name that a certificate can be had for.
    fn tell_clients(&self, context: &Arc<Context>, checked: &Checked, (file, config): (&Path, &Path)) {
        let domains = match checked {
            Checked::Account(_) => {
                let domains = checks::domains(context, &self.interrupted);
                domains.inspect(|domains| tell::domains(domains, self.report)).unwrap_or_default()
            }
            Checked::Broker(client) => checks::names(client),
        };
        let domain = domains.first();
        let (existing, mut clients) = (existing::look(&self.machine), clients::find(&self.machine, &self.exe, domain));
        for line in clients.iter_mut().flat_map(|client| &mut client.lines) {
            *line = line.replace(Setting::ApiKeyFile.flag(), self.wanted.setting.flag());
        }
        tell::existing(&existing, self.report);
        tell::clients(&clients, domain, self.report);
        let mut document = checks::document(checked, &context.settings, file);
        document["config_file"] = config.to_string_lossy().into();
        document["domains"] = json!(domains.iter().map(DnsName::as_str).collect::<Vec<_>>());
        document["existing"] = json!(existing);
        document["clients"] = json!(clients);
        document["dry_run"] = self.args.dry_run.into();
        self.report.document(&document);
    }

    /// Gets the key or token: from stdin, from acme.sh if the person at the terminal says so, from that person.
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
            prompt::read_hidden(&self.interrupted, self.wanted.question())?.into_bytes()
        } else {
            return Err(self.nobody_to_ask());
        };
        self.wanted.parse("what was typed", &content)
    }

    fn nobody_to_ask(&self) -> Error {
        let (name, flag) = (self.wanted.name, self.wanted.setting.flag());
        let problem = format!("there is nobody to ask for the {name}: this is not a terminal");
        let hint = format!("pipe it in with `ipv64-acme init --stdin`, or name its file with --{flag}");
        let found = self.saved_key();
        let found = found.map(|it| format!("acme.sh has saved an API key in `{}`", visible_path(&it.path)));
        Error::new(Kind::NobodyToAsk, problem).advise(hint).observed(found.into_iter().collect())
    }

    /// The key that acme.sh has saved, where a key is wanted.
    fn saved_key(&self) -> Option<existing::SavedKey> {
        existing::saved_key(&self.machine).ok().flatten().filter(|_| self.wanted.setting == Setting::ApiKeyFile)
    }

    /// Offers to take over the key that acme.sh has saved.
    fn offer_key(&self) -> Option<Secret> {
        let saved = self.saved_key().filter(|_| self.has_person)?;
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

    /// Stores the key or token, unless it stays in the file that was given, and lets the configuration point at it and at the
    /// broker; the configuration comes last. Returns where the key or token is.
    fn store(&self, config: &Path, given: Option<PathBuf>, secret: &Secret, sources: &Sources<'_>) -> Result<PathBuf> {
        let planned = given.is_none().then(|| Planned::key(config, self.wanted.file, secret));
        let key_file = given.or_else(|| Some(planned.as_ref()?.path.clone())).unwrap_or_default();
        let broker = sources.find(Setting::Broker).map(|(broker, _)| broker.trim().to_owned());
        // A broker often has a certificate of an own CA.
        let ca = broker.as_ref().and_then(|_| places::given_file(Setting::CaFile, sources).transpose()).transpose()?;
        let settings = [
            broker.as_ref().map(|broker| (Setting::Broker, OsStr::new(broker))),
            Some((self.wanted.setting, key_file.as_os_str())),
            ca.as_ref().map(|ca| (Setting::CaFile, ca.as_os_str())),
        ];
        let pointing = store::with_settings(config, &settings.into_iter().flatten().collect::<Vec<_>>())?;
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
        let credential = (self.wanted.systemd, key_file);
        let Some(units) = timer::units(Path::new(timer::FOLDER), &self.exe, credential) else { return Ok(()) };
        if units.iter().all(Planned::is_there) {
            self.report.line("timer          is there already");
        } else if self.args.timer || self.has_person {
            units.iter().for_each(|unit| self.show(unit));
            let other = units.iter().find(|unit| unit.would_replace());
            if !self.args.dry_run && self.agrees_to_timer(other) {
                units.iter().try_for_each(Planned::write)?;
                self.report.line(&format!("timer          switch it on: {}", timer::SWITCH_ON));
            }
        }
        Ok(())
    }

    /// Whether the units are to be written. What somebody has changed is replaced after a yes only.
    fn agrees_to_timer(&self, other: Option<&Planned>) -> bool {
        let question = match other.map(|unit| visible_path(&unit.path)) {
            None if self.args.timer => return true,
            Some(path) if !self.has_person => {
                self.report.warning(&format!("`{path}` was edited, and is kept: remove it first to get the new one"));
                return false;
            }
            Some(path) => format!("`{path}` was edited: replace it and write both files? [y/N]"),
            None => "Write these two files, for a timer that removes leftovers each week? [y/N]".to_owned(),
        };
        self.report.question(&question);
        prompt::agrees(&self.interrupted)
    }
}

fn no_token_needed(config: &Path, broker: &Endpoint) -> Error {
    let problem = format!("a user of `{broker}` needs no token, so there is nothing to store");
    let hint = format!("write `broker = \"{broker}\"` into `{}`", visible_path(config));
    Error::new(Kind::InvalidArgument, problem).advise(hint)
}

fn no_timer() -> Error {
    let problem = "--timer cannot be used: it needs root, systemd, and the configuration in its usual place";
    Error::new(Kind::InvalidArgument, problem).advise("leave it out; cron can run `ipv64-acme sweep --yes` too")
}
