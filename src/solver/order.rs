//! The records of an order that a client spreads over several calls (certbot's countdown): the last call waits for all of
//! them. They are in the journal; where it was lost, the account is asked for its records.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::locate::Placement;
use super::remove::STILL_SHOWN;
use super::{Solver, Upstream};
use crate::api::{Domain, RecordType, RetryPolicy};
use crate::challenge::{Challenge, TxtValue};
use crate::dns::cname::Follow;
use crate::dns::zone::Zone;
use crate::error::{Context as _, Explain, Kind, Result};
use crate::name::DnsName;
use crate::order::Order;
use crate::propagation::Record;
use crate::state::{Entry, LEFT_OVER_AFTER, Progress};

/// An earlier call of the same order has failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} by an earlier call of this order", if *is_unknown { format!("the journal has no record of `{name}`") } else { format!("the record of `{name}` was not added") })]
pub struct OrderError {
    /// The name without its record.
    pub name: DnsName,
    /// Whether only the journal could have told, and does not.
    pub is_unknown: bool,
}

impl Explain for OrderError {
    fn kind(&self) -> Kind {
        Kind::EarlierCallFailed
    }

    fn hint(&self) -> Option<String> {
        if self.is_unknown {
            let hint =
                "a client that works in several calls needs a journal: set IPV64_STATE_DIR, the same for all of them";
            return Some(hint.to_owned());
        }
        Some(
            "see the message of the earlier call; the ACME client will fail for that name, try again afterwards"
                .to_owned(),
        )
    }
}

impl Solver<'_> {
    /// Returns all records of the order: the earlier ones first, those of this call last.
    pub(super) fn order_records(&self, order: &Order, mine: &[Placement], policy: &RetryPolicy) -> Result<Vec<Record>> {
        let mut records = Vec::new();
        // IPv64 serves an account domain as one zone: no look-up for each of a hundred names.
        let zone_of = |placement: &Placement| Some((placement.entry.domain.clone(), placement.zone.clone()?));
        let mut zones: BTreeMap<DnsName, Zone> = mine.iter().filter_map(zone_of).collect();
        for entry in self.find_records(order, policy)? {
            let is_it = |mine: &Placement| (&mine.entry.record, &mine.entry.value) == (&entry.record, &entry.value);
            if mine.iter().any(is_it) {
                continue;
            }
            let zone = match zones.get(&entry.domain) {
                Some(zone) => zone.clone(),
                None => self.place_by(Follow::Never, &entry.record, policy)?.zone,
            };
            zones.insert(entry.domain.clone(), zone.clone());
            records.push(self.awaited(&entry, zone, None));
        }
        records.extend(self.own_records(mine));
        Ok(records)
    }

    /// Returns the records of a call, but for those whose zone was not looked up.
    pub(super) fn own_records(&self, mine: &[Placement]) -> Vec<Record> {
        mine.iter().filter_map(|one| Some(self.awaited(&one.entry, one.zone.clone()?, one.added))).collect()
    }

    /// Tells the wait also of an equal record that was removed a moment ago, and that name servers may still show.
    fn awaited(&self, entry: &Entry, zone: Zone, added: Option<Instant>) -> Record {
        let (name, value) = (entry.record.clone(), entry.value.clone());
        let removed_at = self.state.journal(|journal, now| journal.removed_at(&name, &value, now));
        let left = removed_at.and_then(|at| STILL_SHOWN.checked_sub(self.state.age(at)));
        if let Some(left) = left {
            let seconds = left.as_secs_f64();
            self.events.step(&format!(
                "`{name}`: an equal record was removed a moment ago, and may still be served for {seconds:.0} s"
            ));
        }
        Record { name, value, zone, added, doubtful_until: left.map(|left| Instant::now() + left) }
    }

    /// Returns the records of all calls of the order, by name.
    fn find_records(&self, order: &Order, policy: &RetryPolicy) -> Result<Vec<Entry>> {
        let mut listed: Option<Vec<Domain>> = None;
        let mut all = Vec::new();
        for name in order.names.iter().collect::<BTreeSet<_>>() {
            let wanted = order.names.iter().filter(|other| *other == name).count();
            let mut journal = self.of_journal(name);
            // Only as many as the order has, the newest: older ones are left over from an earlier order.
            journal.drain(..journal.len().saturating_sub(wanted));
            if let Some(failed) = journal.iter().find(|entry| entry.progress == Progress::Intended) {
                return Err(OrderError { name: failed.name.clone(), is_unknown: false }.into());
            }
            // A CA may give apex and wildcard one token: two calls, one record.
            let asked: usize = journal.iter().map(|entry| 1 + usize::from(entry.was_open)).sum();
            if asked >= wanted {
                all.extend(journal);
                continue;
            }
            // The journal of the earlier calls is lost: no state directory, or another one.
            let known = match listed.take() {
                Some(known) => known,
                None => self.listed(name, policy)?,
            };
            let found = self.of_account(name, &known, policy)?;
            listed = Some(known);
            if found.len() < wanted {
                return Err(OrderError { name: name.clone(), is_unknown: false }.into());
            }
            all.extend(found);
        }
        Ok(all)
    }

    /// Lists the records of the account; a broker does not tell them.
    fn listed(&self, name: &DnsName, policy: &RetryPolicy) -> Result<Vec<Domain>> {
        match self.upstream {
            Upstream::Api(client) => client.domains(policy).context("cannot list the records of this order"),
            Upstream::Broker(_) => Err(OrderError { name: name.clone(), is_unknown: true }.into()),
        }
    }

    fn of_journal(&self, name: &DnsName) -> Vec<Entry> {
        let mut entries = self.state.journal(|journal, _| journal.find(self.state.account(), name, None));
        entries.retain(|entry| !entry.is_being_removed() && self.state.age(entry.added_at) < LEFT_OVER_AFTER);
        entries
    }

    /// The TXT records that the account holds where the challenge's record belongs, as the journal would have them.
    fn of_account(&self, name: &DnsName, domains: &[Domain], policy: &RetryPolicy) -> Result<Vec<Entry>> {
        let place = self.place_by(self.settings.follow_cname, name, policy)?;
        let target = place.target(name);
        let mut found = Vec::new();
        for domain in domains {
            for record in domain.records.iter().filter(|record| record.record_type == RecordType::TXT) {
                let is_it = DnsName::parse(&record.name_in(&domain.name)).is_ok_and(|full| full == *target);
                let value = TxtValue::parse(record.content.trim_matches('"')).ok();
                if let Some(value) = value.filter(|_| is_it) {
                    let challenge = Challenge { name: name.clone(), value };
                    found.push(Entry::new(self.state.account(), "", &challenge, (&domain.name, target)));
                }
            }
        }
        Ok(found)
    }
}
