//! What `init` asks before it stores anything: IPv64 about the key, a broker about the token.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::api::{Account, RetryPolicy};
use crate::broker::client::Patience;
use crate::broker::protocol::ClientAnswer;
use crate::commands::context::Context;
use crate::commands::stop::end_at_signal;
use crate::error::{Context as _, Result};
use crate::name::DnsName;
use crate::provider;
use crate::settings::Settings;
use crate::setup;
use crate::solver::Upstream;

/// How long a broker may take: somebody is waiting.
const PATIENCE: Duration = Duration::from_secs(12);

/// Whose key or token it is.
pub(super) enum Checked {
    Account(Box<Account>),
    Broker(ClientAnswer),
}

/// One request, which shows whose the key or token of this name is.
pub(super) fn check(context: &Arc<Context>, name: &str, interrupted: &AtomicBool) -> Result<Checked> {
    let asked = Arc::clone(context);
    let answer = end_at_signal(interrupted, move || match &asked.upstream {
        Upstream::Api(client) => Ok(Checked::Account(Box::new(client.account(&RetryPolicy::interactive())?))),
        Upstream::Broker(client) => {
            let patience = Patience { deadline: Instant::now() + PATIENCE, tries: 2 };
            Ok(Checked::Broker(client.client(patience)?))
        }
    })?;
    context.tell_warnings();
    let checked: Result<Checked> = answer.ok_or_else(setup::interrupted)?;
    let checked = checked.with_context(|| format!("the {name} was not stored, because it could not be checked"))?;
    if let Checked::Account(account) = &checked {
        context.learn_quota(account);
    }
    Ok(checked)
}

/// One more call, for lines with a domain of the account. Those in use come first, and of these the provider's, which need
/// no delegation. The key is stored by now: without an answer, which is told, the lines have none.
pub(super) fn domains(context: &Arc<Context>, interrupted: &AtomicBool) -> Option<Vec<DnsName>> {
    let asked = Arc::clone(context);
    let answer = end_at_signal(interrupted, move || asked.domains(&RetryPolicy::interactive()));
    context.tell_warnings();
    match answer {
        Ok(Some(Ok(mut domains))) => {
            domains.sort_by_key(|domain| (domain.deactivated == Some(true), !provider::owns(&domain.name)));
            Some(domains.into_iter().map(|domain| domain.name).collect())
        }
        Ok(Some(Err(error))) | Err(error) => {
            context.report.warning_of(&error);
            None
        }
        Ok(None) => None,
    }
}

/// The names that a broker grants, without the patterns.
pub(super) fn names(client: &ClientAnswer) -> Vec<DnsName> {
    client.allow.iter().filter(|pattern| !pattern.starts_with('*')).filter_map(|name| name.parse().ok()).collect()
}

/// The part of the document that says whose it is, and where it is stored.
pub(super) fn document(checked: &Checked, settings: &Settings, file: &Path) -> Value {
    let mut document = json!({ "class": null, "api_calls_left": null, "api_key_file": null, "broker": null });
    match checked {
        Checked::Account(account) => {
            document["class"] = json!(account.class.name);
            document["api_calls_left"] = json!(account.api_calls_left());
            document["api_key_file"] = json!(file);
        }
        Checked::Broker(client) => {
            document["broker"] = json!({
                "address": settings.broker.as_ref().map(ToString::to_string),
                "client": client.client,
                "allow": client.allow,
                "alias": client.alias,
                "calls_per_day": client.calls_per_day,
                "token_file": file,
            });
        }
    }
    document
}
