//! What one server address has answered so far, and where that leaves it. Pure: told of each answer with its moment,
//! asked for the standing; no sockets, no clock.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::dns::exchange::{AskError, Transport};

/// How many times an address may fail to answer usefully before it stops blocking the verdict.
const CHANCES: u32 = 5;
/// Over how long a time those chances have to be spread.
const CHANCES_SPAN: Duration = Duration::from_secs(10);
/// Positive answers in a row from an address that has changed its mind before: there are several back ends behind it, and
/// at most one in a few thousand runs of this length comes from a half-updated pair by chance.
const UNSTEADY_RUN: u32 = 12;
/// Answers that are needed from an address whose servers tell their names (NSID), to have heard of all of them: two that
/// take turns by chance both show up among so many but for one time in five hundred.
const NAMED_ANSWERS: u32 = 10;
/// After so many answers of others a back end that was not heard of counts as gone from behind its address.
const GONE_AFTER: u32 = 30;
/// After how many failures over TCP the address counts as one without TCP.
const TCP_FAILURES: u32 = 2;

/// One answer, judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Authoritative, with every value that is waited for.
    Has,
    /// Authoritative, without it; says what there is instead.
    Lacks(String),
    /// A reply, but not an authoritative one: no AA, a referral, REFUSED, SERVFAIL.
    Lame {
        /// What was wrong with it.
        reason: String,
        /// Whether it looks like the answer of a recursive resolver that sits in between (RA set, no AA).
        recursive: bool,
    },
    /// No reply.
    Silent(AskError),
}

/// One observation: what was asked, how, and what came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// Which of the address's records was asked for.
    pub record: usize,
    /// How it was asked.
    pub transport: Transport,
    /// What came.
    pub answer: Answer,
    /// Who answered behind the address (NSID, RFC 5001), if told.
    pub backend: Option<Vec<u8>>,
}

/// Where an address stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Too little is known yet.
    Unknown,
    /// It has the records, and has confirmed them as often as required.
    Serving,
    /// It had them at last, but has not confirmed them often enough.
    Confirming,
    /// It answers with authority, without a record.
    Lagging,
    /// It answers, but never with authority.
    Lame,
    /// It does not answer.
    Silent,
    /// This machine has no way there.
    NoRoute,
}

/// One record, and how many times it was there since it last was not.
#[derive(Debug, Clone)]
struct Seen {
    /// How many times it has to be there.
    looks: u32,
    times: u32,
}

/// All that is known about one address.
#[derive(Debug, Clone)]
pub struct Evidence {
    confirmations: u32,
    /// Each record, the last added one last.
    records: Vec<Seen>,
    /// Positive answers in a row.
    run: u32,
    /// Whether one of that run came over TCP.
    run_has_tcp: bool,
    /// How many times a record was there and then was not.
    flips: u32,
    /// Whether this address or another one of its zone is known to have several back ends.
    suspected: bool,
    /// Answers with authority so far.
    heard: u32,
    /// How many of them came without the name of the back end.
    nameless: u32,
    /// Failures over TCP, and the reason of the last.
    tcp_failures: u32,
    udp_silent: bool,
    /// What each back end said last about the records, and which answer that was, counted from the start.
    backends: BTreeMap<Vec<u8>, (bool, u32)>,
    /// Answers of no use in a row, and when they began.
    useless: u32,
    useless_since: Option<Instant>,
    last: Option<(Instant, Answer)>,
    serving_since: Option<Instant>,
}

impl Evidence {
    /// Starts without knowledge. Each address has to give `confirmations` positive answers in a row, and for each record as
    /// many as `looks` says, the last added one last.
    #[must_use]
    pub fn new(looks: &[u32], confirmations: u32) -> Self {
        let records = looks.iter().map(|looks| Seen { looks: *looks, times: 0 }).collect();
        Self {
            confirmations: confirmations.max(1),
            records,
            run: 0,
            run_has_tcp: false,
            flips: 0,
            suspected: false,
            heard: 0,
            nameless: 0,
            tcp_failures: 0,
            udp_silent: false,
            backends: BTreeMap::new(),
            useless: 0,
            useless_since: None,
            last: None,
            serving_since: None,
        }
    }

    /// Takes one observation.
    pub fn observe(&mut self, now: Instant, observation: Observation) {
        let Observation { record, transport, answer, backend } = observation;
        match &answer {
            Answer::Has => self.has(now, record, transport),
            Answer::Lacks(_) => self.lacks(record, transport),
            Answer::Lame { .. } | Answer::Silent(_) => {
                self.useless(now, transport, &answer);
                // Silence after good answers changes nothing that was seen; it is reported only if nothing else is known.
                if self.serving_since.is_some() {
                    return;
                }
            }
        }
        if let Answer::Has | Answer::Lacks(_) = answer {
            self.heard = self.heard.saturating_add(1);
            match backend {
                Some(backend) => {
                    self.backends.insert(backend, (answer == Answer::Has, self.heard));
                }
                None => self.nameless = self.nameless.saturating_add(1),
            }
        }
        self.last = Some((now, answer));
    }

    fn has(&mut self, now: Instant, record: usize, transport: Transport) {
        self.answered(transport);
        self.run = self.run.saturating_add(1);
        self.run_has_tcp |= transport == Transport::Tcp;
        if let Some(seen) = self.records.get_mut(record) {
            seen.times = seen.times.saturating_add(1);
        }
        if self.missing().next().is_none() {
            self.serving_since.get_or_insert(now);
        }
    }

    fn lacks(&mut self, record: usize, transport: Transport) {
        self.answered(transport);
        self.run = 0;
        self.run_has_tcp = false;
        self.serving_since = None;
        if self.records.get(record).is_some_and(|seen| seen.times > 0) {
            // It was there: another back end has answered, and what is known of the other records is worth no more.
            self.flips = self.flips.saturating_add(1);
            self.records.iter_mut().for_each(|seen| seen.times = 0);
        }
    }

    fn answered(&mut self, transport: Transport) {
        self.useless = 0;
        self.useless_since = None;
        match transport {
            Transport::Tcp => self.tcp_failures = 0,
            Transport::Udp => self.udp_silent = false,
        }
    }

    fn useless(&mut self, now: Instant, transport: Transport, answer: &Answer) {
        if transport == Transport::Tcp {
            self.tcp_failures = self.tcp_failures.saturating_add(1);
        } else if matches!(answer, Answer::Silent(_)) {
            self.udp_silent = true;
        }
        self.useless = self.useless.saturating_add(1);
        self.useless_since.get_or_insert(now);
    }

    /// Returns the record to ask for next: one that is not known to be there, the last one first; then one that needs more
    /// confirmations; else the last.
    #[must_use]
    pub fn next_record(&self) -> usize {
        let last = self.records.len().saturating_sub(1);
        self.missing().next().or_else(|| self.wanting().next()).unwrap_or(last)
    }

    /// Returns the records that are not known to be there, the last one first.
    pub fn missing(&self) -> impl Iterator<Item = usize> {
        let records = self.records.iter().enumerate().rev();
        records.filter(|(_, seen)| seen.times == 0).map(|(record, _)| record)
    }

    /// Returns the records that need more looks, one entry for each look, the missing ones first.
    pub fn wanting(&self) -> impl Iterator<Item = usize> {
        let records = self.records.iter().enumerate().rev();
        let more = records.filter(|(_, seen)| seen.times > 0).flat_map(|(record, seen)| {
            let looks = seen.looks.saturating_sub(seen.times);
            std::iter::repeat_n(record, usize::try_from(looks).unwrap_or_default())
        });
        self.missing().chain(more)
    }

    /// Returns how to ask next: over TCP where a confirmation over TCP is still needed, or where UDP is silent.
    #[must_use]
    pub fn wants_tcp(&self) -> bool {
        !self.run_has_tcp && self.tcp_failures < TCP_FAILURES
    }

    /// Returns whether UDP failed at the last attempt, so that TCP should be tried too.
    #[must_use]
    pub fn udp_is_silent(&self) -> bool {
        self.udp_silent
    }

    /// Returns whether TCP was tried and does not work.
    #[must_use]
    pub fn tcp_is_broken(&self) -> bool {
        !self.run_has_tcp && self.tcp_failures >= TCP_FAILURES
    }

    /// Returns how many positive answers in a row this address has to give.
    #[must_use]
    pub fn needed(&self) -> u32 {
        // Back ends with names are waited for one by one; without names only a long run tells.
        let blind = (self.flips > 0 || self.suspected) && !self.is_named() && self.confirmations > 1;
        if blind { UNSTEADY_RUN.max(self.confirmations) } else { self.confirmations }
    }

    /// Whether every answer told which back end gave it.
    fn is_named(&self) -> bool {
        self.heard > 0 && self.nameless == 0
    }

    /// Returns how many more positive answers are needed, at least.
    #[must_use]
    pub fn still_needed(&self) -> u32 {
        let missing: u32 = self.records.iter().map(|seen| seen.looks.saturating_sub(seen.times)).sum();
        let unheard =
            if self.is_named() && self.confirmations > 1 { NAMED_ANSWERS.saturating_sub(self.heard) } else { 0 };
        let tcp = u32::from(self.wants_tcp() && self.run > 0);
        self.needed().saturating_sub(self.run).max(missing).max(unheard).max(tcp)
    }

    /// Returns whether several servers have been seen behind the address.
    #[must_use]
    pub fn shows_several_back_ends(&self) -> bool {
        self.flips > 0 || self.backends.len() > 1
    }

    /// Returns whether the address disagreed with itself, and did not tell which of its servers answered. Once can be two
    /// answers that overtook each other.
    #[must_use]
    pub fn is_unsteady(&self) -> bool {
        self.flips > 1 && !self.is_named()
    }

    /// Notes that the address, or another one of its zone, is known to have several back ends.
    pub fn suspect(&mut self) {
        self.suspected = true;
    }

    /// Returns where the address stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let Some((_, last)) = &self.last else { return Standing::Unknown };
        match last {
            Answer::Has if self.is_confirmed() => Standing::Serving,
            Answer::Has => Standing::Confirming,
            Answer::Lacks(_) => Standing::Lagging,
            Answer::Lame { .. } => Standing::Lame,
            Answer::Silent(AskError::NoRoute) => Standing::NoRoute,
            Answer::Silent(_) => Standing::Silent,
        }
    }

    fn is_confirmed(&self) -> bool {
        self.still_needed() == 0 && !self.wants_tcp() && !self.has_stale_back_end()
    }

    /// Whether a back end that is still around said last that a record is not there.
    fn has_stale_back_end(&self) -> bool {
        self.backends.values().any(|(has, answer)| !has && self.heard.saturating_sub(*answer) <= GONE_AFTER)
    }

    /// Returns whether the address no longer blocks although it does not serve: it had its chances, also after a first good
    /// answer.
    #[must_use]
    pub fn is_excused(&self, now: Instant) -> bool {
        match self.standing() {
            Standing::Silent | Standing::Lame | Standing::NoRoute | Standing::Confirming => {
                let long_enough = self.useless_since.is_some_and(|since| now >= since + CHANCES_SPAN);
                self.useless >= CHANCES && long_enough
            }
            Standing::Unknown | Standing::Serving | Standing::Lagging => false,
        }
    }

    /// Returns whether this machine has no way to the address, and never had one: it blocks nothing as long as others serve.
    #[must_use]
    pub fn is_out_of_reach(&self) -> bool {
        self.standing() == Standing::NoRoute && self.heard == 0
    }

    /// Returns the last answer that counts, with its moment.
    #[must_use]
    pub fn last(&self) -> Option<&(Instant, Answer)> {
        self.last.as_ref()
    }

    /// Returns since when every look at every record was positive.
    #[must_use]
    pub fn serving_since(&self) -> Option<Instant> {
        self.serving_since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn see(evidence: &mut Evidence, now: Instant, transport: Transport, answer: Answer) {
        evidence.observe(now, Observation { record: 0, transport, answer, backend: None });
    }

    fn lacks() -> Answer {
        Answer::Lacks("no such name".to_owned())
    }

    fn silent() -> Answer {
        Answer::Silent(AskError::TimedOut)
    }

    #[test]
    fn needs_the_confirmations_and_one_over_tcp() {
        let now = Instant::now();
        let mut evidence = Evidence::new(&[3], 3);
        assert_eq!(evidence.standing(), Standing::Unknown);
        see(&mut evidence, now, Transport::Udp, lacks());
        assert_eq!(evidence.standing(), Standing::Lagging);
        for _ in 0..4 {
            see(&mut evidence, now, Transport::Udp, Answer::Has);
            assert_eq!(evidence.standing(), Standing::Confirming);
        }
        see(&mut evidence, now, Transport::Tcp, Answer::Has);
        assert_eq!(evidence.standing(), Standing::Serving);
    }

    #[test]
    fn tcp_that_does_not_work_is_not_waited_for() {
        let now = Instant::now();
        let mut evidence = Evidence::new(&[3], 3);
        for _ in 0..3 {
            see(&mut evidence, now, Transport::Udp, Answer::Has);
        }
        see(&mut evidence, now, Transport::Tcp, Answer::Silent(AskError::Refused));
        assert_eq!(evidence.standing(), Standing::Confirming);
        see(&mut evidence, now, Transport::Tcp, Answer::Silent(AskError::Refused));
        assert_eq!(evidence.standing(), Standing::Serving);
        assert!(evidence.tcp_is_broken());
    }

    #[test]
    fn a_negative_resets_and_makes_suspicious() {
        let now = Instant::now();
        let mut evidence = Evidence::new(&[3], 3);
        see(&mut evidence, now, Transport::Tcp, Answer::Has);
        see(&mut evidence, now, Transport::Udp, Answer::Has);
        see(&mut evidence, now, Transport::Udp, lacks());
        assert_eq!(evidence.standing(), Standing::Lagging);
        for count in 1..=UNSTEADY_RUN {
            assert_ne!(evidence.standing(), Standing::Serving, "{count}");
            let transport = if count == 1 { Transport::Tcp } else { Transport::Udp };
            see(&mut evidence, now, transport, Answer::Has);
        }
        assert_eq!(evidence.standing(), Standing::Serving);
    }

    #[test]
    fn a_known_back_end_without_the_record_blocks() {
        let now = Instant::now();
        let mut evidence = Evidence::new(&[3], 3);
        let mut see = |answer, backend: &[u8]| {
            let backend = Some(backend.to_vec());
            evidence.observe(now, Observation { record: 0, transport: Transport::Tcp, answer, backend });
            evidence.standing()
        };
        see(lacks(), b"primary");
        see(lacks(), b"secondary");
        for _ in 0..20 {
            assert_eq!(see(Answer::Has, b"primary"), Standing::Confirming);
        }
        assert_eq!(see(Answer::Has, b"secondary"), Standing::Serving);
    }

    #[test]
    fn a_single_named_back_end_needs_enough_answers_to_be_known_as_single() {
        let now = Instant::now();
        let mut evidence = Evidence::new(&[3], 3);
        for count in 1..=NAMED_ANSWERS {
            assert_ne!(evidence.standing(), Standing::Serving, "{count}");
            let backend = Some(b"only".to_vec());
            evidence.observe(now, Observation { record: 0, transport: Transport::Tcp, answer: Answer::Has, backend });
        }
        assert_eq!(evidence.standing(), Standing::Serving);
    }

    #[test]
    fn one_balancer_in_a_zone_makes_all_addresses_suspect() {
        let now = Instant::now();
        let mut evidence = Evidence::new(&[3], 3);
        evidence.suspect();
        for _ in 1..UNSTEADY_RUN {
            see(&mut evidence, now, Transport::Tcp, Answer::Has);
            assert_eq!(evidence.standing(), Standing::Confirming);
        }
        see(&mut evidence, now, Transport::Tcp, Answer::Has);
        assert_eq!(evidence.standing(), Standing::Serving);
    }

    #[test]
    fn silence_is_excused_after_five_chances_over_ten_seconds() {
        let start = Instant::now();
        let mut evidence = Evidence::new(&[3], 3);
        for _ in 0..20 {
            see(&mut evidence, start, Transport::Udp, silent());
        }
        assert!(!evidence.is_excused(start + Duration::from_secs(9)));
        assert!(evidence.is_excused(start + CHANCES_SPAN));
        let mut few = Evidence::new(&[3], 3);
        for _ in 0..4 {
            see(&mut few, start, Transport::Udp, silent());
        }
        assert!(!few.is_excused(start + Duration::from_secs(60)));
    }

    #[test]
    fn an_answer_without_the_record_is_never_excused() {
        let start = Instant::now();
        let mut evidence = Evidence::new(&[3], 3);
        for second in 0..100 {
            see(&mut evidence, start + Duration::from_secs(second), Transport::Udp, lacks());
        }
        assert!(!evidence.is_excused(start + Duration::from_secs(100)));
        // And an address that begins to answer loses its excuse.
        let mut late = Evidence::new(&[3], 3);
        for second in 0..12 {
            see(&mut late, start + Duration::from_secs(second), Transport::Udp, silent());
        }
        assert!(late.is_excused(start + Duration::from_secs(12)));
        see(&mut late, start + Duration::from_secs(13), Transport::Udp, lacks());
        assert!(!late.is_excused(start + Duration::from_secs(13)));
    }

    #[test]
    fn a_missing_route_is_seen_at_once() {
        let now = Instant::now();
        let mut evidence = Evidence::new(&[3], 3);
        see(&mut evidence, now, Transport::Udp, Answer::Silent(AskError::NoRoute));
        assert_eq!(evidence.standing(), Standing::NoRoute);
        assert!(evidence.is_out_of_reach());
        assert!(!evidence.is_excused(now), "where nobody serves it has its chances like any other");
    }

    #[test]
    fn records_that_need_more_looks_get_them_after_the_missing_ones() {
        let now = Instant::now();
        let mut evidence = Evidence::new(&[1, 3, 1, 3], 3);
        let mut asked = Vec::new();
        while evidence.standing() != Standing::Serving {
            let record = evidence.next_record();
            asked.push(record);
            evidence
                .observe(now, Observation { record, transport: Transport::Tcp, answer: Answer::Has, backend: None });
        }
        assert_eq!(asked, [3, 2, 1, 0, 3, 3, 1, 1]);
    }

    #[test]
    fn an_address_that_falls_silent_before_it_has_confirmed_is_excused() {
        let start = Instant::now();
        let mut evidence = Evidence::new(&[3], 3);
        see(&mut evidence, start, Transport::Udp, Answer::Has);
        for second in 0..12 {
            see(&mut evidence, start + Duration::from_secs(second), Transport::Udp, silent());
        }
        assert_eq!(evidence.standing(), Standing::Confirming);
        assert!(evidence.is_excused(start + Duration::from_secs(12)));
    }

    #[test]
    fn a_back_end_that_has_left_does_not_block_for_ever() {
        let now = Instant::now();
        let mut evidence = Evidence::new(&[3], 3);
        let mut see = |answer, backend: &[u8]| {
            let backend = Some(backend.to_vec());
            evidence.observe(now, Observation { record: 0, transport: Transport::Tcp, answer, backend });
            evidence.standing()
        };
        see(lacks(), b"gone");
        for _ in 0..GONE_AFTER {
            assert_eq!(see(Answer::Has, b"other"), Standing::Confirming);
        }
        assert_eq!(see(Answer::Has, b"other"), Standing::Serving);
    }

    #[test]
    fn every_record_has_to_be_seen_the_last_one_first() {
        let now = Instant::now();
        let mut evidence = Evidence::new(&[1, 1, 1], 1);
        assert_eq!(evidence.missing().collect::<Vec<_>>(), [2, 1, 0]);
        for record in [2, 1, 0] {
            assert_eq!(evidence.next_record(), record);
            assert_ne!(evidence.standing(), Standing::Serving);
            evidence
                .observe(now, Observation { record, transport: Transport::Tcp, answer: Answer::Has, backend: None });
        }
        assert_eq!(evidence.standing(), Standing::Serving);
    }
}
