//! Every address of a zone's authoritative servers: does it answer over UDP and over TCP, with authority, with the same
//! version of the zone as the others?

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::finding::Finding;
use super::parallel;
use crate::dns::exchange::{AskError, Transport, ask};
use crate::dns::message::{Question, RecordType, Reply, ResponseCode};
use crate::dns::pace::{Pace, QueryPermit};
use crate::dns::zone::{Server, Zone};
use crate::exit::Exit;
use crate::name::DnsName;

/// How long one query may take.
const ATTEMPT: Duration = Duration::from_millis(1500);

/// What came back over one transport.
enum Outcome {
    /// An authoritative answer, after some time.
    Serves(Option<u32>, Duration),
    /// An answer of a recursive resolver, which is what somebody in between gives.
    Intercepted(String),
    /// Another answer.
    Lame(String),
    Unheard(AskError),
}

impl Outcome {
    fn of(apex: &DnsName, reply: Result<Reply, AskError>, took: Duration) -> Self {
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => return Self::Unheard(error),
        };
        let other_zone = reply.zone().filter(|zone| zone != apex && reply.authoritative());
        let words = match (reply.code(), other_zone) {
            (_, Some(zone)) => format!("an answer for the zone `{zone}`, not for `{apex}`"),
            (ResponseCode::NoError, None) if reply.authoritative() => return Self::Serves(reply.serial(), took),
            (ResponseCode::NoError, None) => "an answer without authority".to_owned(),
            _ => reply.code_name(),
        };
        let recursive = !reply.authoritative() && reply.recursion_available();
        if recursive { Self::Intercepted(words) } else { Self::Lame(words) }
    }

    fn words(&self) -> String {
        match self {
            Self::Serves(_, took) => format!("{} ms", took.as_millis()),
            Self::Intercepted(words) | Self::Lame(words) => words.clone(),
            Self::Unheard(error) => error.to_string(),
        }
    }

    /// Whether this machine has no way to an address: no route at all, one that a router knows to be dead, or an address that
    /// holds on one link only.
    fn is_cut_off(&self) -> bool {
        use std::io::ErrorKind::{HostUnreachable, InvalidInput};
        matches!(self, Self::Unheard(AskError::NoRoute | AskError::Failed(HostUnreachable | InvalidInput)))
    }
}

/// What one address did.
struct Probed {
    server: Server,
    udp: Outcome,
    tcp: Outcome,
}

impl Probed {
    fn any(&self, is_so: impl Fn(&Outcome) -> bool) -> bool {
        is_so(&self.udp) || is_so(&self.tcp)
    }
}

/// Asks all addresses of a zone for its SOA, at once.
///
/// # Errors
/// The system's, if it gives no thread.
pub fn check(apex: &DnsName, zone: &Zone, pace: &Arc<Pace>) -> io::Result<Vec<Finding>> {
    let question = &Question::authoritative(apex, RecordType::SOA);
    let probe_server = |server: &Server| {
        let over = |transport| probe(server, question, transport, pace);
        let (tcp, udp) = parallel::both(|| over(Transport::Tcp), || over(Transport::Udp))?;
        Ok(Probed { server: server.clone(), udp, tcp })
    };
    let probed = parallel::each(&zone.servers, probe_server)?.into_iter().collect::<io::Result<Vec<_>>>()?;
    let serving = probed.iter().any(|one| one.any(|outcome| matches!(outcome, Outcome::Serves(..))));
    let mut findings: Vec<_> = probed.iter().map(|one| describe(one, serving)).collect();
    if !serving {
        findings.push(nobody(apex, &probed));
    }
    findings.extend(serials(apex, &probed));
    Ok(findings)
}

/// Asks once, and again what was lost (a datagram may be) or refused for its EDNS.
fn probe(server: &Server, question: &Question, transport: Transport, pace: &Arc<Pace>) -> Outcome {
    let ask_once = |question: &Question| {
        let permit = pace.wait(server.address, Instant::now() + 2 * ATTEMPT).ok_or(AskError::TimedOut);
        let start = Instant::now();
        let to = |permit: QueryPermit| {
            ask(server.address, question, transport, start + ATTEMPT, || permit.sent(Instant::now()))
        };
        (permit.and_then(to), start.elapsed())
    };
    let (reply, took) = match ask_once(question) {
        (Ok(reply), _) if reply.refuses_edns() => ask_once(&question.without_edns()),
        (Err(_), _) if transport == Transport::Udp => ask_once(question),
        other => other,
    };
    Outcome::of(&question.name, reply, took)
}

fn describe(probed: &Probed, zone_is_served: bool) -> Finding {
    let Probed { server, udp, tcp } = probed;
    let text = format!("UDP {}, TCP {}", udp.words(), tcp.words());
    match (udp, tcp) {
        (Outcome::Serves(..), Outcome::Serves(..)) => Finding::ok("server", server, text),
        (Outcome::Serves(..), _) => Finding::warning("server_tcp", server, text)
            .advise("open port 53 over TCP: a CA needs it for long answers, and one query of ours goes over it"),
        (_, Outcome::Serves(..)) => Finding::warning("server_udp", server, text).advise("open port 53 over UDP"),
        _ if zone_is_served && probed.any(Outcome::is_cut_off) => Finding::note(
            "server_no_route",
            server,
            "this machine has no route there (no IPv6?); the other addresses do",
        ),
        _ if probed.any(|outcome| matches!(outcome, Outcome::Lame(_))) => Finding::warning("server_lame", server, text)
            .advise("it does not serve the zone: remove it from the delegation, or tell its operator"),
        _ => Finding::warning("server_down", server, text).advise(if zone_is_served {
            "it does not block as long as another one serves"
        } else {
            "no other one serves the zone either: see the error about the zone"
        }),
    }
}

/// No server serves the zone: who is in the way?
fn nobody(apex: &DnsName, probed: &[Probed]) -> Finding {
    let is_intercepted = |one: &Probed| matches!(one.udp, Outcome::Intercepted(_));
    if !probed.is_empty() && probed.iter().all(is_intercepted) {
        let text = "something in this network answers in place of the name servers";
        return Finding::error("intercepted", apex, text).ending(Exit::NoAnswer).advise(
            "exempt this host from the redirection of port 53 (router, firewall); until then resolvers over HTTPS are \
            queried (IPV64_DOH)",
        );
    }
    let is_heard = |one: &Probed| one.any(|outcome| !matches!(outcome, Outcome::Unheard(_)));
    let text = "no name server of the zone gives an authoritative answer";
    let finding = Finding::error("no_server", apex, text).ending(Exit::NoAnswer);
    finding.advise(if probed.iter().any(is_heard) {
        "the servers do not serve this zone: check in the domain's settings at IPv64.net and at its registrar that it \
         is delegated to ns1.ipv64.net and ns2.ipv64.net"
    } else {
        "check that this machine may reach port 53 (UDP and TCP) outside; without it, resolvers over HTTPS are queried \
        (IPV64_DOH)"
    })
}

/// Servers that publish different versions of the zone.
fn serials(apex: &DnsName, probed: &[Probed]) -> Option<Finding> {
    let serial = |one: &Probed| if let Outcome::Serves(serial, _) = one.udp { serial } else { None };
    let serials: BTreeSet<_> = probed.iter().filter_map(serial).collect();
    if serials.len() < 2 {
        return None;
    }
    let shown: Vec<_> = serials.iter().map(ToString::to_string).collect();
    let text = format!("the name servers have different versions of the zone: serials {}", shown.join(", "));
    let finding = Finding::warning("serials_differ", apex, text);
    Some(finding.advise("usual for some seconds after a change; if it lasts, tell the provider"))
}
