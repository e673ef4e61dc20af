//! Evidence from resolvers, for networks in which no authoritative server can be asked: weaker, slower, and said so.
//! The configured resolvers come first, then those over HTTPS.

use std::time::{Duration, Instant};

use super::answer::Texts;
use super::outcome::Basis;
use crate::dns::message::{Kind, Question, Rcode, Reply};
use crate::dns::recursive::Recursive;
use crate::dns::zone::Lookup;

/// Between two rounds: resolvers keep a negative answer anyway (RFC 2308), so asking more often tells nothing new.
const PAUSE: Duration = Duration::from_secs(5);
/// How long one round waits for answers.
const ATTEMPT: Duration = Duration::from_secs(3);

/// What one round of questions to a set of resolvers showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Round {
    /// Every resolver that answered has everything.
    Has,
    /// At least one answered without it.
    Lacks,
    /// None answered.
    Nobody,
}

/// Which resolvers can be trusted here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// All of them.
    All,
    /// Only those over HTTPS: something on the way answers in place of others.
    HttpsOnly,
}

/// Asks until the records are there or the deadline has come; returns on what the "yes" rests, or what the last round showed.
pub(super) fn wait(
    lookup: &Lookup,
    texts: &[Texts],
    trust: Trust,
    go_on: &mut dyn FnMut(Instant) -> bool,
) -> Result<Basis, Round> {
    let mut answered = false;
    loop {
        let (round, basis) = one_round(lookup, texts, trust);
        if round == Round::Has {
            return Ok(basis);
        }
        answered |= round == Round::Lacks;
        // A resolver that has answered before is worth waiting for; where none ever did, nothing will come.
        if !answered || !go_on(Instant::now() + PAUSE) {
            return Err(if answered { Round::Lacks } else { Round::Nobody });
        }
    }
}

fn one_round(lookup: &Lookup, texts: &[Texts], trust: Trust) -> (Round, Basis) {
    let sets = [(&lookup.resolvers, Basis::Resolvers), (&lookup.fallback, Basis::Https)];
    for (set, basis) in sets.into_iter().skip(usize::from(trust == Trust::HttpsOnly)) {
        let round = ask(set, texts);
        if round != Round::Nobody {
            return (round, basis);
        }
    }
    (Round::Nobody, Basis::Https)
}

fn ask(set: &Recursive, texts: &[Texts]) -> Round {
    let mut round = Round::Has;
    for text in texts {
        let question = Question::recursive(&text.name, Kind::Txt);
        let replies = set.ask_each(&question, Instant::now() + ATTEMPT).into_iter();
        let answers: Vec<_> = replies
            .filter(|reply| matches!(reply.rcode, Rcode::NoError | Rcode::NxDomain))
            .map(|reply| has(&reply, text))
            .collect();
        if answers.contains(&false) {
            return Round::Lacks;
        }
        // Each record needs an answer of its own.
        if answers.is_empty() {
            round = Round::Nobody;
        }
    }
    round
}

fn has(reply: &Reply, text: &Texts) -> bool {
    let found: Vec<_> = reply.texts(&text.name).collect();
    text.values.iter().all(|value| found.contains(&value.as_str().as_bytes()))
}
