//! Every address of a zone's authoritative servers: does it answer over UDP and over TCP, with authority, with the same
//! version of the zone as the others?

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::{Finding, beside};
use crate::distinct::distinct;
use crate::dns::exchange::{AskError, Transport, ask_with};
use crate::dns::message::{Question, RecordType, Reply, ResponseCode};
use crate::dns::pace::Pace;
use crate::dns::zone::{Server, Zone};
use crate::exit::Exit;
use crate::name::DnsName;

/// How long one question may take; a datagram that is lost is sent once more.
const ATTEMPT: Duration = Duration::from_millis(1500);

/// What one address did.
struct Seen {
    server: Server,
    udp: Result<(Reply, Duration), AskError>,
    tcp: Result<(Reply, Duration), AskError>,
}

/// Asks all addresses of a zone for its SOA, at once.
#[must_use]
pub fn look(apex: &DnsName, zone: &Zone, pace: &Arc<Pace>) -> Vec<Finding> {
    let question = &Question::authoritative(apex, RecordType::SOA);
    let seen: Vec<Seen> = thread::scope(|scope| {
        let probes = zone.servers.iter().map(|server| beside::begin(scope, move || probe(server, question, pace)));
        let begun: Vec<_> = probes.collect();
        begun.into_iter().filter_map(beside::Begun::end).collect()
    });
    let serving = seen.iter().any(|seen| good(&seen.udp) || good(&seen.tcp));
    let intercepted = !serving && !seen.is_empty() && seen.iter().all(|seen| is_resolvers(&seen.udp));
    let mut findings: Vec<_> = seen.iter().map(|seen| describe(seen, serving)).collect();
    if intercepted {
        findings.push(
            Finding::error(
                "intercepted",
                apex.as_str(),
                "something in this network answers in place of the name servers",
            )
            .ending(Exit::NoAnswer)
            .advise(
                "exempt this host from the redirection of port 53 (router, firewall); until then resolvers over \
                         HTTPS are asked (IPV64_DOH)",
            ),
        );
    } else if !serving {
        findings.push(nobody(apex, &seen));
    }
    findings.extend(serials(apex, &seen));
    findings
}

fn probe(server: &Server, question: &Question, pace: &Arc<Pace>) -> Seen {
    let timed = |transport| {
        let deadline = Instant::now() + 2 * ATTEMPT;
        let permit = pace.wait(server.address, deadline).ok_or(AskError::TimedOut)?;
        let start = Instant::now();
        ask_with(permit, question, transport, start + ATTEMPT).map(|reply| (reply, start.elapsed()))
    };
    let (udp, tcp) = thread::scope(|scope| {
        let tcp = beside::begin(scope, move || timed(Transport::Tcp));
        let udp = timed(Transport::Udp).or_else(|_| timed(Transport::Udp));
        (udp, tcp.end().unwrap_or(Err(AskError::TimedOut)))
    });
    Seen { server: server.clone(), udp, tcp }
}

fn good(outcome: &Result<(Reply, Duration), AskError>) -> bool {
    outcome.as_ref().is_ok_and(|(reply, _)| reply.authoritative() && reply.code() == ResponseCode::NoError)
}

fn is_resolvers(outcome: &Result<(Reply, Duration), AskError>) -> bool {
    outcome.as_ref().is_ok_and(|(reply, _)| !reply.authoritative() && reply.recursion_available())
}

/// Whether this machine has no way to an address: no route at all, one that a router knows to be dead, or an address that
/// holds on one link only.
fn is_cut_off(outcome: &Result<(Reply, Duration), AskError>) -> bool {
    use std::io::ErrorKind::{HostUnreachable, InvalidInput};
    matches!(outcome, Err(AskError::NoRoute | AskError::Failed(HostUnreachable | InvalidInput)))
}

/// Whether a server answers, and not for this zone.
fn is_lame(outcome: &Result<(Reply, Duration), AskError>) -> bool {
    outcome.is_ok() && !good(outcome) && !is_resolvers(outcome)
}

fn words(outcome: &Result<(Reply, Duration), AskError>) -> String {
    match outcome {
        Ok((_, took)) if good(outcome) => format!("{} ms", took.as_millis()),
        Ok((reply, _)) if reply.code() != ResponseCode::NoError => reply.code_name(),
        Ok(_) => "an answer without authority".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn describe(seen: &Seen, zone_is_served: bool) -> Finding {
    let subject = seen.server.to_string();
    let text = format!("UDP {}, TCP {}", words(&seen.udp), words(&seen.tcp));
    match (good(&seen.udp), good(&seen.tcp)) {
        (true, true) => Finding::ok("server", subject, text),
        (true, false) => Finding::warning("server_tcp", subject, text)
            .advise("open port 53 over TCP: a CA needs it for long answers, and one look of ours goes over it"),
        (false, true) => Finding::warning("server_udp", subject, text).advise("open port 53 over UDP"),
        (false, false) if zone_is_served && (is_cut_off(&seen.udp) || is_cut_off(&seen.tcp)) => Finding::note(
            "server_no_route",
            subject,
            "this machine has no way there (no IPv6?); the other addresses do",
        ),
        (false, false) if is_lame(&seen.udp) || is_lame(&seen.tcp) => Finding::warning("server_lame", subject, text)
            .advise("it does not serve the zone: remove it from the delegation, or tell its operator"),
        (false, false) => Finding::warning("server_down", subject, text).advise(if zone_is_served {
            "it is not waited for as long as another one serves"
        } else {
            "no other one serves the zone either: see the error about the zone"
        }),
    }
}

fn nobody(apex: &DnsName, seen: &[Seen]) -> Finding {
    let answered = seen.iter().any(|seen| seen.udp.is_ok() || seen.tcp.is_ok());
    let finding =
        Finding::error("no_server", apex.as_str(), "no name server of the zone gives an authoritative answer");
    if answered {
        finding.ending(Exit::NoAnswer).advise(
            "the servers do not serve this zone: check in the domain's settings at IPv64.net and at its registrar that it \
             is delegated to ns1.ipv64.net and ns2.ipv64.net",
        )
    } else {
        finding.ending(Exit::NoAnswer).advise(
            "check that this machine may reach port 53 (UDP and TCP) outside; without it, resolvers over HTTPS are asked \
             (IPV64_DOH)",
        )
    }
}

/// Servers that publish different versions of the zone.
fn serials(apex: &DnsName, seen: &[Seen]) -> Option<Finding> {
    let replies = seen.iter().filter(|seen| good(&seen.udp)).filter_map(|seen| seen.udp.as_ref().ok());
    let serials = distinct(replies.filter_map(|(reply, _)| reply.serial()));
    if serials.len() < 2 {
        return None;
    }
    let shown: Vec<_> = serials.iter().map(ToString::to_string).collect();
    let text = format!("the name servers have different versions of the zone: serials {}", shown.join(", "));
    let finding = Finding::warning("serials_differ", apex.as_str(), text);
    Some(finding.advise("usual for some seconds after a change; if it lasts, tell the provider"))
}
