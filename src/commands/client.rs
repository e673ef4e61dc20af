//! `client add`, `client list`, `client rotate`, `client remove`: who may use the broker. A running broker reads the files
//! again by itself.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde_json::{Value, json};

use super::context::watch_signals;
use super::{Invocation, domain, invalid_argument};
use crate::cli::{BrokerClientArgs, BrokerClientCommand, ClientAddArgs};
use crate::error::{Context as _, Error, Kind, Result};
use crate::excerpt::visible_path;
use crate::exit::Exit;
use crate::name::DnsName;
use crate::report::Report;
use crate::secret::Secret;
use crate::serve::client_file::{AcmeDnsAccount, ClientFile};
use crate::serve::client_lines::{NewClient, account_document, notes};
use crate::serve::clients::{self, FOLDER};
use crate::serve::config::ServeConfig;
use crate::serve::grant::{Grant, NotReady};
use crate::serve::token::{self, TokenHash};
use crate::serve::{address, confusion, policy, register};
use crate::setup::prompt;

/// Stands for the broker where nothing tells its address.
const BROKER: &str = "https://BROKER:8443";

/// Runs one of the commands.
pub(super) fn run(call: &Invocation<'_>, args: &BrokerClientArgs) -> Result<Exit> {
    let (folder, report) = (args.files.config_dir.join(FOLDER), call.report);
    match &args.command {
        BrokerClientCommand::Add(new) => add(report, &args.files.config_dir, new),
        BrokerClientCommand::List => list(report, &folder),
        BrokerClientCommand::Rotate { name, drop_old: false } => rotate(report, &folder, name),
        BrokerClientCommand::Rotate { name, drop_old: true } => drop_old(report, &folder, name),
        BrokerClientCommand::Remove { name, yes } => remove(report, &folder, name, *yes),
    }
}

fn add(report: Report, config_dir: &Path, args: &ClientAddArgs) -> Result<Exit> {
    let folder = &config_dir.join(FOLDER);
    let no_random = "cannot make a token";
    let token = token::generate().context(no_random)?;
    let grant = Grant {
        client: args.name.clone(),
        allow: args.allow.clone(),
        alias: args.alias.clone(),
        from: args.from.clone(),
        calls_per_day: args.calls_per_day,
        not_ready: if args.not_ready.as_deref() == Some("fail") { NotReady::Fail } else { NotReady::Pending },
    };
    let acme_dns = args.acme_dns.as_ref();
    if let Some(record) = acme_dns.filter(|record| policy::admit_name(&grant, record).is_err()) {
        let problem = format!("`{record}` is not in --allow");
        let hint = "the account can only do what the client may: add the name to --allow";
        return Err(invalid_argument("--acme-dns", &problem, hint));
    }
    let account = acme_dns.map(|record| account(record.clone())).transpose().context(no_random)?;
    let (accounts, key) = account.map_or((Vec::new(), None), |(account, key)| (vec![account], Some(key)));
    let tokens = vec![TokenHash::of(token.expose().as_bytes())];
    let file = ClientFile { grant, tokens, uid: args.uid, acme_dns: accounts };
    register::make_folder(folder)?;
    let _lock = register::lock(folder)?;
    let (files, _) = clients::read(folder);
    check_uid(&files, &file)?;
    let path = register::add(folder, &file)?;
    let others = files.iter().map(|file| &file.grant);
    let before = confusion::among(others.clone());
    let after = confusion::among(others.clone().chain([&file.grant]));
    tell_confusions(report, after.iter().filter(|text| !before.contains(text)));
    let acme_dns = file.acme_dns.first().zip(key.as_ref());
    let broker = address::find(config_dir).unwrap_or_else(|| BROKER.to_owned());
    let new = NewClient { broker: &broker, name: &args.name, token: &token, acme_dns };
    let config = ServeConfig::read(config_dir).ok();
    tell(
        report,
        &new,
        &file,
        &notes(&file.grant, others),
        (&path, config.as_ref().and_then(|config| config.socket.as_deref())),
    );
    let mut document = entry(&file, &files);
    document["token"] = token.expose().into();
    document["acme_dns"] = acme_dns.map(|(account, key)| account_document(account, key)).into();
    document["file"] = path.to_string_lossy().into();
    document["broker"] = broker.as_str().into();
    report.document(&document);
    Ok(Exit::Done)
}

/// Makes an account of acme-dns, with its key.
fn account(record: DnsName) -> std::io::Result<(AcmeDnsAccount, Secret)> {
    let key = token::acme_dns_key()?;
    let hash = TokenHash::of(key.expose().as_bytes());
    Ok((AcmeDnsAccount { username: token::uuid()?, key: hash, subdomain: token::uuid()?, record }, key))
}

/// Refuses a user who is another client already: on the socket, nobody could tell which.
fn check_uid(files: &[ClientFile], new: &ClientFile) -> Result<()> {
    let other = files.iter().find(|file| file.uid.is_some() && file.uid == new.uid);
    match other.filter(|other| other.grant.client != new.grant.client) {
        Some(other) => {
            let problem = format!("that user is already the client `{}`", other.grant.client);
            Err(invalid_argument("--uid", &problem, "leave --uid out, or take `uid` out of the other client's file"))
        }
        None => Ok(()),
    }
}

fn tell_confusions<'a>(report: Report, texts: impl Iterator<Item = &'a String>) {
    texts.for_each(|text| report.warning_of(&confusion::warning(text)));
}

fn tell(
    report: Report,
    new: &NewClient<'_>,
    file: &ClientFile,
    notes: &[String],
    (path, socket): (&Path, Option<&Path>),
) {
    report.line(&format!("client  {}, in `{}`", new.name, visible_path(path)));
    report.line(&format!("token   {} (shown only now: the file has its hash)", new.token.expose()));
    report.line(&format!("allow   {}; each name grants its wildcard too", words(&file.grant.allow)));
    for note in notes {
        report.line(&format!("note    {note}"));
    }
    if let Some((uid, socket)) = file.uid.zip(socket) {
        report.line(&format!("\nThe user {uid}, without the token: IPV64_BROKER=unix:{}", visible_path(socket)));
    }
    for lines in new.lines() {
        report.line(&format!("\n{}:", lines.of));
        for line in lines.lines {
            report.line(&format!("  {line}"));
        }
    }
    if new.broker == BROKER {
        report.line(
            "\nBROKER:8443 stands for the broker: the name in its certificate, and the port of `listen` in serve.toml.",
        );
    }
}

fn list(report: Report, folder: &Path) -> Result<Exit> {
    let (files, mut errors) = clients::read(folder);
    errors.extend(clients::shared(&files));
    let columns = [
        ("CLIENT", "client"),
        ("TOKENS", "tokens"),
        ("ALLOW", "allow"),
        ("SHARED WITH", "shared_with"),
        ("ALIAS", "alias"),
        ("FROM", "from"),
        ("CALLS", "calls_per_day"),
        ("NOT READY", "not_ready"),
        ("UID", "uid"),
        ("ACME-DNS", "acme_dns"),
    ];
    report.list("clients", &columns, &files.iter().map(|file| entry(file, &files)).collect::<Vec<_>>());
    // With the list, which is right as far as it goes: a file that cannot be used takes no other along.
    for error in &errors {
        report.error_text(error);
    }
    tell_confusions(report, confusion::among(files.iter().map(|file| &file.grant)).iter());
    Ok(errors.first().map_or(Exit::Done, |error| error.kind().exit()))
}

fn rotate(report: Report, folder: &Path, name: &str) -> Result<Exit> {
    let _lock = register::lock(folder)?;
    let path = existing(folder, name)?;
    let token = token::generate().context("cannot make a token")?;
    let tokens = register::add_token(&path, TokenHash::of(token.expose().as_bytes()))?;
    report.line(&format!("client  {name}, which now has {tokens} tokens"));
    report.line(&format!("token   {} (shown only now)", token.expose()));
    report.line(&format!(
        "Replace the old token at the client with it, then run `ipv64-acme client rotate {name} --drop-old`: until then \
         both are accepted."
    ));
    report.document(&json!({ "client": name, "token": token.expose(), "tokens": tokens, "dropped": 0 }));
    Ok(Exit::Done)
}

fn drop_old(report: Report, folder: &Path, name: &str) -> Result<Exit> {
    let _lock = register::lock(folder)?;
    let before = register::drop_old_tokens(&existing(folder, name)?)?;
    let tokens = before.min(1);
    let dropped = before - tokens;
    report.line(&match dropped {
        0 => format!("{name}: there is no older token; `ipv64-acme client rotate {name}` makes a new one"),
        1 => format!("{name}: the older token is no longer valid"),
        _ => format!("{name}: the {dropped} older tokens are no longer valid"),
    });
    report.document(&json!({ "client": name, "token": null, "tokens": tokens, "dropped": dropped }));
    Ok(Exit::Done)
}

fn remove(report: Report, folder: &Path, name: &str, yes: bool) -> Result<Exit> {
    let path = existing(folder, name)?;
    if !yes && !prompt::can_ask() {
        let problem = format!("removing the client `{name}` needs --yes where there is no terminal");
        return Err(Error::new(Kind::NeedsYes, problem).advise("add --yes to remove it without a question"));
    }
    if !yes {
        let declined = format!("the client `{name}` was not removed");
        domain::confirm(report, watch_signals()?.as_ref(), &format!("remove the client `{name}`?"), declined)?;
    }
    let _lock = register::lock(folder)?;
    fs::remove_file(&path).map_err(|error| register::unwritable(&path, &error))?;
    report.line(&format!("{name}: removed; its tokens are no longer valid"));
    report.document(&json!({ "client": name, "status": "removed" }));
    Ok(Exit::Done)
}

/// Returns the path of a client's file, which has to be there.
fn existing(folder: &Path, name: &str) -> Result<std::path::PathBuf> {
    let path = register::path(folder, name);
    match path.symlink_metadata() {
        Ok(_) => Ok(path),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let names = clients::paths(folder).unwrap_or_default();
            let names: Vec<_> = names.iter().filter_map(|path| path.file_stem()?.to_str().map(str::to_owned)).collect();
            let hint = match names.as_slice() {
                [] => format!("`{}` has none; name another folder with --config-dir", visible_path(folder)),
                names => format!("the clients are {}", names.join(", ")),
            };
            Err(Error::new(Kind::NoSuchClient, format!("there is no client `{name}`")).advise(hint))
        }
        Err(error) => Err(register::unwritable(&path, &error)),
    }
}

/// A client as `--json` gives it beside all others, without secrets.
fn entry(file: &ClientFile, all: &[ClientFile]) -> Value {
    let others = all.iter().map(|other| &other.grant).filter(|other| other.client != file.grant.client);
    let shared_with: Vec<_> =
        others.filter(|other| file.grant.shared_with(other).is_some()).map(|other| &other.client).collect();
    let Grant { client, allow, alias, from, calls_per_day, not_ready } = &file.grant;
    json!({
        "client": client,
        "tokens": file.tokens.len(),
        "allow": texts(allow),
        "shared_with": shared_with,
        "alias": texts(alias),
        "from": texts(from),
        "calls_per_day": calls_per_day,
        "not_ready": not_ready,
        "uid": file.uid,
        "acme_dns": file.acme_dns.iter().map(|account| account.record.as_str()).collect::<Vec<_>>(),
    })
}

fn texts(items: &[impl ToString]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

fn words(items: &[impl ToString]) -> String {
    texts(items).join(", ")
}
