//! Every request of a client: who sends it, what that client may, and its line in the audit log. Which dialect it is tells
//! [`super::route`], what it means in a dialect the dialect's file; the work is left to whoever is behind [`Work`].

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, header};
use axum::{Extension, Router};
use serde_json::{Value, json};

use super::audit::{Audit, Line};
use super::clients::Clients;
use super::dialect::{Asked, Malformed, Problem};
use super::grant::{Grant, NotReady};
use super::identity::Known;
use super::route::{Dialect, Route};
use super::token::TokenHash;
use super::{Answer, Ask, FoundRecord, Goal, Peer, Refusal, Work, acme_dns, httpreq, identity, policy, v1};
use crate::error::Kind;
use crate::name::DnsName;
use crate::order::Action;

/// How a client can say who it is.
const CHALLENGE: &str = "Basic realm=\"ipv64-acme\", charset=\"UTF-8\"";
/// When a hook may come again whose record was not stored in time.
const NOT_STORED: Duration = Duration::from_secs(2);

/// What requests are answered with.
pub struct AppState {
    clients: RwLock<Arc<Clients>>,
    engine: Arc<dyn Work>,
    /// Keeps what was decided.
    pub audit: Audit,
}

impl AppState {
    /// Makes one that knows no client yet.
    #[must_use]
    pub fn new(engine: Arc<dyn Work>, audit: Audit) -> Arc<Self> {
        Arc::new(Self { clients: RwLock::default(), engine, audit })
    }

    /// Returns the clients in force.
    #[must_use]
    pub fn clients(&self) -> Arc<Clients> {
        Arc::clone(&self.clients.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts clients in force in place of those from before.
    pub fn put_in_force(&self, clients: Clients) {
        *self.clients.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(clients);
    }
}

/// Makes the router of all dialects. A request needs a [`Peer`] as extension; one whose body was not read to its end has a
/// [`Malformed`] there, and no body.
pub fn router(app: Arc<AppState>) -> Router {
    Router::new().fallback(handle).with_state(app)
}

async fn handle(
    State(app): State<Arc<AppState>>,
    Extension(peer): Extension<Peer>,
    unread: Option<Extension<Malformed>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let Some(route) = Route::of(uri.path()) else { return plain(StatusCode::NOT_FOUND, "not found") };
    let is_get = route.method() == Method::GET;
    // Whoever answers GET answers HEAD too (RFC 9110 section 9.1): monitoring asks so.
    if method != route.method() && !(is_get && method == Method::HEAD) {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed");
        let allowed = if is_get { "GET, HEAD" } else { "POST" };
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
        return response;
    }
    if route == Route::Health {
        return respond(StatusCode::OK, Body::empty());
    }
    let body = unread.map_or(Ok(&body[..]), |Extension(why)| Err(why));
    let visit = Visit { app: &app, peer, headers: &headers, body, calls: Arc::default(), found: Arc::default() };
    let mut decision = visit.decision(route);
    match visit.decide(route, &mut decision.line).await {
        Ok(body) => respond(StatusCode::OK, body.to_string().into()),
        Err(problem) => {
            problem.outcome().clone_into(&mut decision.line.outcome);
            refuse(problem, &route.dialect().problem(problem))
        }
    }
}

/// What is to be published for an account of acme-dns, and the record that it stands for.
type Account = (acme_dns::Update, DnsName);

/// One request.
struct Visit<'a> {
    app: &'a AppState,
    peer: Peer,
    headers: &'a HeaderMap,
    body: Result<&'a [u8], Malformed>,
    /// The API calls that it has caused so far.
    calls: Arc<AtomicU64>,
    found: FoundRecord,
}

impl<'a> Visit<'a> {
    /// Does what is asked for, and returns the body of the answer.
    async fn decide(&self, route: Route, line: &mut Line) -> Result<Value, Problem> {
        match route {
            Route::Record(dialect, action) => self.solve(dialect, action, line).await,
            Route::Register => Err(Problem::Registration),
            Route::Client | Route::Health => {
                let grant = self.admit(self.identify()?.0, line)?;
                "done".clone_into(&mut line.outcome);
                Ok(v1::client(&grant))
            }
        }
    }

    async fn solve(&self, dialect: Dialect, action: Action, line: &mut Line) -> Result<Value, Problem> {
        let ((grant, shown), account) = match dialect {
            Dialect::V1 | Dialect::Httpreq => (self.identify()?, None),
            Dialect::AcmeDns => self.account()?,
        };
        let grant = self.admit(grant, line)?;
        let content_type = self.headers.get(header::CONTENT_TYPE).map(media_type);
        let content_type = content_type.as_deref();
        let asked = match account {
            Some((update, record)) => update.asked(record),
            None if dialect == Dialect::V1 => self.body.and_then(|body| v1::read(content_type, body)),
            None => self.body.and_then(|body| httpreq::read(content_type, body)),
        };
        let asked = asked.map_err(Problem::Malformed)?;
        line.name = Some(asked.challenge.name.to_string());
        policy::admit_name(&grant, &asked.challenge.name).map_err(Problem::Refused)?;
        let answer = self.work(action, (Arc::clone(&grant), shown), &asked).await;
        finish((dialect, action), &grant, &asked, answer, line)
    }

    /// Takes note of who it is, and decides whether that client may come from here.
    fn admit(&self, grant: Arc<Grant>, line: &mut Line) -> Result<Arc<Grant>, Problem> {
        line.client = Some(grant.client.clone());
        policy::admit_address(&grant, self.peer).map_err(Problem::Refused)?;
        Ok(grant)
    }

    async fn work(&self, action: Action, (grant, shown): Known, asked: &Asked) -> Answer {
        let ask = Ask {
            grant,
            peer: self.peer,
            shown,
            challenge: asked.challenge.clone(),
            program: asked.program.clone(),
            calls: Arc::clone(&self.calls),
            found: Arc::clone(&self.found),
        };
        match action {
            Action::Add => self.app.engine.present(ask, asked.goal, asked.within).await,
            Action::Remove => self.app.engine.cleanup(ask, asked.within).await,
        }
    }

    fn identify(&self) -> Result<Known, Problem> {
        let found = identity::of(&self.app.clients(), self.headers, self.peer);
        found.ok_or(Problem::Refused(Refusal::UnknownClient))
    }

    /// The account of acme-dns that a request is for.
    fn account(&self) -> Result<(Known, Option<Account>), Problem> {
        let unknown = Problem::Refused(Refusal::UnknownClient);
        let header = |name: &str| self.headers.get(name).map(HeaderValue::as_bytes).unwrap_or_default();
        let body = self.body.map_err(Problem::Malformed)?;
        let update = acme_dns::Update::read(body).ok_or(unknown)?;
        let user = std::str::from_utf8(header(acme_dns::USER)).map_err(|_| unknown)?;
        let key = header(acme_dns::KEY);
        let found = self.app.clients().by_acme_dns(user, key, &update.subdomain);
        let (grant, record) = found.ok_or(unknown)?;
        Ok(((grant, Some(TokenHash::of(key))), Some((update, record))))
    }

    fn decision(&self, route: Route) -> Decision<'a> {
        let line = Line {
            address: self.peer.to_string(),
            dialect: route.dialect().as_str().to_owned(),
            action: route.action().to_owned(),
            // Until there is another one: the client may go, and the request ends with it.
            outcome: "abandoned".to_owned(),
            ..Line::default()
        };
        let (calls, found) = (Arc::clone(&self.calls), Arc::clone(&self.found));
        Decision { audit: &self.app.audit, line, calls, found, started: Instant::now() }
    }
}

/// Turns what became of it into the body of the answer.
fn finish(
    (dialect, action): (Dialect, Action),
    grant: &Grant,
    asked: &Asked,
    answer: Answer,
    line: &mut Line,
) -> Result<Value, Problem> {
    let (outcome, record, domain, changed) = match answer {
        Answer::Done { record, domain, changed } => {
            (if changed { "done" } else { "unchanged" }, Some(record), domain, changed)
        }
        Answer::Pending if asked.goal == Goal::Stored => return Err(Problem::Failed(Kind::BrokerBusy, NOT_STORED)),
        Answer::Pending if action == Action::Add && grant.not_ready == NotReady::Fail => return Err(Problem::NotReady),
        Answer::Pending => ("pending", None, None, false),
        Answer::Postponed { record } => ("postponed", Some(record), None, false),
        Answer::Refused(refusal) => return Err(Problem::Refused(refusal)),
        Answer::Failed { kind, retry_after } => return Err(Problem::Failed(kind, retry_after)),
    };
    outcome.clone_into(&mut line.outcome);
    line.record = record.as_ref().map(ToString::to_string);
    let is_pending = matches!(outcome, "pending" | "postponed");
    Ok(match dialect {
        Dialect::V1 => v1::done(record.as_ref().unwrap_or(&asked.challenge.name), domain.as_ref(), changed),
        Dialect::Httpreq => httpreq::done(asked, is_pending),
        Dialect::AcmeDns => acme_dns::done(asked, is_pending),
    })
}

/// A decision that has its line in the log whatever happens: also where its client goes away.
struct Decision<'a> {
    audit: &'a Audit,
    line: Line,
    calls: Arc<AtomicU64>,
    found: FoundRecord,
    started: Instant,
}

impl Drop for Decision<'_> {
    fn drop(&mut self) {
        self.line.calls = self.calls.load(Ordering::Relaxed);
        if self.line.record.is_none() {
            let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
            self.line.record = found.as_ref().map(ToString::to_string);
        }
        self.line.wait_seconds = (self.started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
        self.audit.note(&self.line);
    }
}

/// Returns a media type in lower case, without its parameters (RFC 9110 section 8.3.1).
fn media_type(content_type: &HeaderValue) -> String {
    let text = content_type.to_str().unwrap_or("unreadable");
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn refuse(problem: Problem, body: &Value) -> Response<Body> {
    let mut response = respond(problem.status(), body.to_string().into());
    if problem.status() == StatusCode::UNAUTHORIZED {
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
