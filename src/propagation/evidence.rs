//! What one server address has answered so far, and where that leaves it. Pure: told of each answer with its moment,
//! asked for the standing; no sockets, no clock.

use std::time::{Duration, Instant};

use super::answer::{Answer, Observation};
use super::back_ends::BackEnds;
use super::look::Asked;
use super::seen::{Seen, Wanted};
use crate::dns::exchange::{AskError, Transport};

/// How many times an address may fail to answer usefully before it stops blocking the verdict.
const CHANCES: u32 = 5;
/// Over how long a time those chances have to be spread.
const CHANCES_SPAN: Duration = Duration::from_secs(10);
/// Positive answers in a row from an address of which nothing is known: several servers may stand behind it that do not tell
/// their names. Two of which chance picks one, and only one of which has the record, begin with such a run once in 512 times.
/// An address gets five questions at a time, so this is two looks.
const FIRST_RUN: u32 = 10;
/// The same from an address that has disagreed with itself, or one beside it has: there such runs begin again and again.
const LONG_RUN: u32 = 15;
/// Answers that are needed from an address whose servers tell their names (NSID), to have heard of all of them: two that
/// take turns by chance both show up among so many but for one time in five hundred.
const NAMED_ANSWERS: u32 = 10;
/// After how many failures over TCP the address counts as one without TCP.
const TCP_FAILURES: u32 = 2;

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

/// What earlier waits tell of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Past {
    /// Nothing, or that it disagreed with itself.
    Unproven,
    /// It counts no longer: another address of the wait has several back ends.
    Suspect,
    /// Records appeared there without any disagreement, in several waits.
    Steady,
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
    /// What is held of the address until it shows something else.
    past: Past,
    /// Answers with authority so far.
    heard: u32,
    /// How many of them came without the name of the back end.
    nameless: u32,
    /// Failures over TCP, and the reason of the last.
    tcp_failures: u32,
    udp_silent: bool,
    back_ends: BackEnds,
    /// Answers of no use in a row, and when they began.
    useless: u32,
    useless_since: Option<Instant>,
    last: Option<(Instant, Answer)>,
    serving_since: Option<Instant>,
}

impl Evidence {
    /// Starts without an answer. The address has to give `confirmations` positive answers in a row, and to show each record
    /// as often as is wanted, the last added one last; without a steady past the latest of each zone in a long run.
    #[must_use]
    pub fn new(wanted: &[Wanted], confirmations: u32, past: Past) -> Self {
        Self {
            confirmations: confirmations.max(1),
            records: (0..wanted.len()).map(|at| Seen::new(wanted, at)).collect(),
            run: 0,
            run_has_tcp: false,
            flips: 0,
            past,
            heard: 0,
            nameless: 0,
            tcp_failures: 0,
            udp_silent: false,
            back_ends: BackEnds::default(),
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
            // Nothing was asked: the address has had no chance.
            Answer::Silent(AskError::NoSocket) => {
                if self.last.as_ref().is_some_and(|(_, last)| !matches!(last, Answer::Silent(AskError::NoSocket))) {
                    return;
                }
            }
            Answer::Lame { .. } | Answer::Silent(_) => {
                self.useless(now, (record, transport), &answer);
                // Silence after good answers changes nothing that was seen; it is reported only if nothing else is known.
                if self.serving_since.is_some() {
                    return;
                }
            }
        }
        if let Answer::Has | Answer::Lacks(_) = answer {
            self.heard = self.heard.saturating_add(1);
            match backend {
                Some(name) => self.name_heard(name, record, &answer),
                None => self.nameless = self.nameless.saturating_add(1),
            }
        }
        self.last = Some((now, answer));
    }

    fn name_heard(&mut self, name: Vec<u8>, record: usize, answer: &Answer) {
        let Some(asked) = self.records.get(record) else { return };
        let last = self.records.iter().rposition(|seen| seen.wanted.zone == asked.wanted.zone);
        let latest = if asked.is_latest() { record } else { last.unwrap_or(record) };
        // Of an earlier record its presence says nothing about the latest; its absence says all.
        let shows = match answer {
            Answer::Has if latest == record => Some(true),
            Answer::Has => None,
            _ => Some(false),
        };
        self.back_ends.heard(name, latest, shows);
    }

    fn has(&mut self, now: Instant, record: usize, transport: Transport) {
        self.answered(record, transport);
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
        self.answered(record, transport);
        self.run = 0;
        self.run_has_tcp = false;
        self.serving_since = None;
        let Some(seen) = self.records.get_mut(record) else { return };
        seen.lacked = true;
        if seen.times > 0 {
            // It was there: another back end has answered, and what is known of the other records is worth no more.
            self.flips = self.flips.saturating_add(1);
            self.records.iter_mut().for_each(|seen| seen.times = 0);
        } else {
            // The latest of its zone, if it was there, has come from another back end, or has overtaken this one.
            self.of_same_zone(record).for_each(|seen| seen.times = 0);
        }
    }

    /// Returns all records of the zone of one.
    fn of_same_zone(&mut self, record: usize) -> impl Iterator<Item = &mut Seen> {
        let zone = self.records.get(record).map(|seen| seen.wanted.zone);
        self.records.iter_mut().filter(move |seen| Some(seen.wanted.zone) == zone)
    }

    fn answered(&mut self, record: usize, transport: Transport) {
        self.of_same_zone(record).for_each(|seen| seen.useless = 0);
        self.useless = 0;
        self.useless_since = None;
        match transport {
            Transport::Tcp => self.tcp_failures = 0,
            Transport::Udp => self.udp_silent = false,
        }
    }

    fn useless(&mut self, now: Instant, (record, transport): Asked, answer: &Answer) {
        self.of_same_zone(record).for_each(|seen| seen.useless = seen.useless.saturating_add(1));
        if transport == Transport::Tcp {
            self.tcp_failures = self.tcp_failures.saturating_add(1);
        } else if matches!(answer, Answer::Silent(_)) {
            self.udp_silent = true;
        }
        self.useless = self.useless.saturating_add(1);
        self.useless_since.get_or_insert(now);
    }

    /// Returns the record to ask for next: the first that needs more looks, else the last.
    #[must_use]
    pub fn next_record(&self) -> usize {
        self.wanting().first().copied().unwrap_or_else(|| self.records.len().saturating_sub(1))
    }

    /// Returns the records that are not known to be there, the last one first.
    pub fn missing(&self) -> impl Iterator<Item = usize> {
        let records = self.records.iter().enumerate().rev();
        records.filter(|(_, seen)| seen.times == 0).map(|(record, _)| record)
    }

    /// Returns the records that need more looks, one entry for each look: the missing ones first, then those that need to be
    /// confirmed, last those that a known back end has not shown. But a zone that gets no useful answer stands behind those
    /// that do: it is not to excuse an address that is late with another.
    #[must_use]
    pub fn wanting(&self) -> Vec<usize> {
        let records = self.records.iter().enumerate().rev();
        let more = records.filter(|(_, seen)| seen.times > 0).flat_map(|(record, seen)| {
            let looks = self.looks(seen).saturating_sub(seen.times);
            std::iter::repeat_n(record, usize::try_from(looks).unwrap_or_default())
        });
        let open = self.latest().filter(|record| self.back_ends.is_open(*record));
        let mut wanting: Vec<_> = self.missing().chain(more).chain(open).collect();
        wanting.sort_by_key(|record| self.records[*record].useless);
        wanting
    }

    /// Returns the records that may be the latest of their zone, the last one first.
    fn latest(&self) -> impl Iterator<Item = usize> {
        let records = self.records.iter().enumerate().rev();
        records.filter(|(_, seen)| seen.is_latest()).map(|(record, _)| record)
    }

    /// Returns how many times in a row a record has to be there.
    fn looks(&self, seen: &Seen) -> u32 {
        if !seen.is_latest() || !self.is_in_doubt() {
            return seen.wanted.looks;
        }
        let run = if self.flips > 0 || self.past == Past::Suspect { LONG_RUN } else { FIRST_RUN };
        run.min(seen.share).max(seen.wanted.looks)
    }

    /// Returns whether an answer over TCP is still needed, and TCP does not fail.
    #[must_use]
    pub fn wants_tcp(&self) -> bool {
        !self.run_has_tcp && self.tcp_failures < TCP_FAILURES
    }

    /// Returns whether UDP failed at the last attempt, so that TCP should be tried too.
    #[must_use]
    pub fn udp_is_silent(&self) -> bool {
        self.udp_silent
    }

    /// Returns whether TCP failed at the last attempts, whatever it did before.
    #[must_use]
    pub fn tcp_fails(&self) -> bool {
        self.tcp_failures >= TCP_FAILURES
    }

    /// Returns whether TCP was tried and does not work.
    #[must_use]
    pub fn tcp_is_broken(&self) -> bool {
        !self.run_has_tcp && self.tcp_fails()
    }

    /// Whether several back ends may stand behind the address, of which only a long run of answers tells: those with names
    /// are waited for one by one, and who wants a single confirmation gets it.
    fn is_in_doubt(&self) -> bool {
        let is_steady = self.past == Past::Steady && self.flips == 0;
        self.confirmations > 1 && !self.is_named() && !is_steady
    }

    /// Returns how many positive answers in a row are asked for at least.
    #[must_use]
    pub fn confirmations(&self) -> u32 {
        self.confirmations
    }

    /// Whether every answer told which back end gave it.
    fn is_named(&self) -> bool {
        self.heard > 0 && self.nameless == 0
    }

    /// Returns how many more positive answers are needed, at least.
    #[must_use]
    pub fn still_needed(&self) -> u32 {
        let missing: u32 = self.records.iter().map(|seen| self.looks(seen).saturating_sub(seen.times)).sum();
        let unheard =
            if self.is_named() && self.confirmations > 1 { NAMED_ANSWERS.saturating_sub(self.heard) } else { 0 };
        let tcp = u32::from(self.wants_tcp() && self.run > 0);
        self.confirmations.saturating_sub(self.run).max(missing).max(unheard).max(tcp)
    }

    /// Returns whether several servers have been seen behind the address.
    #[must_use]
    pub fn shows_several_back_ends(&self) -> bool {
        self.flips > 0 || self.back_ends.count() > 1
    }

    /// Returns what this wait shows about what is behind an address without names: nothing that disagrees, for records came
    /// and then stayed for a long run; or that it disagreed with itself; or neither.
    #[must_use]
    pub fn is_steady(&self) -> Option<bool> {
        let came = |seen: &Seen| (seen.wanted.is_new || seen.lacked) && seen.times >= FIRST_RUN;
        let all_came = !self.records.is_empty() && self.records.iter().filter(|seen| seen.is_latest()).all(came);
        match self.flips {
            _ if self.is_named() => None,
            0 => (all_came && self.back_ends.count() < 2).then_some(true),
            // Once can be two answers that overtook each other.
            1 => None,
            _ => Some(false),
        }
    }

    /// Notes that another address of the wait has several back ends: this one is not trusted for its past any more.
    pub fn suspect(&mut self) {
        self.past = Past::Suspect;
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
            Answer::Silent(AskError::NoSocket) => Standing::Unknown,
            Answer::Silent(_) => Standing::Silent,
        }
    }

    fn is_confirmed(&self) -> bool {
        self.still_needed() == 0 && !self.wants_tcp() && !self.latest().any(|record| self.back_ends.is_open(record))
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
    use super::super::seen::LONG_RUNS;
    use super::*;

    /// New records of one zone, on an address that earlier waits have shown to be steady.
    fn steady(looks: &[u32], confirmations: u32) -> Evidence {
        with_past(looks, confirmations, Past::Steady)
    }

    fn with_past(looks: &[u32], confirmations: u32, past: Past) -> Evidence {
        let wanted: Vec<_> = looks.iter().map(|looks| Wanted { looks: *looks, zone: 0, is_new: true }).collect();
        Evidence::new(&wanted, confirmations, past)
    }

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
        let mut evidence = steady(&[3], 3);
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
        let mut evidence = steady(&[3], 3);
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
        let mut evidence = steady(&[3], 3);
        see(&mut evidence, now, Transport::Tcp, Answer::Has);
        see(&mut evidence, now, Transport::Udp, Answer::Has);
        see(&mut evidence, now, Transport::Udp, lacks());
        assert_eq!(evidence.standing(), Standing::Lagging);
        for count in 1..=LONG_RUN {
            assert_ne!(evidence.standing(), Standing::Serving, "{count}");
            let transport = if count == 1 { Transport::Tcp } else { Transport::Udp };
            see(&mut evidence, now, transport, Answer::Has);
        }
        assert_eq!(evidence.standing(), Standing::Serving);
    }

    #[test]
    fn a_known_back_end_without_the_record_blocks() {
        let now = Instant::now();
        let mut evidence = steady(&[3], 3);
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
        let mut evidence = steady(&[3], 3);
        for count in 1..=NAMED_ANSWERS {
            assert_ne!(evidence.standing(), Standing::Serving, "{count}");
            let backend = Some(b"only".to_vec());
            evidence.observe(now, Observation { record: 0, transport: Transport::Tcp, answer: Answer::Has, backend });
        }
        assert_eq!(evidence.standing(), Standing::Serving);
    }

    #[test]
    fn one_balancer_in_a_wait_makes_all_addresses_suspect() {
        let now = Instant::now();
        let mut evidence = steady(&[3], 3);
        evidence.suspect();
        for _ in 1..LONG_RUN {
            see(&mut evidence, now, Transport::Tcp, Answer::Has);
            assert_eq!(evidence.standing(), Standing::Confirming);
        }
        see(&mut evidence, now, Transport::Tcp, Answer::Has);
        assert_eq!(evidence.standing(), Standing::Serving);
    }

    #[test]
    fn an_address_without_a_steady_past_needs_a_long_run() {
        let now = Instant::now();
        for (past, confirmations, needed) in [
            (Past::Unproven, 3, FIRST_RUN),
            (Past::Suspect, 3, LONG_RUN),
            (Past::Steady, 3, 3),
            (Past::Unproven, 1, 1),
            (Past::Unproven, 20, 20),
        ] {
            let mut evidence = with_past(&[confirmations], confirmations, past);
            for count in 0..needed {
                assert_ne!(evidence.standing(), Standing::Serving, "{past:?}, {confirmations}: {count}");
                see(&mut evidence, now, Transport::Tcp, Answer::Has);
            }
            assert_eq!(evidence.standing(), Standing::Serving, "{past:?}, {confirmations}");
        }
    }

    /// How often each record is asked for until all is confirmed, of an address that has them all.
    fn looks_at(wanted: &[Wanted], backend: Option<&[u8]>) -> Vec<u32> {
        let now = Instant::now();
        let mut evidence = Evidence::new(wanted, 3, Past::Unproven);
        let mut asked = vec![0; wanted.len()];
        while evidence.standing() != Standing::Serving {
            let record = evidence.next_record();
            asked[record] += 1;
            assert!(asked[record] < 100, "{asked:?}");
            let backend = backend.map(<[u8]>::to_vec);
            evidence.observe(now, Observation { record, transport: Transport::Tcp, answer: Answer::Has, backend });
        }
        asked
    }

    #[test]
    fn in_doubt_only_the_latest_record_of_a_zone_counts() {
        let wanted = [0, 1, 0].map(|zone| Wanted { looks: 1, zone, is_new: true });
        assert_eq!(looks_at(&wanted, None), [1, FIRST_RUN, FIRST_RUN]);
    }

    #[test]
    fn a_record_that_was_there_before_is_not_later_than_a_new_one() {
        let of = |is_new: &[bool]| -> Vec<_> {
            is_new.iter().map(|is_new| Wanted { looks: 1, zone: 0, is_new: *is_new }).collect()
        };
        assert_eq!(looks_at(&of(&[true, false, false]), None)[0], FIRST_RUN);
        assert_eq!(looks_at(&of(&[false, false, true]), None), [1, 1, FIRST_RUN]);
        assert_eq!(looks_at(&of(&[false; 3]), None), [FIRST_RUN; 3], "which was the last, nobody knows");
        let named: u32 = looks_at(&of(&[true, false, false]), Some(b"only")).iter().sum();
        assert_eq!(named, NAMED_ANSWERS);
    }

    #[test]
    fn records_of_unknown_order_share_what_their_zone_may_take() {
        let old = |count| vec![Wanted { looks: 1, zone: 0, is_new: false }; count];
        assert_eq!(looks_at(&old(20), None), [vec![LONG_RUNS / 20; 19], vec![FIRST_RUN]].concat());
        assert_eq!(looks_at(&old(100), None), [vec![1; 99], vec![FIRST_RUN]].concat());
        let new = Wanted { looks: 1, zone: 1, is_new: true };
        let both = looks_at(&[old(50), vec![new]].concat(), None);
        assert_eq!(both[50], FIRST_RUN, "those of one zone take nothing from another: {both:?}");
    }

    #[test]
    fn many_zones_share_the_time_that_long_runs_may_take() {
        let looks = |zones: usize| {
            let wanted: Vec<_> = (0..zones).map(|zone| Wanted { looks: 3, zone, is_new: true }).collect();
            Evidence::new(&wanted, 3, Past::Unproven).still_needed()
        };
        assert_eq!([1, 4, 10, 100].map(looks), [10, 40, 60, 300]);
    }

    #[test]
    fn an_earlier_record_that_is_missing_takes_back_what_was_seen_of_the_latest() {
        let now = Instant::now();
        let mut evidence = with_past(&[1, 1], 3, Past::Unproven);
        let mut see = |record, answer| {
            evidence.observe(now, Observation { record, transport: Transport::Tcp, answer, backend: None });
            evidence.standing()
        };
        for _ in 1..FIRST_RUN {
            see(1, Answer::Has);
        }
        see(0, lacks());
        see(0, Answer::Has);
        for _ in 0..LONG_RUN {
            assert_ne!(see(0, Answer::Has), Standing::Serving, "it may come from any back end");
        }
        for _ in 1..FIRST_RUN {
            assert_ne!(see(1, Answer::Has), Standing::Serving);
        }
        assert_eq!(see(1, Answer::Has), Standing::Serving);
    }

    #[test]
    fn steadiness_is_shown_by_a_record_that_comes_and_stays() {
        let now = Instant::now();
        let shown = |is_new, answers: &[Answer]| {
            let mut evidence = Evidence::new(&[Wanted { looks: 3, zone: 0, is_new }], 3, Past::Unproven);
            for answer in answers {
                see(&mut evidence, now, Transport::Tcp, answer.clone());
            }
            evidence.is_steady()
        };
        let long = vec![Answer::Has; FIRST_RUN as usize];
        let flip = [Answer::Has, lacks()];
        assert_eq!(shown(true, &long), Some(true));
        assert_eq!(shown(false, &long), None, "it may have been there for hours");
        assert_eq!(shown(false, &[&[lacks()], &long[..]].concat()), Some(true));
        assert_eq!(shown(true, &long[1..]), None);
        assert_eq!(shown(true, &[&flip, &long[..]].concat()), None, "one answer may have overtaken another");
        assert_eq!(shown(true, &[&flip, &flip, &long[..]].concat()), Some(false));
    }

    #[test]
    fn a_named_back_end_that_shows_an_earlier_record_may_still_lack_the_latest() {
        let now = Instant::now();
        let mut evidence = steady(&[1, 2], 3);
        let mut see = |record, answer, backend: &[u8]| {
            let backend = Some(backend.to_vec());
            evidence.observe(now, Observation { record, transport: Transport::Tcp, answer, backend });
            evidence.standing()
        };
        see(1, lacks(), b"stale");
        for _ in 0..NAMED_ANSWERS {
            see(1, Answer::Has, b"fresh");
        }
        assert_eq!(see(0, Answer::Has, b"stale"), Standing::Confirming);
        assert_eq!(see(1, Answer::Has, b"stale"), Standing::Serving);
    }

    #[test]
    fn silence_is_excused_after_five_chances_over_ten_seconds() {
        let start = Instant::now();
        let mut evidence = steady(&[3], 3);
        for _ in 0..20 {
            see(&mut evidence, start, Transport::Udp, silent());
        }
        assert!(!evidence.is_excused(start + Duration::from_secs(9)));
        assert!(evidence.is_excused(start + CHANCES_SPAN));
        let mut few = steady(&[3], 3);
        for _ in 0..4 {
            see(&mut few, start, Transport::Udp, silent());
        }
        assert!(!few.is_excused(start + Duration::from_secs(60)));
    }

    #[test]
    fn what_this_machine_cannot_do_excuses_no_server() {
        let start = Instant::now();
        let mut evidence = steady(&[3], 3);
        for second in 0..100 {
            let answer = Answer::Silent(AskError::NoSocket);
            see(&mut evidence, start + Duration::from_secs(second), Transport::Udp, answer);
        }
        assert_eq!(evidence.standing(), Standing::Unknown);
        assert!(!evidence.is_excused(start + Duration::from_secs(100)));
        assert!(!evidence.udp_is_silent() && !evidence.tcp_is_broken());
    }

    #[test]
    fn an_answer_without_the_record_is_never_excused() {
        let start = Instant::now();
        let mut evidence = steady(&[3], 3);
        for second in 0..100 {
            see(&mut evidence, start + Duration::from_secs(second), Transport::Udp, lacks());
        }
        assert!(!evidence.is_excused(start + Duration::from_secs(100)));
        // And an address that begins to answer loses its excuse.
        let mut late = steady(&[3], 3);
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
        let mut evidence = steady(&[3], 3);
        see(&mut evidence, now, Transport::Udp, Answer::Silent(AskError::NoRoute));
        assert_eq!(evidence.standing(), Standing::NoRoute);
        assert!(evidence.is_out_of_reach());
        assert!(!evidence.is_excused(now), "where nobody serves it has its chances like any other");
    }

    #[test]
    fn records_that_need_more_looks_get_them_after_the_missing_ones() {
        let now = Instant::now();
        let mut evidence = steady(&[1, 3, 1, 3], 3);
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
        let mut evidence = steady(&[3], 3);
        see(&mut evidence, start, Transport::Udp, Answer::Has);
        for second in 0..12 {
            see(&mut evidence, start + Duration::from_secs(second), Transport::Udp, silent());
        }
        assert_eq!(evidence.standing(), Standing::Confirming);
        assert!(evidence.is_excused(start + Duration::from_secs(12)));
    }

    #[test]
    fn every_record_has_to_be_seen_the_last_one_first() {
        let now = Instant::now();
        let mut evidence = steady(&[1, 1, 1], 1);
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
