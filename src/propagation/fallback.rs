//! Evidence from resolvers, for networks in which no authoritative server can be asked: weaker, slower, and said so. The
//! configured resolvers come first, then those over HTTPS. What is due when is [`Fallback`]'s, pure; asking is [`ask`]'s.

use std::time::{Duration, Instant};

use super::answer::has_all;
use super::outcome::Basis;
use super::plan::Text;
use crate::dns::message::{Question, RecordType, Reply};
use crate::dns::recursive::Recursive;
use crate::dns::zone::Lookup;

/// Between two rounds: resolvers keep a negative answer anyway (RFC 2308), so asking more often tells nothing new.
const PAUSE: Duration = Duration::from_secs(4);
/// How long one round waits for answers.
pub(super) const ATTEMPT: Duration = Duration::from_secs(3);
/// Positive rounds in a row that are asked for, and over how long: a resolver may have asked the one server that is up to date.
const POSITIVES: u32 = 5;
const POSITIVES_SPAN: Duration = Duration::from_secs(15);

/// What one round of questions to a set of resolvers showed; the more, the later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Round {
    /// None gave a usable answer for some record.
    Nobody,
    /// At least one answered without it.
    Lacks,
    /// Every resolver that answered has everything.
    Has,
}

/// What the resolvers have told while no name server could be asked.
#[derive(Debug, Clone)]
pub(super) struct Fallback {
    /// Whether only those over HTTPS can be trusted: something on the way answers in place of others.
    pub(super) https_only: bool,
    next: Instant,
    is_asking: bool,
    /// Positive rounds in a row, and when the first of them was asked.
    positives: u32,
    first: Option<Instant>,
    /// The most that a round has shown; nothing before the first one.
    most: Option<Round>,
}

impl Fallback {
    pub(super) fn new(https_only: bool, now: Instant) -> Self {
        Self { https_only, next: now, is_asking: false, positives: 0, first: None, most: None }
    }

    /// Returns when the next round is due; nothing while one is under way.
    pub(super) fn next(&self) -> Option<Instant> {
        (!self.is_asking).then_some(self.next)
    }

    /// Notes that a round has begun.
    pub(super) fn asked(&mut self, now: Instant) {
        self.is_asking = true;
        self.next = now + PAUSE;
    }

    /// Takes what a round showed; returns whether that is proof enough.
    pub(super) fn heard(&mut self, now: Instant, round: Round) -> bool {
        self.is_asking = false;
        self.most = self.most.max(Some(round));
        if round != Round::Has {
            (self.positives, self.first) = (0, None);
            return false;
        }
        self.positives += 1;
        let first = *self.first.get_or_insert(now);
        self.positives >= POSITIVES && now >= first + POSITIVES_SPAN
    }

    /// Returns whether some round is over and none has told anything: waiting for it is as good as not asking.
    pub(super) fn tells_nothing(&self) -> bool {
        self.most == Some(Round::Nobody)
    }
}

/// Asks the resolvers for everything once; returns what they showed, and on which of them that rests.
pub(super) fn ask(lookup: &Lookup, texts: &[Text], https_only: bool, until: Instant) -> (Round, Basis) {
    let sets = [(&lookup.resolvers, Basis::Resolvers), (&lookup.fallback, Basis::Https)];
    let mut most = Round::Nobody;
    for (set, basis) in sets.into_iter().skip(usize::from(https_only)) {
        most = most.max(ask_set(set, texts, until));
        if most >= Round::Lacks {
            return (most, basis);
        }
    }
    (most, Basis::Https)
}

fn ask_set(set: &Recursive, texts: &[Text], until: Instant) -> Round {
    for text in texts {
        let question = Question::recursive(&text.name, RecordType::TXT);
        let replies = set.ask_each(&question, until.min(Instant::now() + ATTEMPT));
        let has = |reply: &Reply| has_all(&reply.texts(&text.name).collect::<Vec<_>>(), &text.values);
        let answers: Vec<_> = replies.iter().filter(|reply| reply.is_answer()).map(has).collect();
        if answers.contains(&false) {
            return Round::Lacks;
        }
        // Each record needs an answer of its own, and who is silent at the first one would be so for a hundred.
        if answers.is_empty() {
            return Round::Nobody;
        }
    }
    Round::Has
}
