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
    let records = evidence.missing().chain(std::iter::repeat(next));
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
    let records = evidence.wanting().chain(std::iter::repeat(evidence.next_record()));
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
    use std::time::Instant;

    use super::super::answer::{Answer, Observation};
    use super::super::evidence::{Past, Wanted};
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
}
