//! The answers of the API, word for word: keys named after the call, the code again inside the body, PHP's escapes.
//! Each answer names its source: "documented" or "observed" in the API document, or "unknown" where it is made up.

use serde_json::{Map, Value, json};

use super::{
    http::{Response, reason},
    limits::ApiAccount,
    log::LimitKind,
    store::{Holdings, RECORD_TTL, Refusal, StoredRecord},
};

/// How many entries `get_logs` has ("documented").
const MAX_LOG: usize = 100;
/// What an account without a daily limit shows ("observed").
const UNLIMITED: usize = 0;

fn answer(status: u16, info: &str, named: Value) -> Response {
    let mut body = Map::new();
    if let Value::Object(named) = named {
        body.extend(named);
    }
    body.insert("info".into(), info.into());
    body.insert("status".into(), format!("{status} {}", reason(status)).into());
    Response::new(status, "application/json", php_json(&Value::Object(body)))
}

/// JSON as PHP writes it: slashes and everything outside ASCII are escaped ("observed").
pub(super) fn php_json(value: &Value) -> String {
    let mut text = String::new();
    for character in value.to_string().chars() {
        match character {
            '/' => text.push_str("\\/"),
            ascii if ascii.is_ascii() => text.push(ascii),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    text.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    text
}

/// Documented.
pub(super) fn unauthorized() -> Response {
    answer(401, "Unauthorized", json!({}))
}

/// Texts observed; which of them belongs to which limit is unknown.
pub(super) fn too_many(limit: LimitKind) -> Response {
    let info = match limit {
        LimitKind::Burst => "Update Cooldown - 10sec",
        LimitKind::Daily => "Updateintervall overcommited",
    };
    answer(429, info, json!({}))
}

/// The code is documented, the text unknown.
pub(super) fn bad_request() -> Response {
    answer(400, "Bad Request", json!({}))
}

/// Documented, with the observed further fields.
pub(super) fn account(account: &ApiAccount, domains: usize, as_strings: bool) -> Response {
    let mut body = json!({
        "email": "owner@example.org",
        "account_status": account.status,
        "reg_date": "2023-01-31 12:00:00",
        "update_hash": "sim-update-hash-91b7",
        "api_key": account.key,
        "dyndns_updates": 0,
        "dyndns_subdomains": domains,
        "owndomains": 0,
        "healthchecks": 0,
        "healthchecks_updates": 0,
        "sms_count": 0,
        "api_updates": account.counters.today(),
        "account_class": {
            "class_name": "Standard",
            "dyndns_domain_limit": 3,
            "dyndns_update_limit": 48,
            "owndomain_limit": 3,
            "healthcheck_limit": 2,
            "healthcheck_update_limit": 5,
            "dyndns_ttl": RECORD_TTL,
            "api_limit": account.counters.limits().daily.unwrap_or(UNLIMITED),
            "sms_limit": 0,
        },
        "get_account_info": "get_account_info",
    });
    if as_strings {
        stringify(&mut body);
    }
    answer(200, "success", body)
}

/// Documented, the odd `get_account_info` included.
pub(super) fn logs(holdings: &Holdings, account: usize) -> Response {
    let own = holdings.lines.iter().rev().filter(|line| line.account == account).take(MAX_LOG);
    let line = |line: &super::store::LogLine| json!({"subdomain": line.subdomain, "time": line.time, "header": line.header, "content": line.content});
    answer(200, "success", json!({"logs": own.map(line).collect::<Vec<_>>(), "get_account_info": "get_logs"}))
}

/// Documented, the odd `add_domain` included; the empty map as a list and the further fields are observed.
pub(super) fn domains(holdings: &Holdings, account: usize, as_strings: bool) -> Response {
    let mut map = Map::new();
    for domain in holdings.domains_of(account) {
        let records: Vec<_> = holdings.records_of(&domain.name).map(record).collect();
        let value = json!({
            "updates": 0,
            "wildcard": u8::from(domain.wildcard),
            "domain_update_hash": "sim-domain-hash-5d02",
            "ipv6prefix": "",
            "dualstack": "",
            "deactivated": u8::from(domain.deactivated),
            "records": records,
        });
        map.insert(domain.name.to_string(), value);
    }
    let mut subdomains = if map.is_empty() { json!([]) } else { Value::Object(map) };
    if as_strings {
        stringify(&mut subdomains);
    }
    answer(200, "success", json!({"subdomains": subdomains, "add_domain": "get_domains"}))
}

fn record(record: &StoredRecord) -> Value {
    json!({
        "record_id": record.id,
        "content": record.content,
        "ttl": RECORD_TTL,
        "type": record.kind,
        "praefix": record.prefix,
        "last_update": record.changed,
        "record_key": "sim-record-key-77aa",
        "deactivated": 0,
        "failover_policy": "0",
    })
}

fn stringify(value: &mut Value) {
    match value {
        Value::Number(number) => *value = Value::String(number.to_string()),
        Value::Array(items) => items.iter_mut().for_each(stringify),
        Value::Object(fields) => fields.values_mut().for_each(stringify),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// The success is documented, the refusals' texts are unknown.
pub(super) fn domain_added(name: &str, result: Result<(), Refusal>) -> Response {
    match result {
        Ok(()) => answer(201, "success", json!({"add_domain": name})),
        Err(Refusal::Duplicate) => answer(403, "Forbidden", json!({"add_domain": "domain already there"})),
        Err(_) => answer(400, "Bad Request", json!({"add_domain": "invalid domain informations"})),
    }
}

/// The success is documented; the refusal is made up after that of records.
pub(super) fn domain_deleted(result: Result<(), Refusal>) -> Response {
    match result {
        Ok(()) => answer(202, "success", json!({"del_domain": "del_domain"})),
        Err(_) => answer(403, "Forbidden", json!({"del_domain": "del_domain"})),
    }
}

/// The success is documented, the refusals are observed.
pub(super) fn record_added(domain: &str, result: Result<(), Refusal>) -> Response {
    match result {
        Ok(()) => answer(201, "success", json!({"add_record": domain})),
        Err(Refusal::Duplicate) => answer(400, "error", json!({"add_record": "dns record already there"})),
        Err(_) => answer(400, "error", json!({"add_record": "invalid record informations"})),
    }
}

/// The success is documented, the refusal is observed.
pub(super) fn record_deleted(result: Result<(), Refusal>) -> Response {
    match result {
        Ok(()) => answer(202, "success", json!({"del_record": "del_record"})),
        Err(_) => answer(403, "Forbidden", json!({"del_record": "del_record"})),
    }
}
