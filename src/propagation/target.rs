//! One address that is asked: what it has said about each zone of the wait, and which question is due next. Pure: told the
//! time, it names the question; [`super::wait`] hands it out and brings the answer back.

use std::fmt;
use std::time::{Duration, Instant};

use super::evidence::Evidence;
use super::rule::ServerStatus;
use super::schedule::Schedule;
use crate::dns::exchange::Transport;
use crate::dns::pace::{LIMITS, Pace};
use crate::dns::zone::Server;
use crate::name::DnsName;

/// Of the queries that an address may get within the longest span of the pace, so many may be about earlier records while the
/// newest is awaited; the others are for its polls.
const EARLIER_SHARE: usize = 12;
/// So many of them may be more than is required, so that a burst is not held up.
const CLOSER_SHARE: usize = 3;
/// All addresses silent for so long: it is the network, not they.
const CUT_OFF: Duration = Duration::from_secs(4);
/// Between two questions about an earlier record as long as the newest is missing: changes of a zone mostly arrive in order.
const EARLIER_PAUSE: Duration = Duration::from_secs(8);

const LONGEST_SPAN: Duration = LIMITS[LIMITS.len() - 1].1;

/// Who is asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// One address of a name server.
    Server(Server),
    /// A name server of which no address, or not every one, could be found yet.
    Unfound(DnsName),
    /// Servers or addresses that are too many to be queried.
    LeftOut(usize),
}

impl Host {
    /// Returns the name of the server, if it is known.
    #[must_use]
    pub fn name(&self) -> Option<&DnsName> {
        match self {
            Self::Server(server) => server.name.as_ref(),
            Self::Unfound(name) => Some(name),
            Self::LeftOut(_) => None,
        }
    }

    /// Returns the address, if one is known.
    #[must_use]
    pub fn address(&self) -> Option<std::net::SocketAddr> {
        if let Self::Server(server) = self { Some(server.address) } else { None }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(server) => server.fmt(f),
            Self::Unfound(name) => name.fmt(f),
            Self::LeftOut(count) => write!(f, "{count} more"),
        }
    }
}

/// A zone of the wait, as one address sees it.
#[derive(Debug, Clone)]
pub(super) struct View {
    /// The place of the zone in the wait.
    pub(super) zone: usize,
    pub(super) evidence: Evidence,
    /// When each record was added, if that was for this wait.
    added: Vec<Option<Instant>>,
    last_polled: Option<Instant>,
}

impl View {
    pub(super) fn new(zone: usize, evidence: Evidence, added: Vec<Option<Instant>>) -> Self {
        Self { zone, evidence, added, last_polled: None }
    }

    fn is_serving(&self) -> bool {
        self.evidence.status() == ServerStatus::Serving
    }

    fn is_seen(&self) -> bool {
        self.evidence.unseen().next().is_none()
    }

    /// Returns the records to confirm, the newest first, each with the moment at which it is due.
    fn confirmations(&self, closely: bool, now: Instant) -> impl Iterator<Item = (Instant, usize)> + '_ {
        let records = (0..self.added.len()).rev();
        records.filter_map(move |record| Some((self.evidence.wants(record, closely, now)?, record)))
    }

    /// Returns the earlier records to look for, each with the moment at which it is due.
    fn earlier(&self, now: Instant, pause: Duration) -> impl Iterator<Item = (Instant, usize)> + '_ {
        let due = move |record: usize| match self.evidence.last_asked(record) {
            None if self.evidence.has_newest() => now,
            // Added a moment ago, it comes with the newest.
            None => self.added[record].map_or(now, |added| added + EARLIER_PAUSE),
            Some(asked) => asked + if self.evidence.has_newest() { pause } else { EARLIER_PAUSE },
        };
        // The first one is polled.
        self.evidence.unseen().skip(1).map(move |record| (due(record), record))
    }
}

/// What is due now, or else from when on there may be something.
pub(super) type Due<T> = Result<T, Option<Instant>>;

/// Returns the first that is due.
fn earliest<T>(candidates: impl Iterator<Item = (Instant, T)>, now: Instant) -> Due<T> {
    let mut later: Option<Instant> = None;
    for (moment, candidate) in candidates {
        if moment <= now {
            return Ok(candidate);
        }
        later = Some(later.map_or(moment, |later| later.min(moment)));
    }
    Err(later)
}

/// A question that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NextQuery {
    /// The place of the zone among the views.
    pub(super) view: usize,
    pub(super) record: usize,
    pub(super) transport: Transport,
    /// Whether it is to confirm what was seen.
    pub(super) confirms: bool,
}

/// One address.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) host: Host,
    pub(super) views: Vec<View>,
    pub(super) schedule: Schedule,
    /// Whether it takes queries with EDNS, as far as is known.
    pub(super) edns: bool,
    /// Questions that go out at once: over TCP where UDP was silent, was cut short, or did not take EDNS.
    pub(super) extra: Vec<NextQuery>,
    /// When earlier records were asked for while the newest was awaited.
    earlier: Vec<Instant>,
}

impl Target {
    pub(super) fn new(host: Host, schedule: Schedule) -> Self {
        Self { host, views: Vec::new(), schedule, edns: true, extra: Vec::new(), earlier: Vec::new() }
    }

    /// Whether it was asked and has been silent for longer than a few losses explain.
    pub(super) fn is_cut_off(&self, now: Instant) -> bool {
        let is_silent = |view: &View| {
            view.evidence.last.is_none() || view.evidence.silent_since().is_some_and(|since| now >= since + CUT_OFF)
        };
        self.views.iter().all(is_silent) && self.views.iter().any(|view| view.evidence.last.is_some())
    }

    /// Begins anew after a time in which nobody could be reached: with all chances, and polls as dense as at the start.
    pub(super) fn begin_anew(&mut self, schedule: Schedule) {
        self.schedule = schedule;
        self.views.iter_mut().for_each(|view| view.evidence.forgive());
    }

    /// Returns the next question, if one is due and the pace allows it; else when to look again. `jitter` is between 0 and 1.
    pub(super) fn next(&mut self, pace: &Pace, now: Instant, jitter: f64) -> Due<NextQuery> {
        let Host::Server(server) = &self.host else { return Err(None) };
        let address = server.address.ip();
        let free = pace.free(address, now);
        if free == 0 {
            // At least a moment later, so that nobody waits in a circle.
            return Err(Some(pace.next_free(address, now).max(now + Duration::from_millis(1))));
        }
        if let Some(query) = self.extra.pop() {
            return Ok(query);
        }
        let has_newest = |view: &View| !view.is_serving() && view.evidence.has_newest();
        let confirmation = self.first(has_newest, |view| view.confirmations(false, now), now, true);
        if confirmation.is_ok() {
            return confirmation;
        }
        if self.schedule.next <= now {
            self.schedule.polled(now, jitter);
            if let Some(query) = self.poll(now) {
                return Ok(query);
            }
        }
        let idle = self.idle(free, now);
        if idle.is_ok() {
            self.earlier.push(now);
        }
        let later = [confirmation.err().flatten(), Some(self.schedule.next)].into_iter().flatten().min();
        idle.map_err(|moment| [moment, later].into_iter().flatten().min())
    }

    /// What is left of the pace goes to the earlier records: to find those that are missing, then to confirm them, then to
    /// confirm them more closely as long as the newest is awaited.
    fn idle(&mut self, free: usize, now: Instant) -> Due<NextQuery> {
        self.earlier.retain(|asked| *asked + LONGEST_SPAN > now);
        let asked = self.earlier.len();
        let again = self.earlier.first().map(|asked| *asked + LONGEST_SPAN);
        let spare = |share: usize| move |view: &View| !view.evidence.has_newest() && asked < share;
        let has_room = |view: &View| free > 1 && (view.evidence.has_newest() || asked < EARLIER_SHARE);
        let missing = self.first(has_room, |view| view.earlier(now, self.schedule.pause), now, false);
        let seen = || self.first(spare(EARLIER_SHARE), |view| view.confirmations(false, now), now, true);
        let closely = || self.first(spare(CLOSER_SHARE), |view| view.confirmations(true, now), now, true);
        let earliest = |one: Option<Instant>, other: Option<Instant>| [one, other].into_iter().flatten().min();
        missing
            .or_else(|one| seen().map_err(|other| earliest(one, other)))
            .or_else(|one| closely().map_err(|other| earliest(one, other)))
            .map_err(|later| earliest(later, again))
    }

    /// The next poll: of the zone that was polled the longest ago, those that are not served yet before the others. A zone that
    /// is just being confirmed needs none.
    fn poll(&mut self, now: Instant) -> Option<NextQuery> {
        let is_busy = |view: &View| view.is_seen() && !view.is_serving() && view.evidence.awaited_until().is_some();
        let waiting = self.views.iter_mut().enumerate().filter(|(_, view)| !is_busy(view));
        let (place, view) = waiting.min_by_key(|(_, view)| (view.is_serving(), view.last_polled))?;
        view.last_polled = Some(now);
        // The newest that was not there yet, else the newest.
        let record = view.evidence.unseen().next().unwrap_or_else(|| view.added.len().saturating_sub(1));
        let query = NextQuery { view: place, record, transport: Transport::Udp, confirms: false };
        if view.evidence.udp_silent {
            self.extra.push(NextQuery { transport: Transport::Tcp, ..query });
        }
        Some(query)
    }

    /// The first question of those views that is due.
    fn first<'a, Records: Iterator<Item = (Instant, usize)>>(
        &'a self,
        is_asked: impl Fn(&View) -> bool,
        records: impl Fn(&'a View) -> Records,
        now: Instant,
        confirms: bool,
    ) -> Due<NextQuery> {
        let views = self.views.iter().enumerate().filter(|(_, view)| is_asked(view));
        let due = views.flat_map(|(place, view)| records(view).map(move |(moment, record)| (moment, (place, record))));
        earliest(due, now).map(|(view, record)| {
            let transport = self.views[view].evidence.transport(record, now);
            NextQuery { view, record, transport, confirms }
        })
    }
}
