//! The HTTP API: which call a request is, who makes it, whether it may, and what happens.
//! The texts of the answers are in [`super::wire`]; refusing like the real service is the point of this file.

use std::time::Instant;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    faults::{Action, ApiFault, Effect, Faults},
    form,
    http::{Request, Response},
    limits::ApiAccount,
    log::{ApiCall, AuthWay, CallKind},
    names::is_provider_name,
    store::{Holdings, NewRecord, Refusal},
    wire,
    world::World,
};
use crate::name::DnsName;

/// Every call with its method. The parameter of the same name chooses it ("IPv64 API document").
const CALLS: [(&str, &str, CallKind); 7] = [
    ("GET", "get_account_info", CallKind::GetAccountInfo),
    ("GET", "get_logs", CallKind::GetLogs),
    ("GET", "get_domains", CallKind::GetDomains),
    ("POST", "add_domain", CallKind::AddDomain),
    ("DELETE", "del_domain", CallKind::DelDomain),
    ("POST", "add_record", CallKind::AddRecord),
    ("DELETE", "del_record", CallKind::DelRecord),
];

/// The API of a simulation.
pub(super) struct Api {
    pub(super) accounts: Vec<ApiAccount>,
    pub(super) faults: Faults,
    pub(super) numbers_as_strings: bool,
}

/// What became of a request.
pub(super) struct Outcome {
    /// The answer; nothing if the call was not carried out.
    pub(super) response: Option<Response>,
    /// The fault that hits the answer.
    pub(super) action: Option<Action>,
    /// The entry of the log, its status to be filled in.
    pub(super) call: ApiCall,
}

/// A request, taken apart.
struct Parts {
    parameters: Vec<(String, String)>,
    kind: Option<CallKind>,
    key: Option<(AuthWay, String)>,
}

impl Parts {
    fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl Api {
    /// Handles a request to the API.
    pub(super) fn handle(&self, request: &Request, connection: u64, world: &World) -> Outcome {
        let parts = take_apart(request);
        let fault = parts.kind.and_then(|kind| self.faults.take(kind));
        let mut call = entry(request, &parts, connection);
        call.faulty = fault.is_some();
        let suppressed = fault.as_ref().is_some_and(|fault| fault.effect == Effect::Nothing);
        let wait = fault.as_ref().map(ApiFault::wait_before).unwrap_or_default();
        // Nobody is left to see it if the simulation ends meanwhile.
        world.crew.stop().pause(wait);
        let response = if suppressed { None } else { Some(self.execute(&parts, &mut call, world)) };
        // A late call has waited already.
        let action = fault.filter(|_| wait.is_zero()).map(|fault| fault.action);
        let key = parts.key.map(|(_, key)| key).unwrap_or_default();
        Outcome { response, action: action.map(|action| action.with_key(&key)), call }
    }

    fn execute(&self, parts: &Parts, call: &mut ApiCall, world: &World) -> Response {
        let owner =
            parts.key.as_ref().and_then(|(_, key)| self.accounts.iter().position(|account| account.key == *key));
        let Some((number, account)) = owner.and_then(|number| Some((number, self.accounts.get(number)?))) else {
            return wire::unauthorized();
        };
        if let Err(limit) = account.counters.count(Instant::now()) {
            call.refused_by = Some(limit);
            return wire::too_many(limit);
        }
        let Some(kind) = parts.kind.filter(|_| !has_unknown_parameter(parts)) else { return wire::bad_request() };
        let mut holdings = world.store.hold();
        let response = self.carry_out(kind, parts, number, &mut holdings);
        let changes = !matches!(kind, CallKind::GetAccountInfo | CallKind::GetLogs | CallKind::GetDomains);
        call.committed = changes && response.status < 300;
        response
    }

    fn carry_out(&self, kind: CallKind, parts: &Parts, account: usize, holdings: &mut Holdings) -> Response {
        let argument = |name| parts.get(name).unwrap_or_default();
        match kind {
            CallKind::GetAccountInfo => self.accounts.get(account).map_or_else(wire::unauthorized, |owner| {
                wire::account(owner, holdings.domains_of(account).count(), self.numbers_as_strings)
            }),
            CallKind::GetLogs => wire::logs(holdings, account),
            CallKind::GetDomains => wire::domains(holdings, account, self.numbers_as_strings),
            CallKind::AddDomain => {
                let name = argument("add_domain");
                wire::domain_added(name, add_domain(holdings, account, name))
            }
            CallKind::DelDomain => {
                let name = DnsName::parse(argument("del_domain")).map_err(|_| Refusal::Missing);
                wire::domain_deleted(name.and_then(|name| holdings.delete_domain(account, &name)))
            }
            CallKind::AddRecord => {
                let new = record(parts, "add_record").ok_or(Refusal::Invalid);
                wire::record_added(argument("add_record"), new.and_then(|new| holdings.add_record(account, &new)))
            }
            CallKind::DelRecord => wire::record_deleted(delete_record(parts, account, holdings)),
        }
    }
}

fn take_apart(request: &Request) -> Parts {
    let mut parameters = form::parameters(request);
    let key = key(request, &parameters);
    parameters.retain(|(name, _)| name != "apikey" && name != "token");
    let chosen = |(method, name, kind): &(&str, &str, CallKind)| {
        (request.method == *method && parameters.iter().any(|(key, _)| key == name)).then_some(*kind)
    };
    let kind = CALLS.iter().find_map(chosen);
    Parts { kind, parameters, key }
}

/// The key of a request, shown in one of the four documented ways.
fn key(request: &Request, parameters: &[(String, String)]) -> Option<(AuthWay, String)> {
    let header = request.header("authorization");
    if let Some(key) = header.and_then(|value| value.strip_prefix("Bearer ")) {
        return Some((AuthWay::Bearer, key.trim().to_owned()));
    }
    if let Some(encoded) = header.and_then(|value| value.strip_prefix("Basic ")) {
        let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
        return decoded.split_once(':').map(|(_, key)| (AuthWay::Basic, key.to_owned()));
    }
    let parameter = |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let apikey = parameter("apikey").map(|key| (AuthWay::ApiKey, key));
    apikey.or_else(|| parameter("token").map(|key| (AuthWay::Token, key)))
}

fn entry(request: &Request, parts: &Parts, connection: u64) -> ApiCall {
    ApiCall {
        at: Instant::now(),
        method: request.method.clone(),
        path: request.path.clone(),
        call: parts.kind,
        parameters: parts.parameters.clone(),
        auth: parts.key.as_ref().map(|(way, _)| *way),
        user_agent: request.header("user-agent").map(str::to_owned),
        status: None,
        committed: false,
        refused_by: None,
        faulty: false,
        connection,
    }
}

/// The real service's answer to parameters that no call has is unknown; here they are a mistake of the client.
fn has_unknown_parameter(parts: &Parts) -> bool {
    let record = ["praefix", "type", "content"];
    let known = |name: &str| {
        let of_record = matches!(parts.kind, Some(CallKind::AddRecord | CallKind::DelRecord)) && record.contains(&name);
        of_record || CALLS.iter().any(|(_, call, kind)| *call == name && Some(*kind) == parts.kind)
    };
    parts.parameters.iter().any(|(name, _)| !known(name))
}

fn record(parts: &Parts, call: &str) -> Option<NewRecord> {
    Some(NewRecord {
        domain: DnsName::parse(parts.get(call)?).ok()?,
        prefix: parts.get("praefix")?.to_ascii_lowercase(),
        kind: parts.get("type")?.to_owned(),
        content: parts.get("content")?.to_owned(),
    })
}

fn delete_record(parts: &Parts, account: usize, holdings: &mut Holdings) -> Result<(), Refusal> {
    let id = parts.get("del_record").and_then(|id| id.parse().ok());
    match (id, parts.parameters.len()) {
        (Some(id), 1) => holdings.delete_record_id(account, id),
        _ => holdings.delete_record(account, &record(parts, "del_record").ok_or(Refusal::Missing)?),
    }
}

/// Adds a domain as the provider would: one label below a suffix, or an own domain outside of them.
fn add_domain(holdings: &mut Holdings, account: usize, name: &str) -> Result<(), Refusal> {
    let name = DnsName::parse(name).map_err(|_| Refusal::Invalid)?;
    let below_suffix = crate::provider::owns(&name);
    let own = !below_suffix && name.labels().count() > 1;
    if name.as_str().starts_with('*') || !(is_provider_name(&name) || own) {
        return Err(Refusal::Invalid);
    }
    holdings.add_domain(account, name)
}
