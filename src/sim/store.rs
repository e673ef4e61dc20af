//! The one store behind the API and the name servers: accounts, their domains, and every record that ever was.
//! Who may change it is decided in [`super::api`]; what a name server shows of it, in [`super::hierarchy`].

use std::{
    sync::{Mutex, MutexGuard},
    time::Instant,
};

use hickory_resolver::proto::rr::{Name, RData, Record};

use super::{
    content,
    names::{host, is_provider_name},
    threads::hold,
};
use crate::name::DnsName;
use crate::time::SystemClock;

/// The TTL of every record ("observed": all records have 60).
pub(super) const RECORD_TTL: u32 = 60;

/// From when to when something is there. Without a start it was there before the simulation began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Life {
    /// When the API took it; nothing if it was configured.
    pub added: Option<Instant>,
    /// When the API gave it up; nothing while it is there.
    pub deleted: Option<Instant>,
}

impl Life {
    fn starting_now() -> Self {
        Self { added: Some(Instant::now()), deleted: None }
    }

    /// Whether it is there for a server whose copy is from `as_of`; without a time, from before the start.
    pub(super) fn is_seen(&self, as_of: Option<Instant>) -> bool {
        let born = self.added.is_none_or(|added| as_of.is_some_and(|now| added <= now));
        let dead = self.deleted.is_some_and(|deleted| as_of.is_some_and(|now| deleted <= now));
        born && !dead
    }

    /// How many changes a server has seen of it whose copy is from `as_of`.
    pub(super) fn changes_until(&self, as_of: Option<Instant>) -> u32 {
        let seen = |change: &&Instant| as_of.is_some_and(|now| **change <= now);
        let changes = [&self.added, &self.deleted].into_iter().flatten().filter(seen).count();
        u32::try_from(changes).unwrap_or_default()
    }

    /// Whether it is in the store.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.deleted.is_none()
    }
}

/// One record, with the times of its value.
#[derive(Debug, Clone)]
pub struct StoredRecord {
    /// The number that the API gives it.
    pub id: u64,
    /// The account domain that holds it.
    pub domain: DnsName,
    /// What comes before the domain; empty for the domain itself.
    pub prefix: String,
    /// The record type in upper case.
    pub kind: String,
    /// The content as the API took it.
    pub content: String,
    /// When it was added and deleted.
    pub life: Life,
    pub(super) changed: String,
    owner: Name,
    data: RData,
}

impl StoredRecord {
    /// The full name of the record, in lower case without a final dot.
    #[must_use]
    pub fn name(&self) -> String {
        self.owner.to_ascii().trim_end_matches('.').to_owned()
    }

    pub(super) fn owner(&self) -> &Name {
        &self.owner
    }

    pub(super) fn to_dns(&self) -> Record {
        Record::from_rdata(self.owner.clone(), RECORD_TTL, self.data.clone())
    }

    fn is(&self, wanted: &NewRecord) -> bool {
        self.life.is_open()
            && self.domain == wanted.domain
            && self.prefix == wanted.prefix
            && self.kind == wanted.kind
            && content::parse(&wanted.kind, &wanted.content).is_some_and(|data| data == self.data)
    }
}

/// One domain of an account.
#[derive(Debug, Clone)]
pub(super) struct StoredDomain {
    pub(super) name: DnsName,
    pub(super) account: usize,
    pub(super) wildcard: bool,
    pub(super) deactivated: bool,
    pub(super) life: Life,
}

impl StoredDomain {
    /// A domain as the provider sets it up. That provider names have their wildcard on at first is a guess.
    pub(super) fn new(name: DnsName, account: usize, life: Life) -> Self {
        Self { wildcard: is_provider_name(&name), deactivated: false, name, account, life }
    }
}

/// A record as a call describes it.
#[derive(Debug, Clone)]
pub(super) struct NewRecord {
    pub(super) domain: DnsName,
    pub(super) prefix: String,
    pub(super) kind: String,
    pub(super) content: String,
}

/// Why the store does not do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Name, type or content are not acceptable, or the domain is not the account's.
    Invalid,
    /// The same record is there already.
    Duplicate,
    /// No such record or domain, or not the account's.
    Missing,
}

/// One line of an account's log.
#[derive(Debug, Clone)]
pub(super) struct LogLine {
    pub(super) account: usize,
    pub(super) subdomain: String,
    pub(super) time: String,
    pub(super) header: &'static str,
    pub(super) content: String,
}

/// What the store holds; reached by [`Store::hold`].
#[derive(Debug, Default)]
pub(super) struct Holdings {
    pub(super) domains: Vec<StoredDomain>,
    pub(super) records: Vec<StoredRecord>,
    pub(super) lines: Vec<LogLine>,
}

/// The store, shared by all servers of a simulation.
#[derive(Debug, Default)]
pub(super) struct Store {
    holdings: Mutex<Holdings>,
}

impl Store {
    pub(super) fn hold(&self) -> MutexGuard<'_, Holdings> {
        hold(&self.holdings)
    }
}

impl Holdings {
    /// The standing domains of an account.
    pub(super) fn domains_of(&self, account: usize) -> impl Iterator<Item = &StoredDomain> {
        self.domains.iter().filter(move |domain| domain.account == account && domain.life.is_open())
    }

    /// The standing records of a domain.
    pub(super) fn records_of<'a>(&'a self, domain: &'a DnsName) -> impl Iterator<Item = &'a StoredRecord> {
        self.records.iter().filter(move |record| record.life.is_open() && record.domain == *domain)
    }

    /// Adds a domain to an account; whether it is one that the provider takes is the caller's question.
    pub(super) fn add_domain(&mut self, account: usize, name: DnsName) -> Result<(), Refusal> {
        if self.domains.iter().any(|domain| domain.life.is_open() && domain.name == name) {
            return Err(Refusal::Duplicate);
        }
        self.log(account, &name, "Domain angelegt", String::new());
        self.domains.push(StoredDomain::new(name, account, Life::starting_now()));
        Ok(())
    }

    /// Deletes a domain and all its records.
    pub(super) fn delete_domain(&mut self, account: usize, name: &DnsName) -> Result<(), Refusal> {
        let now = Some(Instant::now());
        let domain = self
            .domains
            .iter_mut()
            .find(|domain| domain.life.is_open() && domain.account == account && domain.name == *name)
            .ok_or(Refusal::Missing)?;
        domain.life.deleted = now;
        for record in self.records.iter_mut().filter(|record| record.life.is_open() && record.domain == *name) {
            record.life.deleted = now;
        }
        self.log(account, name, "Domain gelöscht", String::new());
        Ok(())
    }

    /// Adds a record to a domain of the account.
    pub(super) fn add_record(&mut self, account: usize, new: &NewRecord) -> Result<(), Refusal> {
        if !self.domains_of(account).any(|domain| domain.name == new.domain) {
            return Err(Refusal::Invalid);
        }
        if self.records.iter().any(|record| record.is(new)) {
            return Err(Refusal::Duplicate);
        }
        self.insert(new, Life::starting_now())?;
        self.log(account, &new.domain, "DNS Record angelegt", describe(new));
        Ok(())
    }

    /// Puts a record in that has no owner to ask.
    pub(super) fn insert(&mut self, new: &NewRecord, life: Life) -> Result<(), Refusal> {
        let data = content::parse(&new.kind, &new.content).ok_or(Refusal::Invalid)?;
        let owner = owner(new).ok_or(Refusal::Invalid)?;
        self.records.push(StoredRecord {
            id: 4_100_001 + self.records.len() as u64,
            domain: new.domain.clone(),
            prefix: new.prefix.clone(),
            kind: new.kind.clone(),
            content: new.content.clone(),
            life,
            changed: SystemClock::now().provider(),
            owner,
            data,
        });
        Ok(())
    }

    /// Deletes the record that a call describes.
    pub(super) fn delete_record(&mut self, account: usize, wanted: &NewRecord) -> Result<(), Refusal> {
        if !self.domains_of(account).any(|domain| domain.name == wanted.domain) {
            return Err(Refusal::Missing);
        }
        let record = self.records.iter_mut().find(|record| record.is(wanted)).ok_or(Refusal::Missing)?;
        record.life.deleted = Some(Instant::now());
        self.log(account, &wanted.domain, "DNS Record gelöscht", describe(wanted));
        Ok(())
    }

    /// Deletes a record by its number.
    pub(super) fn delete_record_id(&mut self, account: usize, id: u64) -> Result<(), Refusal> {
        let own: Vec<_> = self.domains_of(account).map(|domain| domain.name.clone()).collect();
        let record = self
            .records
            .iter_mut()
            .find(|record| record.id == id && record.life.is_open() && own.contains(&record.domain))
            .ok_or(Refusal::Missing)?;
        record.life.deleted = Some(Instant::now());
        let (domain, text) = (record.domain.clone(), format!("{} {}", record.kind, record.content));
        self.log(account, &domain, "DNS Record gelöscht", text);
        Ok(())
    }

    fn log(&mut self, account: usize, domain: &DnsName, header: &'static str, content: String) {
        self.lines.push(LogLine {
            account,
            subdomain: domain.to_string(),
            time: SystemClock::now().provider(),
            header,
            content,
        });
    }
}

fn owner(new: &NewRecord) -> Option<Name> {
    let text = if new.prefix.is_empty() { new.domain.to_string() } else { format!("{}.{}", new.prefix, new.domain) };
    // The room's own names refuse what no zone can hold, such as empty labels.
    host(DnsName::parse(&text).ok()?.as_str())
}

fn describe(record: &NewRecord) -> String {
    format!("{}.{} {} {}", record.prefix, record.domain, record.kind, record.content)
}
