//! One wait as a state machine, without sockets, threads and clock: told the time, it names the next job ([`Wait::poll`]); told
//! what became of a job, it learns from it. What answers mean is in [`super::rule`], when an address is asked in
//! [`super::target`]; [`super::run`] does the jobs, and the tests drive the same machine in virtual time.

use std::time::{Duration, Instant};

use super::answer::{Answer, judge_reply};
use super::evidence::{Evidence, Observation};
use super::fallback::{Fallback, Round};
use super::outcome::{Basis, Cause, NotReady, OtherZone, Ready, Row};
use super::plan::{Plan, Text, ZoneTexts, by_zone};
use super::rule::{CHANCES_SPAN, ServerStatus, Verdict, verdict};
use super::schedule::Schedule;
use super::search::{Search, Searches};
use super::target::{Due, Host, NextQuery, Target, View};
use crate::dns::exchange::{AskError, Transport};
use crate::dns::message::{Question, RecordType, Reply};
use crate::dns::pace::QueryPermit;
use crate::dns::zone::{FoundBy, Server, Zone};
use crate::name::DnsName;

/// How long one answer is waited for.
const ATTEMPT: Duration = Duration::from_secs(2);
/// How far past the deadline the answers to the last poll are taken, and what it has found is confirmed.
pub(super) const GRACE: Duration = Duration::from_millis(900);

/// Something to be done outside.
#[derive(Debug)]
pub(super) enum Job {
    /// Ask a server.
    Query {
        ticket: Ticket,
        question: Question,
        permit: QueryPermit,
        /// When the answer comes too late.
        until: Instant,
    },
    /// Look for the servers of the zone of a name again.
    Discover { search: Search, name: DnsName, until: Instant },
    /// Ask resolvers for everything.
    Resolvers { texts: Vec<Text>, https_only: bool, until: Instant },
}

/// What is next.
#[derive(Debug)]
pub(super) enum Action {
    /// Start a job, and ask again.
    Start(Job),
    /// Wait for what comes, until this moment at the longest.
    Until(Instant),
    /// The wait is over.
    Done(Result<Ready, NotReady>),
}

/// Which question an answer belongs to.
#[derive(Debug, Clone)]
pub(super) struct Ticket {
    server: Server,
    zone: usize,
    record: usize,
    pub(super) transport: Transport,
    edns: bool,
    asked: Instant,
}

/// One wait.
#[derive(Debug)]
pub(super) struct Wait<'a> {
    plan: &'a Plan,
    start: Instant,
    pub(super) zones: Vec<ZoneTexts>,
    targets: Vec<Target>,
    searches: Searches,
    fallback: Option<Fallback>,
    /// What the resolvers have proven, where nobody else could be asked.
    proven_by: Option<Basis>,
    /// Whether something in the network answers in place of the name servers.
    intercepted: bool,
    is_last_round: bool,
}

impl<'a> Wait<'a> {
    /// Begins a wait.
    pub(super) fn new(plan: &'a Plan, now: Instant) -> Self {
        let mut wait = Self {
            plan,
            start: now,
            zones: by_zone(&plan.records),
            targets: Vec::new(),
            searches: Searches::new(now),
            fallback: None,
            proven_by: None,
            intercepted: false,
            is_last_round: false,
        };
        for zone in 0..wait.zones.len() {
            wait.add_hosts(zone, now);
        }
        wait
    }

    fn deadline(&self) -> Instant {
        self.start + self.plan.timeout
    }

    /// Returns what is next.
    pub(super) fn poll(&mut self, now: Instant, jitter: f64) -> Action {
        let mut wake = self.deadline();
        match self.verdict(now) {
            Verdict::Ready => match self.awaited_until(now) {
                None => return Action::Done(Ok(self.ready(now, Basis::Authoritative))),
                Some(until) => wake = wake.min(until),
            },
            Verdict::NotYet => (self.fallback, self.proven_by) = (None, None),
            Verdict::NobodyToAsk { intercepted } => {
                self.intercepted = intercepted;
                match self.fall_back(now) {
                    Ok(action) => return action,
                    Err(next) => wake = next.into_iter().fold(wake, Instant::min),
                }
            }
        }
        if now >= self.deadline() {
            match self.end(now) {
                Some(not_ready) => return Action::Done(Err(not_ready)),
                None => wake = self.deadline() + GRACE,
            }
        }
        let job = self.next_query(now, jitter);
        match job.or_else(|soon| self.discover(now).map_err(|next| soon.into_iter().chain(next).min())) {
            Ok(job) => Action::Start(job),
            Err(next) => Action::Until(next.into_iter().fold(wake, Instant::min)),
        }
    }

    /// Ready if all zones are; nobody to ask if that holds for one of them and no other blocks.
    fn verdict(&self, now: Instant) -> Verdict {
        let mut overall = Verdict::Ready;
        for zone in 0..self.zones.len() {
            match verdict(self.evidence(zone).map(|evidence| evidence.vote(now))) {
                Verdict::Ready => {}
                Verdict::NotYet => return Verdict::NotYet,
                // A zone of which no server is known yet gets the same time as one whose servers are silent.
                Verdict::NobodyToAsk { .. } if now < self.start + CHANCES_SPAN => return Verdict::NotYet,
                Verdict::NobodyToAsk { intercepted } => {
                    let before = matches!(overall, Verdict::NobodyToAsk { intercepted: true });
                    overall = Verdict::NobodyToAsk { intercepted: intercepted || before };
                }
            }
        }
        overall
    }

    fn evidence(&self, zone: usize) -> impl Iterator<Item = &Evidence> + Clone {
        self.views(zone).map(|(_, view)| &view.evidence)
    }

    fn views(&self, zone: usize) -> impl Iterator<Item = (&Host, &View)> + Clone {
        let views = self.targets.iter().flat_map(|target| target.views.iter().map(|view| (&target.host, view)));
        views.filter(move |(_, view)| view.zone == zone)
    }

    /// Until when an answer that could still take back a "ready" is waited for.
    fn awaited_until(&self, now: Instant) -> Option<Instant> {
        let serving = self.targets.iter().flat_map(|target| &target.views).map(|view| &view.evidence);
        let serving = serving.filter(|evidence| evidence.status() == ServerStatus::Serving);
        serving.filter_map(Evidence::awaited_until).filter(|until| *until > now).max()
    }

    /// What to do where no name server can be asked, or when.
    fn fall_back(&mut self, now: Instant) -> Due<Action> {
        if let Some(basis) = self.proven_by {
            return Ok(Action::Done(Ok(self.ready(now, basis))));
        }
        let https_only = self.intercepted;
        let known = self.fallback.take().filter(|fallback| fallback.https_only == https_only);
        let fallback = self.fallback.insert(known.unwrap_or_else(|| Fallback::new(https_only, now)));
        if let Some(pause) = self.plan.blind_wait.filter(|_| fallback.tells_nothing()) {
            // A pause in place of a check, as the user has allowed it.
            let end = self.start + pause;
            return if now >= end { Ok(Action::Done(Ok(self.ready(now, Basis::Blind)))) } else { Err(Some(end)) };
        }
        let until = self.start + self.plan.timeout + GRACE;
        match fallback.next() {
            Some(next) if next <= now && now < until => {
                fallback.asked(now);
                let texts = self.texts().cloned().collect();
                Ok(Action::Start(Job::Resolvers { texts, https_only, until }))
            }
            next => Err(next.filter(|next| *next > now)),
        }
    }

    /// The end at the deadline: one more poll of whoever does not serve, since a record that arrived during the last pause is
    /// not late; then, when nothing more can come, why the wait has failed.
    fn end(&mut self, now: Instant) -> Option<NotReady> {
        if !self.is_last_round {
            self.is_last_round = true;
            self.targets.iter_mut().for_each(|target| target.schedule.next = target.schedule.next.min(now));
            return None;
        }
        let is_busy = |view: &View| {
            view.evidence.status() == ServerStatus::Confirming
                || view.evidence.awaited_until().is_some_and(|until| until > now)
        };
        let may_come = self.targets.iter().flat_map(|target| &target.views).any(is_busy);
        (!may_come || now >= self.deadline() + GRACE).then(|| {
            let nobody = matches!(self.verdict(now), Verdict::NobodyToAsk { .. });
            let nobody = nobody && self.fallback.as_ref().is_none_or(Fallback::tells_nothing);
            self.not_ready(now, if nobody { Cause::NobodyAnswers } else { Cause::TimedOut })
        })
    }

    fn next_query(&mut self, now: Instant, jitter: f64) -> Due<Job> {
        let until = (now + ATTEMPT).min(self.deadline() + GRACE);
        let mut later: Option<Instant> = None;
        for target in &mut self.targets {
            let Host::Server(server) = target.host.clone() else { continue };
            match target.next(&self.plan.lookup.pace, now, jitter) {
                Ok(query) => {
                    let Some(permit) = self.plan.lookup.pace.try_take(server.address, now) else { continue };
                    let ticket = target.ticket(server, query, now);
                    let text = &self.zones[ticket.zone].texts[ticket.record];
                    let question = Question::authoritative(&text.name, RecordType::TXT);
                    let question = if ticket.edns { question } else { question.without_edns() };
                    return Ok(Job::Query { ticket, question, permit, until });
                }
                Err(next) => later = [later, next].into_iter().flatten().min(),
            }
        }
        Err(later)
    }

    /// Takes what became of a question.
    pub(super) fn answered(&mut self, now: Instant, ticket: Ticket, reply: Result<Reply, AskError>) {
        if reply.is_ok() {
            self.notice_network(now);
        }
        let Ticket { server, zone, record, transport, edns, asked } = ticket;
        let host = Host::Server(server);
        let Some(target) = self.targets.iter_mut().find(|target| target.host == host) else { return };
        let Some(place) = target.views.iter().position(|view| view.zone == zone) else { return };
        let evidence = &mut target.views[place].evidence;
        let again = NextQuery { view: place, record, transport, confirms: false };
        match &reply {
            Ok(reply) if edns && reply.refuses_edns() => {
                evidence.returned(record, asked);
                target.edns = false;
                target.extra.push(again);
                return;
            }
            Ok(reply) if transport == Transport::Udp && reply.truncated() => {
                evidence.returned(record, asked);
                target.extra.push(NextQuery { transport: Transport::Tcp, ..again });
                return;
            }
            _ => {}
        }
        let text = &self.zones[zone].texts[record];
        let (answer, replica) = match reply {
            Ok(reply) => (judge_reply(&reply, &text.name, &text.values), reply.nsid().map(<[u8]>::to_vec)),
            Err(error) => (Answer::Silent(error), None),
        };
        evidence.observe(now, Observation { record, transport, asked, replica, answer });
        if evidence.contradicted {
            target.views.iter_mut().for_each(|view| view.evidence.distrust());
        }
    }

    /// Where nobody could be reached until now, all begin anew: whoever is heard first must not be ready without those that
    /// were only not asked again yet.
    fn notice_network(&mut self, now: Instant) {
        let mut servers = self.targets.iter().filter(|target| target.host.address().is_some());
        if servers.all(|target| target.is_cut_off(now)) {
            let schedule = Schedule::new(now, self.plan.polling_interval);
            self.targets.iter_mut().for_each(|target| target.begin_anew(schedule.clone()));
            self.searches.begin_anew(now);
        }
    }

    /// Takes what a round of questions to resolvers showed.
    pub(super) fn resolved(&mut self, now: Instant, round: Round, basis: Basis) {
        if self.fallback.as_mut().is_some_and(|fallback| fallback.heard(now, round)) {
            self.proven_by = Some(basis);
        }
    }

    fn discover(&mut self, now: Instant) -> Due<Job> {
        let is_open = |zone: &usize| {
            let is_missing = self.views(*zone).any(|(host, _)| matches!(host, Host::Unfound(_)));
            is_missing
                || matches!(
                    verdict(self.evidence(*zone).map(|evidence| evidence.vote(now))),
                    Verdict::NobodyToAsk { .. }
                )
        };
        let lags = |zone: &usize| self.zones[*zone].zone.found_by == FoundBy::Resolvers && self.lags(*zone);
        let open: Vec<usize> = (0..self.zones.len()).filter(is_open).collect();
        let lagging: Vec<usize> = (0..self.zones.len()).filter(lags).collect();
        let search = self.searches.next(now, self.start, &open, &lagging)?;
        let name = self.zones[search.zone].texts.first().map(|text| text.name.clone()).ok_or(None)?;
        Ok(Job::Discover { search, name, until: self.deadline() + GRACE })
    }

    /// Whether all servers of a zone that can be asked lag.
    fn lags(&self, zone: usize) -> bool {
        let answers = |status: &ServerStatus| !matches!(status, ServerStatus::NoRoute | ServerStatus::Silent);
        let mut answering = self.evidence(zone).map(Evidence::status).filter(answers).peekable();
        answering.peek().is_some() && answering.all(|status| status == ServerStatus::Lagging)
    }

    /// Takes what a search for the servers of a zone has found.
    pub(super) fn discovered(&mut self, now: Instant, search: Search, found: Option<Zone>) {
        let Search { zone, from_roots } = search;
        self.searches.ended(now);
        let is_known =
            |server: &Server| self.zones[zone].zone.servers.iter().any(|known| known.address == server.address);
        match (from_roots, found) {
            (false, Some(found)) => self.add_found(zone, found, now),
            (true, Some(found)) if !found.servers.iter().any(is_known) => {
                // The network leads elsewhere (split DNS): a CA goes down from the root.
                self.searches.split = true;
                self.drop_views(|_, view| view.zone == zone);
                self.zones[zone].zone = found;
                self.add_hosts(zone, now);
            }
            _ => {}
        }
        for target in self.targets.iter_mut().filter(|target| !from_roots && matches!(target.host, Host::Unfound(_))) {
            for view in target.views.iter_mut().filter(|view| view.zone == zone) {
                let (answer, transport) = (Answer::Silent(AskError::TimedOut), Transport::Udp);
                view.evidence.observe(now, Observation { record: 0, transport, asked: now, replica: None, answer });
            }
        }
    }

    /// Adds servers that were not known; a name whose addresses are found is not looked for any more.
    fn add_found(&mut self, zone: usize, found: Zone, now: Instant) {
        self.drop_views(|host, view| {
            view.zone == zone && matches!(host, Host::Unfound(name) if !found.unfound.contains(name))
        });
        let known = &mut self.zones[zone].zone;
        known.servers.extend(found.servers);
        known.unfound = found.unfound;
        self.add_hosts(zone, now);
    }

    fn drop_views(&mut self, drop: impl Fn(&Host, &View) -> bool) {
        for target in &mut self.targets {
            let Target { host, views, extra, .. } = target;
            let before = views.len();
            views.retain(|view| !drop(host, view));
            if views.len() < before {
                // Places have moved: what was planned is polled again soon.
                extra.clear();
            }
        }
        self.targets.retain(|target| !target.views.is_empty());
    }

    /// Gives each host of a zone a view of it, unless it has one.
    fn add_hosts(&mut self, zone: usize, now: Instant) {
        let ZoneTexts { zone: known, texts } = &self.zones[zone];
        let mut evidence = Evidence::new(self.plan.confirmations, texts.len());
        for (record, text) in texts.iter().enumerate() {
            text.doubtful_until.into_iter().for_each(|until| evidence.doubt(record, until));
        }
        let view = View::new(zone, evidence, texts.iter().map(|text| text.added).collect());
        let servers = known.servers.iter().cloned().map(Host::Server);
        let unfound = known.unfound.iter().cloned().map(Host::Unfound);
        let left_out = (known.left_out > 0).then_some(Host::LeftOut(known.left_out));
        for host in servers.chain(unfound).chain(left_out) {
            // Two names of one address are one server: the address is what is asked.
            let target = match self.targets.iter_mut().find(|target| target.is(&host)) {
                Some(target) => target,
                None => {
                    self.targets.push(Target::new(host, Schedule::new(now, self.plan.polling_interval)));
                    let last = self.targets.len() - 1;
                    &mut self.targets[last]
                }
            };
            if !target.views.iter().any(|view| view.zone == zone) {
                target.views.push(view.clone());
            }
        }
    }

    fn texts(&self) -> impl Iterator<Item = &Text> {
        self.zones.iter().flat_map(|zone| &zone.texts)
    }

    fn ready(&self, now: Instant, basis: Basis) -> Ready {
        let split = self.searches.split || self.zones.iter().any(|zone| zone.zone.split);
        Ready { waited: now - self.start, rows: self.rows(), basis, split }
    }

    /// Returns a wait that has failed, with what is known now.
    pub(super) fn not_ready(&self, now: Instant, cause: Cause) -> NotReady {
        let names = self.texts().map(|text| text.name.clone()).collect();
        // The last poll comes after the time limit, which is what the user knows.
        let waited = (now - self.start).min(self.plan.timeout);
        NotReady { names, cause, waited, rows: self.rows(), intercepted: self.intercepted, bogus: Vec::new() }
    }

    /// Returns the table of servers, one row an address: where it stands with the zone that it is the furthest behind with.
    pub(super) fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<_> = self.targets.iter().filter_map(|target| target.row(self.start, &self.zones)).collect();
        rows.sort_by(|one, other| one.host.cmp(&other.host));
        rows
    }
}

impl Target {
    fn is(&self, host: &Host) -> bool {
        match (&self.host, host) {
            (Host::Server(known), Host::Server(server)) => known.address == server.address,
            (known, host) => known == host,
        }
    }

    fn ticket(&mut self, server: Server, query: NextQuery, now: Instant) -> Ticket {
        let NextQuery { view, record, transport, confirms } = query;
        let view = &mut self.views[view];
        view.evidence.asked((record, transport), now, confirms);
        Ticket { server, zone: view.zone, record, transport, edns: self.edns, asked: now }
    }

    fn row(&self, start: Instant, zones: &[ZoneTexts]) -> Option<Row> {
        let View { evidence, zone, .. } = self.views.iter().max_by_key(|view| view.evidence.status())?;
        let last = match &evidence.last {
            None | Some(Answer::Has) => String::new(),
            Some(Answer::Lacks { instead: text, .. } | Answer::Lame { reason: text, .. }) => text.clone(),
            Some(Answer::Silent(error)) => error.to_string(),
        };
        let other_zone = match (&evidence.last, &zones[*zone].zone.apex) {
            (Some(Answer::Lacks { zone: Some(served), .. }), Some(wanted)) if served != wanted => {
                Some(OtherZone { served: served.clone(), wanted: wanted.clone() })
            }
            _ => None,
        };
        Some(Row {
            host: self.host.clone(),
            status: evidence.status(),
            last,
            other_zone,
            after: evidence.serving_since.map(|since| since.saturating_duration_since(start)),
            no_tcp: evidence.is_tcp_broken(),
            several: evidence.shows_several_replicas(),
        })
    }
}

#[cfg(test)]
mod tests;
