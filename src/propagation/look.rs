//! Which questions a look at an address asks at once, and which follow on what was heard. Pure; when they are sent is up to
//! [`super::schedule`] and the pace, sending them to [`super::poller`].

use super::evidence::{Evidence, Standing};
use crate::dns::exchange::Transport;

/// Questions beyond the required ones that are asked in the round in which a record appears: two more answers at no cost.
const EXTRA: usize = 2;

/// The number of a record, and how to ask for it.
pub(super) type Asked = (usize, Transport);

/// Returns what a look begins with: at most `breadth` questions, but at least one.
pub(super) fn opening(evidence: &Evidence, breadth: usize) -> Vec<Asked> {
    let next = evidence.next_record();
    if evidence.udp_is_silent() {
        let tcp = (!evidence.tcp_is_broken()).then_some((next, Transport::Tcp));
        return std::iter::once((next, Transport::Udp)).chain(tcp).collect();
    }
    // Whoever wants one confirmation, or has all, is served with one question.
    let plenty = evidence.confirmations() > 1 && evidence.standing() != Standing::Serving;
    let count = if plenty { breadth.max(1) } else { 1 };
    let others = evidence.missing().filter(|record| *record != next);
    let records = std::iter::once(next).chain(others).chain(std::iter::repeat(next));
    records.take(count).map(|record| (record, Transport::Udp)).collect()
}

/// Returns what to ask next to confirm a record that has appeared, `free` questions at most but at least one; nothing if it
/// has not appeared, or if all is confirmed. Rounds are counted from zero.
pub(super) fn next(evidence: &Evidence, round: usize, free: usize) -> Option<Vec<Asked>> {
    if evidence.standing() != Standing::Confirming {
        return None;
    }
    // A single confirmation is what the user asked for: no extras then.
    let extra = if round == 0 && evidence.confirmations() > 1 { EXTRA } else { 0 };
    let wanted = usize::try_from(evidence.still_needed()).unwrap_or(usize::MAX).max(1).saturating_add(extra);
    let records = evidence.wanting().into_iter().chain(std::iter::repeat(evidence.next_record()));
    // If UDP is silent all goes over TCP, unless that fails too; else one question does, the others stay cheap.
    let all_tcp = evidence.udp_is_silent() && !evidence.tcp_fails();
    let mut tcp = evidence.wants_tcp() || all_tcp;
    let transport = || {
        let this = if tcp { Transport::Tcp } else { Transport::Udp };
        tcp = all_tcp;
        this
    };
    Some(records.take(wanted.min(free.max(1))).zip(std::iter::repeat_with(transport)).collect())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::answer::{Answer, Observation};
    use super::super::evidence::Past;
    use super::super::seen::Wanted;
    use super::*;
    use crate::dns::exchange::AskError;

    fn after(answers: &[(Transport, Answer)]) -> Evidence {
        let mut evidence = Evidence::new(&[Wanted { looks: 3, zone: 0, is_new: true }], 3, Past::Steady);
        for (transport, answer) in answers {
            let observation = Observation { record: 0, transport: *transport, answer: answer.clone(), backend: None };
            evidence.observe(Instant::now(), observation);
        }
        evidence
    }

    fn transports(round: Option<Vec<Asked>>) -> Vec<Transport> {
        round.unwrap_or_default().into_iter().map(|(_, transport)| transport).collect()
    }

    #[test]
    fn a_record_that_appears_is_confirmed_at_once_and_once_over_tcp() {
        use Transport::{Tcp, Udp};
        let appeared = after(&[(Udp, Answer::Has), (Udp, Answer::Has)]);
        assert_eq!(transports(next(&appeared, 0, 3)), [Tcp, Udp, Udp]);
        assert_eq!(transports(next(&appeared, 1, 3)), [Tcp]);
        assert_eq!(transports(next(&appeared, 1, 0)), [Tcp]);
        assert_eq!(next(&after(&[(Udp, Answer::Lacks(String::new()))]), 0, 3), None);
    }

    #[test]
    fn a_lost_datagram_does_not_leave_all_to_tcp_where_that_does_not_work() {
        use Transport::{Tcp, Udp};
        let lost = |transport| (transport, Answer::Silent(AskError::TimedOut));
        let no_udp = after(&[(Udp, Answer::Has), lost(Udp)]);
        assert_eq!(transports(next(&no_udp, 1, 2)), [Tcp, Tcp]);
        let neither = after(&[(Udp, Answer::Has), lost(Udp), lost(Tcp), lost(Tcp)]);
        assert_eq!(transports(next(&neither, 1, 2)), [Udp, Udp]);
    }

    /// Looks with one question, as they are after a while, once a second for a minute, until the address is excused.
    /// Returns the records asked for and whether it came to that.
    fn look_for_a_minute(confirmations: u32, answer: &dyn Fn(Asked) -> Answer) -> (Vec<usize>, bool) {
        let wanted = [0, 1].map(|zone| Wanted { looks: confirmations, zone, is_new: true });
        let mut evidence = Evidence::new(&wanted, confirmations, Past::Unproven);
        let start = Instant::now();
        let mut asked = Vec::new();
        for second in 0..60 {
            let now = start + Duration::from_secs(second);
            let mut round = Some(opening(&evidence, 1));
            for number in 0.. {
                let Some(questions) = round else { break };
                for (record, transport) in questions {
                    asked.push(record);
                    let answer = answer((record, transport));
                    evidence.observe(now, Observation { record, transport, answer, backend: None });
                }
                round = next(&evidence, number, 1);
            }
            if evidence.is_excused(now) {
                return (asked, true);
            }
        }
        (asked, false)
    }

    fn lame() -> Answer {
        Answer::Lame { reason: "REFUSED".to_owned(), recursive: false }
    }

    fn silent() -> Answer {
        Answer::Silent(AskError::TimedOut)
    }

    #[test]
    fn a_zone_that_gets_no_answer_does_not_excuse_an_address_that_is_late_with_another() {
        for confirmations in [1, 3] {
            for useless in [lame, silent] {
                let answer = |(record, _)| if record == 1 { useless() } else { Answer::Lacks(String::new()) };
                let (asked, is_excused) = look_for_a_minute(confirmations, &answer);
                assert!(!is_excused, "{confirmations}, {:?}: {asked:?}", useless());
            }
        }
    }

    #[test]
    fn a_zone_that_gets_no_answer_leaves_another_its_confirmations() {
        for useless in [lame, silent] {
            let (asked, is_excused) =
                look_for_a_minute(3, &|(record, _)| if record == 1 { useless() } else { Answer::Has });
            assert!(is_excused, "{:?}: {asked:?}", useless());
            let confirmed = asked.iter().filter(|record| **record == 0).count();
            assert!(confirmed >= 10, "{:?}: {asked:?}", useless());
        }
    }

    #[test]
    fn an_address_that_answers_for_no_zone_is_excused() {
        for useless in [lame, silent] {
            let (asked, is_excused) = look_for_a_minute(3, &|_| useless());
            assert!(is_excused && asked.contains(&0) && asked.contains(&1), "{:?}: {asked:?}", useless());
        }
    }
}
