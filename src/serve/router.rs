//! Every request of a client: which dialect it is, who sends it, what that client may, and its line in the audit log. What a
//! request is in a dialect is left to the dialect's file, the work to whoever is behind [`Work`].

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use serde_json::{Value, json};

use super::audit::{Audit, Line};
use super::clients::Clients;
use super::dialect::{Asked, Problem};
use super::grant::{Grant, NotReady};
use super::{Answer, Ask, Goal, Peer, Refusal, Work};
use super::{acme_dns, httpreq, identity, policy, v1};
use crate::broker::protocol;
use crate::error::Kind;
use crate::name::DnsName;
use crate::order::Action;

/// The longest body of a request, in bytes.
const LARGEST_BODY: usize = 16 * 1024;
/// How a client can say who it is.
const CHALLENGE: &str = "Basic realm=\"ipv64-acme\", charset=\"UTF-8\"";
/// When a hook may come again whose record was not stored in time.
const NOT_STORED: std::time::Duration = std::time::Duration::from_secs(2);

/// What requests are answered with.
pub struct Desk {
    /// The clients; others take their place when the files have changed.
    pub clients: RwLock<Arc<Clients>>,
    /// Does the work.
    pub engine: Arc<dyn Work>,
    /// Keeps what was decided.
    pub audit: Audit,
}

/// Makes the router of all dialects. A request needs a [`Peer`] as extension.
pub fn router(desk: Arc<Desk>) -> Router {
    Router::new().fallback(handle).with_state(desk)
}

/// What a path stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Record(Dialect, Action),
    Client,
    Register,
    Health,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    V1,
    Httpreq,
    AcmeDns,
}

impl Route {
    /// An endpoint may have a path of its own, below which clients put theirs.
    fn of(path: &str) -> Option<Self> {
        let ends_with = |end: &str| path.ends_with(end);
        let route = match path.rsplit('/').next()? {
            "present" if ends_with(protocol::PRESENT) => Self::Record(Dialect::V1, Action::Add),
            "cleanup" if ends_with(protocol::CLEANUP) => Self::Record(Dialect::V1, Action::Remove),
            "client" if ends_with(protocol::CLIENT) => Self::Client,
            "present" => Self::Record(Dialect::Httpreq, Action::Add),
            "cleanup" => Self::Record(Dialect::Httpreq, Action::Remove),
            "update" => Self::Record(Dialect::AcmeDns, Action::Add),
            "register" => Self::Register,
            "health" => Self::Health,
            _ => return None,
        };
        Some(route)
    }

    const fn method(self) -> Method {
        match self {
            Self::Client | Self::Health => Method::GET,
            Self::Record(..) | Self::Register => Method::POST,
        }
    }

    /// The words for the audit log: dialect and action.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Record(dialect, action) => (
                match dialect {
                    Dialect::V1 => "v1",
                    Dialect::Httpreq => "httpreq",
                    Dialect::AcmeDns => "acme-dns",
                },
                match action {
                    Action::Add => "present",
                    Action::Remove => "cleanup",
                },
            ),
            Self::Client => ("v1", "client"),
            Self::Register => ("acme-dns", "register"),
            Self::Health => ("acme-dns", "health"),
        }
    }
}

async fn handle(State(desk): State<Arc<Desk>>, request: Request<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Some(route) = Route::of(head.uri.path()) else { return plain(StatusCode::NOT_FOUND, "not found") };
    if head.method != route.method() {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed");
        let allowed = if route.method() == Method::GET { "GET" } else { "POST" };
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
        return response;
    }
    let Some(peer) = head.extensions.get::<Peer>().copied() else {
        return plain(StatusCode::INTERNAL_SERVER_ERROR, "the peer is not known");
    };
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large");
    };
    let visit = Visit { desk: &desk, peer, headers: &head.headers, body: &body };
    match route {
        Route::Record(dialect, action) => visit.record(route, dialect, action).await,
        Route::Client => visit.client(route),
        Route::Register => plain(StatusCode::FORBIDDEN, acme_dns::REGISTER),
        Route::Health => respond(StatusCode::OK, Body::empty()),
    }
}

/// An account of acme-dns, found: what is to be published, and the record that it stands for.
type Account = (acme_dns::Update, DnsName);

/// One request.
struct Visit<'a> {
    desk: &'a Desk,
    peer: Peer,
    headers: &'a HeaderMap,
    body: &'a [u8],
}

impl<'a> Visit<'a> {
    async fn record(&self, route: Route, dialect: Dialect, action: Action) -> Response<Body> {
        let mut decision = self.decision(route);
        let done = self.solve(dialect, action, &mut decision.line).await;
        match done {
            Ok(body) => respond(StatusCode::OK, body.to_string().into()),
            Err(problem) => {
                decision.line.outcome = problem.outcome().to_owned();
                refuse(
                    problem,
                    match dialect {
                        Dialect::V1 => v1::problem(problem),
                        Dialect::Httpreq => httpreq::problem(problem),
                        Dialect::AcmeDns => acme_dns::problem(problem),
                    },
                )
            }
        }
    }

    fn client(&self, route: Route) -> Response<Body> {
        let mut decision = self.decision(route);
        let problem = match self.identify() {
            Ok(grant) => {
                decision.line.client = Some(grant.client.clone());
                match policy::admit_address(&grant, self.peer) {
                    Ok(()) => {
                        "done".clone_into(&mut decision.line.outcome);
                        return respond(StatusCode::OK, v1::client(&grant).to_string().into());
                    }
                    Err(refusal) => Problem::Refused(refusal),
                }
            }
            Err(problem) => problem,
        };
        decision.line.outcome = problem.outcome().to_owned();
        refuse(problem, v1::problem(problem))
    }

    /// Does what is asked for, and returns the body of the answer.
    async fn solve(&self, dialect: Dialect, action: Action, line: &mut Line) -> Result<Value, Problem> {
        let (grant, account) = match dialect {
            Dialect::V1 | Dialect::Httpreq => (self.identify()?, None),
            Dialect::AcmeDns => self.account()?,
        };
        line.client = Some(grant.client.clone());
        policy::admit_address(&grant, self.peer).map_err(Problem::Refused)?;
        let content_type = self.headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or("unreadable"));
        let asked = match account {
            Some((update, record)) => update.asked(record),
            None if dialect == Dialect::V1 => v1::read(content_type, self.body),
            None => httpreq::read(content_type, self.body),
        };
        let asked = asked.map_err(Problem::Malformed)?;
        line.name = Some(asked.challenge.name.to_string());
        policy::admit(&grant, self.peer, &asked.challenge.name).map_err(Problem::Refused)?;
        let answer = self.work(action, &grant, &asked).await;
        finish(dialect, action, &grant, &asked, answer, line)
    }

    async fn work(&self, action: Action, grant: &Arc<Grant>, asked: &Asked) -> Answer {
        let ask = Ask {
            grant: Arc::clone(grant),
            peer: self.peer,
            challenge: asked.challenge.clone(),
            program: asked.program.clone(),
        };
        match action {
            Action::Add => self.desk.engine.present(ask, asked.goal, asked.within).await,
            Action::Remove => self.desk.engine.cleanup(ask, asked.within).await,
        }
    }

    fn identify(&self) -> Result<Arc<Grant>, Problem> {
        let found = identity::of(&self.clients(), self.headers, self.peer);
        found.ok_or(Problem::Refused(Refusal::UnknownClient))
    }

    /// The account of acme-dns that a request is for.
    fn account(&self) -> Result<(Arc<Grant>, Option<Account>), Problem> {
        let unknown = Problem::Refused(Refusal::UnknownClient);
        let header = |name: &str| self.headers.get(name).map(HeaderValue::as_bytes).unwrap_or_default();
        let update = acme_dns::Update::read(self.body).ok_or(unknown)?;
        let user = std::str::from_utf8(header(acme_dns::USER)).map_err(|_| unknown)?;
        let found = self.clients().by_acme_dns(user, header(acme_dns::KEY), &update.subdomain);
        let (grant, record) = found.ok_or(unknown)?;
        Ok((grant, Some((update, record))))
    }

    fn clients(&self) -> Arc<Clients> {
        Arc::clone(&self.desk.clients.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn decision(&self, route: Route) -> Decision<'a> {
        let (dialect, action) = route.words();
        let line = Line {
            address: match self.peer {
                Peer::Address(address) => address.to_canonical().to_string(),
                Peer::User(uid) => format!("uid {uid}"),
            },
            dialect: dialect.to_owned(),
            action: action.to_owned(),
            // Until there is another one: the client may go, and the request ends with it.
            outcome: "abandoned".to_owned(),
            ..Line::default()
        };
        Decision { audit: &self.desk.audit, line, started: Instant::now() }
    }
}

/// Turns what became of it into the body of the answer.
fn finish(
    dialect: Dialect,
    action: Action,
    grant: &Grant,
    asked: &Asked,
    answer: Answer,
    line: &mut Line,
) -> Result<Value, Problem> {
    let is_pending = matches!(answer, Answer::Pending | Answer::Postponed { .. });
    let goes_on = if answer == Answer::Pending { "pending" } else { "postponed" };
    let (record, domain, changed) = match answer {
        Answer::Done { record, domain, changed } => (Some(record), domain, changed),
        Answer::Pending if asked.goal == Goal::Stored => return Err(Problem::Failed(Kind::BrokerBusy, NOT_STORED)),
        Answer::Pending if action == Action::Add && grant.not_ready == NotReady::Fail => return Err(Problem::NotReady),
        Answer::Pending => (None, None, false),
        Answer::Postponed { record } => (Some(record), None, false),
        Answer::Refused(refusal) => return Err(Problem::Refused(refusal)),
        Answer::Failed { kind, retry_after } => return Err(Problem::Failed(kind, retry_after)),
    };
    line.outcome = match (is_pending, changed) {
        (true, _) => goes_on,
        (false, true) => "done",
        (false, false) => "unchanged",
    }
    .to_owned();
    line.record = record.as_ref().map(ToString::to_string);
    line.calls = (!is_pending).then_some(u32::from(changed));
    Ok(match dialect {
        Dialect::V1 => v1::done(record.as_ref().unwrap_or(&asked.challenge.name), domain.as_ref(), changed),
        Dialect::Httpreq => httpreq::done(asked, is_pending),
        Dialect::AcmeDns => acme_dns::done(asked),
    })
}

/// A decision that has its line in the log whatever happens: also where its client goes away.
struct Decision<'a> {
    audit: &'a Audit,
    line: Line,
    started: Instant,
}

impl Drop for Decision<'_> {
    fn drop(&mut self) {
        self.line.wait_seconds = (self.started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
        self.audit.note(&self.line);
    }
}

fn refuse(problem: Problem, body: Value) -> Response<Body> {
    let status = StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = respond(status, body.to_string().into());
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
    }
    if let Some(seconds) = problem.retry_after() {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

fn plain(status: StatusCode, words: &str) -> Response<Body> {
    respond(status, json!({ "error": words }).to_string().into())
}

fn respond(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests;
