//! `explain`: what a kind of error, or the message of a CA, means, with what this machine knows of the name. Needs neither key
//! nor network.

use std::io::{self, Read as _};

use serde_json::json;

use super::{Invocation, history, memory};
use crate::cli::ExplainArgs;
use crate::error::{Context as _, Error, Kind, Result};
use crate::excerpt::excerpt;
use crate::exit::Exit;
use crate::explain::{self, Explanation, Origin};
use crate::name::DnsName;
use crate::state::PastCall;

/// The most octets of a message that are read from stdin, and characters of it that an error shows.
const LONGEST_INPUT: u64 = 64 * 1024;
const SHOWN: usize = 60;
/// The most calls that are shown.
const MOST_CALLS: usize = 3;

/// Explains a text.
pub(super) fn run(invocation: &Invocation<'_>, args: &ExplainArgs) -> Result<Exit> {
    let text = if args.text == ["-"] { read_stdin()? } else { args.text.join(" ") };
    let explanation = explain::find(&text).ok_or_else(|| unknown(&text))?;
    let domain = explain::domain(&text);
    // What is wrong with the settings may be the very thing that is asked about.
    let past = history::calls(invocation);
    let about = |call: &&PastCall| match (&domain, explanation.origin) {
        (Some(domain), _) => history::is_about(call, domain),
        (None, Origin::Ca) => call.exit_code != 0,
        (None, _) => call.kind.as_deref() == Some(explanation.kind),
    };
    let calls: Vec<_> = past.iter().flatten().filter(about).take(MOST_CALLS).collect();
    show(invocation, &explanation, domain.as_ref(), &calls);
    if let Some(note) = note(&explanation, domain.as_ref(), &calls).filter(|_| past.is_ok()) {
        invocation.report.line(&note);
    }
    Ok(Exit::Done)
}

fn show(invocation: &Invocation<'_>, explanation: &Explanation, domain: Option<&DnsName>, calls: &[&PastCall]) {
    let Explanation { kind, origin, cause, .. } = explanation;
    let (cure, report) = (explanation.cure_for(domain), invocation.report);
    let exit = Kind::ALL.iter().find(|known| known.as_str() == *kind).map(|known| known.exit() as u8);
    let from = match (origin, exit) {
        (Origin::Ca, _) => "said by a CA".to_owned(),
        (Origin::Error, Some(exit)) => format!("exit code {exit}"),
        _ => "a finding of doctor".to_owned(),
    };
    report.paragraph("", &format!("{kind} ({from})"));
    report.paragraph("cause: ", cause);
    report.paragraph("what helps: ", &cure);
    for call in calls {
        report.paragraph("here: ", &format!("{}  {}", call.at, memory::summary(call)));
    }
    report.document(&json!({
        "kind": kind,
        "origin": origin,
        "exit_code": exit,
        "cause": cause,
        "what_helps": cure,
        "domain": domain,
        "calls": calls.iter().map(|call| history::entry(call)).collect::<Vec<_>>(),
    }));
}

/// What the history says of a CA's message beyond its entries.
fn note(explanation: &Explanation, domain: Option<&DnsName>, calls: &[&PastCall]) -> Option<String> {
    let domain = domain.filter(|_| explanation.origin == Origin::Ca)?;
    match calls.iter().find(|call| call.action == "add") {
        None if calls.is_empty() => Some(format!(
            "here: no call for `{domain}`: the client ran no hook of this user on this machine (each user has a history)"
        )),
        Some(call) if call.exit_code != 0 => {
            let kind = call.kind.as_deref().unwrap_or("failed");
            Some(format!("here: the record was not ready when the CA was asked: `ipv64-acme explain {kind}`"))
        }
        _ => None,
    }
}

fn unknown(text: &str) -> Error {
    let problem =
        format!("`{}` is neither a kind of error nor a message of a CA that is known here", excerpt(text, SHOWN));
    let nearest = explain::nearest(text).join(", ");
    Error::new(Kind::InvalidArgument, problem)
        .advise(format!("the nearest kinds are {nearest}; `ipv64-acme doctor DOMAIN` looks for the cause itself"))
}

fn read_stdin() -> Result<String> {
    let mut text = Vec::new();
    io::stdin().lock().take(LONGEST_INPUT).read_to_end(&mut text).context("cannot read the message from stdin")?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
