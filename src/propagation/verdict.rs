//! What the standing of all addresses together means. Pure, so that the rule that decides over "ready" can be read on
//! one page and tested without sockets.

use std::time::Instant;

use super::answer::Answer;
use super::evidence::{Evidence, Standing};

/// The verdict over the addresses of one zone.
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
#[must_use]
pub fn judge<'a>(addresses: impl Iterator<Item = &'a Evidence> + Clone, now: Instant) -> Verdict {
    let serving = addresses.clone().filter(|evidence| evidence.standing() == Standing::Serving).count();
    let no_longer_waited_for = |evidence: &&Evidence| {
        evidence.standing() != Standing::Serving
            && (evidence.is_excused(now) || (serving > 0 && evidence.is_out_of_reach()))
    };
    let excused = addresses.clone().filter(no_longer_waited_for).count();
    if serving + excused < addresses.clone().count() {
        Verdict::NotYet
    } else if serving > 0 {
        Verdict::Ready
    } else {
        let recursive =
            |evidence: &Evidence| matches!(evidence.last(), Some((_, Answer::Lame { recursive: true, .. })));
        Verdict::NobodyToAsk { intercepted: addresses.clone().any(recursive) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::answer::Observation;
    use super::super::evidence::Past;
    use super::super::seen::Wanted;
    use super::*;
    use crate::dns::exchange::{AskError, Transport};

    fn after(answers: &[Answer]) -> Evidence {
        let start = Instant::now();
        let mut evidence = Evidence::new(&[Wanted { looks: 1, zone: 0, is_new: true }], 1, Past::Unproven);
        for (second, answer) in answers.iter().enumerate() {
            let now = start + Duration::from_secs(second as u64);
            let observation =
                Observation { record: 0, transport: Transport::Tcp, answer: answer.clone(), backend: None };
            evidence.observe(now, observation);
        }
        evidence
    }

    fn verdict(addresses: &[&Evidence]) -> Verdict {
        judge(addresses.iter().copied(), Instant::now() + Duration::from_secs(100))
    }

    #[test]
    fn every_address_that_answers_counts() {
        let serving = after(&[Answer::Has]);
        let lagging = after(&[Answer::Lacks("nothing".to_owned())]);
        let silent = after(&vec![Answer::Silent(AskError::TimedOut); 12]);
        let unknown = after(&[]);
        assert_eq!(verdict(&[&serving, &serving]), Verdict::Ready);
        assert_eq!(verdict(&[&serving, &lagging]), Verdict::NotYet);
        assert_eq!(verdict(&[&serving, &silent]), Verdict::Ready);
        assert_eq!(verdict(&[&serving, &unknown]), Verdict::NotYet);
        assert_eq!(verdict(&[&lagging, &silent]), Verdict::NotYet);
    }

    #[test]
    fn a_missing_route_blocks_nothing_but_proves_nothing() {
        let serving = after(&[Answer::Has]);
        let no_route = after(&[Answer::Silent(AskError::NoRoute)]);
        assert_eq!(verdict(&[&serving, &no_route]), Verdict::Ready);
        assert_eq!(verdict(&[&no_route, &no_route]), Verdict::NotYet, "the network may come back");
        let known = after(&[Answer::Lacks("nothing".to_owned()), Answer::Silent(AskError::NoRoute)]);
        assert_eq!(verdict(&[&serving, &known]), Verdict::NotYet, "it was reached before, and lagged");
    }

    #[test]
    fn without_one_serving_address_nothing_is_ready() {
        let silent = after(&vec![Answer::Silent(AskError::TimedOut); 12]);
        let refusing = after(&vec![Answer::Lame { reason: "REFUSED".to_owned(), recursive: false }; 12]);
        let between = after(&vec![Answer::Lame { reason: "no AA".to_owned(), recursive: true }; 12]);
        assert_eq!(verdict(&[&silent, &refusing]), Verdict::NobodyToAsk { intercepted: false });
        assert_eq!(verdict(&[&silent, &between]), Verdict::NobodyToAsk { intercepted: true });
    }
}
