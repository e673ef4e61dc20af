//! lego's `exec` provider, and everything that is built on it (Traefik, certbot-dns-multi): a full record name with a
//! final dot and the finished value, or in `EXEC_MODE=RAW` the domain, the token and the key authorization.

use super::{Convention, invalid};
use crate::challenge::{CHALLENGE_LABEL, Challenge, TxtValue};
use crate::error::{Error, Result};
use crate::order::{Action, CaAsked, Call, OnFailure};

const HINT: &str = "lego calls `EXEC_PATH present|cleanup NAME VALUE`, or with EXEC_MODE=RAW `present|cleanup -- DOMAIN \
                    TOKEN KEYAUTH`; a bare domain needs `--identifier`";
const WRONG_TYPE: &str = "set EXEC_MODE=RAW for lego and pass `-- DOMAIN TOKEN KEYAUTH`, or use the dns-01 challenge of \
                          your client (lego: `--dns exec`)";

/// lego.
pub const CONVENTION: Convention = Convention {
    name: "lego",
    page: "lego",
    setting: "EXEC_PATH=/usr/bin/ipv64-acme, with or without EXEC_MODE=RAW; Traefik takes the same",
    programs: &["lego"],
    lines: &["EXEC_PATH={exe} EXEC_SEQUENCE_INTERVAL=1 EXEC_POLLING_INTERVAL=1 LEGO_DISABLE_CNAME_SUPPORT=true \
              lego --accept-tos --email EMAIL --dns exec --dns.disable-cp -d DOMAIN -d '*.DOMAIN' run"],
    note: "in lego 5 write --dns.propagation.disable-ans --dns.propagation.disable-rns for --dns.disable-cp",
    ..Convention::UNKNOWN
};
/// Traefik, which has lego inside.
pub const TRAEFIK: Convention = Convention {
    name: "Traefik",
    page: "lego",
    programs: &["traefik"],
    lines: &["EXEC_PATH={exe} traefik --certificatesresolvers.ipv64.acme.dnschallenge.provider=exec"],
    ..Convention::UNKNOWN
};

/// Which of lego's two argument forms is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `NAME VALUE [TTL]`; before lego 2.0 a TTL followed.
    Record,
    /// `-- DOMAIN TOKEN KEYAUTH`: the only form in which a client sends `--`.
    Raw,
}

/// Reads one call.
///
/// # Errors
/// [`crate::error::Kind::InvalidCall`] for arguments that lego does not send.
pub fn parse(action: Action, form: Form, args: &[String]) -> Result<Call> {
    let challenge = match (form, args) {
        (Form::Record, [name, value]) => record(action, name, value)?,
        (Form::Record, [name, value, ttl]) if !ttl.is_empty() && ttl.bytes().all(|byte| byte.is_ascii_digit()) => {
            record(action, name, value)?
        }
        (Form::Raw, [domain, _token, key_authorization]) => raw(domain, key_authorization)?,
        (form, args) => return Err(misfit(action, form, args)),
    };
    let call = Call::new("lego", action, vec![challenge]);
    // lego calls cleanup right after a failed present.
    Ok(Call { on_failure: OnFailure::Leave, ca_asked: CaAsked::AfterEach, ..call })
}

/// The error for a count of arguments that lego does not send.
fn misfit(action: Action, form: Form, args: &[String]) -> Error {
    let verb = if action == Action::Add { "present" } else { "cleanup" };
    let (verb, wanted) = match form {
        Form::Record => (verb.to_owned(), "2 arguments, NAME and VALUE"),
        Form::Raw => (format!("{verb} --"), "3 arguments, DOMAIN TOKEN KEYAUTH"),
    };
    let is_flag =
        |arg: &String| (arg.len() > 2 && arg.starts_with("--")) || ["-v", "-vv", "-q", "-h"].contains(&arg.as_str());
    let flags = args.iter().skip(1).any(is_flag);
    let flags = if flags { "; flags go before the first argument, what follows it is data" } else { "" };
    super::wrong_count(&verb, wanted, args, &format!("{HINT}{flags}"))
}

/// The name is taken as it is: with a CNAME that lego has followed it need not begin with `_acme-challenge`. Without the final
/// dot that lego sends, such a name is a domain.
fn record(action: Action, text: &str, value: &str) -> Result<Challenge> {
    super::check_order(text, value)?;
    let name = super::name(text, HINT)?;
    let value = super::value(action, value, WRONG_TYPE)?;
    let domain = name.without_wildcard();
    let is_record = text.ends_with('.') || name.labels().next() == Some(CHALLENGE_LABEL);
    if domain != name || !is_record {
        let problem = format!("`{name}` is a domain, and this is for the name of a record");
        let hint = format!("write `{CHALLENGE_LABEL}.{domain}`, or put --identifier before `{name}`");
        let hint = if domain == name { format!("{hint}; `{name}.` if the record belongs there") } else { hint };
        return Err(invalid(problem, hint));
    }
    Ok(Challenge { name, value })
}

fn raw(domain: &str, key_authorization: &str) -> Result<Challenge> {
    let value = TxtValue::from_key_authorization(key_authorization)
        .map_err(|error| invalid(format!("the last argument is no key authorization: {error}"), HINT))?;
    Ok(Challenge { name: super::record_name(domain, HINT)?, value })
}

#[cfg(test)]
mod tests;
