//! What one address has answered about the records of one zone, and what it still has to show. Pure: told of each question and
//! each answer with its moment. How much proof is enough is in [`super::rule`].

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::answer::Answer;
use super::rule::{Failures, REPLICA_GONE, ROUND_GAP, Requirement, ServerStatus, TCP_FAILURES, Vote, requirement};
use crate::dns::exchange::{AskError, Transport};

/// After how long an open question no longer delays a verdict that is reached without it.
const LATE: Duration = Duration::from_millis(500);

/// One record at one address.
#[derive(Debug, Clone, Default)]
struct RecordProgress {
    /// Positive answers in a row.
    streak: u32,
    /// Rounds in which the answers of the streak were asked for.
    rounds: u32,
    /// When the first question of the last of those rounds was sent.
    round_began: Option<Instant>,
    /// The questions without an answer yet: when and how they were sent.
    open: Vec<(Instant, Transport)>,
    /// When the confirming questions of the current round began, and how many they are.
    burst: Option<(Instant, u32)>,
    last_asked: Option<Instant>,
    /// Until when an equal value may be the record that was removed a moment ago; over as soon as the record was absent.
    doubtful_until: Option<Instant>,
}

/// A machine behind the address that tells its name.
#[derive(Debug, Clone, Copy)]
struct Replica {
    /// Whether its last answer about the newest record had it.
    shows_newest: bool,
    /// The number of its last answer.
    heard: u32,
}

/// A question that was answered, or was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The place of the record among those of the zone.
    pub record: usize,
    /// How it was asked for.
    pub transport: Transport,
    /// When the question was sent.
    pub asked: Instant,
    /// The name of the machine that answered (NSID), if it told.
    pub replica: Option<Vec<u8>>,
    /// What came.
    pub answer: Answer,
}

/// All that is known about the records of one zone at one address.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// Positive answers in a row that the newest record needs.
    confirmations: u32,
    /// In the order in which they were added: the newest last.
    records: Vec<RecordProgress>,
    /// Whether it has contradicted itself: several machines answer behind it.
    pub(super) contradicted: bool,
    failures: Failures,
    /// Whether one answer of the newest record's streak came over TCP.
    streak_has_tcp: bool,
    /// Failures over TCP in a row since UDP worked.
    tcp_failures: u32,
    /// Whether UDP failed at the last attempt.
    pub(super) udp_silent: bool,
    answers: u32,
    replicas: BTreeMap<Vec<u8>, Replica>,
    /// Since when every answer about every record was positive: when the question was sent.
    pub(super) serving_since: Option<Instant>,
    /// The last answer that counts.
    pub(super) last: Option<Answer>,
}

impl Evidence {
    /// Starts without an answer about `records` records, the newest last.
    #[must_use]
    pub fn new(confirmations: u32, records: usize) -> Self {
        Self {
            confirmations,
            records: vec![RecordProgress::default(); records],
            contradicted: false,
            failures: Failures::default(),
            streak_has_tcp: false,
            tcp_failures: 0,
            udp_silent: false,
            answers: 0,
            replicas: BTreeMap::new(),
            serving_since: None,
            last: None,
        }
    }

    /// Notes that an equal value was removed a moment ago: until `until` its presence proves nothing, unless it was absent.
    pub fn doubt(&mut self, record: usize, until: Instant) {
        if let Some(progress) = self.records.get_mut(record) {
            progress.doubtful_until = Some(until);
        }
    }

    /// Notes that a question was sent, and whether it is to confirm what was seen.
    pub(super) fn asked(&mut self, (record, transport): (usize, Transport), now: Instant, confirms: bool) {
        let Some(progress) = self.records.get_mut(record) else { return };
        progress.open.push((now, transport));
        progress.last_asked = Some(now);
        if confirms {
            progress.burst = match progress.burst {
                Some((began, count)) if now < began + ROUND_GAP => Some((began, count + 1)),
                _ => Some((now, 1)),
            };
        }
    }

    /// Notes that a question is no longer under way.
    pub(super) fn returned(&mut self, record: usize, asked: Instant) {
        let Some(progress) = self.records.get_mut(record) else { return };
        if let Some(place) = progress.open.iter().position(|(sent, _)| *sent == asked) {
            progress.open.swap_remove(place);
        }
    }

    /// Takes what became of a question.
    pub fn observe(&mut self, now: Instant, observation: Observation) {
        let Observation { record, transport, asked, replica, answer } = observation;
        self.returned(record, asked);
        match &answer {
            Answer::Silent(AskError::NoSocket) => {
                // Nothing was asked: that is reported only where nothing else is known.
                self.last.get_or_insert(answer);
                return;
            }
            Answer::Has if self.is_doubtful(record, now) => {
                self.answered(transport);
                let instead = "an equal value, perhaps the one that was just removed".to_owned();
                self.last = Some(Answer::Lacks { instead, zone: None });
                return;
            }
            Answer::Has => self.has((record, transport), asked),
            Answer::Lacks { .. } => self.lacks((record, transport)),
            Answer::Lame { .. } | Answer::Silent(_) => {
                self.useless(now, transport, &answer);
                // Silence after good answers takes nothing back.
                if self.serving_since.is_some() {
                    return;
                }
            }
        }
        if matches!(answer, Answer::Has | Answer::Lacks { .. }) {
            self.heard(replica, record, &answer);
        }
        // As long as one record is missing, that is what there is to say of the address.
        let is_part = answer == Answer::Has && self.unseen().next().is_some();
        if !is_part || !matches!(self.last, Some(Answer::Lacks { .. })) {
            self.last = Some(answer);
        }
    }

    fn is_doubtful(&self, record: usize, now: Instant) -> bool {
        self.records.get(record).and_then(|progress| progress.doubtful_until).is_some_and(|until| now < until)
    }

    fn has(&mut self, (record, transport): (usize, Transport), asked: Instant) {
        self.answered(transport);
        let is_newest = self.is_newest(record);
        let Some(progress) = self.records.get_mut(record) else { return };
        let is_new_round = progress.round_began.is_none_or(|began| asked >= began + ROUND_GAP);
        progress.streak += 1;
        if progress.streak == 1 && !is_newest {
            // The answer that found an earlier record is part of its first round.
            progress.burst = Some((asked, 1));
        }
        if is_new_round {
            progress.rounds += 1;
            progress.round_began = Some(asked);
        }
        if is_newest {
            // How TCP fares counts for this streak: one bad moment before does not decide about it.
            if progress.streak == 1 {
                self.tcp_failures = 0;
            }
            self.streak_has_tcp |= transport == Transport::Tcp;
        }
        if self.unseen().next().is_none() {
            self.serving_since.get_or_insert(asked);
        }
    }

    fn lacks(&mut self, (record, transport): (usize, Transport)) {
        self.answered(transport);
        self.failures.has_lacked = true;
        self.serving_since = None;
        let Some(progress) = self.records.get_mut(record) else { return };
        progress.doubtful_until = None;
        if progress.streak > 0 {
            self.contradicted = true;
            self.start_again();
        }
    }

    /// Ends the streaks of all records.
    fn start_again(&mut self) {
        for progress in &mut self.records {
            (progress.streak, progress.rounds, progress.round_began, progress.burst) = (0, 0, None, None);
        }
        self.streak_has_tcp = false;
    }

    fn answered(&mut self, transport: Transport) {
        self.failures = Failures { has_lacked: self.failures.has_lacked, ..Failures::default() };
        self.answers += 1;
        match transport {
            Transport::Tcp => self.tcp_failures = 0,
            Transport::Udp => self.udp_silent = false,
        }
    }

    fn useless(&mut self, now: Instant, transport: Transport, answer: &Answer) {
        let is_silent = matches!(answer, Answer::Silent(_));
        match transport {
            Transport::Tcp => self.tcp_failures += 1,
            // A network that is away says nothing about TCP.
            Transport::Udp if is_silent => (self.udp_silent, self.tcp_failures) = (true, 0),
            Transport::Udp => {}
        }
        self.failures.useless += 1;
        self.failures.useless_since.get_or_insert(now);
        self.failures.silent_since = is_silent.then_some(self.failures.silent_since.unwrap_or(now));
    }

    /// Returns since when nothing was heard of the address, if the last question was not answered.
    pub(super) fn silent_since(&self) -> Option<Instant> {
        self.failures.silent_since
    }

    /// Forgets what failed while nobody could be reached: it says nothing about this address.
    pub(super) fn forgive(&mut self) {
        self.failures = Failures { has_lacked: self.failures.has_lacked, ..Failures::default() };
        self.last.take_if(|last| *last == Answer::Silent(AskError::NoRoute));
    }

    fn heard(&mut self, replica: Option<Vec<u8>>, record: usize, answer: &Answer) {
        let Some(name) = replica else { return };
        let is_newest = self.is_newest(record);
        let replica = self.replicas.entry(name).or_insert(Replica { shows_newest: false, heard: 0 });
        replica.heard = self.answers;
        match answer {
            Answer::Has if is_newest => replica.shows_newest = true,
            // The presence of an earlier record says nothing about the newest; its absence does.
            Answer::Has => {}
            _ => replica.shows_newest = false,
        }
    }

    /// Notes that the address has contradicted itself about another zone.
    pub(super) fn distrust(&mut self) {
        if !std::mem::replace(&mut self.contradicted, true) {
            self.serving_since = None;
            self.start_again();
        }
    }

    fn is_newest(&self, record: usize) -> bool {
        record + 1 == self.records.len()
    }

    fn requirement(&self, record: usize) -> Requirement {
        let earlier = u32::try_from(self.records.len() - 1).unwrap_or(u32::MAX);
        requirement(self.confirmations, (!self.is_newest(record)).then_some(earlier), self.contradicted)
    }

    /// Returns the records that were not there when they were last asked for, the newest first.
    pub(super) fn unseen(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.records.len()).rev().filter(|record| self.records[*record].streak == 0)
    }

    /// Returns when a record was last asked for.
    pub(super) fn last_asked(&self, record: usize) -> Option<Instant> {
        self.records.get(record)?.last_asked
    }

    /// Returns whether the newest record is there, as far as the last answer tells.
    pub(super) fn has_newest(&self) -> bool {
        self.records.last().is_some_and(|progress| progress.streak > 0)
    }

    /// Returns from when on a record that was seen may be asked for once more to confirm it; nothing if it is confirmed, or
    /// if the answers that are on their way may do. `closely`: as often as the newest, since there is time.
    pub(super) fn wants(&self, record: usize, closely: bool, now: Instant) -> Option<Instant> {
        let progress = self.records.get(record).filter(|progress| progress.streak > 0)?;
        let Requirement { mut answers, rounds } = self.requirement(record);
        if closely {
            answers = answers.max(self.confirmations);
        }
        let open = u32::try_from(progress.open.len()).unwrap_or(u32::MAX);
        // The answer that found the newest record comes on top: a balancer has to deceive the whole burst.
        let extra = u32::from(self.is_newest(record) && answers > 1);
        let needs_answers =
            progress.streak.saturating_add(open) < answers + extra && (closely || !self.is_proven(record));
        let needs_round = progress.rounds < rounds && open == 0;
        let needs_tcp = self.is_newest(record) && self.needs_tcp() && open == 0;
        let size = answers.div_ceil(rounds.max(1));
        match progress.burst {
            _ if !needs_answers && !needs_round && !needs_tcp => None,
            Some((began, count)) if now < began + ROUND_GAP && (count >= size || !needs_answers) => {
                Some(began + ROUND_GAP)
            }
            _ if needs_answers || needs_tcp => Some(now),
            _ => Some(progress.round_began.map_or(now, |began| began + ROUND_GAP).max(now)),
        }
    }

    fn is_proven(&self, record: usize) -> bool {
        let Requirement { answers, rounds } = self.requirement(record);
        self.records.get(record).is_some_and(|progress| progress.streak >= answers && progress.rounds >= rounds)
    }

    /// Returns whether an answer over TCP is still needed, and TCP does not fail.
    fn needs_tcp(&self) -> bool {
        !self.streak_has_tcp && self.tcp_failures < TCP_FAILURES
    }

    /// Returns how to ask for a record: over UDP; once in each round over TCP until an answer about the newest came so; and
    /// over TCP where UDP is silent.
    pub(super) fn transport(&self, record: usize, now: Instant) -> Transport {
        let is_recent = |(asked, how): &(Instant, Transport)| *how == Transport::Tcp && now < *asked + ROUND_GAP;
        let is_asked = self.records.iter().any(|progress| progress.open.iter().any(is_recent));
        let confirms = self.is_newest(record) && self.has_newest();
        let over_tcp = (confirms && self.needs_tcp() && !is_asked) || (self.udp_silent && !self.is_tcp_broken());
        if over_tcp { Transport::Tcp } else { Transport::Udp }
    }

    /// Returns whether TCP was tried and does not work.
    #[must_use]
    pub fn is_tcp_broken(&self) -> bool {
        !self.streak_has_tcp && self.tcp_failures >= TCP_FAILURES
    }

    /// Returns whether a machine that was heard of, and may still be there, has not shown the newest record.
    fn has_open_replica(&self) -> bool {
        let is_around = |replica: &&Replica| self.answers - replica.heard <= REPLICA_GONE;
        self.replicas.values().filter(is_around).any(|replica| !replica.shows_newest)
    }

    /// Returns whether several machines have been seen behind the address.
    #[must_use]
    pub fn shows_several_replicas(&self) -> bool {
        self.contradicted || self.replicas.len() > 1
    }

    /// Returns where the address stands.
    #[must_use]
    pub fn status(&self) -> ServerStatus {
        match &self.last {
            None | Some(Answer::Silent(AskError::NoSocket)) => ServerStatus::Unknown,
            Some(Answer::Has) if self.is_confirmed() => ServerStatus::Serving,
            Some(Answer::Has) => ServerStatus::Confirming,
            Some(Answer::Lacks { .. }) => ServerStatus::Lagging,
            Some(Answer::Lame { .. }) => ServerStatus::Lame,
            Some(Answer::Silent(AskError::NoRoute)) => ServerStatus::NoRoute,
            Some(Answer::Silent(_)) => ServerStatus::Silent,
        }
    }

    fn is_confirmed(&self) -> bool {
        (0..self.records.len()).all(|record| self.is_proven(record)) && !self.needs_tcp() && !self.has_open_replica()
    }

    /// Returns what the address has to say to the verdict of its zone.
    pub(super) fn vote(&self, now: Instant) -> Vote {
        let status = self.status();
        Vote {
            status,
            is_excused: self.failures.excuse(status, now),
            is_out_of_reach: status == ServerStatus::NoRoute && self.answers == 0,
            is_recursive: matches!(self.last, Some(Answer::Lame { recursive: true, .. })),
        }
    }

    /// Returns until when an answer that could take back what the address has said is waited for, if one may still come.
    pub(super) fn awaited_until(&self) -> Option<Instant> {
        self.records.iter().flat_map(|progress| &progress.open).map(|(asked, _)| *asked + LATE).max()
    }
}

#[cfg(test)]
mod tests;
