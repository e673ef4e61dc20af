//! The control interface of a simulation that runs as a process: `/sim/` on the listener of the API.
//! Its requests and JSON fields are listed in the documentation of [`super`].

use std::time::{Duration, Instant};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    ApiCall, ApiFault, Question, ResolverSettings, ServerSettings, SimError, StoredRecord,
    config::Limits,
    http::{Request, Response},
    shared::Shared,
    truth,
};

/// Answers a request below `/sim/`.
pub(super) fn answer(request: &Request, shared: &Shared) -> Response {
    let path = request.path.strip_prefix("/sim/").unwrap_or_default();
    let outcome = match (request.method.as_str(), path) {
        ("GET", "state") => Ok(state(shared)),
        ("GET", "log") => Ok(log(shared)),
        ("GET", "records") => Ok(records(shared)),
        ("POST", "fault") => order(&request.body, shared),
        ("POST", "lookup") => fail_lookup(&request.body, shared),
        ("POST", "limits") => limit(&request.body, shared),
        ("POST", "reset") => shared.reset().map(|()| json!({})),
        ("POST", other) => match other.strip_prefix("server/") {
            Some(which) => change(which, &request.body, shared),
            None => Err(SimError::Unknown(request.path.escape_debug().to_string())),
        },
        _ => Err(SimError::Unknown(request.path.escape_debug().to_string())),
    };
    match outcome {
        Ok(value) => Response::new(200, "application/json", format!("{value:#}\n")),
        Err(error) => {
            let status = if matches!(error, SimError::Unknown(_)) { 404 } else { 400 };
            Response::new(status, "application/json", format!("{:#}\n", json!({"error": error.to_string()})))
        }
    }
}

fn state(shared: &Shared) -> Value {
    let servers = shared.name_servers.iter();
    let servers: Vec<_> = servers
        .map(|server| json!({"name": server.name, "address": server.address, "settings": &*server.settings()}))
        .collect();
    let resolvers = shared.resolvers.iter();
    let resolvers: Vec<_> = resolvers
        .map(|resolver| json!({"name": resolver.name, "address": resolver.address, "settings": &*resolver.settings()}))
        .collect();
    let accounts: Vec<_> = (0..)
        .zip(&shared.api.accounts)
        .map(|(number, account): (usize, _)| json!({"number": number, "calls_today": account.counters.today()}))
        .collect();
    json!({
        "env": shared.env().into_iter().map(|(name, value)| (name, Value::from(value))).collect::<serde_json::Map<_, _>>(),
        "api": shared.api_url(),
        "doh": shared.doh_url(),
        "servers": servers,
        "resolvers": resolvers,
        "faults": shared.api.faults.open(),
        "accounts": accounts,
    })
}

fn log(shared: &Shared) -> Value {
    let started = shared.world.started;
    let calls: Vec<_> = shared.world.log.calls().iter().map(|call| call_json(call, started)).collect();
    let questions: Vec<_> = shared.world.log.questions().iter().map(|one| question_json(one, started)).collect();
    json!({"calls": calls, "questions": questions})
}

fn call_json(call: &ApiCall, started: Instant) -> Value {
    json!({
        "at": seconds(call.at, started),
        "method": call.method,
        "path": call.path,
        "call": call.call,
        "parameters": call.parameters,
        "auth": call.auth,
        "user_agent": call.user_agent,
        "status": call.status,
        "committed": call.committed,
        "refused_by": call.refused_by,
        "faulty": call.faulty,
        "connection": call.connection,
    })
}

fn question_json(question: &Question, started: Instant) -> Value {
    json!({
        "at": seconds(question.at, started),
        "server": question.server,
        "address": question.address,
        "backend": question.backend,
        "transport": question.transport,
        "peer": question.peer,
        "name": question.name,
        "kind": question.kind,
        "recursion_desired": question.recursion_desired,
        "edns": question.edns,
        "answer": question.answer,
        "values": question.values,
    })
}

fn records(shared: &Shared) -> Value {
    let started = shared.world.started;
    let records = shared.world.store.hold().records.clone();
    let one = |record: &StoredRecord| {
        let everywhere = truth::visible_everywhere_since(shared, &record.name(), &record.content);
        json!({
            "id": record.id,
            "name": record.name(),
            "domain": record.domain,
            "praefix": record.prefix,
            "type": record.kind,
            "content": record.content,
            "added": record.life.added.map(|at| seconds(at, started)),
            "deleted": record.life.deleted.map(|at| seconds(at, started)),
            "everywhere": everywhere.filter(|_| record.life.is_open()).map(|at| seconds(at, started)),
        })
    };
    json!({"now": seconds(Instant::now(), started), "records": records.iter().map(one).collect::<Vec<_>>()})
}

fn order(body: &[u8], shared: &Shared) -> Result<Value, SimError> {
    let value: Value = read(body)?;
    let faults: Vec<ApiFault> = if value.is_array() { decode(value)? } else { vec![decode(value)?] };
    for fault in faults {
        shared.api.faults.push(fault);
    }
    Ok(json!({"faults": shared.api.faults.open()}))
}

fn fail_lookup(body: &[u8], shared: &Shared) -> Result<Value, SimError> {
    shared.world.lookups.order(decode(read(body)?)?);
    Ok(json!({}))
}

fn change(which: &str, body: &[u8], shared: &Shared) -> Result<Value, SimError> {
    let changes: Value = read(body)?;
    let server = shared.servers(which).next();
    if let Some(server) = server {
        let settings: ServerSettings = overlay(&*server.settings(), changes)?;
        shared.set_server(which, &settings)?;
        return Ok(json!(settings));
    }
    let resolver = shared.resolvers(which).next();
    let resolver = resolver.ok_or_else(|| SimError::Unknown(which.escape_debug().to_string()))?;
    let settings: ResolverSettings = overlay(&*resolver.settings(), changes)?;
    shared.set_resolver(which, &settings)?;
    Ok(json!(settings))
}

/// Puts the fields of a change over those in force.
fn overlay<T: Serialize + DeserializeOwned>(present: &T, changes: Value) -> Result<T, SimError> {
    let mut value = json!(present);
    match (&mut value, changes) {
        (Value::Object(fields), Value::Object(changes)) => fields.extend(changes),
        _ => return Err(SimError::Config("the settings are not a JSON object".into())),
    }
    decode(value)
}

fn limit(body: &[u8], shared: &Shared) -> Result<Value, SimError> {
    let changes: Value = read(body)?;
    for account in &shared.api.accounts {
        let present = account.counters.limits();
        let mut limits = Limits { ..present };
        if let Some(burst) = changes.get("burst") {
            let burst: Option<(usize, f64)> = decode(burst.clone())?;
            limits.burst = burst.map(|(calls, seconds)| (calls, Duration::from_secs_f64(seconds.clamp(0.0, 86_400.0))));
        }
        if let Some(daily) = changes.get("daily") {
            limits.daily = decode(daily.clone())?;
        }
        if let Some(today) = changes.get("today") {
            account.counters.set_today(decode(today.clone())?);
        }
        account.counters.set_limits(limits);
    }
    Ok(json!({}))
}

fn read(body: &[u8]) -> Result<Value, SimError> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| SimError::Config(error.to_string()))
}

fn decode<T: DeserializeOwned>(value: Value) -> Result<T, SimError> {
    serde_json::from_value(value).map_err(|error| SimError::Config(error.to_string().escape_debug().to_string()))
}

/// Seconds since the start, to the microsecond.
fn seconds(at: Instant, started: Instant) -> f64 {
    (at.saturating_duration_since(started).as_secs_f64() * 1e6).round() / 1e6
}
