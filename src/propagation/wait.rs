//! Runs one poller per server address until every zone is ready, the deadline has come, or a signal ends it.
//! What the answers mean is decided in [`super::evidence`] and [`super::verdict`].

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::answer::{Answer, Texts};
use super::evidence::{Evidence, Past, Standing};
use super::outcome::{Basis, Cause, NotReady, Ready, Row};
use super::poller::{Board, Poller, Slot, State};
use super::schedule::Schedule;
use super::second_hand::{self, Round, Trust};
use super::second_opinion::{self, Opinion};
use super::seen::Wanted;
use super::verdict::{Verdict, judge};
use crate::challenge::TxtValue;
use crate::distinct::distinct;
use crate::dns::signing::Signing;
use crate::dns::zone::{Lookup, Server, Zone};
use crate::name::DnsName;

/// How often the stop flag of the process is looked at.
pub(super) const TICK: Duration = Duration::from_millis(100);
/// After how long an open extra question no longer delays a verdict that is reached without it.
const LATE: Duration = Duration::from_millis(500);
/// How far past the deadline the answers to the last look are taken.
const LAST_LOOK: Duration = Duration::from_millis(750);
/// How long a look for a cause may take at least, after that.
const LEAST_LOOK: Duration = Duration::from_millis(200);

/// One record to wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The name that holds it, at the end of any CNAME chain.
    pub name: DnsName,
    /// Its value.
    pub value: TxtValue,
    /// The zone of the name.
    pub zone: Zone,
    /// Whether it was added for this wait, so that no server can have had it before.
    pub is_new: bool,
}

/// What to wait for, and how.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The records, in the order in which they were added.
    pub records: Vec<Record>,
    /// From now to giving up.
    pub timeout: Duration,
    /// Positive answers in a row that each address must give.
    pub confirmations: u32,
    /// The longest pause between two looks at one address.
    pub polling_interval: Duration,
    /// What addresses took at most in nearly all earlier waits.
    pub usual: Vec<(IpAddr, Duration)>,
    /// Addresses where records appeared without disagreement in earlier waits.
    pub steady: Vec<IpAddr>,
    /// Resolvers and pace.
    pub lookup: Lookup,
    /// How long to pause instead, where nobody can be asked; nothing if that is an error.
    pub blind_wait: Option<Duration>,
    /// Set by a signal: stop at once.
    pub interrupted: Arc<AtomicBool>,
}

/// Waits until every authoritative address of every zone serves the records. `changed` is called with the table at the
/// start and whenever an address has come to stand elsewhere.
///
/// # Errors
/// [`NotReady`] with the table of servers.
pub fn wait(plan: &Plan, changed: &mut dyn FnMut(&[Row])) -> Result<Ready, NotReady> {
    let began = Instant::now();
    let mut plan = plan.clone();
    let mut opinion = Opinion::Open;
    loop {
        let waiting = Waiting::start(&plan, began);
        let ended = waiting.run(opinion, changed);
        waiting.board.stop();
        match ended {
            Ok(ready) => return Ok(Ready { split: opinion == Opinion::Settled, ..ready }),
            Err(Stopped::NotReady(not_ready)) => return Err(not_ready),
            Err(Stopped::Elsewhere(records)) => plan.records = records,
        }
        opinion = Opinion::Settled;
    }
}

/// Why one set of servers is asked no longer.
enum Stopped {
    NotReady(NotReady),
    /// The root servers lead to other servers: those are to be asked.
    Elsewhere(Vec<Record>),
}

impl From<NotReady> for Stopped {
    fn from(not_ready: NotReady) -> Self {
        Self::NotReady(not_ready)
    }
}

struct Waiting<'a> {
    plan: &'a Plan,
    start: Instant,
    deadline: Instant,
    board: Arc<Board>,
    texts: Vec<Texts>,
    /// For each zone the slots of its addresses.
    zones: Vec<Vec<usize>>,
}

impl<'a> Waiting<'a> {
    fn start(plan: &'a Plan, start: Instant) -> Self {
        let deadline = start + plan.timeout;
        let mut servers: BTreeMap<Server, Vec<&Record>> = BTreeMap::new();
        for record in &plan.records {
            for server in &record.zone.servers {
                // Two names of one address are one server: the address is what is asked.
                let known = servers.keys().find(|known| known.address == server.address).cloned();
                servers.entry(known.unwrap_or_else(|| server.clone())).or_default().push(record);
            }
        }
        let asked: Vec<(Server, Vec<Texts>)> =
            servers.into_iter().map(|(server, records)| (server, group(&records, plan.confirmations))).collect();
        let slot = |(server, texts): &(Server, Vec<Texts>)| {
            let wanted: Vec<_> = texts.iter().map(|text| text.wanted).collect();
            let past = if plan.steady.contains(&server.address.ip()) { Past::Steady } else { Past::Unproven };
            let evidence = Evidence::new(&wanted, plan.confirmations, past);
            Slot { server: server.clone(), evidence, open: Vec::new() }
        };
        let board = Arc::new(Board::new(asked.iter().map(slot).collect()));
        let place = |server: &Server| asked.iter().position(|(other, _)| other.address == server.address);
        let slots = |record: &Record| -> Vec<usize> { record.zone.servers.iter().filter_map(place).collect() };
        let zones = distinct(plan.records.iter().map(slots));
        for (slot, (server, texts)) in asked.into_iter().enumerate() {
            let usual = plan.usual.iter().find(|(address, _)| *address == server.address.ip()).map(|(_, usual)| *usual);
            let poller = Poller {
                board: Arc::clone(&board),
                slot,
                server,
                texts: Arc::new(texts),
                pace: Arc::clone(&plan.lookup.pace),
                deadline,
            };
            // Without a thread the address stays unknown, blocks, and is named in the table.
            poller.start(Schedule::new(Instant::now(), plan.polling_interval, usual)).ok();
        }
        let all: Vec<_> = plan.records.iter().collect();
        Self { plan, start, deadline, board, texts: group(&all, plan.confirmations), zones }
    }

    fn run(&self, opinion: Opinion, changed: &mut dyn FnMut(&[Row])) -> Result<Ready, Stopped> {
        let mut shown = Vec::new();
        let mut elsewhere = None;
        let mut state = self.board.lock();
        loop {
            let now = Instant::now();
            let rows = self.rows(&state);
            if differs(&shown, &rows) {
                // A terminal that takes nothing holds up no poller.
                drop(state);
                changed(&rows);
                shown = rows;
                state = self.board.lock();
                continue;
            }
            if self.plan.interrupted.load(Ordering::Relaxed) {
                return Err(self.not_ready(rows, Cause::Interrupted, false).into());
            }
            if opinion == Opinion::Open && now >= self.start + second_opinion::AFTER && self.is_some_zone_lagging(&rows)
            {
                let answer = elsewhere.get_or_insert_with(|| second_opinion::ask(self.plan));
                if let Ok(records) = answer.try_recv() {
                    return Err(Stopped::Elsewhere(records));
                }
            }
            match self.verdict(&state, now) {
                Verdict::Ready => return Ok(self.ready(rows, Basis::Authoritative)),
                Verdict::NobodyToAsk { intercepted } => {
                    drop(state);
                    if let Some(ended) = self.second_hand(rows, intercepted) {
                        return Ok(ended?);
                    }
                    state = self.board.lock();
                }
                Verdict::NotYet if now >= self.deadline + LAST_LOOK || (now >= self.deadline && state.pollers == 0) => {
                    drop(state);
                    return Err(self.not_ready(rows, Cause::TimedOut, false).into());
                }
                Verdict::NotYet => {}
            }
            state = self.board.wait(state, now + TICK);
        }
    }

    /// Ready if all zones are; nobody to ask if that holds for one of them and no other blocks.
    fn verdict(&self, state: &State, now: Instant) -> Verdict {
        let mut overall = Verdict::Ready;
        for zone in &self.zones {
            match judge(zone.iter().map(|slot| &state.slots[*slot].evidence), now) {
                Verdict::Ready if zone.iter().any(|slot| is_awaited(&state.slots[*slot], now)) => {
                    return Verdict::NotYet;
                }
                Verdict::Ready => {}
                Verdict::NotYet => return Verdict::NotYet,
                Verdict::NobodyToAsk { intercepted } => {
                    let before = matches!(overall, Verdict::NobodyToAsk { intercepted: true });
                    overall = Verdict::NobodyToAsk { intercepted: intercepted || before };
                }
            }
        }
        overall
    }

    /// Asks resolvers instead; nothing once a name server gives an answer again.
    fn second_hand(&self, rows: Vec<Row>, intercepted: bool) -> Option<Result<Ready, NotReady>> {
        let trust = if intercepted { Trust::HttpsOnly } else { Trust::All };
        let until = self.deadline + LAST_LOOK;
        let asking = second_hand::Asking { lookup: &self.plan.lookup, texts: &self.texts, trust, until };
        let is_interrupted = || self.plan.interrupted.load(Ordering::Relaxed);
        let is_back = || !matches!(self.verdict(&self.board.lock(), Instant::now()), Verdict::NobodyToAsk { .. });
        let mut go_on = |most: Round| {
            // Where nobody ever answered nothing will come, and a pause that the user has allowed is as good as a failure.
            if most == Round::Nobody || (most == Round::Fails && self.plan.blind_wait.is_some()) {
                return false;
            }
            let end = self.deadline.min(Instant::now() + second_hand::PAUSE);
            while Instant::now() < end && !is_interrupted() && !is_back() {
                std::thread::sleep(TICK);
            }
            Instant::now() < self.deadline && !is_interrupted() && !is_back()
        };
        let outcome = second_hand::wait(&asking, &mut go_on);
        Some(match outcome {
            Ok(basis) => Ok(self.ready(rows, basis)),
            Err(_) if is_interrupted() => Err(self.not_ready(rows, Cause::Interrupted, intercepted)),
            Err(_) if is_back() => return None,
            Err(Round::Nobody | Round::Fails) => match self.plan.blind_wait {
                Some(pause) => self.blind(rows, pause),
                None => Err(self.not_ready(rows, Cause::NobodyAnswers, intercepted)),
            },
            Err(Round::Has | Round::Lacks) => Err(self.not_ready(rows, Cause::TimedOut, intercepted)),
        })
    }

    /// A pause in place of a check, as the user has allowed it.
    fn blind(&self, rows: Vec<Row>, pause: Duration) -> Result<Ready, NotReady> {
        while Instant::now() < self.start + pause {
            if self.plan.interrupted.load(Ordering::Relaxed) {
                return Err(self.not_ready(rows, Cause::Interrupted, false));
            }
            std::thread::sleep(TICK.min((self.start + pause).saturating_duration_since(Instant::now())));
        }
        Ok(self.ready(rows, Basis::Blind))
    }

    /// Whether all servers of some zone that can be asked lag.
    fn is_some_zone_lagging(&self, rows: &[Row]) -> bool {
        let answers = |slot: &usize| !matches!(rows[*slot].standing, Standing::NoRoute | Standing::Silent);
        self.zones.iter().any(|zone| {
            let mut answering = zone.iter().filter(|slot| answers(slot)).peekable();
            answering.peek().is_some() && answering.all(|slot| rows[*slot].standing == Standing::Lagging)
        })
    }

    fn ready(&self, rows: Vec<Row>, basis: Basis) -> Ready {
        Ready { waited: self.start.elapsed(), rows, basis, split: false }
    }

    fn not_ready(&self, rows: Vec<Row>, cause: Cause, intercepted: bool) -> NotReady {
        let names = self.texts.iter().map(|text| text.name.clone()).collect();
        // The last look comes after the time limit, which is what the user knows.
        let waited = self.start.elapsed().min(self.plan.timeout);
        let bogus = if cause == Cause::TimedOut { self.bogus() } else { Vec::new() };
        NotReady { names, cause, waited, rows, intercepted, bogus }
    }

    /// Looks, in the moment that is left, for what would come next after a server that lags: zones that a CA cannot
    /// validate.
    fn bogus(&self) -> Vec<DnsName> {
        let until = (self.deadline + LAST_LOOK).max(Instant::now() + LEAST_LOOK);
        let mut zones: Vec<&Zone> = self.plan.records.iter().map(|record| &record.zone).collect();
        zones.dedup();
        let refused =
            |zone: &&Zone| matches!(self.plan.lookup.signing(zone, until), Some(Signing::NoKeys | Signing::Refused));
        zones.into_iter().filter(refused).filter_map(|zone| zone.apex.clone()).collect()
    }

    fn rows(&self, state: &State) -> Vec<Row> {
        state.slots.iter().map(|slot| self.row(slot)).collect()
    }

    fn row(&self, slot: &Slot) -> Row {
        let evidence = &slot.evidence;
        let last = match evidence.last() {
            None | Some((_, Answer::Has)) => String::new(),
            Some((_, Answer::Lacks(text) | Answer::Lame { reason: text, .. })) => text.clone(),
            Some((_, Answer::Silent(error))) => error.to_string(),
        };
        Row {
            server: slot.server.clone(),
            standing: evidence.standing(),
            last,
            after: evidence.serving_since().map(|since| since.saturating_duration_since(self.start)),
            no_tcp: evidence.tcp_is_broken(),
            several: evidence.shows_several_back_ends(),
            is_steady: evidence.is_steady(),
        }
    }
}

/// Whether an answer is still coming that could take back what the address has said.
pub(super) fn is_awaited(slot: &Slot, now: Instant) -> bool {
    slot.evidence.standing() == Standing::Serving && slot.open.iter().any(|sent| now < *sent + LATE)
}

fn differs(old: &[Row], new: &[Row]) -> bool {
    old.len() != new.len() || old.iter().zip(new).any(|(old, new)| old.standing != new.standing)
}

/// Joins the values of one name: they are one TXT RRset, and one question shows them all.
///
/// Each zone has to be seen with its changes as many times as there are confirmations. Changes of a zone arrive in order, and
/// an address has room for five questions a second only: so its earlier names are looked at once, and count, and the last
/// name is looked at as often as is still missing.
fn group(records: &[&Record], confirmations: u32) -> Vec<Texts> {
    let mut texts: Vec<Texts> = Vec::new();
    let mut zones: Vec<&Zone> = Vec::new();
    let (new, found): (Vec<&Record>, Vec<&Record>) = records.iter().partition(|record| record.is_new);
    // What was there before this wait was added before what is new, wherever it stands in the order of the caller.
    for record in found.into_iter().chain(new) {
        // The name of the latest record stays last: it is asked for first.
        let earlier = texts.iter().position(|text| text.name == record.name).map(|place| texts.remove(place).values);
        let mut values = earlier.unwrap_or_default();
        if !values.contains(&record.value) {
            values.push(record.value.clone());
        }
        // By name, where it is known: two look-ups may have found different addresses of it.
        let is_same = |zone: &&&Zone| zone.apex == record.zone.apex && (zone.apex.is_some() || **zone == &record.zone);
        let zone = zones.iter().position(|zone| is_same(&zone)).unwrap_or_else(|| {
            zones.push(&record.zone);
            zones.len() - 1
        });
        let mut others = 0;
        for other in texts.iter_mut().filter(|other| other.wanted.zone == zone) {
            other.wanted.looks = 1;
            others += 1;
        }
        let wanted = Wanted { looks: confirmations.saturating_sub(others).max(1), zone, is_new: record.is_new };
        texts.push(Texts { name: record.name.clone(), values, wanted });
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::zone::FoundBy;

    fn record(name: &str, value: &str, apex: &str) -> Record {
        let zone = Zone::without_servers(DnsName::parse(apex).ok(), FoundBy::Settings);
        Record { name: DnsName::parse(name).unwrap(), value: TxtValue::parse(value).unwrap(), zone, is_new: true }
    }

    #[test]
    fn each_zone_is_confirmed_and_values_of_one_name_are_one_question() {
        let records = [
            record("a.one.example", "v1", "one.example"),
            record("b.two.example", "v2", "two.example"),
            record("c.one.example", "v3", "one.example"),
            record("a.one.example", "v4", "one.example"),
        ];
        let texts = group(&records.iter().collect::<Vec<_>>(), 3);
        let shown: Vec<_> =
            texts.iter().map(|text| (text.name.as_str(), text.values.len(), text.wanted.looks)).collect();
        assert_eq!(shown, [("b.two.example", 1, 3), ("c.one.example", 1, 1), ("a.one.example", 2, 2)]);
    }

    #[test]
    fn what_was_there_before_the_wait_comes_before_what_is_new() {
        let old = |name, value| Record { is_new: false, ..record(name, value, "one.example") };
        let records =
            [record("a.one.example", "v1", "one.example"), old("b.one.example", "v2"), old("a.one.example", "v3")];
        let texts = group(&records.iter().collect::<Vec<_>>(), 3);
        let shown: Vec<_> = texts.iter().map(|text| (text.name.as_str(), text.wanted.is_new)).collect();
        assert_eq!(shown, [("b.one.example", false), ("a.one.example", true)]);
    }
}
