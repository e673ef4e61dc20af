//! The fields of answers, in IPv64's spelling, and the models made of them.

use serde::Deserialize;

use super::Call;
use crate::api::RecordType;
use crate::api::lenient::{Pairs, Scalar};
use crate::api::models::{Account, AccountClass, Domain, Hidden, LogEntry, Record};
use crate::name::DnsName;

/// The part that all answers share.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(in crate::api) struct Envelope {
    info: Scalar,
    status: Scalar,
    add_domain: Scalar,
    del_domain: Scalar,
    add_record: Scalar,
    del_record: Scalar,
}

impl Envelope {
    /// Reads it from a body; nothing if the body is no answer of this API.
    pub(in crate::api) fn parse(body: &[u8]) -> Option<Self> {
        let envelope: Self = serde_json::from_slice(body).ok()?;
        (envelope.info.0.is_some() || envelope.status.0.is_some()).then_some(envelope)
    }

    pub(in crate::api) fn is_success(&self) -> bool {
        self.info.0.as_deref() == Some("success")
    }

    /// The code at the start of `status` (`"201 Created"`).
    pub(in crate::api) fn code(&self) -> Option<u16> {
        let status = self.status.0.as_deref()?;
        status.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    }

    /// The value of the key that is named after a call that changes something: a message, if the call failed.
    pub(in crate::api) fn answer_to(&self, call: &Call<'_>) -> Option<&str> {
        let field = match call {
            Call::Account | Call::Logs | Call::Domains => return None,
            Call::AddDomain(_) => &self.add_domain,
            Call::DeleteDomain(_) => &self.del_domain,
            Call::AddRecord(_) => &self.add_record,
            Call::DeleteRecord(_) | Call::DeleteRecordById(_) => &self.del_record,
        };
        field.0.as_deref()
    }

    pub(in crate::api) fn info(&self) -> Option<&str> {
        self.info.0.as_deref()
    }

    pub(in crate::api) fn status(&self) -> Option<&str> {
        self.status.0.as_deref()
    }
}

pub(in crate::api) fn account(body: &[u8]) -> Result<Account, serde_json::Error> {
    serde_json::from_slice::<WireAccount>(body).map(Account::from)
}

pub(in crate::api) fn logs(body: &[u8]) -> Result<Vec<LogEntry>, serde_json::Error> {
    let answer: WireLogs = serde_json::from_slice(body)?;
    Ok(answer.logs.0.into_iter().map(|(_, entry)| entry.into()).collect())
}

/// Reads the domains; an entry whose key is no domain name is left out, for no call could name it.
pub(in crate::api) fn domains(body: &[u8]) -> Result<Vec<Domain>, serde_json::Error> {
    let answer: WireDomains = serde_json::from_slice(body)?;
    Ok(answer.subdomains.0.into_iter().filter_map(|(name, domain)| domain.named(&name)).collect())
}

#[derive(Deserialize)]
struct WireDomains {
    subdomains: Pairs<WireDomain>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireDomain {
    updates: Scalar,
    wildcard: Scalar,
    domain_update_hash: Scalar,
    ipv6prefix: Scalar,
    dualstack: Scalar,
    deactivated: Scalar,
    records: Pairs<WireRecord>,
}

impl WireDomain {
    fn named(self, name: &str) -> Option<Domain> {
        Some(Domain {
            name: DnsName::parse(name).ok()?,
            updates: self.updates.number(),
            wildcard: self.wildcard.flag(),
            update_hash: self.domain_update_hash.text().map(Hidden::new),
            ipv6_prefix: self.ipv6prefix.text().filter(|prefix| !prefix.is_empty()),
            dualstack: self.dualstack.flag(),
            deactivated: self.deactivated.flag(),
            records: self.records.0.into_iter().map(|(_, record)| record.into()).collect(),
        })
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireRecord {
    record_id: Scalar,
    content: Scalar,
    ttl: Scalar,
    r#type: Scalar,
    praefix: Scalar,
    last_update: Scalar,
    record_key: Scalar,
    failover_policy: Scalar,
    deactivated: Scalar,
}

impl From<WireRecord> for Record {
    fn from(wire: WireRecord) -> Self {
        Self {
            id: wire.record_id.number(),
            prefix: wire.praefix.text().unwrap_or_default(),
            record_type: RecordType::from_name(&wire.r#type.text().unwrap_or_default()),
            content: wire.content.text().unwrap_or_default(),
            ttl: wire.ttl.number(),
            last_update: wire.last_update.text(),
            key: wire.record_key.text().map(Hidden::new),
            failover_policy: wire.failover_policy.text(),
            deactivated: wire.deactivated.flag(),
        }
    }
}

#[derive(Deserialize)]
struct WireLogs {
    logs: Pairs<WireLog>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireLog {
    subdomain: Scalar,
    time: Scalar,
    header: Scalar,
    content: Scalar,
}

impl From<WireLog> for LogEntry {
    fn from(wire: WireLog) -> Self {
        Self {
            subdomain: wire.subdomain.text().unwrap_or_default(),
            time: wire.time.text().unwrap_or_default(),
            header: wire.header.text().unwrap_or_default(),
            content: wire.content.text().unwrap_or_default(),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireAccount {
    email: Scalar,
    reg_date: Scalar,
    update_hash: Scalar,
    api_key: Scalar,
    dyndns_updates: Scalar,
    api_updates: Scalar,
    account_class: Option<WireClass>,
    account_status: Scalar,
    dyndns_subdomains: Scalar,
    owndomains: Scalar,
    healthchecks: Scalar,
    healthchecks_updates: Scalar,
    sms_count: Scalar,
}

impl From<WireAccount> for Account {
    fn from(wire: WireAccount) -> Self {
        Self {
            email: wire.email.text().map(Hidden::new),
            registered: wire.reg_date.text(),
            update_hash: wire.update_hash.text().map(Hidden::new),
            api_key: wire.api_key.text().map(Hidden::new),
            dyndns_updates: wire.dyndns_updates.number(),
            api_updates: wire.api_updates.number(),
            class: wire.account_class.unwrap_or_default().into(),
            status: wire.account_status.number(),
            dyndns_subdomains: wire.dyndns_subdomains.number(),
            own_domains: wire.owndomains.number(),
            health_checks: wire.healthchecks.number(),
            health_check_updates: wire.healthchecks_updates.number(),
            sms_count: wire.sms_count.number(),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct WireClass {
    class_name: Scalar,
    dyndns_domain_limit: Scalar,
    dyndns_update_limit: Scalar,
    api_limit: Scalar,
    owndomain_limit: Scalar,
    healthcheck_limit: Scalar,
    healthcheck_update_limit: Scalar,
    dyndns_ttl: Scalar,
    sms_limit: Scalar,
}

impl From<WireClass> for AccountClass {
    fn from(wire: WireClass) -> Self {
        Self {
            name: wire.class_name.text(),
            dyndns_domain_limit: wire.dyndns_domain_limit.number(),
            dyndns_update_limit: wire.dyndns_update_limit.number(),
            api_limit: wire.api_limit.number(),
            own_domain_limit: wire.owndomain_limit.number(),
            health_check_limit: wire.healthcheck_limit.number(),
            health_check_update_limit: wire.healthcheck_update_limit.number(),
            dyndns_ttl: wire.dyndns_ttl.number(),
            sms_limit: wire.sms_limit.number(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_info_and_status_is_none() {
        for body in ["[]", "{}", "null", "\"success\"", "3", "", "<html>", "{\"info\":null}", "{\"subdomains\":[]}"] {
            assert!(Envelope::parse(body.as_bytes()).is_none(), "{body}");
        }
    }

    #[test]
    fn the_code_stands_before_its_text() {
        let code = |status: &str| Envelope::parse(format!("{{\"status\":{status}}}").as_bytes()).and_then(|e| e.code());
        assert_eq!(code("\"201 Created\""), Some(201));
        assert_eq!(code("200"), Some(200));
        assert_eq!(code("\"OK\""), None);
        assert_eq!(code("\"99999999 x\""), None);
    }
}
