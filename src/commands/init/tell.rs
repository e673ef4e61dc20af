//! What `init` says of account, files and clients.

use std::path::Path;

use super::checks::Checked;
use crate::account::few;
use crate::api::Account;
use crate::broker::protocol::ClientAnswer;
use crate::excerpt::{visible, visible_path};
use crate::name::DnsName;
use crate::report::Report;
use crate::settings::key::Credential;
use crate::settings::{Setting, Settings};
use crate::setup::clients::Installed;
use crate::setup::existing::Existing;

/// Whose key or token it is.
pub(super) fn checked(checked: &Checked, settings: &Settings, report: Report) {
    match checked {
        Checked::Account(of) => account(of, report),
        Checked::Broker(client) => broker(client, settings, report),
    }
}

/// Who this machine is to the broker, and what it may do.
fn broker(client: &ClientAnswer, settings: &Settings, report: Report) {
    let address = settings.broker.as_ref().map(ToString::to_string).unwrap_or_default();
    report.line(&format!("broker         {address} knows this machine as `{}`", visible(&client.client)));
    let names = |names: &[String]| names.iter().map(|name| visible(name)).collect::<Vec<_>>().join(", ");
    if client.allow.is_empty() {
        report.warning("the broker does not allow this machine any name: `allow` in its file on the broker is empty");
    } else {
        report.line(&format!("certificates   {}; each with its wildcard", names(&client.allow)));
    }
    if !client.alias.is_empty() {
        report.line(&format!("aliases        may end at {}", names(&client.alias)));
    }
    if let Some(calls) = client.calls_per_day {
        report.line(&format!("API calls      {calls} a day"));
    }
}

/// Class and calls of the account.
fn account(account: &Account, report: Report) {
    let class = account.class.name.as_deref().map_or_else(|| "unknown".to_owned(), visible);
    let left = match (account.api_calls_left(), account.class.api_limit) {
        (Some(left), Some(limit)) => format!("{left} of {limit} API calls left today"),
        _ => "no daily limit of API calls".to_owned(),
    };
    report.line(&format!("account        class {class}, {left}"));
}

/// Where key or token and configuration are, and for whom.
pub(super) fn places((wanted, file): (&Credential, &Path), config: &Path, report: Report) {
    let name = if wanted.setting == Setting::ApiKeyFile { "key" } else { "token" };
    report.line(&format!("{name:<14} {} (nobody else can read it)", visible_path(file)));
    report.line(&format!("configuration  {}", visible_path(config)));
    let user = rustix::process::geteuid();
    let user = if user.is_root() { "root".to_owned() } else { format!("user {}", user.as_raw()) };
    report.line(&format!("for            {user}: hooks that run as another user do not read these"));
}

/// The domains of the account, or where to add one.
pub(super) fn domains(names: &[DnsName], report: Report) {
    let text = if names.is_empty() {
        "none yet: add one on your account page at IPv64.net, or run `ipv64-acme domain add NAME`".to_owned()
    } else {
        few(names)
    };
    report.line(&format!("domains        {text}"));
}

/// What the clients already have.
pub(super) fn existing(existing: &[Existing], report: Report) {
    if !existing.is_empty() {
        report.line("\nFound on this machine:");
    }
    for found in existing {
        report.line(&format!("  {} {} ({})", found.client, found.what, visible_path(&found.path)));
    }
}

/// The lines of each client, the best way first.
pub(super) fn clients(clients: &[Installed], domain: Option<&DnsName>, report: Report) {
    if clients.is_empty() {
        report.line(
            "\nNo ACME client found. On a server certbot with the plugin certbot-dns-ipv64 is the best way; any other",
        );
        report.line("client that calls a program works too.");
    }
    for client in clients {
        report.line(&format!("\n{} ({}):", client.name, visible_path(&client.path)));
        lines(&client.lines, report);
        if let Some(note) = client.note {
            report.line(&format!("  # {note}"));
        }
        if !client.otherwise.is_empty() {
            report.line("  # or, where no plugin can be added:");
            lines(&client.otherwise, report);
        }
    }
    let name = domain.map_or("DOMAIN", DnsName::as_str);
    report.line(&format!(
        "\nTry it without a CA: ipv64-acme test {name}. If something is wrong: ipv64-acme doctor {name}."
    ));
}

fn lines(lines: &[String], report: Report) {
    lines.iter().for_each(|line| report.line(&format!("  {}", visible(line))));
}
