//! Asks the servers of a zone until one gives an answer that can be used: with authority, or a referral further down.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use super::exchange::{ANSWER, STACK, Transport, ask_over, ask_whole};
use super::message::{Question, Reply};
use super::pace::Pace;
use super::server::Server;
use crate::name::DnsName;

/// How long one server is waited for before the next one is asked too. All of them are waited for as long as [`ANSWER`] over UDP,
/// and once more over TCP; those that have to wait for the pace, from then on.
const HEAD_START: Duration = Duration::from_millis(300);
/// After that, how long outcomes that are just coming in are still taken.
const GRACE: Duration = Duration::from_millis(50);

/// Asks the servers of the zone `apex` over UDP, and over TCP if nobody is of use. The server that has most of its pace left
/// comes first, the others only if it is slow or of no use; a query that waits for the pace is no slow server. The root has no
/// name here, nor have servers that the user named.
///
/// # Errors
/// What each server did instead by the deadline, a line each.
pub(super) fn ask_servers<'a>(
    (apex, servers): (Option<&DnsName>, impl IntoIterator<Item = &'a Server>),
    question: &Question,
    pace: &Arc<Pace>,
    deadline: Instant,
) -> Result<Reply, Vec<String>> {
    let mut failures = BTreeSet::new();
    let now = Instant::now();
    let mut servers: Vec<_> = servers.into_iter().collect();
    servers.sort_by_cached_key(|server| Reverse(pace.room(server.address.ip(), now)));
    for transport in [Transport::Udp, Transport::Tcp] {
        let now = Instant::now();
        let is_paced = servers.first().is_some_and(|server| pace.room(server.address.ip(), now) <= 0);
        let (head_start, until) = if is_paced { (ANSWER, deadline) } else { (HEAD_START, deadline.min(now + ANSWER)) };
        let (sender, outcomes) = mpsc::channel();
        let (mut waiting, mut open) = (servers.iter(), 0);
        while Instant::now() < until + GRACE {
            if let Some(server) = waiting.next() {
                start((apex, server), question, transport, (pace, until), &sender);
                open += 1;
            } else if open == 0 {
                break;
            }
            let left = (until + GRACE).saturating_duration_since(Instant::now());
            let pause = if waiting.len() == 0 { left } else { head_start.min(left) };
            match outcomes.recv_timeout(pause) {
                Ok(Ok(reply)) => return Ok(reply),
                Ok(Err(line)) => {
                    failures.insert(line);
                    open -= 1;
                }
                Err(_) => {}
            }
        }
    }
    Err(failures.into_iter().collect())
}

/// Asks one server in a thread of its own, which is not joined: the deadline ends it.
fn start(
    (apex, server): (Option<&DnsName>, &Server),
    question: &Question,
    transport: Transport,
    (pace, until): (&Arc<Pace>, Instant),
    sender: &mpsc::Sender<Result<Reply, String>>,
) {
    let (apex, question, pace) = (apex.cloned(), question.clone(), Arc::clone(pace));
    let (to, outcome) = (server.clone(), sender.clone());
    let ask = move || {
        let reply = match transport {
            Transport::Udp => ask_whole(to.address, &question, Some(&pace), until),
            Transport::Tcp => ask_over(transport, to.address, &question, Some(&pace), until),
        };
        let reply = reply.map_err(|error| error.to_string());
        let reply = reply.and_then(|reply| usable(reply, &question.name, apex.as_ref()));
        outcome.send(reply.map_err(|line| format!("{to}: {line}"))).ok();
    };
    if let Err(error) = thread::Builder::new().name("query".to_owned()).stack_size(STACK).spawn(ask) {
        sender.send(Err(format!("{server}: not queried: the system starts no more threads: {error}"))).ok();
    }
}

/// Returns a reply with authority, or a referral that leads further down; else says what it is.
fn usable(reply: Reply, name: &DnsName, apex: Option<&DnsName>) -> Result<Reply, String> {
    // A server without the zone refers to the zone itself, or upwards.
    let leads_down =
        |below: &DnsName| name.is_within(below) && apex.is_none_or(|apex| below != apex && below.is_within(apex));
    match reply.referral() {
        Some(below) if leads_down(&below) => Ok(reply),
        Some(below) => Err(format!("refers to `{below}`, which does not lead to `{name}`")),
        None if !reply.is_answer() => Err(reply.code_name()),
        None if reply.authoritative() => Ok(reply),
        None if reply.recursion_available() => {
            Err("answers without authority; something on the way answers in its place".to_owned())
        }
        None => Err("answers without authority".to_owned()),
    }
}
