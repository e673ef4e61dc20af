//! `init`: from a key to the line that an ACME client needs. Nothing is stored before IPv64 has accepted the key.

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
use crate::excerpt::{visible, visible_path};
use crate::exit::Exit;
use crate::ownership;
use crate::report::Report;
use crate::secret::{LONGEST_KEY, Secret};
use crate::settings::file::{self, FILE_NAME};
use crate::settings::{ConfigFile, Environment, Origin, Setting, Settings, Sources, key};
use crate::setup::clients::{self, Installed};
use crate::setup::{self, prompt, store};

/// Where people find their key.
const QUESTION: &str = "API key (from your account page at IPv64.net; it is not shown):";

/// Asks, checks, stores, and tells what to do next.
pub(super) fn run(call: &Invocation<'_>, args: &InitArgs) -> Result<Exit> {
    let (environment, report) = (call.environment, call.report);
    let interrupted = watch_signals()?;
    let config = place(call)?;
    if let Some(exposure) = ownership::exposure_of_place(&config) {
        return Err(file::exposed(exposure));
    }
    let file = if config.exists() { Some(ConfigFile::read(&config)?) } else { None };
    let sources = Sources { flags: &call.cli.settings.0, environment, file };
    let settings = Settings::load(&sources)?;
    let given = given_file(&sources)?;
    let key = match &given {
        Some(path) => key::from_file(path, &sources)?,
        None => ask(args, &interrupted)?,
    };
    let account = check(settings, key.clone(), report, &interrupted)?;
    tell_account(&account, report);
    if interrupted.load(Ordering::Relaxed) {
        return Err(setup::interrupted());
    }
    let key_file = match given {
        Some(path) => path,
        None => store::key(&config, &key)?,
    };
    store::point_at(&config, &key_file)?;
    report.line(&format!("key            {} (nobody else can read it)", visible_path(&key_file)));
    report.line(&format!("configuration  {}", visible_path(&config)));
    tell_what_hides_it(&sources, &config, report);
    let clients = find_clients(environment)?;
    tell_clients(&clients, report);
    report.document(&json!({
        "class": account.class.name,
        "api_calls_left": account.api_calls_left(),
        "api_key_file": key_file,
        "config_file": config,
        "clients": clients,
    }));
    Ok(Exit::Done)
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

fn ask(args: &InitArgs, interrupted: &AtomicBool) -> Result<Secret> {
    let content = if args.stdin {
        let mut content = Vec::new();
        let read = std::io::stdin().lock().take(LONGEST_KEY + 1).read_to_end(&mut content);
        read.map_err(|error| setup::unreadable(&error))?;
        content
    } else if prompt::can_ask() {
        prompt::read_hidden(interrupted, format!("{QUESTION} "))?.into_bytes()
    } else {
        let problem = "there is nobody to ask for the API key: this is not a terminal";
        let hint = "pipe the key in with `ipv64-acme init --stdin`, or name its file with --api-key-file";
        return Err(Error::new(Kind::NobodyToAsk, problem).advise(hint));
    };
    key::parse("what was typed", &content)
}

/// One call, which shows whose key it is.
fn check(settings: Settings, key: Secret, report: Report, interrupted: &AtomicBool) -> Result<Account> {
    let context = Arc::new(Context::with_key(settings, key, report)?);
    let asked = Arc::clone(&context);
    let answer = end_at_signal(interrupted, move || asked.client.account(&RetryPolicy::interactive()))?;
    let account = answer.ok_or_else(setup::interrupted)?;
    context.tell_warnings();
    let account = account.context("the API key was not stored, because it could not be checked")?;
    context.learn_quota(&account);
    Ok(account)
}

fn tell_account(account: &Account, report: Report) {
    let class = account.class.name.as_deref().map_or_else(|| "unknown".to_owned(), visible);
    let left = match (account.api_calls_left(), account.class.api_limit) {
        (Some(left), Some(limit)) => format!("{left} of {limit} API calls left today"),
        _ => "no daily limit of API calls".to_owned(),
    };
    report.line(&format!("account        class {class}, {left}"));
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

fn find_clients(environment: &Environment) -> Result<Vec<Installed>> {
    let exe = std::env::current_exe().context("cannot find this program")?;
    let home = environment.get("HOME").map(PathBuf::from);
    Ok(clients::find(&environment.get("PATH").unwrap_or_default(), home.as_deref(), &exe))
}

fn tell_clients(clients: &[Installed], report: Report) {
    if clients.is_empty() {
        report.line("\nNo ACME client found. Any client that calls a program works, for example");
        report.line("certbot: --manual-auth-hook \"ipv64-acme auth\" --manual-cleanup-hook \"ipv64-acme cleanup\"");
    }
    for client in clients {
        report.line(&format!("\n{} ({}):", client.name, visible_path(&client.path)));
        for line in &client.lines {
            report.line(&format!("  {}", visible(line)));
        }
        if let Some(note) = client.note {
            report.line(&format!("  # {note}"));
        }
    }
    report.line("\nTry it without a CA: ipv64-acme test DOMAIN. If something is wrong: ipv64-acme doctor DOMAIN.");
}
