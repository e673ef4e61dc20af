//! The conventions of the ACME clients: the first byte chooses one, the rest is arguments between NUL bytes, an empty one,
//! and variables (`NAME=VALUE`) likewise; for `batch` it is what stands on stdin.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use ipv64_acme::challenge::{CHALLENGE_LABEL, TxtValue};
use ipv64_acme::cli;
use ipv64_acme::error::Result;
use ipv64_acme::exit::Exit;
use ipv64_acme::hook::{self, Request, Verb, lego::Form};
use ipv64_acme::name::DnsName;
use ipv64_acme::order::{Action, Call, Wait};
use serde_json::Value;

pub(crate) fn run(input: &[u8]) {
    let (choice, rest) = super::choose(input);
    let action = if choice & 0x80 == 0 { Action::Add } else { Action::Remove };
    let (args, variables) = take_apart(rest);
    let find = |name: &str| variables.get(name).cloned();
    let texts = match hook::texts(&args) {
        Ok(texts) => texts,
        Err(error) => return super::assert_error(&error),
    };
    if let Some(exit) = texts.first().and_then(|word| hook::ignored_event(word, &find)) {
        assert!(matches!(exit, Exit::Done | Exit::NotOurs));
    }
    match choice & 0x7f {
        0 => check(hook::certbot::parse(action, &find), Names::Challenges),
        1 => check(hook::lego::parse(action, Form::Record, &texts), Names::Any),
        2 => check(hook::lego::parse(action, Form::Raw, &texts), Names::Challenges),
        3 => check(hook::identifier::parse(action, &texts), Names::Challenges),
        4 => batch(action, rest),
        5 => command_line(&args),
        other => {
            let verbs: Vec<_> = hook::verbs().collect();
            verb(verbs[other % verbs.len()], &texts, &find);
        }
    }
}

fn take_apart(input: &[u8]) -> (Vec<OsString>, BTreeMap<String, String>) {
    let mut pieces = input.split(|byte| *byte == 0);
    let args = pieces.by_ref().take_while(|piece| !piece.is_empty()).map(|piece| OsString::from_vec(piece.to_vec()));
    let args = args.collect();
    let variable = |piece: &[u8]| {
        let text = String::from_utf8_lossy(piece).into_owned();
        // Unset and empty are the same.
        text.split_once('=').filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.into(), value.into()))
    };
    (args, pieces.filter_map(variable).collect())
}

/// Which names a convention may lead to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    /// `_acme-challenge.` and a domain.
    Challenges,
    /// The record name that the client passes.
    Any,
}

fn check(result: Result<Call>, names: Names) {
    let call = match result {
        Ok(call) => call,
        Err(error) => {
            assert_eq!(error.kind().exit(), Exit::Usage);
            assert!(error.hint().is_some_and(|hint| !hint.is_empty()), "{error}");
            return super::assert_error(&error);
        }
    };
    assert!(!call.challenges.is_empty());
    for challenge in &call.challenges {
        assert_is_name(&challenge.name);
        assert!(names == Names::Any || challenge.name.labels().next() == Some(CHALLENGE_LABEL), "{}", challenge.name);
        assert_eq!(TxtValue::parse(challenge.value.as_str()).as_ref(), Ok(&challenge.value));
        assert!(call.action == Action::Remove || challenge.value.is_digest(), "a value that no CA looks for is added");
    }
    if let Wait::Later(order) | Wait::Order(order) = &call.wait {
        order.names.iter().for_each(assert_is_name);
    }
}

/// A name that a record can have.
fn assert_is_name(name: &DnsName) {
    assert_eq!(DnsName::parse(name.as_str()).as_ref(), Ok(name));
    assert!(!name.as_str().starts_with('*'), "{name}");
}

fn verb(verb: &Verb, args: &[String], find: &hook::Variables<'_>) {
    let takes_records = ["create", "delete", "set", "unset"].contains(&verb.word);
    let names = if takes_records { Names::Any } else { Names::Challenges };
    match verb.parse(args, find) {
        Ok(Request::Solve(call)) => check(Ok(call), names),
        Ok(Request::RemoveAllAt(name)) => assert_is_name(&name),
        Ok(Request::Nothing(exit)) => assert!(["begin", "done", "failed"].contains(&verb.word), "{exit:?}"),
        Err(error) => check(Err(error), names),
    }
}

/// A batch acts on exactly the names and values that stand in it.
fn batch(action: Action, text: &[u8]) {
    let result = hook::batch::parse(action, text);
    if let Ok(call) = &result {
        let items: Vec<Value> = serde_json::from_slice(text).expect("a batch is a JSON array");
        assert_eq!(items.len(), call.challenges.len());
        for (item, challenge) in items.iter().zip(&call.challenges) {
            let name = item["name"].as_str().unwrap_or_else(|| item[0].as_str().unwrap());
            let value = item["value"].as_str().unwrap_or_else(|| item[1].as_str().unwrap());
            assert_eq!(DnsName::parse(name).as_ref(), Ok(&challenge.name), "another name than stands there");
            assert_eq!(value, challenge.value.as_str());
        }
    }
    check(result, Names::Any);
}

/// Whatever is typed is understood or refused; what clap repeats of it is cleaned where it is printed.
fn command_line(args: &[OsString]) {
    let args: Vec<_> = std::iter::once(OsString::from("ipv64-acme")).chain(args.iter().cloned()).collect();
    if let Err(error) = cli::parse(&args) {
        let _ = error.render().to_string();
    }
}
