//! dehydrated's `HOOK`: `deploy_challenge` and `clean_challenge` with one triple, or with `HOOK_CHAIN=yes` with one for
//! every name of the certificate. All its other events have to end with 0 and say nothing.

use super::{Convention, Hints, Request, Variables, Verb, invalid};
use crate::error::Result;
use crate::excerpt::excerpt;
use crate::exit::Exit;
use crate::order::{Action, Call, OnFailure};

const HINT: &str = "set HOOK to the path of ipv64-acme in dehydrated's config; it passes DOMAIN TOKEN VALUE, with \
                    HOOK_CHAIN=yes once for each name";
const WRONG_TYPE: &str = "set CHALLENGETYPE=\"dns-01\" in dehydrated's config, or call it with `-t dns-01`";
const HINTS: Hints = Hints { form: HINT, other_type: WRONG_TYPE };

/// dehydrated.
pub const CONVENTION: Convention = Convention {
    name: "dehydrated",
    page: "dehydrated",
    setting: "HOOK=/usr/bin/ipv64-acme",
    verbs: &[
        Verb::new("deploy_challenge", Action::Add, "dehydrated adds records: DOMAIN TOKEN VALUE ...", parse),
        Verb::new("clean_challenge", Action::Remove, "dehydrated removes records: DOMAIN TOKEN VALUE ...", parse),
    ],
    ignored_event: |word, variables| is_event(word, variables).then_some(Exit::Done),
    programs: &["dehydrated"],
    lines: &["dehydrated --cron --challenge dns-01 --hook {exe} -d DOMAIN -d '*.DOMAIN' --alias DOMAIN"],
    note: "HOOK_CHAIN=\"yes\" in its configuration: one wait for all names instead of one for each",
    ..Convention::UNKNOWN
};

/// The events that are not ours, as dehydrated 0.7 has them.
const EVENTS: [&str; 10] = [
    "startup_hook",
    "exit_hook",
    "generate_csr",
    "sync_cert",
    "deploy_cert",
    "deploy_ocsp",
    "unchanged_cert",
    "request_failure",
    "invalid_challenge",
    "this_hookscript_is_broken__dehydrated_is_working_fine__please_ignore_unknown_hooks_in_your_script",
];
/// How the event begins by which dehydrated finds out whether a hook survives events of the future.
const PROBE: &str = "this_hookscript_is_broken__dehydrated";
/// Variables that dehydrated exports to every hook.
const EXPORTED: [&str; 3] = ["BASEDIR", "COMMAND", "WELLKNOWN"];

/// Reads one call; another challenge type than dns-01 is refused.
fn parse(verb: &Verb, args: &[String], variables: &Variables<'_>) -> Result<Request> {
    let on_failure = match verb.action {
        // After a failed deploy_challenge dehydrated calls no clean_challenge.
        Action::Add => OnFailure::Undo,
        // A failed clean_challenge ends dehydrated before it fetches the certificate that the CA has granted.
        Action::Remove => OnFailure::DeferToNextCall,
    };
    if args.is_empty() || !args.len().is_multiple_of(3) {
        return Err(super::wrong_count(verb.word, "3 arguments for each name", args, HINT));
    }
    // Not exported by `dehydrated --signcsr`; the dot of a key authorization tells then.
    if let Some(other) = variables("CHALLENGETYPE").filter(|kind| kind != "dns-01") {
        let kind = excerpt(&other, super::SHOWN);
        let problem = format!("dehydrated is sending {kind}, not dns-01");
        return Err(invalid(problem, WRONG_TYPE));
    }
    let (triples, _) = args.as_chunks::<3>();
    let challenges =
        triples.iter().map(|[domain, _token, value]| super::for_domain(verb.action, (domain, value), &HINTS));
    let call = Call::new("dehydrated", verb.action, challenges.collect::<Result<_>>()?);
    Ok(Request::Solve(Call { on_failure, ..call }))
}

/// Returns whether a word is an event that a hook must let pass, also one of a later version.
fn is_event(word: &str, variables: &Variables<'_>) -> bool {
    let from_dehydrated = || EXPORTED.iter().all(|name| variables(name).is_some());
    EVENTS.contains(&word) || word.starts_with(PROBE) || from_dehydrated()
}

#[cfg(test)]
mod tests;
