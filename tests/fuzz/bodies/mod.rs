//! What each fuzz target does with one input: it calls the library, and asserts what has to hold for every input.
//! The fuzzer (`fuzz_targets/`) and the replay of the corpora on a stable compiler (`replay.rs`) share these functions.

pub(crate) mod api;
pub(crate) mod clients;
pub(crate) mod config;
pub(crate) mod dns;
pub(crate) mod hooks;
pub(crate) mod names;
pub(crate) mod requests;
pub(crate) mod state;

use ipv64_acme::error::{Error, Explain, Kind};
use ipv64_acme::excerpt::visible;
use ipv64_acme::exit::Exit;

/// One target.
pub(crate) type Body = fn(&[u8]);

/// Every target with the name of its corpus.
pub(crate) const ALL: [(&str, Body); 8] = [
    ("api", api::run),
    ("clients", clients::run),
    ("config", config::run),
    ("dns", dns::run),
    ("hooks", hooks::run),
    ("names", names::run),
    ("requests", requests::run),
    ("state", state::run),
];

/// A key that must not appear in anything that is said.
const KEY: &str = "canary0123456789abcdef0123456789";

/// Asserts what holds for everything that may be printed: nothing in it acts on a terminal.
fn assert_tame(text: &str) {
    let lines = text.replace('\n', " ");
    assert_eq!(visible(&lines), lines, "acts on a terminal: {text:?}");
}

/// Asserts what holds for every error: it is of one line and tame, and its exit code is none of success.
fn assert_explained(error: &impl Explain) {
    assert_told(&error.to_string(), error.kind(), error.hint().as_deref(), &error.details());
}

/// The same for an error of a command.
fn assert_error(error: &Error) {
    assert_told(&error.to_string(), error.kind(), error.hint(), error.details());
}

fn assert_told(message: &str, kind: Kind, hint: Option<&str>, details: &[String]) {
    assert!(!message.is_empty() && !message.contains('\n'), "{message:?}");
    assert_tame(message);
    assert_ne!(kind.exit(), Exit::Done, "{message}");
    assert!(kind.as_str().bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'));
    assert_tame(hint.unwrap_or_default());
    assert_tame(&details.join("\n"));
}

/// Asserts that an error hides the key, whoever has echoed it.
fn assert_hides_key(error: &(impl Explain + std::fmt::Debug)) {
    let said = format!("{error} {error:?} {:?} {:?}", error.hint(), error.details());
    assert!(!said.contains(KEY), "shows the key: {said}");
}

/// Cuts the first byte off: it chooses among the variants of a target.
fn choose(input: &[u8]) -> (usize, &[u8]) {
    input.split_first().map_or((0, input), |(first, rest)| (usize::from(*first), rest))
}
