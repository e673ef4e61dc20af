//! The rule that decides about "ready", on one page: what an address has to show, when it no longer blocks, and what all
//! addresses of a zone mean together. What an address has answered is kept in [`super::evidence`].
//!
//! An address *serves* the zone after as many positive answers in a row for its newest record as the settings say, in two
//! rounds 300 ms apart, one of them over TCP where TCP works, and a few for each earlier record. What an answer changes:
//!
//! | answer         | its record's streak | streaks of the other records | useless answers | TCP, if it was asked so |
//! |----------------|---------------------|------------------------------|-----------------|-------------------------|
//! | has it         | + 1                 |                              | 0               | works                   |
//! | lacks it       | 0                   |                              | 0               | works                   |
//! | … but had it   | 0                   | 0                            | 0               | works                   |
//! | lame           |                     |                              | + 1             | one failure more        |
//! | silent         |                     |                              | + 1             | one failure more        |
//! | no socket here |                     |                              |                 |                         |
//!
//! "But had it" is a contradiction: several machines share the address. From then on every record needs half as many answers
//! again, in three rounds. If the machines tell their names (NSID, RFC 5001), each that was heard of must have shown the newest
//! record as well; a name never makes the check weaker, since several machines may share one.

use std::time::{Duration, Instant};

/// How far apart two rounds of questions begin: packet caches and balancers get the time to change their mind.
pub(super) const ROUND_GAP: Duration = Duration::from_millis(300);
/// How many times in a row an address may fail to answer usefully before it stops blocking the verdict.
const CHANCES: u32 = 5;
/// Over how long a time those chances have to be spread.
pub(super) const CHANCES_SPAN: Duration = Duration::from_secs(10);
/// An address that has said "not there" with authority is given up only after it has been silent for so long: it is alive, and
/// a CA that reaches it gets the same answer.
const SILENT_SPAN: Duration = Duration::from_secs(30);
/// After so many failures over TCP, while UDP works, an address counts as one without TCP.
pub(super) const TCP_FAILURES: u32 = 2;
/// After so many answers of others a machine (NSID) that was not heard of counts as gone from behind its address.
pub(super) const REPLICA_GONE: u32 = 30;
/// Positive answers that the earlier records of a zone share: few of them are looked at more closely than many.
const EARLIER_ANSWERS: u32 = 24;

/// Proof for one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Requirement {
    /// Positive answers in a row.
    pub(super) answers: u32,
    /// Rounds in which they were asked for.
    pub(super) rounds: u32,
}

/// Returns what is asked for each record. `earlier` is the number of records of the zone before the newest; `None` stands for
/// the newest itself, which needs as many `confirmations` as the settings say. Whoever wants a single one gets it.
pub(super) fn requirement(confirmations: u32, earlier: Option<u32>, contradicted: bool) -> Requirement {
    let all = confirmations.max(1);
    let answers = match earlier {
        _ if contradicted => all + all.div_ceil(2),
        Some(count) => (EARLIER_ANSWERS / count.max(1)).clamp(2, all.max(2)).min(all),
        None => all,
    };
    Requirement { answers, rounds: answers.min(if contradicted { 3 } else { 2 }) }
}

/// Where an address stands with a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerStatus {
    /// It has the records, and has confirmed them as often as required.
    Serving,
    /// It answers, but not with authority.
    Lame,
    /// This machine has no way there.
    NoRoute,
    /// It does not answer, or no address of it is known.
    Silent,
    /// Too little is known yet.
    Unknown,
    /// It had them at last, but has not confirmed them often enough.
    Confirming,
    /// It answers with authority, without a record.
    Lagging,
}

/// What an address that does not serve has failed to do.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Failures {
    /// Whether it has ever said with authority that a record is not there.
    pub(super) has_lacked: bool,
    /// Useless answers in a row, and when they began.
    pub(super) useless: u32,
    pub(super) useless_since: Option<Instant>,
    /// Since when there was no answer at all.
    pub(super) silent_since: Option<Instant>,
}

impl Failures {
    /// Returns whether an address that is not serving no longer blocks the verdict.
    pub(super) fn excuse(self, status: ServerStatus, now: Instant) -> bool {
        let for_span = |since: Option<Instant>, span| since.is_some_and(|since| now >= since + span);
        match status {
            ServerStatus::Unknown | ServerStatus::Serving | ServerStatus::Lagging => false,
            _ if self.has_lacked => for_span(self.silent_since, SILENT_SPAN),
            _ => self.useless >= CHANCES && for_span(self.useless_since, CHANCES_SPAN),
        }
    }
}

/// What one address has to say to the verdict of its zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Vote {
    pub(super) status: ServerStatus,
    /// Whether it no longer blocks although it does not serve.
    pub(super) is_excused: bool,
    /// Whether this machine has no way to it and never had one: it blocks nothing as long as others serve.
    pub(super) is_out_of_reach: bool,
    /// Whether something that recurses answered in its place.
    pub(super) is_recursive: bool,
}

/// What the evidence of all addresses of a zone means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every address that answers serves the records, and at least one does.
    Ready,
    /// Some address still blocks.
    NotYet,
    /// Every address had its chances and none answers with authority: nothing can be learned from them.
    NobodyToAsk {
        /// Whether recursive answers came from "authoritative" addresses: something on the way answers in their place.
        intercepted: bool,
    },
}

/// Judges the addresses of one zone.
pub(super) fn verdict(zone: impl Iterator<Item = Vote> + Clone) -> Verdict {
    let count = |what: &dyn Fn(&Vote) -> bool| zone.clone().filter(|vote| what(vote)).count();
    let serving = count(&|vote| vote.status == ServerStatus::Serving);
    let passed_over = |vote: &Vote| vote.is_excused || (serving > 0 && vote.is_out_of_reach);
    if serving + count(&passed_over) < zone.clone().count() {
        Verdict::NotYet
    } else if serving > 0 {
        Verdict::Ready
    } else {
        Verdict::NobodyToAsk { intercepted: count(&|vote| vote.is_recursive) > 0 }
    }
}
