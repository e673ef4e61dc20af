//! The fields of answers, in IPv64's spelling, and the models made of them. The JSON is PHP's: numbers come as texts,
//! empty maps as `[]`, fields as `null` or not at all.

use serde_json::Value;

use super::Call;
use crate::api::RecordType;
use crate::api::models::{Account, AccountClass, Domain, LogEntry, Record};
use crate::name::DnsName;
use crate::secret::Secret;

/// A JSON answer of the API, whatever it says.
pub(in crate::api) struct Answer(Value);

impl Answer {
    /// Reads a body, over a byte order mark or a notice before the JSON; nothing if it is no answer of this API.
    pub(in crate::api) fn parse(body: &[u8]) -> Option<Self> {
        // Never from a later brace: what is inside a broken answer is none.
        let start = body.iter().position(|byte| *byte == b'{')?;
        let answer = Self(serde_json::from_slice(body.get(start..)?).ok()?);
        (answer.info().is_some() || answer.status().is_some()).then_some(answer)
    }

    pub(in crate::api) fn info(&self) -> Option<String> {
        text(&self.0, "info")
    }

    pub(in crate::api) fn status(&self) -> Option<String> {
        text(&self.0, "status")
    }

    pub(in crate::api) fn is_success(&self) -> bool {
        self.info().as_deref() == Some("success")
    }

    /// The code at the start of `status` (`"201 Created"`).
    pub(in crate::api) fn code(&self) -> Option<u16> {
        self.status()?.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    }

    /// The value of the key that is named after a call that changes something: a message, if the call failed.
    pub(in crate::api) fn answer_to(&self, call: &Call<'_>) -> Option<String> {
        if call.reads() { None } else { text(&self.0, call.name()) }
    }

    /// The account; nothing if the answer holds none.
    pub(in crate::api) fn account(&self) -> Option<Account> {
        let (account, class) = (&self.0, self.0.get("account_class").unwrap_or(&Value::Null));
        let is_class = class.is_object() || class.is_null();
        is_class.then(|| Account {
            email: hidden(account, "email"),
            registered: text(account, "reg_date"),
            update_hash: hidden(account, "update_hash"),
            api_key: hidden(account, "api_key"),
            dyndns_updates: number(account, "dyndns_updates"),
            api_updates: number(account, "api_updates"),
            status: number(account, "account_status"),
            dyndns_subdomains: number(account, "dyndns_subdomains"),
            own_domains: number(account, "owndomains"),
            health_checks: number(account, "healthchecks"),
            health_check_updates: number(account, "healthchecks_updates"),
            sms_count: number(account, "sms_count"),
            class: AccountClass {
                name: text(class, "class_name"),
                dyndns_domain_limit: number(class, "dyndns_domain_limit"),
                dyndns_update_limit: number(class, "dyndns_update_limit"),
                api_limit: number(class, "api_limit"),
                own_domain_limit: number(class, "owndomain_limit"),
                health_check_limit: number(class, "healthcheck_limit"),
                health_check_update_limit: number(class, "healthcheck_update_limit"),
                dyndns_ttl: number(class, "dyndns_ttl"),
                sms_limit: number(class, "sms_limit"),
            },
        })
    }

    /// The entries of the log; nothing if the answer holds none.
    pub(in crate::api) fn logs(&self) -> Option<Vec<LogEntry>> {
        let part = |entry: &Value, key| text(entry, key).unwrap_or_default();
        let entry = |(_, entry): (&str, &Value)| LogEntry {
            subdomain: part(entry, "subdomain"),
            time: part(entry, "time"),
            header: part(entry, "header"),
            content: part(entry, "content"),
        };
        Some(entries(self.0.get("logs")?)?.into_iter().map(entry).collect())
    }

    /// The domains; nothing if the answer holds none. An entry whose key is no domain name is left out, for no call
    /// could name it.
    pub(in crate::api) fn domains(&self) -> Option<Vec<Domain>> {
        let named = entries(self.0.get("subdomains")?)?;
        let named = named.into_iter().filter_map(|(name, domain)| Some((DnsName::parse(name).ok()?, domain)));
        let mut domains = named.map(|(name, value)| domain(name, value)).collect::<Option<Vec<_>>>()?;
        domains.sort_by(|one, other| one.name.cmp(&other.name));
        Some(domains)
    }
}

fn domain(name: DnsName, domain: &Value) -> Option<Domain> {
    let records = entries(domain.get("records").unwrap_or(&Value::Null))?;
    Some(Domain {
        name,
        updates: number(domain, "updates"),
        wildcard: flag(domain, "wildcard"),
        update_hash: hidden(domain, "domain_update_hash"),
        ipv6_prefix: text(domain, "ipv6prefix").filter(|prefix| !prefix.is_empty()),
        dualstack: flag(domain, "dualstack"),
        deactivated: flag(domain, "deactivated"),
        records: records.into_iter().map(|(_, value)| record(value)).collect(),
    })
}

fn record(record: &Value) -> Record {
    Record {
        id: number(record, "record_id"),
        prefix: text(record, "praefix").unwrap_or_default(),
        record_type: RecordType::from_name(&text(record, "type").unwrap_or_default()),
        content: text(record, "content").unwrap_or_default(),
        ttl: number(record, "ttl"),
        last_update: text(record, "last_update"),
        key: hidden(record, "record_key"),
        failover_policy: text(record, "failover_policy"),
        deactivated: flag(record, "deactivated"),
    }
}

/// A text, or a number or truth value as it is written; nothing for `null`, lists and maps.
fn text(of: &Value, key: &str) -> Option<String> {
    match of.get(key)? {
        Value::String(text) => Some(text.clone()),
        value @ (Value::Number(_) | Value::Bool(_)) => Some(value.to_string()),
        _ => None,
    }
}

fn hidden(of: &Value, key: &str) -> Option<Secret> {
    text(of, key).map(Secret::from_answer)
}

/// A whole number, in quotes or not.
fn number(of: &Value, key: &str) -> Option<u64> {
    text(of, key)?.trim().parse().ok()
}

/// 0 and 1, `true` and `false`, in quotes or not.
fn flag(of: &Value, key: &str) -> Option<bool> {
    match text(of, key)?.trim() {
        "1" | "true" => Some(true),
        "0" | "false" | "" => Some(false),
        _ => None,
    }
}

/// A map, or a list as PHP writes an empty map; the entries of a list have empty keys. A list with gaps is a map with
/// numbers for keys, and comes in their order. Nothing for anything else but `null`.
fn entries(value: &Value) -> Option<Vec<(&str, &Value)>> {
    match value {
        Value::Null => Some(Vec::new()),
        Value::Array(items) => Some(items.iter().map(|item| ("", item)).collect()),
        Value::Object(fields) => {
            let mut pairs: Vec<_> = fields.iter().map(|(key, value)| (key.as_str(), value)).collect();
            pairs.sort_by_key(|(key, _)| key.parse::<u64>().ok());
            Some(pairs)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_without_info_and_status_is_none() {
        for body in ["[]", "{}", "null", "\"success\"", "3", "", "<html>", "{\"info\":null}", "{\"subdomains\":[]}"] {
            assert!(Answer::parse(body.as_bytes()).is_none(), "{body}");
        }
    }

    #[test]
    fn the_code_stands_before_its_text() {
        let code = |status: Value| Answer(json!({"status": status})).code();
        assert_eq!(code(json!("201 Created")), Some(201));
        assert_eq!(code(json!(200)), Some(200));
        assert_eq!(code(json!("OK")), None);
        assert_eq!(code(json!("99999999 x")), None);
    }

    #[test]
    fn numbers_may_be_in_quotes() {
        for value in [json!(64), json!("64"), json!(" 64 ")] {
            assert_eq!(number(&json!({"a": value}), "a"), Some(64), "{value}");
        }
        for value in [json!(null), json!(""), json!("viele"), json!(-1), json!(1.5), json!([]), json!({}), json!(1e300)]
        {
            assert_eq!(number(&json!({"a": value}), "a"), None, "{value}");
        }
        assert_eq!(number(&json!([]), "a"), None);
    }

    #[test]
    fn flags_may_be_numbers_texts_or_truths() {
        for (value, expected) in [
            (json!(1), Some(true)),
            (json!("1"), Some(true)),
            (json!(true), Some(true)),
            (json!(0), Some(false)),
            (json!("0"), Some(false)),
            (json!(null), None),
            (json!(2), None),
        ] {
            assert_eq!(flag(&json!({"a": value}), "a"), expected, "{value}");
        }
    }

    #[test]
    fn an_empty_map_may_be_a_list_and_a_list_a_map() {
        let keys =
            |value: Value| entries(&value).map(|pairs| pairs.into_iter().map(|(key, _)| key.to_owned()).collect());
        for empty in [json!([]), json!({}), json!(null)] {
            assert_eq!(keys(empty), Some(Vec::new()));
        }
        assert_eq!(keys(json!([1, 2])), Some(vec![String::new(), String::new()]));
        assert_eq!(keys(json!({"10": 1, "9": 2})), Some(vec!["9".to_owned(), "10".to_owned()]));
        assert_eq!(keys(json!("none")), None);
    }
}
