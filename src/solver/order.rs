//! The records of an order that a client spreads over several calls (certbot's countdown): the last call waits for all of
//! them. They stand in the journal; where it was lost, the account is asked what it holds.

use anyhow::Context as _;

use super::Solver;
use super::locate::Located;
use crate::api::{CallKind, Domain, RecordType};
use crate::challenge::TxtValue;
use crate::dns::zone::Zone;
use crate::exit::{Exit, Explain};
use crate::hook::Order;
use crate::name::DnsName;
use crate::propagation::Record;
use crate::state::{Entry, LEFT_OVER_AFTER, Progress};

/// A record that is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Awaited {
    name: DnsName,
    value: TxtValue,
    zone: Zone,
}

impl Awaited {
    /// Nothing where the zone was not looked up.
    pub(super) fn from_located(located: &Located) -> Option<Self> {
        let zone = located.zone.clone()?;
        Some(Self { name: located.record.clone(), value: located.challenge.value.clone(), zone })
    }

    pub(super) fn into_record(self) -> Record {
        Record { name: self.name, value: self.value, zone: self.zone }
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
    fn exit(&self) -> Exit {
        Exit::Failed
    }

    fn kind(&self) -> &'static str {
        "earlier_call_failed"
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
    pub(super) fn of_order(&self, order: &Order, mine: Vec<Awaited>) -> anyhow::Result<Vec<Awaited>> {
        let mut names = order.names.clone();
        names.sort();
        names.dedup();
        let wanted = |name: &DnsName| order.names.iter().filter(|other| *other == name).count();
        let mut listed: Option<Vec<Domain>> = None;
        let mut all = Vec::new();
        for name in &names {
            let mut journal = self.of_journal(name);
            // What stands before the newest ones is left over from an earlier order, whose fate is not ours.
            journal.drain(..journal.len().saturating_sub(wanted(name)));
            if let Some(failed) = journal.iter().find(|entry| entry.progress == Progress::Intended) {
                return Err(OrderError { name: failed.name.clone() }.into());
            }
            let found = if journal.len() >= wanted(name) {
                journal.into_iter().map(|entry| (entry.record, entry.value)).collect()
            } else {
                // The journal of the earlier calls is lost: no state directory, or another one.
                let known = match listed.take() {
                    Some(known) => known,
                    None => self
                        .client
                        .domains(&self.policy().reading_for(CallKind::Addition))
                        .context("cannot list the records of this order")?,
                };
                let found = self.of_account(name, &known)?;
                listed = Some(known);
                if found.len() < wanted(name) {
                    return Err(OrderError { name: name.clone() }.into());
                }
                found
            };
            for (record, value) in found {
                if !mine.iter().any(|mine| mine.name == record && mine.value == value) {
                    let zone = self.lookup.place(&record, crate::dns::cname::Follow::Never, self.budget())?.zone;
                    all.push(Awaited { name: record, value, zone });
                }
            }
        }
        all.extend(mine);
        Ok(all)
    }

    fn of_journal(&self, name: &DnsName) -> Vec<Entry> {
        let recent = |entry: &Entry| self.state.age(entry.added_at) < LEFT_OVER_AFTER;
        let open = |entry: &Entry| !matches!(entry.progress, Progress::RemoveAsked { .. });
        let entries = self.state.journal().find(name, None).into_iter();
        entries.filter(|entry| entry.account == self.account && open(entry) && recent(entry)).collect()
    }

    /// The TXT records that the account holds where the challenge's record belongs.
    fn of_account(&self, name: &DnsName, domains: &[Domain]) -> anyhow::Result<Vec<(DnsName, TxtValue)>> {
        let place = self.lookup.place(name, self.settings.follow_cname, self.budget())?;
        let target = place.target(name);
        let records = domains.iter().flat_map(|domain| {
            let holds = |record: &&crate::api::Record| {
                let full = DnsName::parse(&record.name_in(&domain.name)).ok();
                record.record_type == RecordType::Txt && full.as_ref() == Some(target)
            };
            domain.records.iter().filter(holds)
        });
        let values = records.filter_map(|record| TxtValue::parse(record.content.trim_matches('"')).ok());
        Ok(values.map(|value| (target.clone(), value)).collect())
    }
}
