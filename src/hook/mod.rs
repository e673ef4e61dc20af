//! The conventions by which ACME clients call a program, as pure functions from arguments and environment to a
//! [`Call`].
//! No I/O: what a call leads to is the solver's business.
//!
//! One file per client, each with a [`Convention`] that says all that is known of it; [`identifier`] is for any client that
//! passes a domain and a value, [`batch`] for a whole order as JSON.

pub mod acme_sh;
pub mod acmetool;
pub mod batch;
pub mod certbot;
pub mod dehydrated;
pub mod identifier;
pub mod lego;
pub mod mod_md;
pub mod simple_acme;
#[cfg(test)]
mod tests;
pub mod truenas;
pub mod uacme;

use std::ffi::OsString;

use crate::challenge::{self, Challenge, DIGEST, TxtValue, ValueError};
use crate::error::{Error, Kind, Result};
use crate::excerpt::excerpt;
use crate::exit::Exit;
use crate::name::DnsName;
use crate::order::{Action, Call};

/// How much of what a client passed a message shows, in characters.
const SHOWN: usize = 60;

/// Looks a variable of the environment up; unset and empty are the same.
pub type Variables<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// What the arguments of a client ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Work through a call.
    Solve(Call),
    /// Remove every record that the journal has for a name: a remove that came without a value.
    RemoveAllAt(DnsName),
    /// End with this code and say nothing.
    Nothing(Exit),
}

/// One ACME client: how it calls a program, how it is told to, and by what it is found on a machine. `init`, the help, the man
/// page and the tests read it.
#[derive(Debug)]
pub struct Convention {
    /// Its name, for people.
    pub name: &'static str,
    /// Its page below `docs/clients`, without ending.
    pub page: &'static str,
    /// How it is told to call us, in one line for the man page; empty if another client's line says so too.
    pub setting: &'static str,
    /// The verbs that nobody else sends.
    pub verbs: &'static [Verb],
    /// How a word that is no verb of ours has to end, if it is an event that this client sends to every hook.
    pub ignored_event: fn(&str, &Variables<'_>) -> Option<Exit>,
    /// Programs by which it is found in the folders of `PATH`.
    pub programs: &'static [&'static str],
    /// Other paths by which it is found; `~` stands for the home folder.
    pub paths: &'static [&'static str],
    /// What to run or write; `{exe}` stands for this program, `{share}` for the folder of what was installed with it (lines
    /// with it are for those who have that folder), `{here}` for the folder of the client.
    pub lines: &'static [&'static str],
    /// What else has to be known; may be empty.
    pub note: &'static str,
}

/// A verb of one client, after which everything is data.
#[derive(Debug)]
pub struct Verb {
    /// The word as the client writes it.
    pub word: &'static str,
    /// What it asks for.
    pub action: Action,
    /// Who calls it, and with which arguments.
    pub meaning: &'static str,
    /// Reads the arguments of one call, which are this verb's.
    parser: Parser,
}

/// Reads the arguments of one call of a verb.
type Parser = fn(&Verb, &[String], &Variables<'_>) -> Result<Request>;

impl Verb {
    const fn new(word: &'static str, action: Action, meaning: &'static str, parser: Parser) -> Self {
        Self { word, action, meaning, parser }
    }

    /// Reads the arguments of one call.
    ///
    /// # Errors
    /// [`crate::error::Kind::InvalidCall`] for arguments that the client does not send.
    pub fn parse(&self, args: &[String], variables: &Variables<'_>) -> Result<Request> {
        (self.parser)(self, args, variables)
    }
}

impl Convention {
    /// A client of which nothing is known yet.
    const UNKNOWN: Self = Self {
        name: "",
        page: "",
        setting: "",
        verbs: &[],
        ignored_event: |_, _| None,
        programs: &[],
        paths: &[],
        lines: &[],
        note: "",
    };

    /// All clients, in the order in which they are shown.
    pub const ALL: [Self; 11] = [
        certbot::CONVENTION,
        lego::CONVENTION,
        dehydrated::CONVENTION,
        uacme::CONVENTION,
        acmetool::CONVENTION,
        acme_sh::CONVENTION,
        mod_md::CONVENTION,
        lego::TRAEFIK,
        simple_acme::CONVENTION,
        truenas::CONVENTION,
        identifier::CONVENTION,
    ];
}

/// Returns the verbs of all clients. No two clients share one, so that the word alone decides.
pub fn verbs() -> impl Iterator<Item = &'static Verb> {
    Convention::ALL.into_iter().flat_map(|client| client.verbs)
}

/// Returns how a word that is no verb of ours has to end, if it is an event that a client sends to every hook.
#[must_use]
pub fn ignored_event(word: &str, variables: &Variables<'_>) -> Option<Exit> {
    Convention::ALL.iter().find_map(|client| (client.ignored_event)(word, variables))
}

/// The error for a call that cannot be understood: what is wrong, and which of the client's settings to look at.
fn invalid(problem: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::new(Kind::InvalidCall, problem).advise(hint)
}

/// Turns the arguments of a hook into text.
///
/// # Errors
/// [`crate::error::Kind::InvalidCall`] for bytes that are not UTF-8: no name and no value has them.
pub fn texts(args: &[OsString]) -> Result<Vec<String>> {
    let text = |arg: &OsString| {
        arg.clone().into_string().map_err(|arg| {
            let shown = excerpt(&arg.to_string_lossy(), SHOWN);
            invalid(format!("the argument `{shown}` is not UTF-8"), "names and values are plain ASCII")
        })
    };
    args.iter().map(text).collect()
}

/// The error for a verb with too few or too many arguments.
fn wrong_count(verb: &str, wanted: &str, args: &[String], hint: &str) -> Error {
    invalid(format!("`{verb}` takes {wanted}, not {}", args.len()), hint)
}

/// What the errors of a client's calls advise: how it calls the hook, and how it is made to send dns-01.
struct Hints {
    form: &'static str,
    other_type: &'static str,
}

/// Makes the challenge for a domain and a value that a client passed.
fn for_domain(action: Action, (domain, value): (&str, &str), hints: &Hints) -> Result<Challenge> {
    check_order(domain, value)?;
    Ok(Challenge { name: record_name(domain, hints.form)?, value: self::value(action, value, hints.other_type)? })
}

/// Makes the challenge for the name of a record and a value that a client passed.
fn for_record(action: Action, (record, value): (&str, &str), hints: &Hints) -> Result<Challenge> {
    check_order(record, value)?;
    let name = name(record, hints.form)?.without_wildcard();
    Ok(Challenge { name, value: self::value(action, value, hints.other_type)? })
}

/// Returns the name of the record for a domain that a client passed.
fn record_name(domain: &str, hint: &str) -> Result<DnsName> {
    challenge::record_name(&name(domain, hint)?).map_err(|error| invalid(error.to_string(), hint))
}

/// Refuses a value in the place of the name, and the reverse: only names have dots, and none has so long a label alone.
fn check_order(name: &str, value: &str) -> Result<()> {
    let is_digest = |text: &str| TxtValue::parse(text).is_ok_and(|value| value.is_digest());
    if name.contains('.') || !(value.contains('.') || is_digest(name) && !is_digest(value)) {
        return Ok(());
    }
    let (name, value) = (excerpt(name, SHOWN), excerpt(value, SHOWN));
    Err(invalid(
        format!("`{name}` is not a domain name: the name comes before the value"),
        format!("write `{value} {name}`"),
    ))
}

/// Reads a name that a client passed.
fn name(text: &str, hint: &str) -> Result<DnsName> {
    // Flags end at the first positional argument, so what looks like a flag here is none that exists.
    if text.starts_with('-') {
        return Err(invalid(format!("unknown option `{}`", excerpt(text, SHOWN)), "see `ipv64-acme --help`"));
    }
    if text.parse::<std::net::IpAddr>().is_ok() {
        return Err(invalid(
            format!("`{text}` is an IP address, and dns-01 proves names only"),
            "request certificates for IP addresses with http-01 or tls-alpn-01",
        ));
    }
    if matches!(text, "*" | "*.") {
        return Err(invalid(format!("`{text}` is the wildcard of nothing"), hint));
    }
    DnsName::parse(text).map_err(|error| invalid(error.to_string(), hint))
}

/// Reads a value that a client passed; `other_type` says which setting makes it send another challenge type. What may be in
/// the account can be removed, but only what a CA looks for is added.
fn value(action: Action, text: &str, other_type: &str) -> Result<TxtValue> {
    let odd = |problem: &str| {
        let shown = excerpt(text, SHOWN);
        invalid(
            format!(
                "`{shown}` was taken as the value, but a dns-01 value has {DIGEST} characters of A-Z a-z 0-9 - _: {problem}"
            ),
            "pass the value that the ACME client computes, a SHA-256 digest in base64url; other texts go into a record by \
             `ipv64-acme record add NAME TXT TEXT`",
        )
    };
    match TxtValue::parse(text) {
        Ok(value) if action == Action::Add && !value.is_digest() => Err(odd(&format!("this one has {}", text.len()))),
        Ok(value) => Ok(value),
        Err(ValueError::KeyAuthorization) => {
            Err(invalid("the client is sending a key authorization: this is not a dns-01 challenge", other_type))
        }
        Err(other) => Err(odd(&other.to_string())),
    }
}
