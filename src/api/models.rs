//! What the API tells and takes, in this program's words. How IPv64 spells it is in [`super::wire`].
//!
//! Every field may be missing: the provider adds and drops fields without notice. A field is *documented* unless its
//! comment says *observed*. What must not reach a log is a [`Secret`].

use std::borrow::Cow;
use std::fmt;

use crate::name::DnsName;
use crate::secret::Secret;

/// The account that a key belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Account {
    /// The owner's e-mail address.
    pub email: Option<Secret>,
    /// When it was made, `YYYY-MM-DD hh:mm:ss`, in the provider's local time.
    pub registered: Option<String>,
    /// The secret of DynDNS updates for the whole account.
    pub update_hash: Option<Secret>,
    /// The API key.
    pub api_key: Option<Secret>,
    /// DynDNS updates used today.
    pub dyndns_updates: Option<u64>,
    /// API calls used today.
    pub api_updates: Option<u64>,
    /// What the account may use.
    pub class: AccountClass,
    /// Observed: 1 for an account in use.
    pub status: Option<u64>,
    /// Observed: domains under the provider's suffixes.
    pub dyndns_subdomains: Option<u64>,
    /// Observed: own domains.
    pub own_domains: Option<u64>,
    /// Observed: health checks.
    pub health_checks: Option<u64>,
    /// Observed: reports of health checks used today.
    pub health_check_updates: Option<u64>,
    /// Observed: text messages sent.
    pub sms_count: Option<u64>,
}

impl Account {
    /// Returns the API calls left today; nothing if the account has no limit (an `api_limit` of 0: observed) or the
    /// answer does not tell.
    #[must_use]
    pub fn api_calls_left(&self) -> Option<u64> {
        let limit = self.class.api_limit.filter(|limit| *limit > 0)?;
        Some(limit.saturating_sub(self.api_updates?))
    }
}

/// The limits of an account's class. The counters are set back at midnight of the provider's time (observed).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountClass {
    /// Its name, such as "Standard".
    pub name: Option<String>,
    /// Domains under the provider's suffixes.
    pub dyndns_domain_limit: Option<u64>,
    /// DynDNS updates per day.
    pub dyndns_update_limit: Option<u64>,
    /// API calls per day; 0 means no limit (observed).
    pub api_limit: Option<u64>,
    /// Observed: own domains.
    pub own_domain_limit: Option<u64>,
    /// Observed: health checks.
    pub health_check_limit: Option<u64>,
    /// Observed: reports of health checks per day.
    pub health_check_update_limit: Option<u64>,
    /// Observed: the TTL of DynDNS records in seconds.
    pub dyndns_ttl: Option<u64>,
    /// Observed: text messages.
    pub sms_limit: Option<u64>,
}

/// One line of the account's log. The texts are German.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// The domain it is about; empty for the account itself.
    pub subdomain: String,
    /// When, `YYYY-MM-DD hh:mm:ss`, in the provider's local time.
    pub time: String,
    /// A headline.
    pub header: String,
    /// What happened.
    pub content: String,
}

/// A domain of the account with its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// Its name.
    pub name: DnsName,
    /// DynDNS updates used today.
    pub updates: Option<u64>,
    /// Whether every name below it has the domain's addresses.
    pub wildcard: Option<bool>,
    /// Observed: the secret of DynDNS updates for this domain.
    pub update_hash: Option<Secret>,
    /// Observed: the prefix for IPv6 updates.
    pub ipv6_prefix: Option<String>,
    /// Observed: whether updates may set both address families.
    pub dualstack: Option<bool>,
    /// Observed: whether the domain is switched off.
    pub deactivated: Option<bool>,
    /// Its records.
    pub records: Vec<Record>,
}

/// A record of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its number, by which it can be deleted.
    pub id: Option<u64>,
    /// What comes before the domain's name; empty for the domain itself.
    pub prefix: String,
    /// Its type.
    pub record_type: RecordType,
    /// Its content as IPv64 keeps it.
    pub content: String,
    /// How long others may remember it, in seconds; 60 in all samples.
    pub ttl: Option<u64>,
    /// When it was last written, `YYYY-MM-DD hh:mm:ss`, in the provider's local time.
    pub last_update: Option<String>,
    /// Observed: the secret of updates for this record.
    pub key: Option<Secret>,
    /// Observed: what happens when a health check fails.
    pub failover_policy: Option<String>,
    /// Observed: whether the record is switched off.
    pub deactivated: Option<bool>,
}

impl Record {
    /// Returns the full name of the record within its domain. A text, for users can write prefixes that are no names.
    #[must_use]
    pub fn name_in(&self, domain: &DnsName) -> String {
        if self.prefix.is_empty() { domain.to_string() } else { format!("{}.{domain}", self.prefix) }
    }
}

/// A record type, in upper case as zone files and the API write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordType(Cow<'static, str>);

impl RecordType {
    /// Text (RFC 1035).
    pub const TXT: Self = Self(Cow::Borrowed("TXT"));
    /// The types that IPv64 documents, TLSA and CAA in newer copies of its page only.
    pub const DOCUMENTED: [&'static str; 9] = ["A", "AAAA", "TXT", "CNAME", "MX", "NS", "SRV", "TLSA", "CAA"];

    /// Reads a type in upper or lower case.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        Self(name.trim().to_ascii_uppercase().into())
    }

    /// Returns the type as it is written in zone files and in the API.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A record to add or to delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordSpec {
    /// The domain of the account.
    pub domain: DnsName,
    /// What comes before the domain's name; empty for the domain itself.
    pub prefix: String,
    /// Its type.
    pub record_type: RecordType,
    /// Its content. IPv64 takes TXT with and without quotes.
    pub content: String,
}

impl RecordSpec {
    /// Names a record by its full name within a domain of the account; nothing if the name is not at or below it.
    #[must_use]
    pub fn within(domain: &DnsName, name: &DnsName, record_type: RecordType, content: &str) -> Option<Self> {
        let prefix = name.prefix_below(domain)?.to_owned();
        Some(Self { domain: domain.clone(), prefix, record_type, content: content.to_owned() })
    }
}
