//! Where a challenge's record belongs: its name and zone by DNS, its domain by the account.

use std::time::{Duration, Instant};

use super::{Owner, Solver, Upstream};
use crate::account::{AccountError, holder};
use crate::api::{CallKind, RecordSpec, RecordType, RetryPolicy};
use crate::challenge::Challenge;
use crate::dns::cname::{Follow, Place, PlaceError};
use crate::dns::zone::Zone;
use crate::error::{Context as _, Error, Result};
use crate::name::DnsName;
use crate::order::Call;
use crate::state::Entry;
use crate::time::Waiting;

/// How long a process waits for the list that another one asks for, which takes a turn in the request window.
const ANOTHER_ASKS: Duration = Duration::from_secs(30);
/// The pause between two reads of the cache.
const CACHE_POLL: Duration = Duration::from_millis(100);
/// The pause before DNS is asked again where nobody answers, which grows twofold, and the longest one.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A record to be added, and what is known of its place.
#[derive(Debug, Clone)]
pub(super) struct Placement {
    pub(super) entry: Entry,
    pub(super) spec: RecordSpec,
    /// The zone of the record; none where nobody needs to know it.
    pub(super) zone: Option<Zone>,
    /// When this call has added it; none if it was there already.
    pub(super) added: Option<Instant>,
    pub(super) notes: Vec<String>,
}

/// Whether the list of domains may come from the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Domains {
    /// It may.
    Cached,
    /// It is asked for.
    Fresh,
}

impl Solver<'_> {
    /// Finds the place of a record; asks, changes nothing.
    pub(super) fn locate(
        &self,
        call: &Call,
        challenge: &Challenge,
        domains: Domains,
        policy: &RetryPolicy,
    ) -> Result<Placement> {
        self.check_interrupted()?;
        let follow = self.settings.follow_cname;
        if self.has_broker() && policy.reads_for == CallKind::Removal {
            // It removes by the name of the challenge and the value.
            return self.placed(call, challenge, (&challenge.name, &challenge.name), (None, Vec::new()));
        }
        // Where neither aliases nor propagation matter, DNS is not asked.
        let (record, zone, notes) = if follow == Follow::Never && self.settings.propagation_timeout.is_zero() {
            (challenge.name.clone(), None, Vec::new())
        } else {
            let place = match self.owner.and_then(Owner::fresh_place) {
                Some(place) => place.clone(),
                None => self.place_by(follow, &challenge.name, policy)?,
            };
            (place.target(&challenge.name).clone(), Some(place.zone), place.notes)
        };
        if record != challenge.name {
            self.events.step(&format!("`{}` is an alias: the record belongs at `{record}`", challenge.name));
        }
        if let Some(owner) = self.owner {
            (owner.allowed)(challenge, &record)?;
        }
        let apex = zone.as_ref().and_then(|zone| zone.apex.as_ref());
        // What was noted on the way may be the reason.
        let tell = |_: &Error| notes.iter().for_each(|note| self.events.warning(note));
        let domain = self.domain_of((&record, apex), domains, policy).inspect_err(tell)?;
        self.placed(call, challenge, (&domain, &record), (zone, notes))
    }

    fn placed(
        &self,
        call: &Call,
        challenge: &Challenge,
        (domain, record): (&DnsName, &DnsName),
        (zone, notes): (Option<Zone>, Vec<String>),
    ) -> Result<Placement> {
        let mut entry = Entry::new(self.state.account(), call.client, challenge, (domain, record));
        entry.owner = self.owner.map(|owner| owner.name.to_owned());
        let not_below = || AccountError::NotBelow { name: record.clone(), domain: domain.clone() };
        let spec = spec_of(&entry).ok_or_else(not_below)?;
        Ok(Placement { entry, spec, zone, added: None, notes })
    }

    /// Asks DNS where a name belongs. Before an addition a network that is not up yet (a timer at boot, a line that is dialled
    /// again) is waited for until the time limit.
    pub(super) fn place_by(&self, follow: Follow, name: &DnsName, policy: &RetryPolicy) -> Result<Place> {
        let since = Instant::now();
        let patience = self.owner.map_or(self.settings.propagation_timeout, |owner| owner.patience);
        let (is_addition, limit) = (policy.reads_for == CallKind::Addition, policy.deadline.min(since + patience));
        let mut deadline = if self.owner.is_some() { limit } else { policy.deadline };
        let mut pause = PAUSE;
        loop {
            let error = match self.lookup.place(name, follow, deadline) {
                Ok(place) => return Ok(place),
                Err(error) => error,
            };
            // The user has allowed to go on blindly where nobody can be asked.
            if self.settings.blind_wait.is_some() && matches!(error, PlaceError::NoAnswer { .. }) {
                return Ok(Place::unknown(name));
            }
            let again = Instant::now() + pause;
            if !(is_addition && error.is_passing() && again < limit) {
                return Err(error).with_context(|| format!("cannot find out where the record of `{name}` belongs"));
            }
            let what = format!("DNS, in case the network is not up yet: {error}");
            (self.pause)(&Waiting { what, since, limit: limit.saturating_duration_since(since) }, pause)?;
            (deadline, pause) = (limit, (2 * pause).min(LONGEST_PAUSE));
        }
    }

    /// Returns the cached list. Where there is none and another process is asking, its answer is waited for.
    fn known_domains(&self) -> Option<Vec<DnsName>> {
        let what = "the list of domains, which another hook is reading".to_owned();
        let waiting = Waiting { what, since: Instant::now(), limit: ANOTHER_ASKS };
        while waiting.since.elapsed() < waiting.limit {
            let (names, is_mine) = self.state.usage(|usage, now| {
                let names = usage.domains.names(now);
                let is_mine = names.is_none() && usage.domains.claim(now);
                (names, is_mine)
            });
            if names.is_some() || is_mine {
                return names;
            }
            if (self.pause)(&waiting, CACHE_POLL).is_err() {
                break;
            }
        }
        None
    }

    /// Finds the account domain that holds a name: the setting, the cache, the account.
    ///
    /// # Errors
    /// [`AccountError`] if there is none, or that of the API.
    pub fn domain_of(
        &self,
        (record, apex): (&DnsName, Option<&DnsName>),
        domains: Domains,
        policy: &RetryPolicy,
    ) -> Result<DnsName> {
        let Upstream::Api(client) = self.upstream else {
            // A broker knows, and says; IPv64 serves a domain as one zone.
            return Ok(apex.filter(|apex| record.is_within(apex)).unwrap_or(record).clone());
        };
        if let Some(domain) = &self.settings.domain {
            if record.is_within(domain) {
                return Ok(domain.clone());
            }
            return Err(AccountError::NotBelow { name: record.clone(), domain: domain.clone() }.into());
        }
        let cached = if domains == Domains::Cached { self.known_domains() } else { None };
        let is_missing = |apex| self.state.usage(|usage, now| usage.domains.is_missing(apex, now));
        // A zone cut below a cached domain: the account may have got a longer one since.
        let is_cut =
            |domain: &DnsName| apex.is_some_and(|apex| apex != domain && apex.is_within(domain) && !is_missing(apex));
        let held = cached.as_ref().and_then(|cached| holder(cached, record));
        if let Some(domain) = held.filter(|domain| !is_cut(domain)) {
            return Ok(domain.clone());
        }
        let is_broker = self.owner.is_some();
        if held.is_none() && is_broker && self.state.usage(|usage, now| usage.domains.is_complete(now)) {
            return Err(AccountError::NoDomain { name: record.clone(), domains: cached.unwrap_or_default() }.into());
        }
        let listed = client.domains(policy).inspect_err(|_| self.state.usage(|usage, _| usage.domains.give_up()));
        let listed = listed.context("cannot list the domains of the account")?;
        let names: Vec<_> = listed.into_iter().map(|domain| domain.name).collect();
        let missing: Vec<_> = apex.into_iter().filter(|apex| !names.contains(apex)).collect();
        self.state.usage(|usage, now| usage.domains.remember(&names, &missing, now));
        let held = holder(&names, record).cloned();
        held.ok_or_else(|| AccountError::NoDomain { name: record.clone(), domains: names }.into())
    }
}

/// Returns the record of an entry; nothing if its domain does not hold it, as in a journal that was edited.
pub(super) fn spec_of(entry: &Entry) -> Option<RecordSpec> {
    RecordSpec::within(&entry.domain, &entry.record, RecordType::TXT, entry.value.as_str())
}
