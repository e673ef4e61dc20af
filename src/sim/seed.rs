//! What is in the store before the first call.

use super::{
    Config, SimError, StaticRecord,
    store::{Holdings, Life, NewRecord, StoredDomain},
};
use crate::name::DnsName;

/// Puts the configured domains and records into the store.
pub(super) fn fill(holdings: &mut Holdings, config: &Config) -> Result<(), SimError> {
    for (number, account) in config.accounts.iter().enumerate() {
        for name in &account.domains {
            let name = DnsName::parse(name).map_err(|error| SimError::Config(error.to_string()))?;
            let deactivated = config.deactivated.iter().any(|off| off == name.as_str());
            holdings.domains.push(StoredDomain { deactivated, ..StoredDomain::new(name, number, Life::default()) });
        }
        for record in &account.records {
            let new = seeded(holdings, number, record).ok_or_else(|| {
                SimError::Config(format!("no domain holds the record `{}`", record.name.escape_debug()))
            })?;
            let malformed = |_| SimError::Config(format!("the record `{}` is malformed", record.name.escape_debug()));
            holdings.insert(&new, Life::default()).map_err(malformed)?;
        }
    }
    Ok(())
}

fn seeded(holdings: &Holdings, account: usize, record: &StaticRecord) -> Option<NewRecord> {
    let name = DnsName::parse(&record.name).ok()?;
    let holds = |domain: &&StoredDomain| name.is_within(&domain.name);
    let domain = holdings.domains_of(account).filter(holds).max_by_key(|domain| domain.name.as_str().len())?;
    Some(NewRecord {
        domain: domain.name.clone(),
        prefix: name.prefix_below(&domain.name)?.to_owned(),
        kind: record.kind.clone(),
        content: record.content.clone(),
    })
}
