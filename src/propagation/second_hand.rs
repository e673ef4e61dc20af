//! Evidence from resolvers, for networks in which no authoritative server can be asked: weaker, slower, and said so.
//! The configured resolvers come first, then those over HTTPS.

use std::time::{Duration, Instant};

use super::answer::Texts;
use super::outcome::Basis;
use crate::dns::message::{Question, RecordType, Reply, ResponseCode};
use crate::dns::recursive::Recursive;
use crate::dns::zone::Lookup;

/// Between two rounds: resolvers keep a negative answer anyway (RFC 2308), so asking more often tells nothing new.
pub(super) const PAUSE: Duration = Duration::from_secs(5);
/// How long one round waits for answers.
const ATTEMPT: Duration = Duration::from_secs(3);

/// What one round of questions to a set of resolvers showed; the more, the later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Round {
    /// None answered for some record.
    Nobody,
    /// As before, but one said that it cannot reach the name servers either (SERVFAIL).
    Fails,
    /// At least one answered without it.
    Lacks,
    /// Every resolver that answered has everything.
    Has,
}

/// Which resolvers can be trusted here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// All of them.
    All,
    /// Only those over HTTPS: something on the way answers in place of others.
    HttpsOnly,
}

/// Who is asked for what, and until when.
pub(super) struct Asking<'a> {
    pub(super) lookup: &'a Lookup,
    pub(super) texts: &'a [Texts],
    pub(super) trust: Trust,
    /// When the last answer is taken.
    pub(super) until: Instant,
}

/// Asks until the records are there; returns on what the "yes" rests, or the most that a round has shown. `go_on` hears of
/// that, pauses, and tells whether another round is wanted.
pub(super) fn wait(asking: &Asking<'_>, go_on: &mut dyn FnMut(Round) -> bool) -> Result<Basis, Round> {
    let mut most = Round::Nobody;
    loop {
        let (round, basis) = asking.one_round();
        if round == Round::Has {
            return Ok(basis);
        }
        most = most.max(round);
        if !go_on(most) {
            return Err(most);
        }
    }
}

impl Asking<'_> {
    fn one_round(&self) -> (Round, Basis) {
        let sets = [(&self.lookup.resolvers, Basis::Resolvers), (&self.lookup.fallback, Basis::Https)];
        let mut most = Round::Nobody;
        for (set, basis) in sets.into_iter().skip(usize::from(self.trust == Trust::HttpsOnly)) {
            most = most.max(self.ask(set));
            if most >= Round::Lacks {
                return (most, basis);
            }
        }
        (most, Basis::Https)
    }

    fn ask(&self, set: &Recursive) -> Round {
        for text in self.texts {
            let question = Question::recursive(&text.name, RecordType::TXT);
            let replies = set.ask_each(&question, self.until.min(Instant::now() + ATTEMPT));
            let answered = replies.iter().filter(|reply| reply.is_answer());
            let answers: Vec<_> = answered.map(|reply| has(reply, text)).collect();
            if answers.contains(&false) {
                return Round::Lacks;
            }
            // Each record needs an answer of its own, and who is silent at the first one would be so for a hundred.
            if answers.is_empty() {
                let fails = replies.iter().any(|reply| reply.code() == ResponseCode::ServFail);
                return if fails { Round::Fails } else { Round::Nobody };
            }
        }
        Round::Has
    }
}

fn has(reply: &Reply, text: &Texts) -> bool {
    let found: Vec<_> = reply.texts(&text.name).collect();
    text.values.iter().all(|value| found.iter().any(|text| text == value.as_str().as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::sync::Arc;

    use super::super::seen::Wanted;
    use super::*;
    use crate::challenge::TxtValue;
    use crate::dns::recursive::Resolver;
    use crate::name::DnsName;

    #[test]
    fn a_silent_resolver_is_not_asked_for_one_record_after_the_other() {
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        silent.set_nonblocking(true).unwrap();
        let post = || -> crate::dns::recursive::DohPost { Arc::new(|_, _, _| Err("not in this test".to_owned())) };
        let lookup = Lookup {
            resolvers: Recursive::new(vec![Resolver::Plain(silent.local_addr().unwrap())], post()),
            fallback: Recursive::new(Vec::new(), post()),
            servers: Vec::new(),
            server_names: Vec::new(),
            roots: Vec::new(),
            port: 53,
            pace: Arc::default(),
            known: Arc::default(),
        };
        let text = |name: &str| Texts {
            name: DnsName::parse(name).unwrap(),
            values: vec![TxtValue::random().unwrap()],
            wanted: Wanted { looks: 1, zone: 0, is_new: true },
        };
        let texts = ["a.example", "b.example", "c.example"].map(text);
        let until = Instant::now() + Duration::from_millis(200);
        let asking = Asking { lookup: &lookup, texts: &texts, trust: Trust::All, until };
        assert_eq!(wait(&asking, &mut |_| false), Err(Round::Nobody));
        let questions = std::iter::from_fn(|| silent.recv(&mut [0; 512]).ok()).count();
        assert_eq!(questions, 1);
    }
}
