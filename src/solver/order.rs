//! The records of an order that a client spreads over several calls (certbot's countdown): the last call waits for all of
//! them. They are in the journal; where it was lost, the account is asked for its records.

use std::collections::BTreeSet;
use std::time::Instant;

use super::Solver;
use super::locate::Placement;
use crate::api::{Domain, RecordType, RetryPolicy};
use crate::challenge::TxtValue;
use crate::dns::cname::Follow;
use crate::dns::zone::Zone;
use crate::error::{Context as _, Explain, Kind, Result};
use crate::name::DnsName;
use crate::order::Order;
use crate::propagation::Record;
use crate::state::{Entry, LEFT_OVER_AFTER, Progress};

/// A record that is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PendingRecord {
    record: OrderRecord,
    zone: Zone,
    /// When this call has added it, if it did.
    added: Option<Instant>,
}

/// A record of the order.
#[derive(Debug, Clone, PartialEq, Eq)]
struct OrderRecord {
    name: DnsName,
    value: TxtValue,
    /// The account domain that holds it.
    domain: DnsName,
}

impl PendingRecord {
    /// Nothing where the zone was not looked up.
    pub(super) fn of(placement: &Placement) -> Option<Self> {
        let zone = placement.zone.clone()?;
        let (name, value) = (placement.record.clone(), placement.challenge.value.clone());
        Some(Self {
            record: OrderRecord { name, value, domain: placement.spec.domain.clone() },
            zone,
            added: placement.added,
        })
    }

    pub(super) fn into_record(self) -> Record {
        Record {
            name: self.record.name,
            value: self.record.value,
            zone: self.zone,
            added: self.added,
            doubtful_until: None,
        }
    }
}

/// An earlier call of the same order has failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the record of `{name}` was not added by an earlier call of this order")]
pub struct OrderError {
    /// The name without its record.
    pub name: DnsName,
}

impl Explain for OrderError {
    fn kind(&self) -> Kind {
        Kind::EarlierCallFailed
    }

    fn hint(&self) -> Option<String> {
        Some(
            "see the message of the earlier call; the ACME client will fail for that name, try again afterwards"
                .to_owned(),
        )
    }
}

impl Solver<'_> {
    /// Returns all records of the order: the earlier ones first, those of this call last.
    pub(super) fn order_records(
        &self,
        order: &Order,
        mine: Vec<PendingRecord>,
        policy: &RetryPolicy,
    ) -> Result<Vec<PendingRecord>> {
        let mut all: Vec<PendingRecord> = Vec::new();
        for record in self.find_records(order, policy)? {
            let is_mine =
                |mine: &PendingRecord| (&mine.record.name, &mine.record.value) == (&record.name, &record.value);
            if mine.iter().any(is_mine) {
                continue;
            }
            // IPv64 serves an account domain as one zone: no look-up for each of a hundred names.
            let neighbour = mine.iter().chain(&all).find(|known| known.record.domain == record.domain);
            let zone = match neighbour {
                Some(neighbour) => neighbour.zone.clone(),
                None => self.place_by(Follow::Never, &record.name, policy)?.zone,
            };
            all.push(PendingRecord { record, zone, added: None });
        }
        all.extend(mine);
        Ok(all)
    }

    /// Returns the records of all calls of the order, by name.
    fn find_records(&self, order: &Order, policy: &RetryPolicy) -> Result<Vec<OrderRecord>> {
        let mut listed: Option<Vec<Domain>> = None;
        let mut all = Vec::new();
        for name in order.names.iter().collect::<BTreeSet<_>>() {
            let wanted = order.names.iter().filter(|other| *other == name).count();
            let mut journal = self.of_journal(name);
            // Only as many as the order has, the newest: older ones are left over from an earlier order.
            journal.drain(..journal.len().saturating_sub(wanted));
            if let Some(failed) = journal.iter().find(|entry| entry.progress == Progress::Intended) {
                return Err(OrderError { name: failed.name.clone() }.into());
            }
            // A CA may give apex and wildcard one token: two calls, one record.
            let asked: usize = journal.iter().map(|entry| 1 + usize::from(entry.was_open)).sum();
            if asked >= wanted {
                let record =
                    |entry: Entry| OrderRecord { name: entry.record, value: entry.value, domain: entry.domain };
                all.extend(journal.into_iter().map(record));
                continue;
            }
            // The journal of the earlier calls is lost: no state directory, or another one.
            let known = match listed.take() {
                Some(known) => known,
                None => self.client.domains(policy).context("cannot list the records of this order")?,
            };
            let found = self.of_account(name, &known, policy)?;
            listed = Some(known);
            if found.len() < wanted {
                return Err(OrderError { name: name.clone() }.into());
            }
            all.extend(found);
        }
        Ok(all)
    }

    fn of_journal(&self, name: &DnsName) -> Vec<Entry> {
        let recent = |entry: &Entry| self.state.age(entry.added_at) < LEFT_OVER_AFTER;
        let open = |entry: &Entry| !entry.is_being_removed();
        let entries = self.state.journal(|journal, _| journal.find(self.state.account(), name, None)).into_iter();
        entries.filter(|entry| open(entry) && recent(entry)).collect()
    }

    /// The TXT records that the account holds where the challenge's record belongs.
    fn of_account(&self, name: &DnsName, domains: &[Domain], policy: &RetryPolicy) -> Result<Vec<OrderRecord>> {
        let place = self.place_by(self.settings.follow_cname, name, policy)?;
        let target = place.target(name);
        let holds = |domain: &Domain, record: &crate::api::Record| {
            let full = DnsName::parse(&record.name_in(&domain.name)).ok();
            record.record_type == RecordType::TXT && full.as_ref() == Some(target)
        };
        let records = domains.iter().flat_map(|domain| domain.records.iter().map(move |record| (domain, record)));
        let record = records.filter(|(domain, record)| holds(domain, record)).filter_map(|(domain, record)| {
            let value = TxtValue::parse(record.content.trim_matches('"')).ok()?;
            Some(OrderRecord { name: target.clone(), value, domain: domain.name.clone() })
        });
        Ok(record.collect())
    }
}
